"""Frames and answers of every venue, spoilt at random, into their mappers: none raises, nothing impossible comes out.

The short form runs for some seconds. ``make fuzz`` runs ten minutes, or FAULTLINE_FUZZ_SECONDS, with a seed of its own
that is printed; FAULTLINE_FUZZ_SEED plays one again. One process makes and maps at least 20,000 frames a second.
"""

from __future__ import annotations

import itertools
import os
import random
import time

import numpy as np
import pytest
from tests.sources.depth_mutations import PIECES
from tests.sources.venues.play import everything

from faultline.messages import Kind
from faultline.sources.registry import SLUGS
from faultline.sources.rows import LARGEST, Reason
from faultline.units import DAY_NS, HOUR_NS

IS_LONG = os.environ.get("FAULTLINE_FUZZ") == "1"
SECONDS = float(os.environ.get("FAULTLINE_FUZZ_SECONDS", "600" if IS_LONG else "5"))
SEED = int(os.environ.get("FAULTLINE_FUZZ_SEED", time.time_ns() if IS_LONG else 20_261_121))
FRAMES_PER_SECOND = 20_000
ROUND = 500
#: Values that must be positive and finite in a row of a kind; a NaN is not.
POSITIVE = {
    Kind.TRADE: ("price_usd", "qty_base"),
    Kind.LIQUIDATION: ("price_usd", "qty_base", "notional_usd"),
    Kind.BOOK_LEVEL: ("price_usd",),
    Kind.MARK: ("mark_price_usd",),
    Kind.ADL: ("price_usd", "qty_base"),
    Kind.WALLET_FILL: ("price_usd", "qty_base"),
}
WORDS = (
    b'"BTCUSDT"',
    b'"ETHUSDT"',
    b'"BTC"',
    b'"Buy"',
    b'"SELL"',
    b'"snapshot"',
    b'"delta"',
    b'"1"',
    b'"0.000"',
    b"-1",
)


class Victim:
    """One venue: its frames, a mapper that is made anew now and then, and what was counted."""

    def __init__(self, slug):
        self.slug, self.play = slug, everything(slug)
        self.play.drain()
        self.out = self.play.out
        self.seen = [one for one in dict.fromkeys(self.play.seen) if one[1]]
        self.reset()

    def reset(self):
        """A new mapper that heard every frame once, so that later ones are not all without a snapshot."""
        self.mapper = self.play.venue.mapper(self.play.contracts)
        for name, body, received_ns in self.seen:
            self.map(name, body, received_ns)

    def map(self, name, body, received_ns):
        if name:
            channel, _, symbol = name.partition(" ")
            self.mapper.map_answer(channel, symbol, body, received_ns, self.out)
        else:
            self.mapper.map(body, received_ns, self.out)

    def check(self):
        """Rows since the last check are possible; every reject names a channel and a reason. Returns their number."""
        n = 0
        for batch in self.out.drain():
            n += len(batch)
            rows = batch.rows
            assert batch.venue == self.slug
            assert batch.symbol in self.play.contracts
            if batch.kind is Kind.GAP:
                continue
            lag_ns = rows["ts_received_ns"] - rows["ts_event_ns"]
            assert ((lag_ns > -HOUR_NS) & (lag_ns < 366 * DAY_NS)).all()
            for name in POSITIVE.get(batch.kind, ()):
                assert ((rows[name] > 0) & (rows[name] < LARGEST)).all(), (batch.kind, name)
            if batch.kind is Kind.BOOK_LEVEL:
                assert ((rows["qty_base"] >= 0) & (rows["qty_base"] < LARGEST)).all()
                assert np.isin(rows["side"], (1, -1)).all()
        for (channel, reason), found in self.out.rejects.items():
            assert channel
            assert isinstance(reason, Reason)
            assert found.n > 0
            assert found.detail
            assert len(found.digest) == 16
        assert len(self.out.rejects) <= 300
        self.out.controls.clear()
        return n


def mutations(seen, rng):
    """Endless spoilt copies of frames: (name, body, receive time)."""
    pieces = (*PIECES, *WORDS)
    below, choice, chance = rng._randbelow, rng.choice, rng.random
    frames, answers = ([one for one in seen if bool(one[0]) is is_answer] for is_answer in (False, True))
    while True:
        some = answers if answers and (chance() < 0.2 or not frames) else frames
        name, body, received_ns = some[below(len(some))]
        for _ in range(1 + (chance() < 0.25)):
            at, kind = below(len(body) + 1), chance()
            if kind < 0.12:
                body = body[:at] + choice(pieces) + body[at:]
            elif kind < 0.22:
                piece = choice(pieces)
                body = body[:at] + piece + body[at + len(piece) :]
            elif kind < 0.3:
                body = body[:at] + body[at + 1 + below(6) :]
            elif kind < 0.4:
                body = body[:at] + bytes((below(256),)) + body[at + 1 :]
            elif kind < 0.8:
                # The value of a member is another one.
                colon = body.find(b":", at)
                ends = [end for end in (body.find(b",", colon), body.find(b"}", colon)) if end > 0]
                if colon > 0 and ends:
                    body = body[: colon + 1] + choice(pieces) + body[min(ends) :]
            elif kind < 0.87:
                other = seen[below(len(seen))][1]
                body = body[:at] + other[below(len(other)) :]
            elif kind < 0.94:
                other = below(len(body) + 1)
                body = body[:at] + body[other : other + below(200)] + body[at:]
            else:
                body = body[:at]
        yield name, body, received_ns


def fuzz(seconds, seed):
    """Feed every venue in turns; returns per venue (frames, rows), and CPU seconds."""
    rng = random.Random(seed)
    victims = [Victim(slug) for slug in SLUGS]
    streams = [mutations(victim.seen, rng) for victim in victims]
    counts = {slug: [0, 0] for slug in SLUGS}
    name, body = "", b""
    started, cpu = time.perf_counter(), time.process_time()
    for turn in itertools.count():
        for victim, stream in zip(victims, streams, strict=True):
            try:
                for name, body, received_ns in itertools.islice(stream, ROUND):
                    victim.map(name, body, received_ns)
                counts[victim.slug][1] += victim.check()
            except Exception as exc:
                msg = f"{victim.slug} {name!r}, seed {seed}: {type(exc).__name__} at {body!r}"
                raise AssertionError(msg) from exc
            counts[victim.slug][0] += ROUND
            if turn % 10 == 9:
                victim.reset()
        if time.perf_counter() - started > seconds:
            break
    return victims, counts, time.process_time() - cpu


@pytest.mark.fuzz
@pytest.mark.timeout(SECONDS * 3 + 300)
def test_fuzzed_frames_never_raise_and_every_reject_is_named(capsys):
    victims, counts, cpu_s = fuzz(SECONDS, SEED)
    frames = sum(n for n, _ in counts.values())
    with capsys.disabled():
        print(f"\nseed {SEED}: {frames:,} frames in {cpu_s:.1f} CPU s, {frames / cpu_s:,.0f} a second")
    for victim in victims:
        n, rows = counts[victim.slug]
        print(f"{victim.slug}: {n:,} frames, {rows:,} rows")
        for (channel, reason), found in sorted(victim.out.rejects.items(), key=lambda one: -one[1].n):
            print(f"    {channel} | {reason} | {found.n:,} | {found.detail[:70]}")
        assert rows > 0, f"nothing of {victim.slug} was readable: the frames were spoilt too much"
        assert sum(found.n for found in victim.out.rejects.values()) > n / 10
    assert frames / cpu_s >= FRAMES_PER_SECOND
