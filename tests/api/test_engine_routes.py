from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

from faultline.store.maps import MapStore
from faultline.store.scores import ScoreStore
from faultline.units import DAY_NS

COMMON = {"simulated", "as_of_ns", "as_of_ms", "stale"}
GET_ROUTES = [
    "/api/v1/status",
    "/api/v1/assets",
    "/api/v1/scores",
    "/api/v1/legend/BTC/5m",
    "/api/v1/candles/BTC/5m",
    "/api/v1/heat/BTC/5m/synthetic.json",
    "/api/v1/cell/BTC/5m?t_ms=1768200000000&price=99000",
    "/api/v1/profile/BTC",
    "/livez",
    "/readyz",
    "/api/v1/nothing/here",
    "/api/v1/heat/XRP/5m/synthetic.bin",
]


@pytest.mark.parametrize("path", GET_ROUTES)
def test_every_json_body_says_what_world_and_when_it_is(client, store, path):
    body = client.get(path).json()
    assert set(body) >= COMMON
    assert body["simulated"] is True
    assert body["as_of_ns"] == store.status.as_of_ns
    assert body["as_of_ms"] == store.status.as_of_ns // 1_000_000
    assert body["stale"] is False


def test_status_tells_what_runs(client, store):
    replay = {"at_ns": 5, "from_ns": 0, "to_ns": 10, "speed": 60.0, "paused": False}
    progress = {"done": 3.0, "total": 10.0, "label": "rebuilding"}
    store.write_status(
        {
            "mode": "replay",
            "state": "loading",
            "replay": replay,
            "progress": progress,
            "version": "1.2.3",
            "as_of_ns": 5,
        }
    )
    body = client.get("/api/v1/status").json()
    assert (body["mode"], body["state"], body["version"], body["world"]) == (
        "replay",
        "loading",
        "1.2.3",
        None,
    )
    assert body["replay"] == replay
    assert body["progress"] == progress
    assert body["stale"] is True
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["reason"]) == (503, "loading: rebuilding")
    assert client.get("/livez").status_code == 200


def test_an_engine_that_failed_says_so(client, store):
    error = {"code": "tape_corrupt", "message": "segment 3 is damaged", "hint": "run faultline tape verify"}
    store.write_status({"mode": "live", "state": "error", "error": error})
    assert client.get("/api/v1/status").json()["error"] == {**error, "where": ""}
    assert client.get("/readyz").json()["reason"] == "error: segment 3 is damaged"


@pytest.mark.parametrize(
    ("status", "silent_s", "stale"),
    [
        ({"mode": "live", "state": "ready"}, 1, False),
        ({"mode": "live", "state": "ready"}, 31, True),
        ({"mode": "live", "state": "ready", "data_age_s": 31.0}, 1, True),
        ({"mode": "replay", "state": "ready", "data_age_s": 9e7}, 1, False),
        ({"mode": "live", "state": "loading"}, 1, True),
        (
            {
                "mode": "replay",
                "state": "ready",
                "replay": {"at_ns": 1, "from_ns": 0, "to_ns": 2, "speed": 1.0, "paused": True},
            },
            600,
            False,
        ),
    ],
)
def test_stale_means_that_the_present_is_not_shown(status, silent_s, stale):
    from litestar.testing import TestClient

    from faultline.api.app import build_app
    from faultline.api.settings import ApiSettings

    now = [0.0]
    store = MapStore(monotonic=lambda: now[0])
    store.write_status(status)
    now[0] = float(silent_s)
    with TestClient(build_app(store, None, ApiSettings()), base_url="http://127.0.0.1") as client:
        assert client.get("/api/v1/status").json()["stale"] is stale


