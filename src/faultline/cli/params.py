"""``faultline params``: a file of learned parameters in; shown, frozen or rolled back out.

Also what other commands ask of a file: its parameters, and what has to be said where they are used.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.table import Table

from faultline.cli.arguments import AsJson, time_ns
from faultline.cli.output import ERRORS, STDOUT, print_json
from faultline.errors import ConfigError
from faultline.pipeline.learned_file import (
    LearnedFile,
    freeze,
    read_learned,
    read_learned_or_settings,
    roll_back,
    thaw,
    write_learned,
)
from faultline.pipeline.parameters import PipelineParameters

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from faultline.pipeline.learned_rows import Advantage, KeptState, LearnedCascade, LearnedFeed

__all__ = ("APP", "ChosenParameters", "comparisons", "file_body", "read_chosen", "show_file", "warn")

APP = typer.Typer(help="Show, freeze and roll back learned parameters.", no_args_is_help=True)

#: Hypotheses with less weight than this are not printed.
_WEIGHT_SHOWN = 0.01
#: Numbers nearer to 0 than this are printed as 0.
_TINY = 1e-12

_File = Annotated[Path, typer.Argument(help="Parameter file that `faultline learn` wrote.")]


@dataclasses.dataclass(frozen=True, slots=True)
class ChosenParameters:
    """Parameters of a run, and the file of learned ones that they come from, if any."""

    parameters: PipelineParameters
    learned: LearnedFile | None = None

    def said_of(
        self, assets: Sequence[str], from_ns: int | None, *, simulated: bool, world: str | None
    ) -> tuple[dict[str, Any] | None, list[str]]:
        """What a run says of the file: an entry for its manifest (None without a file), and warnings.

        Args:
            assets: assets of the run.
            from_ns: first moment of its outputs; None where they lie in the future.
            simulated: whether its market is simulated.
            world: name of the simulated world.

        Raises:
            ConfigError: the file is about another world, or about none of the assets.
        """
        if self.learned is None:
            return None, []
        learned, current = self.learned, self.learned.current
        _check_world(learned, simulated=simulated, world=world)
        about = sorted({feed.asset for feed in current.feeds} & set(assets))
        if not about:
            message = f"the parameters were learned of {', '.join(learned.tape.assets)}"
            hint = f"Learn {', '.join(assets)} first, or leave --params out."
            raise ConfigError(message, where="--params", hint=hint)
        feeds = [feed for feed in current.feeds if feed.asset in assets]
        looks_ahead = from_ns is not None and from_ns < current.at_ns
        warnings = [_used(feeds, frozen=learned.is_frozen, text=f"version {current.version} of {current.at}")]
        chains = sorted(state.subject for state in current.states if state.learner == "chains")
        if looks_ahead:
            warnings.append(
                f"these parameters were learned from what happened until {current.at}: before that, what is shown "
                "and scored here is no forecast"
            )
        note = {
            "sha256": learned.sha256,
            "version": current.version,
            "snapshot_sha256": current.sha256,
            "at_ns": current.at_ns,
            "frozen": learned.is_frozen,
            "feeds": [feed.feed for feed in feeds],
            "chains": [asset for asset in chains if asset in assets],
            "serves": sorted({iid for feed in feeds for iid in feed.serves}),
            "looks_ahead": looks_ahead,
        }
        return note, warnings


def _used(feeds: Sequence[LearnedFeed], *, frozen: bool, text: str) -> str:
    heard = ", ".join(feed.feed for feed in feeds)
    if not frozen:
        return f"parameters {text}, not frozen: learning goes on from what {heard} taught until then"
    served = sorted({iid for feed in feeds for iid in feed.serves})
    drawn = f"{', '.join(served)} drawn with frozen mixes" if served else "the assumed mix is drawn"
    return f"parameters {text}, frozen: nothing is learned from {heard}, nor of chains; {drawn}"


def _check_world(learned: LearnedFile, *, simulated: bool, world: str | None) -> None:
    mine = f"the simulated world {learned.world}" if learned.simulated else "recorded markets"
    theirs = f"the simulated world {world}" if simulated else "recorded markets"
    if mine != theirs:
        message = f"the parameters were learned in {mine}, and this is {theirs}"
        raise ConfigError(
            message, where="--params", hint="Use parameters that were learned in the same world."
        )


def read_chosen(path: Path | None) -> ChosenParameters:
    """Parameters of ``--params``: of a settings file, of learned parameters, or the defaults."""
    if path is None:
        return ChosenParameters(PipelineParameters())
    return ChosenParameters(*read_learned_or_settings(path))


def file_body(learned: LearnedFile) -> dict[str, Any]:
    """What ``--json`` says of a file: the snapshot in force and what there is besides."""
    current = learned.current
    return {
        "world": learned.world or None,
        "tape": msgspec.to_builtins(learned.tape),
        "settings_sha256": learned.settings_sha256,
        "settings": msgspec.to_builtins(learned.settings),
        "sha256": learned.sha256,
        "in_force": current.version,
        "at_ns": current.at_ns,
        "snapshot_sha256": current.sha256,
        "frozen": learned.is_frozen,
        "feeds": [msgspec.to_builtins(feed) for feed in current.feeds],
        "cascades": [msgspec.to_builtins(cascade) for cascade in current.cascades],
        "states": [
            {"learner": state.learner, "of": state.subject, "bytes": len(state.packed)}
            for state in current.states
        ],
        "comparisons": comparisons(learned),
        "changes": [msgspec.to_builtins(change) for change in learned.changes],
        "snapshots": [
            {"version": each.version, "at_ns": each.at_ns, "kind": each.kind, "sha256": each.sha256}
            for each in learned.snapshots
        ],
    }


def comparisons(learned: LearnedFile) -> list[dict[str, Any]]:
    """Every learner beside its static prior, by what each foretold before it was told."""
    rows = []
    for feed in learned.current.feeds:
        rows.append(_compared("leverage", feed.feed, "assumed mix", feed.advantage))
        if feed.offset_advantage is not None:
            rows.append(_compared("print offset", feed.feed, "class prior", feed.offset_advantage))
    rows += [
        _compared("cascades", cascade.asset, "plain volatility", cascade.advantage)
        for cascade in learned.current.cascades
    ]
    return rows


def _compared(learner: str, subject: str, prior: str, advantage: Advantage) -> dict[str, Any]:
    return {
        "learner": learner,
        "of": subject,
        "prior": prior,
        "advantage_nats": advantage.nats,
        "events": advantage.events,
        "nats_per_event": advantage.nats / advantage.events if advantage.events else None,
        "recent_nats": advantage.recent_nats,
    }


@APP.command("show")
def show_command(file: _File, json: AsJson = False) -> None:
    """Print the parameters in force, and every learner beside its static prior."""
    learned = read_learned(file)
    if json:
        print_json("params", file_body(learned), simulated=learned.simulated)
    else:
        show_file(learned)


@APP.command("freeze")
def freeze_command(
    file: _File,
    at: Annotated[
        str | None, typer.Option(help="Freeze the last snapshot at or before this moment, ISO-8601, UTC.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Serve what was learned unchanged from now on, and learn nothing from its feeds, nor of chains."""
    _keep(freeze(read_learned(file), time_ns(at, "--at")), file, json=json)


