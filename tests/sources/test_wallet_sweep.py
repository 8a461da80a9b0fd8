"""Accounts are asked for where it tells the most, within the budget, and the venue's answers become rows."""

from __future__ import annotations

import asyncio
import collections
import random
import time

import numpy as np
import pytest
from tests.sources.local_venue import FakeTimer, Recording, local, now_ms, patience, until, venue

from faultline.messages import Batch, Kind, empty_rows
from faultline.sources import wallet_sweep
from faultline.sources.failures import Blocked
from faultline.sources.health import Status
from faultline.sources.mapper import VenueMapper
from faultline.sources.pacing import Backoff, Budget
from faultline.sources.plan import Poll, Request
from faultline.sources.rows import Reason
from faultline.sources.wallet_sweep import SweepSettings, Tier, WalletSweep
from faultline.testing.facts import PositionFact, TradeFact
from faultline.testing.venues import script_of

NOW_NS = 1_800_000_000 * 10**9


class Feed:
    def wallet_poll(self, wallet):
        return Poll("accounts", wallet, Request("/info", body=wallet.encode(), weight=2), float("inf"))


class Mapper(VenueMapper):
    """Every account holds what the test says."""

    venue = "hyperliquid"
    holds = {}

    def reset(self):
        pass

    def _map_frame(self, frame, out):
        out.reject(Reason.UNKNOWN_CHANNEL, "it has no socket")

    def _map_answer(self, channel, symbol, body, out):
        for coin, (side, notional_usd, liquidation_usd) in self.holds.get(symbol, {}).items():
            qty = notional_usd / 100.0
            out.wallet_position(
                coin, out.received_ns, symbol, side, qty, 100.0 if side else float("nan"),
                liquidation_price_usd=liquidation_usd, notional_usd=notional_usd,
            )  # fmt: skip


class Sweep:
    """A sweep on a clock that costs nothing; every request takes ``answer_s``."""

    def __init__(self, monkeypatch, *, weight=1e9, settings=None, answer_s=0.0, failing=()):
        monkeypatch.setattr(wallet_sweep, "_WORKERS", 1)
        self.timer, self.asked = FakeTimer(), []
        self.budget, self.answer_s, self.failing = Budget(weight, 60.0, self.timer), answer_s, set(failing)
        self.mapper = Mapper({})
        self.mapper.holds = {}
        self.sweep = WalletSweep(
            Feed(),
            self,
            self.mapper,
            stamp=lambda: NOW_NS + int(self.timer.now_s() * 1e9),
            timer=self.timer,
            backoff=Backoff(patience(), random.Random(1)),
            settings=settings,
        )

    async def fetch(self, request, share):
        await self.budget.take(request.weight, share)
        wallet = request.body.decode()
        self.asked.append((self.timer.now_s(), wallet))
        if wallet in self.failing:
            raise Blocked("the venue refuses us with HTTP 403")
        return b"{}"

    def trades(self, *wallets):
        rows = empty_rows(Kind.WALLET_FILL, len(wallets))
        rows["wallet"] = [wallet.encode() for wallet in wallets]
        self.sweep.note_fills(Batch(Kind.WALLET_FILL, "hyperliquid:BTC", rows))

    def for_s(self, seconds, each=None):
        """Run for so many seconds of the fake clock; answers are drained as the recorder would."""

        async def go():
            end_s = self.timer.now_s() + seconds
            task = asyncio.create_task(self.sweep.run())
            while self.timer.now_s() < end_s:
                assert not task.done()
                await asyncio.sleep(0)
                self.sweep.drain()
                if each is not None:
                    each(self.timer.now_s())
            task.cancel()
            await asyncio.wait({task})

        asyncio.run(go())
        return self

    def times(self, wallet):
        return [at_s for at_s, one in self.asked if one == wallet]


