"""Lighter's list of markets in, contracts out.

On the wire a market is a number. The symbol is its name and that number, ``BTC-1``: plans, mappers and tapes then need
no table beside them.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.instruments import ContractKind, Instrument
from faultline.sources.listing import instruments_of
from faultline.sources.plan import Request
from faultline.sources.venues.lighter.margin import FORMULA_FAMILY, tiers_of
from faultline.sources.venues.lighter.payloads import Contract, Contracts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("LISTING", "contracts_of", "market_of")

_CONTRACT: Final = msgspec.json.Decoder(Contract, strict=False)
_DECIMALS_MAX: Final = 12

#: Requests that tell the contracts, by name.
LISTING: Final = (("contracts", Request("/api/v1/orderBookDetails")),)


def market_of(symbol: str) -> str:
    """The number of a market, as channels name it."""
    return symbol.rpartition("-")[2]


def contracts_of(answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
    """Perpetuals that trade.

    Raises:
        msgspec.MsgspecError: an answer is not of the expected shape.
    """
    listed = (msgspec.json.decode(body, type=Contracts).order_book_details for body in answers["contracts"])
    return instruments_of(itertools.chain.from_iterable(listed), _CONTRACT, _instrument)


def _instrument(contract: Contract) -> Instrument | None:
    """The contract as an instrument; None where it is no perpetual that trades, or its facts are impossible."""
    decimals = (contract.size_decimals, contract.price_decimals)
    if contract.market_type != "perp" or contract.status != "active" or contract.market_id < 0:
        return None
    if not all(0 <= number <= _DECIMALS_MAX for number in decimals):
        return None
    try:
        return Instrument(
            id=f"lighter:{contract.symbol}-{contract.market_id}",
            base=contract.symbol,
            quote="USDC",
            contract_kind=ContractKind.LINEAR,
            formula_family=FORMULA_FAMILY,
            contract_size=1.0,
            tick_usd=10.0**-contract.price_decimals,
            lot_base=10.0**-contract.size_decimals,
            min_notional_usd=float("nan") if contract.min_quote_amount is None else contract.min_quote_amount,
            tiers=tiers_of(contract.min_initial_margin_fraction, contract.maintenance_margin_fraction),
        )
    except (ValueError, ZeroDivisionError):
        return None
