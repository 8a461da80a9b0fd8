from __future__ import annotations

import numpy as np
import pytest

from faultline.errors import RequestError, StoreError
from faultline.learning.calibrator.change import ChangeDetector


def gains(rng, n, shift=0.0, alternatives=(-1.0, 1.0, 2.0)):
    """Log likelihood of normal means over mean 0, for draws around ``shift``."""
    x = rng.normal(shift, 1.0, n)[:, None]
    a = np.array(alternatives)
    return a * x - 0.5 * a**2


def twin(rows, drift, threshold):
    sums, lengths = [0.0] * rows.shape[1], [0] * rows.shape[1]
    for i, row in enumerate(rows):
        for k, gain in enumerate(row):
            sums[k] = max(0.0, sums[k] + gain - drift)
            lengths[k] = lengths[k] + 1 if sums[k] > 0 else 0
        if max(sums) > threshold:
            return i, int(np.argmax(sums)), max(sums), lengths[int(np.argmax(sums))]
    return None


def test_the_test_is_its_recursion():
    rng = np.random.default_rng(1)
    rows = np.concatenate([gains(rng, 500), gains(rng, 500, shift=1.0)])
    alarm = ChangeDetector(3).apply(rows)
    assert (alarm.row, alarm.alternative, alarm.evidence_nats, alarm.n_events) == pytest.approx(
        twin(rows, 0.05, 15.0)
    )


def test_twenty_thousand_events_without_a_change_raise_no_alarm():
    assert ChangeDetector(3).apply(gains(np.random.default_rng(2), 20_000)) is None


@pytest.mark.parametrize(("shift", "within"), [(1.0, 80), (2.0, 25), (-1.0, 80)])
def test_a_change_is_found_soon_and_named(shift, within):
    rng = np.random.default_rng(3)
    rows = np.concatenate([gains(rng, 1000), gains(rng, 500, shift=shift)])
    alarm = ChangeDetector(3).apply(rows)
    assert 1000 <= alarm.row < 1000 + within
    assert (-1.0, 1.0, 2.0)[alarm.alternative] == shift
    assert abs(alarm.row - alarm.n_events - 1000) < 30


def test_after_an_alarm_it_begins_anew_and_rows_after_it_are_not_seen():
    rng = np.random.default_rng(4)
    detector = ChangeDetector(3)
    assert detector.apply(gains(rng, 500, shift=2.0)).row < 30
    assert detector.evidence_nats.max() == 0.0
    assert detector.apply(gains(rng, 2000)) is None


def test_a_gain_that_is_not_known_says_nothing():
    rows = gains(np.random.default_rng(5), 100)
    holes = np.concatenate([rows, np.full((50, 3), np.nan)])
    one, other = ChangeDetector(3), ChangeDetector(3)
    one.apply(rows)
    other.apply(holes)
    assert one.state()["sums"].tobytes() == other.state()["sums"].tobytes()


def test_any_cut_gives_the_same_sums():
    rows = gains(np.random.default_rng(6), 400)
    whole = ChangeDetector(3)
    whole.apply(rows)
    found = ChangeDetector(3)
    for part in np.split(rows, [1, 130, 399]):
        found = ChangeDetector.from_state(found.state())
        found.apply(part)
    assert found.state()["sums"].tobytes() == whole.state()["sums"].tobytes()
    assert found.state()["lengths"].tobytes() == whole.state()["lengths"].tobytes()


def test_wrong_columns_and_foreign_states_are_refused():
    with pytest.raises(RequestError, match="3 alternatives"):
        ChangeDetector(3).apply(np.zeros((4, 2)))
    with pytest.raises(RequestError, match="alternatives"):
        ChangeDetector(0)
    with pytest.raises(StoreError, match="change detector"):
        ChangeDetector.from_state({"version": np.array([2])})
