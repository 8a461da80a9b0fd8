"""``alerts.toml`` in, checked rules out."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from faultline.alerts.targets import nearest
from faultline.errors import ConfigError
from faultline.signals.events import EventType
from faultline.store.alert_rules import AlertRule, QuietHours, RateLimit

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from faultline.store.alert_rules import RuleFields

__all__ = ("RULES_MAX", "parse_rules", "unknown_target")

#: Fields whose values come from a fixed list, with the list.
_CHOICES: Final[dict[str, tuple[Any, ...]]] = {
    "types": tuple(kind.value for kind in EventType),
    "sides": ("LONG", "SHORT"),
    "modes": ("live", "simulated", "replay"),
    "priorities": (0, 1, 2),
}

#: How many rules a file, and how many the page, may hold.
RULES_MAX: Final = 100


def parse_rules(text: str, targets: Collection[str], where: str) -> tuple[AlertRule, ...]:
    """Rules of a file: a table ``[[rules]]`` each, with the fields of ``AlertRule``.

    Args:
        text: TOML.
        targets: names of the targets there are.
        where: the file, for errors.

    Raises:
        ConfigError: no TOML, an unknown key or target, a value that cannot be used, or a name twice.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"this is not TOML: {exc}", where=where, hint="see docs/how-to/alerts.md") from exc
    _known_keys(content, ("rules",), where)
    tables = content.get("rules", [])
    if not isinstance(tables, list) or len(tables) > RULES_MAX:
        raise ConfigError(
            f"rules is not a list of at most {RULES_MAX} tables",
            where=where,
            hint="write [[rules]] above each",
        )
    rules: list[AlertRule] = []
    for number, table in enumerate(tables, 1):
        at = f"{where}: rule {number}"
        rule = _rule(table, at)
        at = f"{where}: rule {rule.name!r}"
        if any(other.name == rule.name for other in rules):
            raise ConfigError(f"there are two rules called {rule.name!r}", where=at, hint="rename one")
        if (missing := unknown_target(rule, targets)) is not None:
            raise ConfigError(
                f"there is no target {missing!r}",
                where=f"{at}, key 'targets'",
                hint=nearest(missing, targets),
            )
        rules.append(rule)
    return tuple(rules)


def unknown_target(rule: RuleFields, targets: Collection[str]) -> str | None:
    """The first target of a rule that is not configured, None where all are."""
    return next((name for name in rule.targets if name not in targets), None)


def _rule(table: Any, where: str) -> AlertRule:
    if not isinstance(table, dict):
        raise ConfigError("this rule is not a table", where=where, hint="write [[rules]] above each")
    _known_keys(table, AlertRule.__struct_encode_fields__, where)
    for hours in table.get("quiet_hours", []) if isinstance(table.get("quiet_hours"), list) else []:
        if isinstance(hours, dict):
            _known_keys(hours, QuietHours.__struct_encode_fields__, f"{where}, key 'quiet_hours'")
    if isinstance(limit := table.get("rate_limit"), dict):
        _known_keys(limit, RateLimit.__struct_encode_fields__, f"{where}, key 'rate_limit'")
    try:
        return msgspec.convert(table, AlertRule)
    except msgspec.ValidationError as exc:
        message, _, path = str(exc).partition(" - at `$.")
        key = path.rstrip("`")
        value = table.get(key.partition("[")[0].partition(".")[0])
        shown = f", not {value!r}"[:80] if key and value is not None else ""
        raise ConfigError(
            f"a value cannot be used: {message}{shown}",
            where=f"{where}, key {key!r}" if key else where,
            hint=_hint(key, value),
        ) from exc


def _hint(key: str, value: Any) -> str:
    """For a list of fixed words, the nearest to the first one that is not among them."""
    name = key.partition("[")[0]
    choices = _CHOICES.get(name)
    if choices is None or not isinstance(value, list):
        return "see docs/how-to/alerts.md"
    odd = next((item for item in value if item not in choices), "")
    return nearest(str(odd), map(str, choices))


def _known_keys(table: Mapping[str, Any], known: Collection[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise ConfigError(f"there is no key {key!r}", where=where, hint=nearest(key, known))
