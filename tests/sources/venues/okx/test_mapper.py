"""OKX's traps, on frames of our own, and its recorded frames; rebuilt books have the checksums that OKX sent then."""

from __future__ import annotations

import collections
import json
import zlib

import msgspec
import numpy as np
import pytest
from tests.sources.venues.play import NOW_NS, Play, book_of, raw_frames, stored_frames

from faultline.messages import Flag, Kind
from faultline.sources.control import Confirmed, Refused, Resync
from faultline.sources.rows import Reason, Rows
from faultline.units import MILLISECOND_NS, SECOND_NS, PriceKind

NOW_MS = NOW_NS // MILLISECOND_NS
LINEAR, INVERSE = "BTC-USDT-SWAP", "BTC-USD-SWAP"


@pytest.fixture
def play():
    return Play("okx")


@pytest.fixture
def mapper(play):
    return play.venue.mapper(play.contracts)


def push(play, mapper, channel, rows, *, received_ns=NOW_NS, **arg):
    frame = {"arg": {"channel": channel, **arg}, "data": rows}
    mapper.map(json.dumps(frame, separators=(",", ":")).encode(), received_ns, play.out)
    return play.drain()


def detail(**more):
    base = {"bkLoss": "0", "bkPx": "99000", "ccy": "", "posSide": "long", "side": "sell", "sz": "50"}
    return {**base, "ts": str(NOW_MS - 20), **more}


def liquidation(*details, symbol=LINEAR):
    return {"details": list(details), "instFamily": "", "instId": symbol, "instType": "SWAP", "uly": ""}


def test_contracts_are_multiplied_by_their_value(play, mapper):
    rows = push(play, mapper, "liquidation-orders", [liquidation(detail())], instType="SWAP")
    row = rows[(Kind.LIQUIDATION, LINEAR)][0]
    np.testing.assert_allclose([row["qty_base"], row["notional_usd"]], [0.5, 49_500.0])
    assert (row["side"], row["price_kind"]) == (1, PriceKind.BANKRUPTCY)
    assert row["flags"] & Flag.SAMPLED
    rows = push(play, mapper, "liquidation-orders", [liquidation(detail(), symbol=INVERSE)], instType="SWAP")
    assert rows[(Kind.LIQUIDATION, INVERSE)][0]["notional_usd"] == 5_000.0


def test_all_details_of_all_contracts_are_kept(play, mapper):
    sent = [liquidation(detail(), detail(sz="7")), liquidation(detail(), symbol=INVERSE)]
    rows = push(play, mapper, "liquidation-orders", sent, instType="SWAP")
    assert [len(rows[(Kind.LIQUIDATION, symbol)]) for symbol in (LINEAR, INVERSE)] == [2, 1]


@pytest.mark.parametrize(
    ("pos_side", "side", "position"),
    [("long", "sell", 1), ("short", "buy", -1), ("net", "sell", 1), ("net", "buy", -1)],
)
def test_the_position_is_posside_or_what_the_order_closes(play, mapper, pos_side, side, position):
    sent = [liquidation(detail(posSide=pos_side, side=side))]
    rows = push(play, mapper, "liquidation-orders", sent, instType="SWAP")
    assert rows[(Kind.LIQUIDATION, LINEAR)][0]["side"] == position


def test_a_subscription_begins_with_an_old_liquidation_which_is_dropped(play, mapper):
    confirmed = b'{"event":"subscribe","arg":{"channel":"liquidation-orders","instType":"SWAP"},"connId":"c"}'
    mapper.map(confirmed, NOW_NS, play.out)
    assert play.out.controls == [Confirmed("liquidation-orders|SWAP")]
    old = [liquidation(detail(ts=str(NOW_MS - 60_000)), detail(ts=str(NOW_MS + 5)))]
    rows = push(play, mapper, "liquidation-orders", old, received_ns=NOW_NS + SECOND_NS, instType="SWAP")
    assert rows[(Kind.LIQUIDATION, LINEAR)]["ts_event_ns"].tolist() == [(NOW_MS + 5) * MILLISECOND_NS]
    late = [liquidation(detail(ts=str(NOW_MS - 500)))]
    rows = push(play, mapper, "liquidation-orders", late, received_ns=NOW_NS + SECOND_NS, instType="SWAP")
    assert len(rows[(Kind.LIQUIDATION, LINEAR)]) == 1, "only the first push is looked at"