@APP.command("thaw")
def thaw_command(file: _File, json: AsJson = False) -> None:
    """Let engines learn on, from the snapshot in force."""
    _keep(thaw(read_learned(file)), file, json=json)


@APP.command("rollback")
def rollback_command(
    file: _File,
    to: Annotated[str, typer.Option(help="Version, or a moment: the last snapshot at or before it.")],
    json: AsJson = False,
) -> None:
    """Put an earlier snapshot in force; nothing that was kept is lost."""
    learned = read_learned(file)
    if to.isdecimal():
        _keep(roll_back(learned, version=int(to)), file, json=json)
    else:
        _keep(roll_back(learned, at_ns=time_ns(to, "--to")), file, json=json)


def _keep(learned: LearnedFile, file: Path, *, json: bool) -> None:
    """Write a changed file and say what is in force."""
    write_learned(learned, file)
    if json:
        print_json("params", file_body(learned), simulated=learned.simulated)
        return
    current = learned.current
    state = "frozen" if learned.is_frozen else "not frozen"
    STDOUT.print(
        f"{file}: {learned.changes[-1].action}, version {current.version} of {current.at} in force, {state}"
    )


def _changed(settings: dict[str, Any], usual: dict[str, Any], path: str = "") -> Iterator[str]:
    """Settings that differ from the usual ones, as ``path.name = value``."""
    for name, value in settings.items():
        other = usual.get(name)
        if isinstance(value, dict) and isinstance(other, dict):
            yield from _changed(value, other, f"{path}{name}.")
        elif value != other:
            yield f"{path}{name} = {value}"


def show_file(learned: LearnedFile) -> None:
    """Print the parameters in force as tables."""
    current = learned.current
    label = f"SIMULATED world {learned.world}" if learned.simulated else "recorded"
    state = "frozen" if learned.is_frozen else "not frozen"
    STDOUT.print(f"{label}  {', '.join(learned.tape.assets)}  learned {learned.tape.text}")
    STDOUT.print(f"tape {learned.tape.sha256[:16]}, settings {learned.settings_sha256[:16]}")
    usual = msgspec.to_builtins(PipelineParameters())
    changed = list(_changed(msgspec.to_builtins(learned.settings), usual))
    STDOUT.print(f"settings that are not the defaults: {', '.join(changed) or 'none'}", highlight=False)
    STDOUT.print(
        f"version {current.version} of {len(learned.snapshots)} in force, {current.at}, {state}, "
        f"parameters {current.sha256[:16]}"
    )
    for feed in current.feeds:
        _show_feed(feed)
    for cascade in current.cascades:
        _show_cascade(cascade)
    _show_states(current.states)
    table = Table(
        "learner", "of", "its static prior", "advantage, nats", "events", "per event", "recent, nats",
        box=None, header_style="bold", title="Learned beside its static prior", title_justify="left",
    )  # fmt: skip
    for row in comparisons(learned):
        table.add_row(
            row["learner"],
            row["of"],
            row["prior"],
            f"{row['advantage_nats']:+,.1f}",
            f"{row['events']:,.0f}",
            _number(row["nats_per_event"], "+.3f"),
            "" if row["recent_nats"] is None else _number(row["recent_nats"], "+.1f"),
        )
    STDOUT.print(table if table.row_count else "nothing was learned")
    _show_history(learned)


