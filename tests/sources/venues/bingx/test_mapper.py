"""BingX's traps, on frames of our own, and its recorded frames and answers."""

from __future__ import annotations

import collections
import gzip
import json

import numpy as np
import pytest
from tests.sources.venues.play import NOW_NS, Play, book_of, stored_frames

from faultline.messages import Kind
from faultline.sources.control import Confirmed, Refused, Reply, Resync
from faultline.sources.plan import Beat, Unzip
from faultline.sources.rows import Reason
from faultline.units import HOUR_NS, MILLISECOND_NS

NOW_MS = NOW_NS // MILLISECOND_NS
BTC = "BTC-USDT"


@pytest.fixture
def play():
    return Play("bingx")


@pytest.fixture
def mapper(play):
    return play.venue.mapper(play.contracts)


def push(play, mapper, topic, body):
    mapper.map(json.dumps({"code": 0, "dataType": topic, "data": body}).encode(), NOW_NS, play.out)
    return play.drain()


def trade(**more):
    return {"q": "0.25", "p": "100000.1", "T": NOW_MS, "m": False, "s": BTC, **more}


def test_frames_that_overlap_tell_every_trade_once(play, mapper):
    first = push(play, mapper, f"{BTC}@trade", [trade(T=NOW_MS - 5, m=True), trade(T=NOW_MS - 9)])
    rows = first[(Kind.TRADE, BTC)]
    assert rows["taker_side"].tolist() == [1, -1], "oldest first; a buyer that was the maker met a seller"
    second = push(play, mapper, f"{BTC}@trade", [trade(), trade(T=NOW_MS - 5, m=True)])
    assert len(second[(Kind.TRADE, BTC)]) == 1
    assert push(play, mapper, f"{BTC}@trade", [trade()]) == {}


def test_trades_alike_in_everything_are_two_if_one_frame_has_both(play, mapper):
    assert len(push(play, mapper, f"{BTC}@trade", [trade(), trade()])[(Kind.TRADE, BTC)]) == 2
    assert push(play, mapper, f"{BTC}@trade", [trade(), trade()]) == {}
    assert len(push(play, mapper, f"{BTC}@trade", [trade()] * 3)[(Kind.TRADE, BTC)]) == 1


def depth(action, number, bids=(), asks=()):
    return {"action": action, "lastUpdateId": number, "time": NOW_MS, "bids": list(bids), "asks": list(asks)}


def test_ids_of_the_book_may_skip_and_a_step_back_breaks_it(play, mapper):
    topic = f"{BTC}@incrDepth"
    assert push(play, mapper, topic, depth("update", 9, [["1", "1"]])) == {}, "before the whole book"
    first = push(play, mapper, topic, depth("all", 10, [["100", "1"]], [["101", "2"]]))
    more = push(play, mapper, topic, depth("update", 14, [["100", "0.0000"]], [["103", "1"], ["102", "5"]]))
    found = book_of([*first[(Kind.BOOK_LEVEL, BTC)], *more[(Kind.BOOK_LEVEL, BTC)]])
    assert found == {1: {}, -1: {101.0: 2.0, 102.0: 5.0, 103.0: 1.0}}
    assert push(play, mapper, topic, depth("update", 13)).keys() == {(Kind.GAP, BTC)}
    assert [type(one) for one in play.out.controls] == [Resync]
    assert push(play, mapper, topic, depth("update", 15, [["1", "1"]])) == {}
    assert push(play, mapper, topic, depth("rest", 16)) == {}
    assert ("incrDepth", Reason.UNKNOWN_WORD) in play.out.rejects


def test_the_ping_is_a_word_and_so_is_its_answer(play, mapper):
    mapper.map(b"Ping", NOW_NS, play.out)
    assert play.out.controls == [Reply(b"Pong")]
    assert play.out.rejects == {}
    plan = play.venue.feed.sockets(play.wanted())[0]
    assert (plan.heartbeat.beat, plan.unzip) == (Beat.THEIRS, Unzip.GZIP)


def test_answers_name_what_they_confirm_and_leaving_confirms_nothing(play, mapper):
    for answer in (
        {"id": f"trade|{BTC}", "code": 0, "msg": "", "dataType": "", "data": None},
        {"id": f"leave|incrDepth|{BTC}", "code": 0, "msg": "", "dataType": "", "data": None},
        {"id": "trade|NO-USDT", "code": 80015, "msg": "dataType not support", "dataType": "", "data": None},
    ):
        mapper.map(json.dumps(answer).encode(), NOW_NS, play.out)
    assert play.out.controls == [
        Confirmed(f"trade|{BTC}"),
        Refused("trade|NO-USDT", "80015: dataType not support"),
    ]


def poll(play, mapper, channel, body, *, code=0, symbol=BTC):
    answer = json.dumps({"code": code, "msg": "", "data": body}).encode()
    mapper.map_answer(channel, symbol, answer, NOW_NS, play.out)
    return play.drain()


