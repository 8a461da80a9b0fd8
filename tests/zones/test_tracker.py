from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.zones.made import PRICE, ROWS, START_NS, bumps, path

from faultline.errors import RequestError, StoreError
from faultline.heatmap.display import DisplayRows
from faultline.units import HOUR_NS, MINUTE_NS
from faultline.zones.account import ZoneAccount
from faultline.zones.parameters import ZoneParameters
from faultline.zones.tracker import ZoneTracker

P = ZoneParameters()
EMPTY = bumps()
ONE = bumps((0, 92_000, 3e8), (1, 98_000, 2e8))


def minutes(tracker, columns, *, price=PRICE, rows=ROWS, first=1):
    """Changes of a run of columns, one a minute."""
    out = []
    for k, usd in enumerate(columns):
        out += tracker.apply_minute(START_NS + (first + k) * MINUTE_NS, rows, usd, price)
    return out


def begun(*, price=PRICE):
    """A tracker that has seen an empty map: whatever comes now is news."""
    tracker = ZoneTracker("BTC", "BTC", P, START_NS)
    minutes(tracker, [EMPTY], price=price)
    return tracker


def kinds(changes):
    return [(change.kind, change.zone.side) for change in changes]


def test_zones_that_stand_when_tracking_begins_are_no_news() -> None:
    tracker = ZoneTracker("BTC", "BTC", P, START_NS)
    assert minutes(tracker, [ONE]) == []
    zones = tracker.zones(START_NS + MINUTE_NS, PRICE)
    assert [(zone.side, zone.since_start, zone.state) for zone in zones] == [
        ("LONG", True, "standing"),
        ("SHORT", True, "standing"),
    ]
    assert zones[0].distance_ratio == pytest.approx(zones[0].high_usd / PRICE - 1)
    assert zones[1].distance_ratio == pytest.approx(zones[1].low_usd / PRICE - 1)
    assert zones[0].share_ratio == pytest.approx(0.67, abs=0.04)
    assert zones[0].bands is zones[0].venues is zones[0].flows is zones[0].trend is zones[0].lo_usd is None


