"""Hyperliquid's list of coins in, contracts out.

A price has at most five significant digits and at most ``6 - szDecimals`` decimals, so its step depends on the price.
https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/tick-and-lot-size
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.instruments import ContractKind, Instrument
from faultline.sources.plan import Request
from faultline.sources.venues.hyperliquid.margin import FORMULA_FAMILY, tiers_of
from faultline.sources.venues.hyperliquid.payloads import CoinContext, Contract, MarginTier, Meta

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("LISTING", "contracts_of")

#: Digits of a price that count, and decimals of price and quantity together.
_DIGITS: Final = 5
_DECIMALS: Final = 6
#: The smallest order.
_MIN_NOTIONAL_USD: Final = 10.0

#: One request tells coins, margin tables and prices.
LISTING: Final = (("coins", Request("/info", body=b'{"type":"metaAndAssetCtxs"}', weight=20)),)
_CONTRACT: Final = msgspec.json.Decoder(Contract, strict=False)
_CONTEXT: Final = msgspec.json.Decoder(CoinContext, strict=False)
_ANSWER: Final = msgspec.json.Decoder(tuple[Meta, list[msgspec.Raw]], strict=False)


def contracts_of(answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
    """Coins that trade.

    Raises:
        msgspec.MsgspecError: the answer is not of the expected shape.
    """
    out: list[Instrument] = []
    for body in answers["coins"]:
        meta, states = _ANSWER.decode(body)
        tables = {number: table.marginTiers for number, table in meta.marginTables}
        # Coins and states are in the same order, so one that cannot be read still has its place.
        for coin, state in zip(meta.universe, states, strict=False):
            try:
                contract, context = _CONTRACT.decode(coin), _CONTEXT.decode(state)
            except msgspec.DecodeError:
                continue
            if not contract.isDelisted:
                out += _instrument(contract, context.markPx, tables.get(contract.marginTableId or -1, ()))
    return out


def _instrument(contract: Contract, price_usd: float, tiers: Sequence[MarginTier]) -> list[Instrument]:
    """The contract as an instrument; empty where its facts are impossible."""
    try:
        step_of_digits = math.floor(math.log10(price_usd)) + 1 - _DIGITS
        return [
            Instrument(
                id=f"hyperliquid:{contract.name}",
                base=contract.name,
                quote="USDC",
                contract_kind=ContractKind.LINEAR,
                formula_family=FORMULA_FAMILY,
                contract_size=1.0,
                tick_usd=10.0 ** max(min(step_of_digits, 0), contract.szDecimals - _DECIMALS),
                lot_base=10.0**-contract.szDecimals,
                min_notional_usd=_MIN_NOTIONAL_USD,
                tiers=tiers_of(tiers, contract.maxLeverage),
            )
        ]
    except (ValueError, ZeroDivisionError, OverflowError):
        return []
