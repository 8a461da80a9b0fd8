from __future__ import annotations

import numpy as np
import pytest

from faultline.pipeline.served_mix import ServedMix
from faultline.units import DAY_NS, HOUR_NS, MINUTE_NS

ASSUMED = np.array([[0.5, 0.5], [0.7, 0.3], [0.3, 0.7]])


def held(*shares_of_first, start=0, every=MINUTE_NS):
    times = start + np.arange(1, len(shares_of_first) + 1) * every
    mixes = np.array([[[a, 1 - a]] * 3 for a in shares_of_first])
    return times, mixes, np.full(len(times), 0.25)


def test_before_anything_is_learned_the_assumed_mix_holds():
    served = ServedMix(ASSUMED)
    mixes, index = served.at(np.array([1, 10**18]))
    np.testing.assert_array_equal(mixes, ASSUMED[:1])
    assert index.tolist() == [0, 0]
    assert served.learned_share == 0.0
    np.testing.assert_array_equal(served.now, ASSUMED)


def test_a_time_gets_the_mix_that_was_known_then():
    served = ServedMix(ASSUMED)
    served.hold(*held(0.1, 0.2, 0.3))
    times = np.array([MINUTE_NS - 1, MINUTE_NS, 2 * MINUTE_NS + 5, 9 * MINUTE_NS])
    mixes, index = served.at(times)
    assert mixes[index][:, 0].tolist() == pytest.approx([0.5, 0.1, 0.2, 0.3])
    np.testing.assert_array_equal(mixes[0], ASSUMED[0])
    assert served.share_at(0) == 0.0
    assert served.share_at(MINUTE_NS) == 0.25
    np.testing.assert_array_equal(served.band_at(MINUTE_NS - 1), ASSUMED)
    assert served.band_at(2 * MINUTE_NS)[:, 0].tolist() == [0.2, 0.2, 0.2]


def test_old_mixes_are_kept_by_the_hour_and_then_forgotten():
    served = ServedMix(ASSUMED)
    shares = np.linspace(0.1, 0.9, 62 * 24 * 4)
    for cut in np.array_split(np.arange(len(shares)), 50):
        part = held(*shares[cut], start=int(cut[0]) * 15 * MINUTE_NS, every=15 * MINUTE_NS)
        served.hold(*part)
    now = 62 * DAY_NS
    assert len(served.state()["from_ns"]) <= 2 * 24 * 4 + 60 * 24 + 8
    mixes, index = served.at(np.array([now - 30 * DAY_NS]))
    assert index[0] == 1
    assert mixes[1, 0] == pytest.approx(shares[32 * 24 * 4 - 2])
    recent = now - DAY_NS - 15 * MINUTE_NS
    assert served.at(np.array([recent]))[0][1, 0] == pytest.approx(shares[recent // (15 * MINUTE_NS) - 1])
    assert served.at(np.array([now - 61 * DAY_NS]))[1][0] == 0


def test_it_goes_on_from_its_state():
    served = ServedMix(ASSUMED)
    served.hold(*held(0.1, 0.2))
    twin = ServedMix.from_state(served.state())
    for one in (served, twin):
        one.hold(*held(0.4, start=5 * HOUR_NS))
    assert {key: value.tobytes() for key, value in served.state().items()} == {
        key: value.tobytes() for key, value in twin.state().items()
    }