def test_liquidations_of_contracts_that_were_not_asked_for_are_passed_over(play, mapper):
    assert (
        push(
            play, mapper, "liquidation-orders", [liquidation(detail(), symbol="X-USDT-SWAP")], instType="SWAP"
        )
        == {}
    )
    assert play.out.rejects == {}


def book(action, seq, before, bids):
    row = {"asks": [], "bids": [[str(p), str(q), "0", "1"] for p, q in bids], "ts": str(NOW_MS)}
    row |= {"checksum": 0, "seqId": seq, "prevSeqId": before}
    frame = {"arg": {"channel": "books", "instId": LINEAR}, "action": action, "data": [row]}
    return json.dumps(frame, separators=(",", ":")).encode()


def test_a_broken_chain_is_a_gap_and_changes_wait_for_the_next_snapshot(play, mapper):
    for frame in (
        book("snapshot", 10, -1, [(100, 5)]),
        book("update", 15, 10, [(99, 4)]),
        book("update", 15, 15, []),
    ):
        mapper.map(frame, NOW_NS, play.out)
    assert book_of(play.drain(Kind.BOOK_LEVEL)[LINEAR])[1] == {100.0: 0.05, 99.0: 0.04}
    mapper.map(book("update", 21, 17, [(98, 3)]), NOW_NS, play.out)
    assert set(play.drain()) == {(Kind.GAP, LINEAR)}
    assert [type(one) for one in play.out.controls] == [Resync]
    mapper.map(book("update", 24, 21, [(97, 3)]), NOW_NS, play.out)
    assert play.drain() == {}, "no storm of resyncs"
    mapper.map(book("snapshot", 3, -1, [(96, 2)]), NOW_NS, play.out)
    assert book_of(play.drain(Kind.BOOK_LEVEL)[LINEAR])[1] == {96.0: 0.02}


def test_ids_may_fall_after_a_reset_while_the_chain_holds(play, mapper):
    for frame in (
        book("snapshot", 10, -1, [(100, 5)]),
        book("update", 3, 10, []),
        book("update", 5, 3, [(99, 1)]),
    ):
        mapper.map(frame, NOW_NS, play.out)
    assert not play.out.controls
    assert 99.0 in book_of(play.drain(Kind.BOOK_LEVEL)[LINEAR])[1]


def test_funding_is_settled_at_funding_time(play, mapper):
    row = {"instId": LINEAR, "fundingRate": "-0.0002", "ts": str(NOW_MS)}
    row |= {"fundingTime": str(NOW_MS + 3_600_000), "nextFundingTime": str(NOW_MS + 5 * 3_600_000)}
    found = push(play, mapper, "funding-rate", [row], instId=LINEAR)[(Kind.FUNDING, LINEAR)][0]
    assert (found["next_ns"], found["interval_ns"]) == (NOW_NS + 3600 * SECOND_NS, 4 * 3600 * SECOND_NS)


def test_a_confirmation_that_begins_like_a_push_is_a_confirmation(play, mapper):
    mapper.map(b'{"arg":{"channel":"trades","instId":"BTC-USDT-SWAP"},"event":"subscribe"}', NOW_NS, play.out)
    assert play.out.controls == [Confirmed("trades|BTC-USDT-SWAP")]
    assert play.out.rejects == {}


def test_an_error_is_a_refusal(play, mapper):
    mapper.map(b'{"event":"error","code":"60018","msg":"doesn\'t exist","connId":"c"}', NOW_NS, play.out)
    assert play.out.controls == [Refused("", "60018: doesn't exist")]


