"""Facts of one frame after the other in, checked rows in batches out: what every mapper writes to.

A mapper calls one method per fact. Impossible values (a price that is not positive and finite, a negative quantity, a
time no venue can mean) are rejected here, for all venues alike, counted by venue, channel and reason, with the digest
of one sample frame. ``drain`` gives what came since the last call as NumPy rows.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import itertools
import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from faultline.messages import KINDS, NO_SEQ, Batch, Flag, Kind, TradeCause, empty_rows
from faultline.sources.depth_kernels import write_levels_kernel
from faultline.units import DAY_NS, HOUR_NS, PriceKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from faultline.sources.control import Control
    from faultline.sources.trade_bytes import TradeReader

    #: Levels of one side: pairs of price and quantity, or f8 (n, 2).
    Levels = Sequence[tuple[float, float]] | NDArray[np.float64]

__all__ = ("BOUNDS", "LARGEST", "FrameReject", "Reason", "Rejects", "Rows")

#: Prices, quantities and notionals beyond this are typing errors of a venue.
LARGEST: Final = 1e15
#: An event may be this much older than its receipt: venues replay old rows after a subscription.
_OLDEST_NS: Final = 366 * DAY_NS
#: An event may be this much later than its receipt: clocks differ.
_AHEAD_NS: Final = -HOUR_NS
#: What kernels need to know of it: the largest price or quantity, the least and the largest age, all exclusive.
BOUNDS: Final = (LARGEST, _AHEAD_NS, _OLDEST_NS)
_SAMPLE_BYTES: Final = 300
#: Channels x reasons that are counted apart, and the longest name of a channel; what is beyond counts as unknown.
_REJECTS_MAX: Final = 256
_CHANNEL_MAX: Final = 48
#: Sequences that a row can hold.
_SEQ_START: Final = -(2**63)
_SEQ_END: Final = 2**63
_WALLET_BYTES_MAX: Final = 66

_DTYPES: Final = {kind: empty_rows(kind).dtype for kind in KINDS}
_NAN: Final = float("nan")
_LETTERS: Final = {"i8": "q", "u4": "I", "u2": "H", "i1": "b", "u1": "B", "f8": "d"}


def _packer(dtype: np.dtype[np.void]) -> Callable[..., bytes]:
    """What makes the bytes of a row of its fields: much quicker than a tuple that becomes a row later."""
    formats = [dtype[name].str[1:] for name in dtype.names or ()]
    letters = [f"{text[1:]}s" if text[0] == "S" else _LETTERS[text] for text in formats]
    return struct.Struct("<" + "".join(letters)).pack


_PACK: Final = {kind: _packer(dtype) for kind, dtype in _DTYPES.items()}
_pack_trade = _PACK[Kind.TRADE]
_LEVEL_BYTES: Final = _DTYPES[Kind.BOOK_LEVEL].itemsize
_FLOAT: Final = np.dtype(np.float64)
_PAIR: Final = (2,)
_NO_LEVELS: Final = np.empty((0, 2))
_SNAPSHOT: Final = int(Flag.SNAPSHOT)
#: Levels for which there is room from the beginning.
_LEVELS_ROOM: Final = 1024
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
        n_rows: rows waiting; a frame of trades that is not read yet counts as one.
        trade_reader: what reads the frames that wait; None while none may wait.
        trade_frames: frames of trades that wait.
        trade_facts: of each of them its bytes, its stream and its receive time, one after the other.
        heard: channels that gave rows since the last drain, with the number of facts.
    """

    def __init__(self, venue: str) -> None:
        self.venue = venue
        self.channel, self.frame = "", b""
        self.received_ns = 0
        self.controls: list[Control] = []
        self.rejects: dict[tuple[str, Reason], Rejects] = {}
        self.n_rows = 0
        self.trade_reader: TradeReader | None = None
        self.trade_frames: list[bytes] = []
        self.trade_facts: list[int] = []
        self.heard: dict[str, int] = {}
        #: Rows waiting, as bytes.
        self._rows: dict[tuple[Kind, str], bytearray] = {}
        #: Some of them again, by symbol.
        self._trades: dict[str, bytearray] = {}
        self._books: dict[str, bytearray] = {}
        self._make_room(_LEVELS_ROOM)
        # Compiles the kernel now, not while frames wait.
        write_levels_kernel(_NO_LEVELS, _NO_LEVELS, LARGEST, 0, 0, 0, 0, self._levels)

    @property
    def n_rejects(self) -> int:
        """What could not be taken so far."""
        return sum(found.n for found in self.rejects.values())

    def begin(self, frame: bytes, received_ns: int) -> None:
        """Take the next frame in hand."""
        self.frame, self.received_ns, self.channel = frame, received_ns, "?"

    def reject(self, reason: Reason, detail: str) -> None:
        """Count what could not be taken of the frame in hand."""
        key = (self.channel or "?", reason)
        found = self.rejects.get(key)
        if found is None and (len(self.rejects) >= _REJECTS_MAX or len(self.channel) > _CHANNEL_MAX):
            key = ("?", reason)  # the venue makes names up
            found = self.rejects.get(key)
        if found is None:
            digest = hashlib.sha256(self.frame).hexdigest()[:16]
            sample = self.frame[:_SAMPLE_BYTES].decode("utf-8", "backslashreplace")
            self.rejects[key] = Rejects(1, digest, detail[:_SAMPLE_BYTES], sample)
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
        if self.trade_frames:
            self._settle()  # they came before
        received_ns = self.received_ns
        if not (0.0 < price_usd < LARGEST and 0.0 < qty_base < LARGEST):
            self.reject(Reason.IMPOSSIBLE_VALUE, f"a trade of {qty_base} at {price_usd}")
            return
        if not _AHEAD_NS < received_ns - ts_event_ns < _OLDEST_NS:
            self._reject_time(ts_event_ns)
            return
        try:
            row = _pack_trade(ts_event_ns, received_ns, flags, seq, price_usd, qty_base, taker_side, cause)
        except struct.error:
            self.reject(Reason.IMPOSSIBLE_VALUE, f"a trade with the id {seq}")
            return
        rows = self._trades.get(symbol)
        if rows is None:
            rows = self._trades[symbol] = self._rows[(Kind.TRADE, symbol)] = bytearray()
        rows += row
        self.n_rows += 1
        heard, channel = self.heard, self.channel  # as in _note: this is the hottest path of all
        heard[channel] = heard.get(channel, 0) + 1

    def trades(self, symbol: str, rows: NDArray[np.void], channel: str) -> None:
        """Rows of trades of a symbol that were read and checked elsewhere."""
        waiting = self._trades.get(symbol)
        if waiting is None:
            waiting = self._trades[symbol] = self._rows[(Kind.TRADE, symbol)] = bytearray()
        waiting += rows.tobytes()
        self.n_rows += len(rows)
        self.heard[channel] = self.heard.get(channel, 0) + len(rows)

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

    def unpriced_liquidation(
        self, symbol: str, ts_event_ns: int, side: int, qty_base: float, *, seq: int = NO_SEQ
    ) -> None:
        """One liquidation whose price will not be known any more; ``side`` is that of the position."""
        if not 0.0 < qty_base < LARGEST or side not in {1, -1}:
            self.reject(Reason.IMPOSSIBLE_VALUE, f"a liquidation of {qty_base} ({side})")
            return
        row = (ts_event_ns, self.received_ns, 0, seq, side, PriceKind.UNKNOWN, _NAN, qty_base, _NAN)
        self._add(Kind.LIQUIDATION, symbol, row)

    def levels(
        self,
        symbol: str,
        ts_event_ns: int,
        seq: int,
        bids: Levels,
        asks: Levels,
        *,
        is_snapshot: bool = False,
    ) -> bool:
        """Levels of the book, as (price, quantity in base units); quantity 0 means the level is gone.

        Arrays f8 (n, 2) are the quick way. One impossible level rejects them all: half a change is a wrong book, and
        where changes are numbered a rejected one must be mended like a lost one.

        Returns:
            Whether they were taken.
        """
        bids, asks = _as_array(bids), _as_array(asks)
        n_bids = len(bids)
        n = n_bids + len(asks)
        received_ns = self.received_ns
        if not _AHEAD_NS < received_ns - ts_event_ns < _OLDEST_NS:
            self._reject_time(ts_event_ns)
            return False
        if not _SEQ_START <= seq < _SEQ_END:
            self.reject(Reason.IMPOSSIBLE_VALUE, f"a book with the id {seq}")
            return False
        if n > self._room:
            self._make_room(2 * n)
        flags = _SNAPSHOT if is_snapshot else 0
        bad = write_levels_kernel(bids, asks, LARGEST, ts_event_ns, received_ns, flags, seq, self._levels)
        if bad >= 0:
            price_usd, qty_base = (bids[bad] if bad < n_bids else asks[bad - n_bids]).tolist()
            self.reject(Reason.IMPOSSIBLE_VALUE, f"a level of {qty_base} at {price_usd}")
            return False
        self._note(n)
        if n:
            rows = self._books.get(symbol)
            if rows is None:
                rows = self._books[symbol] = self._rows[(Kind.BOOK_LEVEL, symbol)] = bytearray()
            rows += self._level_bytes[: n * _LEVEL_BYTES]
        return True

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
        if not (-1.0 < rate_ratio < 1.0 and 0 <= interval_ns < _SEQ_END and 0 <= next_ns < _SEQ_END):
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
        if (
            not (0.0 < price_usd < LARGEST and 0.0 < qty_base < LARGEST)
            or side not in {1, -1}
            or len(wallet) > _WALLET_BYTES_MAX
        ):
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
        if not possible or side not in {1, -1} or not 0 < len(wallet) <= _WALLET_BYTES_MAX:
            self.reject(Reason.IMPOSSIBLE_VALUE, f"a fill of {qty_base} ({side}) at {price_usd}")
            return
        told = known.get
        row = (
            ts_event_ns, self.received_ns, 0, told("seq", NO_SEQ), wallet.encode(), side, price_usd, qty_base,
            told("start_qty_base", _NAN), told("closed_pnl_usd", _NAN), told("is_taker", -1), told("is_liquidation", 0),
        )  # fmt: skip
        self._add(Kind.WALLET_FILL, symbol, row)

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
        if not (stands or (side == 0 and qty_base == 0.0)) or not 0 < len(wallet) <= _WALLET_BYTES_MAX:
            self.reject(Reason.IMPOSSIBLE_VALUE, f"a position of {qty_base} ({side}) from {entry_price_usd}")
            return
        known = {**_POSITION_UNKNOWN, **known}
        head = (ts_event_ns, self.received_ns, Flag.SNAPSHOT, NO_SEQ)
        row = (*head, wallet.encode(), side, qty_base, entry_price_usd, *known.values())
        self._add(Kind.WALLET_POSITION, symbol, row)

    def gap(self, symbol: str, missing: Kind, from_ns: int, to_ns: int, reason: str) -> None:
        """A stretch in which rows are missing, and why (a word of the kind). It never ends before it begins."""
        to_ns = min(max(to_ns, 0), _SEQ_END - 1)
        from_ns = min(max(from_ns, 0), to_ns)  # a venue may have said it
        row = (to_ns, self.received_ns, 0, NO_SEQ, missing.value.encode(), from_ns, to_ns, reason.encode())
        self._rows_of(Kind.GAP, symbol).extend(_PACK[Kind.GAP](*row))
        self.n_rows += 1

    def drain(self) -> list[Batch]:
        """Rows since the last call: one batch per kind and symbol, in receive order."""
        if self.trade_frames:
            self._settle()
        batches = [
            Batch(kind, f"{self.venue}:{symbol}", np.frombuffer(rows, _DTYPES[kind]))
            for (kind, symbol), rows in self._rows.items()
        ]
        self._rows, self._trades, self._books = {}, {}, {}
        self.heard, self.n_rows = {}, 0
        return batches

    def _settle(self) -> None:
        """Read the frames of trades that wait; the frame in hand stays in hand."""
        in_hand = self.frame, self.received_ns, self.channel
        frames, facts = self.trade_frames, self.trade_facts
        self.trade_frames, self.trade_facts = [], []
        self.n_rows -= len(frames)
        if self.trade_reader is not None:
            self.trade_reader.read(frames, facts, self)
        self.frame, self.received_ns, self.channel = in_hand

    def _add(self, kind: Kind, symbol: str, row: tuple[Any, ...]) -> None:
        if not _AHEAD_NS < self.received_ns - row[0] < _OLDEST_NS:
            self._reject_time(row[0])
            return
        try:
            packed = _PACK[kind](*row)
        except (struct.error, OverflowError):
            self.reject(Reason.IMPOSSIBLE_VALUE, f"a {kind} of {row[3:]}")
            return
        self._rows_of(kind, symbol).extend(packed)
        self._note(1)

    def _rows_of(self, kind: Kind, symbol: str) -> bytearray:
        rows = self._rows.get((kind, symbol))
        if rows is None:
            rows = self._rows[(kind, symbol)] = bytearray()
        return rows

    def _reject_time(self, ts_event_ns: int) -> None:
        detail = f"an event at {ts_event_ns} ns, received at {self.received_ns} ns"
        self.reject(Reason.IMPOSSIBLE_TIME, detail)

    def _make_room(self, n: int) -> None:
        self._room = n
        self._levels = np.zeros(n, dtype=_DTYPES[Kind.BOOK_LEVEL])
        self._level_bytes = self._levels.view(np.uint8).data

    def _note(self, n: int) -> None:
        self.n_rows += n
        self.heard[self.channel] = self.heard.get(self.channel, 0) + n


def _as_array(levels: Levels) -> NDArray[np.float64]:
    """Levels as f8 (n, 2), contiguous; an array that already is comes back as it is.

    Raises:
        ValueError: they are not pairs.
    """
    if isinstance(levels, np.ndarray):
        if levels.shape[1:] != _PAIR:
            raise ValueError(f"levels have shape (n, 2), not {levels.shape}")
        is_as_wanted = levels.dtype is _FLOAT and levels.flags.carray
        return levels if is_as_wanted else np.array(levels, dtype=np.float64, order="C")
    if not levels:
        return _NO_LEVELS
    numbers = itertools.chain.from_iterable(levels)
    array = np.fromiter(numbers, np.float64, 2 * len(levels)).reshape(-1, 2)
    if next(numbers, None) is not None:
        raise ValueError(f"levels are pairs of price and quantity, not {levels[0]}")
    return array
