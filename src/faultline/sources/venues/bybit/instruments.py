"""Bybit's listings and risk limits in, contracts out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.instruments import ContractKind, Instrument
from faultline.sources.listing import read_each
from faultline.sources.plan import Request
from faultline.sources.venues.bybit.margin import FORMULA_FAMILY, tiers_of
from faultline.sources.venues.bybit.payloads import Contract, Contracts, Price, Prices, RiskLimit, RiskLimits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("LISTING", "contracts_of", "next_page")

_PERPETUALS: Final = {"LinearPerpetual": ContractKind.LINEAR, "InversePerpetual": ContractKind.INVERSE}

#: Requests that tell the contracts, by name.
LISTING: Final = tuple(
    (f"{name}-{category}", Request(path, (("category", category), *more)))
    for category in ("linear", "inverse")
    for name, path, more in (
        ("contracts", "/v5/market/instruments-info", (("limit", "1000"),)),
        ("limits", "/v5/market/risk-limit", ()),
        ("prices", "/v5/market/tickers", ()),
    )
)
_TYPES: Final = {"contracts": Contracts, "limits": RiskLimits}
_CONTRACT: Final = msgspec.json.Decoder(Contract, strict=False)
_LIMIT: Final = msgspec.json.Decoder(RiskLimit, strict=False)
_PRICE: Final = msgspec.json.Decoder(Price, strict=False)


def next_page(name: str, body: bytes) -> Request | None:
    """The request of the page after ``body``; prices have one page.

    Raises:
        msgspec.MsgspecError: the answer is not of the expected shape.
    """
    what, _, category = name.partition("-")
    if what not in _TYPES:
        return None
    cursor = msgspec.json.decode(body, type=_TYPES[what], strict=False).result.nextPageCursor
    if not cursor:
        return None
    request = dict(LISTING)[f"{what}-{category}"]
    return Request(request.path, (*request.query, ("cursor", cursor)))


def contracts_of(answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
    """Perpetuals that trade and have tiers.

    Raises:
        msgspec.MsgspecError: an answer is not of the expected shape.
    """
    out: list[Instrument] = []
    for category in ("linear", "inverse"):
        limits: dict[str, list[RiskLimit]] = {}
        for body in answers[f"limits-{category}"]:
            for limit in read_each(msgspec.json.decode(body, type=RiskLimits).result.rows, _LIMIT):
                limits.setdefault(limit.symbol, []).append(limit)
        prices = {
            price.symbol: price.markPrice
            for body in answers[f"prices-{category}"]
            for price in read_each(msgspec.json.decode(body, type=Prices).result.rows, _PRICE)
        }
        for body in answers[f"contracts-{category}"]:
            for contract in read_each(msgspec.json.decode(body, type=Contracts).result.rows, _CONTRACT):
                if contract.symbol in limits and contract.symbol in prices:
                    out += _instrument(contract, limits[contract.symbol], prices[contract.symbol])
    return out


def _instrument(contract: Contract, limits: list[RiskLimit], price_usd: float) -> list[Instrument]:
    """The contract as an instrument; empty where it is no perpetual that trades, or its facts are impossible."""
    kind = _PERPETUALS.get(contract.contractType)
    if kind is None or contract.status != "Trading":
        return []
    is_linear = kind is ContractKind.LINEAR
    smallest = contract.lotSizeFilter.minNotionalValue
    try:
        return [
            Instrument(
                id=f"bybit:{contract.symbol}",
                base=contract.baseCoin,
                quote=contract.quoteCoin,
                contract_kind=kind,
                formula_family=FORMULA_FAMILY,
                contract_size=1.0,
                tick_usd=contract.priceFilter.tickSize,
                lot_base=contract.lotSizeFilter.qtyStep / (1.0 if is_linear else price_usd),
                min_notional_usd=math.nan if smallest is None else smallest,
                tiers=tiers_of(limits, 1.0 if is_linear else price_usd),
            )
        ]
    except (ValueError, ZeroDivisionError):
        return []
