"""What happened on one venue in, message rows as a client of that venue would receive them out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from faultline.messages import Batch, Flag, Kind, TradeCause, empty_rows
from faultline.simulator.archetypes import MARGIN_FAMILY, PRINT_KIND, venue_rules
from faultline.simulator.book_rows import book_rows
from faultline.simulator.margin import deductions_usd
from faultline.simulator.reporting import Reporter, event_key
from faultline.simulator.state import CLOSED_WINNER
from faultline.simulator.stress import Stress
from faultline.units import HOUR_NS, MILLISECOND_NS, MINUTE_NS, SECOND_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.simulator.asset_market import Happenings
    from faultline.simulator.reporting import Reported
    from faultline.simulator.schema import AssetSpec, VenueSpec, World

__all__ = ("Channel", "contract_rows", "instrument_id")

#: Column of a liquidation that is printed, by its name in a world file.
_PRINTED = {
    "bankruptcy": "bankruptcy_price_usd",
    "fill": "fill_price_usd",
    "trigger": "level_price_usd",
    "mark": "mark_price_usd",
}


def instrument_id(venue: VenueSpec, asset: AssetSpec) -> str:
    """Id of the perpetual of an asset on a venue, e.g. ``simx:BTCUSDT``, or ``simz:BTCUSD`` where it is inverse."""
    return f"{venue.slug}:{asset.base}{'USD' if venue.contract == 'inverse' else asset.quote}"


def contract_rows(world: World, start_ns: int) -> list[Batch]:
    """The contract of every instrument of a world, which needs no simulation: one batch of INSTRUMENT rows each."""
    return [
        batch
        for asset in world.assets
        for row in range(len(world.venues))
        for batch in Channel(world, asset, row, start_ns, seed=0).take(start_ns + 1)
    ]


class Channel:
    """All public channels of one instrument, with the rows that have not yet arrived."""

    def __init__(self, world: World, asset: AssetSpec, venue_row: int, start_ns: int, seed: int) -> None:
        self._world = world
        self._asset = asset
        self._venue_row = venue_row
        self._venue = world.venues[venue_row]
        self._start_ns = start_ns
        self._latency_ns = self._venue.latency_ms * MILLISECOND_NS
        self._rules = venue_rules(self._venue)
        self._is_inverse = self._venue.contract == "inverse"
        self._waiting: dict[Kind, list[NDArray[np.void]]] = {}
        self._seq = dict.fromkeys(Kind, 0)
        self.id = instrument_id(self._venue, asset)
        self._reporter = Reporter(self._venue, seed, self.id)
        self._stress = Stress(self._venue, asset, seed, self.id)
        self._last_received_ns: dict[Kind, int] = {}
        self._hold(Kind.INSTRUMENT, self._instrument_rows())

    def add(self, happenings: Happenings, now_ns: int) -> NDArray[np.int64]:
        """Take over what happened; returns the ``event_key`` of each liquidation that is published by it."""
        samples = self._mine(happenings.samples)
        if self._stress.is_on:
            self._keep(Kind.GAP, self._stress.note(samples))
        if self._world.trades:
            self._hold(Kind.TRADE, self._trade_rows(self._mine(happenings.trades)))
        if self._world.marks_every_s:
            self._hold(Kind.MARK, self._mark_rows(samples))
        self._hold(
            Kind.OPEN_INTEREST,
            self._interest_rows(
                self._each(samples, self._venue.open_interest_every_s or self._world.open_interest_every_s)
            ),
        )
        self._hold(Kind.FUNDING, self._funding_rows(self._each(samples, self._world.funding_every_s)))
        if self._world.bars:
            self._hold(Kind.BAR, self._bar_rows(self._mine(happenings.bars)))
        if self._venue.book_usd > 0 and self._world.book_every_s:
            chosen = self._each(samples, self._world.book_every_s)
            rows = book_rows(chosen, self._world, self._asset, self._venue)
            rows["ts_received_ns"] = rows["ts_event_ns"] + self._latency_ns
            self._hold(Kind.BOOK_LEVEL, rows)
        exits = self._mine(happenings.liquidations)
        is_winner = exits["kind"] == CLOSED_WINNER
        if is_winner.any():
            self._hold(Kind.ADL, self._winner_rows(exits[is_winner]))
            exits = exits[~is_winner]
        reported = self._reporter.publish(exits, now_ns)
        self._hold(Kind.LIQUIDATION, self._liquidation_rows(reported))
        events = reported.events
        return event_key(events[~self._stress.is_lost(events["ts_ns"])] if self._stress.is_on else events)

    def take(self, to_ns: int) -> list[Batch]:
        """Rows received before ``to_ns`` that have not been taken yet."""
        batches: list[Batch] = []
        for kind in list(self._waiting):
            parts = self._waiting.pop(kind)
            rows = parts[0] if len(parts) == 1 else np.concatenate(parts)
            cut = int(np.searchsorted(rows["ts_received_ns"], to_ns))
            if cut < len(rows):
                self._waiting[kind] = [rows[cut:]]
            if cut:
                batches.append(Batch(kind, self.id, rows[:cut]))
        return batches

    def _mine(self, rows: NDArray[np.void]) -> NDArray[np.void]:
        return rows[np.flatnonzero(rows["venue"] == self._venue_row)]

    def _each(self, samples: NDArray[np.void], every_s: int) -> NDArray[np.void]:
        if not every_s:
            return samples[:0]
        return samples[np.flatnonzero(samples["ts_ns"] % (every_s * SECOND_NS) == 0)]

    def _hold(self, kind: Kind, rows: NDArray[np.void]) -> None:
        """Keep the rows that get through, with the latency of the moment, in order of arrival."""
        if self._stress.is_on and len(rows):
            moments = rows["ts_received_ns"] if kind is Kind.BAR else rows["ts_event_ns"]
            is_kept = ~self._stress.is_lost(moments)
            rows, moments = rows[is_kept], moments[is_kept]
            received_ns = rows["ts_received_ns"] + self._stress.delay_ns(moments)
            received_ns = np.append(self._last_received_ns.get(kind, 0), received_ns)
            rows["ts_received_ns"] = np.maximum.accumulate(received_ns)[1:]
            self._last_received_ns[kind] = int(np.max(received_ns))
        self._keep(kind, rows)

    def _keep(self, kind: Kind, rows: NDArray[np.void]) -> None:
        """Number the rows, those of a snapshot of the book alike, and keep those of after the start."""
        rows = rows[rows["ts_event_ns"] >= self._start_ns]
        if len(rows):
            numbers = np.arange(len(rows))
            if kind is Kind.BOOK_LEVEL:
                numbers = np.unique(rows["ts_event_ns"], return_inverse=True)[1]
            rows["seq"] = self._seq[kind] + numbers
            self._seq[kind] += int(numbers[-1]) + 1
            self._waiting.setdefault(kind, []).append(rows)

    def _rows(self, kind: Kind, ts_event_ns: NDArray[np.int64], delay_ns: int) -> NDArray[np.void]:
        rows = empty_rows(kind, len(ts_event_ns))
        rows["ts_event_ns"] = ts_event_ns
        rows["ts_received_ns"] = ts_event_ns + delay_ns
        return rows

    def _trade_rows(self, trades: NDArray[np.void]) -> NDArray[np.void]:
        rows = self._rows(Kind.TRADE, trades["ts_ns"], self._latency_ns)
        rows["price_usd"] = trades["price_usd"]
        rows["qty_base"] = self._qty_base(trades["lots"], trades["price_usd"])
        rows["taker_side"] = trades["taker_side"]
        rows["cause"] = TradeCause.ORDINARY
        return rows

    def _mark_rows(self, samples: NDArray[np.void]) -> NDArray[np.void]:
        rows = self._rows(Kind.MARK, samples["ts_ns"], self._latency_ns)
        rows["mark_price_usd"] = samples["mark_price_usd"]
        rows["index_price_usd"] = samples["index_price_usd"]
        return rows

    def _interest_rows(self, samples: NDArray[np.void]) -> NDArray[np.void]:
        rows = self._rows(Kind.OPEN_INTEREST, samples["ts_ns"], self._latency_ns)
        rows["oi_base"] = self._qty_base(samples["oi_lots"], samples["mark_price_usd"])
        rows["oi_usd"] = rows["oi_base"] * samples["mark_price_usd"]
        return rows

    def _funding_rows(self, samples: NDArray[np.void]) -> NDArray[np.void]:
        rows = self._rows(Kind.FUNDING, samples["ts_ns"], self._latency_ns)
        rows["rate_ratio"] = samples["funding_ratio"]
        rows["interval_ns"] = self._world.funding_hours * HOUR_NS
        rows["next_ns"] = samples["next_funding_ns"]
        return rows

    def _bar_rows(self, bars: NDArray[np.void]) -> NDArray[np.void]:
        rows = self._rows(Kind.BAR, bars["ts_ns"], MINUTE_NS)
        for name in ("open_usd", "high_usd", "low_usd", "close_usd"):
            rows[name] = bars[name]
        rows["buy_qty_base"] = self._qty_base(bars["buy_lots"], bars["close_usd"])
        rows["sell_qty_base"] = self._qty_base(bars["sell_lots"], bars["close_usd"])
        return rows

    def _qty_base(self, lots: NDArray[np.int64], price_usd: NDArray[np.float64]) -> NDArray[np.float64]:
        """Base units of lots; contracts of an inverse venue are converted at the price."""
        if self._is_inverse:
            return np.asarray(lots * self._venue.contract_usd / price_usd)
        return np.asarray(lots * self._asset.lot_base)

    def _liquidation_rows(self, reported: Reported) -> NDArray[np.void]:
        events = reported.events
        rows = self._rows(Kind.LIQUIDATION, events["ts_ns"], 0)
        rows["ts_received_ns"] = reported.received_ns
        rows["flags"] = Flag.SAMPLED if self._reporter.is_sampled else Flag.NONE
        rows["side"] = np.where(reported.is_wrong_side, -events["side"], events["side"])
        rows["price_kind"] = PRINT_KIND[self._rules.print_price]
        tick_usd = self._asset.tick_usd
        printed_usd = events[_PRINTED[self._rules.print_price]]
        rows["price_usd"] = np.maximum(np.round(printed_usd / tick_usd), 1.0) * tick_usd
        rows["qty_base"] = self._qty_base(events["lots"], rows["price_usd"])
        rows["notional_usd"] = rows["qty_base"] * rows["price_usd"]
        return rows

    def _winner_rows(self, exits: NDArray[np.void]) -> NDArray[np.void]:
        rows = self._rows(Kind.ADL, exits["ts_ns"], self._latency_ns)
        rows["side"] = exits["side"]
        rows["price_usd"] = np.round(exits["fill_price_usd"] / self._asset.tick_usd) * self._asset.tick_usd
        rows["qty_base"] = self._qty_base(exits["lots"], rows["price_usd"])
        rows["wallet"] = np.char.add(b"position-", exits["position_id"].astype("S20"))
        return rows

    def _instrument_rows(self) -> NDArray[np.void]:
        """One row per margin tier, known from the start."""
        tiers, asset = self._venue.tiers, self._asset
        quote = "USD" if self._is_inverse else asset.quote
        rows = empty_rows(Kind.INSTRUMENT, len(tiers))
        rows["ts_event_ns"] = rows["ts_received_ns"] = self._start_ns
        rows["base"], rows["quote"] = asset.base.encode(), quote.encode()
        rows["formula_family"] = MARGIN_FAMILY[self._rules.margin_rule]
        rows["contract_kind"] = int(self._is_inverse)
        rows["contract_size"] = self._venue.contract_usd if self._is_inverse else 1.0
        rows["tick_usd"] = asset.tick_usd
        rows["lot_base"] = self._venue.contract_usd / asset.price_usd if self._is_inverse else asset.lot_base
        rows["tier"] = np.arange(len(tiers))
        caps = [tier.cap_usd for tier in tiers]
        rows["tier_floor_usd"] = [0.0, *caps[:-1]]
        rows["tier_cap_usd"] = [*caps[:-1], math.inf]
        rows["maintenance_ratio"] = [tier.maintenance_ratio for tier in tiers]
        rows["max_leverage"] = [tier.max_leverage for tier in tiers]
        rows["deduction_usd"] = deductions_usd(tiers)
        rows["taker_fee_ratio"] = self._venue.taker_fee_ratio
        if self._venue.insurance_fund_usd > 0:
            rows["insurance_fund_usd"] = self._venue.insurance_fund_usd
        return rows
