"""A world's name or file in, a checked ``World`` out; every unknown key is an error that names the nearest
one.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args, get_origin

import msgspec

from faultline.errors import ConfigError
from faultline.simulator.archetypes import venue_rules
from faultline.simulator.asset_market import sample_interval_s
from faultline.simulator.schema import World

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ("WorldKey", "builtin_worlds", "load_world", "world_from_dict", "world_keys")

_MAX_FILE_BYTES = 1_000_000


class WorldKey(NamedTuple):
    """One key of a world file: where it stands, its type, its default (empty: required), what it means."""

    path: str
    type: str
    default: str
    meaning: str


def builtin_worlds() -> dict[str, str]:
    """Name and title of every world that comes with Faultline."""
    return {
        path.name.removesuffix(".toml"): _read(path)["title"]
        for path in sorted(_folder().iterdir(), key=str)
        if path.name.endswith(".toml")
    }


def load_world(name_or_path: str | Path) -> World:
    """A built-in world by name, or any world file by path (a ``.toml`` suffix or a slash makes it a path).

    Raises:
        ConfigError: there is no such world, or its file has an unknown key or an impossible value.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith(".toml") or "/" in text:
        return world_from_dict(_read(Path(name_or_path)), where=text)
    return world_from_dict(_read(_builtin(text)), where=text)


def world_from_dict(raw: dict[str, Any], *, where: str) -> World:
    """A world from parsed TOML; ``extends`` takes missing top-level keys from a built-in world.

    Raises:
        ConfigError: unknown key, wrong type, value out of bounds, or values that contradict each other.
    """
    merged = dict(raw)
    seen = {where}
    while base := merged.pop("extends", ""):
        if base in seen:
            raise ConfigError(f"world {base!r} extends itself", where=f"{where}: extends")
        seen.add(base)
        merged = (
            _read(_builtin(str(base))) | merged | {"extends": _read(_builtin(str(base))).get("extends", "")}
        )
    _check_keys(merged, World, "", where)
    _check_finite(merged, "", where)
    try:
        world = msgspec.convert(merged | {"extends": str(raw.get("extends", ""))}, World)
    except msgspec.ValidationError as exc:
        raise ConfigError(
            f"impossible world: {exc}", where=where, hint="docs/reference/worlds.md lists every key"
        ) from exc
    _check_sense(world, where)
    return world


def world_keys() -> list[WorldKey]:
    """Every key of a world file, in the order of the schema; lists of tables are written
    ``assets[].base``.
    """
    return _keys_of(World, "")


def _folder() -> Traversable:
    return resources.files("faultline.simulator") / "worlds"


def _builtin(name: str) -> Traversable:
    path = _folder() / f"{name}.toml"
    if not path.is_file():
        known = builtin_worlds()
        near = difflib.get_close_matches(name, known, 1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(
            f"no world is called {name!r}{meant}", where="world", hint=f"one of {', '.join(known)}, or a path"
        )
    return path


def _read(path: Path | Traversable) -> dict[str, Any]:
    try:
        content = path.read_bytes()
        if len(content) > _MAX_FILE_BYTES:
            raise ConfigError("a world file is at most 1 MB", where=str(path))
        return tomllib.loads(content.decode())
    except OSError as exc:
        raise ConfigError(f"cannot read the world: {exc.strerror}", where=str(path)) from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"the world is not TOML: {exc}", where=str(path)) from exc


def _struct_of(kind: Any) -> type[msgspec.Struct] | None:
    """The struct inside ``Annotated[tuple[Struct, ...], Meta]``, where there is one."""
    for part in (kind, *get_args(kind)):
        if isinstance(part, type) and issubclass(part, msgspec.Struct):
            return part
        if part is not kind and get_origin(part) is not None and (inner := _struct_of(part)) is not None:
            return inner
    return None


def _check_keys(raw: dict[str, Any], kind: type[msgspec.Struct], path: str, where: str) -> None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key, value in raw.items():
        if key not in fields:
            near = difflib.get_close_matches(key, fields, 1, 0.0)
            raise ConfigError(
                f"unknown key {path}{key}", where=where, hint=f"the nearest key is {path}{near[0]}"
            )
        inner = _struct_of(fields[key].type)
        if inner is not None and isinstance(value, list):
            for n, entry in enumerate(value):
                if isinstance(entry, dict):
                    _check_keys(entry, inner, f"{path}{key}[{n}].", where)


