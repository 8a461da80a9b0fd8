"""Fields of the REST bodies: the wire types that OpenAPI and the dashboard's own types are made from.

Times are integers; ``_ns`` fields can exceed what JavaScript holds exactly, so every body has ``as_of_ms``
beside ``as_of_ns``. A number that is not known is null, never 0.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from faultline.signals.events import Event
from faultline.store.status import Problem, Progress, ReplayPosition
from faultline.zones.divergence import VenueDivergence
from faultline.zones.zone import Zone

__all__ = (
    "AssetBody",
    "AssetsBody",
    "BandBody",
    "CandlesBody",
    "CellBody",
    "ChainBody",
    "ChainBookBody",
    "ChainStepBody",
    "DayTotalBody",
    "DifferenceBody",
    "DivergenceBody",
    "EntryWindow",
    "Envelope",
    "EventBody",
    "EventsBody",
    "GainBody",
    "HealthBody",
    "HeatBody",
    "LegendBody",
    "ModelBody",
    "PlacesBody",
    "ProblemBody",
    "ProfileBody",
    "ReplayRequest",
    "ReportBody",
    "ReproductionBody",
    "ScorePointBody",
    "ScoresBody",
    "StatusBody",
    "VenueBody",
    "VenueDivergenceBody",
    "ZoneBody",
    "ZoneLifeBody",
    "ZonesBody",
)


class Envelope(msgspec.Struct, kw_only=True):
    """In every body: whether the market is made up, the engine's time, whether it has gone silent."""

    simulated: bool
    as_of_ns: int
    as_of_ms: int
    stale: bool


class ProblemBody(Envelope):
    """An error (RFC 9457) with the place it is wrong in and what to do about it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    where: str
    hint: str


class StatusBody(Envelope):
    """What the engine runs on and how far it is."""

    version: str
    mode: Literal["replay", "simulated", "live"]
    world: str | None
    state: Literal["loading", "ready", "error"]
    progress: Progress | None
    error: Problem | None
    data_age_s: float | None
    replay: ReplayPosition | None


class HealthBody(Envelope):
    """Whether the process answers, and what it is waiting for if it is not ready."""

    ok: bool
    reason: str


class AssetBody(msgspec.Struct, kw_only=True):
    """One asset: last price, height of its display rows, the scopes and timeframes it has maps of."""

    asset: str
    price_usd: float | None
    row_usd: float | None
    scopes: list[str]
    timeframes: list[str]


class AssetsBody(Envelope):
    """All assets."""

    assets: list[AssetBody]


class HeatBody(Envelope):
    """The newest columns of a map as numbers: ``usd[i][k]`` is column ``i``, row ``k``; lower edges in
    ``prices``.
    """

    scope: str
    timeframe: str
    plane: str
    side: str
    seq: int
    dt_ms: int
    row_usd: float
    first_live_col: int
    legend_lo_usd: float | None
    legend_hi_usd: float | None
    prices: list[float]
    t_ms: list[int]
    usd: list[list[float]]


class LegendBody(Envelope):
    """The two ends of the colour scale, and the closed columns they were measured on; null before any is
    closed.
    """

    lo_usd: float | None
    hi_usd: float | None
    from_ms: int | None
    to_ms: int | None


class CandlesBody(Envelope):
    """Candles on the index of the map's columns; null where nothing is known."""

    scope: str
    timeframe: str
    t0_ms: int
    dt_ms: int
    seq: int
    n: int
    n_closed: int
    open: list[float | None]
    high: list[float | None]
    low: list[float | None]
    close: list[float | None]
    volume_usd: list[float | None]
    long_usd: list[float | None]
    short_usd: list[float | None]


class VenueBody(msgspec.Struct, kw_only=True):
    """Share of one venue in a cell."""

    venue: str
    usd: float | None


class BandBody(msgspec.Struct, kw_only=True):
    """Share of one band of leverage in a cell."""

    label: str
    long_usd: float | None
    short_usd: float | None


class EntryWindow(msgspec.Struct, kw_only=True):
    """When the positions of a cell can have been opened."""

    from_ms: int
    to_ms: int