def test_assets_list_scopes_prices_and_timeframes(client, store, market):
    store.write_candles(market.candles("binance:BTCUSDT", 0, 3, 3))
    store.write_assets({"BTC": ["BTC", "binance:BTCUSDT"], "ETH": ["ETH"]})
    assets = {asset["asset"]: asset for asset in client.get("/api/v1/assets").json()["assets"]}
    assert assets["BTC"] == {
        "asset": "BTC",
        "price_usd": market.ohlc_usd[299, 3],
        "row_usd": 50.0,
        "scopes": ["BTC", "binance:BTCUSDT"],
        "timeframes": ["5m"],
    }
    assert (assets["ETH"]["price_usd"], assets["ETH"]["timeframes"]) == (None, [])


def test_scores_come_from_the_database(open_client, tmp_path):
    scores = ScoreStore(tmp_path / "facts.sqlite")
    client = open_client(scores=scores)
    assert client.get("/api/v1/scores").json()["available"] is False
    models = [{"name": "map", "ig": 0.4, "t": float("nan"), "ci": [0.1, 0.7], "space": 2.0}]
    differences = [{"a": "map", "b": "B4", "metric": "t", "mean": 0.1, "ci": [0.0, 0.2]}]
    places = {"model": "map", "shares": [0.1, 0.9], "high": [0.2, 0.95], "distance": 0.4}
    scores.write_report(
        "BTC",
        from_ns=0,
        to_ns=10**15,
        refresh_s=300,
        n_scored=7,
        report={
            "models": models,
            "differences": differences,
            "days": [{"day": "2026-01-05", "observed": 12.0, "predicted": 10.5}],
            "places": [places | {"low": [0.05, float("nan")]}],
        },
    )
    body = client.get("/api/v1/scores").json()
    assert body["available"] is True
    assert body["reports"] == [
        {
            "asset": "BTC",
            "from_ms": 0,
            "to_ms": 10**9,
            "refresh_s": 300,
            "n_scored": 7,
            "models": [{"name": "map", "ig": 0.4, "t": None, "ci": [0.1, 0.7]}],
            "differences": differences,
            "days": [{"day": "2026-01-05", "observed": 12.0, "predicted": 10.5}],
            "places": [places | {"low": [0.05, None]}],
        }
    ]
    assert body["history"] is None


def test_the_history_of_scores_is_told_of_the_asset_that_is_asked_for(open_client, tmp_path):
    scores = ScoreStore(tmp_path / "facts.sqlite")
    client = open_client(scores=scores)
    assert client.get("/api/v1/scores?history_of=BTC").json()["history"] == []
    differences = [{"a": "map", "b": "B4", "metric": "t", "mean": 0.1, "ci": [0.0, 0.2]}]
    report = {"models": [], "differences": differences}
    for day in (1, 2):
        scores.write_report("BTC", from_ns=0, to_ns=day * DAY_NS, refresh_s=300, n_scored=day, report=report)
    gains = [{"model": "map", "baseline": "B4", "mean": 0.1, "ci": [0.0, 0.2]}]
    assert client.get("/api/v1/scores?history_of=BTC").json()["history"] == [
        {"refresh_s": 300, "from_ms": 0, "to_ms": day * 86_400_000, "n_scored": day, "gains": gains}
        for day in (1, 2)
    ]
    assert client.get("/api/v1/scores?history_of=ETH").json()["history"] == []
    assert client.get("/api/v1/scores?history_of=").status_code == 400
    nobody = open_client(scores=None)
    assert nobody.get("/api/v1/scores?history_of=BTC").json()["history"] == []


def test_a_report_that_cannot_be_read_is_an_error_with_a_hint(open_client, tmp_path):
    scores = ScoreStore(tmp_path / "facts.sqlite")
    scores.write_report("BTC", from_ns=0, to_ns=1, refresh_s=1, n_scored=1, report={"models": 3})
    response = open_client(scores=scores).get("/api/v1/scores")
    assert response.status_code == 503
    assert "evaluate" in response.json()["hint"]


