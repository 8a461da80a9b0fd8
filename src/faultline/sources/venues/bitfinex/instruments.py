"""Bitfinex's list of futures pairs and their prices in, contracts out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.instruments import ContractKind, Instrument
from faultline.sources.listing import read_each
from faultline.sources.plan import Request
from faultline.sources.venues.bitfinex.margin import FORMULA_FAMILY, tiers_of
from faultline.sources.venues.bitfinex.payloads import FuturesPair, Price

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("LISTING", "contracts_of")

#: What the venue adds to a currency of which a derivative is made.
_MARK: Final = "F0"
#: The venue's own names of currencies that others call otherwise.
_NAMES: Final = {"UST": "USDT", "ALG": "ALGO", "ATO": "ATOM", "IOT": "IOTA"}
#: Contracts in other currencies have no price in USD.
_QUOTE: Final = "USDT"
#: Prices have at most so many significant digits.
_DIGITS: Final = 5
_PAIR: Final = msgspec.json.Decoder(FuturesPair, strict=False)
_PRICE: Final = msgspec.json.Decoder(Price)

#: Requests that tell the contracts, by name.
LISTING: Final = (
    ("pairs", Request("/v2/conf/pub:info:pair:futures")),
    ("prices", Request("/v2/status/deriv", (("keys", "ALL"),))),
)


def contracts_of(answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
    """Perpetuals in USDT that have a price.

    Raises:
        msgspec.MsgspecError: an answer is not of the expected shape.
    """
    prices = {
        row.symbol: row.price
        for body in answers["prices"]
        for row in read_each(msgspec.json.decode(body, type=list[msgspec.Raw]), _PRICE)
    }
    found: dict[str, Instrument] = {}
    for body in answers["pairs"]:
        for rows in msgspec.json.decode(body, type=list[list[msgspec.Raw]]):
            for pair in read_each(rows, _PAIR):
                if (price_usd := prices.get(f"t{pair.name}")) is not None:
                    found |= {item.id: item for item in _instrument(pair, price_usd)}
    return list(found.values())


def _instrument(pair: FuturesPair, price_usd: float) -> list[Instrument]:
    """The pair as an instrument; empty where it is no contract in USDT, or its facts are impossible."""
    base, quote = (_currency(name) for name in pair.name.partition(":")[::2])
    if not base or quote != _QUOTE:
        return []
    try:
        return [
            Instrument(
                id=f"bitfinex:t{pair.name}",
                base=base,
                quote=quote,
                contract_kind=ContractKind.LINEAR,
                formula_family=FORMULA_FAMILY,
                contract_size=1.0,
                tick_usd=10.0 ** (math.floor(math.log10(price_usd)) + 1 - _DIGITS),
                lot_base=pair.facts.size_min,
                min_notional_usd=math.nan,
                tiers=tiers_of(pair.facts.initial_margin, pair.facts.maintenance_margin),
            )
        ]
    except (ValueError, ArithmeticError):
        return []


def _currency(name: str) -> str:
    """The currency of which a derivative is made; empty where there is none."""
    plain = name.removesuffix(_MARK)
    return "" if plain == name else _NAMES.get(plain, plain)
