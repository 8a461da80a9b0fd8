"""dYdX's perpetual markets in, contracts out."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.instruments import ContractKind, Instrument
from faultline.sources.listing import instruments_of
from faultline.sources.plan import Request
from faultline.sources.venues.dydx.margin import FORMULA_FAMILY, tiers_of
from faultline.sources.venues.dydx.payloads import PerpetualMarket, PerpetualMarkets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("LISTING", "contracts_of")

_MARKET: Final = msgspec.json.Decoder(PerpetualMarket, strict=False)
#: States in which a market trades.
_TRADING: Final = {"ACTIVE"}

#: Requests that tell the contracts, by name.
LISTING: Final = (("contracts", Request("/v4/perpetualMarkets")),)


def contracts_of(answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
    """Perpetuals that trade.

    Raises:
        msgspec.MsgspecError: an answer is not of the expected shape.
    """
    listed = (
        msgspec.json.decode(body, type=PerpetualMarkets).markets.values() for body in answers["contracts"]
    )
    return instruments_of(itertools.chain.from_iterable(listed), _MARKET, _instrument)


def _instrument(market: PerpetualMarket) -> Instrument | None:
    """The contract; None where it does not trade, is named after a pool's address, or its facts are impossible."""
    base, dash, quote = market.ticker.rpartition("-")
    if market.status not in _TRADING or not dash or "," in base:
        return None
    try:
        return Instrument(
            id=f"dydx:{market.ticker}",
            base=base,
            quote=quote,
            contract_kind=ContractKind.LINEAR,
            formula_family=FORMULA_FAMILY,
            contract_size=1.0,
            tick_usd=market.tickSize,
            lot_base=market.stepSize,
            min_notional_usd=math.nan,
            tiers=tiers_of(market.initialMarginFraction, market.maintenanceMarginFraction),
        )
    except (ValueError, ZeroDivisionError):
        return None
