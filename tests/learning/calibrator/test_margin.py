from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.learning.calibrator.margin_scores import CORRECTIONS, scored

from faultline.errors import RequestError, StoreError
from faultline.learning.calibrator.margin import MarginBank

CAPS = (300_000.0, 800_000.0)
#: A size in each tier.
SIZES = (1e5, 5e5, 2e6)


@pytest.mark.parametrize("true_bps", [-10.0, -5.0, 0.0, 5.0, 10.0])
def test_a_correction_is_found_to_the_step_of_the_bank(true_bps):
    bank = MarginBank()
    bank.apply(scored(np.random.default_rng(1), 1500, true_bps))
    found = bank.correction(0)
    assert found.low <= true_bps <= found.high
    assert abs(found.value - true_bps) < 8.0
    assert found.data_share > 0.5
    # All events of the windows, faded.
    assert 2000 < found.n_events < 2 * 2000 / np.log(2)


def test_what_lies_beyond_the_bank_is_said_to_lie_there_and_no_more():
    bank = MarginBank()
    bank.apply(scored(np.random.default_rng(2), 1500, 25.0))
    found = bank.correction(0)
    assert found.value > 10.0
    assert found.low > 0.0
    assert found.low <= 25.0 <= found.high


def test_the_band_holds_the_truth_in_most_worlds():
    held = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        true_bps = rng.normal(0.0, 10.0)
        bank = MarginBank()
        bank.apply(scored(rng, 400, true_bps))
        found = bank.correction(0)
        held.append(found.low <= true_bps <= found.high)
    assert np.mean(held) >= 0.85


def test_a_tier_of_its_own_margin_is_told_apart():
    bank = MarginBank(CAPS)
    rng = np.random.default_rng(3)
    bank.apply(scored(rng, 3000, (0.0, 0.0, 10.0), tier_ratios=(0.5, 0.2, 0.3), sizes_usd=SIZES))
    first, _, last = (bank.correction(tier) for tier in range(3))
    assert first.low <= 0.0 <= first.high
    assert last.low <= 10.0 <= last.high
    assert last.value > 6.0
    assert abs(first.value) < 3.0


def test_a_tier_without_events_leans_on_the_others_and_says_so():
    bank = MarginBank(CAPS)
    bank.apply(scored(np.random.default_rng(4), 1500, 10.0, tier_ratios=(1.0,), sizes_usd=(1e5,)))
    found = bank.correction(2)
    assert found.data_share == 0.0
    assert found.n_events == 0.0
    assert found.value > 4.0
    assert found.high - found.low > 20.0


def test_windows_without_events_teach_too():
    rng = np.random.default_rng(5)
    scores = scored(rng, 1500, 0.0)
    # A margin under which twice as much is expected, of events that it places no better.
    twice = dataclasses.replace(scores, expected=scores.expected.copy(), rate=scores.rate.copy())
    twice.expected[:, 0], twice.rate[:, 0] = 2 * scores.expected[:, 1], 2 * scores.rate[:, 1]
    bank = MarginBank()
    bank.apply(twice)
    assert abs(bank.correction(0).value) < 3.0
    assert bank.correction(0).low > -10.0


def test_without_events_the_prior_is_told():
    found = MarginBank().correction(0)
    assert abs(found.value) < 1e-9
    assert found.low == pytest.approx(-27.7, abs=0.5)
    assert (found.n_events, found.data_share) == (0.0, 0.0)


def test_where_all_margins_foretell_the_same_the_prior_stays():
    scores = scored(np.random.default_rng(6), 1500, 10.0)
    flat = dataclasses.replace(scores, expected=scores.expected[:, [1, 1, 1]], rate=scores.rate[:, [1, 1, 1]])
    bank = MarginBank()
    bank.apply(flat)
    found = bank.correction(0)
    assert found.n_events > 1000
    assert abs(found.value) < 1e-9
    assert found.data_share == pytest.approx(0.0, abs=1e-12)


def test_bursts_count_as_few_events():
    scores = scored(np.random.default_rng(7), 300, 10.0)
    calm, wild = MarginBank(), MarginBank()
    calm.apply(scores)
    wild.apply(dataclasses.replace(scores, dispersion=np.full(300, 40.0)))
    assert wild.correction(0).data_share < 0.3 * calm.correction(0).data_share


