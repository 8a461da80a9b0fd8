"""Every recorded or published frame there is of a venue is read, or is told by name as a channel that is not ours.

What else is rejected stands in ``EXPLAINED``, with its reason.
"""

from __future__ import annotations

import collections
import json
import re

import pytest
from tests.sources.venues.play import NOW_NS, Play

from faultline.messages import Kind
from faultline.sources.rows import Reason, Rows
from faultline.units import MILLISECOND_NS

pytestmark = pytest.mark.recorded

FOLDERS = {
    "binance": ("nautilus/binance/futures/market_data_json", "by_venue/binance_usdm"),
    "binance-coinm": ("by_venue/binance_coinm",),
    "aster": ("by_venue/aster",),
    "bybit": ("nautilus/bybit", "by_venue/bybit"),
    "okx": ("nautilus/okx", "by_venue/okx"),
    "hyperliquid": ("nautilus/hyperliquid", "by_venue/hyperliquid"),
    "deribit": ("nautilus/deribit", "by_venue/deribit"),
}
#: Rejects that are not an unknown channel, by file: why.
EXPLAINED = {
    "agg_trade_stream.json": "its times are of 1970, as in the documentation",
    "ws_book_grouped_snapshot.json": "a grouped book, which we do not subscribe to, has no actions",
}
#: Kinds that must come out of all files of a venue together.
KINDS = {
    "binance": {Kind.LIQUIDATION, Kind.MARK, Kind.FUNDING},
    "binance-coinm": {Kind.LIQUIDATION},
    "aster": {Kind.LIQUIDATION},
    "bybit": {Kind.LIQUIDATION, Kind.BOOK_LEVEL, Kind.MARK, Kind.FUNDING, Kind.OPEN_INTEREST},
    "okx": {Kind.LIQUIDATION, Kind.BOOK_LEVEL, Kind.TRADE, Kind.FUNDING},
    "hyperliquid": {Kind.TRADE, Kind.MARK, Kind.FUNDING, Kind.OPEN_INTEREST},
    "deribit": {Kind.LIQUIDATION, Kind.BOOK_LEVEL, Kind.TRADE, Kind.MARK, Kind.FUNDING, Kind.OPEN_INTEREST},
}
#: Members that are names of contracts.
NAMES = re.compile(r'"(?:s|symbol|instId|coin|instrument_name)":\s*"([^"]+)"')
STAMPS = re.compile(r"(?<!\d)1[4-9]\d{11}(?!\d)")


def frames_of(path):
    """The objects of a file that a socket could have sent, and a receive time for them."""
    text = path.read_text(encoding="utf-8")
    stamps = [int(one) for one in STAMPS.findall(text)]
    whole = json.loads(text)
    return whole if isinstance(whole, list) else [whole], max(
        stamps, default=NOW_NS // MILLISECOND_NS
    ) * MILLISECOND_NS


def is_frame(path, one):
    """Answers to requests stand beside the frames; they are not read here."""
    marks = {"e", "stream", "topic", "arg", "channel", "method"}
    return path.name.startswith("ws_") or "stream" in path.name or not marks.isdisjoint(one)


@pytest.mark.parametrize("slug", FOLDERS)
def test_recorded_examples_are_read_or_told_by_name(recorded, slug):
    play, kinds, n_frames = Play(slug), set(), 0
    unexplained = collections.Counter()
    for folder in FOLDERS[slug]:
        for path in sorted((recorded / "venue_messages" / folder).glob("*.json")):
            frames, received_ns = frames_of(path)
            names = NAMES.findall(path.read_text(encoding="utf-8"))
            mapper, out = play.venue.mapper(dict.fromkeys(names, play.instruments[0])), Rows(slug)
            for one in frames:
                if isinstance(one, dict) and is_frame(path, one):
                    n_frames += 1
                    mapper.map(json.dumps(one).encode(), received_ns, out)
            kinds |= {batch.kind for batch in out.drain()}
            for channel, reason in out.rejects:
                if reason is not Reason.UNKNOWN_CHANNEL and path.name not in EXPLAINED:
                    unexplained[(path.name, channel, reason)] += 1
    print(slug, n_frames, sorted(kinds))
    assert not unexplained
    assert n_frames
    assert kinds >= KINDS[slug]
