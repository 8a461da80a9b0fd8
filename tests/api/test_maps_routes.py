from __future__ import annotations

import math

import numpy as np
import pytest

from faultline.api.routes.maps import chosen_encoding
from faultline.store.lhm1 import decode_snapshot, decompress

HEAT = "/api/v1/heat/BTC/5m/synthetic.bin"


def raw(client, url, encoding):
    with client.stream("GET", url, headers={"accept-encoding": encoding}) as response:
        content = b"".join(response.iter_raw())
    return response, content


@pytest.mark.parametrize("encoding", ["zstd", "gzip", "identity"])
@pytest.mark.parametrize("side", ["long", "short", "both"])
def test_a_map_arrives_as_the_store_holds_it(client, store, encoding, side):
    response, content = raw(client, f"{HEAT}?side={side}", encoding)
    assert response.status_code == 200
    assert response.headers.get("content-encoding", "identity") == encoding
    snapshot = decode_snapshot(decompress(content, encoding))
    held = store.snapshot("BTC", "5m", "synthetic", side)
    assert np.array_equal(snapshot.codes, held.codes)
    assert response.headers["etag"] == f'"{held.seq}-{encoding}"'
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.headers["cache-control"] == "no-cache"
    legend = store.legend("BTC", "5m")
    lo, hi = (float(part) for part in response.headers["x-faultline-legend"].split(","))
    assert (lo, hi) == (pytest.approx(legend.lo_usd, rel=1e-5), pytest.approx(legend.hi_usd, rel=1e-5))
    assert response.headers["x-faultline-simulated"] == "true"
    assert response.headers["x-faultline-stale"] == "false"
    assert int(response.headers["x-faultline-as-of-ns"]) == store.status.as_of_ns


def test_an_unchanged_map_is_not_sent_again(client, store, market):
    first = client.get(HEAT, headers={"accept-encoding": "gzip"})
    tag = first.headers["etag"]
    again = client.get(HEAT, headers={"accept-encoding": "gzip", "if-none-match": f'"x", {tag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    assert again.headers["vary"] == "Accept-Encoding"
    other = client.get(HEAT, headers={"accept-encoding": "identity", "if-none-match": tag})
    assert other.status_code == 200
    store.write_columns(market.columns("BTC", "synthetic", "long", 299, 301, 300))
    changed = client.get(HEAT, headers={"accept-encoding": "gzip", "if-none-match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_many_requests_encode_once(client, store):
    for _ in range(5):
        client.get(f"{HEAT}?side=long", headers={"accept-encoding": "gzip"})
    assert store.counters()["encodings"] == 1


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        (None, "identity"),
        ("", "identity"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate", "gzip"),
        ("br", "identity"),
        ("*", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("zstd;q=0, gzip", "gzip"),
        ("gzip;q=0", "identity"),
        ("GZIP", "gzip"),
        ("gzip;q=banana", "gzip"),
        (";;;,,,q=1", "identity"),
    ],
)
def test_the_best_encoding_the_client_takes_is_chosen(accepted, chosen):
    assert chosen_encoding(accepted) == chosen


def test_the_json_form_holds_the_newest_columns(client, store, market):
    body = client.get("/api/v1/heat/BTC/5m/synthetic.json?side=long&columns=7").json()
    held = store.snapshot("BTC", "5m", "synthetic", "long")
    assert np.allclose(np.array(body["usd"]), held.usd()[-7:], atol=0.01)
    assert body["t_ms"] == [int(t) // 1_000_000 for t in market.t_ns[293:300]]
    assert body["prices"][0] == held.price0_usd
    assert len(body["prices"]) == held.codes.shape[1]
    assert body["first_live_col"] == 6
    assert body["legend_lo_usd"] < body["legend_hi_usd"]


def test_candles_share_the_index_of_the_map(client, store, market):
    body = client.get("/api/v1/candles/BTC/5m").json()
    held = store.snapshot("BTC", "5m", "real", "short")
    assert (body["t0_ms"], body["dt_ms"]) == (held.t0_ms, held.dt_ms)
    assert body["n"] == len(body["close"]) == len(held.codes)
    assert body["n_closed"] == 299
    assert body["close"] == market.ohlc_usd[:300, 3].tolist()


def test_a_missing_candle_is_null(client, store, market):
    candles = market.candles("BTC", 305, 306, 305)
    store.write_candles(candles)
    body = client.get("/api/v1/candles/BTC/5m").json()
    assert body["close"][300:305] == [None] * 5
    assert body["close"][305] is not None


def test_the_legend_says_what_it_was_measured_on(client, store):
    body = client.get("/api/v1/legend/BTC/5m").json()
    legend = store.legend("BTC", "5m")
    assert (body["lo_usd"], body["hi_usd"]) == (legend.lo_usd, legend.hi_usd)
    assert body["from_ms"] == legend.from_ns // 1_000_000


def test_a_legend_that_is_not_known_is_null(client, store, market):
    store.write_candles(market.candles("ETH", 0, 3, 3))
    body = client.get("/api/v1/legend/ETH/5m").json()
    assert (body["lo_usd"], body["hi_usd"], body["from_ms"], body["to_ms"]) == (None,) * 4


@pytest.mark.parametrize(
    ("path", "where", "hint"),
    [
        ("/api/v1/heat/btc/5m/synthetic.bin", "scope", "did you mean BTC?"),
        ("/api/v1/heat/BTC/15m/synthetic.bin", "tf", "did you mean 5m?"),
        ("/api/v1/heat/BTC/5m/walls.bin", "plane", "known: real, smooth, synthetic"),
        ("/api/v1/candles/ETHUSDT/5m", "scope", "known: BTC"),
        ("/api/v1/legend/BT/5m", "scope", "did you mean BTC?"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(client, path, where, hint):
    response = client.get(path)
    body = response.json()
    assert response.status_code == 404
    assert response.headers["content-type"].startswith("application/problem+json")
    assert (body["code"], body["where"], body["hint"]) == ("not_found", where, hint)
    assert (body["status"], body["title"], body["simulated"]) == (404, "Not Found", True)


@pytest.mark.parametrize(
    "query",
    [
        "columns=0",
        "columns=2001",
        "columns=-1",
        "columns=1e9",
        "columns=x",
        "side=up",
        "columns=" + "9" * 400,
    ],
)
def test_a_query_out_of_bounds_is_refused_with_its_name(client, query):
    response = client.get(f"/api/v1/heat/BTC/5m/synthetic.json?{query}")
    assert response.status_code == 400
    assert response.json()["where"] == query.partition("=")[0]


def test_numbers_in_bodies_are_finite(client):
    body = client.get("/api/v1/heat/BTC/5m/real.json?columns=50").json()
    assert all(math.isfinite(value) for column in body["usd"] for value in column)
