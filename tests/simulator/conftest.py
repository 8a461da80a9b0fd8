"""Small worlds that run in a second, and one long run that several tests read."""

from __future__ import annotations

import msgspec
import pytest

from faultline.simulator import Simulation, load_world
from faultline.units import HOUR_NS, parse_time_ns

START_NS = parse_time_ns("2026-01-05T09:00")


def small(name="three-assets", **changes):
    """A built-in world with one asset, a short warm-up and few positions."""
    world = load_world(name)
    asset = msgspec.structs.replace(world.assets[0], opens_per_hour=900.0, vol_per_day_ratio=0.03)
    changes = {"assets": (asset,), "warmup_days": 0.5, "warmup_step_s": 15.0, **changes}
    return msgspec.structs.replace(world, **changes)


@pytest.fixture(scope="session")
def live():
    """Two hours of the small live world, with its batches."""
    simulation = Simulation(small(), 5, START_NS)
    return simulation, simulation.advance(START_NS + 2 * HOUR_NS)


@pytest.fixture(scope="session")
def long_run():
    """Ten days of the world in which maps are evaluated, in coarser steps."""
    world = msgspec.structs.replace(load_world("evaluation"), step_s=4.0)
    simulation = Simulation(world, 1, START_NS)
    return simulation, simulation.advance(START_NS + 10 * 24 * HOUR_NS)
