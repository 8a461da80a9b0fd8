"""Frames of one connection in, rows and controls out: the part of a mapper that is the same for every venue."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec
import numpy as np

from faultline.instruments import ContractKind
from faultline.sources.level_lists import PAIRS, LevelLists, base_units
from faultline.sources.rows import FrameReject, Reason
from faultline.sources.trade_bytes import TradeReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from faultline.instruments import Instrument
    from faultline.sources.rows import Levels, Rows
    from faultline.sources.trade_bytes import TradeLayouts

    #: How frames that begin alike are taken: channel, decoder, method, and number of their stream of trades or -1.
    _Way = tuple[str, Callable[[bytes], Any], Callable[[Any, Any, Rows], None], int]

__all__ = ("FRAME_BYTES_MAX", "VenueMapper")

#: A longer frame is refused unread.
FRAME_BYTES_MAX: Final = 16 * 1024 * 1024
#: Streams that are known; a connection has fewer.
_STREAMS_MAX: Final = 4096
#: What says that a frame or an answer cannot be taken.
_REFUSALS: Final = (FrameReject, msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class VenueMapper(abc.ABC):
    """Turns what a venue sends into rows; pure: no I/O, no clock.

    One mapper belongs to one connection (or to the polls of a venue) and keeps what spans frames: book sequences,
    tickers that come as changes, ids already seen. ``reset`` is called for every new connection.

    Args:
        contracts: instruments by the venue's symbol. Facts of other symbols are rejected as unknown.
    """

    #: Slug of the venue.
    venue: ClassVar[str]
    #: What frames begin with before the name of their stream, in quotes. See ``know``.
    stream_start: ClassVar[bytes] = b""
    #: Bytes of a frame that say its stream: the name to its end, and nothing that changes from frame to frame.
    stream_bytes: ClassVar[int] = 0
    #: How frames of trades are written; None where they are read one by one. See ``take``.
    trade_layouts: ClassVar[TradeLayouts | None] = None
    #: A level of its books as it is written, and the type of a list of them, as ``LevelLists`` takes them.
    level_form: ClassVar[tuple[str, Any]] = PAIRS

    def __init__(self, contracts: Mapping[str, Instrument]) -> None:
        self.contracts = dict(contracts)
        # One contract at a price of 1: base units (linear) or USD (inverse). Looked up once a fact, so kept here.
        self._units = {
            symbol: (item.qty_base(1.0, 1.0), item.contract_kind is ContractKind.INVERSE)
            for symbol, item in self.contracts.items()
        }
        self.linear_units = {
            symbol: unit for symbol, (unit, is_inverse) in self._units.items() if not is_inverse
        }
        self.lists = LevelLists(*self.level_form)
        self._known: dict[bytes, _Way] = {}
        # What reads frames of trades together, and the streams whose frames may wait for that now.
        self._trade_reader = TradeReader(self.trade_layouts, self._map_trades) if self.trade_layouts else None
        self._trade_streams: dict[bytes, int] = {}
        self.reset()

    def map(self, frame: bytes, received_ns: int, out: Rows) -> None:
        """Map one frame of the socket. Never raises for what a venue may send: it counts a reject.

        A frame of trades may wait, counted as one row, until the rows are drained.
        """
        stream = self._trade_streams.get(frame[: self.stream_bytes])
        if stream is None or out.trade_reader is None:
            self._map_alone(frame, received_ns, out)
            return
        out.trade_frames.append(frame)
        out.trade_facts += (len(frame), stream, received_ns)
        out.channel = out.trade_reader.channel
        out.n_rows += 1

    def _map_alone(self, frame: bytes, received_ns: int, out: Rows) -> None:
        """Map one frame now."""
        out.frame, out.received_ns = frame, received_ns  # as out.begin: a hot path
        known, is_too_large = self._known, len(frame) > FRAME_BYTES_MAX
        way = known.get(frame[: self.stream_bytes]) if known else None
        try:
            if way is not None and not is_too_large:
                out.channel, decode, apply, stream = way
                before = out.n_rows
                apply(self, decode(frame), out)
                if stream >= 0 and out.n_rows > before:  # those that follow may wait
                    self._trade_streams[frame[: self.stream_bytes]] = stream
                    out.trade_reader = self._trade_reader
                return
            out.channel = "?"
            if is_too_large:
                raise FrameReject(Reason.TOO_LARGE, f"{len(frame)} bytes")
            self._map_frame(frame, out)
        except _REFUSALS as exc:
            _count(exc, out)

    def _map_trades(self, frame: bytes, received_ns: int, out: Rows) -> None:
        """Map one frame of trades that waited and was not written as expected.

        Where it teaches nothing, those that follow do not wait until one does: a frame that waits counts as heard.
        """
        self._trade_streams.pop(frame[: self.stream_bytes], None)
        self._map_alone(frame, received_ns, out)

    def take(
        self,
        frame: bytes,
        decode: Callable[[bytes], Any],
        apply: Callable[[Any, Any, Rows], None],
        out: Rows,
        *,
        trades_of: str = "",
    ) -> None:
        """Take a frame of ``out.channel``, and where it gives rows all others of its stream without ``_map_frame``.

        Args:
            frame: it; all of its stream begin with ``stream_start`` and the name of the stream. Nothing is remembered
                of a frame that does not, or of a name that ends after ``stream_bytes``.
            decode: what reads one.
            apply: method of the mapper that is given what was read, and the rows.
            out: the rows.
            trades_of: symbol, where these are its trades and written as ``trade_layouts`` says: they wait then, and
                are read all at once.
        """
        before = out.n_rows
        apply(self, decode(frame), out)
        if (
            out.n_rows <= before
            or not frame.startswith(self.stream_start)
            or frame.find(b'"', len(self.stream_start), self.stream_bytes) <= 0
        ):
            return
        if len(self._known) >= _STREAMS_MAX:
            self._known.clear()
            self._trade_streams.clear()
        contract, stream = self._units.get(trades_of), -1
        if contract is not None and self._trade_reader is not None:
            stream = self._trade_reader.stream(trades_of, *contract)
        self._known[frame[: self.stream_bytes]] = (out.channel, decode, apply, stream)

    def map_answer(self, channel: str, symbol: str, body: bytes, received_ns: int, out: Rows) -> None:
        """Map the answer to a poll or to a snapshot request; rejects as ``map`` does."""
        out.begin(body, received_ns)
        out.channel = channel
        if len(body) > FRAME_BYTES_MAX:
            out.reject(Reason.TOO_LARGE, f"{len(body)} bytes")
            return
        try:
            self._map_answer(channel, symbol, body, out)
        except _REFUSALS as exc:
            _count(exc, out)

    @abc.abstractmethod
    def reset(self) -> None:
        """Forget what spans frames: the connection is new. Called by the constructor too."""

    def inherit(self, before: VenueMapper) -> None:
        """Take over, from the mapper of the connection before, facts that wait for something another frame tells.

        That connection may still tell. Nothing waits by default.
        """
        del before

    def finish(self, out: Rows) -> None:
        """Write what still waits, as far as it is known: no connection will follow."""
        del out

    def contract(self, symbol: str) -> Instrument:
        """The contract of a symbol.

        Raises:
            FrameReject: it was not asked for, or is not known.
        """
        found = self.contracts.get(symbol)
        if found is None:
            raise _unknown(symbol)
        return found

    def amounts(self, symbol: str, qty_contracts: float, price_usd: float) -> tuple[float, float]:
        """Base units and USD that ``qty_contracts`` are at a price; the first is 0 where the price is impossible.

        Raises:
            FrameReject: the symbol was not asked for, or is not known.
        """
        found = self._units.get(symbol)
        if found is None:
            raise _unknown(symbol)
        unit, is_inverse = found
        qty = unit * qty_contracts
        if is_inverse:
            return (qty / price_usd if price_usd else 0.0), qty
        return qty, qty * price_usd

    def base_qty(self, symbol: str, qty_contracts: float, price_usd: float) -> float:
        """The first of ``amounts``.

        Raises:
            FrameReject: the symbol was not asked for, or is not known.
        """
        unit = self.linear_units.get(symbol)
        if unit is not None:
            return unit * qty_contracts
        return self.amounts(symbol, qty_contracts, price_usd)[0]

    def read_levels(
        self, symbol: str, bids: msgspec.Raw, asks: msgspec.Raw
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Both lists of levels as they stand in a frame, as (price, base units), as ``Rows.levels`` takes them.

        Call it before anything is changed for the frame: it is what tells that a list is not one.

        Raises:
            FrameReject: the symbol was not asked for, or is not known.
            msgspec.MsgspecError: a list is not of the expected shape.
        """
        found = self._units.get(symbol)
        if found is None:
            raise _unknown(symbol)
        unit, is_inverse = found
        return self.lists.read(bids, asks, unit, is_inverse=is_inverse)

    def base_levels(self, symbol: str, levels: Levels) -> Levels:
        """Levels of (price, contracts) as (price, base units), as ``Rows.levels`` takes them.

        Raises:
            FrameReject: the symbol was not asked for, or is not known.
        """
        found = self._units.get(symbol)
        if found is None:
            raise _unknown(symbol)
        unit, is_inverse = found
        if unit == 1.0 and not is_inverse:
            return levels
        if isinstance(levels, np.ndarray):
            return base_units(levels, unit, is_inverse=is_inverse)
        if is_inverse:
            return [(price, unit * qty / price if price > 0 else -1.0) for price, qty in levels]
        return [(price, unit * qty) for price, qty in levels]

    @abc.abstractmethod
    def _map_frame(self, frame: bytes, out: Rows) -> None:
        """Map a frame; set ``out.channel`` as soon as it is known.

        Raises:
            FrameReject: the frame cannot be taken.
            msgspec.MsgspecError: it is not of the expected shape.
        """

    @abc.abstractmethod
    def _map_answer(self, channel: str, symbol: str, body: bytes, out: Rows) -> None:
        """Map the answer to a poll or a snapshot request; a venue without them rejects it.

        Raises:
            FrameReject: the answer cannot be taken.
            msgspec.MsgspecError: it is not of the expected shape.
        """


def _count(refusal: Exception, out: Rows) -> None:
    """Count one of ``_REFUSALS`` as a reject."""
    if isinstance(refusal, FrameReject):
        out.reject(refusal.reason, refusal.detail)
    elif isinstance(refusal, msgspec.ValidationError):
        out.reject(Reason.WRONG_SHAPE, str(refusal))
    else:
        out.reject(Reason.NOT_JSON, str(refusal))


def _unknown(symbol: str) -> FrameReject:
    return FrameReject(Reason.UNKNOWN_SYMBOL, f"{symbol[:40]!r} is not a contract that was asked for")
