"""A key and a counter in, random numbers out: counter-based, so two runs share numbers wherever they share
events.

The generator is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
Every decision of the simulator starts a stream from (key of its purpose, step, index); a run in which forced
orders do not move the price therefore draws the same numbers for the same decisions as the run in which they
do.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ("normal_kernel", "poisson_kernel", "restart_kernel", "scatter", "stream_key", "uniform_kernel")

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_TO_UNIT = 1.0 / 9007199254740992.0
_LARGE_MEAN = 40.0


def stream_key(seed: int, purpose: str) -> np.uint64:
    """Key of one purpose (``"market"``, ``"opens BTC simx"``) under a seed."""
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def scatter(key: np.uint64, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """One number in (0, 1) for each of ``numbers``, shape (n,): the first of the stream (key, number, 0)."""

    def mixed(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
        word = (word ^ (word >> np.uint64(30))) * _MIX_A
        word = (word ^ (word >> np.uint64(27))) * _MIX_B
        return word ^ (word >> np.uint64(31))

    word = mixed(np.uint64(key) + numbers.astype(np.uint64) * _GOLDEN)
    word = mixed(mixed(word ^ _GOLDEN) + _GOLDEN)
    return np.asarray(((word >> np.uint64(11)).astype(np.float64) + 0.5) * _TO_UNIT)


@njit(cache=True, nogil=True)
def _mix_kernel(word: np.uint64) -> np.uint64:
    """Finaliser of SplitMix64: a bijection of 64 bits that scatters neighbouring counters."""
    word = (word ^ (word >> np.uint64(30))) * _MIX_A
    word = (word ^ (word >> np.uint64(27))) * _MIX_B
    return word ^ (word >> np.uint64(31))


@njit(cache=True, nogil=True)
def restart_kernel(rng: NDArray[np.uint64], key: np.uint64, step: int, index: int) -> None:
    """Set ``rng`` (shape (1,)) to the start of the stream (key, step, index)."""
    word = _mix_kernel(key + np.uint64(step) * _GOLDEN)
    rng[0] = _mix_kernel(word ^ (np.uint64(index) * _MIX_A + _GOLDEN))


@njit(cache=True, nogil=True)
def uniform_kernel(rng: NDArray[np.uint64]) -> float:
    """Next number, uniform on the open interval (0, 1)."""
    rng[0] = rng[0] + _GOLDEN
    return (float(_mix_kernel(rng[0]) >> np.uint64(11)) + 0.5) * _TO_UNIT


@njit(cache=True, nogil=True)
def normal_kernel(rng: NDArray[np.uint64]) -> float:
    """Next number, standard normal (Box and Muller 1958, cosine branch)."""
    radius = math.sqrt(-2.0 * math.log(uniform_kernel(rng)))
    return radius * math.cos(2.0 * math.pi * uniform_kernel(rng))


@njit(cache=True, nogil=True)
def poisson_kernel(rng: NDArray[np.uint64], mean: float) -> int:
    """Next count, Poisson(mean): inversion of one uniform, a rounded normal above a mean of 40.

    Inversion is monotone in the mean, so a slightly different rate mostly gives the same count.
    """
    if mean <= 0.0:
        return 0
    if mean > _LARGE_MEAN:
        return max(0, int(mean + math.sqrt(mean) * normal_kernel(rng) + 0.5))
    uniform = uniform_kernel(rng)
    term = math.exp(-mean)
    total = term
    count = 0
    while uniform > total and term > 0.0:
        count += 1
        term *= mean / count
        total += term
    return count
