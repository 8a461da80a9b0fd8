"""What is counted of venues, and the words for how they fare."""

from __future__ import annotations

import dataclasses
import threading

import msgspec
import pytest

from faultline.messages import Kind
from faultline.sources.health import Health, HealthSnapshot, Status
from faultline.sources.registry import venue_of
from faultline.sources.rows import Reason, Rows
from faultline.units import HOUR_NS, MILLISECOND_NS, MINUTE_NS, SECOND_NS

T0 = 1_800_000_000 * SECOND_NS // HOUR_NS * HOUR_NS
CHANNELS = ("publicTrade", "allLiquidation", "orderbook", "tickers", "account-ratio")


def meter():
    health = Health()
    return health, health.meter(venue_of("bybit"), T0)


def told(states, at_ns=T0):
    """The venue after its channels were told to be in some states, by channel."""
    health, found = meter()
    for channel, status in states.items():
        found.status(channel, status, f"{channel} is {status}", at_ns)
    return health.snapshot(at_ns).venues[0]


def all_in(status, **others):
    return {channel: others.get(channel.replace("-", "_"), status) for channel in CHANNELS}


@pytest.mark.parametrize(
    ("states", "word"),
    [
        (all_in(Status.LIVE), "live"),
        (all_in(Status.LIVE, allLiquidation=Status.QUIET), "live"),
        (all_in(Status.QUIET), "live"),
        (all_in(Status.BLOCKED), "blocked"),
        (all_in(Status.DOWN), "down"),
        (all_in(Status.STALE), "stale"),
        (all_in(Status.LIVE, orderbook=Status.STALE), "partial"),
        (all_in(Status.LIVE, account_ratio=Status.BLOCKED), "partial"),
        (all_in(Status.DOWN, account_ratio=Status.BLOCKED), "blocked"),
        (all_in(Status.DOWN, orderbook=Status.STALE), "down"),
        (all_in(Status.LIVE, orderbook=Status.ABSENT), "live"),
        (all_in(Status.ABSENT), "absent"),
    ],
)
def test_a_venue_is_as_its_channels_are(states, word):
    found = told(states)
    assert found.status == word
    assert {one.channel: one.status for one in found.channels if one.channel != "-"} == states


def test_the_worst_channel_is_named():
    assert told(all_in(Status.LIVE, orderbook=Status.STALE)).sentence == "orderbook: orderbook is stale"


def test_what_a_venue_does_not_give_is_absent_with_the_reason():
    (absent,) = [one for one in told({}).channels if one.status == "absent"]
    assert absent.kinds == (Kind.ADL.value,)
    assert absent.sentence


def test_a_state_is_kept_since_when_it_began():
    health, found = meter()
    found.status("tickers", Status.LIVE, "rows come", T0 + 5)
    found.status("tickers", Status.LIVE, "rows come still", T0 + 9)
    (channel,) = [one for one in health.snapshot(T0 + 10).venues[0].channels if one.channel == "tickers"]
    assert (channel.since_ns, channel.sentence) == (T0 + 5, "rows come still")


def test_changes_are_told_once_and_quiet_is_no_change():
    _, found = meter()
    for status in (Status.LIVE, Status.QUIET, Status.LIVE, Status.STALE, Status.STALE, Status.QUIET):
        found.status("tickers", status, "x", T0)
    assert [change.status for change in found.take_changes()] == [Status.LIVE, Status.STALE, Status.LIVE]
    assert found.take_changes() == []
    found.status("tickers", Status.ABSENT, "x", T0)
    assert found.take_changes() == []


def test_a_channel_that_is_never_connected_is_down_after_half_a_minute_and_told_once():
    _, found = meter()
    for second in range(0, 100, 10):
        found.status("tickers", Status.DOWN, f"at {second} s", T0 + second * SECOND_NS)
    (change,) = found.take_changes()
    assert (change.status, change.at_ns, change.detail) == (Status.DOWN, T0 + 30 * SECOND_NS, "at 30 s")
    found.status("tickers", Status.LIVE, "rows come", T0 + 100 * SECOND_NS)
    found.status("tickers", Status.DOWN, "it was lost", T0 + 101 * SECOND_NS)
    assert [one.status for one in found.take_changes()] == [Status.LIVE, Status.DOWN]


def test_rates_are_those_of_the_last_minute_and_hour():
    health, found = meter()
    for second in range(90):
        found.rows("tickers", 2, T0 + second * SECOND_NS, [])
    (channel,) = [
        one for one in health.snapshot(T0 + 89 * SECOND_NS).venues[0].channels if one.channel == "tickers"
    ]
    assert channel.n_rows == 180
    assert channel.per_second == (2,) * 60
    assert channel.rows_per_s == 2.0
    assert channel.per_minute == (*(0,) * 58, 120, 60)
    assert channel.last_row_ns == T0 + 89 * SECOND_NS


