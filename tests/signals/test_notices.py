"""What learners and calibrators find becomes events with the fields of the catalogue, each with an id of its own."""

from __future__ import annotations

import pytest

from faultline.learning.calibrator.report import EngineChange, SideTurn
from faultline.learning.calibrator.sides import SideVerdict
from faultline.learning.history import Fact
from faultline.signals.events import EventType
from faultline.signals.notices import Notice, calibration_notice, learner_notice
from faultline.units import PriceKind

FEED = "okx:BTCUSDT"


def event(notice: Notice):
    return notice.event(simulated=False, mode="live", latency_ms=None)


@pytest.mark.parametrize("kind", ["fallback", "restored"])
@pytest.mark.parametrize(
    ("learner", "subject", "venue"),
    [("leverage", FEED, "okx"), ("print offset", FEED, "okx"), ("chains", "BTC", None)],
)
def test_a_learner_that_fell_back_is_told_when_it_did(kind, learner, subject, venue) -> None:
    found = event(learner_notice("BTC", learner, subject, Fact(kind, 60, -6.5, 5.0)))
    assert (found.type, found.detected_at_ns, found.venue) == (EventType.LEARNER_FELL_BACK, 60, venue)
    assert found.data == {
        "instrument": subject,
        "learner": learner,
        "change": kind,
        "advantage_nats": -6.5,
        "threshold_nats": -5.0,
    }


def test_a_calibrator_that_fell_back_is_told_at_the_minute_that_found_it() -> None:
    fact = Fact("fallback", 55, -5.5, 5.0)
    found = event(calibration_notice("BTC", FEED, 60, fact, before=SideVerdict.RIGHT))
    assert (found.type, found.detected_at_ns) == (EventType.LEARNER_FELL_BACK, 60)
    assert (found.data["learner"], found.data["change"]) == ("print offset", "fallback")


def test_a_change_of_engine_names_the_price_or_the_tier_that_moved() -> None:
    offset = EngineChange(50, "print offset", int(PriceKind.BANKRUPTCY), -40.0, -50.0, 15.5, 30)
    margin = EngineChange(50, "margin", 1, 0.0, 10.0, 16.0, 40)
    told = [
        event(calibration_notice("BTC", FEED, 60, what, before=SideVerdict.RIGHT))
        for what in (offset, margin)
    ]
    assert [found.data["part"] for found in told] == ["BANKRUPTCY", "tier 2"]
    assert {found.detected_at_ns for found in told} == {60}
    assert told[0].id != told[1].id
    assert (told[0].data["before_bps"], told[0].data["after_bps"]) == (-40.0, -50.0)


def test_two_turns_of_sides_in_one_minute_are_two_events() -> None:
    turns = (SideTurn(50, SideVerdict.INVERTED, -9.0), SideTurn(55, SideVerdict.MIXED, -9.0))
    before = (SideVerdict.RIGHT, SideVerdict.INVERTED)
    told = [
        event(calibration_notice("BTC", FEED, 60, turn, before=verdict))
        for turn, verdict in zip(turns, before, strict=True)
    ]
    assert told[0].id != told[1].id
    assert [(found.data["before"], found.data["verdict"]) for found in told] == [
        ("right", "inverted"),
        ("inverted", "mixed"),
    ]
