"""Feeds that fail for half a minute are told of, with the recorder's words, and so is their return."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from faultline.messages import Kind, empty_rows
from faultline.signals.events import EventType
from faultline.signals.feeds import FeedTrouble, FeedWatch
from faultline.signals.notices import feed_notice
from faultline.units import SECOND_NS

LOST = "the connection was lost"


def statuses(*told):
    """Rows from (second, channel, status, detail)."""
    rows = empty_rows(Kind.SOURCE_STATUS, len(told))
    for row, (at_s, channel, status, detail) in zip(rows, told, strict=True):
        row["ts_received_ns"] = row["ts_event_ns"] = at_s * SECOND_NS
        row["channel"], row["status"], row["detail"] = channel.encode(), status.encode(), detail.encode()
    return rows


def play(rows, upto_s, *, edges_s=()):
    """What changed, where time is cut at these seconds and the watch begins anew from its state at each."""
    watch, changes, after_ns = FeedWatch(), [], -1
    for edge_s in (*edges_s, upto_s):
        edge_ns = int(edge_s * SECOND_NS)
        times_ns = rows["ts_received_ns"]
        part = rows[(times_ns > after_ns) & (times_ns <= edge_ns)]
        changes += watch.apply({"okx": part} if len(part) else {}, edge_ns)
        kept = msgspec.json.encode(watch.troubles)
        watch = FeedWatch(msgspec.json.decode(kept, type=dict[str, dict[str, FeedTrouble]]))
        after_ns = edge_ns
    return changes


def test_a_connection_that_is_soon_back_is_not_told_of():
    rows = statuses((100, "trades", "down", LOST), (129, "trades", "live", "rows come"))
    assert play(rows, 500) == []


@pytest.mark.parametrize("status", ["down", "blocked", "stale"])
def test_feeds_that_fail_together_are_told_together_and_so_is_their_return(status):
    rows = statuses(
        (100, "trades", status, LOST),
        (100, "books", status, LOST),
        (700, "books", "live", "rows come"),
        (700, "trades", "partial", "2 of 3"),
    )
    down, up = play(rows, 1000)
    assert (down.is_down, down.channels, down.status, down.detail) == (
        True,
        ("books", "trades"),
        status,
        LOST,
    )
    assert (down.at_ns, down.since_ns) == (130 * SECOND_NS, 100 * SECOND_NS)
    assert (up.is_down, up.channels, up.status, up.detail) == (
        False,
        ("books", "trades"),
        "partial",
        "2 of 3",
    )
    assert (up.at_ns, up.since_ns) == (700 * SECOND_NS, 100 * SECOND_NS)


def test_the_latest_words_of_the_worst_are_told_once():
    rows = statuses(
        (100, "trades", "stale", "silent"),
        (100, "books", "stale", "silent"),
        (110, "trades", "blocked", "HTTP 451"),
        (200, "trades", "down", LOST),
    )
    (down,) = play(rows, 1000)
    assert (down.status, down.detail) == ("blocked", "HTTP 451")


def test_a_feed_that_fails_later_and_returns_sooner_is_told_for_itself():
    rows = statuses(
        (100, "trades", "down", LOST),
        (110, "ratios", "down", "no answer"),
        (200, "ratios", "live", "answers come"),
    )
    told = [(change.is_down, change.channels, change.at_ns // SECOND_NS) for change in play(rows, 1000)]
    assert told == [(True, ("trades",), 130), (True, ("ratios",), 140), (False, ("ratios",), 200)]


def test_the_cut_of_time_changes_nothing():
    rng = np.random.default_rng(4)
    words = ("live", "partial", "stale", "down", "blocked")
    told = sorted(
        (int(rng.integers(0, 600)), f"c{rng.integers(3)}", words[rng.integers(5)], f"d{n}")
        for n in range(120)
    )
    rows = statuses(*told)
    whole = play(rows, 700)
    assert len(whole) > 10
    for edges_s in (range(1, 700), range(7, 700, 30), sorted(rng.uniform(0, 700, 90))):
        assert play(rows, 700, edges_s=edges_s) == whole


def test_the_notice_has_the_words_of_the_recorder():
    (down,) = play(statuses((100, "trades", "blocked", "HTTP 451")), 1000)
    found = feed_notice("BTC", down)
    assert (found.kind, found.asset, found.venue) == (EventType.SOURCE_DOWN, "BTC", "okx")
    assert found.event(simulated=False, mode="live", latency_ms=None).data == {
        "instrument": "okx:all",
        "silent_s": 30.0,
        "channels": ["trades"],
        "status": "blocked",
        "detail": "HTTP 451",
    }
