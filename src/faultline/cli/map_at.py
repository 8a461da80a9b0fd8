"""``faultline map``: a tape or a running engine and a moment in, the liquidation map at that moment out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import typer
from rich.table import Table

from faultline.cli.arguments import AsJson, ParametersFile, time_ns, timeframe
from faultline.cli.output import STDOUT, print_json, progress_bar
from faultline.cli.params import warn
from faultline.cli.replay import chosen_parameters
from faultline.errors import NotFound, RequestError
from faultline.instruments import Instrument, asset_of
from faultline.pipeline.explain import profile_usd
from faultline.pipeline.replay import TapeReplay
from faultline.tape import Tape
from faultline.units import format_time_ns

__all__ = ("map_command",)


def map_command(
    scope: Annotated[str, typer.Option(help="Asset or instrument, e.g. BTC or binance:BTCUSDT.")],
    tape: Annotated[Path | None, typer.Option(help="Folder of a tape.")] = None,
    url: Annotated[
        str | None, typer.Option(help="Address of a running engine, e.g. http://127.0.0.1:8000.")
    ] = None,
    at: Annotated[str | None, typer.Option(help="Moment, ISO-8601, UTC; only with --tape.")] = None,
    tf: Annotated[str, typer.Option(help="Timeframe.")] = "1m",
    plane: Annotated[str, typer.Option(help="synthetic: what would be liquidated where.")] = "synthetic",
    params: ParametersFile = None,
    json: AsJson = False,
) -> None:
    """The map at one moment: USD that would be liquidated at each price, by side."""
    timeframe(tf)
    if (tape is None) == (url is None):
        msg = "give either --tape or --url"
        raise typer.BadParameter(msg)
    if plane != "synthetic":
        msg = "only the synthetic plane stands at a moment; real events are in the columns of a replay"
        raise typer.BadParameter(msg, param_hint="--plane")
    if tape is not None:
        moment = time_ns(at, "--at")
        body, simulated = _from_tape(tape, scope, moment, params, quiet=json)
    else:
        body, simulated = _from_engine(str(url), scope)
    body = {"scope": scope, "timeframe": tf, "plane": plane, **body}
    warnings = (
        ["The leverage mix is assumed, not learned: learned_share is 0."]
        if not np.any(body["learned_share"])
        else []
    )
    if json:
        print_json("map", body, simulated=simulated, warnings=warnings)
    else:
        _show(body, simulated=simulated)


def _from_tape(
    path: Path, scope: str, moment: int | None, params: Path | None, *, quiet: bool
) -> tuple[dict[str, Any], bool]:
    reader = Tape(path)
    contracts: dict[str, Instrument] = {item.id: item for item in reader.instruments()}
    asset = asset_of(scope, contracts) if ":" in scope else scope
    chosen = chosen_parameters(params)
    replay = TapeReplay(reader, asset, chosen.parameters)
    at_ns = replay.last_ns if moment is None else moment
    span = replay.span(at_ns, at_ns + 1)
    warn(chosen.said_of([asset], at_ns, simulated=reader.simulated, world=reader.world)[1])
    shard = replay.shard(span.warm_ns)
    with progress_bar("rebuild", quiet=quiet) as progress:
        replay.run(shard, span, lambda _: None, freeze=False, progress=progress)
    if scope not in shard.scopes():
        msg = f"no map of {scope}"
        raise NotFound(msg, where=str(path), hint=f"Scopes of {asset}: {', '.join(shard.scopes())}.")
    profile = profile_usd(shard, scope)
    lo, hi = profile["lo_usd"], profile["hi_usd"]
    return {
        "at_ns": at_ns,
        "price_usd": profile["price_usd"],
        "row_usd": profile["row_usd"],
        "prices": profile["prices_usd"],
        "long_usd": profile["long_usd"],
        "short_usd": profile["short_usd"],
        "lo_usd": lo,
        "hi_usd": hi,
        "learned_share": np.full(len(lo), profile["learned_share"]),
        "oi_long_usd": profile["oi_long_usd"],
        "oi_short_usd": profile["oi_short_usd"],
        "params_sha256": shard.params_sha256,
    }, reader.simulated


def _from_engine(url: str, scope: str) -> tuple[dict[str, Any], bool]:
    target = f"{url.rstrip('/')}/api/v1/profile/{scope}"
    try:
        answer = httpx.get(target, timeout=10.0)
        answer.raise_for_status()
    except httpx.HTTPStatusError as exc:
        problem = exc.response.json() if "json" in exc.response.headers.get("content-type", "") else {}
        raise RequestError(
            problem.get("detail", f"the engine answered {exc.response.status_code}"),
            where=target,
            hint=problem.get("hint", "Ask for a scope of /api/v1/assets."),
        ) from exc
    except httpx.HTTPError as exc:
        msg = f"no engine answers: {exc}"
        raise RequestError(msg, where=target, hint="Start one with `faultline serve`.") from exc
    body = answer.json()
    body["prices"] = body.pop("prices_usd")
    body["at_ns"] = body["as_of_ns"]
    return body, bool(body["simulated"])


def _show(body: dict[str, Any], *, simulated: bool) -> None:
    label = "SIMULATED  " if simulated else ""
    STDOUT.print(
        f"{label}{body['scope']} at {format_time_ns(body['at_ns'])}, model estimate, not exchange data"
    )
    table = Table("price from", "long USD", "short USD", "band", box=None, header_style="bold")
    long_usd, short_usd = np.asarray(body["long_usd"]), np.asarray(body["short_usd"])
    strongest = np.argsort(-(long_usd + short_usd), kind="stable")[:20]
    for k in sorted(strongest, key=lambda k: -body["prices"][k]):
        band = f"{body['lo_usd'][k]:,.0f} .. {body['hi_usd'][k]:,.0f}"
        table.add_row(
            f"{body['prices'][k]:,.4g}" if body["row_usd"] < 1 else f"{body['prices'][k]:,.0f}",
            f"{long_usd[k]:,.0f}",
            f"{short_usd[k]:,.0f}",
            band,
        )
    STDOUT.print(table)
    STDOUT.print(
        f"20 strongest of {len(long_usd):,} rows; open interest per side {body['oi_long_usd']:,.0f} USD"
    )
