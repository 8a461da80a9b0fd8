"""A simulation's truth in, documented Parquet out; and what an engine recovered beside it in, their distance out.

``write_truth`` writes one file per table (``docs/reference/worlds.md`` documents every column) and a manifest.
``score_truth`` compares a folder that a replay wrote: its leverage mix (``mix.parquet``, or the fixed prior where
nothing was learned) with the true mix of opens, its synthetic columns with the true standing maps, and what it said of
chains (``odds.parquet``, ``causes.parquet``) with drawn futures and the run without contagion.
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from faultline.errors import NotFound, StoreError
from faultline.evaluation.truth_chains import score_causes, score_odds
from faultline.evaluation.truth_scores import (
    coverage,
    distance_w1,
    identified_tv,
    lag_h,
    shares_on_grid,
    total_variation,
)
from faultline.learning.identify import IDENTIFIED_FROM
from faultline.learning.mixes import smooth_prior
from faultline.simulator.truth import MAP_BUCKET_LOG
from faultline.units import HOUR_NS, TIMEFRAMES_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from faultline.simulator import Simulation

__all__ = (
    "TRUTH_TABLES",
    "RecoveredMap",
    "RecoveredMix",
    "read_maps",
    "read_mixes",
    "read_truth",
    "score_truth",
    "worst_first",
    "write_mixes",
    "write_truth",
)

#: Tables of a truth folder, one Parquet file each.
TRUTH_TABLES: Final = ("liquidations", "winners", "opens", "standing", "positions", "path", "odds")
#: Leverages of the fixed prior that is scored where no mix was recovered.
_PRIOR_LEVERAGES: Final = (2, 3, 4, 5, 7, 10, 15, 20, 25, 33, 50, 75, 100, 125, 150)
_PRIOR_CENTRE: Final = 50.0
_PRIOR_LOG_SD: Final = 1.0
#: Share of a recovered map that is spread evenly before the divergence is taken, so that it stays finite.
_EVEN_SHARE: Final = 0.01
#: Largest part of a mix that may move out of the band of any mix before it, where the true leverage is constant.
_DRIFT_LIMIT: Final = 0.05
#: Where the true mix changes, a mix is compared with the opens of this long before it.
_WINDOW_NS: Final = 24 * HOUR_NS
#: Bands that a mix may carry, by what they promise, and their columns in ``mix.parquet``.
_BANDS: Final = {
    0.95: ("low_ratio", "high_ratio"),
    0.80: ("low80_ratio", "high80_ratio"),
    0.50: ("low50_ratio", "high50_ratio"),
}
#: Largest mean excess of recovered odds that still counts as none, where forced orders leave no trace.
_EXCESS_LIMIT: Final = 0.02
_MIX_SCHEMA: Final = pa.schema(
    [
        ("t_ns", pa.int64()),
        ("instrument", pa.string()),
        ("leverage", pa.float64()),
        ("share_ratio", pa.float64()),
        ("low_ratio", pa.float64()),
        ("high_ratio", pa.float64()),
        ("is_identified", pa.bool_()),
        ("low80_ratio", pa.float64()),
        ("high80_ratio", pa.float64()),
        ("low50_ratio", pa.float64()),
        ("high50_ratio", pa.float64()),
        ("iota_ratio", pa.float64()),
    ]
)


@dataclasses.dataclass(frozen=True, slots=True)
class RecoveredMix:
    """Leverage mix of one instrument's opens as an engine sees it at one time.

    Arrays have shape (L,): leverages, shares (sum 1), the ends of their 95 % bands (NaN: none), whether the
    observations identify the share, and where known the ends of the 80 % and 50 % bands and ``iota``, the part of each
    share that comes from the data and not from the prior. Where ``iota`` is given, shares with more than one half are
    the identified ones.
    """

    t_ns: int
    instrument: str
    leverages: NDArray[np.float64]
    shares: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    is_identified: NDArray[np.bool_]
    low80: NDArray[np.float64] | None = None
    high80: NDArray[np.float64] | None = None
    low50: NDArray[np.float64] | None = None
    high50: NDArray[np.float64] | None = None
    iota: NDArray[np.float64] | None = None

    def band(self, promise: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ends of the band that promises .95, .80 or .50; NaN where there is none."""
        ends = {0.95: (self.low, self.high), 0.80: (self.low80, self.high80), 0.50: (self.low50, self.high50)}
        nothing = np.full(len(self.leverages), np.nan)
        low, high = ends[promise]
        return (nothing if low is None else low, nothing if high is None else high)

    def identified(self) -> NDArray[np.bool_]:
        """Which shares the data determine: by ``iota`` where it is known."""
        if self.iota is None or np.isnan(self.iota).all():
            return self.is_identified
        return np.asarray(self.iota > IDENTIFIED_FROM)


