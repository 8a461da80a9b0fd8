"""``faultline serve``: venues, a simulated market or a tape in, the map in a browser out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faultline import __version__
from faultline.alerts.desk import AlertDesk
from faultline.api.app import build_app
from faultline.api.keys import hash_key
from faultline.api.server import serve
from faultline.api.settings import ApiSettings, check_bind
from faultline.cli.arguments import ParametersFile, duration_ns, names, time_ns
from faultline.cli.live import live_market
from faultline.cli.output import ERRORS
from faultline.cli.params import warn
from faultline.cli.replay import chosen_parameters
from faultline.clock import Clock, SystemClock
from faultline.config import Settings, read_alerts, read_settings
from faultline.errors import NotFound
from faultline.instruments import instruments_from_rows
from faultline.kernel_cache import is_cold
from faultline.pipeline.cursor import TapeCursor
from faultline.pipeline.engine import Engine, Market
from faultline.pipeline.kinds import PLAYED_KINDS
from faultline.pipeline.parameters import PipelineParameters
from faultline.pipeline.replay import TapeReplay, book_cursor, tape_assets
from faultline.simulator import Simulation, contract_rows, load_world
from faultline.store.alerts import AlertStore
from faultline.store.events import EventStore
from faultline.store.maps import MapStore
from faultline.store.scores import ScoreStore
from faultline.store.zones import ZoneStore
from faultline.tape import Tape
from faultline.units import HOUR_NS, MINUTE_NS, parse_duration_ns

if TYPE_CHECKING:
    from faultline.cli.recording import Recording

__all__ = ("serve_command", "simulated_market", "tape_market")

#: Assets that are recorded where none is named.
_LIVE_ASSETS = ("BTC", "ETH", "SOL")


def simulated_market(world_name: str, seed: int, warm_ns: int, clock: Clock) -> Market:
    """A market that is simulated as it is watched; its present begins at the wall clock's."""
    world = load_world(world_name)
    present_ns = clock.now_ns() // MINUTE_NS * MINUTE_NS
    start_ns = present_ns - warm_ns
    contracts = [
        instruments_from_rows(batch.instrument_id, batch.rows)[-1][1]
        for batch in contract_rows(world, start_ns)
    ]
    return Market(
        mode="simulated",
        simulated=True,
        world=world.name,
        assets=sorted({item.asset for item in contracts}),
        contracts=contracts,
        warm_ns=start_ns,
        from_ns=present_ns,
        to_ns=None,
        # Days are simulated before the first message: not while whoever started the server waits for its address.
        open_feed=lambda _: Simulation(world, seed, start_ns, keeps_truth=False),
        can_seek=False,
    )


def tape_market(
    path: Path,
    assets: list[str] | None,
    parameters: PipelineParameters,
    from_ns: int | None,
    to_ns: int | None,
) -> Market:
    """A recorded (or recorded simulated) market, played from a tape between two moments.

    Raises:
        NotFound: the tape has no prices of an asset that was asked for, or nothing between the moments.
    """
    tape = Tape(path)
    chosen = assets or list(tape_assets(tape))
    if not chosen:
        msg = "the tape has no asset with a price path"
        raise NotFound(msg, where=str(path), hint="Import bars, trades or marks into it first.")
    replays = [TapeReplay(tape, asset, parameters) for asset in chosen]
    first = min(replay.first_ns for replay in replays)
    start, end = (moments := replays[0].span(from_ns, to_ns)).from_ns, moments.to_ns
    ids = [iid for replay in replays for iid in replay.ids]
    return Market(
        mode="replay",
        simulated=tape.simulated,
        world=tape.world or None,
        assets=chosen,
        contracts=tape.instruments(),
        warm_ns=first,
        from_ns=max(start, first + HOUR_NS),
        to_ns=end,
        open_feed=lambda moment_ns: TapeCursor(tape, PLAYED_KINDS, ids, moment_ns),
        open_books=lambda moment_ns: book_cursor(tape, ids, moment_ns),
        can_seek=True,
    )


def _api_settings(settings: Settings, host: str, port: int) -> ApiSettings:
    """How the API may be reached; the key is hashed at once and never kept."""
    keys = () if settings.api_key is None else (hash_key(settings.api_key),)
    return ApiSettings(
        host=host,
        port=port,
        version=__version__,
        allowed_hosts=settings.allowed_hosts,
        key_hashes=keys,
    )


