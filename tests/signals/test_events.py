"""Every type of event has one row in the catalogue, and an event has the fields of its row."""

from __future__ import annotations

import msgspec
import pytest

from faultline.signals.events import CATALOGUE, Event, EventType, Priority, make_event


def _fields(kind):
    return dict.fromkeys(CATALOGUE[kind].fields, 1.0)


def test_every_type_is_in_the_catalogue():
    assert set(CATALOGUE) == set(EventType)


@pytest.mark.parametrize("kind", list(EventType))
def test_an_event_survives_json(kind):
    event = make_event(
        kind, asset="ABC", subject="s", detected_at_ns=5, data=_fields(kind), simulated=True, mode="simulated"
    )
    assert msgspec.json.decode(msgspec.json.encode(event), type=Event) == event
    assert event.priority == CATALOGUE[kind].priority


def test_the_same_event_found_again_has_the_same_id_and_another_moment_another():
    kind = EventType.ZONE_HIT
    one, again, later = (
        make_event(kind, asset="ABC", subject="z", detected_at_ns=t, data=_fields(kind), simulated=s, mode=m)
        for t, s, m in ((5, True, "simulated"), (5, False, "rebuilt"), (6, True, "simulated"))
    )
    assert one.id == again.id != later.id


def test_a_missing_or_an_unknown_field_is_refused_by_name():
    fields = _fields(EventType.SOURCE_DOWN) | {"colour": 1}
    del fields["silent_s"]
    with pytest.raises(ValueError, match="colour, silent_s"):
        make_event(
            EventType.SOURCE_DOWN,
            asset="ABC",
            subject="x",
            detected_at_ns=1,
            data=fields,
            simulated=True,
            mode="simulated",
        )


def test_what_forces_people_to_act_is_most_urgent():
    assert CATALOGUE[EventType.ZONE_HIT].priority is Priority.P0
    assert CATALOGUE[EventType.ZONE_APPROACHED].priority is Priority.P1
    assert CATALOGUE[EventType.ZONE_EXPIRED].priority is Priority.P2
