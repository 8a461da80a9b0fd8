"""A contract's facts in, notionals and the prices at which a position is forced out of it out.

With entry ``E``, leverage ``L``, side ``s`` (+1 long, -1 short), maintenance ratio ``m``, deduction over
notional ``d`` and the fee ratio ``f`` that some venues count, a position that holds nothing but its initial
margin ``E/L`` is forced out at::

                     linear and quanto                  inverse
    mark valued      E (s - 1/L - d) / (s - m - f)      E (s + m + f) / (s + 1/L + d)
    entry valued     E (s - 1/L + m - d) / (s - f)      E (s + f) / (s + 1/L - m + d)
    bankruptcy       E (1 - s/L)                        E s / (s + 1/L)

``leverage adjusted`` is ``entry valued`` with ``m = a/L``, where ``a`` is the venue's adjustment factor. The
formulas and the venues that publish them are in ``docs/concepts/liquidation-price.md``.

Limits: isolated margin; the tier is the one of the notional at entry; extra margin, funding paid since entry
and cross-margin equity are not in these formulas.
"""

from __future__ import annotations

import enum
import math
import re
from typing import TYPE_CHECKING, Final, overload

import msgspec
import numpy as np

from faultline.messages import Kind, empty_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = (
    "ContractKind",
    "FormulaFamily",
    "Instrument",
    "Tier",
    "asset_of",
    "instrument_rows",
    "instruments_from_rows",
    "margin_tiers",
)

#: What follows the asset in the symbol of a contract.
_QUOTES: Final = re.compile(r"(?<=.)[-_/]?(USDT|USDC|FDUSD|BUSD|USD|PERP|SWAP)([-_/].*|PERP|SWAP)?$")
#: Longest name of a currency, as wide as its column in an ``instrument`` row.
_NAME_BYTES_MAX: Final = 16
#: Numbers of the contract that an ``instrument`` row carries under the same name.
_NUMBERS: Final = ("contract_size", "tick_usd", "lot_base", "min_notional_usd", "taker_fee_ratio")
#: Fields of an ``instrument`` row that are facts of one tier, and their names in ``Tier``.
_TIER_FIELDS: Final = {
    "tier_floor_usd": "floor_usd",
    "tier_cap_usd": "cap_usd",
    "maintenance_ratio": "maintenance_ratio",
    "max_leverage": "max_leverage",
    "deduction_usd": "deduction_usd",
}


class ContractKind(enum.IntEnum):
    """What one contract is a claim on."""

    #: A fixed amount of the base asset, settled in the quote currency.
    LINEAR = 0
    #: A fixed amount of USD, settled in the base asset.
    INVERSE = 1
    #: A fixed amount of a third asset per unit of price, settled in that asset.
    QUANTO = 2


class FormulaFamily(enum.IntEnum):
    """At which price a venue values the maintenance margin."""

    #: At the mark price of the moment (Binance, Bybit, OKX, Gate, Kraken, CoinEx, Lighter).
    MARK_VALUED = 0
    #: At entry, once (KuCoin, MEXC, Phemex).
    ENTRY_VALUED = 1
    #: At entry, and the ratio is an adjustment factor divided by the leverage (HTX).
    LEVERAGE_ADJUSTED = 2


class Tier(msgspec.Struct, frozen=True):
    """One margin tier: positions with a notional in ``[floor_usd, cap_usd)``.

    ``maintenance_ratio`` is maintenance margin over notional; for ``LEVERAGE_ADJUSTED`` venues it is the
    adjustment factor. ``deduction_usd`` is subtracted from the maintenance margin, so that it does not jump
    at the floor.
    """

    floor_usd: float
    cap_usd: float
    maintenance_ratio: float
    max_leverage: float
    deduction_usd: float = 0.0


