"""Paradex' list of markets in, contracts out."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.instruments import ContractKind, Instrument
from faultline.sources.listing import instruments_of
from faultline.sources.plan import Request
from faultline.sources.venues.paradex.margin import FORMULA_FAMILY, tiers_of
from faultline.sources.venues.paradex.payloads import Contract, Contracts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("LISTING", "contracts_of")

_CONTRACT: Final = msgspec.json.Decoder(Contract, strict=False)

#: Requests that tell the contracts, by name.
LISTING: Final = (("contracts", Request("/v1/markets")),)


def contracts_of(answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
    """Perpetuals that are listed.

    Raises:
        msgspec.MsgspecError: an answer is not of the expected shape.
    """
    listed = (msgspec.json.decode(body, type=Contracts).results for body in answers["contracts"])
    return instruments_of(itertools.chain.from_iterable(listed), _CONTRACT, _instrument)


def _instrument(contract: Contract) -> Instrument | None:
    """The contract as an instrument; None where it is no perpetual future, or its facts are impossible."""
    if contract.asset_kind != "PERP":
        return None
    margin = contract.delta1_cross_margin_params
    try:
        return Instrument(
            id=f"paradex:{contract.symbol}",
            base=contract.base_currency,
            quote=contract.quote_currency,
            contract_kind=ContractKind.LINEAR,
            formula_family=FORMULA_FAMILY,
            contract_size=1.0,
            tick_usd=contract.price_tick_size,
            lot_base=contract.order_size_increment,
            min_notional_usd=float("nan") if contract.min_notional is None else contract.min_notional,
            tiers=tiers_of(margin.imf_base, margin.mmf_factor),
        )
    except (ValueError, ZeroDivisionError):
        return None
