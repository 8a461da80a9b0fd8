"""A number of terms in, a sum out: the smallest thing that has to be compiled."""

from __future__ import annotations

import numba

__all__ = ("sum_of_squares",)


@numba.njit(nogil=True)
def _sum_of_squares_kernel(n: int) -> float:
    """Sum of k**2 for k = 0 .. n - 1, which is (n - 1) n (2n - 1) / 6."""
    total = 0.0
    for k in range(n):
        total += float(k) * k
    return total


def sum_of_squares(n: int) -> float:
    """Sum of the squares of 0 .. n - 1, by a kernel that is compiled now."""
    return float(_sum_of_squares_kernel(n))