class Instrument(msgspec.Struct, frozen=True):
    """One contract on one venue, as known at one moment.

    ``contract_size`` is, for one contract, base units (linear), USD (inverse) or settlement units per unit of
    price (quanto). ``taker_fee_ratio`` is the closing fee that the venue's own liquidation formula counts
    (Gate, OKX, BingX), and 0 where that formula has none. ``min_notional_usd`` is NaN where unknown.

    Raises:
        ValueError: a fact is impossible; the message names the instrument and the fact.
    """

    id: str
    base: str
    quote: str
    contract_kind: ContractKind
    formula_family: FormulaFamily
    contract_size: float
    tick_usd: float
    lot_base: float
    min_notional_usd: float
    tiers: tuple[Tier, ...]
    taker_fee_ratio: float = 0.0

    def __post_init__(self) -> None:
        venue, colon, symbol = self.id.partition(":")
        if not (venue and colon and symbol):
            raise ValueError(f"an instrument id is venue:SYMBOL, not {self.id!r}")
        for name in ("contract_size", "tick_usd", "lot_base"):
            _require(self, name, 0 < getattr(self, name) < math.inf, "positive and finite")
        for name in ("base", "quote"):
            fits = 0 < len(getattr(self, name).encode()) <= _NAME_BYTES_MAX
            _require(self, name, fits, f"1 to {_NAME_BYTES_MAX} bytes")
        _require(self, "contract_kind", self.contract_kind in set(ContractKind), "a ContractKind")
        _require(self, "formula_family", self.formula_family in set(FormulaFamily), "a FormulaFamily")
        _require(self, "min_notional_usd", not self.min_notional_usd < 0, "NaN or not negative")
        _require(self, "taker_fee_ratio", 0 <= self.taker_fee_ratio < 1, "in [0, 1)")
        _require(self, "tiers", len(self.tiers) > 0, "at least one tier")
        floor_usd = 0.0
        for tier in self.tiers:
            joined = tier.floor_usd == floor_usd < tier.cap_usd
            _require(self, "tiers", joined, f"contiguous from 0; one starts at {tier.floor_usd}")
            ratio = tier.maintenance_ratio
            _require(self, "tiers", 0 < ratio < 1, f"a maintenance ratio in (0, 1), not {ratio}")
            _require(self, "tiers", tier.max_leverage >= 1, f"leverage >= 1, not {tier.max_leverage}")
            _require(self, "tiers", 0 <= tier.deduction_usd < math.inf, "a deduction that is not negative")
            floor_usd = tier.cap_usd

    @property
    def venue(self) -> str:
        """Slug of the venue, e.g. ``binance``."""
        return self.id.partition(":")[0]

    @property
    def symbol(self) -> str:
        """Symbol as the venue spells it, e.g. ``BTCUSDT``."""
        return self.id.partition(":")[2]

    @property
    def asset(self) -> str:
        """Asset that groups instruments of several venues, e.g. ``BTC``."""
        return self.base

    @property
    def max_leverage(self) -> float:
        """Highest leverage of any tier."""
        return max(tier.max_leverage for tier in self.tiers)

    @overload
    def qty_base(self, qty_contracts: float, price_usd: float, *, settlement_usd: float = ...) -> float: ...
    @overload
    def qty_base(
        self, qty_contracts: ArrayLike, price_usd: ArrayLike, *, settlement_usd: ArrayLike = ...
    ) -> NDArray[np.float64]: ...
    def qty_base(
        self, qty_contracts: ArrayLike, price_usd: ArrayLike, *, settlement_usd: ArrayLike = math.nan
    ) -> float | NDArray[np.float64]:
        """Base units that ``qty_contracts`` stand for at ``price_usd``; shapes broadcast.

        A quanto contract needs ``settlement_usd``, the USD price of its settlement asset; without it NaN.
        """
        qty = np.asarray(qty_contracts, dtype=np.float64) * self.contract_size
        match self.contract_kind:
            case ContractKind.LINEAR:
                return _plain(qty + 0.0 * np.asarray(price_usd))
            case ContractKind.INVERSE:
                return _plain(qty / np.asarray(price_usd, dtype=np.float64))
            case ContractKind.QUANTO:
                return _plain(qty * np.asarray(settlement_usd, dtype=np.float64))

    @overload
    def notional_usd(
        self, qty_contracts: float, price_usd: float, *, settlement_usd: float = ...
    ) -> float: ...
    @overload
    def notional_usd(
        self, qty_contracts: ArrayLike, price_usd: ArrayLike, *, settlement_usd: ArrayLike = ...
    ) -> NDArray[np.float64]: ...
    def notional_usd(
        self, qty_contracts: ArrayLike, price_usd: ArrayLike, *, settlement_usd: ArrayLike = math.nan
    ) -> float | NDArray[np.float64]:
        """USD that ``qty_contracts`` are worth at ``price_usd``; broadcasts; quanto as in ``qty_base``."""
        if self.contract_kind == ContractKind.INVERSE:
            qty = np.asarray(qty_contracts, dtype=np.float64) * self.contract_size
            return _plain(qty + 0.0 * np.asarray(price_usd))
        base = self.qty_base(np.asarray(qty_contracts), price_usd, settlement_usd=settlement_usd)
        return _plain(base * np.asarray(price_usd, dtype=np.float64))

    @overload
    def qty_contracts(
        self, notional_usd: float, price_usd: float, *, settlement_usd: float = ...
    ) -> float: ...
    @overload
    def qty_contracts(
        self, notional_usd: ArrayLike, price_usd: ArrayLike, *, settlement_usd: ArrayLike = ...
    ) -> NDArray[np.float64]: ...
    def qty_contracts(
        self, notional_usd: ArrayLike, price_usd: ArrayLike, *, settlement_usd: ArrayLike = math.nan
    ) -> float | NDArray[np.float64]:
        """Contracts worth ``notional_usd`` at ``price_usd``, not rounded to lots; broadcasts."""
        one_usd = self.notional_usd(np.float64(1.0), price_usd, settlement_usd=settlement_usd)
        return _plain(np.asarray(notional_usd, dtype=np.float64) / one_usd)

    def tier_of(self, notional_usd: float) -> Tier:
        """Tier that holds for a position of ``notional_usd``.

        Raises:
            ValueError: the notional is negative, NaN or beyond what the last tier allows.
        """
        for tier in self.tiers:
            if tier.floor_usd <= notional_usd < tier.cap_usd:
                return tier
        raise ValueError(
            f"{self.id} has no margin tier for a notional of {notional_usd} USD "
            f"(the tiers end at {self.tiers[-1].cap_usd})"
        )

    @overload
    def liquidation_price_usd(
        self, entry_usd: float, leverage: float, side: int, *, notional_usd: float = ...
    ) -> float: ...
    @overload
    def liquidation_price_usd(
        self, entry_usd: ArrayLike, leverage: ArrayLike, side: ArrayLike, *, notional_usd: ArrayLike = ...
    ) -> NDArray[np.float64]: ...
    def liquidation_price_usd(
        self, entry_usd: ArrayLike, leverage: ArrayLike, side: ArrayLike, *, notional_usd: ArrayLike = 0.0
    ) -> float | NDArray[np.float64]:
        """Mark price at which an isolated position is forced out; arguments broadcast.

        Args:
            entry_usd: average entry price.
            leverage: notional over margin, 1 or more.
            side: ``Side.LONG`` or ``Side.SHORT`` of the position.
            notional_usd: size of the position at entry, which picks the tier.

        Returns:
            A float for scalars, else an array. 0 (long) or inf (short) where no price forces it out; NaN
            where the venue would not open it (margin not above maintenance, beyond the last tier, leverage
            under 1).
        """
        entry, lev, s, notional = _columns(entry_usd, leverage, side, notional_usd)
        ratio, deduction = self._maintenance(notional, lev)
        fee = self.taker_fee_ratio
        margin = 1.0 / lev
        mark_valued = self.formula_family == FormulaFamily.MARK_VALUED
        free = margin - ratio + deduction
        if self.contract_kind == ContractKind.INVERSE:
            dividend = s + fee + ratio if mark_valued else s + fee
            divisor = s + margin + deduction if mark_valued else s + free
        else:
            dividend = s - margin - deduction if mark_valued else s - free
            divisor = s - fee - ratio if mark_valued else s - fee
        price = _forced_out(entry, s, dividend, divisor)
        opened = free > fee
        return _plain(np.where(opened, price, np.nan))

    @overload
    def bankruptcy_price_usd(self, entry_usd: float, leverage: float, side: int) -> float: ...
    @overload
    def bankruptcy_price_usd(
        self, entry_usd: ArrayLike, leverage: ArrayLike, side: ArrayLike
    ) -> NDArray[np.float64]: ...
    def bankruptcy_price_usd(
        self, entry_usd: ArrayLike, leverage: ArrayLike, side: ArrayLike
    ) -> float | NDArray[np.float64]:
        """Price at which the margin is gone, fees aside; arguments broadcast.

        Returns:
            A float for scalars, else an array; 0 (long) or inf (short) where no price is that bad, NaN for an
            impossible entry, leverage or side.
        """
        entry, lev, s, _ = _columns(entry_usd, leverage, side, 0.0)
        if self.contract_kind == ContractKind.INVERSE:
            return _plain(_forced_out(entry, s, s, s + 1.0 / lev))
        return _plain(_forced_out(entry, s, s - 1.0 / lev, s))

    def _maintenance(
        self, notional_usd: NDArray[np.float64], leverage: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Maintenance ratio and deduction over notional of each position; NaN beyond the last tier."""
        floors = np.array([tier.floor_usd for tier in self.tiers])
        index = np.searchsorted(floors, notional_usd, side="right") - 1
        allowed = (index >= 0) & (notional_usd < self.tiers[-1].cap_usd)
        index = np.where(allowed, index, 0)
        ratio = np.array([tier.maintenance_ratio for tier in self.tiers])[index]
        deducted = np.array([tier.deduction_usd for tier in self.tiers])[index]
        share = np.divide(deducted, notional_usd, out=np.zeros(index.shape), where=deducted > 0)
        if self.formula_family == FormulaFamily.LEVERAGE_ADJUSTED:
            ratio = ratio / leverage
        return np.where(allowed, ratio, np.nan), share


def margin_tiers(
    caps_usd: Sequence[float],
    maintenance_ratios: Sequence[float],
    max_leverages: Sequence[float],
    *,
    marginal: bool,
) -> tuple[Tier, ...]:
    """Tiers from the three columns that venues publish.

    Args:
        caps_usd: notional at which each tier ends; inf or the venue's largest position for the last.
        maintenance_ratios: one per tier.
        max_leverages: one per tier.
        marginal: True where a ratio holds only for the part of the position inside its tier. Then each tier's
            deduction keeps the margin continuous: ``c[i] = c[i-1] + floor[i] (m[i] - m[i-1])``.

    Raises:
        ValueError: the columns differ in length.
    """
    tiers: list[Tier] = []
    floor_usd, deduction_usd, ratio_before = 0.0, 0.0, 0.0
    for cap_usd, ratio, max_leverage in zip(caps_usd, maintenance_ratios, max_leverages, strict=True):
        if marginal:
            deduction_usd += floor_usd * (ratio - ratio_before)
        tiers.append(Tier(floor_usd, float(cap_usd), ratio, float(max_leverage), deduction_usd))
        floor_usd, ratio_before = float(cap_usd), ratio
    return tuple(tiers)


def asset_of(instrument_id: str, contracts: Mapping[str, Instrument]) -> str:
    """Asset of an instrument: from its contract, else its symbol up to the quote currency.

    >>> asset_of("okx:BTC-USDT-SWAP", {}), asset_of("mixed:SOL", {})
    ('BTC', 'SOL')
    """
    known = contracts.get(instrument_id)
    return known.asset if known else _QUOTES.sub("", instrument_id.partition(":")[2]).upper()


def instrument_rows(instrument: Instrument, as_of_ns: int) -> NDArray[np.void]:
    """Rows of kind ``instrument``, one per tier, as known at ``as_of_ns``; shape (n_tiers,)."""
    rows = empty_rows(Kind.INSTRUMENT, len(instrument.tiers))
    rows["ts_event_ns"] = rows["ts_received_ns"] = as_of_ns
    for name in ("base", "quote", "contract_kind", "formula_family", *_NUMBERS):
        rows[name] = getattr(instrument, name)
    rows["tier"] = np.arange(len(instrument.tiers))
    for name, attribute in _TIER_FIELDS.items():
        rows[name] = [getattr(tier, attribute) for tier in instrument.tiers]
    return rows


def instruments_from_rows(instrument_id: str, rows: NDArray[np.void]) -> tuple[tuple[int, Instrument], ...]:
    """Inverse of ``instrument_rows``: ``(as_of_ns, instrument)`` of every moment in ``rows``, oldest first.

    A ``taker_fee_ratio`` of NaN means that the venue's formula is not known to count a fee, and becomes 0.

    Raises:
        ValueError: the rows of one moment do not make an instrument; the message names it.
    """
    found: list[tuple[int, Instrument]] = []
    for as_of_ns in np.unique(rows["ts_event_ns"]):
        group = rows[rows["ts_event_ns"] == as_of_ns]
        group = group[np.unique(group["tier"], return_index=True)[1]]
        tiers = tuple(
            Tier(**{attribute: float(row[name]) for name, attribute in _TIER_FIELDS.items()}) for row in group
        )
        first = group[0]
        try:
            kind = ContractKind(int(first["contract_kind"]))
            family = FormulaFamily(int(first["formula_family"]))
        except ValueError as exc:
            raise ValueError(f"{instrument_id}: {exc}") from exc
        numbers = {name: float(first[name]) for name in _NUMBERS}
        if math.isnan(numbers["taker_fee_ratio"]):
            numbers["taker_fee_ratio"] = 0.0
        instrument = Instrument(
            id=instrument_id,
            base=first["base"].decode(),
            quote=first["quote"].decode(),
            contract_kind=kind,
            formula_family=family,
            tiers=tiers,
            **numbers,
        )
        found.append((int(as_of_ns), instrument))
    return tuple(found)


def _require(instrument: Instrument, name: str, holds: bool, rule: str) -> None:  # noqa: FBT001 - the condition
    if not holds:
        raise ValueError(f"{instrument.id}: {name} must be {rule} (it is {getattr(instrument, name)!r})")


def _columns(*values: ArrayLike) -> list[NDArray[np.float64]]:
    """Entry, leverage, side and notional as float arrays; impossible ones turn NaN."""
    entry, leverage, side, notional = (np.asarray(value, dtype=np.float64) for value in values)
    entry = np.where((entry > 0) & np.isfinite(entry), entry, np.nan)
    leverage = np.where(leverage >= 1, leverage, np.nan)
    side = np.where(np.abs(side) == 1, side, np.nan)
    notional = np.where(notional >= 0, notional, np.inf)
    return list(np.broadcast_arrays(entry, leverage, side, notional))


def _forced_out(
    entry: NDArray[np.float64],
    side: NDArray[np.float64],
    dividend: NDArray[np.float64],
    divisor: NDArray[np.float64],
) -> NDArray[np.float64]:
    """``entry * dividend / divisor``; 0 (long) or inf (short) where that is infinite or not positive."""
    never = np.where(side > 0, 0.0, np.inf)
    scaled = entry * dividend
    quotient = np.divide(scaled, divisor, out=np.array(never), where=divisor != 0)
    price = np.where(quotient > 0, quotient, never)
    return np.where(np.isnan(scaled * divisor), np.nan, price)


def _plain(values: NDArray[np.float64] | np.float64) -> float | NDArray[np.float64]:
    """A Python float where every argument was a scalar."""
    return float(values) if np.ndim(values) == 0 else np.asarray(values)
