"""An asset in, the Binance USD-M perpetual on it, with its margin tiers, out.

Recorded files carry no contract facts, so these come from the venue's published bracket table as freqtrade collected
it on 2026-09-29. That is after the recorded winters: rows are flagged as assumed for the time they are used in.
The ETH and SOL tables stop where the collected excerpt stops; larger positions have no tier.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from faultline.instruments import (
    ContractKind,
    FormulaFamily,
    Instrument,
    instrument_rows,
    margin_tiers,
)
from faultline.messages import Batch, Flag, Kind
from faultline.units import parse_time_ns

if TYPE_CHECKING:
    from faultline.instruments import Tier

__all__ = ("CONTRACTS", "TIERS_AS_OF_NS", "contract_batch", "contract_id")

#: Day on which the bracket table was collected.
TIERS_AS_OF_NS: Final = parse_time_ns("2026-09-29")

_FIRST_CAPS: Final = (300e3, 800e3, 3e6, 12e6)
_FIRST_RATIOS: Final = (0.004, 0.005, 0.0065, 0.01)
_FIRST_LEVERAGES: Final = (150.0, 100.0, 75.0, 50.0)


def contract_id(asset: str) -> str:
    """Id of the USDT-margined perpetual, e.g. ``binance:BTCUSDT``."""
    return f"binance:{asset}USDT"


def _perpetual(asset: str, tick_usd: float, lot_base: float, tiers: tuple[Tier, ...]) -> Instrument:
    return Instrument(
        id=contract_id(asset),
        base=asset,
        quote="USDT",
        contract_kind=ContractKind.LINEAR,
        formula_family=FormulaFamily.MARK_VALUED,
        contract_size=1.0,
        tick_usd=tick_usd,
        lot_base=lot_base,
        min_notional_usd=math.nan,
        tiers=tiers,
    )


#: The contracts whose facts are known, by asset.
CONTRACTS: Final[dict[str, Instrument]] = {
    "BTC": _perpetual(
        "BTC",
        0.1,
        0.001,
        margin_tiers(
            (*_FIRST_CAPS, 70e6, 100e6, 230e6, 480e6, 600e6, 800e6, 1.2e9, 1.8e9),
            (*_FIRST_RATIOS, 0.02, 0.025, 0.05, 0.10, 0.125, 0.15, 0.25, 0.50),
            (*_FIRST_LEVERAGES, 25, 20, 10, 5, 4, 3, 2, 1),
            marginal=True,
        ),
    ),
    "ETH": _perpetual(
        "ETH",
        0.01,
        0.001,
        margin_tiers(
            (*_FIRST_CAPS, 50e6, 65e6, 150e6),
            (*_FIRST_RATIOS, 0.02, 0.025, 0.05),
            (*_FIRST_LEVERAGES, 25, 20, 10),
            marginal=True,
        ),
    ),
    "SOL": _perpetual(
        "SOL",
        0.01,
        0.01,
        margin_tiers((50e3, 400e3, 1e6), (0.005, 0.0065, 0.01), (100, 75, 50), marginal=True),
    ),
}


def contract_batch(asset: str, received_ns: int) -> list[Batch]:
    """Instrument rows of an asset as if known from ``received_ns`` on; none where the facts are not known."""
    instrument = CONTRACTS.get(asset)
    if instrument is None:
        return []
    rows = instrument_rows(instrument, TIERS_AS_OF_NS)
    rows["ts_received_ns"] = received_ns
    rows["flags"] = Flag.RECEIVED_ASSUMED
    return [Batch(Kind.INSTRUMENT, instrument.id, rows)]
