"""Accounts that one run found are followed by the next one, in their tiers and in their turn."""

from __future__ import annotations

import asyncio
import collections

import msgspec
import pytest
import structlog
from tests.sources.local_venue import Recording, local, now_ms, patience, until, venue
from tests.sources.test_wallet_sweep import Sweep

from faultline.messages import Kind
from faultline.sources.kept_wallets import KeptWallet, read_wallets, write_wallets
from faultline.sources.wallet_sweep import SweepSettings, Tier
from faultline.testing.facts import PositionFact, TradeFact
from faultline.testing.venues import script_of

SLUG = "hyperliquid"
WALLETS = [
    KeptWallet("0xa", 5, 7, {"BTC": True, "ETH": False}),
    KeptWallet("0xb", None, 9),
    KeptWallet("0xc", 8),
]


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "wallets" / "hyperliquid.json"
    assert read_wallets(path, SLUG) == []
    write_wallets(path, SLUG, WALLETS)
    assert read_wallets(path, SLUG) == WALLETS
    write_wallets(path, SLUG, WALLETS[:1])
    assert read_wallets(path, SLUG) == WALLETS[:1]
    assert [one.name for one in path.parent.iterdir()] == ["hyperliquid.json"]


def spoilt(body):
    """Files that are none of ours."""
    found = msgspec.json.decode(body)
    yield body[:-7]
    yield b""
    yield b"[]"
    yield msgspec.json.encode(found | {"venue": "lighter"})
    yield msgspec.json.encode(found | {"version": 2})
    yield msgspec.json.encode(found | {"wallets": [["0xa", "yesterday"]]})
    yield msgspec.json.encode(found | {"more": 1})


def test_a_file_that_is_damaged_or_another_venue_s_is_not_used_and_that_is_told(tmp_path, monkeypatch):
    path = tmp_path / "hyperliquid.json"
    write_wallets(path, SLUG, WALLETS)
    body = path.read_bytes()
    for other in spoilt(body):
        path.write_bytes(other)
        with structlog.testing.capture_logs() as logs:
            assert read_wallets(path, SLUG) == []
        assert [one["event"] for one in logs] == ["kept accounts cannot be used"]
    path.write_bytes(body)
    monkeypatch.setattr("faultline.sources.kept_wallets._BYTES_MAX", len(body) - 1)
    with structlog.testing.capture_logs() as logs:
        assert read_wallets(path, SLUG) == []
    assert "too large" in logs[0]["error"]


def test_a_disk_that_refuses_leaves_what_was_kept_before(tmp_path):
    path = tmp_path / "hyperliquid.json"
    write_wallets(path, SLUG, WALLETS)
    (tmp_path / ".hyperliquid.json.partial").mkdir()
    with structlog.testing.capture_logs() as logs:
        write_wallets(path, SLUG, WALLETS[:1])
    assert [one["event"] for one in logs] == ["accounts cannot be kept for the next run"]
    assert read_wallets(path, SLUG) == WALLETS


def test_more_accounts_than_a_file_holds_are_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr("faultline.sources.kept_wallets._WALLETS_MAX", 2)
    write_wallets(tmp_path / "x.json", SLUG, WALLETS)
    assert read_wallets(tmp_path / "x.json", SLUG) == WALLETS[:2]


# ---------------------------------------------------------------- the sweep


def first_run(monkeypatch):
    """A sweep that knows accounts of every tier, and one that it never asked for."""
    sweep = Sweep(monkeypatch)
    sweep.mapper.holds = {"0xnear": {"BTC": (1, 2e6, 97.0)}, "0xfar": {"BTC": (1, 2e6, 50.0)}}
    sweep.sweep.follow([*sweep.mapper.holds, "0xempty"])
    sweep.for_s(2_000.0)
    sweep.trades("0xhot")
    sweep.for_s(100.0)
    sweep.sweep.follow(["0xfresh"])
    return sweep


