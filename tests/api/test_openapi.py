from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance
from tests.store.zone_bodies import zone

from faultline.alerts.desk import AlertDesk
from faultline.alerts.targets import make_target
from faultline.api.app import build_app
from faultline.api.settings import ApiSettings
from faultline.signals.events import EventType, make_event
from faultline.store.alert_rules import AlertRule
from faultline.store.alerts import AlertStore
from faultline.store.events import EventStore
from faultline.store.maps import MapStore
from faultline.store.zones import ZoneStore
from faultline.testing.market import fake_market, fill_store

LONG = os.environ.get("FAULTLINE_FUZZ") == "1"


def filled_stores(folder):
    events, zones = EventStore(folder / "facts.db"), ZoneStore(folder / "facts.db")
    down = {
        "instrument": "binance:BTCUSDT",
        "silent_s": 31.0,
        "channels": [],
        "status": "silent",
        "detail": "",
    }
    events.append(
        [
            make_event(
                EventType.SOURCE_DOWN,
                asset="BTC",
                subject="binance:BTCUSDT",
                detected_at_ns=n,
                data=down,
                simulated=False,
                mode="live",
            )
            for n in range(5)
        ]
    )
    zones.write("live", "BTC", [zone("BTC-L-a-0")])
    zones.publish("BTC", 10**18, 99_000.0, [zone("BTC-L-a-0", age_s=60)], run="live", tracked_from_ns=0)
    events.flush()
    zones.flush()
    return events, zones


def filled_app():
    store = MapStore(first_seq=0)
    fill_store(store, fake_market(seed=2, n_columns=40, n_rows=30))
    store.explain = lambda scope, tf, t_ns, price: {
        "price_low_usd": price,
        "price_high_usd": price + 50.0,
        "t_ms": t_ns // 1_000_000,
        "long_usd": 1.0,
        "short_usd": None,
        "venues": [],
        "bands": [],
        "entry_window": None,
        "oi_source": "x",
        "oi_age_s": None,
        "learned_share": 0.0,
        "assumed_share": 1.0,
        "distance_ratio": 0.0,
    }
    store.profile_of = lambda scope: {
        "prices_usd": [1.0],
        "long_usd": [1.0],
        "short_usd": [None],
        "lo_usd": [0.0],
        "hi_usd": [2.0],
        "oi_long_usd": 1.0,
        "oi_short_usd": 1.0,
        "learned_share": 0.0,
    }
    store.model_of = lambda asset: {"asset": asset, "feeds": [], "cascade": None}
    store.sources_of = lambda: {"connected": False, "at_ms": 1, "venues": []}
    store.control = lambda order: None
    folder = Path(tempfile.mkdtemp())
    events, zones = filled_stores(folder)
    alerts = AlertDesk(
        events,
        AlertStore(folder / "alerts.db"),
        rules=[AlertRule(name="all", targets=["phone"])],
        targets=[make_target("phone", "json://127.0.0.1", "test")],
        send=lambda target, text: None,
    )
    settings = ApiSettings(allowed_hosts=("testserver",))
    return build_app(store, None, settings, events=events, zones=zones, alerts=alerts)


#: Every way of refusing a request: also for its length, before anything else in it is read.
REFUSALS = {"expected-statuses": [400, 401, 403, 404, 405, 409, 413, 414, 415]}
SCHEMA = schemathesis.openapi.from_asgi(
    "/api/v1/openapi.json",
    filled_app(),
    config=SchemathesisConfig.from_dict({"checks": {"negative_data_rejection": REFUSALS}}),
    headers={"host": "localhost"},
)


@pytest.mark.fuzz
@SCHEMA.parametrize()
@settings(
    max_examples=500 if LONG else 12,
    deadline=None,
    derandomize=not LONG,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_one_the_description_promises(case):
    # "Exactly one of four fields" is a rule that the description of the body cannot express.
    # Neither are which targets there are, and that names end in no space.
    bodies_with_rules = ("/replay", "/alerts/test", "/alerts/rules/{name}")
    inexpressible = [positive_data_acceptance] if case.operation.path.endswith(bodies_with_rules) else []
    case.call_and_validate(headers={"host": "localhost"}, excluded_checks=inexpressible)


def test_the_description_names_every_route_and_its_failures():
    described = filled_app().openapi_schema.to_schema()["paths"]
    assert set(described) == {
        "/api/v1/status",
        "/api/v1/assets",
        "/api/v1/scores",
        "/api/v1/sources",
        "/api/v1/heat/{scope_id}/{tf}/{plane_file}",
        "/api/v1/legend/{scope_id}/{tf}",
        "/api/v1/candles/{scope_id}/{tf}",
        "/api/v1/cell/{scope_id}/{tf}",
        "/api/v1/profile/{scope_id}",
        "/api/v1/replay",
        "/api/v1/alerts",
        "/api/v1/alerts/rules/{name}",
        "/api/v1/alerts/test",
        "/api/v1/model/{asset}",
        "/api/v1/zones",
        "/api/v1/zones/{zone_id}",
        "/api/v1/events",
        "/livez",
        "/readyz",
    }
    for operations in described.values():
        for operation in operations.values():
            assert {"400", "403", "404", "503"} <= set(operation["responses"])
            assert "application/problem+json" in operation["responses"]["404"]["content"]
            assert operation["summary"]


@pytest.mark.parametrize("route", sorted(filled_app().openapi_schema.to_schema()["paths"]))
def test_every_route_is_in_the_reference(root, route):
    assert route.replace("{scope_id}", "{scope}").replace("{plane_file}", "{plane}.bin") in (
        root / "docs" / "reference" / "api.md"
    ).read_text(encoding="utf-8")
