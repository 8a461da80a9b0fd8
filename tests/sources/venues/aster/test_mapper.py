"""What Aster has of its own: few streams to a connection, and pages that Binance has and it has not."""

from __future__ import annotations

import json

import pytest
from tests.sources.venues.play import Play

from faultline.messages import Kind
from faultline.sources.rows import Rows
from faultline.units import MILLISECOND_NS


def test_a_connection_has_at_most_two_hundred_streams():
    play = Play("aster")
    plans = play.venue.feed.sockets(play.wanted(play.instruments * 20))
    assert (
        max(
            len(json.loads(frame)["params"]) * len(plan.subscribe)
            for plan in plans
            for frame in plan.subscribe
        )
        <= 200
    )
    assert len(plans) == 2


def test_it_has_no_ratios_and_says_so():
    venue = Play("aster").venue
    assert Kind.RATIO in venue.absent
    assert not [
        poll for poll in venue.feed.polls(Play("aster").wanted()) if "futures/data" in poll.request.path
    ]


@pytest.mark.recorded
def test_the_documented_liquidation_is_read(recorded):
    play, out = Play("aster"), Rows("aster")
    frame = json.loads((recorded / "venue_messages/by_venue/aster/forceOrder_doc.json").read_text())
    play.venue.mapper(play.contracts).map(json.dumps(frame).encode(), frame["E"] * MILLISECOND_NS, out)
    assert [(batch.kind, len(batch.rows)) for batch in out.drain()] == [(Kind.LIQUIDATION, 1)]
    assert out.rejects == {}
