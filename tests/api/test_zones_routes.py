from __future__ import annotations

import pytest
from tests.store.zone_bodies import zone

from faultline.cascades.chain import ChainForecast
from faultline.store.zones import ZoneStore
from faultline.units import MINUTE_NS
from faultline.zones.divergence import VenueDivergence, VenueMean


@pytest.fixture
def zones(tmp_path):
    store = ZoneStore(tmp_path / "facts.db", first_version=40)
    yield store
    store.close()


@pytest.fixture
def client(open_client, zones):
    return open_client(zones=zones)


def publish(zones, market, *, scope="BTC"):
    """Three zones, one of them swept at the market's tenth column; the present is its column 299."""
    t_ns = [int(t) for t in market.t_ns]
    ended_s = (t_ns[10] - t_ns[0]) / 1e9
    swept = [
        zone("BTC-L-a-0", born_ns=t_ns[0]),
        zone("BTC-L-a-0", born_ns=t_ns[0], age_s=ended_s, state="swept"),
    ]
    low = zone("BTC-L-b-0", born_ns=t_ns[5], density_level=8, loaded=True)
    high = zone("BTC-S-c-0", born_ns=t_ns[20], side="SHORT", low_usd=101e3, high_usd=102e3, density_level=3)
    zones.write("run", scope, [*swept, low, high])
    zones.flush()
    age_s = (t_ns[299] - t_ns[5]) / 1e9
    low_now = zone("BTC-L-b-0", born_ns=t_ns[5], age_s=age_s, density_level=8, loaded=True, notional_usd=1.0)
    zones.publish(scope, t_ns[299], 99_000.5, [low_now, high], run="run", tracked_from_ns=t_ns[0])
    return t_ns


def chain(time_ns):
    """A chain of two levels from the long zone, the flow that the second one needs unknown."""
    return ChainForecast(
        zone_id="BTC-L-b-0",
        symbol="BTC",
        side=0,
        time_ns=time_ns,
        tau_ns=30 * MINUTE_NS,
        level_usd=(94e3, 93e3),
        distance=(0.01, 0.02),
        mass_usd=(1e6, 2e6, 3e6),
        prob=(0.3, 0.1),
        lo=(0.2, 0.05),
        hi=(0.4, 0.2),
        passage_prob=(0.25, 0.06),
        excess_prob=(0.05, 0.04),
        expected_usd=(5e3, 3e3, 1.5e3),
        released_usd=(5e3, 1.5e4),
        needed_usd=(2e6, float("inf")),
        needed_from=("book", "law"),
        hop_delay_s=(60.0, 300.0, 900.0),
        delay_s=((60.0, 290.0, 900.0), (200.0, 610.0, 1500.0)),
        reproduction=(float("nan"), 0.1, 0.2),
        n_observations=(41.5, 9.0),
        is_grey=(False, True),
        raw_prob=(0.3, 0.1),
        book_usd=(2e6, None),
        book=("binance:BTCUSDT", "bybit:BTCUSDT"),
        book_age_s=4.0,
        depth_ratio=0.7,
        funding_z=None,
        is_frozen=True,
    )


def ids(body):
    return [each["id"] for each in body["zones"]]