def test_funding_is_of_the_next_settlement_and_of_the_moment_it_is_received(play, mapper):
    body = {
        "symbol": BTC, "markPrice": "1", "indexPrice": "1", "lastFundingRate": "0.0002", "fundingIntervalHours": 4,
        "nextFundingTime": NOW_MS + 60_000, "updateTime": NOW_MS - 10_000_000,
    }  # fmt: skip
    row = poll(play, mapper, "premiumIndex", body)[(Kind.FUNDING, BTC)][0]
    assert (row["rate_ratio"], row["interval_ns"], row["ts_event_ns"]) == (0.0002, 4 * HOUR_NS, NOW_NS)
    assert poll(play, mapper, "premiumIndex", {**body, "symbol": "ETH-USDT"}) == {}
    assert ("premiumIndex", Reason.UNKNOWN_SYMBOL) in play.out.rejects


def test_open_interest_is_a_value_in_dollars_and_nothing_is_not_zero(play, mapper):
    body = {"symbol": BTC, "openInterest": "1250000000.5", "time": NOW_MS - 400}
    row = poll(play, mapper, "openInterest", body)[(Kind.OPEN_INTEREST, BTC)][0]
    assert row["oi_usd"] == 1_250_000_000.5
    assert np.isnan(row["oi_base"])
    assert poll(play, mapper, "openInterest", {**body, "openInterest": "0"}) == {}
    assert play.out.rejects == {}
    poll(play, mapper, "openInterest", {}, code=100410)
    assert ("openInterest", Reason.VENUE_ERROR) in play.out.rejects


def test_the_fee_counts_and_the_tier_is_half_of_the_initial_margin(play):
    item = play.contracts["ETH-USDT"]
    np.testing.assert_allclose(item.tiers[0].maintenance_ratio, 0.0033, atol=0.0001)
    assert item.taker_fee_ratio == 0.0005
    bare = 3_500 * (1 - 1 / 20) / (1 - item.tiers[0].maintenance_ratio)
    assert item.liquidation_price_usd(3_500.0, 20.0, 1) > bare, "the fee brings it nearer"
    assert "OLD-USDT" not in play.contracts


def test_liquidations_are_absent_with_a_reason(play):
    assert Kind.LIQUIDATION in play.venue.absent
    assert Kind.LIQUIDATION not in play.venue.kinds


# -- recorded ---------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
def test_recorded_trades_are_read_and_told_once(recorded, play, mapper):
    path = recorded / "venue_messages/moonstream_examples/bingx_perp_btcusdt_trades.json.gz"
    found, printed = collections.Counter(), set()
    n_printed = 0
    for received_ns, frame in stored_frames(path):
        # The word is stored as a text of JSON.
        plain = b"Ping" if frame == b'"Ping"' else frame
        mapper.map(plain, received_ns, play.out)
        for batch in play.out.drain():
            found[batch.kind] += len(batch.rows)
        rows = json.loads(frame)["data"] if frame.startswith(b"{") else None
        for row in rows or ():
            n_printed += 1
            printed.add((row["T"], row["p"], row["q"], row["m"]))
    print(dict(found), n_printed, len(printed))
    assert play.out.rejects == {}
    assert found == {Kind.TRADE: len(printed)}
    assert n_printed > len(printed), "frames overlap"
    assert Reply(b"Pong") in play.out.controls


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "channel", "kind"),
    [("funding", "premiumIndex", Kind.FUNDING), ("oi", "openInterest", Kind.OPEN_INTEREST)],
)
def test_recorded_answers_are_read(recorded, play, mapper, name, channel, kind):
    path = recorded / f"venue_messages/moonstream_examples/bingx_perp_btcusdt_{name}.json.gz"
    n = 0
    for received_ns, body in stored_frames(path):
        mapper.map_answer(channel, BTC, body, received_ns, play.out)
        n += 1
        assert set(play.drain()) == {(kind, BTC)}
    assert n >= 2
    assert play.out.rejects == {}


@pytest.mark.recorded
def test_recorded_books_of_rest_are_not_ours(recorded, play, mapper):
    path = recorded / "venue_messages/moonstream_examples/bingx_perp_btcusdt_depth.json.gz"
    for received_ns, body in stored_frames(path):
        mapper.map_answer("depth", BTC, body, received_ns, play.out)
    assert set(play.out.rejects) == {("depth", Reason.UNKNOWN_CHANNEL)}
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        assert {one["obj"] for one in json.load(stream)} == {"depth"}


@pytest.mark.recorded
def test_the_published_tier_is_the_one_assumed(recorded, play):
    (tier,) = json.loads((recorded / "venue_messages/by_venue/bingx/maint_margin_tiers.json").read_text())[
        "data"
    ]
    assert tier["symbol"] == "ETH-USDT"
    np.testing.assert_allclose(
        play.contracts["ETH-USDT"].tiers[0].maintenance_ratio, float(tier["maintMarginRatio"]), rtol=0.02
    )
