"""What Binance COIN-M has of its own: contracts of 100 and 10 USD, ratios by pair, dated contracts left out."""

from __future__ import annotations

import collections
import gzip
import json

import pytest
from tests.sources.venues.play import NOW_NS, Play, raw_frames

from faultline.messages import Kind
from faultline.sources.rows import Reason, Rows
from faultline.units import MILLISECOND_NS

NOW_MS = NOW_NS // MILLISECOND_NS


@pytest.fixture
def play():
    return Play("binance-coinm")


def test_a_contract_is_a_hundred_dollars_of_bitcoin_and_ten_of_others(play):
    mapper = play.venue.mapper(play.contracts)
    for symbol, face in (("BTCUSD_PERP", 100.0), ("ETHUSD_PERP", 10.0)):
        order = {"s": symbol, "S": "BUY", "p": "4000", "z": "8", "X": "FILLED", "T": NOW_MS}
        mapper.map(json.dumps({"e": "forceOrder", "E": NOW_MS, "o": order}).encode(), NOW_NS, play.out)
        row = play.drain(Kind.LIQUIDATION)[symbol][0]
        assert (row["notional_usd"], row["qty_base"], row["side"]) == (8 * face, 8 * face / 4000, -1)


def test_ratios_are_asked_for_by_pair(play):
    polls = [
        poll for poll in play.venue.feed.polls(play.wanted()) if poll.request.path.startswith("/futures")
    ]
    assert {dict(poll.request.query)["pair"] for poll in polls} == {"BTCUSD", "ETHUSD", "SOLUSD", "DOTUSD"}


def test_dated_and_closed_contracts_are_left_out(play):
    listed = json.loads(play.answers["contracts"][0])["symbols"]
    assert len(listed) == len(play.instruments) + 2


@pytest.mark.recorded
def test_a_recorded_connection_is_read(recorded, play):
    """Ten pairs of 2021, dated ones among them: changes from the socket, snapshots from the answers beside them."""
    folder, one = recorded / "venue_messages/cryptofeed", play.contracts["DOTUSD_PERP"]
    inputs = [
        (received_ns, "", frame) for received_ns, frame in raw_frames(folder / "BINANCE_DELIVERY.ws.1.0.gz")
    ]
    with gzip.open(folder / "BINANCE_DELIVERY.http.0.0.gz", "rt") as stream:
        for line in stream:
            url, arrow, rest = line.partition(" -> ")
            if arrow and "symbol=" in url:
                stamp, _, body = rest.partition(": ")
                symbol = url.partition("symbol=")[2].partition("&")[0]
                inputs.append((int(float(stamp) * 1e6) * 1000, symbol, body.encode()))
    symbols = {json.loads(frame)["data"]["s"] for _, symbol, frame in inputs if not symbol}
    mapper, out = play.venue.mapper(dict.fromkeys(symbols, one)), Rows("binance-coinm")
    for received_ns, symbol, frame in sorted(inputs):
        if symbol:
            mapper.map_answer("depth", symbol, frame, received_ns, out)
        else:
            mapper.map(frame, received_ns, out)
    kinds = collections.Counter()
    for batch in out.drain():
        kinds[batch.kind] += len(batch.rows)
    print(dict(kinds))
    assert kinds[Kind.TRADE] == 51
    assert kinds[Kind.BOOK_LEVEL] > 1000
    assert kinds[Kind.GAP] == 0
    assert {key: found.n for key, found in out.rejects.items()} == {
        ("bookTicker", Reason.UNKNOWN_CHANNEL): 2240,
        ("kline", Reason.UNKNOWN_CHANNEL): 33,
    }


@pytest.mark.recorded
def test_recorded_liquidations_are_read(recorded, play):
    out = Rows("binance-coinm")
    mapper = play.venue.mapper({"BTCUSD_200925": play.contracts["BTCUSD_PERP"]})
    for name in ("liquidation", "liquidation_doc"):
        frame = json.loads((recorded / f"venue_messages/by_venue/binance_coinm/{name}.json").read_text())
        mapper.map(json.dumps(frame).encode(), frame.get("data", frame)["E"] * MILLISECOND_NS, out)
    assert sum(len(batch.rows) for batch in out.drain()) == 2
    assert out.rejects == {}
