"""One set of assumptions in, the hypotheses around it that the events decide between out.

What does not enter the rate linearly - how fast positions close, how that grows with leverage, how far margins
scatter, how far the maintenance margin is off, how openings follow the units, how fast the mix changes - is not
estimated but tried: a star of hypotheses, one step up and down per assumption, weighted by discounted log score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from faultline.errors import RequestError
from faultline.heatmap.ledger import LedgerParameters
from faultline.learning.leverage_kernels import BankArrays, weigh_kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ("BankSteps", "Hypothesis", "distinct_kernels", "empty_bank", "star_bank", "weigh_members")


class Hypothesis(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A member of the bank.

    Attributes:
        name: what differs from the incumbent, in words.
        kernel: margins and lifetimes.
        deposit_exponent: openings are the units over their mean so far, to this power.
        half_life_h: recorded hours after which an observation counts half.

    Raises:
        ValueError: a value is impossible.
    """

    name: str = "incumbent"
    kernel: LedgerParameters = LedgerParameters()
    deposit_exponent: float = 1.0
    half_life_h: float = 24.0

    def __post_init__(self) -> None:
        if not (0 <= self.deposit_exponent < 10 and 0 < self.half_life_h < 1e6):
            raise ValueError(
                f"no hypothesis with exponent {self.deposit_exponent!r} and half-life {self.half_life_h!r} h"
            )


class BankSteps(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far the bank looks from the incumbent; a step of 1 (factors) or 0 (differences) leaves an assumption alone.

    Attributes:
        hazard: factor of the closes per hour.
        exponent: difference of the exponent of the hazard in leverage.
        dispersion: factor of the scatter of log margin distances.
        margin_ratio: difference of the margin.
        deposit: difference of the exponent of the units.
        half_life: factor of the half-life.
    """

    hazard: float = 2.0
    exponent: float = 0.5
    dispersion: float = 2.0
    margin_ratio: float = 0.001
    deposit: float = 0.5
    half_life: float = 3.0


def star_bank(incumbent: Hypothesis | None = None, steps: BankSteps | None = None) -> tuple[Hypothesis, ...]:
    """The incumbent first, then one step down and one up per assumption: at most 13 members over 11 kernels."""
    here, step = incumbent or Hypothesis(), steps or BankSteps()
    kernel = here.kernel
    found = [here]

    def add(name: str, value: float, **changes: object) -> None:
        member = msgspec.structs.replace(here, name=f"{name} {value:.4g}", **changes)
        if all(msgspec.structs.replace(member, name=other.name) != other for other in found):
            found.append(member)

    for way in (-1, 1):
        hazard = kernel.hazard_per_hour_at_10x * step.hazard**way
        add("hazard", hazard, kernel=msgspec.structs.replace(kernel, hazard_per_hour_at_10x=hazard))
        exponent = kernel.hazard_exponent + way * step.exponent
        add("exponent", exponent, kernel=msgspec.structs.replace(kernel, hazard_exponent=exponent))
        spread = kernel.dispersion * step.dispersion**way
        add("dispersion", spread, kernel=msgspec.structs.replace(kernel, dispersion=spread))
        buffer = max(kernel.margin_buffer_ratio + way * step.margin_ratio, 0.0)
        add("margin buffer", buffer, kernel=msgspec.structs.replace(kernel, margin_buffer_ratio=buffer))
        power = max(here.deposit_exponent + way * step.deposit, 0.0)
        add("deposit exponent", power, deposit_exponent=power)
        half_life = here.half_life_h * step.half_life**way
        add("half-life", half_life, half_life_h=half_life)
    return tuple(found)


def distinct_kernels(
    bank: Sequence[Hypothesis],
) -> tuple[list[tuple[float, list[LedgerParameters]]], NDArray[np.int64]]:
    """Ledgers that a bank needs: kernels grouped by deposit exponent, and for each member the place of its own.

    Raises:
        RequestError: the bank is empty, or its kernels have different leverages or nodes.
    """
    shapes = {(member.kernel.leverages, len(member.kernel.nodes()[0])) for member in bank}
    if len(shapes) != 1:
        message = f"a bank of {len(bank)} members with {len(shapes)} grids"
        raise RequestError(
            message, where="bank", hint="give members that share leverages and dispersion nodes"
        )
    groups: dict[float, list[LedgerParameters]] = {}
    for member in bank:
        kernels = groups.setdefault(member.deposit_exponent, [])
        if member.kernel not in kernels:
            kernels.append(member.kernel)
    flat = [(power, kernel) for power, kernels in groups.items() for kernel in kernels]
    index = [flat.index((member.deposit_exponent, member.kernel)) for member in bank]
    return list(groups.items()), np.array(index, dtype=np.int64)


def weigh_members(score: NDArray[np.float64], dispersion: float) -> NDArray[np.float64]:
    """Weights of members from their discounted log scores, shape (M,), sum 1.

    Events come in bursts, so a score counts as if there were fewer of them: it is divided by the dispersion of counts.

    Args:
        score: discounted log likelihoods, shape (M,).
        dispersion: variance of counts over their expectation, at least 1.
    """
    weights = np.zeros(len(score))
    weigh_kernel(score, float(dispersion), weights)
    return weights


def empty_bank(members: int, columns: int) -> BankArrays:
    """A bank that has seen nothing; rates are nil until the level of the prior is known."""
    return BankArrays(
        x=np.full((members, columns), -30.0),
        precision=np.zeros((members, columns, columns)),
        scale=np.zeros((members, 3)),
        score=np.zeros((members, 4)),
        size_gram=np.zeros((members, columns, columns)),
        size_sums=np.zeros((members, columns)),
        travel=np.zeros((members, columns)),
    )
