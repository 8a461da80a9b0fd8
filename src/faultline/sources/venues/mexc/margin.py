"""MEXC's risk limits in, margin tiers out.

Maintenance margin is valued at entry, without a fee (the venue's own articles). The tiers of a contract stand in its
listing: as a table, or as a first tier and steps.
https://www.mexc.com/api-docs/futures/market-endpoints/get-contract-info
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from faultline.instruments import FormulaFamily, margin_tiers

if TYPE_CHECKING:
    from faultline.instruments import Tier
    from faultline.sources.venues.mexc.payloads import Contract

__all__ = ("FORMULA_FAMILY", "tiers_of")

FORMULA_FAMILY: Final = FormulaFamily.ENTRY_VALUED
#: Steps that a listing may tell; more are a mistake of it.
_LEVELS_MAX: Final = 1000


def tiers_of(contract: Contract, usd_per_contract: float) -> tuple[Tier, ...]:
    """Tiers of one contract; the last has no end.

    Raises:
        ValueError: they are not contiguous, or too many.
        ZeroDivisionError: an initial margin is 0.
    """
    unit_usd = 1.0 if contract.riskLimitType == "BY_VALUE" else usd_per_contract
    if contract.riskLimitCustom:
        table = sorted(contract.riskLimitCustom, key=lambda limit: limit.maxVol)
        caps = [limit.maxVol * unit_usd for limit in table]
        ratios, leverages = [limit.mmr for limit in table], [limit.maxLeverage for limit in table]
    else:
        if not 0 < contract.riskLevelLimit <= _LEVELS_MAX:
            raise ValueError(f"{contract.riskLevelLimit} levels of risk")
        steps = range(contract.riskLevelLimit if contract.riskIncrVol > 0 else 1)
        caps = [(contract.riskBaseVol + step * contract.riskIncrVol) * unit_usd for step in steps]
        ratios = [contract.maintenanceMarginRate + step * contract.riskIncrMmr for step in steps]
        leverages = [
            min(1.0 / (contract.initialMarginRate + step * contract.riskIncrImr), contract.maxLeverage)
            for step in steps
        ]
    return margin_tiers([*caps[:-1], math.inf], ratios, leverages, marginal=False)
