"""The simulator stands on its own: what is scored must not be what scores."""

from __future__ import annotations

import ast

import msgspec
import numpy as np
import pytest
from tests.contracts.tree import ROOT
from tests.simulator.conftest import START_NS

from faultline.instruments import instruments_from_rows
from faultline.messages import Kind
from faultline.simulator import Simulation, load_world
from faultline.units import HOUR_NS

ALLOWED = ("faultline.simulator", "faultline.units", "faultline.errors", "faultline.messages")


def test_the_simulator_imports_only_the_vocabulary_and_itself():
    found = []
    for path in sorted((ROOT / "src/faultline/simulator").glob("**/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found += [
                (path.name, name)
                for name in names
                if name.startswith("faultline") and not name.startswith(ALLOWED)
            ]
    assert found == []


@pytest.mark.parametrize("row", [0, 1])
def test_two_margin_implementations_agree_where_margin_is_exactly_initial(row):
    """The engine's formulas, from the tiers on the tape, give the simulator's levels to rounding."""
    world = msgspec.structs.replace(load_world("null-contagion"), warmup_days=0.25)
    simulation = Simulation(world, 1, START_NS)
    batches = simulation.advance(START_NS + HOUR_NS)
    iid = simulation.instrument_ids[row]
    rows = next(b.rows for b in batches if b.kind is Kind.INSTRUMENT and b.instrument_id == iid)
    instrument = instruments_from_rows(iid, rows)[-1][1]
    table = simulation.positions()["BTC"]
    mine = np.flatnonzero(table["instrument"] == iid)[::50]
    assert len(mine) > 50
    for k in mine:
        entry, side = float(table["entry_price_usd"][k]), int(table["side"][k])
        level = instrument.liquidation_price_usd(
            entry, 50.0, side, notional_usd=float(table["notional_usd"][k])
        )
        assert table["level_price_usd"][k] == pytest.approx(level, rel=1e-9)
        assert table["bankruptcy_price_usd"][k] == pytest.approx(
            instrument.bankruptcy_price_usd(entry, 50.0, side), rel=1e-9
        )


def test_true_opens_are_the_positions_that_got_an_id(live):
    simulation, _ = live
    market = simulation._markets[0]
    first = market.state.market["next_id"][0] - simulation.truth()["opens"]["n_opens"].sum()
    table = simulation.positions()["BTC"]
    assert (table["opened_ns"] >= START_NS).sum() == (table["position_id"] >= first).sum()
    assert (table["position_id"][table["opened_ns"] >= START_NS] >= first).all()
