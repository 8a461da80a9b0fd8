"""Ledgers of one asset every quarter of an hour in, accounts of its zones and the distance of venues' maps out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.heatmap.ledger import PATH_BAR
from faultline.units import HOUR_NS
from faultline.zones.account import Standing, flows_between, make_accounts, standing_of
from faultline.zones.divergence import compare_venues, near_shape, noise_floor_bps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from faultline.heatmap.ledger import LedgerParameters
    from faultline.pipeline.instrument_state import InstrumentState
    from faultline.zones.account import InstrumentFlows, ZoneAccount
    from faultline.zones.divergence import SideDivergence
    from faultline.zones.tracker import ZoneTracker

__all__ = ("ACCOUNT_NS", "Accountant")

#: Time between two accounts.
ACCOUNT_NS: Final = HOUR_NS // 4
#: Fewer venues than this cannot be compared.
_VENUES_MIN: Final = 2


class Accountant:
    """What stood on every instrument at the last account, and the bars since."""

    def __init__(self) -> None:
        self._before: dict[str, Standing] = {}
        self._bars: dict[str, list[NDArray[np.void]]] = {}
        self._flows: dict[str, InstrumentFlows] = {}

    def apply(self, instrument_id: str, bars: NDArray[np.void]) -> None:
        """Remember bars that were applied to a ledger (``heatmap.ledger.PATH_BAR``)."""
        if instrument_id in self._before and len(bars):
            self._bars.setdefault(instrument_id, []).append(bars)

    def close(self, time_ns: int, items: Sequence[InstrumentState]) -> None:
        """Take what stands now, and the flows since the last account."""
        self._flows = {}
        for item in items:
            if not item.price_usd > 0:
                continue
            iid = item.instrument_id
            oi_usd = item.open_interest_usd(np.array([time_ns]), np.array([item.price_usd]))
            mixes = item.served.now
            after = standing_of(
                item.ledger, mixes, item.price_usd, float(oi_usd[0]), item.worth_usd(mixes[0]), time_ns
            )
            before = self._before.get(iid)
            if before is not None and before.time_ns == time_ns - ACCOUNT_NS:
                parts = self._bars.get(iid, [])
                bars = np.concatenate(parts) if parts else np.zeros(0, dtype=PATH_BAR)
                self._flows[iid] = flows_between(item.venue, before, after, bars)
            self._before[iid], self._bars[iid] = after, []

    def accounts(self, tracker: ZoneTracker, ids: Sequence[str]) -> dict[str, ZoneAccount]:
        """Accounts of a scope's zones; empty until two accounts were taken."""
        flows = [self._flows[iid] for iid in ids if iid in self._flows]
        return make_accounts(tracker.ids(), tracker.intervals(), flows) if flows else {}

    def divergence(
        self, items: Sequence[InstrumentState], draws: NDArray[np.float64]
    ) -> list[SideDivergence]:
        """Compare the venues' maps as of the last account; empty with fewer than two venues.

        Args:
            items: instruments of the asset; of several on one venue the first with a map counts.
            draws: draws of the leverage mix, for the noise floor, shape (n, L).
        """
        if len({item.venue for item in items}) < _VENUES_MIN:
            return []
        shapes: dict[str, NDArray[np.float64]] = {}
        floors: dict[str, NDArray[np.float64]] = {}
        for item in items:
            standing = self._before.get(item.instrument_id)
            if standing is None or item.venue in shapes:
                continue
            heat = (standing.units @ standing.mixes[0]) * standing.worth_usd[0]
            shapes[item.venue] = near_shape(heat, standing.first_bucket, item.price_usd)
            lanes = standing.units * standing.worth_usd[0][..., None]
            floors[item.venue] = noise_floor_bps(lanes, standing.first_bucket, item.price_usd, draws)
        return compare_venues(shapes, floors) if len(shapes) >= _VENUES_MIN else []

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        out: dict[str, NDArray[Any]] = {}
        head = {}
        for iid, standing in self._before.items():
            head[iid] = {"time_ns": standing.time_ns, "first_bucket": standing.first_bucket}
            out[f"{iid}|units"], out[f"{iid}|worth"] = standing.units, standing.worth_usd
            out[f"{iid}|mixes"] = standing.mixes
            parts = self._bars.get(iid, [])
            out[f"{iid}|bars"] = np.concatenate(parts) if parts else np.zeros(0, dtype=PATH_BAR)
        out["head"] = np.frombuffer(msgspec.json.encode(head), dtype=np.uint8)
        return out

    @classmethod
    def from_state(
        cls, state: Mapping[str, NDArray[Any]], parameters: Mapping[str, LedgerParameters]
    ) -> Accountant:
        """One that goes on where ``state()`` was taken; ``parameters`` are those of the ledgers, by instrument."""
        made = cls()
        for iid, head in msgspec.json.decode(state["head"].tobytes()).items():
            made._before[iid] = Standing(
                time_ns=head["time_ns"],
                first_bucket=head["first_bucket"],
                units=state[f"{iid}|units"].copy(),
                mixes=state[f"{iid}|mixes"].copy(),
                worth_usd=state[f"{iid}|worth"].copy(),
                parameters=parameters[iid],
            )
            made._bars[iid] = [state[f"{iid}|bars"].copy()]
        return made
