"""Orderly's list of contracts in, contracts out."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.instruments import ContractKind, Instrument
from faultline.sources.listing import instruments_of
from faultline.sources.plan import Request
from faultline.sources.venues.orderly.margin import FORMULA_FAMILY, tiers_of
from faultline.sources.venues.orderly.payloads import Contract, Contracts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("LISTING", "contracts_of")

_CONTRACT: Final = msgspec.json.Decoder(Contract, strict=False)

#: Requests that tell the contracts, by name.
LISTING: Final = (("contracts", Request("/v1/public/info")),)


def contracts_of(answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
    """Perpetuals that are listed.

    Raises:
        msgspec.MsgspecError: an answer is not of the expected shape.
    """
    listed = (msgspec.json.decode(body, type=Contracts).data.rows for body in answers["contracts"])
    return instruments_of(itertools.chain.from_iterable(listed), _CONTRACT, _instrument)


def _instrument(contract: Contract) -> Instrument | None:
    """The contract as an instrument; None where it is no perpetual, or its facts are impossible."""
    kind, _, rest = contract.symbol.partition("_")
    base, _, quote = rest.rpartition("_")
    if kind != "PERP" or not base:
        return None
    try:
        return Instrument(
            id=f"orderly:{contract.symbol}",
            base=base,
            quote=quote,
            contract_kind=ContractKind.LINEAR,
            formula_family=FORMULA_FAMILY,
            contract_size=1.0,
            tick_usd=contract.quote_tick,
            lot_base=contract.base_tick,
            min_notional_usd=float("nan") if contract.min_notional is None else contract.min_notional,
            tiers=tiers_of(contract.base_imr, contract.base_mmr, contract.imr_factor),
        )
    except (ValueError, OverflowError):
        return None