@dataclasses.dataclass(frozen=True, slots=True)
class RecoveredMap:
    """Standing map of one scope (instrument or asset) and side as an engine shows it at one time.

    ``edges_usd`` has shape (P + 1,), rising; ``notional_usd`` shape (P,).
    """

    t_ns: int
    scope: str
    side: int
    edges_usd: NDArray[np.float64]
    notional_usd: NDArray[np.float64]


def write_truth(simulation: Simulation, folder: Path) -> dict[str, int]:
    """Write the truth of a simulation; returns the number of rows per table.

    Raises:
        StoreError: the folder cannot be written.
    """
    counts: dict[str, int] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in TRUTH_TABLES:
            (folder / f"{name}.parquet").unlink(missing_ok=True)
        for name, table in simulation.truth().items():
            partial = folder / f".{name}.parquet.partial"
            pq.write_table(pa.table(table), partial, compression="zstd")
            partial.replace(folder / f"{name}.parquet")
            counts[name] = len(next(iter(table.values())))
        manifest = {
            "schema": "faultline-truth",
            "version": 1,
            "simulated": True,
            "world": msgspec.to_builtins(simulation.world),
            "seed": simulation.seed,
            "start_ns": simulation.start_ns,
            "end_ns": simulation.now_ns,
            "rows": counts,
        }
        (folder / "manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    except OSError as exc:
        msg = f"cannot write the truth: {exc.strerror}"
        raise StoreError(msg, where=str(folder), hint="Choose a folder you can write to.") from exc
    return counts


def read_truth(folder: Path) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    """Manifest and tables of a truth folder.

    Raises:
        NotFound: the folder is not one that ``write_truth`` wrote.
    """
    try:
        manifest = msgspec.json.decode((folder / "manifest.json").read_bytes())
        if not isinstance(manifest, dict) or manifest.get("schema") != "faultline-truth":
            raise NotFound("this folder holds no truth", where=str(folder), hint=_TRUTH_HINT)
        tables = {
            name: pq.read_table(folder / f"{name}.parquet", use_threads=False)
            for name in TRUTH_TABLES
            if name in manifest["rows"]
        }
    except (OSError, msgspec.DecodeError, pa.ArrowInvalid) as exc:
        raise NotFound(f"cannot read the truth: {exc}", where=str(folder), hint=_TRUTH_HINT) from exc
    return manifest, tables


_TRUTH_HINT: Final = "Give the folder that `faultline simulate` wrote with --truth."


def write_mixes(mixes: Sequence[RecoveredMix], folder: Path) -> None:
    """Write recovered mixes to ``mix.parquet``, one row per time, instrument and leverage."""
    columns: dict[str, list[Any]] = {name: [] for name in _MIX_SCHEMA.names}
    for mix in mixes:
        n = len(mix.leverages)
        ends = [end for promise in (0.80, 0.50) for end in mix.band(promise)]
        iota = np.full(n, np.nan) if mix.iota is None else mix.iota
        values = (mix.leverages, mix.shares, mix.low, mix.high, mix.is_identified, *ends, iota)
        for name, column in zip(
            _MIX_SCHEMA.names, ([mix.t_ns] * n, [mix.instrument] * n, *values), strict=True
        ):
            columns[name].extend(np.asarray(column).tolist())
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns, schema=_MIX_SCHEMA), folder / "mix.parquet")


def read_mixes(folder: Path) -> list[RecoveredMix]:
    """Mixes of ``mix.parquet``, by time and instrument; none where the file is not there."""
    path = folder / "mix.parquet"
    if not path.is_file():
        return []
    table = pq.read_table(path, schema=_MIX_SCHEMA, use_threads=False).sort_by(
        [("t_ns", "ascending"), ("instrument", "ascending"), ("leverage", "ascending")]
    )
    columns = {name: table[name].to_numpy(zero_copy_only=False) for name in _MIX_SCHEMA.names}
    for name in _MIX_SCHEMA.names[7:]:
        columns[name] = columns[name].astype(np.float64)
    mixes = []
    for t_ns, instrument in dict.fromkeys(zip(columns["t_ns"], columns["instrument"], strict=True)):
        rows = (columns["t_ns"] == t_ns) & (columns["instrument"] == instrument)
        values = [columns[name][rows] for name in _MIX_SCHEMA.names[2:]]
        mixes.append(RecoveredMix(int(t_ns), str(instrument), *values))
    return mixes


