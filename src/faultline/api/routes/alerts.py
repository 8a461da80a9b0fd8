"""Alert rules, targets by name, and what became of every message."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import msgspec
from litestar import HttpMethod, Request, Response, delete, get, post, put, route
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter
from litestar.types import ControllerRouterHandler

from faultline.api.alert_bodies import AlertsBody, AlertTestBody, AlertTestRequest, RuleRequest
from faultline.api.alerting import AlertDeskLike
from faultline.api.context import ApiContext, NotReady
from faultline.api.openapi import FAILURES
from faultline.errors import RequestError

__all__ = ("ALERT_ROUTES", "delete_rule", "overview", "put_rule", "rule_methods", "test")

_LimitQuery = Annotated[int, QueryParameter(ge=1, le=1000, description="Deliveries at most, newest first.")]
_RULE_PATH: Final = "/api/v1/alerts/rules/{name:str}"
_RulePath = Annotated[
    str,
    PathParameter(
        description="Name of the rule: letters, digits, spaces, _ . and -, the first a letter or digit.",
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]*$",
    ),
]


@get("/api/v1/alerts", responses=FAILURES, summary="Rules, targets and deliveries", tags=["alerts"])
async def overview(context: NamedDependency[ApiContext], limit: _LimitQuery = 100) -> AlertsBody:
    """Alert rules of ``alerts.toml`` and of the page, targets by name (never their addresses), the newest
    deliveries with what became of them, and counters.
    """
    return await _overview(context, limit)


@route(_RULE_PATH, http_method=[HttpMethod.OPTIONS], include_in_schema=False, status_code=204)
async def rule_methods(name: _RulePath) -> Response[None]:  # noqa: ARG001 - part of the path
    """What can be done to a rule; litestar's own answer would leave out one of the two methods."""
    return Response(None, headers={"allow": "DELETE, OPTIONS, PUT"})


@put(_RULE_PATH, responses=FAILURES, summary="Make or change an alert rule", tags=["alerts"])
async def put_rule(
    request: Request[Any, Any, Any],
    context: NamedDependency[ApiContext],
    name: _RulePath,
    data: JSONBody[RuleRequest],
) -> AlertsBody:
    """Make a rule, or replace the one of that name. Rules of ``alerts.toml`` cannot be changed here.
    Answers with everything there is then.
    """
    _check_json(request)
    if data.name not in (msgspec.UNSET, name):
        raise RequestError("the body names another rule", where="name", hint="leave the name to the path")
    try:
        rule = data.rule(name)
    except msgspec.ValidationError as exc:
        raise RequestError(str(exc), where="name", hint="see /api/v1/openapi.json") from exc
    await context.in_thread(_desk(context).put_rule, rule)
    return await _overview(context)


@delete(_RULE_PATH, responses=FAILURES, summary="Delete an alert rule", tags=["alerts"], status_code=200)
async def delete_rule(context: NamedDependency[ApiContext], name: _RulePath) -> AlertsBody:
    """Delete a rule made on the page; messages that still wait because of it are held back. Answers with
    what is left.
    """
    await context.in_thread(_desk(context).delete_rule, name)
    return await _overview(context)


@post(
    "/api/v1/alerts/test",
    responses=FAILURES,
    summary="Test a target or a rule",
    tags=["alerts"],
    status_code=200,
)
async def test(
    request: Request[Any, Any, Any], context: NamedDependency[ApiContext], data: JSONBody[AlertTestRequest]
) -> AlertTestBody:
    """Send a test message to a target, or ask which of the newest events a rule would have alerted about."""
    _check_json(request)
    desk = _desk(context)
    if isinstance(data.target, str) and data.rule is msgspec.UNSET:
        # Not one of the places for slow questions: a target that hangs must not keep the map from answering.
        found = await asyncio.to_thread(desk.test_target, data.target)
    elif isinstance(data.rule, str) and data.target is msgspec.UNSET:
        found = await context.in_thread(desk.test_rule, data.rule)
    else:
        raise RequestError("one test at a time", where="body", hint="exactly one of target, rule")
    return msgspec.convert({**found, **context.envelope()}, AlertTestBody)


#: Every route of this module; the answer to ``OPTIONS`` before the others of its path.
ALERT_ROUTES: Final[tuple[ControllerRouterHandler, ...]] = (
    overview,
    rule_methods,
    put_rule,
    delete_rule,
    test,
)


async def _overview(context: ApiContext, limit: int = 100) -> AlertsBody:
    found = await context.in_thread(_desk(context).overview, limit)
    return msgspec.convert({**found, **context.envelope()}, AlertsBody)


def _desk(context: ApiContext) -> AlertDeskLike:
    if context.alerts is None:
        raise NotReady(
            "alerts are not running",
            where="/api/v1/alerts",
            hint="they run with `faultline serve`",
        )
    return context.alerts


def _check_json(request: Request[Any, Any, Any]) -> None:
    if request.content_type[0] != "application/json":
        raise RequestError("the body must be JSON", where="content-type", hint="send application/json")