def test_a_cell_is_explained_by_the_pipeline_and_real_liquidations_by_the_store(client, store, market):
    asked = []

    def explain(scope, timeframe, t_ns, price_usd):
        asked.append((scope, timeframe, t_ns, price_usd))
        return {
            "price_low_usd": 99_000.0,
            "price_high_usd": 99_050.0,
            "t_ms": t_ns // 1_000_000,
            "long_usd": np.float64(5.0),
            "short_usd": float("nan"),
            "venues": [{"venue": "binance", "usd": np.float32(2)}],
            "bands": [{"label": "<10x", "long_usd": 1.0, "short_usd": 0.0}],
            "entry_window": {"from_ms": 1, "to_ms": 2},
            "oi_source": "binance",
            "oi_age_s": None,
            "learned_share": 0.0,
            "assumed_share": 1.0,
            "distance_ratio": -0.01,
        }

    store.explain = explain
    t_ms = int(market.t_ns[10]) // 1_000_000
    body = client.get(f"/api/v1/cell/BTC/5m?t_ms={t_ms}&price=99000").json()
    assert asked == [("BTC", "5m", int(market.t_ns[10]), 99_000.0)]
    assert (body["long_usd"], body["short_usd"]) == (5.0, None)
    assert body["venues"] == [{"venue": "binance", "usd": 2.0}]
    shown = store.cell_usd("BTC", "5m", "real", "long", int(market.t_ns[10]), 99_000.0)
    assert body["real_long_usd"] == pytest.approx(shown)
    store.explain = lambda *_: None
    gone = client.get(f"/api/v1/cell/BTC/5m?t_ms={t_ms}&price=99000")
    assert (gone.status_code, gone.json()["where"]) == (404, "t_ms")


def test_a_profile_of_arrays_becomes_lists(client, store):
    ones = np.ones(3)
    store.profile_of = lambda scope: {
        "prices_usd": ones,
        "long_usd": ones * 2,
        "short_usd": np.array([1.0, np.nan, 3.0]),
        "lo_usd": ones,
        "hi_usd": ones,
        "oi_long_usd": np.float64(7.0),
        "oi_short_usd": float("inf"),
        "learned_share": 0.0,
        "row_usd": 50.0,
    }
    body = client.get("/api/v1/profile/BTC").json()
    assert body["reproduction"] is None
    assert body["short_usd"] == [1.0, None, 3.0]
    assert (body["oi_long_usd"], body["oi_short_usd"]) == (7.0, None)
    assert client.get("/api/v1/profile/ETH").status_code == 404


def test_a_profile_says_of_each_row_how_much_it_feeds_its_own_move(client, store):
    ones = np.ones(2)
    known = {
        "value": np.array([0.2, np.nan]),
        "low": ones / 10,
        "high": ones,
        "n_flows": 41.5,
        "established": True,
    }
    names = ("prices_usd", "long_usd", "short_usd", "lo_usd", "hi_usd")
    totals = dict.fromkeys(("oi_long_usd", "oi_short_usd", "learned_share"), 1.0)
    store.profile_of = lambda scope: dict.fromkeys(names, ones) | totals | {"reproduction": known}
    found = client.get("/api/v1/profile/BTC").json()["reproduction"]
    assert found == {
        "value": [0.2, None],
        "low": [0.1, 0.1],
        "high": [1.0, 1.0],
        "n_flows": 41.5,
        "established": True,
    }


def test_questions_before_the_pipeline_is_there_say_that_it_is_not_ready(client):
    for path in ("/api/v1/cell/BTC/5m?t_ms=1&price=1", "/api/v1/profile/BTC"):
        response = client.get(path)
        assert (response.status_code, response.json()["code"]) == (503, "not_ready")
        assert response.headers["retry-after"] == "2"
    response = client.post("/api/v1/replay", json={"pause": True})
    assert (response.status_code, response.json()["code"]) == (503, "not_ready")