def test_an_account_that_trades_is_discovered_asked_at_once_and_every_half_minute(monkeypatch):
    sweep = Sweep(monkeypatch)
    sweep.trades("0xa", "0xb", "0xa")
    sweep.for_s(125.0)
    for wallet in ("0xa", "0xb"):
        times = sweep.times(wallet)
        assert times[0] == pytest.approx(0.0, abs=1.0)
        assert np.diff(times) == pytest.approx(30.0, abs=1.5)
        assert len(times) == 5
    assert sweep.sweep.n_wallets == 2


def test_tiers_follow_from_trades_and_positions(monkeypatch):
    sweep = Sweep(monkeypatch)
    sweep.mapper.holds = {
        "0xnear": {"BTC": (1, 2e6, 97.0)},
        "0xfar": {"BTC": (1, 2e6, 50.0)},
        "0xsmall": {"BTC": (-1, 5e5, 101.0)},
        "0xunknown": {"BTC": (1, 2e6, float("nan"))},
    }
    sweep.sweep.follow([*sweep.mapper.holds, "0xempty"])
    sweep.for_s(15_000.0)
    tiers = {wallet: sweep.sweep.tier_of(wallet) for wallet in (*sweep.mapper.holds, "0xempty", "0xnobody")}
    assert tiers == {
        "0xnear": Tier.HOT,
        "0xfar": Tier.WARM,
        "0xsmall": Tier.WARM,
        "0xunknown": Tier.WARM,
        "0xempty": Tier.COLD,
        "0xnobody": None,
    }
    assert len(sweep.times("0xnear")) == pytest.approx(500, rel=0.05)
    assert len(sweep.times("0xfar")) == pytest.approx(25, abs=2)
    assert len(sweep.times("0xempty")) == 2


def test_an_account_cools_when_it_stops_trading_and_holds_nothing(monkeypatch):
    sweep = Sweep(monkeypatch)
    sweep.trades("0xa")
    sweep.for_s(590.0)
    assert sweep.sweep.tier_of("0xa") is Tier.HOT
    sweep.for_s(700.0)
    assert sweep.sweep.tier_of("0xa") is Tier.WARM
    sweep.for_s(88_000.0)
    assert sweep.sweep.tier_of("0xa") is Tier.COLD


def test_a_position_that_is_gone_does_not_keep_an_account_hot(monkeypatch):
    sweep = Sweep(monkeypatch)
    sweep.mapper.holds = {"0xa": {"BTC": (1, 2e6, 99.0)}}
    sweep.sweep.follow(["0xa"])
    sweep.for_s(100.0)
    assert sweep.sweep.tier_of("0xa") is Tier.HOT
    sweep.mapper.holds = {"0xa": {"BTC": (0, 0.0, float("nan"))}}
    sweep.for_s(100.0)
    assert sweep.sweep.tier_of("0xa") is Tier.COLD


def test_where_the_budget_does_not_reach_all_tiers_fall_behind_alike_and_none_starves(monkeypatch):
    # 300 requests a minute: 20 hot and 600 warm accounts would need 100 a minute; 200 hot ones alone 400.
    settings = SweepSettings(share=1.0)
    sweep = Sweep(monkeypatch, weight=600, settings=settings)
    hot = [f"0xhot{number}" for number in range(200)]
    warm = [f"0xwarm{number}" for number in range(600)]
    sweep.mapper.holds = {wallet: {"BTC": (1, 2e6, 99.0)} for wallet in hot}
    sweep.mapper.holds |= {wallet: {"BTC": (1, 2e6, 50.0)} for wallet in warm}
    sweep.sweep.follow([*hot, *warm])
    sweep.for_s(3600.0)
    late = collections.Counter(wallet for at_s, wallet in sweep.asked if at_s > 1800.0)
    per_hot = sum(late[wallet] for wallet in hot) / len(hot)
    per_warm = sum(late[wallet] for wallet in warm) / len(warm)
    assert per_hot / per_warm == pytest.approx(20.0, rel=0.15)
    assert min(late[wallet] for wallet in hot) >= 0.8 * per_hot
    assert min(late[wallet] for wallet in warm) >= 1
    assert sum(late.values()) == pytest.approx(300 * 30, rel=0.02)


