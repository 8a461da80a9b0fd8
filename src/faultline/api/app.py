"""Store, scores and settings in, the ASGI application out."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from litestar import Litestar
from litestar.di import Provide

from faultline.api import site
from faultline.api.context import ApiContext
from faultline.api.fanout import Fanout
from faultline.api.guard import Guard
from faultline.api.hub import Hub
from faultline.api.metrics import Metrics
from faultline.api.openapi import openapi_config
from faultline.api.problems import exception_map
from faultline.api.routes import engine, maps, model, questions, sources
from faultline.api.routes import events as event_routes
from faultline.api.routes import zones as zone_routes
from faultline.api.routes.alerts import ALERT_ROUTES
from faultline.api.settings import ApiSettings, check_bind
from faultline.api.stream import stream
from faultline.bus.inprocess import InProcessBus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from faultline.api.alerting import AlertDeskLike
    from faultline.bus.interface import Bus
    from faultline.store.events import EventStore
    from faultline.store.maps import MapStore
    from faultline.store.scores import ScoreStore
    from faultline.store.zones import ZoneStore

__all__ = ("build_app",)

_ROUTES: Final = (
    engine.status,
    engine.assets,
    engine.scores,
    engine.livez,
    engine.readyz,
    engine.metrics,
    maps.heat,
    maps.legend,
    maps.candles,
    model.model,
    sources.sources,
    questions.cell,
    questions.profile,
    questions.replay,
    zone_routes.zones,
    zone_routes.zone,
    event_routes.events,
    *ALERT_ROUTES,
    stream,
    site.page,
)


def build_app(
    store: MapStore,
    scores: ScoreStore | None,
    settings: ApiSettings,
    *,
    events: EventStore | None = None,
    zones: ZoneStore | None = None,
    alerts: AlertDeskLike | None = None,
    on_startup: Sequence[Callable[[], object]] = (),
    on_shutdown: Sequence[Callable[[], object]] = (),
    bus: Bus | None = None,
    static_folder: Path | None = None,
) -> Litestar:
    """The application, with its guard around every route.

    Args:
        store: latest maps; the wiring sets ``explain``, ``profile_of`` and ``control`` on it, before or
            after.
        scores: kept evaluations; None where there is no database.
        settings: addresses, keys, limits.
        events: log of events; None where nothing is detected.
        zones: zones now and in the past; None where none are looked for.
        alerts: rules and deliveries; None where nothing is sent.
        on_startup: called when the server starts to listen, e.g. to start the pipeline's thread.
        on_shutdown: called when the server has stopped, e.g. to stop it.
        bus: carries changes to stream clients; one of its own by default.
        static_folder: build of the dashboard; the packaged one by default.

    Raises:
        ConfigError: the address is reachable from elsewhere and no key is configured.
    """
    check_bind(settings)
    metrics = Metrics()
    hub = Hub(store, bus or InProcessBus(), settings.status_interval_s, events, zones)
    fanout = Fanout(
        hub.bus,
        store,
        events,
        send_timeout_s=settings.send_timeout_s,
        heartbeat_s=settings.heartbeat_s,
        count_sent=metrics.count_sent,
    )
    metrics.watch(store, hub, fanout)
    if events is not None:
        metrics.watch_events(events)
    if alerts is not None:
        metrics.watch_alerts(alerts)
    folder = static_folder or site.STATIC_FOLDER
    context = ApiContext(
        store, scores, settings, hub, fanout, metrics, folder, events=events, zones=zones, alerts=alerts
    )

    @contextlib.asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        fanout.start()
        hub.start()
        tasks = [asyncio.create_task(hub.run(context.status_body)), asyncio.create_task(fanout.run())]
        for start in on_startup:
            start()
        try:
            yield
        finally:
            for stop in on_shutdown:
                stop()
            hub.stop()
            fanout.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    app = Litestar(
        route_handlers=_ROUTES,
        dependencies={"context": Provide(lambda: context, sync_to_thread=False)},
        exception_handlers=exception_map(context),
        openapi_config=openapi_config(settings.version),
        lifespan=[lifespan],
        request_max_body_size=settings.body_bytes_max,
        debug=False,
        logging_config=None,
    )
    app.asgi_handler = Guard(app.asgi_handler, context)
    return app
