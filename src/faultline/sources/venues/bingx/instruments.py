"""BingX's list of contracts in, contracts out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from faultline.instruments import ContractKind, Instrument
from faultline.sources.listing import read_each
from faultline.sources.plan import Request
from faultline.sources.venues.bingx.margin import FORMULA_FAMILY, tiers_of
from faultline.sources.venues.bingx.payloads import Contract, Contracts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("LISTING", "contracts_of")

_TRADES: Final = 1
_CONTRACT: Final = msgspec.json.Decoder(Contract, strict=False)

#: The request that tells the contracts.
LISTING: Final = (("contracts", Request("/openApi/swap/v2/quote/contracts")),)


def contracts_of(answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
    """Perpetuals that trade.

    Raises:
        msgspec.MsgspecError: an answer is not of the expected shape.
    """
    return [
        item
        for body in answers["contracts"]
        for contract in read_each(msgspec.json.decode(body, type=Contracts).data, _CONTRACT)
        for item in _instrument(contract)
    ]


def _instrument(contract: Contract) -> list[Instrument]:
    """The contract as an instrument; empty where it does not trade, or its facts are impossible."""
    if contract.status != _TRADES:
        return []
    try:
        return [
            Instrument(
                id=f"bingx:{contract.symbol}",
                base=contract.asset,
                quote=contract.currency,
                contract_kind=ContractKind.LINEAR,
                formula_family=FORMULA_FAMILY,
                contract_size=1.0,
                tick_usd=10.0**-contract.pricePrecision,
                lot_base=contract.tradeMinQuantity,
                min_notional_usd=contract.tradeMinUSDT,
                tiers=tiers_of(contract.asset, contract.maxLongLeverage),
                taker_fee_ratio=contract.takerFeeRate,
            )
        ]
    except (ValueError, ArithmeticError):
        return []
