"""A world description and a seed in, market messages with a known truth out.

The simulator shares no margin or survival code with the engine that is scored against it: it imports only the
vocabulary (units, errors, messages) and brings its own margin rules.
"""

from __future__ import annotations

from faultline.simulator.emission import contract_rows
from faultline.simulator.schema import World
from faultline.simulator.simulation import Simulation
from faultline.simulator.worlds import builtin_worlds, load_world

__all__ = ("Simulation", "World", "builtin_worlds", "contract_rows", "load_world")
