"""OKX's list of contracts, mark prices and position tiers in, contracts out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.instruments import ContractKind, Instrument
from faultline.sources.listing import read_each
from faultline.sources.plan import Request
from faultline.sources.venues.okx.margin import FORMULA_FAMILY, TAKER_FEE_RATIO, assumed_tiers, tiers_of
from faultline.sources.venues.okx.payloads import Answer, Contract, Contracts, Price, Tier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("LISTING", "contracts_of")

_KINDS: Final = {"linear": ContractKind.LINEAR, "inverse": ContractKind.INVERSE}
#: Families whose tiers are asked for, five to a call.
_FAMILIES: Final = (
    "BTC-USDT,ETH-USDT,SOL-USDT,XRP-USDT,DOGE-USDT",
    "ADA-USDT,AVAX-USDT,LINK-USDT,DOT-USDT,LTC-USDT",
    "BNB-USDT,SUI-USDT,TRX-USDT,BCH-USDT,PEPE-USDT",
    "BTC-USD,ETH-USD,SOL-USD,XRP-USD,DOGE-USD",
)
_CONTRACT: Final = msgspec.json.Decoder(Contract, strict=False)
_PRICE: Final = msgspec.json.Decoder(Price, strict=False)
_TIER: Final = msgspec.json.Decoder(Tier, strict=False)

#: Requests that tell the contracts, by name.
LISTING: Final = (
    ("contracts", Request("/api/v5/public/instruments", (("instType", "SWAP"),))),
    ("prices", Request("/api/v5/public/mark-price", (("instType", "SWAP"),))),
    *(
        (
            f"tiers-{number}",
            Request(
                "/api/v5/public/position-tiers",
                (("instType", "SWAP"), ("tdMode", "isolated"), ("instFamily", families)),
            ),
        )
        for number, families in enumerate(_FAMILIES)
    ),
)


def contracts_of(answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
    """Perpetuals that trade.

    Raises:
        msgspec.MsgspecError: the list of contracts or of prices is not of the expected shape.
    """
    prices = {
        row.instId: row.markPx
        for body in answers["prices"]
        for row in read_each(msgspec.json.decode(body, type=Answer).data, _PRICE)
    }
    tiers: dict[str, list[Tier]] = {}
    for name, _ in LISTING[2:]:
        for body in answers[name]:
            for tier in read_each(msgspec.json.decode(body, type=Answer).data, _TIER):
                tiers.setdefault(tier.instFamily, []).append(tier)
    out: list[Instrument] = []
    for body in answers["contracts"]:
        for contract in read_each(msgspec.json.decode(body, type=Contracts).data, _CONTRACT):
            if contract.instId in prices:
                out += _instrument(contract, prices[contract.instId], tiers.get(contract.uly, ()))
    return out


def _instrument(contract: Contract, price_usd: float, tiers: Sequence[Tier]) -> list[Instrument]:
    """The contract as an instrument; empty where it does not trade, or its facts are impossible."""
    kind = _KINDS.get(contract.ctType)
    base, _, quote = contract.uly.partition("-")
    unit = contract.ctVal * contract.ctMult
    counted = "USD" if kind is ContractKind.INVERSE else base
    if kind is None or contract.state != "live" or contract.ctValCcy != counted:
        return []
    is_inverse = kind is ContractKind.INVERSE
    try:
        usd = unit if is_inverse else unit * price_usd
        return [
            Instrument(
                id=f"okx:{contract.instId}",
                base=base,
                quote=quote,
                contract_kind=kind,
                formula_family=FORMULA_FAMILY,
                contract_size=unit,
                tick_usd=contract.tickSz,
                lot_base=contract.lotSz * unit / (price_usd if is_inverse else 1.0),
                min_notional_usd=math.nan,
                tiers=tiers_of(tiers, usd) if tiers else assumed_tiers(contract.lever),
                taker_fee_ratio=TAKER_FEE_RATIO,
            )
        ]
    except (ValueError, ZeroDivisionError):
        return []
