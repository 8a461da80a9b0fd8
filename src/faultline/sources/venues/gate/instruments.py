"""Gate's lists of contracts and risk limits in, contracts out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.instruments import ContractKind, Instrument
from faultline.sources.listing import read_each
from faultline.sources.plan import Request
from faultline.sources.venues.gate.margin import FORMULA_FAMILY, listed_tiers, tiers_of
from faultline.sources.venues.gate.payloads import Contract, RiskTier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("LISTING", "SETTLES", "contracts_of", "settle_of")

#: Settlement currencies whose contracts are read, and the kind that each has.
SETTLES: Final = {
    "usdt": ("direct", ContractKind.LINEAR),
    "btc": ("inverse", ContractKind.INVERSE),
}
#: Pages of risk limits, of a hundred contracts each.
_TIER_PAGES: Final = {"usdt": 4, "btc": 1}
_PAGE: Final = 100
_ROWS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_CONTRACT: Final = msgspec.json.Decoder(Contract, strict=False)
_TIER: Final = msgspec.json.Decoder(RiskTier, strict=False)

#: Requests that tell the contracts, by name.
LISTING: Final = (
    *((f"contracts {settle}", Request(f"/api/v4/futures/{settle}/contracts")) for settle in SETTLES),
    *(
        (
            f"tiers {settle} {page}",
            Request(
                f"/api/v4/futures/{settle}/risk_limit_tiers",
                (("limit", str(_PAGE)), ("offset", str(page * _PAGE))),
            ),
        )
        for settle, n_pages in _TIER_PAGES.items()
        for page in range(n_pages)
    ),
)


def settle_of(symbol: str) -> str:
    """Settlement currency of a contract, as addresses spell it."""
    return "usdt" if symbol.endswith("_USDT") else "btc"


def contracts_of(answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
    """Perpetuals that trade.

    Raises:
        msgspec.MsgspecError: a list is not of the expected shape.
    """
    out: list[Instrument] = []
    for settle, (listed_type, kind) in SETTLES.items():
        tiers: dict[str, list[RiskTier]] = {}
        for page in range(_TIER_PAGES[settle]):
            for body in answers[f"tiers {settle} {page}"]:
                for tier in read_each(_ROWS.decode(body), _TIER):
                    tiers.setdefault(tier.contract, []).append(tier)
        for body in answers[f"contracts {settle}"]:
            for contract in read_each(_ROWS.decode(body), _CONTRACT):
                if contract.type == listed_type and settle_of(contract.name) == settle:
                    out += _instrument(contract, kind, tiers.get(contract.name, ()))
    return out


def _instrument(contract: Contract, kind: ContractKind, tiers: Sequence[RiskTier]) -> list[Instrument]:
    """The contract as an instrument; empty where it does not trade, or its facts are impossible."""
    base, _, quote = contract.name.partition("_")
    if contract.status != "trading" or contract.in_delisting:
        return []
    is_inverse = kind is ContractKind.INVERSE
    unit = 1.0 if is_inverse else contract.quanto_multiplier
    try:
        return [
            Instrument(
                id=f"gate:{contract.name}",
                base=base,
                quote=quote,
                contract_kind=kind,
                formula_family=FORMULA_FAMILY,
                contract_size=unit,
                tick_usd=contract.order_price_round,
                lot_base=contract.order_size_min * unit / (contract.mark_price if is_inverse else 1.0),
                min_notional_usd=math.nan,
                tiers=tiers_of(tiers, contract.mark_price if is_inverse else 1.0)
                if tiers
                else listed_tiers(contract.maintenance_rate, contract.leverage_max),
                taker_fee_ratio=contract.taker_fee_rate,
            )
        ]
    except (ValueError, ZeroDivisionError):
        return []
