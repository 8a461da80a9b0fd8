"""``faultline evaluate``: a tape and forecasts in, scores against the baselines with intervals out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.table import Table

from faultline.cli.arguments import AsJson, ParametersFile, duration_ns, time_ns
from faultline.cli.output import STDOUT, print_json, progress_bar
from faultline.cli.params import warn
from faultline.cli.replay import chosen_asset, chosen_parameters
from faultline.config import read_settings
from faultline.evaluation.evaluate import evaluate
from faultline.evaluation.frozen import check_frozen
from faultline.evaluation.html import write_report
from faultline.evaluation.levels import read_levels
from faultline.evaluation.report import EvaluationReport
from faultline.heatmap.forecast import ForecastChain
from faultline.pipeline.replay import TapeReplay
from faultline.store.replay_outputs import read_forecasts
from faultline.store.scores import ScoreStore
from faultline.tape import Tape
from faultline.units import format_time_ns

if TYPE_CHECKING:
    from faultline.heatmap.forecast import Forecast
    from faultline.pipeline.parameters import PipelineParameters
    from faultline.pipeline.step import StepOutputs

__all__ = ("evaluate_command", "freeze_forecasts")


def freeze_forecasts(
    tape: Tape,
    asset: str,
    from_ns: int | None,
    to_ns: int | None,
    parameters: PipelineParameters,
    *,
    quiet: bool,
) -> list[Forecast]:
    """Forecasts that the engine freezes over a stretch of a tape."""
    replay = TapeReplay(tape, asset, parameters)
    span = replay.span(from_ns, to_ns)
    frozen: list[Forecast] = []

    def receive(result: StepOutputs) -> None:
        frozen.extend(result.forecasts)

    with progress_bar("freeze forecasts", quiet=quiet) as progress:
        replay.run(replay.shard(span.warm_ns), span, receive, freeze=True, progress=progress)
    return frozen


def evaluate_command(
    *,
    tape: Annotated[Path, typer.Argument(help="Folder of a tape.")],
    asset: Annotated[str | None, typer.Option(help="Asset, e.g. BTC.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="First moment, ISO-8601, UTC.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="End, exclusive.")] = None,
    refresh: Annotated[str, typer.Option(help="Time between two forecasts: 5m, 1m, 15m ...")] = "5m",
    forecasts: Annotated[
        Path | None, typer.Option(help="forecasts.parquet of a replay; made anew otherwise.")
    ] = None,
    levels: Annotated[
        Path | None, typer.Option(help="CSV of anybody's levels: issued, price_usd, side, notional_usd.")
    ] = None,
    params: ParametersFile = None,
    report: Annotated[Path | None, typer.Option(help="Write a self-contained HTML report.")] = None,
    check: Annotated[
        bool, typer.Option("--check-frozen", help="Rebuild 20 forecasts from the past alone.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Score the map against the baselines on what really happened."""
    reader = Tape(tape)
    name = chosen_asset(reader, asset)
    from_ns, to_ns = time_ns(start, "--from"), time_ns(end, "--to")
    chosen = chosen_parameters(params, refresh)
    parameters = chosen.parameters
    learned, warnings = chosen.said_of(
        [name],
        TapeReplay(reader, name, parameters).span(from_ns, to_ns).from_ns,
        simulated=reader.simulated,
        world=reader.world,
    )
    warn(warnings)
    frozen = (
        list(read_forecasts(forecasts, name))
        if forecasts
        else freeze_forecasts(reader, name, from_ns, to_ns, parameters, quiet=json)
    )
    with progress_bar("evaluate", quiet=json) as progress:
        result = evaluate(
            reader,
            name,
            from_ns=from_ns,
            to_ns=to_ns,
            refresh_ns=duration_ns(refresh, "--refresh"),
            forecasts=frozen,
            levels=read_levels(levels) if levels else None,
            progress=progress,
        )
    body: dict[str, Any] = {**msgspec.to_builtins(result), "learned": learned}
    if check:
        body["frozen"] = _check(reader, name, parameters, frozen, quiet=json)
    if report:
        write_report(result, report)
    if levels is None and not (learned and learned["looks_ahead"]):
        _keep(result, body, simulated=reader.simulated)
    if json:
        print_json("evaluation", body, simulated=reader.simulated, warnings=warnings)
    else:
        _show(body, simulated=reader.simulated)


def _keep(result: EvaluationReport, body: dict[str, Any], *, simulated: bool) -> None:
    """Keep the scores where the page looks for the measured skill; simulated and recorded ones lie apart."""
    scores = ScoreStore(read_settings().facts(simulated=simulated))
    scores.write_report(
        result.asset,
        from_ns=result.from_ns,
        to_ns=result.to_ns,
        refresh_s=round(result.refresh_s),
        n_scored=result.n_scored,
        report=body,
    )
    scores.close()


def _check(
    tape: Tape, asset: str, parameters: PipelineParameters, frozen: list[Forecast], *, quiet: bool
) -> dict[str, Any]:
    """Rebuild random forecasts from a tape cut off at their issue, and compare the hashes."""
    replay = TapeReplay(tape, asset, parameters)

    def rebuild(target: Forecast) -> str:
        span = replay.span(target.issued_ns, target.issued_ns + 1)
        shard = replay.shard(span.warm_ns)
        shard.chain = ForecastChain(target.previous_sha256)
        again: list[Forecast] = []
        replay.run(shard, span, lambda result: again.extend(result.forecasts), freeze=True)
        return again[-1].sha256

    with progress_bar("check frozen", quiet=quiet) as progress:
        return dict(msgspec.to_builtins(check_frozen(rebuild, frozen, progress=progress)))


def _show(body: dict[str, Any], *, simulated: bool) -> None:
    label = "SIMULATED  " if simulated else ""
    STDOUT.print(
        f"{label}{body['asset']} {format_time_ns(body['from_ns'])} .. {format_time_ns(body['to_ns'])}, "
        f"{body['n_scored']:,} of {body['n_events_raw']:,} liquidations scored, {body['blocks']} blocks"
    )
    table = Table(
        "model", "T", "IG", "95 % of IG", "predicted/observed", "top 5 %", box=None, header_style="bold"
    )
    for row in body["models"]:
        lo, hi = row["ci"]
        table.add_row(
            row["name"],
            f"{row['t']:.3f}",
            f"{row['ig']:.3f}",
            f"{lo:.3f} .. {hi:.3f}",
            f"{row['n_ratio']:.2f}",
            f"{row['concentration']['5']:.2f}",
        )
    STDOUT.print(table)
    for row in body["differences"]:
        lo, hi = row["ci"]
        STDOUT.print(f"{row['a']} - {row['b']}  {row['metric']}  {row['mean']:+.3f}  [{lo:+.3f}, {hi:+.3f}]")
    excluded = ", ".join(f"{name} {n:,}" for name, n in body["excluded"].items())
    STDOUT.print(f"excluded: {excluded or 'none'}")
    if "frozen" in body:
        STDOUT.print(
            f"frozen: {body['frozen']['matched']} of {body['frozen']['checked']} rebuilt forecasts have the same hash"
        )
