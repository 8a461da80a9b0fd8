"""What each kind of venue publishes of the liquidations that happened."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.simulator import load_world
from faultline.simulator.reporting import Reporter
from faultline.simulator.state import LIQUIDATION
from faultline.units import MILLISECOND_NS, SECOND_NS

SAMPLED, EVERY = load_world("three-assets").venues


def happened(times_ms):
    events = np.zeros(len(times_ms), dtype=LIQUIDATION)
    events["ts_ns"] = np.sort(np.array(times_ms, dtype=np.int64)) * MILLISECOND_NS
    events["position_id"] = np.arange(len(times_ms))
    return events


def test_the_latest_of_each_second_is_published_when_the_second_is_over():
    found = Reporter(SAMPLED).publish(happened([100, 900, 999, 1000, 2500]), 3 * SECOND_NS)
    assert found.events["position_id"].tolist() == [2, 3, 4]
    latency_ns = SAMPLED.latency_ms * MILLISECOND_NS
    assert found.received_ns.tolist() == [s * SECOND_NS + latency_ns for s in (1, 2, 3)]


def test_every_event_is_published_each_half_second():
    found = Reporter(EVERY).publish(happened([100, 499, 500, 999]), SECOND_NS)
    assert found.events["position_id"].tolist() == [0, 1, 2, 3]
    wait_ms = (found.received_ns // MILLISECOND_NS - EVERY.latency_ms).tolist()
    assert wait_ms == [500, 500, 1000, 1000]


def test_an_open_second_is_not_published():
    reporter = Reporter(SAMPLED)
    assert len(reporter.publish(happened([100]), 999 * MILLISECOND_NS).events) == 0
    assert len(reporter.publish(happened([]), SECOND_NS).events) == 1


@pytest.mark.parametrize("venue", [SAMPLED, EVERY], ids=lambda venue: venue.archetype)
@given(times=st.lists(st.integers(0, 20_000), max_size=60), cuts=st.lists(st.integers(0, 21_000), max_size=6))
def test_what_is_published_does_not_depend_on_how_often_it_is_asked(venue, times, cuts):
    events = happened(times)
    whole = Reporter(venue).publish(events, 25 * SECOND_NS)
    reporter = Reporter(venue)
    parts = []
    before = 0
    for cut in [*sorted(cuts), 25_000]:
        now = events[(events["ts_ns"] >= before) & (events["ts_ns"] < cut * MILLISECOND_NS)]
        before = max(before, cut * MILLISECOND_NS)
        parts.append(reporter.publish(now, cut * MILLISECOND_NS))
    assert np.concatenate([part.events for part in parts]).tolist() == whole.events.tolist()
    assert np.concatenate([part.received_ns for part in parts]).tolist() == whole.received_ns.tolist()
    if venue is SAMPLED:
        seconds = whole.events["ts_ns"] // SECOND_NS
        assert len(set(seconds.tolist())) == len(seconds)
    else:
        assert len(whole.events) == len(events)
