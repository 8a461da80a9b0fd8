"""A venue and the script of its side, joined without a network: what contract tests and mapper tests play on."""

from __future__ import annotations

import copy
import dataclasses
import gzip
import json
from urllib.parse import urlsplit

import numpy as np

from faultline.messages import Kind
from faultline.sources.control import Confirmed, Refused, Reply, Resync
from faultline.sources.plan import Wanted
from faultline.sources.registry import venue_of
from faultline.sources.rows import Rows
from faultline.testing.facts import (
    BookFact,
    FundingFact,
    LiquidationFact,
    MarkFact,
    OpenInterestFact,
    PositionFact,
    RatioFact,
    TradeFact,
)
from faultline.testing.script import Client
from faultline.testing.venues import script_of
from faultline.units import HOUR_NS, MILLISECOND_NS, SECOND_NS, parse_time_ns

ODD_VALUES = (None, True, -1, 0, 10**30, 1e300, "", "x", "nan", "-1", "inf", [], {}, [[]], "9" * 40)
#: When tests take place: after every dated change of a venue's protocol that is known.
NOW_NS = parse_time_ns("2026-11-02T10:00:00Z")
#: From an event to its receipt.
LAG_NS = 40 * MILLISECOND_NS
ALL_KINDS = frozenset(Kind)
WALLET = "0x" + "ab" * 20
RATIO_KINDS = ("accounts", "top_accounts", "top_positions", "taker_volume")
PAGES_MAX = 20


@dataclasses.dataclass
class Connection:
    """One connection: its plan, the venue's end, our mapper, and what was confirmed."""

    plan: object
    client: Client
    mapper: object
    confirmed: list[str] = dataclasses.field(default_factory=list)
    refused: list[Refused] = dataclasses.field(default_factory=list)
    resyncs: list[Resync] = dataclasses.field(default_factory=list)


