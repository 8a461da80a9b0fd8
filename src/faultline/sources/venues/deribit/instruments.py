"""Deribit's list of contracts and prices in, contracts out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.instruments import ContractKind, Instrument
from faultline.sources.listing import read_each
from faultline.sources.plan import Request
from faultline.sources.venues.deribit.margin import FORMULA_FAMILY, tiers_of
from faultline.sources.venues.deribit.payloads import Contract, Listing, Price

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("LISTING", "contracts_of")

_KINDS: Final = {"reversed": ContractKind.INVERSE, "linear": ContractKind.LINEAR}
#: Currencies in which contracts are settled; prices are asked for one by one.
_SETTLED_IN: Final = ("BTC", "ETH", "USDC", "USDT")
_CONTRACT: Final = msgspec.json.Decoder(Contract)
_PRICE: Final = msgspec.json.Decoder(Price)

#: Requests that tell the contracts, by name.
LISTING: Final = (
    (
        "contracts",
        Request(
            "/api/v2/public/get_instruments", (("currency", "any"), ("kind", "future"), ("expired", "false"))
        ),
    ),
    *(
        (
            f"prices-{currency}",
            Request(
                "/api/v2/public/get_book_summary_by_currency", (("currency", currency), ("kind", "future"))
            ),
        )
        for currency in _SETTLED_IN
    ),
)


def contracts_of(answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
    """Perpetuals that trade.

    Raises:
        msgspec.MsgspecError: an answer is not of the expected shape.
    """
    prices = {
        row.instrument_name: row.mark_price
        for name, _ in LISTING[1:]
        for body in answers[name]
        for row in read_each(msgspec.json.decode(body, type=Listing).result, _PRICE)
    }
    out: list[Instrument] = []
    for body in answers["contracts"]:
        for contract in read_each(msgspec.json.decode(body, type=Listing).result, _CONTRACT):
            if contract.instrument_name in prices:
                out += _instrument(contract, prices[contract.instrument_name])
    return out


def _instrument(contract: Contract, price_usd: float) -> list[Instrument]:
    """The contract as an instrument; empty where it is no perpetual that trades, or its facts are impossible."""
    kind = _KINDS.get(contract.instrument_type)
    if kind is None or contract.settlement_period != "perpetual" or not contract.is_active:
        return []
    try:
        smallest = contract.min_trade_amount / (price_usd if kind is ContractKind.INVERSE else 1.0)
        return [
            Instrument(
                id=f"deribit:{contract.instrument_name}",
                base=contract.base_currency,
                quote=contract.quote_currency,
                contract_kind=kind,
                formula_family=FORMULA_FAMILY,
                contract_size=contract.face,
                tick_usd=contract.tick_size,
                lot_base=smallest,
                min_notional_usd=math.nan,
                tiers=tiers_of(contract.base_currency, contract.max_leverage, price_usd),
            )
        ]
    except (ValueError, ZeroDivisionError):
        return []
