"""A small market of our own with and without contagion: levels, a path that forced flow moves, and what is reached."""

from __future__ import annotations

import dataclasses

import numpy as np

from faultline.cascades.first_passage import Volatility
from faultline.cascades.levels import Levels
from faultline.cascades.outcome import Outcome
from faultline.cascades.situation import Situation
from faultline.units import DAY_NS, HOUR_NS, SECOND_NS

START_NS = 20_000 * DAY_NS
VOLUME_DAY_USD = 2e10
TAU_S = 900


@dataclasses.dataclass(frozen=True)
class World:
    """``impact`` is 'sqrt', 'linear' or 'none'; ``strength`` scales it; each level releases ``share`` of its heat."""

    impact: str
    strength: float = 1.0
    share: float = 0.3
    noise: float = 0.4
    gap: float = 0.003


def moved(world, flow_usd, sigma_day):
    """Log price that a flow moves in the end."""
    if world.impact == "sqrt":
        return world.strength * sigma_day * np.sqrt(flow_usd / VOLUME_DAY_USD)
    if world.impact == "linear":
        return world.strength * 4.0 * flow_usd / VOLUME_DAY_USD
    return np.zeros_like(flow_usd)


def simulate(world, n_hits, seed, n_levels=10, step_s=1.0):
    """Hits with frozen levels and what came of each: (situations, reached, delays in s, liquidated by level).

    A path starts at level 0, takes Gaussian steps, and drifts toward what the flow released so far moves it by, with a
    time constant of 30 s. A hop counts when its level is reached within ``TAU_S`` of the level before.
    """
    rng = np.random.default_rng(seed)
    sigma_day = 0.03 * np.exp(0.5 * rng.standard_normal(n_hits))
    gaps = world.gap * np.exp(0.8 * rng.standard_normal((n_hits, n_levels)))
    distance = np.cumsum(gaps, axis=1)
    mass = 4e7 * np.exp(1.2 * rng.standard_normal((n_hits, n_levels + 1)))
    released = world.share * mass * np.exp(world.noise * rng.standard_normal(mass.shape))
    price, reached = np.zeros(n_hits), np.zeros(n_hits, dtype=int)
    pushed, since = np.zeros(n_hits), np.zeros(n_hits)
    delays = np.full((n_hits, n_levels), np.nan)
    alive = np.ones(n_hits, dtype=bool)
    flow = released[:, 0].copy()
    walls = np.concatenate([distance, np.full((n_hits, 1), np.inf)], axis=1)
    step_sd = sigma_day * np.sqrt(step_s / 86_400.0)
    now = 0.0
    while alive.any():
        now += step_s
        k = np.flatnonzero(alive)
        push = (moved(world, flow[k], sigma_day[k]) - pushed[k]) * (1.0 - np.exp(-step_s / 30.0))
        pushed[k] += push
        jump = step_sd[k] * rng.standard_normal(len(k))
        # The highest point of the Brownian bridge of the step, so that nothing depends on its length.
        rise = push + jump
        top = price[k] + 0.5 * (rise + np.sqrt(rise**2 - 2.0 * step_sd[k] ** 2 * np.log(rng.random(len(k)))))
        price[k] += rise
        more = k[top >= walls[k, reached[k]]]
        tops = dict(zip(k.tolist(), top.tolist(), strict=True))
        while len(more):
            delays[more, reached[more]] = np.maximum(now - since[more], 0.5 * step_s)
            since[more] = now
            reached[more] += 1
            flow[more] += released[more, reached[more]]
            more = more[[tops[i] >= walls[i, reached[i]] for i in more.tolist()]]
        alive &= (reached < n_levels) & (now - since < TAU_S)
    situations = []
    for i in range(n_hits):
        edges = (0.0, *(distance[i] - gaps[i] / 2).tolist(), float(distance[i, -1] + gaps[i, -1] / 2))
        levels = Levels(
            int(rng.integers(2)), 50_000.0, tuple(distance[i].tolist()), tuple(mass[i].tolist()), edges
        )
        situations.append(
            Situation(
                id=f"Z-{i}",
                symbol=("BTC", "ETH")[i % 2],
                time_ns=START_NS + i * HOUR_NS,
                levels=levels,
                moves=Volatility(variance_per_day=float(sigma_day[i]) ** 2),
                volume_day_usd=VOLUME_DAY_USD,
                tau_ns=TAU_S * SECOND_NS,
            )
        )
    return situations, reached, delays, released


def outcome(situation, reached, delays, released, said, **more):
    """What the collector would say of one hit."""
    n = situation.levels.n
    failed = reached < n
    passed = np.where(np.arange(n + 1) < reached + 1, released, 0.0)
    fields = {
        "situation": situation,
        "said": tuple(said),
        "reached": int(reached),
        "resolved": int(reached) + failed,
        "delay_s": tuple(delays[:reached].tolist()),
        "waited_s": float(TAU_S) if failed else None,
        "is_cut": False,
        "races": (1,) * int(reached),
        "level_usd": tuple(passed.tolist()),
        "liquidated_usd": float(passed.sum()),
        "deleveraging": False,
        "end_ns": situation.time_ns + HOUR_NS // 2,
    }
    return Outcome(**(fields | more))


def log_loss(p, y):
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


class DepthBetas:
    """The plainest rival: how often hops from each depth happened so far."""

    def __init__(self, n=10):
        self.counts = np.ones((n, 2))

    def hazards(self):
        return self.counts[:, 1] / self.counts.sum(axis=1)

    def apply(self, reached, resolved):
        for j in range(resolved):
            self.counts[j, int(j < reached)] += 1


def reliability_slope(p, y):
    """Slope of a logistic regression of outcomes on the logit of what was said (1 is perfect), and its intercept."""
    z = np.log(np.clip(p, 1e-6, 1 - 1e-6) / (1 - np.clip(p, 1e-6, 1 - 1e-6)))
    X = np.stack([np.ones_like(z), z], axis=1)
    w = np.array([0.0, 1.0])
    for _ in range(30):
        q = 1 / (1 + np.exp(-X @ w))
        w = w + np.linalg.solve((X * (q * (1 - q))[:, None]).T @ X + 1e-9 * np.eye(2), X.T @ (y - q))
    return w[1], w[0]
