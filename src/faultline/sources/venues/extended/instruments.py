"""Extended's list of markets in, contracts out."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.instruments import ContractKind, Instrument
from faultline.sources.listing import instruments_of
from faultline.sources.plan import Request
from faultline.sources.venues.extended.margin import FORMULA_FAMILY, tiers_of
from faultline.sources.venues.extended.payloads import Contract, Contracts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("HEADERS", "LISTING", "contracts_of")

#: The venue answers nobody who does not say who they are, over REST and over the socket.
HEADERS: Final = (("User-Agent", "faultline"),)
_CONTRACT: Final = msgspec.json.Decoder(Contract, strict=False)
#: Names of assets of spot markets end so.
_SPOT: Final = "SPOT"

#: Requests that tell the contracts, by name.
LISTING: Final = (("contracts", Request("/api/v1/info/markets", headers=HEADERS)),)


def contracts_of(answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
    """Perpetuals that trade.

    Raises:
        msgspec.MsgspecError: an answer is not of the expected shape.
    """
    listed = (msgspec.json.decode(body, type=Contracts).data for body in answers["contracts"])
    return instruments_of(itertools.chain.from_iterable(listed), _CONTRACT, _instrument)


def _instrument(contract: Contract) -> Instrument | None:
    """The contract as an instrument; None where it is no perpetual that trades, or its facts are impossible."""
    if contract.status != "ACTIVE" or contract.assetName.endswith(_SPOT):
        return None
    try:
        return Instrument(
            id=f"extended:{contract.name}",
            base=contract.assetName,
            quote=contract.collateralAssetName,
            contract_kind=ContractKind.LINEAR,
            formula_family=FORMULA_FAMILY,
            contract_size=1.0,
            tick_usd=contract.tradingConfig.minPriceChange,
            lot_base=contract.tradingConfig.minOrderSizeChange,
            min_notional_usd=math.nan,
            tiers=tiers_of(contract.tradingConfig.riskFactorConfig),
        )
    except (ValueError, ZeroDivisionError):
        return None
