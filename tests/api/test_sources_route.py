"""The sources' answer as a recorder and as a played market give it."""

from __future__ import annotations

import threading

import msgspec

from faultline.api.context import plain
from faultline.api.source_bodies import SourcesBody
from faultline.messages import Batch, Kind, empty_rows
from faultline.pipeline.source_report import HeardFeeds, connected_report
from faultline.sources.health import Health, Status
from faultline.sources.registry import venue_of
from faultline.sources.rows import Reason, Rejects
from faultline.units import MILLISECOND_NS, SECOND_NS, parse_time_ns

NOW = parse_time_ns("2026-01-05T12:00")
ENVELOPE = {"simulated": False, "as_of_ns": NOW, "as_of_ms": NOW // MILLISECOND_NS, "stale": False}


def body_of(report: dict) -> SourcesBody:
    return msgspec.convert({**plain(report), **ENVELOPE}, SourcesBody)


def test_a_connected_venue_says_how_every_channel_fares_and_what_it_cannot_give() -> None:
    venue = venue_of("bybit")
    health = Health()
    meter = health.meter(venue, NOW - 60 * SECOND_NS)
    meter.status("publicTrade", Status.LIVE, "rows come", NOW)
    meter.rows("publicTrade", 3, NOW, [40 * MILLISECOND_NS, 60 * MILLISECOND_NS])
    reject = Rejects(2, "00ff", "S 'Hold'", '{"S":"Hold"}')
    meter.rejects({("publicTrade", Reason.UNKNOWN_WORD): reject}, {})
    body = body_of(connected_report(health.snapshot(NOW), {"bybit": venue}))
    assert body.connected
    assert body.writer is not None
    [told] = body.venues
    trades = next(one for one in told.channels if one.channel == "publicTrade")
    assert (trades.status, trades.n_rows, trades.last_row_ms) == ("live", 3, NOW // MILLISECOND_NS)
    assert trades.lag_p50_ms is not None
    assert trades.lag_p95_ms is not None
    assert [(one.reason, one.n, one.sample) for one in trades.rejects] == [
        ("unknown word", 2, '{"S":"Hold"}')
    ]
    assert {line.kind for line in told.coverage} == {kind.value for kind in venue.kinds}
    assert {one.kind for one in told.absent} == {kind.value for kind in venue.absent}
    assert all(one.channel != "-" for one in told.channels)


def test_a_played_market_says_that_nothing_is_connected() -> None:
    heard = HeardFeeds()
    rows = empty_rows(Kind.TRADE, 2)
    rows["ts_received_ns"] = [NOW, NOW + 1]
    heard.note([Batch(Kind.TRADE, "binance:BTCUSDT", rows), Batch(Kind.TRADE, "binance:ETHUSDT", rows[:1])])
    heard.note([Batch(Kind.TRADE, "binance:BTCUSDT", rows[:0])])
    body = body_of(heard.report("replay", NOW))
    assert not body.connected
    assert body.writer is None
    [venue] = body.venues
    [channel] = venue.channels
    assert venue.n_frames is None
    assert "nothing is connected" in venue.sentence
    assert (channel.channel, channel.n_rows, channel.sentence) == ("trade", 3, "2 symbols")


def test_feeds_may_be_added_while_a_report_is_made() -> None:
    heard, rows = HeardFeeds(), empty_rows(Kind.TRADE, 1)
    stop = threading.Event()

    def add() -> None:
        for number in range(3000):
            heard.note([Batch(Kind.TRADE, f"venue{number}:BTC", rows)])
        stop.set()

    thread = threading.Thread(target=add)
    thread.start()
    while not stop.is_set():
        heard.report("replay", NOW)
    thread.join()
    assert len(heard.report("replay", NOW)["venues"]) == 3000