def serve_command(
    *,
    venues: Annotated[
        str | None, typer.Option(help="Connect to comma-separated venues, or all, and record them.")
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option("--tape", help="Tape that venues are recorded on; by default one in the home folder."),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Keep the venues' frames too, in TAPE-raw.")] = False,
    retain: Annotated[str | None, typer.Option(help="Let go of recorded days older than this.")] = None,
    simulated: Annotated[bool, typer.Option("--simulated", help="Play a simulated market.")] = False,
    world: Annotated[str, typer.Option(help="World of the simulated market.")] = "three-assets",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated market.")] = 1,
    warm: Annotated[str, typer.Option(help="Simulated time before the present.")] = "6h",
    replay: Annotated[Path | None, typer.Option(help="Play a tape.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="Moment at which a replay begins.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Moment at which a replay ends.")] = None,
    speed: Annotated[float, typer.Option(min=0.001, max=100_000, help="Market seconds per second.")] = 1.0,
    assets: Annotated[str | None, typer.Option(help="Comma-separated assets.")] = None,
    params: ParametersFile = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8787,
) -> None:
    """Serve the map of venues as they trade, of a simulated market or of a tape."""
    if sum((venues is not None, simulated, replay is not None)) != 1:
        msg = "choose one market: --venues, --simulated or --replay TAPE"
        raise typer.BadParameter(msg)
    settings = read_settings()
    api = _api_settings(settings, host, port)
    check_bind(api)
    chosen = chosen_parameters(params)
    parameters = chosen.parameters
    recording: Recording | None = None
    if replay is not None:
        market = tape_market(
            replay, names(assets), parameters, time_ns(start, "--from"), time_ns(end, "--to")
        )
    elif venues is not None:
        market, recording = live_market(
            venues,
            names(assets) or list(_LIVE_ASSETS),
            record or settings.home / "tape",
            settings,
            keeps_raw=raw,
            retain_ns=None if retain is None else duration_ns(retain, "--retain"),
        )
    else:
        market = simulated_market(world, seed, parse_duration_ns(warm), SystemClock())
    shown_ns = market.from_ns if replay is not None else None
    warn(chosen.said_of(market.assets, shown_ns, simulated=market.simulated, world=market.world)[1])
    _serve_market(market, recording, parameters, settings, api, speed)


def _serve_market(
    market: Market,
    recording: Recording | None,
    parameters: PipelineParameters,
    settings: Settings,
    api: ApiSettings,
    speed: float,
) -> None:
    """Play a market into the stores and serve them until a signal comes."""
    store = MapStore()
    played = settings.played(api.port)
    events, zones = EventStore(played), ZoneStore(played)
    desk, alert_store = _alert_desk(settings, events, simulated=market.simulated)
    engine = Engine(market, store, parameters, version=__version__, speed=speed, events=events, zones=zones)
    app = build_app(
        store,
        ScoreStore(settings.facts(simulated=market.simulated)),
        api,
        events=events,
        zones=zones,
        alerts=desk,
        on_startup=[desk.start, engine.start, *([recording.start] if recording else [])],
        on_shutdown=[
            *([recording.stop] if recording else []),
            engine.stop,
            desk.stop,
            events.close,
            zones.close,
            alert_store.close,
        ],
    )
    label = "[bold yellow]SIMULATED market[/] - " if market.simulated else ""

    def announce(address: str) -> None:
        ERRORS.print(f"{label}Faultline on [bold]{address}/[/]  (stop with Ctrl+C)", highlight=False)
        if is_cold():
            ERRORS.print("The first start compiles for about a minute; later ones do not.", highlight=False)

    serve(app, api.host, api.port, on_listening=announce)


def _alert_desk(settings: Settings, events: EventStore, *, simulated: bool) -> tuple[AlertDesk, AlertStore]:
    """The alert desk, with what is configured in the home folder, and the store that it writes to."""
    setup = read_alerts(settings)
    for warning in setup.warnings:
        ERRORS.print(f"[yellow]{warning}[/]", highlight=False)
    store = AlertStore(settings.facts(simulated=simulated))
    return AlertDesk(events, store, rules=setup.rules, targets=setup.targets), store
