"""A source is down when it is silent for longer than it usually is, and recovered with its next price."""

from __future__ import annotations

import numpy as np

from faultline.signals.silence import SilenceWatch
from faultline.units import MINUTE_NS, SECOND_NS


def _play(ends_ns, last_minute, watch=None):
    watch = watch or SilenceWatch()
    changes = []
    for minute in range(1, last_minute + 1):
        now = minute * MINUTE_NS
        part = ends_ns[(ends_ns > now - MINUTE_NS) & (ends_ns <= now)]
        changes += watch.apply(part, now)
        watch = SilenceWatch.from_state(watch.state())
    return changes


def test_a_steady_source_is_never_down():
    assert _play(np.arange(1, 3600) * SECOND_NS, 59) == []
    assert _play(np.arange(1, 60) * MINUTE_NS, 59) == []


def test_a_gap_is_told_once_and_so_is_its_end():
    ends = np.concatenate([np.arange(1, 600), np.arange(1200, 1300)]) * SECOND_NS
    down, up = _play(ends, 21)
    assert down.is_down
    assert down.at_ns == 13 * MINUTE_NS
    assert down.silent_s == 13 * 60 - 599
    assert not up.is_down
    assert up.at_ns == 1200 * SECOND_NS
    assert up.silent_s == 1200 - 599


def test_a_source_of_five_minute_bars_is_not_down_between_them():
    assert _play(np.arange(1, 40) * 5 * MINUTE_NS, 190) == []


def test_a_source_that_never_spoke_is_not_down():
    assert _play(np.zeros(0, dtype=np.int64), 30) == []
