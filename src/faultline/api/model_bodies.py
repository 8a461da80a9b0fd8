"""Nothing in, the shapes of what the engine has learned of an asset out."""

from __future__ import annotations

import msgspec

from faultline.api.bodies import Envelope

__all__ = (
    "CalibrationBody",
    "CalibrationRowBody",
    "CascadeBody",
    "CascadeDepthBody",
    "DelayBody",
    "EpisodeBody",
    "FeedBody",
    "HypothesisBody",
    "LearnedBody",
    "LeverageBinBody",
    "LeverageHistoryBody",
    "PublishedFactBody",
    "ReliabilityBody",
    "StripDayBody",
)


class LeverageBinBody(msgspec.Struct, kw_only=True):
    """Share of gross opens in one bin of leverage, with its 95 % band; the prior's where it is not identified."""

    label: str
    share: float | None
    low: float | None
    high: float | None
    iota: float | None
    identified: bool
    assumed_share: float | None
    before_share: float | None


class HypothesisBody(msgspec.Struct, kw_only=True):
    """One set of structural assumptions and the weight that the events give it."""

    name: str
    weight: float | None


class LeverageHistoryBody(msgspec.Struct, kw_only=True):
    """Shares of the four bins, hour by hour."""

    t_ms: list[int]
    shares: list[list[float | None]]
    effective_events: list[float | None]


class CalibrationRowBody(msgspec.Struct, kw_only=True):
    """One estimate about a venue, with its range."""

    name: str
    unit: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n_events: float | None = None
    data_share: float | None = None


class PublishedFactBody(msgspec.Struct, kw_only=True):
    """What a venue says of itself, and how that is known."""

    value: str | float | bool | None
    evidence: str


class CalibrationBody(msgspec.Struct, kw_only=True):
    """How a venue prints, delays and reports."""

    rows: list[CalibrationRowBody]
    sides: str
    published: dict[str, PublishedFactBody | None] | None


class FeedBody(msgspec.Struct, kw_only=True):
    """What one feed of liquidations taught: mix of leverage, bank of hypotheses, calibration.

    ``basis`` says who speaks: the bank, the incumbent alone (``pooled``: too few events), or the prior, because the
    learned mix scored worse. ``assumed_from`` says in words where the mix comes from that learning starts from.
    ``map_trust`` is the weight of the asset's learned maps beside those drawn as assumed, by how both scored on all
    its liquidations. Where ``frozen``, a snapshot of a parameter file is served as it is and nothing is learned;
    ``version`` is the snapshot that it is or began with, null where it began with nothing.
    """

    feed: str
    venue: str
    path: str
    reporting: str
    basis: str
    speaks: bool
    frozen: bool
    serves: list[str]
    events: float | None
    expected: float | None
    effective_events: float | None
    dispersion: float | None
    advantage_nats: float | None
    learned_share: float | None
    map_trust: float | None = None
    leverages: list[float]
    mix: list[float | None]
    assumed_mix: list[float | None]
    assumed_from: str
    bins: list[LeverageBinBody]
    before_ms: int | None
    hypotheses: list[HypothesisBody]
    history: LeverageHistoryBody
    calibration: CalibrationBody | None = None
    version: int | None = None


class DelayBody(msgspec.Struct, kw_only=True):
    """Seconds from one level to the next."""

    median: float | None
    low: float | None
    high: float | None


class CascadeDepthBody(msgspec.Struct, kw_only=True):
    """How often a chain that stood at risk reached a level; grey with fewer than 30 at risk."""

    depth: int
    n_at_risk: int
    n_reached: int
    prob: float | None
    low: float | None
    high: float | None
    delay_s: DelayBody | None
    greyed: bool


class ReliabilityBody(msgspec.Struct, kw_only=True):
    """Forecasts of about one probability beside how often it happened."""

    forecast: float | None
    observed: float | None
    low: float | None
    high: float | None
    n: int


class EpisodeBody(msgspec.Struct, kw_only=True):
    """One cascade, beside what was expected of it."""

    id: str
    started_ms: int
    ended_ms: int | None
    side: str
    depth: int
    realised_usd: float | None
    expected_usd: float | None
    excess_ratio: float | None
    tail_prob: float | None


class StripDayBody(msgspec.Struct, kw_only=True):
    """Liquidations of a day over the open interest."""

    day_ms: int
    liquidated_usd: float | None
    oi_usd: float | None
    ratio: float | None


class CascadeBody(msgspec.Struct, kw_only=True):
    """What was learned of cascades.

    ``frozen`` and ``version`` as in a feed: they are about what foretells; counts and scores are those of this run.
    """

    n_hits: int
    depths: list[CascadeDepthBody]
    reliability: list[ReliabilityBody]
    log_loss: float | None
    log_loss_beta: float | None
    episodes: list[EpisodeBody]
    strip: list[StripDayBody]
    frozen: bool = False
    version: int | None = None


class LearnedBody(Envelope):
    """What the engine has learned of one asset."""

    asset: str
    feeds: list[FeedBody]
    cascade: CascadeBody | None
