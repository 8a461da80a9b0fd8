"""What an engine said of chains and the truth about them in, how far apart they lie out.

``odds.parquet`` holds the odds of reaching a distance that an engine gave, with and without the part that chains add;
they are compared with the frequencies among futures drawn from the true state of that moment. ``causes.parquet`` holds
for published liquidations the probability that earlier forced orders caused them; it is compared with the label of the
run without contagion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from faultline.evaluation.truth_scores import area_under_curve

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ("CAUSES_SCHEMA", "ODDS_SCHEMA", "score_causes", "score_odds")

#: Columns of ``odds.parquet``.
ODDS_SCHEMA: Final = pa.schema(
    [
        ("t_ns", pa.int64()),
        ("instrument", pa.string()),
        ("side", pa.int8()),
        ("distance_bps", pa.float64()),
        ("hit_prob", pa.float64()),
        ("unforced_hit_prob", pa.float64()),
    ]
)
#: Columns of ``causes.parquet``.
CAUSES_SCHEMA: Final = pa.schema(
    [
        ("ts_event_ns", pa.int64()),
        ("instrument", pa.string()),
        ("side", pa.int8()),
        ("caused_prob", pa.float64()),
    ]
)


def score_odds(folder: Path | None, tables: dict[str, pa.Table]) -> dict[str, Any] | None:
    """Recovered odds against true ones on rows of the same time, instrument, side and distance; None without any.

    Returns:
        ``n``; the mean absolute errors ``hit_mae`` and ``excess_mae`` (of what chains add), and the means of that
        excess, recovered and true.
    """
    if folder is None or "odds" not in tables or not (folder / "odds.parquet").is_file():
        return None
    keys = ["t_ns", "instrument", "side", "distance_bps"]
    said = pq.read_table(folder / "odds.parquet", schema=ODDS_SCHEMA, use_threads=False)
    names = {"hit_prob": "true_hit", "unforced_hit_prob": "true_unforced"}
    true = tables["odds"].select([*keys, *names]).rename_columns([*keys, *names.values()])
    both = said.join(true, keys=keys, join_type="inner")
    if both.num_rows == 0:
        return None
    hit, unforced, true_hit, true_unforced = (
        both[name].to_numpy() for name in ("hit_prob", "unforced_hit_prob", "true_hit", "true_unforced")
    )
    excess, true_excess = hit - unforced, true_hit - true_unforced
    return {
        "n": both.num_rows,
        "hit_mae": float(np.abs(hit - true_hit).mean()),
        "excess_mae": float(np.abs(excess - true_excess).mean()),
        "mean_excess": float(excess.mean()),
        "true_mean_excess": float(true_excess.mean()),
    }


def score_causes(folder: Path | None, tables: dict[str, pa.Table]) -> dict[str, Any] | None:
    """Recovered causes against the run without contagion, liquidation by liquidation; None without any.

    Returns:
        ``n`` liquidations found in both with a known label, the ``caused_ratio`` among them, the Brier score
        ``brier``, that of always saying that ratio ``brier_base``, and the area under the curve ``auc``.
    """
    if folder is None or not (folder / "causes.parquet").is_file():
        return None
    said = pq.read_table(folder / "causes.parquet", schema=CAUSES_SCHEMA, use_threads=False)
    keys = ["ts_event_ns", "instrument", "side"]
    known = tables["liquidations"].select([*keys, "caused"])
    known = known.filter(pa.array(known["caused"].to_numpy() >= 0))
    both = said.join(known, keys=keys, join_type="inner")
    if both.num_rows == 0:
        return None
    prob, label = both["caused_prob"].to_numpy(), both["caused"].to_numpy() == 1
    ratio = float(label.mean())
    return {
        "n": both.num_rows,
        "caused_ratio": ratio,
        "brier": float(np.mean((prob - label) ** 2)),
        "brier_base": ratio * (1.0 - ratio),
        "auc": area_under_curve(prob, label),
    }