def read_maps(folder: Path, times_ns: set[int]) -> list[RecoveredMap]:
    """Synthetic columns of a replay that end at one of the times; the shortest timeframe that is there.

    Raises:
        NotFound: the folder holds no ``columns.parquet``.
    """
    path = folder / "columns.parquet"
    if not path.is_file():
        raise NotFound(
            "there are no columns to compare", where=str(path), hint="Give the folder of a replay."
        )
    table = pq.read_table(path, filters=[("plane", "=", "synthetic")], use_threads=False)
    frames = sorted(set(table["timeframe"].to_pylist()), key=lambda frame: TIMEFRAMES_NS[frame])
    maps = []
    for row in table.to_pylist():
        t_ns = row["start_ns"] + TIMEFRAMES_NS[row["timeframe"]]
        if row["timeframe"] == frames[0] and t_ns in times_ns:
            usd = np.array(row["usd"], dtype=np.float64)
            edges = (row["first_row"] + np.arange(len(usd) + 1)) * row["row_usd"]
            maps.append(RecoveredMap(t_ns, row["scope"], 1 if row["side"] == "long" else -1, edges, usd))
    return maps


def score_truth(
    recovered: Path | tuple[Sequence[RecoveredMix], Sequence[RecoveredMap]], truth: Path
) -> dict[str, Any]:
    """Distance between what was recovered and the truth.

    Args:
        recovered: folder of a replay, or mixes and maps.
        truth: folder that ``write_truth`` wrote.

    Returns:
        ``venues``, worst first: per instrument, of the last mix and the true shares of opens (of the day before it
        where the world's leverage changes), the total-variation distance ``tv``, the same with all shares that are
        not identified taken as one ``tv_identified``, the Wasserstein-1 distance of log leverage ``w1_log``, the
        shares of true values inside the bands ``coverage50``, ``coverage80``, ``coverage95`` (None without bands),
        ``w1_log_mean`` over all mixes, after a switch the hours until half and nine tenths of it were followed
        ``lag50_h`` and ``lag90_h``, ``recovered_mass`` (standing USD recovered over true, inside the rows shown; None
        without maps), the ``identified`` leverages, and ``mix_source``: recovered or prior.
        ``standing_kl``: mean divergence of the true from the recovered standing map, nats (None without maps).
        ``odds``, ``causes``: how far recovered odds and causes lie from the truth (None where nothing was recovered).
        ``null_checks``: what a world without an effect must show.

    Raises:
        NotFound: a folder is missing or not what it should be.
    """
    manifest, tables = read_truth(truth)
    standing = tables.get("standing")
    times = set() if standing is None else set(standing["t_ns"].to_pylist())
    if isinstance(recovered, Path):
        mixes: Sequence[RecoveredMix] = read_mixes(recovered)
        maps: Sequence[RecoveredMap] = read_maps(recovered, times)
    else:
        mixes, maps = recovered
    compared = (
        [] if standing is None else [_compare_map(shown, standing) for shown in maps if shown.t_ns in times]
    )
    weights = [part[2] for part in compared]
    folder = recovered if isinstance(recovered, Path) else None
    odds = score_odds(folder, tables)
    venues = [
        _score_instrument(instrument, manifest, tables["opens"], mixes, _mass_of(instrument, maps, compared))
        for instrument in sorted(set(tables["opens"]["instrument"].to_pylist()))
    ]
    return {
        "world": manifest["world"]["name"],
        "venues": sorted(venues, key=lambda venue: -float(venue["w1_log"])),
        "standing_kl": float(np.average([part[0] for part in compared], weights=weights))
        if sum(weights)
        else None,
        "standing_maps": len(compared),
        "odds": odds,
        "causes": score_causes(folder, tables),
        "null_checks": _null_checks(manifest, tables, mixes, odds),
    }


