"""Nothing in, the shapes of where the numbers come from out."""

from __future__ import annotations

import msgspec

from faultline.api.bodies import Envelope

__all__ = (
    "AbsentBody",
    "ChannelBody",
    "CoverageBody",
    "DiskBody",
    "RejectBody",
    "SocketBody",
    "SourcesBody",
    "VenueBody",
    "WriterBody",
)


class RejectBody(msgspec.Struct, kw_only=True):
    """What could not be taken for one reason: how often, and the first of them."""

    reason: str
    n: int
    digest: str
    detail: str
    sample: str


class ChannelBody(msgspec.Struct, kw_only=True):
    """One channel of a venue; a time or lag is null where nothing came yet."""

    channel: str
    kinds: list[str]
    transport: str
    status: str
    sentence: str
    since_ms: int | None = None
    n_rows: int
    rows_per_s: float | None = None
    per_second: list[int] = []
    per_minute: list[int] = []
    last_row_ms: int | None = None
    lag_p50_ms: float | None = None
    lag_p95_ms: float | None = None
    n_gaps: int = 0
    rejects: list[RejectBody] = []


class SocketBody(msgspec.Struct, kw_only=True):
    """One connection: what it is doing, for how long, and what it carried."""

    name: str
    state: str
    since_ms: int
    n_frames: int
    n_bytes: int
    last_frame_ms: int | None


class CoverageBody(msgspec.Struct, kw_only=True):
    """One line of the coverage table: where a kind comes from, what its fields mean and how sure that is."""

    kind: str
    channel: str
    transport: str
    evidence: str
    throttle: str
    side: str
    price: str
    unit: str
    window_ms: int
    note: str
    source: str
    from_ms: int
    until_ms: int


class AbsentBody(msgspec.Struct, kw_only=True):
    """A kind that a venue does not give, and why."""

    kind: str
    reason: str


class VenueBody(msgspec.Struct, kw_only=True):
    """One venue. Counters are null where nothing is connected."""

    venue: str
    name: str
    status: str
    sentence: str
    since_ms: int | None = None
    docs: str | None = None
    channels: list[ChannelBody]
    sockets: list[SocketBody] = []
    coverage: list[CoverageBody] = []
    absent: list[AbsentBody] = []
    refusals: list[str] = []
    n_contracts: int | None = None
    n_connects: int | None = None
    n_reconnects: int | None = None
    n_renewals: int | None = None
    n_refusals: int | None = None
    n_duplicates: int | None = None
    n_frames: int | None = None
    n_bytes: int | None = None
    n_requests: int | None = None
    n_request_failures: int | None = None
    rows_waiting: int | None = None
    clock_offset_ms: float | None = None


class WriterBody(msgspec.Struct, kw_only=True):
    """The way to the tape: rows that wait, their bound, and how often reading was paused for it."""

    rows_waiting: int
    rows_waiting_max: int
    n_rows_acknowledged: int
    is_paused: bool
    n_pauses: int
    paused_s: float
    failure: str


class DiskBody(msgspec.Struct, kw_only=True):
    """The disk that the tape is on."""

    free_bytes: int
    total_bytes: int


class SourcesBody(Envelope, kw_only=True):
    """Every venue: its state in one word, what it gives, and what could not be taken."""

    connected: bool
    at_ms: int
    venues: list[VenueBody]
    writer: WriterBody | None = None
    disk: DiskBody | None = None