def test_tiers_are_asked_for_five_families_a_call_and_assumed_beyond(play):
    for name, request in play.venue.feed.listing():
        if name.startswith("tiers"):
            assert len(dict(request.query)["instFamily"].split(",")) <= 5
    linear = play.contracts[LINEAR].tiers
    assert [round(one.cap_usd) for one in linear] == [1_000_000, 2_000_000, 3_000_000]
    assert play.contracts[LINEAR].taker_fee_ratio == 0.0005
    answers = {name: pages for name, pages in play.answers.items() if not name.startswith("tiers")}
    answers |= {name: [b'{"code":"51000","data":[]}'] for name in play.answers if name.startswith("tiers")}
    assumed = {one.symbol: one for one in play.venue.feed.contracts(answers)}[LINEAR]
    assert [(one.maintenance_ratio, one.max_leverage) for one in assumed.tiers] == [(0.005, 100.0)]


# -- recorded ---------------------------------------------------------------------------------------------------------


def _checksum(levels):
    """OKX's: the best 25 levels, bid and ask in turn, as text, CRC-32 as a signed number."""
    bids = sorted(levels["bids"].items(), key=lambda one: -float(one[0]))[:25]
    asks = sorted(levels["asks"].items(), key=lambda one: float(one[0]))[:25]
    parts = []
    for number in range(25):
        for side in (bids, asks):
            if number < len(side):
                parts += side[number]
    return np.array(zlib.crc32(":".join(parts).encode()), dtype=np.uint32).astype(np.int32)


def _replayed(play, frames, contracts, *, is_whole=True):
    """Map frames; beside it keep every book in OKX's own text and count the checksums that agree."""
    mapper, out = play.venue.mapper(contracts), Rows("okx")
    books, kinds, n_sums = {}, collections.Counter(), 0
    rows_of = collections.defaultdict(list)
    for received_ns, frame in frames:
        mapper.map(frame, received_ns, out)
        for batch in out.drain():
            kinds[batch.kind] += len(batch.rows)
            if batch.kind is Kind.BOOK_LEVEL:
                rows_of[batch.instrument_id.partition(":")[2]] += list(batch.rows)
        message = msgspec.json.decode(frame) if frame.startswith(b"{") else {}
        if message.get("arg", {}).get("channel") != "books" or "action" not in message:
            continue
        symbol = message["arg"]["instId"]
        if message["action"] == "snapshot":
            books[symbol] = {"bids": {}, "asks": {}}
        for row in message["data"]:
            for name in ("bids", "asks"):
                for price, size, *_ in row[name]:
                    if float(size) == 0:
                        books[symbol][name].pop(price, None)
                    else:
                        books[symbol][name][price] = size
            if row.get("checksum") and is_whole:
                assert _checksum(books[symbol]) == row["checksum"]
                n_sums += 1
    for symbol, rows in rows_of.items() if is_whole else ():
        rebuilt = book_of(rows)
        for side, name in ((1, "bids"), (-1, "asks")):
            assert sorted(rebuilt[side]) == sorted(float(price) for price in books[symbol][name])
    return kinds, out, n_sums