def _check_finite(value: object, path: str, where: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{path} = {value} is not a finite number", where=where)
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_finite(inner, f"{path}.{key}" if path else str(key), where)
    elif isinstance(value, list | tuple):
        for n, inner in enumerate(value):
            _check_finite(inner, f"{path}[{n}]", where)


def _check_sense(world: World, where: str) -> None:
    """What single keys cannot say: names that must exist, divisors, tiers that rise."""

    def refuse(key: str, message: str) -> None:
        raise ConfigError(message, where=f"{where}: {key}")

    for key in ("step_s", "warmup_step_s"):
        steps = 60.0 / getattr(world, key)
        if abs(steps - round(steps)) > 1e-9:
            refuse(key, f"{key} = {getattr(world, key)} does not divide 60 s")
    interval_s = sample_interval_s(world)
    if 60 % interval_s or interval_s < world.step_s or interval_s / world.step_s % 1:
        refuse(
            "marks_every_s",
            f"samples each {interval_s} s must divide 60 s and be whole steps of {world.step_s} s",
        )
    spacings = [
        (key, getattr(world, key)) for key in ("open_interest_every_s", "funding_every_s", "book_every_s")
    ]
    spacings += [("venues[].open_interest_every_s", venue.open_interest_every_s) for venue in world.venues]
    for key, every_s in spacings:
        if every_s % interval_s:
            refuse(key, f"{key} = {every_s} is not a multiple of {interval_s} s")
    if world.truth_odds_every_s % 60:
        refuse("truth_odds_every_s", f"truth_odds_every_s = {world.truth_odds_every_s} is not whole minutes")
    names = [regime.name for regime in world.regimes]
    for name in [name for regime in world.regimes for name in regime.next] + [
        entry.regime for entry in world.schedule
    ]:
        if name not in names:
            refuse("regimes", f"there is no regime {name!r}; there are {', '.join(names)}")
    for key, found in (
        ("assets", [asset.base for asset in world.assets]),
        ("venues", [venue.slug for venue in world.venues]),
        ("traders", [trader.name for trader in world.traders]),
        ("regimes", names),
    ):
        if len(set(found)) < len(found):
            refuse(key, f"two {key} have the same name: {', '.join(found)}")
    for venue in world.venues:
        caps = [tier.cap_usd for tier in venue.tiers]
        ratios = [tier.maintenance_ratio for tier in venue.tiers]
        if caps != sorted(set(caps)) or ratios != sorted(ratios):
            refuse("venues[].tiers", f"tiers of {venue.slug} must rise in cap and in maintenance ratio")
        is_adjusted = venue_rules(venue).margin_rule == "leverage-adjusted"
        for tier in venue.tiers:
            if not is_adjusted and tier.maintenance_ratio * tier.max_leverage >= 1.0:
                refuse(
                    "venues[].tiers",
                    f"{venue.slug}: {tier.max_leverage}x leaves no room above its maintenance margin",
                )


def _keys_of(kind: type[msgspec.Struct], path: str) -> list[WorldKey]:
    keys: list[WorldKey] = []
    for field in msgspec.structs.fields(kind):
        inner = _struct_of(field.type)
        base, meta = get_args(field.type)[:2]
        default = "" if field.default is msgspec.NODEFAULT else _default_text(field.default)
        bounds = "".join(
            f" {sign} {bound:g}"
            for sign, bound in ((">", meta.gt), (">=", meta.ge), ("<", meta.lt), ("<=", meta.le))
            if bound is not None
        )
        name = "list of tables" if inner else str(getattr(base, "__name__", "text"))
        if get_origin(base) is not None and inner is None:
            name = "table of weights" if get_origin(base) is dict else " or ".join(map(str, get_args(base)))
        if field.default_factory is not msgspec.NODEFAULT:
            default = "{}"
        keys.append(WorldKey(f"{path}{field.encode_name}", name + bounds, default, meta.description or ""))
        if inner is not None:
            keys.extend(_keys_of(inner, f"{path}{field.encode_name}[]."))
    return keys


def _default_text(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return "[]"
    return f'"{default}"' if isinstance(default, str) else f"{default:g}"
