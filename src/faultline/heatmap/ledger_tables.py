"""Parameters of hypotheses in, the constant tables and the empty arrays of a ledger out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faultline.heatmap import ledger_kernels
from faultline.heatmap.anchor import near_weights
from faultline.heatmap.grid import BUCKET_LOG
from faultline.heatmap.ledger_kernels import (
    ABSENT,
    ENTRY_SPLIT,
    N_INTEGERS,
    N_REALS,
    N_SLOTS,
    NO_ENTRY,
    LedgerArrays,
    LedgerTables,
)
from faultline.units import SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultline.heatmap.ledger import LedgerParameters

__all__ = ("empty_arrays", "ledger_tables")


def empty_arrays(n_hypotheses: int, n_buckets: int, n_lanes: int) -> LedgerArrays:
    """Arrays of a ledger in which nothing stands."""
    integers = np.zeros(N_INTEGERS, dtype=np.int64)
    integers[ledger_kernels.I_HI : ledger_kernels.I_HI + 2] = -1
    reals = np.zeros(N_REALS)
    reals[[ledger_kernels.R_TRIGGER + 1, ledger_kernels.R_PENDING_TRIGGER + 1]] = np.inf
    return LedgerArrays(
        mass=np.zeros((n_hypotheses, 2, n_buckets, n_lanes), dtype=np.float32),
        remaining=np.ones((n_hypotheses, 2, n_buckets), dtype=np.float32),
        pending=np.zeros((n_hypotheses, N_SLOTS, 2, n_lanes)),
        pending_bin=np.full(N_SLOTS, NO_ENTRY, dtype=np.int64),
        pending_order=np.zeros(N_SLOTS, dtype=np.int64),
        accounts=np.zeros((n_hypotheses, 4, 2, n_lanes)),
        integers=integers,
        reals=reals,
    )


def ledger_tables(parameters: Sequence[LedgerParameters]) -> LedgerTables:
    """Hazards, decay tables and stencils of every hypothesis; lanes beyond the leverages are 0."""
    n_leverages = len(parameters[0].leverages)
    n_lanes = -(-n_leverages // 16) * 16
    n_nodes = len(parameters[0].nodes()[0])
    hazard = np.zeros((len(parameters), n_lanes))
    weights = np.zeros((len(parameters), n_nodes))
    offsets = np.full((len(parameters), ENTRY_SPLIT, 2, n_lanes, n_nodes), ABSENT, dtype=np.int32)
    for j, hypothesis in enumerate(parameters):
        hazard[j, :n_leverages] = hypothesis.hazards_per_hour() / (3600.0 * SECOND_NS)
        weights[j] = hypothesis.nodes()[1]
        distance = hypothesis.distances()
        with np.errstate(invalid="ignore", divide="ignore"):
            shifts = np.stack([np.log1p(-distance), np.log1p(distance)]) / BUCKET_LOG
        exists = (distance > 0) & np.stack([distance < 1, distance > 0])
        for part in range(ENTRY_SPLIT):
            buckets = np.floor((part + 0.5) / ENTRY_SPLIT + np.where(exists, shifts, 0.0)).astype(np.int32)
            offsets[j, part, :, :n_leverages] = np.where(exists, buckets, ABSENT)
    steps_ns = np.outer([3600.0, 60.0, 1.0], np.arange(60)) * SECOND_NS
    exponent = hazard[:, None, None, :] * steps_ns[None, :, :, None]
    used = (np.arange(n_lanes) < n_leverages).astype(np.float64)
    present = offsets[:, :, :, :n_leverages]
    long_nearest = int(present[:, :, 0].max(initial=ABSENT))
    shorts = present[:, :, 1]
    short_nearest = int(shorts[shorts != ABSENT].min(initial=-ABSENT))
    return LedgerTables(
        hazard=hazard,
        fade=np.exp(-exponent) * used,
        growth=np.exp(exponent) * used,
        offsets=offsets,
        weights=weights,
        nearest=np.array([long_nearest, short_nearest], dtype=np.int64),
        nearness=near_weights(4096),
        n_leverages=n_leverages,
    )
