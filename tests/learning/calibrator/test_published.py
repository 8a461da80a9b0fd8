from __future__ import annotations

import re

from faultline.learning.calibrator.published import VENUES, Evidence, Selection, documented_reporting
from faultline.learning.reporting import Reporting
from faultline.units import SECOND_NS, parse_time_ns

NOW = parse_time_ns("2026-11-01")


def test_every_venue_of_the_product_has_an_entry():
    assert len(VENUES) == 22
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)?", slug) for slug in VENUES)


def test_a_selection_of_one_in_a_window_has_a_window():
    chosen = {Selection.LATEST, Selection.LARGEST, Selection.LARGEST_PER_SIDE, Selection.ONE}
    for slug, facts in VENUES.items():
        assert (facts.selection not in chosen) or (facts.window_s or 0) > 0, slug


def test_a_venue_without_a_feed_has_no_side_to_mean_anything():
    for slug, facts in VENUES.items():
        if facts.selection is Selection.NONE:
            assert facts.side is None, slug


def test_every_fact_says_how_it_is_known_and_something():
    for facts in VENUES.values():
        assert facts.feed_evidence in Evidence
        for fact in (facts.partial, facts.insurance, facts.deleveraging):
            assert fact is None or (fact.evidence in Evidence and len(fact.text) > 3)


def test_what_is_printed_is_read_as_the_documentation_has_it_at_that_time():
    before = parse_time_ns("2026-04-13T23:59:59")
    assert documented_reporting("binance", before) == Reporting(scheme="latest", window_ns=SECOND_NS)
    assert documented_reporting("binance", NOW) == Reporting(scheme="largest", window_ns=SECOND_NS)
    assert documented_reporting("gate", before) == Reporting(scheme="latest", window_ns=SECOND_NS)
    assert documented_reporting("gate", NOW) == Reporting()
    assert documented_reporting("bitget", NOW).scheme == "largest"


def test_a_venue_that_prints_nothing_or_says_nothing_has_no_documented_reporting():
    assert [documented_reporting(venue, NOW) for venue in ("hyperliquid", "backpack", "nowhere")] == [
        None
    ] * 3


def test_a_scheme_is_known_wherever_a_selection_is():
    for slug, facts in VENUES.items():
        says = facts.selection not in {None, Selection.NONE}
        assert (documented_reporting(slug, NOW) is not None) is says, slug
