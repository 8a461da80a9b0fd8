"""HTX's lists of contracts, index prices and adjustment factors in, contracts out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.instruments import ContractKind, Instrument
from faultline.sources.listing import read_each
from faultline.sources.plan import Request
from faultline.sources.venues.htx.margin import FORMULA_FAMILY, tiers_of
from faultline.sources.venues.htx.payloads import AdjustFactor, Answer, Contract, IndexPrice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("LISTING", "PATHS", "contracts_of", "margin_of")

#: Paths by what contracts are settled in: quote currency or coin.
PATHS: Final = {"linear": "/linear-swap-api/v1", "inverse": "/swap-api/v1"}
_CONTRACT: Final = msgspec.json.Decoder(Contract, strict=False)
_PRICE: Final = msgspec.json.Decoder(IndexPrice, strict=False)
_FACTORS: Final = msgspec.json.Decoder(AdjustFactor, strict=False)

#: Requests that tell the contracts, by name.
LISTING: Final = tuple(
    (f"{name} {margin}", Request(f"{path}/{page}"))
    for margin, path in PATHS.items()
    for name, page in (
        ("contracts", "swap_contract_info"),
        ("prices", "swap_index"),
        ("factors", "swap_adjustfactor"),
    )
)


def margin_of(symbol: str) -> str:
    """``linear`` or ``inverse``."""
    return "inverse" if symbol.endswith("-USD") else "linear"


def contracts_of(answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
    """Perpetuals that trade and have adjustment factors.

    Raises:
        msgspec.MsgspecError: an answer is not of the expected shape.
    """
    out: list[Instrument] = []
    for margin in PATHS:
        prices = {
            row.contract_code: row.index_price
            for body in answers[f"prices {margin}"]
            for row in read_each(msgspec.json.decode(body, type=Answer).data, _PRICE)
        }
        factors = {
            row.contract_code: row
            for body in answers[f"factors {margin}"]
            for row in read_each(msgspec.json.decode(body, type=Answer).data, _FACTORS)
        }
        for body in answers[f"contracts {margin}"]:
            for contract in read_each(msgspec.json.decode(body, type=Answer).data, _CONTRACT):
                code = contract.contract_code
                if code in prices and code in factors and margin_of(code) == margin:
                    out += _instrument(contract, prices[code], factors[code])
    return out


def _instrument(contract: Contract, price_usd: float, factors: AdjustFactor) -> list[Instrument]:
    """The contract as an instrument; empty where it does not trade, or its facts are impossible."""
    base, _, quote = contract.contract_code.partition("-")
    if contract.contract_status != 1 or contract.business_type != "swap":
        return []
    kind = ContractKind.INVERSE if margin_of(contract.contract_code) == "inverse" else ContractKind.LINEAR
    size = contract.size_per_contract
    per_base, per_usd = (1.0, price_usd) if kind is ContractKind.LINEAR else (price_usd, 1.0)
    try:
        return [
            Instrument(
                id=f"htx:{contract.contract_code}",
                base=base,
                quote=quote,
                contract_kind=kind,
                formula_family=FORMULA_FAMILY,
                contract_size=size,
                tick_usd=contract.price_tick,
                lot_base=size / per_base,
                min_notional_usd=math.nan,
                tiers=tiers_of(factors, size * per_usd),
            )
        ]
    except (ValueError, ZeroDivisionError):
        return []
