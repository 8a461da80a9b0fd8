"""Backpack's list of markets in, contracts out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.instruments import ContractKind, Instrument
from faultline.sources.listing import read_each
from faultline.sources.plan import Request
from faultline.sources.venues.backpack.margin import FORMULA_FAMILY, tiers_of
from faultline.sources.venues.backpack.payloads import Market

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("LISTING", "contracts_of")

_MARKET: Final = msgspec.json.Decoder(Market, strict=False)

#: The request that tells the contracts.
LISTING: Final = (("markets", Request("/api/v1/markets", (("marketType", "PERP"),))),)


def contracts_of(answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
    """Perpetuals whose book is open.

    Raises:
        msgspec.MsgspecError: an answer is not of the expected shape.
    """
    return [
        item
        for body in answers["markets"]
        for market in read_each(msgspec.json.decode(body, type=list[msgspec.Raw]), _MARKET)
        for item in _instrument(market)
    ]


def _instrument(market: Market) -> list[Instrument]:
    """The market as an instrument; empty where it is no open perpetual, or its facts are impossible."""
    if market.marketType != "PERP" or market.orderBookState != "Open":
        return []
    try:
        return [
            Instrument(
                id=f"backpack:{market.symbol}",
                base=market.baseSymbol,
                quote=market.quoteSymbol,
                contract_kind=ContractKind.LINEAR,
                formula_family=FORMULA_FAMILY,
                contract_size=1.0,
                tick_usd=market.filters.price.tickSize,
                lot_base=market.filters.quantity.stepSize,
                min_notional_usd=math.nan,
                tiers=tiers_of(market.imfFunction, market.mmfFunction),
            )
        ]
    except (ValueError, ArithmeticError):
        return []
