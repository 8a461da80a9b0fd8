"""Binance's list of contracts in, perpetuals out; margin tiers need a key there, so each venue brings its own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.instruments import ContractKind, FormulaFamily, Instrument
from faultline.sources.dialects.binance.payloads import Contract, Listing, PremiumIndex
from faultline.sources.listing import read_each
from faultline.sources.plan import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from faultline.instruments import Tier

__all__ = ("CONTRACTS", "PRICES", "contracts_of", "listing_of")

#: Names of the requests of ``listing_of``.
CONTRACTS: Final = "contracts"
PRICES: Final = "prices"

_CONTRACT: Final = msgspec.json.Decoder(Contract, strict=False)
_PRICE: Final = msgspec.json.Decoder(PremiumIndex, strict=False)


def listing_of(root: str) -> tuple[tuple[str, Request], ...]:
    """Requests for contracts and prices; inverse contracts count coins in their tiers."""
    return (
        (CONTRACTS, Request(f"{root}/exchangeInfo")),
        (PRICES, Request(f"{root}/premiumIndex", weight=10)),
    )


def contracts_of(
    answers: Mapping[str, Sequence[bytes]],
    venue: str,
    kind: ContractKind,
    tiers: Callable[[str, float], tuple[Tier, ...]],
) -> list[Instrument]:
    """Perpetuals that trade.

    Args:
        answers: bodies by the names of ``listing_of``.
        venue: slug.
        kind: linear or inverse; Binance keeps them apart.
        tiers: of a symbol at a price.

    Raises:
        msgspec.MsgspecError: an answer is not of the expected shape.
    """
    prices = {
        row.symbol: row.markPrice
        for body in answers[PRICES]
        for row in read_each(msgspec.json.decode(body, type=list[msgspec.Raw]), _PRICE)
    }
    out: list[Instrument] = []
    for body in answers[CONTRACTS]:
        for contract in read_each(msgspec.json.decode(body, type=Listing).symbols, _CONTRACT):
            if contract.contractType == "PERPETUAL" and contract.symbol in prices:
                out += _instrument(contract, venue, kind, prices[contract.symbol], tiers)
    return out


def _instrument(
    contract: Contract,
    venue: str,
    kind: ContractKind,
    price_usd: float,
    tiers: Callable[[str, float], tuple[Tier, ...]],
) -> list[Instrument]:
    """The contract as an instrument; empty where it does not trade, or its facts are impossible."""
    if (contract.status or contract.contractStatus) != "TRADING":
        return []
    filters = {str(one.get("filterType")): one for one in contract.filters}
    try:
        step = float(filters["LOT_SIZE"]["stepSize"])
        least = filters.get("MIN_NOTIONAL", {}).get("notional")
        return [
            Instrument(
                id=f"{venue}:{contract.symbol}",
                base=contract.baseAsset,
                quote=contract.quoteAsset,
                contract_kind=kind,
                formula_family=FormulaFamily.MARK_VALUED,
                contract_size=contract.contractSize,
                tick_usd=float(filters["PRICE_FILTER"]["tickSize"]),
                lot_base=step * (contract.contractSize / price_usd if kind is ContractKind.INVERSE else 1.0),
                min_notional_usd=math.nan if least is None else float(least),
                tiers=tiers(contract.symbol, price_usd),
            )
        ]
    except (KeyError, ValueError, ZeroDivisionError):
        return []
