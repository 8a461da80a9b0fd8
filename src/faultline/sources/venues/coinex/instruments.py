"""CoinEx's lists of markets, position levels and prices in, contracts out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.instruments import ContractKind, Instrument
from faultline.sources.listing import read_each
from faultline.sources.plan import Request
from faultline.sources.venues.coinex.margin import FORMULA_FAMILY, tiers_of
from faultline.sources.venues.coinex.payloads import (
    Contract,
    Contracts,
    Level,
    MarketLevels,
    MarketLevelsList,
    Price,
    Prices,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("LISTING", "contracts_of")

_KINDS: Final = {"linear": ContractKind.LINEAR, "inverse": ContractKind.INVERSE}
_CONTRACT: Final = msgspec.json.Decoder(Contract, strict=False)
_LEVELS: Final = msgspec.json.Decoder(MarketLevels, strict=False)
_PRICE: Final = msgspec.json.Decoder(Price, strict=False)

#: Requests that tell the contracts, by name.
LISTING: Final = (
    ("contracts", Request("/v2/futures/market")),
    ("levels", Request("/v2/futures/position-level")),
    ("prices", Request("/v2/futures/ticker")),
)


def contracts_of(answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
    """Perpetuals that trade, have levels and a price.

    Raises:
        msgspec.MsgspecError: an answer is not of the expected shape.
    """
    levels = {
        one.market: one.level
        for body in answers["levels"]
        for one in read_each(msgspec.json.decode(body, type=MarketLevelsList).data, _LEVELS)
    }
    prices = {
        one.market: one.mark_price
        for body in answers["prices"]
        for one in read_each(msgspec.json.decode(body, type=Prices).data, _PRICE)
    }
    out: list[Instrument] = []
    for body in answers["contracts"]:
        for contract in read_each(msgspec.json.decode(body, type=Contracts).data, _CONTRACT):
            if contract.market in levels and contract.market in prices:
                out += _instrument(contract, levels[contract.market], prices[contract.market])
    return out


def _instrument(contract: Contract, levels: Sequence[Level], price_usd: float) -> list[Instrument]:
    """The market as an instrument; empty where it does not trade, or its facts are impossible."""
    kind = _KINDS.get(contract.contract_type)
    if kind is None or not contract.is_market_available:
        return []
    is_linear = kind is ContractKind.LINEAR
    try:
        return [
            Instrument(
                id=f"coinex:{contract.market}",
                base=contract.base_ccy,
                quote=contract.quote_ccy,
                contract_kind=kind,
                formula_family=FORMULA_FAMILY,
                contract_size=1.0,
                tick_usd=contract.tick_size,
                lot_base=contract.min_amount / (1.0 if is_linear else price_usd),
                min_notional_usd=math.nan,
                tiers=tiers_of(levels, price_usd if is_linear else 1.0),
            )
        ]
    except (ValueError, ArithmeticError):
        return []
