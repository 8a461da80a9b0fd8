"""Bitget's lists of contracts, prices and position tiers in, contracts out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.instruments import ContractKind, Instrument
from faultline.sources.listing import read_each
from faultline.sources.plan import Request
from faultline.sources.venues.bitget.margin import FORMULA_FAMILY, assumed_tiers, tiers_of
from faultline.sources.venues.bitget.payloads import Answer, Contract, PositionTier, Price

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("INST_TYPES", "LISTING", "contracts_of", "inst_type_of")

#: Categories of contracts, and how the socket spells them.
INST_TYPES: Final = {
    "USDT-FUTURES": "usdt-futures",
    "USDC-FUTURES": "usdc-futures",
    "COIN-FUTURES": "coin-futures",
}
#: Contracts whose tiers are asked for, one a request.
_TIERED: Final = {
    "USDT-FUTURES": (
        *("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT", "BNBUSDT", "ADAUSDT", "AVAXUSDT"),
        *("LINKUSDT", "DOTUSDT", "LTCUSDT", "SUIUSDT", "TRXUSDT", "BCHUSDT", "PEPEUSDT", "HYPEUSDT"),
    ),
    "USDC-FUTURES": ("BTCPERP", "ETHPERP"),
    "COIN-FUTURES": ("BTCUSD", "ETHUSD", "XRPUSD"),
}
_CONTRACT: Final = msgspec.json.Decoder(Contract, strict=False)
_PRICE: Final = msgspec.json.Decoder(Price, strict=False)
_TIER: Final = msgspec.json.Decoder(PositionTier, strict=False)

#: Requests that tell the contracts, by name.
LISTING: Final = (
    *(
        (f"{name} {category}", Request(f"/api/v3/market/{path}", (("category", category),)))
        for name, path in (("contracts", "instruments"), ("prices", "tickers"))
        for category in INST_TYPES
    ),
    *(
        (
            f"tiers {symbol}",
            Request("/api/v3/market/position-tier", (("category", category), ("symbol", symbol))),
        )
        for category, symbols in _TIERED.items()
        for symbol in symbols
    ),
)


def inst_type_of(item: Instrument) -> str:
    """How the socket spells the category of a contract."""
    if item.contract_kind is ContractKind.INVERSE:
        return "coin-futures"
    return "usdc-futures" if item.quote == "USDC" else "usdt-futures"


def contracts_of(answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
    """Perpetuals that trade.

    Raises:
        msgspec.MsgspecError: a list of contracts or of prices is not of the expected shape.
    """
    out: list[Instrument] = []
    for category in INST_TYPES:
        prices = {
            row.symbol: row.markPrice
            for body in answers[f"prices {category}"]
            for row in read_each(msgspec.json.decode(body, type=Answer).data, _PRICE)
        }
        for body in answers[f"contracts {category}"]:
            for contract in read_each(msgspec.json.decode(body, type=Answer).data, _CONTRACT):
                if contract.symbol in prices and contract.category == category:
                    pages = answers.get(f"tiers {contract.symbol}", ())
                    tiers = [
                        tier
                        for page in pages
                        for tier in read_each(msgspec.json.decode(page, type=Answer).data, _TIER)
                    ]
                    out += _instrument(contract, prices[contract.symbol], tiers)
    return out


def _instrument(contract: Contract, price_usd: float, tiers: Sequence[PositionTier]) -> list[Instrument]:
    """The contract as an instrument; empty where it is no perpetual that trades, or its facts are impossible."""
    if "perpetual" not in {contract.type, contract.symbolType} or contract.status != "online":
        return []
    is_inverse = contract.category == "COIN-FUTURES"
    try:
        if not 0 < price_usd < math.inf:
            return []
        return [
            Instrument(
                id=f"bitget:{contract.symbol}",
                base=contract.baseCoin,
                quote=contract.quoteCoin,
                contract_kind=ContractKind.INVERSE if is_inverse else ContractKind.LINEAR,
                formula_family=FORMULA_FAMILY,
                # Quantities come in base units, so the size of an inverse contract is a matter of form.
                contract_size=1.0,
                tick_usd=contract.priceMultiplier,
                lot_base=contract.quantityMultiplier,
                min_notional_usd=float(contract.minOrderAmount or math.nan),
                tiers=tiers_of(tiers) if tiers else assumed_tiers(contract.maxLeverage),
            )
        ]
    except (ValueError, ZeroDivisionError):
        return []