def test_a_pipeline_that_breaks_its_promise_is_a_counted_mistake_without_details(client, store):
    def explain(*_):
        raise ZeroDivisionError("secret path /home/x")

    store.explain = explain
    response = client.get("/api/v1/cell/BTC/5m?t_ms=1&price=1")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert "faultline_http_bugs_total 1.0" in client.get("/metrics").text


@pytest.mark.parametrize(
    ("sent", "obeyed"),
    [
        ({"at_ns": 500}, {"at_ns": 500}),
        ({"at_ms": 1}, {"at_ns": 1_000_000}),
        ({"speed": 60}, {"speed": 60.0}),
        ({"pause": True}, {"pause": True}),
        ({"pause": False}, {"pause": False}),
    ],
)
def test_a_replay_is_steered(client, store, sent, obeyed):
    orders = []
    store.control = orders.append
    response = client.post("/api/v1/replay", json=sent)
    assert response.status_code == 200
    assert response.json()["mode"] == "simulated"
    assert orders == [obeyed]


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"pause": True, "speed": 1},
        {"speed": 0},
        {"speed": -1},
        {"speed": 1e9},
        {"at_ns": -1},
        {"at_ns": 1.5},
        {"at_ms": 10**18},
        {"pause": "yes"},
        {"rewind": 1},
        [],
        "x",
        None,
        {"at_ns": None},
    ],
)
def test_an_order_that_makes_no_sense_is_refused(client, store, sent):
    orders = []
    store.control = orders.append
    response = client.post("/api/v1/replay", json=sent)
    assert response.status_code == 400
    assert orders == []


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b'{"speed": NaN}', b'{"speed": Infinity}', b"[" * 5_000]
)
def test_a_body_that_is_not_json_is_refused(client, store, content):
    store.control = pytest.fail
    response = client.post("/api/v1/replay", content=content, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["hint"]


def test_a_time_outside_of_the_recording_is_refused(client, store):
    store.control = pytest.fail
    replay = {"at_ns": 5, "from_ns": 10, "to_ns": 20, "speed": 1.0, "paused": False}
    store.write_status({"mode": "replay", "state": "ready", "replay": replay})
    response = client.post("/api/v1/replay", json={"at_ns": 21})
    assert (response.status_code, response.json()["where"]) == (400, "at_ns")


def test_an_order_that_the_pipeline_refuses_is_the_clients_fault(client, store):
    from faultline.errors import RequestError

    def control(order):
        raise RequestError("the replay has ended", where="speed", hint="jump back first")

    store.control = control
    response = client.post("/api/v1/replay", json={"speed": 2})
    assert (response.status_code, response.json()["hint"]) == (400, "jump back first")


def test_a_control_that_is_a_coroutine_is_awaited(client, store):
    done = []

    async def control(order):
        await asyncio.sleep(0)
        done.append(order)

    store.control = control
    assert client.post("/api/v1/replay", json={"speed": 2}).status_code == 200
    assert done == [{"speed": 2.0}]


def test_an_answer_that_takes_too_long_is_cut_off(open_client, store):
    client = open_client(timeout_s=0.2)
    store.explain = lambda *_: time.sleep(1.0)
    response = client.get("/api/v1/cell/BTC/5m?t_ms=1&price=1")
    assert (response.status_code, response.json()["code"]) == (504, "timeout")


def test_metrics_count_requests_by_route_and_show_the_store(client):
    client.get("/api/v1/heat/BTC/5m/synthetic.bin")
    client.get("/api/v1/heat/XYZ/5m/synthetic.bin")
    text = client.get("/metrics").text
    route = "/api/v1/heat/{scope_id}/{tf}/{plane_file}"
    assert f'faultline_http_requests_total{{method="GET",route="{route}",status="200"}} 1.0' in text
    assert f'faultline_http_requests_total{{method="GET",route="{route}",status="404"}} 1.0' in text
    for name in ("faultline_store_bad_cells", "faultline_bus_dropped", "faultline_stream_clients"):
        assert f"\n{name} 0.0" in text
    assert "XYZ" not in text