def _show_feed(feed: LearnedFeed) -> None:
    served = ", ".join(feed.serves) or "no map: the assumed mix is drawn"
    STDOUT.print(
        f"\n[bold]{feed.feed}[/]  {feed.events:,.0f} liquidations ({feed.expected:,.0f} expected), "
        f"{feed.reporting}, {feed.basis} speaks, serves {served}, {feed.data_ratio:.0%} data",
        highlight=False,
    )
    table = Table("leverage", "share", "95 % band", "assumed", "iota", "", box=None, header_style="bold")
    for found in feed.bins:
        table.add_row(
            found.label,
            f"{found.share:.3f}",
            f"{found.low:.3f} .. {found.high:.3f}",
            f"{found.assumed_share:.3f}",
            f"{found.iota:.2f}",
            "" if found.identified else "not identified: assumed",
        )
    STDOUT.print(table)
    heavy = sorted(feed.hypotheses.items(), key=lambda item: -item[1])
    weights = ", ".join(f"{name} {weight:.2f}" for name, weight in heavy if weight >= _WEIGHT_SHOWN)
    STDOUT.print(f"hypotheses: {weights}", highlight=False)
    if not feed.calibration:
        return
    table = Table("calibrated", "value", "range", "events", "data", box=None, header_style="bold")
    for row in feed.calibration:
        unit = "" if row["unit"] == "ratio" else f" {row['unit']}"
        table.add_row(
            str(row["name"]),
            _number(row["value"], ".3g") + (unit if row["value"] is not None else ""),
            f"{_number(row['low'], '.3g')} .. {_number(row['high'], '.3g')}",
            _number(row["n_events"], ",.0f"),
            _number(row["data_share"], ".0%"),
        )
    STDOUT.print(table)
    STDOUT.print(f"sides: {feed.sides}")


def _show_cascade(cascade: LearnedCascade) -> None:
    share, low, high = cascade.liquidated_ratio
    quick, usual, slow = cascade.hop_delay_s
    STDOUT.print(f"\n[bold]chains of {cascade.asset}[/]  {cascade.hits:,} zones hit", highlight=False)
    STDOUT.print(
        f"model {cascade.model_share:.0%}, plain volatility {1.0 - cascade.model_share:.0%}; "
        f"liquidated share of heat {share:.2g} ({low:.2g} .. {high:.2g}); "
        f"hop {usual:,.0f} s ({quick:,.0f} .. {slow:,.0f}), given {cascade.hop_limit_s:,.0f} s; "
        f"impact {cascade.impact_scale:.2f} (Q / V) ^ {cascade.impact_exponent:.2f}",
        highlight=False,
    )
    weights = ", ".join(f"{name} {value:+.2f}" for name, value in cascade.weights.items() if value)
    STDOUT.print(f"hazard: {weights}\n", highlight=False)


def _show_states(states: Sequence[KeptState]) -> None:
    """Say what a run serves, or goes on with, besides mixes."""
    for learner, name in (("calibrator", "calibrators kept"), ("chains", "learners of chains kept")):
        kept = [state for state in states if state.learner == learner]
        size_kb = sum(len(state.packed) for state in kept) / 1e3
        subjects = ", ".join(state.subject for state in kept) or "none"
        STDOUT.print(f"{name}: {subjects} ({size_kb:,.1f} kB)", highlight=False)


def _show_history(learned: LearnedFile) -> None:
    kinds = {kind: sum(each.kind == kind for each in learned.snapshots) for kind in ("day", "hour", "end")}
    first, last = learned.snapshots[0], learned.snapshots[-1]
    counts = ", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in kinds.items() if n)
    STDOUT.print(f"snapshots: versions {first.version} .. {last.version} ({counts}), {first.at} .. {last.at}")
    for change in learned.changes:
        snapshot = learned.snapshots[change.version - 1]
        state = "frozen" if change.frozen else "not frozen"
        STDOUT.print(
            f"  {change.action:<12} version {change.version} of {snapshot.at}, {state}, {change.sha256[:16]}"
        )


def _number(value: object, form: str) -> str:
    """A number for people; what is 0 but for rounding is 0."""
    if not isinstance(value, int | float):
        return "not known"
    return format(value if abs(value) > _TINY else 0.0, form)


def warn(warnings: Sequence[str]) -> None:
    """Say on stderr what parameters are used."""
    for warning in warnings:
        ERRORS.print(f"[yellow]{warning}[/]", highlight=False, soft_wrap=True)