def test_a_flood_of_new_accounts_does_not_starve_those_that_are_known(monkeypatch):
    sweep = Sweep(monkeypatch, weight=120, settings=SweepSettings(share=1.0))
    sweep.mapper.holds = {"0xwhale": {"BTC": (1, 5e6, 99.0)}}
    sweep.sweep.follow(["0xwhale"])
    counter = iter(range(10**9))
    sweep.for_s(600.0, each=lambda at_s: sweep.trades(f"0x{next(counter)}") if at_s > 60 else None)
    assert len([at_s for at_s in sweep.times("0xwhale") if at_s > 120]) >= 3


def test_accounts_are_bounded_and_a_cold_one_makes_room(monkeypatch):
    sweep = Sweep(monkeypatch, settings=SweepSettings(wallets_max=10))
    sweep.sweep.follow([f"0xcold{number}" for number in range(10)])
    sweep.for_s(5.0)
    sweep.trades(*(f"0xnew{number}" for number in range(8)))
    assert sweep.sweep.n_wallets == 10
    assert all(sweep.sweep.tier_of(f"0xnew{number}") is Tier.HOT for number in range(8))
    sweep.trades(*(f"0xmore{number}" for number in range(8)))
    assert sweep.sweep.n_wallets == 10
    assert sweep.sweep.n_turned_away == 6
    sweep.for_s(100.0)


def test_a_refusal_is_told_and_does_not_end_the_sweep(monkeypatch):
    sweep = Sweep(monkeypatch, failing=("0xa",))
    assert sweep.sweep.state()[0] is Status.QUIET
    sweep.trades("0xa")
    sweep.for_s(5.0)
    assert sweep.sweep.state() == (Status.BLOCKED, "the venue refuses us with HTTP 403")
    sweep.failing.clear()
    sweep.for_s(60.0)
    assert sweep.sweep.state() == (Status.LIVE, "1 accounts: 1 hot, 0 warm, 0 cold")


def test_while_it_is_held_nothing_is_asked(monkeypatch):
    sweep = Sweep(monkeypatch)
    sweep.trades("0xa")

    async def go():
        sweep.sweep.hold(is_held=True)
        task = asyncio.create_task(sweep.sweep.run())
        for _ in range(50):
            await asyncio.sleep(0)
        held = list(sweep.asked)
        sweep.sweep.hold(is_held=False)
        for _ in range(50):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        return held

    assert asyncio.run(go()) == []
    assert sweep.asked


def test_a_recorder_asks_for_the_accounts_it_sees_trading():
    script = script_of("hyperliquid")
    coin = next(item for item in script.contracts if item.base == "BTC")
    whale, other = "0x" + "ab" * 20, "0x" + "cd" * 20

    async def go():
        async with local(script) as server:
            recording = Recording([server], venues=[venue("hyperliquid")])
            async with recording.running():
                await until(lambda: recording.channel("trades", "hyperliquid").status == "quiet")
                await server.publish(
                    PositionFact(coin.symbol, now_ms(), whale, 1, 3.0, coin.price_usd, 20.0),
                    TradeFact(coin.symbol, now_ms(), 1, coin.price_usd, 0.5, 1, users=(whale, other)),
                )
                name = f"hyperliquid:{coin.symbol}"
                await until(lambda: recording.rows(Kind.WALLET_POSITION, name))
                await until(lambda: recording.channel("clearinghouseState", "hyperliquid").status == "live")
            return recording.rows(Kind.WALLET_POSITION, name), recording.rows(Kind.WALLET_FILL, name)

    began_s = time.monotonic()
    positions, fills = asyncio.run(go())
    assert {row["wallet"].decode() for row in fills} == {whale, other}
    assert positions[0]["wallet"].decode() == whale
    assert (positions[0]["side"], positions[0]["qty_base"]) == (1, 3.0)
    assert time.monotonic() - began_s < 30.0