def test_what_teaches_nothing_is_passed_over():
    scores = scored(np.random.default_rng(8), 500, 10.0, tier_ratios=(1.0,), sizes_usd=(1e5,))
    expected = scores.expected.copy()
    expected[200:] = np.nan
    cut = scores.since(0)
    first = int(np.searchsorted(scores.window, 200))
    alone = dataclasses.replace(
        cut,
        expected=scores.expected[:200],
        dispersion=scores.dispersion[:200],
        window=scores.window[:first],
        rate=scores.rate[:first],
        count=scores.count[:first],
        notional_usd=scores.notional_usd[:first],
    )
    whole, part = MarginBank(CAPS), MarginBank(CAPS)
    whole.apply(dataclasses.replace(scores, expected=expected))
    part.apply(alone)
    assert whole.correction(0) == part.correction(0)


def test_events_of_unknown_size_teach_no_tier():
    scores = scored(np.random.default_rng(9), 500, 10.0)
    bank = MarginBank(CAPS)
    bank.apply(dataclasses.replace(scores, notional_usd=np.full(len(scores.window), np.nan)))
    assert [bank.correction(tier).data_share for tier in range(3)] == [0.0, 0.0, 0.0]


def test_twenty_thousand_events_without_a_change_raise_no_alarm():
    bank = MarginBank(CAPS)
    rng = np.random.default_rng(10)
    scores = scored(rng, 5000, (5.0, 5.0, 5.0), tier_ratios=(0.5, 0.4, 0.1), sizes_usd=SIZES)
    assert len(scores.window) > 19_000
    assert bank.apply(scores) == []


@pytest.mark.parametrize(("after_bps", "within"), [(10.0, 600), (-25.0, 150)])
def test_a_change_of_one_tier_is_found_and_what_was_learned_is_dropped(after_bps, within):
    rng = np.random.default_rng(11)
    bank = MarginBank(CAPS)
    assert bank.apply(scored(rng, 1200, 0.0, sizes_usd=(1e5,))) == []
    changes = bank.apply(scored(rng, within, after_bps, sizes_usd=(1e5,)))
    assert [(change.tier, change.before_bps) for change in changes] == [(0, 0.0)]
    assert changes[0].after_bps == np.sign(after_bps) * 10.0
    assert changes[0].evidence_nats > 15.0
    assert 0 < changes[0].n_events < 5.0 * within + 200
    assert bank.correction(0).n_events < 5.0 * (within - changes[0].window)
    assert bank.in_use_bps()[0] == changes[0].after_bps


def test_settling_on_a_correction_is_no_change():
    bank = MarginBank()
    assert bank.apply(scored(np.random.default_rng(12), 200, 10.0)) == []
    assert bank.in_use_bps()[0] == 10.0


def test_any_cut_gives_the_same_bytes():
    rng = np.random.default_rng(13)
    scores = scored(rng, 600, (10.0, -10.0, 0.0), tier_ratios=(0.4, 0.4, 0.2), sizes_usd=SIZES)
    scores.expected[5] = np.nan
    whole, found = MarginBank(CAPS), MarginBank(CAPS)
    changes = whole.apply(scores)
    told = []
    for begin, end in ((0, 1), (1, 99), (99, 400), (400, 600)):
        part = scores.since(begin)
        kept = int(np.searchsorted(part.window, end - begin))
        names = ("window", "rate", "count", "notional_usd")
        part = dataclasses.replace(
            part,
            expected=part.expected[: end - begin],
            dispersion=part.dispersion[: end - begin],
            **{name: getattr(part, name)[:kept] for name in names},
        )
        found = MarginBank.from_state(found.state(), CAPS)
        told += [dataclasses.replace(c, window=c.window + begin) for c in found.apply(part)]
    assert told == changes
    assert {k: v.tobytes() for k, v in found.state().items()} == {
        k: v.tobytes() for k, v in whole.state().items()
    }


def test_what_does_not_fit_is_refused():
    rng = np.random.default_rng(14)
    with pytest.raises(RequestError, match="ascend"):
        MarginBank((5.0, 4.0))
    with pytest.raises(RequestError, match="corrections"):
        MarginBank().apply(scored(rng, 5, 0.0, grid=np.array([-10.0, 10.0])))
    with pytest.raises(RequestError, match="tier"):
        MarginBank().correction(1)
    with pytest.raises(StoreError, match="margin bank"):
        MarginBank.from_state(MarginBank().state(), CAPS)


@pytest.mark.parametrize("other", [{"assumed_bps": 60.0}, {"grid": CORRECTIONS * 2}])
def test_what_was_scored_under_other_margins_is_forgotten(other):
    rng = np.random.default_rng(15)
    bank = MarginBank()
    bank.apply(scored(rng, 1000, 10.0))
    assert bank.correction(0).data_share > 0.5
    bank.apply(scored(rng, 3, 0.0, **other))
    assert bank.correction(0).n_events < 40
    assert bank.correction(0).data_share < 0.2