class CellBody(Envelope):
    """Everything known about one cell of a map.

    ``long_lo_usd`` to ``long_hi_usd`` is the band of ``long_usd``, as in the profile: over leverage mixes of the 95 %
    interval where one was learned, else over assumed ones; the same of shorts.
    """

    price_low_usd: float
    price_high_usd: float
    t_ms: int
    long_usd: float | None
    short_usd: float | None
    long_lo_usd: float | None = None
    long_hi_usd: float | None = None
    short_lo_usd: float | None = None
    short_hi_usd: float | None = None
    real_long_usd: float | None = None
    real_short_usd: float | None = None
    venues: list[VenueBody] = []
    bands: list[BandBody] = []
    entry_window: EntryWindow | None = None
    oi_source: str = ""
    oi_age_s: float | None = None
    learned_share: float | None = None
    assumed_share: float | None = None
    distance_ratio: float | None = None


class ReproductionBody(msgspec.Struct, kw_only=True):
    """The local reproduction number R by row of a profile: above 1 what a row releases moves price farther than it is
    wide.

    ``value`` with its 95 % interval ``low`` to ``high`` over what is believed of impact and of the share liquidated; of
    longs below the price, of shorts above it. ``n_flows`` is how many flows with a move the law was learned from,
    faded; ``established`` is false where they are too few to lean on.
    """

    value: list[float | None]
    low: list[float | None]
    high: list[float | None]
    n_flows: float
    established: bool


class ProfileBody(Envelope):
    """The newest column as a profile: USD by price with its interval.

    ``reproduction`` is null of one venue's part of an asset, and before volatility and volume are known.
    """

    prices_usd: list[float]
    long_usd: list[float | None]
    short_usd: list[float | None]
    lo_usd: list[float | None]
    hi_usd: list[float | None]
    oi_long_usd: float | None
    oi_short_usd: float | None
    learned_share: float | None
    row_usd: float | None = None
    price_usd: float | None = None
    reproduction: ReproductionBody | None = None


class ModelBody(msgspec.Struct, kw_only=True):
    """Skill of one model: bits per event (``ig``), time skill (``t``), with an interval."""

    name: str
    ig: float | None = None
    t: float | None = None
    ci: list[float | None] | None = None


class DifferenceBody(msgspec.Struct, kw_only=True):
    """Difference of two models in one metric, with an interval."""

    a: str
    b: str
    metric: str
    mean: float | None = None
    ci: list[float | None] | None = None


class DayTotalBody(msgspec.Struct, kw_only=True):
    """Events of a UTC day, as observed and as the map predicted them."""

    day: str
    observed: float | None = None
    predicted: float | None = None


class PlacesBody(msgspec.Struct, kw_only=True):
    """Share of the events in each tenth of what a model expected of their places; 0.1 each where as foretold.

    From the near end of what price swept to the far one, with 95 % intervals and the largest gap of the summed shares.
    """

    model: str
    shares: list[float | None]
    low: list[float | None]
    high: list[float | None]
    distance: float | None = None


class ReportBody(msgspec.Struct, kw_only=True):
    """The last evaluation of one asset at one refresh interval."""

    asset: str
    from_ms: int
    to_ms: int
    refresh_s: int
    n_scored: int
    models: list[ModelBody] = []
    differences: list[DifferenceBody] = []
    days: list[DayTotalBody] = []
    places: list[PlacesBody] = []


class GainBody(msgspec.Struct, kw_only=True):
    """Gain of a model over a baseline in T (nats per event, without locations), with its 95 % interval."""

    model: str
    baseline: str
    mean: float | None = None
    ci: list[float | None] | None = None


class ScorePointBody(msgspec.Struct, kw_only=True):
    """What the last evaluation found whose scored window ends on one UTC day."""

    refresh_s: int
    from_ms: int
    to_ms: int
    n_scored: int
    gains: list[GainBody]


class ScoresBody(Envelope):
    """Measured skill of the map; ``available`` is false where nothing has been evaluated.

    ``history`` is null unless it was asked for: by refresh interval, then oldest first.
    """

    available: bool
    reports: list[ReportBody]
    history: list[ScorePointBody] | None = None


class EventBody(Event, frozen=True, kw_only=True):
    """One event with its number in the log."""

    seq: int


class EventsBody(Envelope):
    """Events, and the number of the newest event of the log."""

    events: list[EventBody]
    last_seq: int