@pytest.mark.recorded
def test_a_recorded_connection_is_read(recorded, play):
    """A swap and a dated contract of 2022, read as the contract they are like; tickers are not ours."""
    contracts = {"UNI-USD-SWAP": play.contracts[INVERSE], "BTC-USD-220527": play.contracts[INVERSE]}
    contracts["BTC-USDT"] = play.contracts[LINEAR]  # spot, as the recorder had it
    frames = raw_frames(recorded / "venue_messages/cryptofeed/OKX.ws.1.0.gz")
    kinds, out, n_sums = _replayed(play, frames, contracts)
    print(dict(kinds), "checksums:", n_sums)
    assert kinds[Kind.TRADE] == 74
    assert kinds[Kind.BOOK_LEVEL] > 3_000
    assert kinds[Kind.GAP] == 0
    assert n_sums > 280
    assert set(out.rejects) == {("tickers", Reason.UNKNOWN_CHANNEL)}


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("btcusd_depth", Kind.BOOK_LEVEL),
        ("btcusdt_depth", Kind.BOOK_LEVEL),
        ("btcusd_trades", Kind.TRADE),
        ("btcusdt_trades", Kind.TRADE),
        ("btcusd_funding", Kind.FUNDING),
        ("btcusdt_funding", Kind.FUNDING),
        ("btcusd_oi", Kind.OPEN_INTEREST),
        ("btcusdt_oi", Kind.OPEN_INTEREST),
    ],
)
def test_recorded_frames_are_read(recorded, play, name, kind):
    path = recorded / f"venue_messages/moonstream_examples/okx_perp_{name}.json.gz"
    frames = [one for one in stored_frames(path) if one[1] not in {b"{}", b'"pong"'}]
    frames = [(ns, frame.replace(b'": ', b'":').replace(b", ", b",")) for ns, frame in frames]
    contracts = {**play.contracts, "BTC-USDT": play.contracts[LINEAR]}
    # The recorder kept some of the changes of a book only: their chain is broken, as the mapper says.
    kinds, out, n_sums = _replayed(play, frames, contracts, is_whole=False)
    print(name, len(frames), dict(kinds), "checksums:", n_sums)
    assert out.rejects == {}
    assert set(kinds) - {Kind.GAP} == {kind}


@pytest.mark.recorded
def test_recorded_liquidations_are_read(recorded, play):
    """Contracts beyond ours are passed over; those that were asked for come out, every detail of them."""
    path = recorded / "venue_messages/moonstream_examples/okx_perp_btc_liquidations.json.gz"
    frames = [json.loads(frame) for _, frame in stored_frames(path) if frame != b"{}"]
    details = sum(len(item["details"]) for frame in frames for item in frame.get("data", ()))
    symbols = {item["instId"] for frame in frames for item in frame.get("data", ())}
    mapper, out = play.venue.mapper(dict.fromkeys(symbols, play.contracts[LINEAR])), Rows("okx")
    for received_ns, frame in stored_frames(path):
        if frame != b"{}":
            mapper.map(frame, received_ns, out)
    rows = np.concatenate([batch.rows for batch in out.drain() if batch.kind is Kind.LIQUIDATION])
    assert out.rejects == {}
    assert len(rows) == details > 0


@pytest.mark.recorded
def test_published_examples_are_read(recorded, play):
    folder = recorded / "venue_messages"
    symbols = {"XRP-USD-230929": INVERSE, "IOST-USDT-SWAP": LINEAR}
    mapper = play.venue.mapper({name: play.contracts[like] for name, like in symbols.items()})
    for name in ("liquidation_orders", "liquidation_orders_doc"):
        frame = json.loads((folder / f"by_venue/okx/{name}.json").read_text())
        ts_ms = int(frame["data"][0]["details"][0]["ts"])
        mapper.map(json.dumps(frame).encode(), ts_ms * MILLISECOND_NS, play.out)
    assert {symbol for kind, symbol in play.drain() if kind is Kind.LIQUIDATION} == set(symbols)
    listed = (folder / "nautilus/okx/http_get_instruments_swap.json").read_bytes()
    rows = json.loads(listed)["data"]
    prices = json.dumps(
        {"code": "0", "data": [{"instId": row["instId"], "markPx": "100"} for row in rows]}
    ).encode()
    answers = {name: [b'{"code":"0","data":[]}'] for name in play.answers} | {
        "contracts": [listed],
        "prices": [prices],
    }
    found = play.venue.feed.contracts(answers)
    assert {one.symbol for one in found} == {row["instId"] for row in rows if row["state"] == "live"}
    assert play.out.rejects == {}
