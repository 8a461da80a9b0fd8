"""Events of a made-up market, a clock that is set by hand, and the stores a desk works on."""

from __future__ import annotations

import itertools
import random

import pytest

from faultline.alerts.desk import AlertDesk
from faultline.alerts.sending import is_usable
from faultline.alerts.targets import make_target
from faultline.clock import ManualClock
from faultline.signals.events import CATALOGUE, EventType, make_event
from faultline.store.alert_rules import AlertRule
from faultline.store.alerts import AlertStore
from faultline.store.events import EventStore

#: 2026-03-02 12:00:00 UTC.
NOON_NS = 1_772_452_800_000_000_000
SECOND = 1_000_000_000
_NUMBERS = itertools.count()

ZONE = {
    "zone_id": "BTC-L-abc-0",
    "scope": "BTC",
    "side": "LONG",
    "low_usd": 96_150.0,
    "high_usd": 96_400.0,
    "peak_usd": 96_270.0,
    "notional_usd": 31.2e6,
    "distance_ratio": 0.0,
    "density_level": 8,
    "loaded": True,
}


def an_event(kind="ZONE_HIT", *, at_ns=NOON_NS, mode="live", asset="BTC", venue=None, subject=None, **fields):
    """An event of a type with plausible fields, some of them replaced; each with an id of its own."""
    kind = EventType(kind)
    known = {**ZONE, "price_usd": 96_398.5, "instrument": "binance:BTCUSDT", "before_usd": 20e6}
    chosen = {**{name: known.get(name) for name in CATALOGUE[kind].fields}, **fields}
    return make_event(
        kind,
        asset=asset,
        subject=subject or f"{chosen.get('zone_id')}-{next(_NUMBERS)}",
        detected_at_ns=at_ns,
        data=chosen,
        simulated=mode == "simulated",
        mode=mode,
        venue=venue,
    )


def a_rule(name="near", **fields):
    """A rule that sends everything live to the phone, unless told otherwise."""
    return AlertRule(**{"name": name, "targets": ("phone",), "rate_limit": None, "dedupe_s": 0, **fields})


class Post:
    """Takes messages instead of apprise; can be told to refuse or to hang."""

    def __init__(self):
        self.taken = []
        self.tries = 0
        self.answer = lambda target, text: None

    def __call__(self, target, text):
        self.tries += 1
        self.answer(target, text)
        self.taken.append((target.name, text.summary))


@pytest.fixture
def clock():
    return ManualClock(NOON_NS)


@pytest.fixture
def post():
    return Post()


@pytest.fixture
def events(tmp_path):
    store = EventStore(tmp_path / "facts.db")
    yield store
    store.close()


@pytest.fixture
def store(tmp_path):
    store = AlertStore(tmp_path / "facts.db")
    yield store
    store.close()


@pytest.fixture
def make_desk(events, store, clock, post):
    """A function that makes a desk with targets ``phone`` and ``mail`` whose courier has been resumed."""

    def make(*rules, **options):
        options.setdefault("clock", clock)
        options.setdefault("send", post)
        options.setdefault("rng", random.Random(5))
        names = options.pop("target_names", ("phone", "mail"))
        targets = [make_target(name, f"json://user:hunter2-{name}@127.0.0.1:9", "test") for name in names]
        desk = AlertDesk(events, store, rules=rules, targets=targets, **options)
        desk.courier.resume()
        return desk

    return make


@pytest.fixture(scope="session", autouse=True)
def _loaded_library():
    """Load apprise before any thread does: what it warns of while it loads belongs to no test."""
    assert is_usable(make_target("phone", "json://127.0.0.1", "test"))
