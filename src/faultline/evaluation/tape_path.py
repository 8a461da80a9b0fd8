"""A tape in, what an evaluation of one asset reads from it out: the reference path, liquidations and gaps."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.errors import NotFound
from faultline.evaluation.windows import BLOCK_MINUTES, Events, MinutePath
from faultline.instruments import asset_of
from faultline.messages import Flag, Kind, gaps_of
from faultline.units import MINUTE_NS, Side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from faultline.tape import Tape

__all__ = ("AssetTape", "read_asset", "read_path")

_BLOCK_NS: Final = BLOCK_MINUTES * MINUTE_NS


@dataclasses.dataclass(frozen=True, slots=True)
class AssetTape:
    """What an evaluation reads.

    Attributes:
        reference_id: instrument whose path is used.
        path: its minutes.
        events: liquidations of all venues.
        gaps_ns: stretches without a liquidation feed, shape (n, 2).
        event_ids: ids that report liquidations inside the span.
        maintenance_ratio: first-tier maintenance ratio of the reference instrument, NaN where the tape has none.
    """

    reference_id: str
    path: MinutePath
    events: Events
    gaps_ns: NDArray[np.int64]
    event_ids: tuple[str, ...]
    maintenance_ratio: float


def read_asset(tape: Tape, asset: str, warm_ns: int, from_ns: int | None, to_ns: int | None) -> AssetTape:
    """Path, liquidations and gaps of an asset; the path starts ``warm_ns`` before ``from_ns`` where the tape does.

    Raises:
        NotFound: the tape has no price path or no liquidations of the asset.
    """
    instruments = tape.instruments()
    contracts = {item.id: item for item in instruments}

    def ids(kind: Kind) -> list[str]:
        return [name for name in tape.ids(kind) if asset_of(name, contracts) == asset]

    events, event_ids = _read_events(tape, ids(Kind.LIQUIDATION), from_ns, to_ns)
    if not len(events.time_ns):
        message = f"no liquidations of {asset} in that span"
        raise NotFound(message, where=str(tape.path), hint="`faultline tape ls` shows what is on the tape")
    kind, reference = _reference(tape, {kind: ids(kind) for kind in (Kind.BAR, Kind.MARK, Kind.TRADE)}, asset)
    span = tape.span_ns(kind, reference)
    begin = (span[0] if from_ns is None else max(span[0], from_ns - warm_ns)) // _BLOCK_NS * _BLOCK_NS
    end = -(-(span[1] + 1 if to_ns is None else min(span[1] + 1, to_ns)) // _BLOCK_NS) * _BLOCK_NS
    end = max(end, begin)
    gaps = [
        tape.read(Kind.GAP, name)
        for name in {*ids(Kind.LIQUIDATION), *ids(Kind.GAP)}
        if name in tape.ids(Kind.GAP)
    ]
    spans = [
        (int(row["from_ns"]), int(row["to_ns"])) for rows in gaps for row in gaps_of(rows, Kind.LIQUIDATION)
    ]
    margins = [i.tiers[0].maintenance_ratio for i in instruments if i.id == reference]
    return AssetTape(
        reference_id=reference,
        path=read_path(tape, kind, reference, begin, end),
        events=events,
        gaps_ns=np.array(sorted(spans), dtype=np.int64).reshape(-1, 2),
        event_ids=event_ids,
        maintenance_ratio=margins[0] if margins else float("nan"),
    )


def _read_events(
    tape: Tape, names: Sequence[str], from_ns: int | None, to_ns: int | None
) -> tuple[Events, tuple[str, ...]]:
    """Single liquidations of all ids by event time; totals and those without a price are no events."""
    parts, used = [], []
    for name in names:
        rows = tape.read(Kind.LIQUIDATION, name)
        rows = rows[((rows["flags"] & int(Flag.TOTAL)) == 0) & (rows["price_usd"] > 0)]
        time_ns = rows["ts_event_ns"]
        inside = (time_ns >= (from_ns or 0)) & (time_ns < (to_ns if to_ns is not None else 2**62))
        if inside.any():
            parts.append(rows[inside])
            used.append(name)
    columns = ("ts_event_ns", "side", "price_usd", "notional_usd", "price_kind")
    joined = {
        name: np.concatenate([part[name] for part in parts]) if parts else np.zeros(0) for name in columns
    }
    order = np.argsort(joined["ts_event_ns"], kind="stable")
    events = Events(
        time_ns=joined["ts_event_ns"][order].astype(np.int64),
        side=np.where(joined["side"][order] == Side.LONG, 0, 1).astype(np.int8),
        price_usd=joined["price_usd"][order],
        notional_usd=joined["notional_usd"][order],
        price_kind=joined["price_kind"][order].astype(np.uint8),
    )
    return events, tuple(used)


def _reference(tape: Tape, names: dict[Kind, list[str]], asset: str) -> tuple[Kind, str]:
    """The instrument with bars and the most volume, else the one with the most marks, else trades.

    Raises:
        NotFound: none has a path.
    """
    sizes = []
    for name in names[Kind.BAR]:
        bars = tape.read(Kind.BAR, name, columns=["flags", "close_usd", "buy_qty_base", "sell_qty_base"])
        bars = bars[(bars["flags"] & int(Flag.ENDPOINTS_ONLY)) == 0]
        volume = np.nansum(bars["close_usd"] * (bars["buy_qty_base"] + bars["sell_qty_base"]))
        sizes.append((float(volume), len(bars), name))
    if sizes and max(sizes)[1] > 0:
        return Kind.BAR, max(sizes)[2]
    for kind in (Kind.MARK, Kind.TRADE):
        counts = [(tape.n_rows(kind, name), name) for name in names[kind]]
        if counts:
            return kind, max(counts)[1]
    message = f"no price path of {asset}: neither bars nor marks nor trades"
    raise NotFound(message, where=str(tape.path), hint="`faultline tape ls` shows what is on the tape")


def read_path(tape: Tape, kind: Kind, name: str, begin: int, end: int) -> MinutePath:
    """Minutes of ``[begin, end)`` from rows of ``kind``; endpoint bars and open interest beside them."""
    minutes = (end - begin) // MINUTE_NS
    low, high, close, volume = (np.full(minutes, np.nan) for _ in range(4))
    first, last, oi = (np.full(minutes // BLOCK_MINUTES, np.nan) for _ in range(3))
    rows = tape.read(kind, name, begin, end + MINUTE_NS)
    if kind == Kind.BAR:
        coarse = (rows["flags"] & int(Flag.ENDPOINTS_ONLY)) != 0
        ends = rows[coarse]
        ends = ends[ends["ts_received_ns"] - ends["ts_event_ns"] == _BLOCK_NS]
        block = (ends["ts_event_ns"] - begin) // _BLOCK_NS
        inside = (ends["ts_event_ns"] % _BLOCK_NS == 0) & (block >= 0) & (block < len(first))
        first[block[inside]], last[block[inside]] = ends["open_usd"][inside], ends["close_usd"][inside]
        rows = rows[~coarse]
        length = rows["ts_received_ns"] - rows["ts_event_ns"]
        rows, length = rows[length <= MINUTE_NS], length[length <= MINUTE_NS]
        traded = (rows["buy_qty_base"] + rows["sell_qty_base"]) * rows["close_usd"]
        columns = (rows["low_usd"], rows["high_usd"], rows["close_usd"], traded, length)
    elif kind == Kind.MARK:
        price = rows["mark_price_usd"]
        columns = (price, price, price, np.full(len(rows), np.nan), np.full(len(rows), MINUTE_NS))
    else:
        rows = rows[rows["price_usd"] > 0]
        price = rows["price_usd"]
        columns = (price, price, price, price * rows["qty_base"], np.full(len(rows), MINUTE_NS))
    minute = (rows["ts_event_ns"] - begin) // MINUTE_NS
    _fold_minutes(minute, columns, (low, high, close, volume))
    for row in tape.read(Kind.OPEN_INTEREST, name, begin, end + 1, ["ts_received_ns", "oi_base"]):
        block_end = int(row["ts_received_ns"]) - begin
        if block_end % _BLOCK_NS == 0 and 0 < block_end <= end - begin:
            oi[block_end // _BLOCK_NS - 1] = row["oi_base"]
    return MinutePath(begin, low, high, close, volume, first, last, oi)


def _fold_minutes(
    minute: NDArray[np.int64], columns: Sequence[NDArray[np.float64]], out: Sequence[NDArray[np.float64]]
) -> None:
    """Lowest, highest, last and summed values per minute; a minute that rows do not fill stays missing."""
    low, high, close, volume, length = columns
    inside = (
        (minute >= 0) & (minute < len(out[0])) & np.isfinite(low) & np.isfinite(high) & np.isfinite(close)
    )
    minute = minute[inside]
    if not len(minute):
        return
    begin = np.flatnonzero(np.diff(minute, prepend=minute[0] - 1))
    filled = np.add.reduceat(length[inside].astype(np.float64), begin) >= MINUTE_NS
    at = minute[begin][filled]
    out[0][at] = np.minimum.reduceat(low[inside], begin)[filled]
    out[1][at] = np.maximum.reduceat(high[inside], begin)[filled]
    out[2][at] = close[inside][np.append(begin[1:], len(minute)) - 1][filled]
    out[3][at] = np.add.reduceat(volume[inside], begin)[filled]
