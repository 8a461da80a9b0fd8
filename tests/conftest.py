"""Recorded data, compiled-kernel cache and hypothesis profiles for every test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# Set before anything imports numba: compiled kernels survive between runs, inside the ignored cache folder.
os.environ.setdefault("XDG_CACHE_HOME", str(ROOT / ".cache"))

settings.register_profile(
    "short",
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "long",
    max_examples=5_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("long" if os.environ.get("FAULTLINE_FUZZ") == "1" else "short")


def recorded_path() -> Path:
    """Folder of recorded data: FAULTLINE_DATA, by default ``../shared/data`` beside the repository."""
    return Path(os.environ.get("FAULTLINE_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def root() -> Path:
    """Root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def recorded() -> Path:
    """Folder of recorded data; without it the test is skipped, or fails where FAULTLINE_REQUIRE_DATA=1."""
    path = recorded_path()
    if not path.is_dir():
        reason = f"no recorded data at {path}: set FAULTLINE_DATA to the folder that holds it"
        if os.environ.get("FAULTLINE_REQUIRE_DATA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
