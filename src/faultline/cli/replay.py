"""``faultline replay``: a tape in, columns, zones, events and forecasts in Parquet out."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from faultline.cli.arguments import AsJson, ParametersFile, duration_ns, time_ns
from faultline.cli.output import STDOUT, print_json, progress_bar
from faultline.cli.params import ChosenParameters, read_chosen, warn
from faultline.errors import RequestError
from faultline.evaluation.recovered import recovered_mixes
from faultline.evaluation.truth import write_mixes
from faultline.pipeline.replay import TapeReplay, tape_assets
from faultline.store.replay_outputs import ReplayOutputs
from faultline.tape import Tape
from faultline.units import Side, format_time_ns

if TYPE_CHECKING:
    from faultline.evaluation.truth import RecoveredMix
    from faultline.pipeline.step import StepOutputs

__all__ = ("chosen_asset", "chosen_parameters", "replay_command")


def chosen_asset(tape: Tape, asset: str | None) -> str:
    """The asset asked for, or the only one of the tape.

    Raises:
        RequestError: none was named and the tape holds several, or none at all.
    """
    if asset is not None:
        return asset
    known = list(tape_assets(tape))
    if len(known) != 1:
        msg = "the tape holds several assets" if known else "the tape holds no asset with a price path"
        raise RequestError(
            msg, where=str(tape.path), hint=f"Name one with --asset: {', '.join(known) or 'none'}."
        )
    return known[0]


def chosen_parameters(path: Path | None, freeze: str | None = None) -> ChosenParameters:
    """Parameters of a file, or the defaults, with the freeze interval of the command line."""
    chosen = read_chosen(path)
    if freeze is None:
        return chosen
    parameters = msgspec.structs.replace(chosen.parameters, freeze_ns=duration_ns(freeze, "--freeze"))
    return ChosenParameters(parameters, chosen.learned)


def replay_command(
    tape: Annotated[Path, typer.Argument(help="Folder of a tape.")],
    out: Annotated[Path, typer.Option(help="Folder for the outputs.")],
    asset: Annotated[
        str | None, typer.Option(help="Asset, e.g. BTC; needed where the tape holds several.")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="First moment, ISO-8601, UTC.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="End, exclusive.")] = None,
    params: ParametersFile = None,
    freeze: Annotated[str, typer.Option(help="Time between two frozen forecasts.")] = "5m",
    json: AsJson = False,
) -> None:
    """Run a tape through the engine; two runs give the same bytes."""
    reader = Tape(tape)
    chosen = chosen_parameters(params, freeze)
    parameters = chosen.parameters
    replay = TapeReplay(reader, chosen_asset(reader, asset), parameters)
    span = replay.span(time_ns(start, "--from"), time_ns(end, "--to"))
    learned, warnings = chosen.said_of(
        [replay.asset], span.from_ns, simulated=reader.simulated, world=reader.world
    )
    warn(warnings)
    shard = replay.shard(span.warm_ns)
    shard.watch_from(parameters.zones, span.from_ns + 1)
    with (
        ReplayOutputs(out, simulated=reader.simulated) as outputs,
        progress_bar("replay", quiet=json) as progress,
    ):
        mixes: list[RecoveredMix] = []

        def receive(result: StepOutputs) -> None:
            _write(outputs, replay.asset, result)
            mixes.extend(recovered_mixes(shard))

        cost = replay.run(shard, span, receive, freeze=True, progress=progress)
        manifest = outputs.close(
            {
                "asset": replay.asset,
                "from_ns": span.from_ns,
                "to_ns": span.to_ns,
                "warm_ns": span.warm_ns,
                "params_sha256": parameters.sha256(),
                "learned": learned,
                "mix": _write_mixes(mixes, out),
                "steps": shard.steps,
                "messages": shard.messages,
                "forecasts": {"n": shard.chain.count, "chain_sha256": shard.chain.head_sha256},
            }
        )
    body = {**manifest, **cost}
    if json:
        print_json("replay", body, simulated=reader.simulated, warnings=warnings)
        return
    STDOUT.print(f"{replay.asset} {format_time_ns(span.from_ns)} .. {format_time_ns(span.to_ns)} -> {out}")
    STDOUT.print(
        f"{shard.steps:,} steps, {shard.messages:,} messages, {cost['wall_s']:.1f} s, {cost['peak_rss_mb']:.0f} MB"
    )
    STDOUT.print(f"{shard.chain.count:,} forecasts, chain {shard.chain.head_sha256[:16]}")
    for name, written in {**manifest["outputs"], "mix": manifest["mix"]}.items():
        STDOUT.print(f"  {name}.parquet  {written['rows']:>9,} rows  sha256 {written['sha256'][:16]}")


def _write_mixes(mixes: list[RecoveredMix], folder: Path) -> dict[str, Any]:
    """Write the mixes that were recovered beside the other outputs; rows and hash of the file."""
    write_mixes(mixes, folder)
    content = (folder / "mix.parquet").read_bytes()
    return {"rows": sum(len(mix.shares) for mix in mixes), "sha256": hashlib.sha256(content).hexdigest()}


def _write(outputs: ReplayOutputs, asset: str, result: StepOutputs) -> None:
    for scope, columns in result.columns:
        for plane, usd in columns.usd.items():
            outputs.write_columns(
                scope=scope,
                timeframe=columns.timeframe,
                plane=plane,
                row_usd=columns.rows.row_usd,
                first_row=columns.rows.first_row,
                start_ns=columns.start_ns[: columns.n_closed],
                usd=usd[: columns.n_closed],
            )
    events = result.events
    for k in range(len(events.received_ns)):
        outputs.write_event(
            "LIQUIDATION",
            asset,
            instrument=str(events.instrument[k]),
            side=Side(int(events.side[k])).name,
            event_ns=int(events.event_ns[k]),
            received_ns=int(events.received_ns[k]),
            price_usd=float(events.price_usd[k]),
            trigger_usd=float(events.trigger_usd[k]),
            notional_usd=float(events.notional_usd[k]),
        )
    for notice in result.notices:
        outputs.write_notice(notice)
    for zone in result.zone_states:
        outputs.write_zone(zone)
    for forecast in result.forecasts:
        outputs.write_forecast(forecast)
