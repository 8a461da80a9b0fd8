"""Frames of trades, marks and liquidations in; their messages, by contract, out; every other frame counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from faultline.messages import Flag, Kind, TradeCause
from faultline.sources.archives.dump_rows import Announcer
from faultline.sources.archives.message_rows import make_batches, make_rows
from faultline.sources.archives.report import GapSpan
from faultline.sources.archives.venue_contracts import contract_of
from faultline.units import HOUR_NS, PriceKind, Side, TakerSide

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from faultline.messages import Batch
    from faultline.sources.archives.binance_raw_frames import Events, Frames
    from faultline.sources.archives.report import Selection, Tally
    from faultline.sources.archives.venue_contracts import VenueContract

__all__ = ("DEPTH_EVENT", "StreamState", "contract_of_symbol", "stream_batches")

#: Event of changes of the book.
DEPTH_EVENT: Final = "depthUpdate"
_TEXT, _WHOLE = pa.string(), pa.int64()
_TRADE: Final = {
    "s": _TEXT, "t": _WHOLE, "p": _TEXT, "q": _TEXT, "T": _WHOLE, "m": pa.bool_(), "X": _TEXT,
}  # fmt: skip
_AGGREGATE: Final = {"s": _TEXT, "a": _WHOLE, "p": _TEXT, "q": _TEXT, "T": _WHOLE, "m": pa.bool_()}
_MARK: Final = {"s": _TEXT, "E": _WHOLE, "p": _TEXT, "i": _TEXT, "r": _TEXT, "T": _WHOLE}
_ORDER: Final = {
    "s": _TEXT, "S": _TEXT, "q": _TEXT, "p": _TEXT, "ap": _TEXT, "X": _TEXT, "z": _TEXT, "T": _WHOLE,
}  # fmt: skip
_READ_EVENTS: Final = ("trade", "aggTrade", "markPriceUpdate", "forceOrder", DEPTH_EVENT)
#: What ``X`` of a trade says; a trade without it is an ordinary one.
_CAUSES: Final = {
    "": TradeCause.ORDINARY,
    "MARKET": TradeCause.ORDINARY,
    "INSURANCE_FUND": TradeCause.INSURANCE_FUND,
    "ADL": TradeCause.ADL,
}
_RATE_MAX: Final = 0.1
_FUNDING_INTERVAL_UNKNOWN: Final = 0


class StreamState:
    """What one pass over recordings carries from block to block.

    Args:
        selection: what to keep.
        tally: counts of the pass.
    """

    def __init__(self, selection: Selection, tally: Tally) -> None:
        self.selection = selection
        self.tally = tally
        self.announcer = Announcer()
        self.gaps: list[GapSpan] = []
        #: Latest id and receive time of trades, by stream and instrument.
        self.latest_trade: dict[tuple[str, str], tuple[int, int]] = {}
        #: Instruments whose single trades are recorded, so that aggregated ones would count twice.
        self.has_trades: set[str] = set()
        self.known_orders: set[tuple[str, int, float, float, bool]] = set()

    def add_gap(self, kind: Kind, instrument_id: str, from_ns: int, to_ns: int) -> None:
        """Note a hole in a sequence."""
        if from_ns < to_ns:
            self.gaps.append(GapSpan(instrument_id, kind.value, from_ns, to_ns, "sequence"))

    def by_contract(self, events: Events) -> Iterator[tuple[VenueContract, NDArray[np.bool_]]]:
        """Contracts of the events with the masks of their rows; unknown and unselected ones are counted."""
        column = events.texts("s")
        for symbol in sorted(column.values):
            mask = column.equals(symbol)
            contract = contract_of_symbol(symbol)
            if contract is None:
                self.tally.reject("not_quoted_in_usd", mask)
            elif not self.selection.wants(contract.instrument.asset):
                self.tally.reject("outside_selection", mask)
            else:
                yield contract, mask

    def chosen(self, received_ns: NDArray[np.int64], kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Kept rows of the selected time; the others are counted."""
        inside = self.selection.mask(received_ns)
        self.tally.reject("outside_selection", kept & ~inside)
        return kept & inside