class Play:
    """The venue of a slug and its script.

    ``publish`` puts facts on the wire: frames go to the connections that subscribed to their topic, then every poll is
    made once. A book that lost its sequence is mended as the plans say, unless ``mends`` is off.
    """

    def __init__(self, slug, *, now_ns=NOW_NS, mends=True):
        self.venue, self.script = venue_of(slug), script_of(slug)
        self.now_ns, self.mends = now_ns, mends
        self.answers = self._listing()
        self.instruments = self.venue.feed.contracts(self.answers)
        self.contracts = {item.symbol: item for item in self.instruments}
        self.out = Rows(slug)
        self.connections: list[Connection] = []
        self.polls = []
        #: Every frame and answer that was mapped: (mapper input name, bytes, receive time).
        self.seen: list[tuple[str, bytes, int]] = []

    def _listing(self):
        answers = {}
        for name, first in self.venue.feed.listing():
            request, pages = first, []
            while request is not None:
                assert len(pages) < PAGES_MAX, f"the listing {name} has no end"
                body = self.fetch(request)
                pages.append(body)
                request = self.venue.feed.next_page(name, body)
            answers[name] = pages
        return answers

    def fetch(self, request):
        """The script's answer to a request; 200 or the test fails."""
        assert request.base in self.venue.rest
        method = "GET" if request.body is None else "POST"
        query = dict(request.query)
        answer = self.script.answer(method, request.path, query, request.body or b"", self.now_ns)
        assert answer is not None, f"the script has no page {request.path}"
        assert answer.status == 200, answer
        return answer.body

    def wanted(self, instruments=None, kinds=ALL_KINDS):
        return Wanted(self.instruments if instruments is None else instruments, kinds, self.venue.sockets)

    def connect(self, instruments=None, kinds=ALL_KINDS):
        """Open every connection, subscribe, and take the confirmations."""
        wanted = self.wanted(instruments, kinds)
        self.polls = list(self.venue.feed.polls(wanted))
        for plan in self.venue.feed.sockets(wanted):
            client = Client(urlsplit(plan.url).path)
            connection = Connection(plan, client, self.venue.mapper(self.contracts))
            self.connections.append(connection)
            for frame in self.script.opened(client, self.now_ns):
                self._deliver(connection, frame)
            for ask in plan.subscribe:
                self.send(connection, ask)
        self.poller = self.venue.mapper(self.contracts)
        return self

    def send(self, connection, ask):
        """Send a frame of ours and map what comes back."""
        for frame in self.script.received(connection.client, ask, self.now_ns):
            self._deliver(connection, frame)

    def publish(self, *facts, losing=False):
        """Put facts on the wire; with ``losing`` their frames never arrive. Returns the channels that were heard."""
        heard = set()
        for fact in facts:
            self.now_ns = max(self.now_ns, fact.ts_ns + LAG_NS)
            for topic, frame in self.script.frames(fact, self.now_ns):
                for connection in [] if losing else self.connections:
                    if topic in connection.client.topics:
                        self._deliver(connection, frame)
                        heard |= set(self.out.heard)
            if not losing:
                for poll in self.polls:
                    self._poll(poll)
                    heard |= set(self.out.heard)
        return heard

    def _poll(self, poll, mapper=None):
        body = self.fetch(poll.request)
        self.seen.append((f"{poll.channel} {poll.symbol}", body, self.now_ns))
        (mapper or self.poller).map_answer(poll.channel, poll.symbol, body, self.now_ns, self.out)

    def poll_wallet(self, wallet):
        """Make the requests of a wallet: its positions, and its fills where the venue has them.

        A venue whose polls tell the positions of all wallets has no request for one.
        """
        if not hasattr(self.venue.feed, "wallet_poll"):
            for poll in self.polls:
                self._poll(poll)
            return
        self._poll(self.venue.feed.wallet_poll(wallet))
        if hasattr(self.venue.feed, "wallet_fills_poll"):
            self._poll(self.venue.feed.wallet_fills_poll(wallet))

    def _deliver(self, connection, frame):
        self.seen.append(("", frame, self.now_ns))
        connection.mapper.map(frame, self.now_ns, self.out)
        controls, self.out.controls = self.out.controls, []
        for control in controls:
            match control:
                case Confirmed(key):
                    connection.confirmed.append(key)
                case Refused():
                    connection.refused.append(control)
                case Reply(frame):
                    self.send(connection, frame)
                case Resync(symbol):
                    connection.resyncs.append(control)
                    if self.mends:
                        self._mend(connection, symbol)

    def _mend(self, connection, symbol):
        if connection.plan.resubscribe is not None:
            for ask in connection.plan.resubscribe(symbol):
                self.send(connection, ask)
        else:
            poll = self.venue.feed.book_snapshot(symbol)
            assert poll is not None, "a lost book can be neither subscribed anew nor fetched"
            self._poll(poll, connection.mapper)

    def drain(self, kind=None):
        """Rows since the last call by (kind, symbol); of one kind: by symbol."""
        found = {
            (batch.kind, batch.instrument_id.partition(":")[2]): batch.rows for batch in self.out.drain()
        }
        return (
            found if kind is None else {symbol: rows for (one, symbol), rows in found.items() if one is kind}
        )

    @property
    def resyncs(self):
        return [one for connection in self.connections for one in connection.resyncs]

    def at(self, item, *, seq=1000):
        """Facts of a contract, a moment after the latest."""
        self.now_ns = (self.now_ns // SECOND_NS + 2) * SECOND_NS
        return Facts(item, self.now_ns - 100 * MILLISECOND_NS, seq)


@dataclasses.dataclass
class Facts:
    """Facts of one contract of a script, in round numbers of its tick and its contract size."""

    item: object
    ts_ns: int
    seq: int

    def price(self, ticks=0):
        return round((round(self.item.price_usd / self.item.tick_usd) + ticks) * self.item.tick_usd, 9)

    def qty(self, contracts, price_usd):
        size = self.item.contract_size * contracts
        return size / price_usd if self.item.is_inverse else size

    def trade(self, side, *, ticks=3, contracts=7, seq=0, **more):
        price = self.price(ticks)
        qty = self.qty(contracts, price)
        return TradeFact(self.item.symbol, self.ts_ns, self.seq + seq, price, qty, side, **more)

    def liquidation(self, side, *, ticks=11, contracts=12, seq=0):
        price = self.price(ticks * -side)
        qty = self.qty(contracts, price)
        return LiquidationFact(self.item.symbol, self.ts_ns, self.seq + seq, side, price, qty)

    def book(self, bids, asks, *, seq=0, is_snapshot=False):
        """Levels of (ticks from the price, contracts)."""
        sides = [
            tuple((self.price(ticks), self.qty(n, self.price(ticks))) for ticks, n in side)
            for side in (bids, asks)
        ]
        ts_ns = self.ts_ns + (self.seq + seq) % 50 * MILLISECOND_NS
        return BookFact(self.item.symbol, ts_ns, self.seq + seq, *sides, is_snapshot=is_snapshot)

    def of(self, kind):
        """The facts that must give rows of a kind."""
        symbol, ts = self.item.symbol, self.ts_ns
        match kind:
            case Kind.TRADE:
                return [self.trade(1), self.trade(-1, seq=1)]
            case Kind.LIQUIDATION:
                return [self.liquidation(1), self.liquidation(-1, seq=1)]
            case Kind.BOOK_LEVEL:
                first = self.book([(-1, 5), (-2, 8)], [(1, 6), (2, 9)], is_snapshot=True)
                return [first, self.book([(-1, 0), (-3, 4)], [(1, 7)], seq=1)]
            case Kind.MARK:
                return [MarkFact(symbol, ts, self.price(5), self.price(4))]
            case Kind.FUNDING:
                return [FundingFact(symbol, ts, 0.00012, (ts // HOUR_NS + 1) * HOUR_NS)]
            case Kind.OPEN_INTEREST:
                return [OpenInterestFact(symbol, ts, self.qty(120_000, self.price()), self.price())]
            case Kind.RATIO:
                return [RatioFact(symbol, ts, name, 0.25 + 0.125 * n) for n, name in enumerate(RATIO_KINDS)]
            case Kind.WALLET_FILL:
                return [self.trade(1, users=(WALLET, "0x" + "cd" * 20))]
            case Kind.WALLET_POSITION:
                return [PositionFact(symbol, ts, WALLET, -1, self.qty(40, self.price()), self.price(), 20.0)]
        raise AssertionError(kind)


def current_lines(venue, kind):
    """Lines of the coverage table that hold now."""
    return [line for line in venue.coverage if line.kind is kind and line.from_ns <= NOW_NS < line.until_ns]


def book_of(rows):
    """The book after rows of kind ``book_level``, as {side: {price: quantity}}."""
    book = {1: {}, -1: {}}
    snapshot = None
    for row in rows:
        if row["flags"] & 4:
            this = (int(row["seq"]), int(row["ts_event_ns"]), int(row["ts_received_ns"]))
            if this != snapshot:
                book, snapshot = {1: {}, -1: {}}, this
        else:
            snapshot = None
        side = book[int(row["side"])]
        if row["qty_base"] == 0:
            side.pop(float(row["price_usd"]), None)
        else:
            side[float(row["price_usd"])] = float(row["qty_base"])
    return book


def book_after(facts):
    """The book that facts describe."""
    book = {1: {}, -1: {}}
    for fact in facts:
        if fact.is_snapshot:
            book = {1: {}, -1: {}}
        for side, levels in ((1, fact.bids), (-1, fact.asks)):
            for price, qty in levels:
                if qty == 0:
                    book[side].pop(price, None)
                else:
                    book[side][price] = qty
    return book


def assert_same_book(found, expected):
    for side in (1, -1):
        assert sorted(found[side]) == sorted(expected[side])
        for price, qty in expected[side].items():
            np.testing.assert_allclose(found[side][price], qty, rtol=1e-9)


def raw_frames(path):
    """Frames of a raw recording, "<seconds>: <frame>" a line, as (receive time in ns, frame), without what was sent."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for line in stream:
            stamp, colon, frame = line.rstrip("\n").partition(": ")
            if colon and stamp.replace(".", "", 1).isdigit():
                yield int(float(stamp) * 1e6) * 1000, frame.encode()


def stored_frames(path):
    """Frames of a file of recorded objects, ``data`` and ``timestamp`` in seconds, as ``raw_frames`` gives them."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for one in json.load(stream):
            yield int(one["timestamp"] * 1e6) * 1000, json.dumps(one["data"]).encode()


def everything(slug, seq=1000):
    """A play in which every kind of fact was published once for every contract."""
    play = Play(slug).connect()
    for item in play.script.contracts:
        for kind in sorted(set(play.venue.kinds) - {Kind.ADL}):
            play.publish(*play.at(item, seq=seq).of(kind))
            if kind is Kind.WALLET_POSITION:
                play.poll_wallet(WALLET)
    return play


def spoilt_bodies(body, values=ODD_VALUES):
    """The JSON of a body with one leaf replaced, for every leaf and value."""
    whole = json.loads(body)

    def walk(node, path):
        if isinstance(node, dict | list):
            for key in list(node) if isinstance(node, dict) else range(min(len(node), 3)):
                yield from walk(node[key], (*path, key))
        if path:
            yield path

    for path in walk(whole, ()):
        for value in values:
            changed = copy.deepcopy(whole)
            inner = changed
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = value
            yield json.dumps(changed).encode()