def test_a_rate_falls_to_nothing_when_nothing_comes():
    health, found = meter()
    found.rows("tickers", 7, T0, [])
    for later_ns, minutes in ((61 * SECOND_NS, (*(0,) * 58, 7, 0)), (HOUR_NS + MINUTE_NS, (0,) * 60)):
        (channel,) = [
            one for one in health.snapshot(T0 + later_ns).venues[0].channels if one.channel == "tickers"
        ]
        assert channel.rows_per_s == 0.0
        assert channel.per_minute == minutes
        assert channel.n_rows == 7


def test_lags_are_told_as_quantiles_and_none_without_rows():
    health, found = meter()
    found.rows("tickers", 100, T0, [number * MILLISECOND_NS for number in range(100)])
    channels = {one.channel: one for one in health.snapshot(T0).venues[0].channels}
    assert (channels["tickers"].lag_p50_ms, channels["tickers"].lag_p95_ms) == (50.0, 95.0)
    assert channels["orderbook"].lag_p50_ms is None


def test_the_clock_offset_is_the_smallest_lag_of_the_last_hour():
    health, found = meter()
    assert health.snapshot(T0).venues[0].clock_offset_ms is None
    found.rows("tickers", 1, T0, [-30 * MILLISECOND_NS])
    found.rows("tickers", 1, T0 + MINUTE_NS, [5 * MILLISECOND_NS, 9 * MILLISECOND_NS])
    assert health.snapshot(T0).venues[0].clock_offset_ms == -30.0
    for minute in range(2, 62):
        found.rows("tickers", 1, T0 + minute * MINUTE_NS, [8 * MILLISECOND_NS])
    assert health.snapshot(T0).venues[0].clock_offset_ms == 8.0


def test_answers_of_polls_say_nothing_of_the_clock():
    health, found = meter()
    found.rows("account-ratio", 1, T0, [-HOUR_NS])
    assert health.snapshot(T0).venues[0].clock_offset_ms is None


def test_rejects_of_several_connections_add_up_and_keep_the_first_sample():
    health, found = meter()
    for frame in (b"first", b"second"):
        rows, known = Rows("bybit"), {}
        for _ in range(3):
            rows.begin(frame, T0)
            rows.channel = "tickers"
            rows.reject(Reason.WRONG_SHAPE, "odd")
            found.rejects(rows.rejects, known)
    rows.begin(b"third", T0)
    rows.reject(Reason.NOT_JSON, "odd")
    found.rejects(rows.rejects, known)
    channels = {one.channel: one for one in health.snapshot(T0).venues[0].channels}
    (reject,) = channels["tickers"].rejects
    assert (reject.reason, reject.n, reject.sample) == ("wrong shape", 6, "first")
    assert [one.n for one in channels["?"].rejects] == [1]


def test_a_snapshot_is_frozen_and_travels_as_json():
    health, found = meter()
    found.rows("tickers", 1, T0, [1])
    found.refusal("not for you")
    snapshot = health.snapshot(T0)
    assert msgspec.json.decode(msgspec.json.encode(snapshot), type=HealthSnapshot) == snapshot
    with pytest.raises(AttributeError):
        snapshot.as_of_ns = 1
    assert snapshot.venues[0].refusals == ("not for you",)


def test_refusals_that_are_kept_are_bounded():
    health, found = meter()
    for number in range(1000):
        found.refusal(f"{number} " + "x" * 10_000)
    venue = health.snapshot(T0).venues[0]
    assert venue.n_refusals == 1000
    assert len(venue.refusals) == 10
    assert max(map(len, venue.refusals)) <= 300


def test_it_is_read_while_it_is_written():
    health, found = meter()
    done = threading.Event()
    failures = []

    def read():
        try:
            while not done.is_set():
                health.snapshot(T0)
        except Exception as exc:  # noqa: BLE001 - whatever it is
            failures.append(exc)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(3000):
        found.rows("tickers", 1, T0 + number * MILLISECOND_NS, [number])
        found.refusal(str(number))
        found.status("tickers", (Status.LIVE, Status.STALE)[number % 2], "x", T0)
    done.set()
    for reader in readers:
        reader.join()
    assert failures == []


def test_counters_have_the_names_that_are_shown():
    _, found = meter()
    shown = {field.name for field in msgspec.structs.fields(type(Health().meter(found.venue, T0).freeze(T0)))}
    assert {field.name for field in dataclasses.fields(found.counts)} <= shown