def worst_first(reports: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line per report of ``score_truth``, the world recovered worst first: world, largest ``w1_log`` of a venue,
    largest ``tv_identified``, least ``coverage95``, ``standing_kl``, and the null checks that failed.
    """

    def extreme(report: dict[str, Any], key: str, pick: Callable[[list[float]], float]) -> float | None:
        found = [venue[key] for venue in report["venues"] if venue[key] is not None]
        return pick(found) if found else None

    lines = [
        {
            "world": report["world"],
            "w1_log": extreme(report, "w1_log", max),
            "tv_identified": extreme(report, "tv_identified", max),
            "coverage95": extreme(report, "coverage95", min),
            "standing_kl": report["standing_kl"],
            "failed_nulls": [check["name"] for check in report["null_checks"] if check["passed"] is False],
        }
        for report in reports
    ]
    return sorted(lines, key=lambda line: (not line["failed_nulls"], -(line["w1_log"] or 0.0)))


class _TrueMix:
    """True mix of opens of one instrument, over any span of time."""

    def __init__(self, instrument: str, opens: pa.Table) -> None:
        mine = opens.filter(pc.equal(opens["instrument"], instrument))
        self._from_ns, self._to_ns = mine["from_ns"].to_numpy(), mine["to_ns"].to_numpy()
        self._leverage = mine["leverage"].to_numpy().astype(np.float64)
        self._n_opens = mine["n_opens"].to_numpy().astype(np.float64)

    def shares(self, grid: NDArray[np.float64], from_ns: int, to_ns: int) -> NDArray[np.float64]:
        """Shares on a grid of the opens inside ``[from_ns, to_ns)``; of all of them where there are none in it."""
        chosen = (self._from_ns >= from_ns) & (self._to_ns <= to_ns)
        if not chosen.any():
            chosen[:] = True
        return shares_on_grid(self._leverage[chosen], self._n_opens[chosen], grid)


def _span_of_truth(manifest: dict[str, Any], t_ns: int) -> tuple[int, int]:
    """Opens that a mix of ``t_ns`` is compared with: all where leverage never changes, else the day before."""
    world = manifest["world"]
    switches = world["leverage_switch_hours"] > 0 and world["leverage_switch_ratio"] != 1.0
    follows = len({kind["leverage_ratio"] for kind in world["regimes"]}) > 1
    if not (switches or follows):
        return manifest["start_ns"], manifest["end_ns"] + 1
    return t_ns - _WINDOW_NS, t_ns


def _follow(
    manifest: dict[str, Any], mine: Sequence[RecoveredMix], true: _TrueMix
) -> dict[str, float | None]:
    """Hours that the mean log leverage of the mixes needed to follow a switch."""
    switch_ns = manifest["start_ns"] + round(manifest["world"]["leverage_switch_hours"] * HOUR_NS)
    nothing: dict[str, float | None] = {"lag50_h": None, "lag90_h": None}
    if switch_ns == manifest["start_ns"] or not mine:
        return nothing
    grid = np.log(mine[-1].leverages)
    target = float(true.shares(mine[-1].leverages, switch_ns, manifest["end_ns"] + 1) @ grid)
    times_ns = np.array([mix.t_ns for mix in mine])
    means = np.array([mix.shares @ np.log(mix.leverages) / mix.shares.sum() for mix in mine])
    return {
        "lag50_h": lag_h(times_ns, means, switch_ns, target, 0.5),
        "lag90_h": lag_h(times_ns, means, switch_ns, target, 0.9),
    }


def _prior(instrument: str, t_ns: int) -> RecoveredMix:
    shares = smooth_prior(_PRIOR_LEVERAGES, centre=_PRIOR_CENTRE, sd=_PRIOR_LOG_SD)
    nothing = np.full(len(shares), np.nan)
    return RecoveredMix(
        t_ns,
        instrument,
        np.array(_PRIOR_LEVERAGES, dtype=np.float64),
        shares / shares.sum(),
        nothing,
        nothing,
        np.zeros(len(shares), dtype=np.bool_),
    )


def _score_instrument(
    instrument: str,
    manifest: dict[str, Any],
    opens: pa.Table,
    mixes: Sequence[RecoveredMix],
    mass: float | None,
) -> dict[str, Any]:
    mine = sorted((mix for mix in mixes if mix.instrument == instrument), key=lambda mix: mix.t_ns)
    mix = mine[-1] if mine else _prior(instrument, manifest["end_ns"])
    truth = _TrueMix(instrument, opens)
    true = truth.shares(mix.leverages, *_span_of_truth(manifest, mix.t_ns))
    shares = mix.shares / mix.shares.sum()
    w1 = [
        distance_w1(
            each.shares / each.shares.sum(),
            truth.shares(each.leverages, *_span_of_truth(manifest, each.t_ns)),
            each.leverages,
        )
        for each in mine or [mix]
    ]
    covered = {f"coverage{promise * 100:.0f}": coverage(*mix.band(promise), true) for promise in _BANDS}
    return {
        "venue": instrument.partition(":")[0],
        "instrument": instrument,
        "mix_source": "recovered" if mine else "prior",
        "tv": total_variation(shares, true),
        "tv_identified": identified_tv(shares, true, mix.identified()),
        "w1_log": w1[-1],
        "w1_log_mean": float(np.mean(w1)),
        **covered,
        **_follow(manifest, mine, truth),
        "recovered_mass": mass,
        "identified": [float(leverage) for leverage in mix.leverages[mix.identified()]],
    }


def _mass_of(
    instrument: str, maps: Sequence[RecoveredMap], compared: list[tuple[float, float, float]]
) -> float | None:
    """Recovered over true standing USD, over the maps of the instrument."""
    mine = (
        [part for shown, part in zip(maps, compared, strict=True) if shown.scope == instrument]
        if compared
        else []
    )
    true_usd = sum(part[2] for part in mine)
    return sum(part[1] for part in mine) / true_usd if true_usd else None


def _compare_map(shown: RecoveredMap, standing: pa.Table) -> tuple[float, float, float]:
    """Divergence (nats), recovered USD and true USD inside the rows shown, of one map and side.

    True buckets are spread over the rows by the overlap of their price ranges.
    """
    rows = standing.filter(
        pc.and_(pc.equal(standing["t_ns"], shown.t_ns), pc.equal(standing["side"], shown.side))
    )
    ids = np.array(rows["instrument"].to_pylist(), dtype=str)
    is_asset = ":" not in shown.scope
    symbols = np.array([iid.partition(":")[2] for iid in ids], dtype=str)
    wanted = np.char.startswith(symbols, shown.scope) if is_asset and len(ids) else ids == shown.scope
    low, which = np.unique(rows["price_low_usd"].to_numpy()[wanted], return_inverse=True)
    usd = np.bincount(which, weights=rows["notional_usd"].to_numpy()[wanted], minlength=len(low))
    running = np.concatenate([[0.0], np.cumsum(usd)])

    def below(price: NDArray[np.float64]) -> NDArray[np.float64]:
        at = np.clip(np.searchsorted(low, price, side="right") - 1, 0, len(usd) - 1)
        share = np.clip(np.log(price / low[at]) / MAP_BUCKET_LOG, 0.0, 1.0)
        return np.asarray(running[at] + share * usd[at])

    true = np.diff(below(shown.edges_usd)) if len(usd) else np.zeros(len(shown.notional_usd))
    total, found = float(true.sum()), float(shown.notional_usd.sum())
    if total <= 0 or found <= 0:
        return 0.0, found, 0.0
    p = true / total
    q = (1.0 - _EVEN_SHARE) * shown.notional_usd / found + _EVEN_SHARE / len(p)
    filled = p > 0
    return float((p[filled] * np.log(p[filled] / q[filled])).sum()), found, total


def _null_checks(
    manifest: dict[str, Any],
    tables: dict[str, pa.Table],
    mixes: Sequence[RecoveredMix],
    odds: dict[str, Any] | None,
) -> list[dict[str, Any]]:
    """Checks that apply: no contagion label and no recovered excess without contagion, no drift of the mix where
    leverage is constant: a mix that stays in every band it had says nothing of a change.
    """
    checks: list[dict[str, Any]] = []
    if not manifest["world"]["contagion"]:
        labels = tables["liquidations"]["contagion"].to_numpy()
        value = float((labels == 1).mean()) if len(labels) else 0.0
        checks.append({"name": "no_contagion", "value": value, "limit": 0.0, "passed": value == 0.0})
        if odds is not None:
            excess = odds["mean_excess"]
            passed = abs(excess) <= _EXCESS_LIMIT
            checks.append(
                {"name": "no_excess_odds", "value": excess, "limit": _EXCESS_LIMIT, "passed": passed}
            )
    if len(set(tables["opens"]["leverage"].to_pylist())) == 1:
        drift = 0.0
        for instrument in {mix.instrument for mix in mixes}:
            mine = sorted((mix for mix in mixes if mix.instrument == instrument), key=lambda mix: mix.t_ns)
            for before, after in itertools.combinations(mine, 2):
                # What rises is what falls. Where no band was given, every movement is a claim.
                most = np.fmax(before.high, before.shares)
                drift = max(drift, float(np.maximum(after.shares - most, 0.0).sum()))
        is_learned = len(mixes) > 0
        checks.append(
            {
                "name": "constant_leverage",
                "value": drift if is_learned else None,
                "limit": _DRIFT_LIMIT,
                "passed": drift <= _DRIFT_LIMIT if is_learned else None,
            }
        )
    return checks
