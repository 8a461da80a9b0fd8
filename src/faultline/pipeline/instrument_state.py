"""Messages of one instrument in, its share of the map out: path, opens, open interest and ledger of one contract."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from faultline.heatmap.anchor import InterestAnchor, anchor_heat
from faultline.heatmap.grid import bucket_of
from faultline.heatmap.ledger import PATH_BAR, Ledger
from faultline.market.interest import OpenInterest
from faultline.market.opening import OpeningProxy
from faultline.market.path import PathBuilder
from faultline.messages import Kind, empty_rows
from faultline.pipeline.history import PathHistory
from faultline.pipeline.served_mix import ServedMix
from faultline.states import part_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from faultline.heatmap.display import DisplayRows
    from faultline.heatmap.ledger import LedgerParameters

__all__ = ("InstrumentState",)

_NONE: dict[Kind, NDArray[np.void]] = {kind: empty_rows(kind) for kind in Kind}


class InstrumentState:
    """State of one instrument inside a shard.

    ``pending`` holds path bars that are closed but not yet applied to the ledger; bars wait there
    until the moment that the shard has reached.
    """

    def __init__(
        self, instrument_id: str, parameters: LedgerParameters, assumed: NDArray[np.float64]
    ) -> None:
        self.instrument_id = instrument_id
        self.parameters = parameters
        #: Leverage mixes that the map is drawn with; ``assumed`` (3, L) until others are learned.
        self.served = ServedMix(assumed)
        self.path = PathBuilder()
        self.opening = OpeningProxy()
        self.interest = OpenInterest()
        self.ledger = Ledger([parameters])
        self.anchor = InterestAnchor()
        self.pending = np.zeros(0, dtype=PATH_BAR)
        #: Bars that the last ``advance`` applied to the ledger.
        self.applied = self.pending
        self.history = PathHistory()
        self.price_usd = math.nan
        #: Units that stand under the assumed mix; None where nobody asked since the ledger moved.
        self._assumed_units: float | None = None

    @property
    def venue(self) -> str:
        """Slug of the venue."""
        return self.instrument_id.partition(":")[0]

    @property
    def has_path(self) -> bool:
        """Whether a price was ever seen: an instrument without one (an archive of liquidations) has no ledger."""
        return math.isfinite(self.path.last_close_usd)

    def apply(self, rows: Mapping[Kind, NDArray[np.void]], upto_ns: int) -> NDArray[np.void]:
        """Take in the rows of one step; returns the path bars that closed in it (``market.path.PATH_ROW``)."""
        self.interest.apply(rows.get(Kind.OPEN_INTEREST, _NONE[Kind.OPEN_INTEREST]))
        closed = self.path.apply(
            bars=rows.get(Kind.BAR, _NONE[Kind.BAR]),
            trades=rows.get(Kind.TRADE, _NONE[Kind.TRADE]),
            marks=rows.get(Kind.MARK, _NONE[Kind.MARK]),
            upto_ns=upto_ns,
        )
        if not len(closed):
            return closed
        bars = np.zeros(len(closed), dtype=PATH_BAR)
        for name in ("start_ns", "end_ns", "low_usd", "high_usd", "close_usd"):
            bars[name] = closed[name]
        # Long opens equal short opens: each contract that was opened has two sides.
        bars["units_long"] = bars["units_short"] = self.opening.units(closed)
        self.pending = np.concatenate([self.pending, bars])
        self.history.append(bars)
        return closed

    def ready(self, upto_ns: int) -> NDArray[np.void]:
        """Closed bars that ``advance(..., upto_ns, ...)`` will apply."""
        return self.pending[: int(np.searchsorted(self.pending["end_ns"], upto_ns, side="right"))]

    def advance(self, close_ns: NDArray[np.int64], upto_ns: int, rows: DisplayRows) -> NDArray[np.float32]:
        """Apply the bars that ended by ``upto_ns`` and draw a column at each closing time.

        Args:
            close_ns: closing times, sorted, shape (n,), all at or before ``upto_ns``.
            upto_ns: last moment applied.
            rows: display rows.

        Returns:
            USD per column, side and row, shape (n, 2, P).
        """
        ready = self.ready(upto_ns)
        self.pending = self.pending[len(ready) :]
        self.applied = ready
        self._assumed_units = None
        before = self.price_usd
        if len(ready):
            self.price_usd = float(ready["close_usd"][-1])
        index = np.searchsorted(ready["end_ns"], close_ns, side="right")
        closes = np.concatenate([[before], ready["close_usd"]])[index]
        oi_usd = self.open_interest_usd(close_ns, closes)
        mixes, mix_of = self.served.at(close_ns)
        columns, _ = self.ledger.advance(
            ready,
            mixes[:, None, :],
            index,
            mix_of=mix_of,
            first_row=rows.first_row,
            n_rows=rows.n_rows,
            row_usd=rows.row_usd,
            oi_usd=np.nan_to_num(oi_usd),
            worth_usd=self.anchor.worth_usd,
            prices_usd=closes,
        )
        return columns

    def open_interest_usd(
        self, times_ns: NDArray[np.int64], prices_usd: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Open interest per side that anchors the map; where none is published, an average hour's volume stands in.

        NaN where neither is known. ``interest_source`` says which it is.
        """
        known = self.interest.usd_at(times_ns, prices_usd)
        return np.where(np.isfinite(known), known, self.opening.hourly_volume_usd)

    @property
    def interest_source(self) -> str:
        """Where the USD scale comes from: ``open_interest``, ``volume`` or ``none``."""
        if self.interest.as_of_ns:
            return "open_interest"
        return "volume" if math.isfinite(self.opening.hourly_volume_usd) else "none"

    def heat_usd(self, now_ns: int, mixes: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Heat now under each mix, shape (n_mixes, 2, B) USD per log bucket from ``ledger.first_bucket``.

        None stands for the one served. The worth of a unit belongs to the assumed mix; under another mix other
        units make the same open interest.
        """
        mixes = self.served.now[:1] if mixes is None else mixes
        oi_usd = float(self.open_interest_usd(np.array([now_ns]), np.array([self.price_usd]))[0])
        out = np.zeros((len(mixes), 2, self.ledger.n_buckets))
        if not (math.isfinite(oi_usd) and self.price_usd > 0):
            return out
        centre = bucket_of(self.price_usd) - self.ledger.first_bucket
        for k, mix in enumerate(mixes):
            profile = self.ledger.profile(mix)
            standing = profile[0].astype(np.float64)
            worth = self.worth_usd(mix, profile)
            out[k] = standing * anchor_heat(standing, centre, standing.sum(axis=1), oi_usd, worth)
        return out

    def worth_usd(self, mix: NDArray[np.float64], profile: NDArray[np.float32] | None = None) -> float:
        """Slow worth of a unit under a mix, of which the ledger's profile may be known; NaN where it is not known."""
        if np.array_equal(mix, self.served.assumed[0]):
            return self.anchor.worth_usd
        # Sums over the cells do not depend on how the bars came; running sums do, in the last digit.
        if self._assumed_units is None:
            self._assumed_units = float(self.ledger.profile(self.served.assumed[0]).sum(dtype=np.float64))
        units = float((self.ledger.profile(mix) if profile is None else profile).sum(dtype=np.float64))
        return self.anchor.worth_usd * self._assumed_units / units if units > 0 else self.anchor.worth_usd

    def follow_interest(self, now_ns: int, elapsed_ns: int) -> None:
        """Move the worth of a unit of the assumed mix towards the present open interest over the units that stand."""
        oi_usd = float(self.open_interest_usd(np.array([now_ns]), np.array([self.price_usd]))[0])
        self.anchor.follow(oi_usd, float(self.ledger.total(self.served.assumed[:1]).mean()), elapsed_ns)

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        out: dict[str, NDArray[Any]] = {"pending": self.pending.copy(), "price": np.array([self.price_usd])}
        parts = {
            "path": self.path.state(),
            "opening": self.opening.state(),
            "interest": self.interest.state(),
            "ledger": self.ledger.state(),
            "anchor": self.anchor.state(),
            "served": self.served.state(),
        }
        for name, part in parts.items():
            out.update({f"{name}.{key}": value for key, value in part.items()})
        return out

    @classmethod
    def from_state(
        cls, instrument_id: str, parameters: LedgerParameters, state: Mapping[str, NDArray[Any]]
    ) -> InstrumentState:
        """An instrument that goes on where ``state()`` was taken; its history starts empty."""
        served = ServedMix.from_state(part_of(state, "served."))
        instrument = cls(instrument_id, parameters, served.assumed)
        instrument.served = served
        instrument.pending = state["pending"].copy()
        instrument.price_usd = float(state["price"][0])
        instrument.path = PathBuilder.from_state(part_of(state, "path."))
        instrument.opening = OpeningProxy.from_state(part_of(state, "opening."))
        instrument.interest = OpenInterest.from_state(part_of(state, "interest."))
        instrument.anchor = InterestAnchor.from_state(part_of(state, "anchor."))
        instrument.ledger = Ledger.from_state([parameters], part_of(state, "ledger."))
        return instrument
