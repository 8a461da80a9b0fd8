"""A venue's slug and its symbol in, the contract and the unit in which archives print its amounts out.

Archives carry no contract facts. What is known of a contract beyond its name is in ``_RULES``; margin tiers come from
``binance_contracts`` where they are known, else they are one of the defaults below, which the rows on the tape flag as
assumed. A symbol that no rule matches in full has no contract: ``BTCDOMUSDT`` is on ``BTCDOM``, never on BTC.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import math
import re
from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.instruments import ContractKind, FormulaFamily, Instrument, instrument_rows, margin_tiers
from faultline.messages import Batch, Flag, Kind
from faultline.sources.archives.binance_contracts import CONTRACTS, TIERS_AS_OF_NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from faultline.instruments import Tier

__all__ = ("Amount", "VenueContract", "contract_of", "instrument_batch")


class Amount(enum.Enum):
    """What an archive's amounts count."""

    BASE = "base units"
    USD = "US dollars"
    CONTRACTS = "contracts"


@dataclasses.dataclass(frozen=True, slots=True)
class VenueContract:
    """A contract and the unit of its printed amounts."""

    instrument: Instrument
    amount: Amount

    def qty_base(self, amounts: NDArray[np.float64], prices_usd: NDArray[np.float64]) -> NDArray[np.float64]:
        """Printed amounts in base units at the prices beside them, shape (n,)."""
        match self.amount:
            case Amount.BASE:
                return amounts
            case Amount.USD:
                return np.asarray(amounts / prices_usd)
            case Amount.CONTRACTS:
                return np.asarray(self.instrument.qty_base(amounts, prices_usd))

    def notional_usd(
        self, amounts: NDArray[np.float64], prices_usd: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Printed amounts in USD at the prices beside them, shape (n,)."""
        match self.amount:
            case Amount.BASE:
                return np.asarray(amounts * prices_usd)
            case Amount.USD:
                return amounts
            case Amount.CONTRACTS:
                return np.asarray(self.instrument.notional_usd(amounts, prices_usd))


@dataclasses.dataclass(frozen=True, slots=True)
class _Rule:
    """Contracts of one venue whose symbols match ``pattern`` in full; its group ``base`` is the asset."""

    venue: str
    pattern: str
    quote: str
    kind: ContractKind = ContractKind.LINEAR
    amount: Amount = Amount.BASE
    #: Size of one contract by asset; ``""`` is any other asset, and an asset without a size has no contract here.
    sizes: tuple[tuple[str, float], ...] = (("", 1.0),)
    family: FormulaFamily = FormulaFamily.MARK_VALUED


_BASE: Final = r"(?P<base>[A-Za-z0-9]{1,16}?)"
_DAY: Final = r"\d{1,2}[A-Z]{3}\d{2}"
_INVERSE: Final = ContractKind.INVERSE
#: Face value in USD of the coin-margined contracts of Binance and OKX.
_FACE_USD: Final = (("BTC", 100.0), ("", 10.0))

_RULES: Final = (
    _Rule("binance", _BASE + r"USDT(_\d{6})?", "USDT"),
    _Rule("binance", _BASE + r"USDC(_\d{6})?", "USDC"),
    _Rule("binance", _BASE + r"BUSD(_\d{6})?", "BUSD"),
    _Rule("binance-coinm", _BASE + r"USD_(PERP|\d{6})", "USD", _INVERSE, Amount.CONTRACTS, _FACE_USD),
    _Rule("bybit", _BASE + rf"USDT(-{_DAY})?", "USDT"),
    _Rule("bybit", _BASE + rf"(PERP|USDC|-{_DAY})", "USDC"),
    _Rule("bybit", _BASE + r"USD([FGHJKMNQUVXZ]\d{2})?", "USD", _INVERSE, Amount.USD),
    _Rule(
        "okx",
        _BASE + r"-USDT-(SWAP|\d{6})",
        "USDT",
        amount=Amount.CONTRACTS,
        sizes=(("BTC", 0.01), ("ETH", 0.1), ("SOL", 1.0), ("DOGE", 1_000.0), ("HYPE", 0.1)),
    ),
    _Rule("okx", _BASE + r"-USD-(SWAP|\d{6})", "USD", _INVERSE, Amount.CONTRACTS, _FACE_USD),
    _Rule(
        "deribit",
        rf"(?P<base>BTC|ETH)-(PERPETUAL|{_DAY})",
        "USD",
        _INVERSE,
        Amount.USD,
        (("BTC", 10.0), ("ETH", 1.0)),
    ),
    _Rule("deribit", _BASE + rf"_USDC-(PERPETUAL|{_DAY})", "USDC"),
    _Rule("deribit", _BASE + rf"_USDT-(PERPETUAL|{_DAY})", "USDT"),
    _Rule(
        "htx",
        _BASE + r"-USDT(-\d{6})?",
        "USDT",
        amount=Amount.CONTRACTS,
        sizes=(("BTC", 0.001), ("ETH", 0.01)),
        family=FormulaFamily.LEVERAGE_ADJUSTED,
    ),
    _Rule("kraken", "PF_" + _BASE + "USD", "USD"),
    _Rule("kraken", r"(PI|FI)_" + _BASE + r"USD(_\d{6})?", "USD", _INVERSE, Amount.USD),
    _Rule("bitfinex", _BASE + "F0:USTF0", "USDT"),
    _Rule("hyperliquid", _BASE, "USDC"),
    _Rule("dydx", _BASE + "-USD", "USDC"),
    _Rule("gate", _BASE + "_USDT", "USDT", amount=Amount.CONTRACTS, sizes=(("BTC", 0.0001),)),
    _Rule("bitget", _BASE + "USDT", "USDT"),
)
#: Names of an asset that differ from its usual one.
_ASSETS: Final = {"XBT": "BTC", "xbt": "BTC"}

#: First-tier maintenance ratio and highest leverage where no table of the venue is known.
_DEFAULT_TIER: Final = (0.005, 100.0)
#: The same for venues and assets where those two are known. Hyperliquid: half the margin at the highest leverage.
_FIRST_TIERS: Final[Mapping[tuple[str, str], tuple[float, float]]] = {
    ("binance", ""): (0.01, 50.0),
    ("deribit", ""): (0.01, 50.0),
    ("htx", ""): (0.125, 100.0),
    ("hyperliquid", "BTC"): (0.0125, 40.0),
    ("hyperliquid", "ETH"): (0.02, 25.0),
    ("hyperliquid", ""): (0.05, 10.0),
    ("kraken", ""): (0.01, 50.0),
}
#: Price and quantity steps of the few contracts where they are known; elsewhere the finest that is written.
_STEPS: Final[Mapping[tuple[str, str], tuple[float, float]]] = {
    ("hyperliquid", "BTC"): (1.0, 1e-5),
    ("hyperliquid", "ETH"): (0.1, 1e-4),
}
_FINEST_STEPS: Final = (1e-8, 1e-8)


@functools.lru_cache(maxsize=4096)
def contract_of(venue: str, symbol: str) -> VenueContract | None:
    """Contract of a symbol, or None where its unit or its quote currency is not known to be USD-like."""
    for rule in _RULES:
        found = re.fullmatch(rule.pattern, symbol) if rule.venue == venue else None
        if found is None:
            continue
        base = _ASSETS.get(found["base"], found["base"])
        size = dict(rule.sizes).get(base, dict(rule.sizes).get("", math.nan))
        if math.isnan(size):
            return None
        known = CONTRACTS.get(base) if venue == "binance" else None
        if known is not None and known.symbol == symbol:
            return VenueContract(known, rule.amount)
        tick_usd, lot_base = _STEPS.get((venue, base), _FINEST_STEPS)
        instrument = Instrument(
            id=f"{venue}:{symbol}",
            base=base,
            quote=rule.quote,
            contract_kind=rule.kind,
            formula_family=rule.family,
            contract_size=size,
            tick_usd=tick_usd,
            lot_base=lot_base,
            min_notional_usd=math.nan,
            tiers=_tiers(venue, base),
        )
        return VenueContract(instrument, rule.amount)
    return None


def _tiers(venue: str, base: str) -> tuple[Tier, ...]:
    ratio, leverage = _FIRST_TIERS.get((venue, base), _FIRST_TIERS.get((venue, ""), _DEFAULT_TIER))
    return margin_tiers((math.inf,), (ratio,), (leverage,), marginal=False)


def instrument_batch(instrument: Instrument, received_ns: int) -> list[Batch]:
    """Rows of a contract as if known from ``received_ns`` on, flagged as assumed."""
    rows = instrument_rows(instrument, TIERS_AS_OF_NS)
    rows["ts_received_ns"] = received_ns
    rows["flags"] = Flag.RECEIVED_ASSUMED
    return [Batch(Kind.INSTRUMENT, instrument.id, rows)]
