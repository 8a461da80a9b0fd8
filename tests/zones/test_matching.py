from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.zones import twins
from tests.zones.made import ROWS

from faultline.zones.detection import FIND, cumulative_usd
from faultline.zones.matching import match
from faultline.zones.parameters import ZoneParameters
from faultline.zones.track import Track

P = ZoneParameters()
PLACES = st.lists(
    st.tuples(st.integers(20, 900), st.integers(0, 12), st.integers(1, 12), st.booleans()), max_size=6
)


@dataclasses.dataclass(frozen=True)
class Place:
    low: float
    high: float
    peak: float
    confirmed: bool


def placed(spec):
    """Places that lie apart, sorted, from peaks in rows and what lies below and above them."""
    out = []
    for peak, below, above, confirmed in sorted(spec):
        low = max(peak - below, out[-1].high if out else 0)
        if peak >= low:
            out.append(Place(low, peak + above, peak, confirmed))
    edge = ROWS.first_row * ROWS.row_usd
    return [
        Place(*(edge + part * ROWS.row_usd for part in (p.low, p.high, p.peak)), p.confirmed) for p in out
    ]


@given(PLACES, PLACES)
def test_zones_go_on_in_the_finds_that_a_slow_search_gives_them(old, new) -> None:
    zones, places = placed(old), placed(new)
    usd = np.random.default_rng(len(old) + 7 * len(new)).random((2, ROWS.n_rows)) * 1e5
    finds = np.zeros(len(places), dtype=FIND)
    for k, place in enumerate(places):
        finds[k]["low_usd"], finds[k]["high_usd"], finds[k]["peak_usd"] = place.low, place.high, place.peak
    tracks = [
        Track(
            id=f"z{k}",
            side=1,
            born_ns=k,
            low_usd=z.low,
            high_usd=z.high,
            peak_usd=z.peak,
            notional_usd=1.0,
            side_usd=1.0,
            confirmed=z.confirmed,
        )
        for k, z in enumerate(zones)
    ]
    found = match(tracks, finds, cumulative_usd(usd)[1], ROWS, P)
    held = {
        (i, k): twins.held(usd[1], ROWS, max(z.low, f.low), max(min(z.high, f.high), z.low, f.low))
        for i, z in enumerate(zones)
        for k, f in enumerate(places)
        if twins.fits(z, f, P)
    }
    left = dict(held)
    twin = {}
    while left:
        # Where two pairs share nothing at all the order is that of their peaks.
        best = min(
            left,
            key=lambda p: (
                not zones[p[0]].confirmed,
                -round(left[p], 3),
                abs(zones[p[0]].peak - places[p[1]].peak) / places[p[1]].peak,
                p,
            ),
        )
        twin[best[0]] = best[1]
        left = {pair: usd for pair, usd in left.items() if pair[0] != best[0] and pair[1] != best[1]}
    assert found == twin


def test_without_zones_or_finds_nothing_goes_on() -> None:
    assert match([], np.zeros(3, dtype=FIND), np.zeros(ROWS.n_rows + 1), ROWS, P) == {}
