"""Facts of one frame after the other in, checked rows in batches out: what every mapper writes to.

A mapper calls one method per fact. Impossible values (a price that is not positive and finite, a negative quantity, a
time no venue can mean) are rejected here, for all venues alike, counted by venue, channel and reason, with the digest
of one sample frame. ``drain`` gives what came since the last call as NumPy rows.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import hashlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from faultline.messages import KINDS, NO_SEQ, Batch, Flag, Kind, TradeCause
from faultline.units import DAY_NS, HOUR_NS, PriceKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultline.sources.control import Control

__all__ = ("LARGEST", "FrameReject", "Reason", "Rejects", "Rows")

#: Prices, quantities and notionals beyond this are typing errors of a venue.
LARGEST: Final = 1e15
#: An event may be this much older than its receipt: venues replay old rows after a subscription.
_OLDEST_NS: Final = 366 * DAY_NS
#: An event may be this much later than its receipt: clocks differ.
_AHEAD_NS: Final = HOUR_NS
_SAMPLE_BYTES: Final = 300

_DTYPES: Final = {kind: spec.dtype for kind, spec in KINDS.items()}
_NAN: Final = float("nan")
#: Fields of a position after its entry, in order, where a venue does not tell them.
_POSITION_UNKNOWN: Final = {
    "leverage": _NAN,
    "is_cross": -1,
    "liquidation_price_usd": _NAN,
    "notional_usd": _NAN,
    "unrealized_pnl_usd": _NAN,
    "account_value_usd": _NAN,
}


class Reason(enum.StrEnum):
    """Why a frame, or a fact in it, was not taken."""

    NOT_JSON = "not JSON"
    WRONG_SHAPE = "wrong shape"
    TOO_LARGE = "too large"
    NOT_UNZIPPED = "not compressed as announced"
    UNKNOWN_CHANNEL = "unknown channel"
    UNKNOWN_SYMBOL = "unknown symbol"
    IMPOSSIBLE_VALUE = "impossible value"
    IMPOSSIBLE_TIME = "impossible time"
    UNKNOWN_WORD = "unknown word"
    VENUE_ERROR = "error of the venue"


class FrameReject(Exception):
    """A whole frame cannot be taken; raised inside mappers only, and counted by ``VenueMapper.map``."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclasses.dataclass(slots=True)
class Rejects:
    """Rejects of one venue, channel and reason.

    Attributes:
        n: how many there were.
        digest: SHA-256 of the first frame, 16 hex digits.
        detail: what was wrong with the first, one sentence.
        sample: beginning of the first frame, printable.
    """

    n: int
    digest: str
    detail: str
    sample: str


