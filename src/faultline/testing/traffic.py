"""Contracts and a seed in, an endless stream of facts out: prices walk, books hold together, sequence numbers rise.

The market is made up and follows no law: it is there to load connectors and to be counted. Whoever wants a market that
behaves takes the simulator.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.errors import ConfigError
from faultline.messages import Kind
from faultline.testing.facts import (
    BookFact,
    FundingFact,
    LiquidationFact,
    MarkFact,
    OpenInterestFact,
    RatioFact,
    TradeFact,
)
from faultline.units import HOUR_NS, MILLISECOND_NS, SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from faultline.testing.facts import Fact
    from faultline.testing.script import ScriptContract

__all__ = ("SHARES", "Traffic")

#: Shares of the kinds; what a venue does not tell over a socket is shown by its REST answers.
SHARES: Final[Mapping[Kind, float]] = {
    Kind.TRADE: 0.60,
    Kind.BOOK_LEVEL: 0.25,
    Kind.MARK: 0.06,
    Kind.LIQUIDATION: 0.04,
    Kind.OPEN_INTEREST: 0.03,
    Kind.FUNDING: 0.01,
    Kind.RATIO: 0.01,
}

#: Levels of a snapshot, on each side, one tick apart.
_LEVELS: Final = 20
_FUNDING_EVERY_NS: Final = 8 * HOUR_NS
_ACCOUNTS: Final = 40


@dataclasses.dataclass(slots=True)
class _Market:
    """One contract: its mid price in ticks, its book (quantity by tick, bids below the mid), its open interest."""

    contract: ScriptContract
    mid: int
    oi_base: float
    bids: dict[int, float] = dataclasses.field(default_factory=dict)
    asks: dict[int, float] = dataclasses.field(default_factory=dict)
    book_seq: int = 0

    def price_usd(self, tick: int) -> float:
        return round(tick * self.contract.tick_usd, 9)


class Traffic:
    """Facts of some contracts, one after the other; iterate, or ``take`` some.

    Args:
        contracts: of a script.
        seed: of all chance; the same seed gives the same facts.
        start_ns: time of the first fact, in whole milliseconds, as most venues tell it.
        rate_per_s: facts per second of their own time; inf gives all of them the same time.
        shares: of the kinds, in any unit; by default ``SHARES``.
        first_seq: sequence number of the first trade or liquidation; books count on their own from it.

    Raises:
        ConfigError: there are no contracts, no shares, or the rate is not positive.
    """

    def __init__(
        self,
        contracts: Sequence[ScriptContract],
        seed: int,
        *,
        start_ns: int,
        rate_per_s: float = 100.0,
        shares: Mapping[Kind, float] | None = None,
        first_seq: int = 1,
    ) -> None:
        shares = SHARES if shares is None else shares
        unknown = [kind for kind in shares if kind not in SHARES]
        if not contracts or unknown or not sum(shares.values()) > 0 or not rate_per_s > 0:
            raise ConfigError("no traffic can be made of this", where="contracts, shares or rate_per_s")
        self._rng = np.random.default_rng(seed)
        self._now_ns = float(start_ns)
        self._step_ns = SECOND_NS / rate_per_s
        self._seq = first_seq
        self._kinds = list(shares)
        self._up_to = np.cumsum(list(shares.values())) / sum(shares.values())
        self._wallets = tuple(f"0x{part.hex()}" for part in (self._rng.bytes(20) for _ in range(_ACCOUNTS)))
        self._markets = [
            _Market(one, round(one.price_usd / one.tick_usd), 5e7 / one.price_usd, book_seq=first_seq)
            for one in contracts
        ]
        self._make: dict[Kind, Callable[[_Market, int], Fact]] = {
            Kind.TRADE: self._trade,
            Kind.BOOK_LEVEL: self._book,
            Kind.MARK: self._mark,
            Kind.LIQUIDATION: self._liquidation,
            Kind.OPEN_INTEREST: self._open_interest,
            Kind.FUNDING: self._funding,
            Kind.RATIO: self._ratio,
        }

    def __iter__(self) -> Iterator[Fact]:
        return self

    def __next__(self) -> Fact:
        """The next fact, at its own time."""
        self._now_ns += self._step_ns * float(self._rng.exponential())
        return self.make(int(self._now_ns) // MILLISECOND_NS * MILLISECOND_NS)

    def take(self, n: int) -> list[Fact]:
        """The next ``n`` facts, each at its own time."""
        return [next(self) for _ in range(n)]

    def make(self, ts_ns: int) -> Fact:
        """The next fact, at a given time."""
        kind = self._kinds[int(np.searchsorted(self._up_to, self._rng.random(), side="right"))]
        market = self._markets[int(self._rng.integers(len(self._markets)))]
        return self._make[kind](market, ts_ns)

    def snapshots(self, ts_ns: int) -> list[Fact]:
        """A snapshot of every book, as a venue sends when a connection begins."""
        return [self._snapshot(market, ts_ns) for market in self._markets]

    def _trade(self, market: _Market, ts_ns: int) -> Fact:
        taker_side = 1 if self._rng.random() < 0.5 else -1
        self._walk(market)
        taker, maker = self._rng.integers(0, _ACCOUNTS, 2)
        return TradeFact(
            symbol=market.contract.symbol,
            ts_ns=ts_ns,
            seq=self._next_seq(),
            price_usd=market.price_usd(market.mid + taker_side),
            qty_base=self._qty(market),
            taker_side=taker_side,
            users=(self._wallets[taker], self._wallets[maker]),
        )

    def _liquidation(self, market: _Market, ts_ns: int) -> Fact:
        side = 1 if self._rng.random() < 0.5 else -1
        price_usd = market.price_usd(market.mid - 5 * side)
        return LiquidationFact(
            market.contract.symbol, ts_ns, self._next_seq(), side, price_usd, self._qty(market)
        )

    def _book(self, market: _Market, ts_ns: int) -> Fact:
        """Some levels change; those that the mid has passed are gone."""
        if not market.bids:
            return self._snapshot(market, ts_ns)
        self._walk(market)
        sides = []
        for side, levels in ((-1, market.bids), (1, market.asks)):
            changed = {tick: 0.0 for tick in levels if (tick - market.mid) * side <= 0}
            for offset in self._rng.integers(1, _LEVELS + 1, size=2):
                tick = market.mid + side * int(offset)
                is_gone = tick in levels and self._rng.random() < 0.3
                changed[tick] = 0.0 if is_gone else self._qty(market)
            levels.update(changed)
            for tick in [tick for tick, qty in levels.items() if qty == 0.0]:
                del levels[tick]
            sides.append(tuple((market.price_usd(tick), qty) for tick, qty in changed.items()))
        market.book_seq += 1
        return BookFact(market.contract.symbol, ts_ns, market.book_seq, sides[0], sides[1], is_snapshot=False)

    def _snapshot(self, market: _Market, ts_ns: int) -> Fact:
        offsets = range(1, _LEVELS + 1)
        market.bids = {market.mid - offset: self._qty(market) for offset in offsets}
        market.asks = {market.mid + offset: self._qty(market) for offset in offsets}
        bids, asks = (
            tuple((market.price_usd(tick), qty) for tick, qty in levels.items())
            for levels in (market.bids, market.asks)
        )
        market.book_seq += 1
        return BookFact(market.contract.symbol, ts_ns, market.book_seq, bids, asks, is_snapshot=True)

    def _mark(self, market: _Market, ts_ns: int) -> Fact:
        index = market.mid + int(self._rng.integers(-3, 4))
        return MarkFact(market.contract.symbol, ts_ns, market.price_usd(market.mid), market.price_usd(index))

    def _funding(self, market: _Market, ts_ns: int) -> Fact:
        rate_ratio = round(float(self._rng.normal(1e-4, 5e-5)), 8)
        next_ns = (ts_ns // _FUNDING_EVERY_NS + 1) * _FUNDING_EVERY_NS
        return FundingFact(market.contract.symbol, ts_ns, rate_ratio, next_ns)

    def _open_interest(self, market: _Market, ts_ns: int) -> Fact:
        market.oi_base = round(market.oi_base * float(np.exp(self._rng.normal(0.0, 1e-3))), 3)
        return OpenInterestFact(market.contract.symbol, ts_ns, market.oi_base, market.price_usd(market.mid))

    def _ratio(self, market: _Market, ts_ns: int) -> Fact:
        return RatioFact(
            market.contract.symbol, ts_ns, "accounts", round(float(self._rng.uniform(0.3, 0.7)), 4)
        )

    def _walk(self, market: _Market) -> None:
        """One tick up, down or none; never near zero."""
        market.mid = max(market.mid + int(self._rng.integers(-1, 2)), 2 * _LEVELS)

    def _qty(self, market: _Market) -> float:
        """Whole contracts (of one base unit: thousandths) worth some 10 USD to 100,000 USD, in base units."""
        contract, price_usd = market.contract, market.price_usd(market.mid)
        value_usd = float(np.exp(self._rng.uniform(np.log(10.0), np.log(1e5))))
        if contract.is_inverse:
            return max(round(value_usd / contract.contract_size), 1) * contract.contract_size / price_usd
        step = contract.contract_size if contract.contract_size != 1.0 else 0.001
        return round(max(round(value_usd / price_usd / step), 1) * step, 9)

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq - 1
