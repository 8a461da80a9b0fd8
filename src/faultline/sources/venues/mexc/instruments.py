"""MEXC's list of contracts and prices in, contracts out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.instruments import ContractKind, Instrument
from faultline.sources.listing import read_each
from faultline.sources.plan import Request
from faultline.sources.venues.mexc.margin import FORMULA_FAMILY, tiers_of
from faultline.sources.venues.mexc.payloads import Contract, Listed, Price

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("LISTING", "contracts_of")

#: Requests that tell the contracts, by name.
LISTING: Final = (
    ("contracts", Request("/api/v1/contract/detail")),
    ("prices", Request("/api/v1/contract/ticker")),
)
_CONTRACT: Final = msgspec.json.Decoder(Contract, strict=False)
_PRICE: Final = msgspec.json.Decoder(Price, strict=False)


def contracts_of(answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
    """Perpetuals that trade.

    Raises:
        msgspec.MsgspecError: an answer is not of the expected shape.
    """
    prices = {
        row.symbol: row.fairPrice
        for body in answers["prices"]
        for row in read_each(msgspec.json.decode(body, type=Listed).data, _PRICE)
    }
    return [
        found
        for body in answers["contracts"]
        for contract in read_each(msgspec.json.decode(body, type=Listed).data, _CONTRACT)
        if contract.symbol in prices
        for found in _instrument(contract, prices[contract.symbol])
    ]


def _instrument(contract: Contract, price_usd: float) -> list[Instrument]:
    """The contract as an instrument; empty where it does not trade, or its facts are impossible."""
    is_inverse = contract.settleCoin == contract.baseCoin
    if contract.state != 0 or not (is_inverse or contract.settleCoin == contract.quoteCoin):
        return []
    size = contract.size_per_contract
    per_base, per_usd = (price_usd, 1.0) if is_inverse else (1.0, price_usd)
    try:
        return [
            Instrument(
                id=f"mexc:{contract.symbol}",
                base=contract.baseCoin,
                quote=contract.quoteCoin,
                contract_kind=ContractKind.INVERSE if is_inverse else ContractKind.LINEAR,
                formula_family=FORMULA_FAMILY,
                contract_size=size,
                tick_usd=contract.priceUnit,
                lot_base=contract.volUnit * size / per_base,
                min_notional_usd=math.nan,
                tiers=tiers_of(contract, size * per_usd),
            )
        ]
    except (ValueError, ZeroDivisionError):
        return []
