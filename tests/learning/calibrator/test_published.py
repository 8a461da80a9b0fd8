from __future__ import annotations

import re

from faultline.learning.calibrator.published import VENUES, Evidence, Selection


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