def contract_of_symbol(symbol: str) -> VenueContract | None:
    """Contract of a symbol of the USD-M or COIN-M streams, matched in full."""
    return contract_of("binance-coinm", symbol) or contract_of("binance", symbol)


def stream_batches(frames: Frames, state: StreamState) -> list[Batch]:
    """Messages of all frames but those of the book."""
    known = frames.is_snapshot.copy()
    for event in _READ_EVENTS:
        known |= frames.events.equals(event)
    state.tally.reject("not_an_event", frames.events.equals("") & ~known)
    is_best = frames.events.equals("bookTicker")
    state.tally.reject("best_price_without_depth", is_best)
    state.tally.reject("stream_not_imported", ~known & ~is_best & ~frames.events.equals(""))
    if frames.is_set_forward:
        state.tally.repair("recorder_clock_behind", known)
    batches: list[Batch] = []
    for event, members, id_field in (("trade", _TRADE, "t"), ("aggTrade", _AGGREGATE, "a")):
        rows = frames.rows_of(event)
        if len(rows):
            batches += _trades(frames.parse(rows, members), id_field, state)
    rows = frames.rows_of("markPriceUpdate")
    if len(rows):
        batches += _marks(frames.parse(rows, _MARK), state)
    rows = frames.rows_of("forceOrder")
    if len(rows):
        batches += _liquidations(frames.parse(rows, _ORDER, "o"), state)
    return batches


def _flags(events: Events, kept: NDArray[np.bool_]) -> NDArray[np.uint32]:
    assumed = events.frames.is_assumed[events.rows][kept]
    return np.where(assumed, np.uint32(Flag.RECEIVED_ASSUMED), np.uint32(0))


def _trades(events: Events, id_field: str, state: StreamState) -> list[Batch]:
    ids, time_ns = events.whole(id_field), events.times_ns("T")
    price, amount = events.amounts("p"), events.amounts("q")
    received_ns = events.frames.received_ns[events.rows]
    maker = events.table["m"]
    events.check("m", maker.is_null().to_numpy(), "is missing")
    is_maker = maker.to_numpy()
    cause = np.zeros(len(ids), dtype=np.uint8)
    is_off_book = np.zeros(len(ids), dtype=np.bool_)
    if id_field == "t":
        kinds = events.texts("X")
        codes = np.array([*(int(_CAUSES.get(value, 255)) for value in kinds.values), 255], dtype=np.uint8)
        cause = codes[kinds.codes]
        is_off_book = cause == 255
    batches: list[Batch] = []
    for contract, kept in state.by_contract(events):
        iid = contract.instrument.id
        if id_field == "t":
            state.has_trades.add(iid)
        elif iid in state.has_trades:
            state.tally.reject("already_in_trades", kept)
            continue
        before_id, before_ns = state.latest_trade.get((id_field, iid), (-1, 0))
        seen = np.concatenate(([before_id], np.where(kept, ids, before_id)[:-1]))
        is_next = ids > np.maximum.accumulate(seen)
        state.tally.reject("repeated_trade", kept & ~is_next)
        kept = kept & is_next  # noqa: PLW2901 - the mask narrows step by step
        if not kept.any():
            continue
        steps = np.concatenate(([before_id], ids[kept])) if before_id >= 0 else ids[kept]
        moments = np.concatenate(([before_ns], received_ns[kept])) if before_id >= 0 else received_ns[kept]
        for at in np.flatnonzero(np.diff(steps) > 1):
            state.add_gap(Kind.TRADE, iid, int(moments[at]), int(moments[at + 1]))
        state.latest_trade[id_field, iid] = (int(ids[kept][-1]), int(received_ns[kept][-1]))
        nothing = (price == 0) | (amount == 0)
        state.tally.reject("trade_without_price", kept & nothing)
        state.tally.reject("off_book_trade", kept & ~nothing & is_off_book)
        kept = state.chosen(received_ns, kept & ~nothing & ~is_off_book)  # noqa: PLW2901 - the mask narrows
        fields: dict[str, NDArray[Any]] = {
            "seq": ids[kept],
            "price_usd": price[kept],
            "qty_base": contract.qty_base(amount[kept], price[kept]),
            "taker_side": np.where(is_maker[kept], np.int8(TakerSide.SELL), np.int8(TakerSide.BUY)),
            "cause": cause[kept],
        }
        rows = make_rows(Kind.TRADE, time_ns[kept], received_ns[kept], fields, _flags(events, kept))
        found = make_batches(Kind.TRADE, iid, rows, state.selection)
        batches += state.announcer.before(contract.instrument, found)
    return batches