def next_run(monkeypatch, before, *, later_s, **settings):
    """A sweep that goes on so many seconds after another."""
    sweep = Sweep(monkeypatch, **settings)
    sweep.timer.at_s = before.timer.at_s + later_s
    sweep.mapper.holds = before.mapper.holds
    sweep.sweep.resume(before.sweep.kept())
    return sweep


def test_the_next_run_goes_on_with_every_account_in_its_tier(monkeypatch):
    before = first_run(monkeypatch)
    after = next_run(monkeypatch, before, later_s=60.0)
    names = ("0xnear", "0xfar", "0xempty", "0xhot", "0xfresh")
    tiers = [Tier.HOT, Tier.WARM, Tier.COLD, Tier.HOT, Tier.WARM]
    assert [before.sweep.tier_of(name) for name in names] == tiers
    assert [after.sweep.tier_of(name) for name in names] == tiers
    # Hot ones and the one never asked for are due, the others in their time.
    after.for_s(20.0)
    assert {wallet for _, wallet in after.asked} == {"0xnear", "0xhot", "0xfresh"}
    after.for_s(900.0)
    counts = collections.Counter(wallet for _, wallet in after.asked)
    assert counts["0xnear"] == pytest.approx(31, abs=2)
    assert counts["0xfar"] in {1, 2}
    assert counts["0xempty"] == 0


def test_what_was_hot_long_ago_is_not_hot_any_more(monkeypatch):
    after = next_run(monkeypatch, first_run(monkeypatch), later_s=3 * 86_400.0)
    assert after.sweep.tier_of("0xhot") is Tier.COLD
    assert after.sweep.tier_of("0xnear") is Tier.HOT
    after.for_s(100.0)
    assert {wallet for _, wallet in after.asked} == {"0xnear", "0xfar", "0xempty", "0xhot", "0xfresh"}


def test_no_more_are_followed_than_may_be(monkeypatch):
    settings = SweepSettings(wallets_max=3)
    after = next_run(monkeypatch, first_run(monkeypatch), later_s=1.0, settings=settings)
    assert after.sweep.n_wallets == 3


# ---------------------------------------------------------------- the recorder


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_recorder_asks_for_the_accounts_that_an_earlier_one_saw_trading(tmp_path, is_killed):
    script = script_of(SLUG)
    coin = next(item for item in script.contracts if item.base == "BTC")
    whale, other = "0x" + "ab" * 20, "0x" + "cd" * 20
    path = tmp_path / "wallets" / "hyperliquid.json"

    async def go():
        async with local(script) as server:
            options = {
                "venues": [venue(SLUG)],
                "wallets_folder": path.parent,
                "patience": patience(keep_s=0.05 if is_killed else 3600.0),
            }
            first, second = Recording([server], **options), Recording([server], **options)
            async with first.running():
                await until(lambda: first.channel("trades", SLUG).status == "quiet")
                await server.publish(
                    PositionFact(coin.symbol, now_ms(), whale, 1, 3.0, coin.price_usd, 20.0),
                    TradeFact(coin.symbol, now_ms(), 1, coin.price_usd, 0.5, 1, users=(whale, other)),
                )
                await until(lambda: first.rows(Kind.WALLET_POSITION, f"{SLUG}:{coin.symbol}"))
                if is_killed:
                    # Written while it runs.
                    await until(lambda: {one.wallet for one in read_wallets(path, SLUG)} == {whale, other})
            kept = read_wallets(path, SLUG)
            assert {one.wallet for one in kept} == {whale, other}
            # They were asked for just now: another is due at once.
            write_wallets(path, SLUG, [KeptWallet(whale)])
            async with second.running():
                await until(lambda: second.rows(Kind.WALLET_POSITION, f"{SLUG}:{coin.symbol}"))
            return second.rows(Kind.WALLET_POSITION, f"{SLUG}:{coin.symbol}")

    positions = asyncio.run(go())
    assert {row["wallet"].decode() for row in positions} == {whale}
