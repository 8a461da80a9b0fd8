"""Rows of a derivative ticker in; marks, open interest and funding where a value is there and new, out.

The collector repeats every known value in every row, whichever of them changed. A row of a kind is written where one of
its own values differs from the last one written; an empty cell leaves what was known as it is.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from faultline.messages import Kind
from faultline.sources.archives.dump_rows import sorted_batch
from faultline.units import MICROSECOND_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.messages import Batch
    from faultline.sources.archives.column_files import Block
    from faultline.sources.archives.report import Selection, Tally
    from faultline.sources.archives.venue_contracts import VenueContract

__all__ = ("TickerState", "ticker_batches")

_RATE_MAX = 0.1


@dataclasses.dataclass(slots=True)
class TickerState:
    """Last values of one contract; NaN before the first."""

    last: dict[str, float] = dataclasses.field(default_factory=dict)

    def filled(self, name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values with empty cells replaced by the last known one, shape (n,)."""
        known = np.concatenate(([self.last.get(name, np.nan)], values))
        at = np.maximum.accumulate(np.where(np.isnan(known), 0, np.arange(len(known))))
        return known[at][1:]

    def changes(self, name: str, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Mask of rows whose own value differs from the last known one; remembers the last."""
        full = self.filled(name, values)
        before = np.concatenate(([self.last.get(name, np.nan)], full[:-1]))
        changed: NDArray[np.bool_] = ~np.isnan(values) & (values != before)
        if len(full):
            self.last[name] = float(full[-1])
        return changed


def ticker_batches(
    block: Block,
    contract: VenueContract,
    kept: NDArray[np.bool_],
    times: tuple[NDArray[np.int64], NDArray[np.int64]],
    flags: NDArray[np.uint32],
    memory: TickerState,
    selection: Selection,
    tally: Tally,
) -> list[Batch]:
    """Messages of one contract's rows in a block.

    Args:
        block: with the columns of a derivative ticker.
        contract: what amounts count.
        kept: mask of the contract's selected rows.
        times: event and receive times of all rows, shape (n,).
        flags: of all rows.
        memory: last values of the contract.
        selection: which times to keep.
        tally: counts of the pass.
    """
    rows = np.flatnonzero(kept)

    def values(name: str) -> NDArray[np.float64]:
        """A column of the kept rows, NaN where it is empty, or zero where zero means missing."""
        column = block.numbers.get(name)
        found = np.full(len(rows), np.nan) if column is None else column[rows]
        return found if "rate" in name or "timestamp" in name else np.where(found > 0, found, np.nan)

    mark, index, oi = values("mark_price"), values("index_price"), values("open_interest")
    rate, next_us = values("funding_rate"), values("funding_timestamp")
    full_mark = memory.filled("mark_price", mark)
    full_index, full_next = memory.filled("index_price", index), memory.filled("funding_timestamp", next_us)
    full_price = np.where(np.isnan(full_mark), memory.filled("last_price", values("last_price")), full_mark)
    full_rate = memory.filled("funding_rate", rate)
    memory.changes("last_price", values("last_price"))
    is_marked = memory.changes("mark_price", mark) | (
        memory.changes("index_price", index) & ~np.isnan(full_mark)
    )
    has_interest = memory.changes("open_interest", oi)
    is_funded = memory.changes("funding_rate", rate) | (
        memory.changes("funding_timestamp", next_us) & ~np.isnan(full_rate)
    )
    far = np.zeros(block.n_rows, dtype=np.bool_)
    far[rows[np.abs(np.nan_to_num(rate)) > _RATE_MAX]] = True
    block.check("funding_rate", far, "must be a ratio, at most 10 %")
    unchanged = np.zeros(block.n_rows, dtype=np.bool_)
    unchanged[rows[~(is_marked | has_interest | is_funded)]] = True
    tally.reject("nothing_changed", unchanged)

    # Contracts that count USD at any price need none; others stay unknown in USD where no price is known.
    amount = contract.qty_base(oi, full_price), contract.notional_usd(oi, full_price)
    fixed_usd = contract.notional_usd(oi, np.ones(len(oi)))
    has_fixed_usd = bool(contract.instrument.contract_kind) and len(oi) > 0
    oi_usd = fixed_usd if has_fixed_usd else amount[1]
    columns: dict[Kind, tuple[NDArray[np.bool_], dict[str, NDArray[Any]]]] = {
        Kind.MARK: (is_marked, {"mark_price_usd": full_mark, "index_price_usd": full_index}),
        Kind.FUNDING: (
            is_funded,
            {
                "rate_ratio": full_rate,
                "next_ns": np.nan_to_num(full_next).astype(np.int64) * MICROSECOND_NS,
            },
        ),
        Kind.OPEN_INTEREST: (has_interest, {"oi_base": amount[0], "oi_usd": oi_usd}),
    }
    batches: list[Batch] = []
    for kind, (chosen, fields) in columns.items():
        at = rows[chosen]
        part = {name: column[chosen] for name, column in fields.items()}
        batches += sorted_batch(
            kind, contract.instrument.id, (times[0][at], times[1][at]), part, selection, flags[at]
        )
    return batches
