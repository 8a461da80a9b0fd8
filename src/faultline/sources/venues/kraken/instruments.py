"""Lists of contracts and prices of Kraken Futures in, contracts out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.instruments import ContractKind, Instrument
from faultline.sources.listing import read_each
from faultline.sources.plan import Request
from faultline.sources.venues.kraken.margin import FORMULA_FAMILY, tiers_of
from faultline.sources.venues.kraken.payloads import Contract, Contracts, Price, Prices

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("LISTING", "contracts_of")

#: Beginning of a perpetual's symbol, by type of contract; the same types have dated ones, too.
_KINDS: Final = {
    "futures_inverse": ("PI_", ContractKind.INVERSE),
    "flexible_futures": ("PF_", ContractKind.LINEAR),
}
#: The venue's own name of an asset, where it has one.
_ASSETS: Final = {"XBT": "BTC", "XDG": "DOGE"}
_CONTRACT: Final = msgspec.json.Decoder(Contract)
_PRICE: Final = msgspec.json.Decoder(Price)

#: Requests that tell the contracts, by name.
LISTING: Final = (
    ("contracts", Request("/derivatives/api/v3/instruments")),
    ("prices", Request("/derivatives/api/v3/tickers")),
)


def contracts_of(answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
    """Perpetuals that trade.

    Raises:
        msgspec.MsgspecError: an answer is not of the expected shape.
    """
    prices = {
        price.symbol: price.markPrice
        for body in answers["prices"]
        for price in read_each(msgspec.json.decode(body, type=Prices).tickers, _PRICE)
    }
    return [
        item
        for body in answers["contracts"]
        for contract in read_each(msgspec.json.decode(body, type=Contracts).instruments, _CONTRACT)
        for item in _instrument(contract, prices.get(contract.symbol, math.nan))
    ]


def _instrument(contract: Contract, price_usd: float) -> list[Instrument]:
    """The contract as an instrument; empty where it is no perpetual that trades, or its facts are impossible."""
    start, kind = _KINDS.get(contract.type, ("", ContractKind.QUANTO))
    if not start or not contract.symbol.startswith(start) or not contract.tradeable:
        return []
    try:
        lot = contract.contractSize * 10.0**-contract.contractValueTradePrecision
        return [
            Instrument(
                id=f"kraken:{contract.symbol}",
                base=_ASSETS.get(contract.base, contract.base),
                quote=contract.quote,
                contract_kind=kind,
                formula_family=FORMULA_FAMILY,
                contract_size=contract.contractSize,
                tick_usd=contract.tickSize,
                lot_base=lot / price_usd if kind is ContractKind.INVERSE else lot,
                min_notional_usd=math.nan,
                tiers=tiers_of(contract.marginLevels),
            )
        ]
    except (ValueError, ArithmeticError):
        return []