class Rows:
    """What the frames of one connection said, until it is drained.

    Args:
        venue: slug; with the symbol it makes instrument ids.

    Attributes:
        channel: channel of the frame in hand, set by the mapper as soon as it is known: it names rejects.
        frame: the frame in hand.
        controls: what the frames asked for besides rows, in order; the reader takes and clears it.
        rejects: counts by (channel, reason); never cleared.
        n_rows: rows waiting.
        heard: channels that gave rows since the last drain, with the number of facts and the latest event time.
    """

    def __init__(self, venue: str) -> None:
        self.venue = venue
        self.channel, self.frame = "", b""
        self.received_ns = 0
        self.controls: list[Control] = []
        self.rejects: dict[tuple[str, Reason], Rejects] = {}
        self.n_rows = 0
        self.heard: dict[str, list[int]] = {}
        self._rows: collections.defaultdict[tuple[Kind, str], list[tuple[Any, ...]]] = (
            collections.defaultdict(list)
        )

    def begin(self, frame: bytes, received_ns: int) -> None:
        """Take the next frame in hand."""
        self.frame, self.received_ns, self.channel = frame, received_ns, "?"

    def reject(self, reason: Reason, detail: str) -> None:
        """Count what could not be taken of the frame in hand."""
        found = self.rejects.get((self.channel, reason))
        if found is None:
            digest = hashlib.sha256(self.frame).hexdigest()[:16]
            sample = self.frame[:_SAMPLE_BYTES].decode("utf-8", "backslashreplace")
            self.rejects[(self.channel, reason)] = Rejects(1, digest, detail[:_SAMPLE_BYTES], sample)
        else:
            found.n += 1

    def trade(
        self,
        symbol: str,
        ts_event_ns: int,
        seq: int,
        price_usd: float,
        qty_base: float,
        taker_side: int,
        cause: int = TradeCause.ORDINARY,
        flags: int = 0,
    ) -> None:
        """One trade; ``seq`` is the venue's id where that is a number."""
        if not (0.0 < price_usd < LARGEST and 0.0 < qty_base < LARGEST):
            self.reject(Reason.IMPOSSIBLE_VALUE, f"a trade of {qty_base} at {price_usd}")
            return
        self._add(
            Kind.TRADE,
            symbol,
            (ts_event_ns, self.received_ns, flags, seq, price_usd, qty_base, taker_side, cause),
        )

    def liquidation(
        self,
        symbol: str,
        ts_event_ns: int,
        side: int,
        price_kind: PriceKind,
        price_usd: float,
        qty_base: float,
        notional_usd: float,
        *,
        seq: int = NO_SEQ,
        flags: int = 0,
    ) -> None:
        """One liquidation; ``side`` is that of the position: +1 LONG, -1 SHORT."""
        possible = 0.0 < price_usd < LARGEST and 0.0 < qty_base < LARGEST and 0.0 < notional_usd < LARGEST
        if not possible or side not in {1, -1}:
            self.reject(Reason.IMPOSSIBLE_VALUE, f"a liquidation of {qty_base} ({side}) at {price_usd}")
            return
        row = (ts_event_ns, self.received_ns, flags, seq, side, price_kind, price_usd, qty_base, notional_usd)
        self._add(Kind.LIQUIDATION, symbol, row)

    def levels(
        self,
        symbol: str,
        ts_event_ns: int,
        seq: int,
        bids: Sequence[tuple[float, float]],
        asks: Sequence[tuple[float, float]],
        *,
        is_snapshot: bool = False,
    ) -> None:
        """Levels of the book, as (price, quantity in base units); quantity 0 means the level is gone.

        One impossible level rejects them all: half a change is a wrong book.
        """
        flags = Flag.SNAPSHOT if is_snapshot else 0
        received_ns = self.received_ns
        rows: list[tuple[Any, ...]] = []
        for side, levels in ((1, bids), (-1, asks)):
            for price_usd, qty_base in levels:
                if not (0.0 < price_usd < LARGEST and 0.0 <= qty_base < LARGEST):
                    self.reject(Reason.IMPOSSIBLE_VALUE, f"a level of {qty_base} at {price_usd}")
                    return
                rows.append((ts_event_ns, received_ns, flags, seq, side, price_usd, qty_base))
        self._extend(Kind.BOOK_LEVEL, symbol, ts_event_ns, rows)

    def mark(self, symbol: str, ts_event_ns: int, mark_usd: float, index_usd: float = _NAN) -> None:
        """The mark price, and the index where it is told (NaN where not)."""
        if not 0.0 < mark_usd < LARGEST or index_usd <= 0.0 or index_usd >= LARGEST:
            self.reject(Reason.IMPOSSIBLE_VALUE, f"a mark price of {mark_usd}, index {index_usd}")
            return
        self._add(Kind.MARK, symbol, (ts_event_ns, self.received_ns, 0, NO_SEQ, mark_usd, index_usd))

    def funding(
        self, symbol: str, ts_event_ns: int, rate_ratio: float, *, interval_ns: int = 0, next_ns: int = 0
    ) -> None:
        """A funding rate for one interval; times are 0 where they are not told."""
        if not -1.0 < rate_ratio < 1.0 or interval_ns < 0 or next_ns < 0:
            self.reject(Reason.IMPOSSIBLE_VALUE, f"a funding rate of {rate_ratio}")
            return
        self._add(
            Kind.FUNDING, symbol, (ts_event_ns, self.received_ns, 0, NO_SEQ, rate_ratio, interval_ns, next_ns)
        )

    def open_interest(
        self, symbol: str, ts_event_ns: int, oi_base: float = _NAN, oi_usd: float = _NAN
    ) -> None:
        """Open interest of one side; a part that is not told is NaN. Zero is rejected: venues print it for unknown."""
        if not (0.0 < oi_base < LARGEST or 0.0 < oi_usd < LARGEST) or oi_base <= 0.0 or oi_usd <= 0.0:
            self.reject(Reason.IMPOSSIBLE_VALUE, f"an open interest of {oi_base} base units, {oi_usd} USD")
            return
        self._add(Kind.OPEN_INTEREST, symbol, (ts_event_ns, self.received_ns, 0, NO_SEQ, oi_base, oi_usd))

    def ratio(self, symbol: str, ts_event_ns: int, ratio_kind: str, long_share_ratio: float) -> None:
        """Longs over longs and shorts: ``accounts``, ``top_accounts``, ``top_positions`` or ``taker_volume``."""
        if not 0.0 <= long_share_ratio <= 1.0:
            self.reject(Reason.IMPOSSIBLE_VALUE, f"a share of longs of {long_share_ratio}")
            return
        row = (ts_event_ns, self.received_ns, 0, NO_SEQ, ratio_kind.encode(), long_share_ratio)
        self._add(Kind.RATIO, symbol, row)

    def adl(
        self,
        symbol: str,
        ts_event_ns: int,
        side: int,
        price_usd: float,
        qty_base: float,
        *,
        seq: int = NO_SEQ,
        wallet: str = "",
    ) -> None:
        """A position closed by auto-deleveraging; ``side`` is that of the closed position."""
        if not (0.0 < price_usd < LARGEST and 0.0 < qty_base < LARGEST) or side not in {1, -1}:
            self.reject(Reason.IMPOSSIBLE_VALUE, f"an ADL of {qty_base} ({side}) at {price_usd}")
            return
        self._add(
            Kind.ADL,
            symbol,
            (ts_event_ns, self.received_ns, 0, seq, side, price_usd, qty_base, wallet.encode()),
        )

    def wallet_fill(
        self,
        symbol: str,
        ts_event_ns: int,
        wallet: str,
        side: int,
        price_usd: float,
        qty_base: float,
        **known: float,
    ) -> None:
        """One fill of a known account; ``side`` +1 where the account bought.

        ``known`` has further fields of the kind, and ``seq``; what is not there is NaN, ``is_taker`` -1.
        """
        possible = 0.0 < price_usd < LARGEST and 0.0 < qty_base < LARGEST
        if not possible or side not in {1, -1} or not wallet:
            self.reject(Reason.IMPOSSIBLE_VALUE, f"a fill of {qty_base} ({side}) at {price_usd}")
            return
        known = {"start_qty_base": _NAN, "closed_pnl_usd": _NAN, "is_taker": -1, "is_liquidation": 0, **known}
        head = (ts_event_ns, self.received_ns, 0, known.pop("seq", NO_SEQ))
        self._add(
            Kind.WALLET_FILL, symbol, (*head, wallet.encode(), side, price_usd, qty_base, *known.values())
        )

    def wallet_position(
        self,
        symbol: str,
        ts_event_ns: int,
        wallet: str,
        side: int,
        qty_base: float,
        entry_price_usd: float,
        **known: float,
    ) -> None:
        """One open position of a known account; ``side`` 0 and quantity 0 where none stands any more.

        ``known`` has further fields of the kind; what is not there is NaN, ``is_cross`` -1.
        """
        stands = side in {1, -1} and 0.0 < qty_base < LARGEST and 0.0 < entry_price_usd < LARGEST
        if not (stands or (side == 0 and qty_base == 0.0)) or not wallet:
            self.reject(Reason.IMPOSSIBLE_VALUE, f"a position of {qty_base} ({side}) from {entry_price_usd}")
            return
        known = {**_POSITION_UNKNOWN, **known}
        head = (ts_event_ns, self.received_ns, Flag.SNAPSHOT, NO_SEQ)
        row = (*head, wallet.encode(), side, qty_base, entry_price_usd, *known.values())
        self._add(Kind.WALLET_POSITION, symbol, row)

    def gap(self, symbol: str, missing: Kind, from_ns: int, to_ns: int, reason: str) -> None:
        """A stretch in which rows are missing: ``sequence`` or ``disconnect``."""
        row = (to_ns, self.received_ns, 0, NO_SEQ, missing.value.encode(), from_ns, to_ns, reason.encode())
        self._rows[(Kind.GAP, symbol)].append(row)
        self.n_rows += 1

    def drain(self) -> list[Batch]:
        """Rows since the last call: one batch per kind and symbol, in receive order."""
        batches = [
            Batch(kind, f"{self.venue}:{symbol}", np.array(rows, dtype=_DTYPES[kind]))
            for (kind, symbol), rows in self._rows.items()
        ]
        self._rows.clear()
        self.heard, self.n_rows = {}, 0
        return batches

    def _add(self, kind: Kind, symbol: str, row: tuple[Any, ...]) -> None:
        if not -_AHEAD_NS < self.received_ns - row[0] < _OLDEST_NS:
            self.reject(Reason.IMPOSSIBLE_TIME, f"an event at {row[0]} ns, received at {self.received_ns} ns")
            return
        self._rows[(kind, symbol)].append(row)
        self._note(row[0], 1)

    def _extend(self, kind: Kind, symbol: str, ts_event_ns: int, rows: list[tuple[Any, ...]]) -> None:
        if not -_AHEAD_NS < self.received_ns - ts_event_ns < _OLDEST_NS:
            self.reject(
                Reason.IMPOSSIBLE_TIME, f"a book at {ts_event_ns} ns, received at {self.received_ns} ns"
            )
            return
        self._rows[(kind, symbol)].extend(rows)
        self._note(ts_event_ns, len(rows))

    def _note(self, ts_event_ns: int, n: int) -> None:
        self.n_rows += n
        heard = self.heard.get(self.channel)
        if heard is None:
            self.heard[self.channel] = [n, ts_event_ns]
        else:
            heard[0] += n
            heard[1] = max(heard[1], ts_event_ns)
