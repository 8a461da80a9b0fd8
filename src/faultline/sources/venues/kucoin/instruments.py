"""KuCoin's list of contracts and risk limits in, contracts out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.instruments import ContractKind, Instrument
from faultline.sources.listing import read_each
from faultline.sources.plan import Request
from faultline.sources.venues.kucoin.margin import FORMULA_FAMILY, listed_tiers, tiers_of
from faultline.sources.venues.kucoin.payloads import Contract, Listed, RiskLimit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("LISTING", "contracts_of")

#: Contracts whose risk limits are asked for, one a request.
_TIERED: Final = (
    *("XBTUSDTM", "ETHUSDTM", "SOLUSDTM", "XRPUSDTM", "DOGEUSDTM", "BNBUSDTM", "ADAUSDTM", "AVAXUSDTM"),
    *("LINKUSDTM", "DOTUSDTM", "LTCUSDTM", "SUIUSDTM", "TRXUSDTM", "BCHUSDTM", "XBTUSDM", "ETHUSDM"),
)
#: Assets that the venue calls otherwise.
_ASSETS: Final = {"XBT": "BTC"}
_CONTRACT: Final = msgspec.json.Decoder(Contract, strict=False)
_LIMIT: Final = msgspec.json.Decoder(RiskLimit, strict=False)


#: Requests that tell the contracts, by name.
LISTING: Final = (
    ("contracts", Request("/api/v1/contracts/active", weight=3)),
    *(
        (f"limits {symbol}", Request(f"/api/v1/contracts/risk-limit/{symbol}", weight=5))
        for symbol in _TIERED
    ),
)


def contracts_of(answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
    """Perpetuals that trade.

    Raises:
        msgspec.MsgspecError: an answer is not of the expected shape.
    """
    out: list[Instrument] = []
    for body in answers["contracts"]:
        for contract in read_each(msgspec.json.decode(body, type=Listed).data, _CONTRACT):
            limits = [
                limit
                for page in answers.get(f"limits {contract.symbol}", ())
                for limit in read_each(msgspec.json.decode(page, type=Listed).data, _LIMIT)
            ]
            out += _instrument(contract, limits)
    return out


def _instrument(contract: Contract, limits: Sequence[RiskLimit]) -> list[Instrument]:
    """The contract as an instrument; empty where it is no perpetual that trades, or its facts are impossible."""
    settles_in = contract.baseCurrency if contract.isInverse else contract.quoteCurrency
    is_perpetual = contract.type == "FFWCSX" and contract.settleCurrency == settles_in
    if not is_perpetual or contract.status != "Open" or (contract.multiplier < 0) is not contract.isInverse:
        return []
    # An inverse contract has a multiplier of -1: one USD.
    unit = abs(contract.multiplier)
    price_usd = contract.markPrice if contract.isInverse else 1.0
    try:
        return [
            Instrument(
                id=f"kucoin:{contract.symbol}",
                base=_ASSETS.get(contract.baseCurrency, contract.baseCurrency),
                quote=contract.quoteCurrency,
                contract_kind=ContractKind.INVERSE if contract.isInverse else ContractKind.LINEAR,
                formula_family=FORMULA_FAMILY,
                contract_size=unit,
                tick_usd=contract.tickSize,
                lot_base=contract.lotSize * unit / price_usd,
                min_notional_usd=math.nan,
                tiers=tiers_of(limits, price_usd)
                if limits
                else listed_tiers(contract.maintainMargin, contract.maxLeverage),
            )
        ]
    except (ValueError, ZeroDivisionError):
        return []