class ChainStepBody(msgspec.Struct, frozen=True, kw_only=True):
    """One level of a chain.

    ``prob`` is the probability of reaching it given that the zone is hit, ``low`` and ``high`` its 95 % interval;
    ``expected_usd`` the notional to expect there, ``delay_s`` the median time from the hit, given that it is reached;
    ``needed_usd`` the forced flow that moves price there, ``needed_from`` whether the square-root law or the order book
    says so, ``book_usd`` what stands in the book up to there, null where it is not known or shorter; ``n_at_risk`` the
    hops seen from the level before, faded; ``greyed`` where these are too few to lean on.
    """

    depth: int
    price_usd: float
    prob: float
    low: float
    high: float
    expected_usd: float
    delay_s: float | None
    needed_usd: float | None
    needed_from: Literal["law", "book"]
    book_usd: float | None
    n_at_risk: float
    greyed: bool


class ChainBookBody(msgspec.Struct, frozen=True, kw_only=True):
    """Order books that a chain was walked through: of which instruments, and how old the oldest one's last row was.

    ``depth_ratio`` is depth near the best prices over what is usual there; null until six hours of it are known.
    """

    instruments: list[str]
    age_s: float
    depth_ratio: float | None


class ChainBody(msgspec.Struct, frozen=True, kw_only=True):
    """How far a cascade from a zone would run, were it hit at ``at_ms``; no steps where there is no level beyond.

    ``book`` is null where no order book is fresh and whole. ``funding_z``: how many standard deviations more than usual
    the zone's side pays; null until three days of rates are known. ``frozen``: it is foretold with frozen parameters.
    """

    at_ms: int
    book: ChainBookBody | None
    funding_z: float | None
    frozen: bool
    steps: list[ChainStepBody]


class ZoneBody(Zone, frozen=True, kw_only=True):
    """One zone, its times in milliseconds too; ``seen_ms`` is the moment that this description is of.

    ``chain`` is told at the present of the asset's map, of the six nearest zones a side that are loaded or hold 3 % of
    their side's exposure, and of a zone that is hit; null elsewhere.
    """

    born_ms: int
    at_ms: int
    ended_ms: int | None
    seen_ms: int
    chain: ChainBody | None


class VenueDivergenceBody(VenueDivergence, frozen=True, kw_only=True):
    """How far the maps of the venues lie apart on one side; ``at_ms`` is when they were compared."""

    at_ms: int


class DivergenceBody(msgspec.Struct, frozen=True, kw_only=True):
    """How far the maps of an asset's venues lie apart, by side; null where fewer than two hold anything."""

    long: VenueDivergenceBody | None
    short: VenueDivergenceBody | None


class ZonesBody(Envelope):
    """Zones of a scope at one moment; nothing is known before ``tracked_from_ms``.

    ``divergence`` is that of the asset's venues as they were last compared, each hour; null for one instrument, for a
    past moment, and before two venues were compared.
    """

    scope: str
    at_ms: int
    price_usd: float | None
    tracked_from_ms: int | None
    zones: list[ZoneBody]
    divergence: DivergenceBody | None


class ZoneLifeBody(Envelope):
    """What one zone was over time, oldest first; the last is how it stands where it still does."""

    scope: str
    id: str
    states: list[ZoneBody]


class ReplayRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One order to a replay: exactly one of the four fields."""

    at_ns: Annotated[int, Meta(ge=1, le=4_102_444_800_000_000_000)] | msgspec.UnsetType = msgspec.UNSET
    at_ms: Annotated[int, Meta(ge=1, le=4_102_444_800_000)] | msgspec.UnsetType = msgspec.UNSET
    speed: Annotated[float, Meta(ge=0.001, le=1_000_000)] | msgspec.UnsetType = msgspec.UNSET
    pause: bool | msgspec.UnsetType = msgspec.UNSET

    def order(self) -> dict[str, Any]:
        """The fields that are set, with ``at_ms`` as ``at_ns``."""
        fields = {
            name: value for name, value in msgspec.structs.asdict(self).items() if value is not msgspec.UNSET
        }
        if "at_ms" in fields:
            fields["at_ns"] = fields.pop("at_ms") * 1_000_000
        return fields