def _marks(events: Events, state: StreamState) -> list[Batch]:
    """Mark and index price, and the funding that would be settled next."""
    time_ns, next_ms = events.times_ns("E"), events.table["T"].fill_null(0).to_numpy()
    mark, index = events.amounts("p"), events.amounts("i", optional=True)
    events.check("p", mark == 0, "must be a positive price")
    rate = events.amounts("r", optional=True, signed=True)
    events.check("r", np.abs(rate) > _RATE_MAX, "must be a ratio, at most 10 %")
    received_ns = events.frames.received_ns[events.rows]
    batches: list[Batch] = []
    for contract, mask in state.by_contract(events):
        kept = state.chosen(received_ns, mask)
        iid = contract.instrument.id
        marks = {"mark_price_usd": mark[kept], "index_price_usd": np.where(index > 0, index, np.nan)[kept]}
        rows = make_rows(Kind.MARK, time_ns[kept], received_ns[kept], marks, _flags(events, kept))
        found = make_batches(Kind.MARK, iid, rows, state.selection)
        # A dated contract has no funding: an empty rate, and no next settlement.
        funded = kept & np.isfinite(rate) & (next_ms > 0)
        funding = {
            "rate_ratio": rate[funded],
            "interval_ns": np.full(int(funded.sum()), _FUNDING_INTERVAL_UNKNOWN),
            "next_ns": next_ms[funded] * (HOUR_NS // 3_600_000),
        }
        rows = make_rows(Kind.FUNDING, time_ns[funded], received_ns[funded], funding, _flags(events, funded))
        found += make_batches(Kind.FUNDING, iid, rows, state.selection)
        batches += state.announcer.before(contract.instrument, found)
    return batches


def _liquidations(events: Events, state: StreamState) -> list[Batch]:
    """Filled liquidation orders; the same order comes once per subscribed stream."""
    time_ns, price, filled = events.times_ns("T"), events.amounts("p"), events.amounts("z")
    events.check("p", price == 0, "must be a positive price")
    side = events.texts("S")
    is_sell = side.equals("SELL")
    events.check("S", ~is_sell & ~side.equals("BUY"), "must be BUY or SELL")
    is_filled = events.texts("X").equals("FILLED") & (filled > 0)
    received_ns = events.frames.received_ns[events.rows]
    batches: list[Batch] = []
    for contract, mask in state.by_contract(events):
        iid = contract.instrument.id
        state.tally.reject("not_filled", mask & ~is_filled)
        kept = mask & is_filled
        is_copy = np.zeros(len(kept), dtype=np.bool_)
        for at in np.flatnonzero(kept).tolist():
            key = (iid, int(time_ns[at]), float(price[at]), float(filled[at]), bool(is_sell[at]))
            is_copy[at] = key in state.known_orders
            state.known_orders.add(key)
        state.tally.reject("duplicate", is_copy)
        kept = state.chosen(received_ns, kept & ~is_copy)
        fields: dict[str, NDArray[Any]] = {
            # A SELL order closes a long.
            "side": np.where(is_sell[kept], np.int8(Side.LONG), np.int8(Side.SHORT)),
            "price_kind": np.full(int(kept.sum()), PriceKind.BANKRUPTCY, dtype=np.uint8),
            "price_usd": price[kept],
            "qty_base": contract.qty_base(filled[kept], price[kept]),
            "notional_usd": contract.notional_usd(filled[kept], price[kept]),
        }
        flags = _flags(events, kept) | np.uint32(Flag.SAMPLED)
        rows = make_rows(Kind.LIQUIDATION, time_ns[kept], received_ns[kept], fields, flags)
        found = make_batches(Kind.LIQUIDATION, iid, rows, state.selection)
        batches += state.announcer.before(contract.instrument, found)
    return batches
