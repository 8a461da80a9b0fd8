"""Every event becomes a sentence that can be read at a glance, whatever is known about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.alerts.conftest import NOON_NS, an_event

from faultline.alerts.texts import price_text, text_of, usd_text
from faultline.signals.events import CATALOGUE, Event, EventType

CASCADE = {"depth": 2, "n_levels": 6, "price_usd": 95_100.0, "liquidated_usd": 1.2e6, "expected_usd": 3.4e6}
FEEDS = {"instrument": "okx:all", "channels": ["books", "trades"], "silent_s": 30.0}

SENTENCES = [
    ({"kind": "ZONE_HIT"}, "BTC: price reached long zone 96,150-96,400 (est. $31.2M, level 8)"),
    (
        {"kind": "ZONE_HIT", "mode": "simulated"},
        "[SIMULATED] BTC: price reached long zone 96,150-96,400 (est. $31.2M, level 8)",
    ),
    (
        {"kind": "ZONE_HIT", "mode": "replay", "density_level": None},
        "[REPLAY] BTC: price reached long zone 96,150-96,400 (est. $31.2M)",
    ),
    (
        {"kind": "ZONE_APPROACHED", "distance_ratio": -0.0042, "scope": "binance:BTCUSDT"},
        "BTC: price is 0.42 % from long zone 96,150-96,400 on binance:BTCUSDT (est. $31.2M, level 8)",
    ),
    (
        {"kind": "ZONE_CREATED", "side": "SHORT"},
        "BTC: new short zone 96,150-96,400 (est. $31.2M, level 8)",
    ),
    (
        {"kind": "ZONE_REINFORCED"},
        "BTC: long zone 96,150-96,400 (est. $31.2M, level 8) has grown from $20.0M",
    ),
    (
        {"kind": "ZONE_BUILDING", "opened_usd": 4.5e6, "closed_usd": 950_000},
        (
            "BTC: positions build up in long zone 96,150-96,400 (est. $31.2M, level 8); last hour $4.5M opened, "
            "$950k closed"
        ),
    ),
    (
        {"kind": "ZONE_THINNING", "opened_usd": 0, "closed_usd": None},
        "BTC: positions leave long zone 96,150-96,400 (est. $31.2M, level 8); last hour $0 opened, $? closed",
    ),
    (
        {"kind": "ZONE_SWEPT", "liquidated_usd": 12.25e6},
        "BTC: price swept long zone 96,150-96,400 (level 8): $12.2M liquidated at least, est. $20.0M before",
    ),
    (
        {"kind": "ZONE_EXPIRED", "touches": 0, "merged_into": None},
        "BTC: long zone 96,150-96,400 (est. $31.2M, level 8) has faded without being reached",
    ),
    (
        {"kind": "ZONE_EXPIRED", "touches": 2, "merged_into": None},
        "BTC: long zone 96,150-96,400 (est. $31.2M, level 8) has faded after price was in it 2 times",
    ),
    (
        {"kind": "ZONE_EXPIRED", "touches": 1, "merged_into": "BTC-L-0-1"},
        "BTC: long zone 96,150-96,400 (est. $31.2M, level 8) has given way to another after price was in it once",
    ),
    (
        {"kind": "ZONE_EXPIRED", "touches": None},
        "BTC: long zone 96,150-96,400 (est. $31.2M, level 8) has faded",
    ),
    (
        {"kind": "LIQUIDATION_LARGE", "side": "SHORT", "notional_usd": 2.5e9},
        "BTC: $2.5B short liquidated at 96,398 on binance:BTCUSDT",
    ),
    ({"kind": "SOURCE_DOWN", "silent_s": 45.2}, "BTC: binance:BTCUSDT has sent no price for 45 s"),
    ({"kind": "SOURCE_RECOVERED", "silent_s": 99}, "BTC: binance:BTCUSDT sends prices again after 99 s"),
    (
        {"kind": "SOURCE_DOWN", **FEEDS, "status": "down", "detail": "it was lost; next attempt in 4 s"},
        "BTC: okx (books, trades) has been down for 30 s: it was lost",
    ),
    (
        {"kind": "SOURCE_RECOVERED", **FEEDS, "status": "live", "detail": "rows come"},
        "BTC: okx (books, trades) is live again after 30 s",
    ),
    (
        {"kind": "DIVERGENCE", "venues": ["binance", "okx"], "distance_bps": 41.7, "floor_bps": 12.1},
        "BTC: long maps of binance and okx are 42 bp apart (chance explains 12)",
    ),
    (
        {"kind": "CASCADE_STARTED", **CASCADE, "depth": 1},
        "BTC: cascade of longs has started: level 1 of 6 at 95,100, $1.2M liquidated at least (est. $3.4M)",
    ),
    (
        {"kind": "CASCADE_EXTENDED", **CASCADE, "side": "SHORT"},
        "BTC: cascade of shorts goes on: level 2 of 6 at 95,100, $1.2M liquidated at least (est. $3.4M)",
    ),
    (
        {"kind": "CASCADE_EXCESS", **CASCADE, "tail_prob": 0.0312},
        (
            "BTC: cascade of longs runs deeper than volatility explains (chance of that 3.1 %): "
            "level 2 of 6 at 95,100, $1.2M liquidated at least (est. $3.4M)"
        ),
    ),
    (
        {"kind": "CASCADE_ENDED", **CASCADE, "duration_s": 1_330.0},
        "BTC: cascade of longs is over after 22 min: level 2 of 6 at 95,100, $1.2M liquidated at least (est. $3.4M)",
    ),
    (
        {"kind": "LEARNER_FELL_BACK", "change": "fallback", "advantage_nats": -5.04},
        ("BTC: the assumed leverage mix is in use: what binance:BTCUSDT taught did worse (score -5.0 nats)"),
    ),
    (
        {"kind": "LEARNER_FELL_BACK", "change": "restored", "advantage_nats": 0.31},
        "BTC: what binance:BTCUSDT taught about leverage is in use again (score +0.3 nats)",
    ),
    (
        {"kind": "LEARNER_FELL_BACK", "learner": "print offset", "change": "fallback"},
        "BTC: the usual print offset is in use: what binance:BTCUSDT taught did worse",
    ),
    (
        {"kind": "LEARNER_FELL_BACK", "learner": "chains", "instrument": "BTC", "change": "restored"},
        "BTC: what BTC taught about chains is in use again",
    ),
    (
        {
            "kind": "ENGINE_CHANGED",
            "what": "print offset",
            "part": "BANKRUPTCY",
            "before_bps": -38.62,
            "after_bps": -48.62,
        },
        (
            "BTC: binance:BTCUSDT has changed its liquidation engine: print offset (bankruptcy) moved from -38.6 to "
            "-48.6 bp"
        ),
    ),
    (
        {"kind": "ENGINE_CHANGED", "what": "margin", "part": "tier 2", "before_bps": None},
        "BTC: binance:BTCUSDT has changed its liquidation engine: margin (tier 2) moved",
    ),
    (
        {"kind": "SIDE_CONVENTION_ALARM", "verdict": "mixed", "instrument": "mixed:BTC"},
        "BTC: sides of liquidations of mixed:BTC are mixed: some are inverted",
    ),
    (
        {"kind": "SIDE_CONVENTION_ALARM", "verdict": "right"},
        "BTC: sides of liquidations of binance:BTCUSDT mean what is assumed again",
    ),
]


@pytest.mark.parametrize(("event", "sentence"), SENTENCES)
def test_an_event_becomes_a_sentence(event, sentence):
    assert text_of(an_event(**event)).summary == sentence


def test_every_type_of_the_catalogue_has_a_sentence_of_its_own():
    assert {case["kind"] for case, _ in SENTENCES} == set(EventType)


def test_the_rest_of_a_message_says_when_and_what_kind_of_number_it_is():
    text = text_of(an_event("ZONE_HIT", mode="simulated"))
    assert text.text == (
        "Price 96,398, P0, 2026-03-02 12:00:00 UTC, simulated market, no real money.\n"
        "Model estimate: not exchange data, not advice."
    )
    assert text.is_urgent
    assert "reported" in text_of(an_event("LIQUIDATION_LARGE")).text
    assert "connection" in text_of(an_event("SOURCE_DOWN")).text
    assert "Inferred" in text_of(an_event("ENGINE_CHANGED")).text
    assert not text_of(an_event("SOURCE_DOWN")).is_urgent


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=30),
    st.lists(st.text(max_size=5), max_size=3),
)


@given(
    kind=st.sampled_from(list(EventType)),
    values=st.lists(VALUES, min_size=20, max_size=20),
    asset=st.text(max_size=100),
)
def test_whatever_an_event_carries_its_message_is_short_plain_text(kind, values, asset):
    fields = dict(zip(CATALOGUE[kind].fields, values, strict=False))
    event = Event(
        id="x",
        schema=1,
        type=kind,
        priority=1,
        asset=asset,
        venue=None,
        confidence=None,
        data=fields,
        detected_at_ns=NOON_NS,
        latency_ms=None,
        simulated=False,
        mode="live",
    )
    text = text_of(event)
    assert len(text.summary) <= 200
    assert not set("<>@*`#\n\r[]{}\\|_") & (set(text.summary) - {"_"})
    assert text.summary.isprintable()


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (96_150.0, "96,150"),
        (96_150.5, "96,150"),
        (3412.5, "3,412.5"),
        (187.254, "187.25"),
        (12.3456, "12.346"),
        (1.0, "1"),
        (0.523412, "0.52341"),
        (0.0000012345678, "0.0000012346"),
        (0, "0"),
        (None, "?"),
        (float("nan"), "?"),
    ],
)
def test_prices_have_the_digits_that_matter(price, text):
    assert price_text(price) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "$0"),
        (999.4, "$999"),
        (999.9, "$1.0k"),
        (999_960, "$1.0M"),
        (31_240_000, "$31.2M"),
        (312_400_000, "$312M"),
        (1.25e9, "$1.2B"),
        (3e12, "$3.0T"),
        (None, "$?"),
        (True, "$?"),
    ],
)
def test_amounts_are_rounded_for_reading(amount, text):
    assert usd_text(amount) == text