def test_a_zone_is_created_once_it_has_stood_for_some_minutes_and_is_as_old_as_it_was_first_seen() -> None:
    tracker = begun()
    changes = minutes(tracker, [ONE] * 20, first=2)
    assert kinds(changes) == [("created", "LONG"), ("created", "SHORT")]
    zone = changes[0].zone
    assert zone.born_ns == START_NS + 2 * MINUTE_NS
    assert changes[0].at_ns == zone.born_ns + P.confirm_ns
    assert zone.age_s == P.confirm_ns / 1e9
    assert not zone.since_start
    base36 = np.base_repr(zone.born_ns // MINUTE_NS, 36).lower()
    assert zone.id == f"BTC-L-{base36}-0"
    assert changes[1].zone.id == f"BTC-S-{base36}-0"


@pytest.mark.parametrize(("side", "place", "ahead"), [(0, 94_800.0, 1), (1, 95_200.0, -1)])
def test_a_zone_that_is_born_next_to_price_is_created_first_and_then_approached(side, place, ahead) -> None:
    tracker = begun()
    rng = np.random.default_rng(5)
    closes = PRICE * (1 + 1e-3 * rng.standard_normal(40))
    for k, close in enumerate(closes.tolist()):
        minutes(tracker, [EMPTY], price=close, first=2 + k)
    at = 2 + len(closes)
    heat = bumps((side, place, 1e8), width_bps=5.0)
    changes = []
    # Price stands within the typical move of the candidate all the time, comes nearer, and never touches it.
    for k in range(14):
        near = PRICE - ahead * 5.0 * k
        bar = path((near - 1, near + 1, near), start_ns=START_NS + (at + k) * MINUTE_NS - 2 * 10**9)
        changes += tracker.apply_path(bar)
        changes += minutes(tracker, [heat], price=near, first=at + k)
    assert [change.kind for change in changes] == ["created", "approached"]
    created, approached = changes
    assert created.zone.id == approached.zone.id
    assert (created.zone.state, approached.zone.state) == ("standing", "approached")
    assert created.at_ns == created.zone.born_ns + P.confirm_ns < approached.at_ns < created.at_ns + MINUTE_NS
    assert 0 < abs(approached.zone.distance_ratio) < tracker.move_ratio


def test_a_flickering_peak_is_no_zone() -> None:
    tracker = begun()
    assert minutes(tracker, ([ONE] * 3 + [EMPTY] * 3) * 10, first=2) == []
    assert tracker.zones(START_NS + HOUR_NS, PRICE) == []


def test_a_zone_that_is_missing_for_a_while_keeps_its_identity_and_one_that_stays_away_expires() -> None:
    tracker = ZoneTracker("BTC", "BTC", P, START_NS)
    gap = P.fade_ns // MINUTE_NS
    changes = minutes(tracker, [ONE, *[EMPTY] * (gap - 1), ONE, ONE])
    assert changes == []
    before = tracker.ids()
    changes = minutes(tracker, [ONE, *[EMPTY] * (gap + 1)], first=gap + 3)
    assert kinds(changes) == [("expired", "LONG"), ("expired", "SHORT")]
    assert [change.zone.id for change in changes] == before
    ended = changes[0].zone
    assert (ended.state, ended.end_reason, ended.ended_ns) == ("expired", "expired", changes[0].at_ns)
    assert changes[0].extra == {"merged_into": None}
    assert tracker.zones(START_NS + 3 * HOUR_NS, PRICE) == []


def test_a_gap_in_the_columns_ages_nothing() -> None:
    tracker = ZoneTracker("BTC", "BTC", P, START_NS)
    minutes(tracker, [ONE])
    assert minutes(tracker, [EMPTY], first=600) == []
    assert minutes(tracker, [ONE], first=601) == []
    assert len(tracker.ids()) == 2


@pytest.mark.parametrize(
    "missing", [(ONE, np.nan), (np.full((2, 1000), np.nan), PRICE)], ids=["price", "rows"]
)
def test_an_unreadable_minute_changes_nothing(missing) -> None:
    tracker = ZoneTracker("BTC", "BTC", P, START_NS)
    minutes(tracker, [ONE])
    before = tracker.zones(START_NS, PRICE)
    for k in range(100):
        assert tracker.apply_minute(START_NS + (2 + k) * MINUTE_NS, ROWS, *missing) == []
    assert tracker.zones(START_NS, PRICE) == before


def test_a_zone_is_reinforced_each_time_it_has_grown_by_half() -> None:
    tracker = ZoneTracker("BTC", "BTC", P, START_NS)
    changes = minutes(tracker, [ONE * (1 + 0.01 * k) for k in range(130)])
    assert kinds(changes) == [("reinforced", "LONG"), ("reinforced", "SHORT")] * 2
    assert changes[0].zone.notional_usd == pytest.approx(1.5 * changes[0].extra["before_usd"], rel=0.01)
    assert changes[2].extra["before_usd"] == changes[0].zone.notional_usd
    zone = changes[2].zone
    assert zone.peak_notional_usd == zone.notional_usd
    changes = minutes(tracker, [ONE], first=131)
    assert (
        tracker.zones(START_NS, PRICE)[0].peak_notional_usd > tracker.zones(START_NS, PRICE)[0].notional_usd
    )


@pytest.mark.parametrize(
    "rows", [DisplayRows(50.0, 1200, 1000), DisplayRows(100.0, 600, 800), DisplayRows(20.0, 3900, 1300)]
)
def test_moved_or_rescaled_rows_change_no_zone(rows) -> None:
    tracker = ZoneTracker("BTC", "BTC", P, START_NS)
    minutes(tracker, [ONE] * 5)
    before = tracker.zones(START_NS, PRICE)
    again = bumps((0, 92_000, 3e8), (1, 98_000, 2e8), rows=rows)
    assert minutes(tracker, [again] * 60, rows=rows, first=6) == []
    after = tracker.zones(START_NS, PRICE)
    for one, other in zip(before, after, strict=True):
        assert one.id == other.id
        assert other.low_usd == pytest.approx(one.low_usd, rel=5e-4)
        assert other.notional_usd == pytest.approx(one.notional_usd, rel=0.05)


def test_a_zone_that_wanders_slowly_keeps_its_identity() -> None:
    tracker = ZoneTracker("BTC", "BTC", P, START_NS)
    assert minutes(tracker, [bumps((0, 92_000 - 10 * k, 3e8)) for k in range(200)]) == []
    (zone,) = tracker.zones(START_NS, PRICE)
    assert zone.low_usd < 90_010 < zone.high_usd


def test_when_two_zones_become_one_the_larger_goes_on_and_the_other_says_where_it_went() -> None:
    tracker = ZoneTracker("BTC", "BTC", P, START_NS)
    apart = bumps((0, 92_000, 3e8), (0, 91_000, 1e8))
    minutes(tracker, [apart] * 5)
    small, large = tracker.ids()
    together = bumps((0, 91_800, 4e8), width_bps=60)
    changes = minutes(tracker, [together] * 40, first=6)
    assert kinds(changes)[-1] == ("expired", "LONG")
    assert changes[-1].zone.id == small
    assert tracker.ids() == [large]


def test_when_a_zone_splits_the_part_that_holds_more_goes_on() -> None:
    tracker = ZoneTracker("BTC", "BTC", P, START_NS)
    minutes(tracker, [bumps((0, 91_800, 4e8), width_bps=60)] * 5)
    (old,) = tracker.ids()
    changes = minutes(tracker, [bumps((0, 92_000, 3e8), (0, 91_000, 1e8))] * 30, first=6)
    assert kinds(changes) == [("created", "LONG")]
    low, high = tracker.zones(START_NS, PRICE)
    assert (high.id, low.id) == (old, changes[0].zone.id)
    assert low.high_usd <= high.low_usd


def test_shown_zones_of_a_side_never_overlap() -> None:
    rng = np.random.default_rng(5)
    tracker = ZoneTracker("BTC", "BTC", P, START_NS)
    noise = np.zeros((2, 1000))
    for k in range(300):
        noise = 0.97 * noise + rng.normal(0, 1, (2, 1000))
        hump = bumps((0, 93_000, 1e9), (1, 97_000, 1e9), width_bps=200)
        minutes(
            tracker,
            [hump * np.exp(np.apply_along_axis(np.convolve, 1, noise, np.ones(15) / 15, "same"))],
            first=k,
        )
        zones = tracker.zones(START_NS, PRICE)
        for one, other in itertools.pairwise(zones):
            assert one.side != other.side or one.high_usd <= other.low_usd + 1e-6
            assert one.low_usd < one.high_usd


def test_time_does_not_go_back() -> None:
    tracker = begun()
    with pytest.raises(RequestError, match="cannot go back"):
        tracker.apply_minute(START_NS, ROWS, ONE, PRICE)
    with pytest.raises(RequestError, match="cannot go back"):
        tracker.apply_path(path((1.0, 1.0, 1.0)))
    with pytest.raises(RequestError, match="order of their ends"):
        tracker.apply_path(path((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), start_ns=START_NS + HOUR_NS)[::-1])


def test_what_lies_before_the_start_is_not_looked_at() -> None:
    tracker = ZoneTracker("BTC", "BTC", P, START_NS)
    assert tracker.apply_minute(START_NS - MINUTE_NS, ROWS, ONE, PRICE) == []
    assert tracker.apply_path(path((80_000, 80_000, 80_000), start_ns=START_NS - HOUR_NS)) == []
    assert tracker.zones(START_NS, PRICE) == []


def test_a_zone_that_is_seen_does_not_grow_over_one_that_is_missing_for_a_moment() -> None:
    tracker = ZoneTracker("BTC", "BTC", P, START_NS)
    minutes(tracker, [bumps((0, 92_000, 3e8), (0, 91_000, 1e8))] * 5)
    small, large = tracker.zones(START_NS, PRICE)
    minutes(tracker, [bumps((0, 91_950, 4e8), width_bps=60)] * 10, first=6)
    low, high = tracker.zones(START_NS, PRICE)
    assert (low.id, high.id) == (small.id, large.id)
    assert low.high_usd == pytest.approx(small.high_usd)
    assert high.high_usd > large.high_usd


def account(zone, minute=60, **changed):
    usd = {
        "before_usd": 2e8,
        "opened_usd": 3e6,
        "closed_usd": 1e6,
        "swept_usd": 0.0,
        "reestimated_usd": 5e5,
        "after_usd": 2.025e8,
        "side_before_usd": 1e9,
        "side_opened_usd": 1.5e7,
        "side_closed_usd": 5e6,
        "side_swept_usd": 0.0,
        "side_after_usd": 1e9,
        "venue_usd": {"binance": 1.5e8, "bybit": 0.5e8},
        "band_usd": {"<10x": 0.0, "10-25x": 0.5e8, "25-60x": 1e8, ">60x": 0.5e8},
        "mix_usd": (2e8, 1.8e8, 2.4e8),
    }
    span = {"from_ns": START_NS + (minute - 5) * MINUTE_NS, "to_ns": START_NS + minute * MINUTE_NS}
    return {zone.id: ZoneAccount(**span, **usd | changed)}


def test_accounts_give_range_bands_venues_and_flows_of_the_last_hour() -> None:
    tracker = ZoneTracker("BTC", "BTC", P, START_NS)
    minutes(tracker, [ONE])
    zone = tracker.zones(START_NS, PRICE)[0]
    for minute in range(5, 91, 5):
        assert tracker.apply_account(START_NS + minute * MINUTE_NS, account(zone, minute)) == []
    zone = tracker.zones(START_NS + 90 * MINUTE_NS, PRICE)[0]
    assert zone.flows is not None
    assert zone.flows.over_s == 3600
    assert zone.flows.opened_usd == pytest.approx(12 * 3e6)
    assert zone.flows.closed_usd == pytest.approx(12 * 1e6)
    assert (zone.lo_usd, zone.hi_usd) == pytest.approx((0.9 * zone.notional_usd, 1.2 * zone.notional_usd))
    assert {part.venue: part.usd for part in zone.venues} == pytest.approx(
        {"binance": 0.75 * zone.notional_usd, "bybit": 0.25 * zone.notional_usd}
    )
    assert sum(part.usd for part in zone.bands) == pytest.approx(zone.notional_usd)
    assert zone.trend == "steady"
    assert (
        tracker.apply_account(START_NS + 95 * MINUTE_NS, {"gone": next(iter(account(zone).values()))}) == []
    )


def test_a_zone_that_outgrows_its_side_is_building_and_says_so_once() -> None:
    tracker = ZoneTracker("BTC", "BTC", P, START_NS)
    minutes(tracker, [ONE])
    zone = tracker.zones(START_NS, PRICE)[0]
    changes = []
    for minute in range(5, 61, 5):
        grown = account(zone, minute, opened_usd=1.2e7)
        changes += tracker.apply_account(START_NS + minute * MINUTE_NS, grown, 0.0)
    assert [change.kind for change in changes] == ["building"]
    assert changes[0].extra["interest_change_ratio"] == 0.0
    assert changes[0].extra["opened_usd"] > 0
    assert tracker.zones(START_NS, PRICE)[0].trend == "building"


def market(seed, n=60):
    """Minutes of bumps that grow, fade and move, and a path of ten-second bars around a price that walks."""
    rng = np.random.default_rng(seed)
    closes = 95_000 * np.exp(np.cumsum(rng.normal(0, 4e-4, 6 * n)))
    opens = np.concatenate([[95_000], closes[:-1]])
    reach = np.abs(rng.normal(0, 2e-4, (2, 6 * n)))
    bars = np.stack(
        [np.minimum(opens, closes) * (1 - reach[0]), np.maximum(opens, closes) * (1 + reach[1]), closes]
    )
    bars = path(*bars.T, length_ns=10_000_000_000)
    sizes = np.exp(np.cumsum(rng.normal(0, 0.15, (n, 8)), axis=0)) * 1e8
    prices = 95_000 * (1 + np.array([-4, -2.2, -1.3, -0.6, 0.6, 1.3, 2.2, 4]) / 100)
    columns = [
        bumps(*((int(k > 3), prices[k], sizes[m, k]) for k in range(8)), floor_usd=1e4) for m in range(n)
    ]
    return columns, bars, closes[5::6]


def play(tracker, columns, bars, closes, cuts):
    """Changes of a market; the path is cut at minutes and at random places between."""
    out = []
    for m, (usd, price) in enumerate(zip(columns, closes, strict=True)):
        edges = sorted({6 * m, 6 * m + 6, *(c for c in cuts if 6 * m < c < 6 * m + 6)})
        for begin, end in itertools.pairwise(edges):
            out += tracker.apply_path(bars[begin:end])
        out += tracker.apply_minute(START_NS + (m + 1) * MINUTE_NS, ROWS, usd, price)
    return out


@settings(max_examples=10)
@given(st.integers(0, 10_000), st.sets(st.integers(0, 360), max_size=100))
def test_it_does_not_matter_how_the_path_is_cut_into_calls(seed, cuts) -> None:
    columns, bars, closes = market(seed)
    one, other = (ZoneTracker("BTC", "BTC", P, START_NS) for _ in range(2))
    whole = play(one, columns, bars, closes, set())
    assert play(other, columns, bars, closes, cuts) == whole
    for key, value in one.state().items():
        assert np.array_equal(other.state()[key], value)


def test_the_made_market_has_every_kind_of_life() -> None:
    seen = set()
    for seed in range(12):
        tracker = ZoneTracker("BTC", "BTC", P, START_NS)
        seen |= {change.kind for change in play(tracker, *market(seed), set())}
    assert seen >= {"created", "reinforced", "approached", "hit", "swept"}


@settings(max_examples=10)
@given(st.integers(0, 10_000), st.integers(1, 59))
def test_a_tracker_goes_on_from_its_state_as_if_nothing_had_been(seed, stop) -> None:
    columns, bars, closes = market(seed)
    whole = ZoneTracker("BTC", "BTC", P, START_NS)
    whole.density.feed_hour(START_NS, 1e8)
    first = play(whole, columns[:stop], bars, closes[:stop], set())
    kept = {key: value.copy() for key, value in whole.state().items()}
    again = ZoneTracker.from_state(P, kept)
    rest = [(usd, price) for usd, price in zip(columns[stop:], closes[stop:], strict=True)]
    for tracker in (whole, again):
        tracker.heard = []
        for m, (usd, price) in enumerate(rest, start=stop):
            tracker.heard += tracker.apply_path(bars[6 * m : 6 * m + 6])
            tracker.heard += tracker.apply_minute(START_NS + (m + 1) * MINUTE_NS, ROWS, usd, price)
    assert again.heard == whole.heard
    assert again.zones(START_NS + 2 * HOUR_NS, PRICE) == whole.zones(START_NS + 2 * HOUR_NS, PRICE)
    assert all(change.at_ns <= START_NS + stop * MINUTE_NS for change in first)


def test_a_damaged_or_foreign_state_is_refused() -> None:
    state = begun().state()
    with pytest.raises(StoreError, match="not the state of a zone tracker"):
        ZoneTracker.from_state(P, {**state, "head": state["head"][:-3]})
    text = state["head"].tobytes().replace(b'"version":1', b'"version":9')
    with pytest.raises(StoreError, match="version 9"):
        ZoneTracker.from_state(P, {**state, "head": np.frombuffer(text, dtype=np.uint8)})