def test_zones_now_come_from_memory_with_their_times_in_ms(client, zones, market):
    t_ns = publish(zones, market)
    body = client.get("/api/v1/zones?scope=BTC").json()
    assert (body["scope"], body["price_usd"], body["at_ms"]) == ("BTC", 99_000.5, t_ns[299] // 1_000_000)
    assert body["tracked_from_ms"] == t_ns[0] // 1_000_000
    assert ids(body) == ["BTC-L-b-0", "BTC-S-c-0"]
    first = body["zones"][0]
    assert first["notional_usd"] == 1.0
    assert (first["born_ns"], first["born_ms"], first["ended_ms"]) == (t_ns[5], t_ns[5] // 1_000_000, None)
    assert first["seen_ms"] == t_ns[299] // 1_000_000
    assert body["simulated"] is True


def test_zones_of_the_past_come_from_the_database_with_the_price_of_that_moment(client, zones, market):
    t_ns = publish(zones, market)
    moment = (t_ns[6] + MINUTE_NS) // 1_000_000
    body = client.get(f"/api/v1/zones?scope=BTC&at_ms={moment}").json()
    assert ids(body) == ["BTC-L-a-0", "BTC-L-b-0"]
    assert body["at_ms"] == moment
    assert body["price_usd"] == market.ohlc_usd[5, 3]
    before = client.get("/api/v1/zones?scope=BTC&at_ms=5").json()
    assert (before["zones"], before["price_usd"]) == ([], None)
    future = client.get(f"/api/v1/zones?scope=BTC&at_ms={t_ns[299] // 1_000_000 + 10**9}").json()
    assert future["at_ms"] == t_ns[299] // 1_000_000


def test_the_divergence_of_venues_is_told_at_the_present_of_the_asset_only(client, zones, market):
    t_ns = publish(zones, market)
    assert client.get("/api/v1/zones?scope=BTC").json()["divergence"] is None
    side = VenueDivergence(
        at_ns=t_ns[290],
        venues=[VenueMean("binance", -140.0), VenueMean("okx", -210.5)],
        pair=("binance", "okx"),
        distance_bps=71.25,
        floor_bps=None,
        excess_bps=None,
        overlap_ratio=0.5,
        outlier=None,
    )
    first = client.get("/api/v1/zones?scope=BTC")
    zones.publish("BTC", t_ns[299], 99_000.5, zones.latest("BTC").zones, run="run", divergence=(side, None))
    answer = client.get("/api/v1/zones?scope=BTC", headers={"if-none-match": first.headers["etag"]})
    assert answer.status_code == 200
    assert answer.json()["divergence"] == {
        "long": {
            "at_ns": t_ns[290],
            "at_ms": t_ns[290] // 1_000_000,
            "venues": [
                {"venue": "binance", "barycentre_bps": -140.0},
                {"venue": "okx", "barycentre_bps": -210.5},
            ],
            "pair": ["binance", "okx"],
            "distance_bps": 71.25,
            "floor_bps": None,
            "excess_bps": None,
            "overlap_ratio": 0.5,
            "outlier": None,
        },
        "short": None,
    }
    past = client.get(f"/api/v1/zones?scope=BTC&at_ms={t_ns[200] // 1_000_000}").json()
    assert past["divergence"] is None


def test_the_chain_of_a_zone_is_told_at_the_present_where_it_was_said(client, zones, market):
    t_ns = publish(zones, market)
    first = client.get("/api/v1/zones?scope=BTC")
    assert [each["chain"] for each in first.json()["zones"]] == [None, None]
    now, said = zones.latest("BTC"), {"BTC-L-b-0": chain(t_ns[299])}
    for _ in range(2):
        zones.publish("BTC", t_ns[299], 99_000.5, now.zones, run="run", chains=said)
    assert zones.latest("BTC").version == now.version + 1
    answer = client.get("/api/v1/zones?scope=BTC", headers={"if-none-match": first.headers["etag"]})
    low, high = answer.json()["zones"]
    assert high["chain"] is None
    assert low["chain"]["at_ms"] == t_ns[299] // 1_000_000
    books = {"instruments": ["binance:BTCUSDT", "bybit:BTCUSDT"], "age_s": 4.0, "depth_ratio": 0.7}
    assert (low["chain"]["book"], low["chain"]["funding_z"]) == (books, None)
    assert low["chain"]["frozen"] is True
    assert low["chain"]["steps"] == [
        {
            "depth": 1,
            "price_usd": 94e3,
            "prob": 0.3,
            "low": 0.2,
            "high": 0.4,
            "expected_usd": 3e3,
            "delay_s": 290.0,
            "needed_usd": 2e6,
            "needed_from": "book",
            "book_usd": 2e6,
            "n_at_risk": 41.5,
            "greyed": False,
        },
        {
            "depth": 2,
            "price_usd": 93e3,
            "prob": 0.1,
            "low": 0.05,
            "high": 0.2,
            "expected_usd": 1.5e3,
            "delay_s": 610.0,
            "needed_usd": None,
            "needed_from": "law",
            "book_usd": None,
            "n_at_risk": 9.0,
            "greyed": True,
        },
    ]
    past = client.get(f"/api/v1/zones?scope=BTC&at_ms={t_ns[200] // 1_000_000}").json()
    assert all(each["chain"] is None for each in past["zones"])
    life = client.get("/api/v1/zones/BTC-L-b-0?scope=BTC").json()
    assert all(each["chain"] is None for each in life["states"])


def test_side_and_level_choose(client, zones, market):
    t_ns = publish(zones, market)
    assert ids(client.get("/api/v1/zones?scope=BTC&side=short").json()) == ["BTC-S-c-0"]
    assert ids(client.get("/api/v1/zones?scope=BTC&min_level=4").json()) == ["BTC-L-b-0"]
    past = f"/api/v1/zones?scope=BTC&at_ms={t_ns[25] // 1_000_000}&side=long&min_level=8"
    assert ids(client.get(past).json()) == ["BTC-L-b-0"]


def test_an_unchanged_answer_costs_a_304_until_zones_change_or_the_engine_goes_silent(
    client, zones, market, store
):
    publish(zones, market)
    first = client.get("/api/v1/zones?scope=BTC")
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/api/v1/zones?scope=BTC", headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    past = client.get("/api/v1/zones?scope=BTC&at_ms=5", headers={"if-none-match": tag})
    assert (past.status_code, "etag" in past.headers) == (200, False)
    store.write_status({"mode": "live", "state": "loading"})
    assert client.get("/api/v1/zones?scope=BTC", headers={"if-none-match": tag}).status_code == 200
    store.write_status({"mode": "live", "state": "ready"})
    zones.publish("BTC", 1, None, [])
    assert client.get("/api/v1/zones?scope=BTC", headers={"if-none-match": tag}).json()["zones"] == []


def test_the_life_of_a_zone_ends_at_the_present(client, zones, market):
    t_ns = publish(zones, market)
    swept = client.get("/api/v1/zones/BTC-L-a-0?scope=BTC").json()
    assert [state["state"] for state in swept["states"]] == ["standing", "swept"]
    assert (swept["id"], swept["scope"]) == ("BTC-L-a-0", "BTC")
    standing = client.get("/api/v1/zones/BTC-L-b-0?scope=BTC").json()["states"]
    assert [state["seen_ms"] for state in standing] == [t_ns[5] // 1_000_000, t_ns[299] // 1_000_000]
    assert len(client.get("/api/v1/zones/BTC-L-b-0?scope=BTC&limit=1").json()["states"]) == 1
    # A replay went back: what happens later is not shown.
    zones.publish("BTC", t_ns[9], 99_000.0, [], run="run")
    assert [state["state"] for state in client.get("/api/v1/zones/BTC-L-a-0?scope=BTC").json()["states"]] == [
        "standing"
    ]


@pytest.mark.parametrize(
    ("path", "status", "where"),
    [
        ("/api/v1/zones?scope=BTX", 404, "scope"),
        ("/api/v1/zones", 400, "/api/v1/zones"),
        ("/api/v1/zones?scope=BTC&at_ms=-1", 400, "at_ms"),
        ("/api/v1/zones?scope=BTC&side=up", 400, "side"),
        ("/api/v1/zones?scope=BTC&min_level=11", 400, "min_level"),
        ("/api/v1/zones/none?scope=BTC", 404, "zone_id"),
        ("/api/v1/zones/none?scope=BTC&limit=1001", 400, "limit"),
    ],
)
def test_what_cannot_be_answered_is_a_problem_that_names_it(client, zones, market, path, status, where):
    publish(zones, market)
    response = client.get(path)
    assert response.headers["content-type"].startswith("application/problem+json")
    assert (response.status_code, response.json()["where"]) == (status, where)


def test_before_any_zones_are_known_it_says_so(client, open_client):
    for each in (client, open_client()):
        response = each.get("/api/v1/zones?scope=BTC")
        assert (response.status_code, response.json()["code"]) == (503, "not_ready")


def test_a_stream_of_a_scope_is_told_at_most_once_a_second_that_its_zones_changed(open_client, zones, market):
    client = open_client(zones=zones, status_interval_s=0.02)
    socket = client.websocket_connect("/api/v1/stream").__enter__()
    socket.receive_json()
    socket.send_json({"type": "subscribe", "scope": "BTC", "tf": "5m", "planes": ["real"], "sides": ["long"]})
    assert [socket.receive_json()["type"] for _ in range(2)] == ["subscribed", "status"]
    zones.publish("ETH", 1, 1.0, [])
    for n in range(50):
        zones.publish("BTC", n, 1.0, [zone(age_s=n)])
    notes = [socket.receive_json() for _ in range(1)]
    zones.publish("BTC", 50, 1.0, [zone(age_s=50)])
    notes += [socket.receive_json()]
    assert [(note["type"], note["scope"]) for note in notes] == [("zones", "BTC")] * 2
    assert notes[1]["version"] == zones.latest("BTC").version
    assert 90 <= notes[0]["version"] <= 91
    socket.close()
