"""An evaluation report, or one per refresh interval, in; one self-contained HTML page out: no scripts, no network."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Final

from faultline.evaluation.report import EvaluationReport
from faultline.units import format_time_ns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from faultline.evaluation.report import ModelScore

__all__ = ("render_report", "write_report")

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#16202b;--quiet:#5b6875;--line:#d9dfe5;--page:#fff;
--map:#0b7285;--base:#c2410c;--other:#8593a1}
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf0;--quiet:#9aa7b4;--line:#2c3844;--page:#10171e;
--map:#4fc3d9;--base:#fb923c;--other:#77858f}}
body{margin:2rem auto;max-width:64rem;padding:0 1rem;font:15px/1.5 system-ui,sans-serif;
color:var(--ink);background:var(--page)}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem}p,li{color:var(--ink)}.quiet{color:var(--quiet)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}.wide{overflow-x:auto}
th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left}th{color:var(--quiet);font-weight:600}
.simulated{border:2px solid var(--base);padding:.5rem 1rem;font-weight:700}
svg{width:100%;height:auto;display:block}svg text{font:12px system-ui,sans-serif;fill:var(--ink)}
svg .axis{stroke:var(--line)}svg .quiet{fill:var(--quiet)}
svg .map{fill:var(--map);stroke:var(--map)}svg .base{fill:var(--base);stroke:var(--base)}
svg .other{fill:var(--other);stroke:var(--other)}svg path{fill:none!important;stroke-width:2}
"""

_DEFINITIONS: Final = (
    ("Window", "The time between two forecasts. A forecast uses only what was known before its window."),
    ("Cell", "Window, log bucket of 5 basis points, side. Only buckets that price covered in the window are scored."),
    ("T", "Nats per event over B0, each window and side summed over its buckets: the headline, free of event places."),
    ("IG", "The same per cell, with places. It moves with the rule that places events; compare differences only."),
    ("Space", "Nats per event of the place inside a window's swept range, given the window's count."),
    ("IGcap", "IG when an event counts as its notional, capped, over the mean capped notional."),
    ("Interval", "95 % of 400 bootstrap draws of whole six-hour blocks. Few blocks make it too narrow if anything."),
    ("Concentration", "Share of events in the densest part of the swept area, by predicted density."),
    ("Places", "Part of what is expected in a window and side that lies nearer than the event; even where foretold."),
    ("B4", "Rates by side of the price and age since price was last there: freshness alone, which a map must beat."),
)  # fmt: skip


def write_report(report: EvaluationReport | Sequence[EvaluationReport], path: Path) -> None:
    """Write ``render_report`` to a file."""
    reports = [report] if isinstance(report, EvaluationReport) else list(report)
    path.write_text(render_report(reports), encoding="utf-8")


def render_report(reports: Sequence[EvaluationReport]) -> str:
    """The page; the first report is shown in full, several are also compared by refresh interval."""
    main = reports[0]
    title = f"Skill of the {main.asset} liquidation map"
    span = f"{format_time_ns(main.from_ns)} to {format_time_ns(main.to_ns)}"
    label = ""
    if main.simulated:
        label = '<p class="simulated">SIMULATED MARKET: nothing here says anything about a real one.</p>'
    counted = f"{main.n_scored:,} of {main.n_events_raw:,} liquidations scored in {main.windows:,} windows"
    parts = [
        f"<h1>{_text(title)}</h1>{label}",
        f"<p>{_text(span)}, a forecast every {main.refresh_s:g} s. {counted} ({main.blocks} six-hour blocks).</p>",
        f"<p>Map: {_text(main.map_source)}.</p>",
        _verdict(main),
        "<h2>Models</h2>" + _model_table(main),
        "<h2>T with 95 % intervals</h2>" + _bars(main),
        "<h2>Differences</h2>" + _difference_table(main),
        '<h2>Concentration</h2><p class="quiet">Share of liquidations found in the densest part of the area that price '
        "covered.</p>" + _curve(main),
    ]
    if main.places:
        words = (
            "Share of the liquidations in each tenth of what a model expected of their places, from the near end of "
            "what price swept to the far one: 0.10 each where places are as foretold. In brackets 95 % intervals."
        )
        parts.append(f'<h2>Places</h2><p class="quiet">{words}</p>' + _place_table(main))
    if main.n_fresh:
        words = f"{main.n_fresh:,} liquidations lay ahead of the price where it had not been for eight hours."
        parts.append(f"<h2>Fresh zones</h2><p>{words}</p>" + _fresh_table(main))
    if main.ablations:
        parts.append("<h2>The pool without one of its members</h2>" + _ablation_table(main))
    if len(reports) > 1:
        parts.append("<h2>Skill by refresh interval</h2>" + _refresh_table(reports))
    parts += [
        "<h2>Observed and predicted by day</h2>" + _day_table(main),
        "<h2>What was left out</h2>" + _excluded(main),
        "<h2>Definitions</h2>" + _definitions(),
        f'<p class="quiet">Location: {_text(main.location_rule)}. {_hashes(main)} Estimates, not advice.</p>',
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{_text(title)}</title>'
    page = f"<head>{head}<style>{_STYLE}</style></head><body>{''.join(parts)}</body>"
    return f'<!doctype html><html lang="en">{page}</html>\n'


def _place_table(report: EvaluationReport) -> str:
    tenths = "".join(f"<th>{k}</th>" for k in range(1, len(report.places[0].shares) + 1))
    rows = [f"<tr><th>model</th>{tenths}<th>largest gap</th></tr>"]
    for row in report.places:
        cells = "".join(
            f"<td>{_number(share, 2)} [{_number(low, 2)}, {_number(high, 2)}]</td>"
            for share, low, high in zip(row.shares, row.low, row.high, strict=True)
        )
        rows.append(f"<tr><td>{_text(row.model)}</td>{cells}<td>{_number(row.distance, 2)}</td></tr>")
    return f'<div class="wide"><table>{"".join(rows)}</table></div>'


def _hashes(report: EvaluationReport) -> str:
    chain = report.forecast_chain_sha256[:16] or "none"
    return f"Parameters {report.params_sha256[:16]}, forecast chain {chain}."


def _definitions() -> str:
    return (
        "<dl>"
        + "".join(f"<dt><b>{name}</b></dt><dd>{_text(text)}</dd>" for name, text in _DEFINITIONS)
        + "</dl>"
    )


def _text(value: str) -> str:
    return html.escape(value)


def _number(value: float, digits: int = 3, *, sign: bool = False) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"


def _interval(ci: tuple[float, float]) -> str:
    return f"[{_number(ci[0], sign=True)}, {_number(ci[1], sign=True)}]"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{_text(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _verdict(report: EvaluationReport) -> str:
    """One sentence on map against freshness."""
    found = [d for d in report.differences if (d.a, d.b, d.metric) == ("map", "B4", "t")]
    if not found:
        return ""
    low, high = found[0].ci
    words = (
        "The map beats freshness alone (B4)" if low > 0
        else "The map is worse than freshness alone (B4)" if high < 0
        else "Whether the map beats freshness alone (B4) is not established"
    )  # fmt: skip
    gain = f"{_number(found[0].mean, sign=True)} nats per event in T, 95 % {_interval(found[0].ci)}"
    return f"<p><b>{words}: {gain}.</b></p>"


def _model_table(report: EvaluationReport) -> str:
    head = [
        "model",
        "T",
        "95 %",
        "IG",
        "95 %",
        "space",
        "IGcap",
        "predicted/observed",
        "top 1/5/10 %",
        "of USD",
    ]
    head.append("meaning")
    rows = [
        [
            m.name, _number(m.t), _interval(m.ci_t), _number(m.ig), _interval(m.ci), _number(m.space), _number(m.igcap),
            _number(m.n_ratio, 2), "/".join(_number(v, 2) for v in m.concentration.values()),
            "/".join(_number(v, 2) for v in m.concentration_usd.values()), m.meaning,
        ]
        for m in report.models
    ]  # fmt: skip
    return _table(head, rows)


def _difference_table(report: EvaluationReport) -> str:
    rows = [
        [f"{d.a} - {d.b}", d.metric.upper(), _number(d.mean, sign=True), _interval(d.ci)]
        for d in report.differences
    ]
    return _table(["difference", "score", "nats per event", "95 %"], rows)


def _refresh_table(reports: Sequence[EvaluationReport]) -> str:
    names = [model.name for model in reports[0].models]
    scored = [(report, {model.name: model for model in report.models}) for report in reports]
    scored.sort(key=lambda pair: pair[0].refresh_s)
    rows = [
        [name, *(_number(models[name].t) if name in models else "-" for _, models in scored)]
        for name in names
    ]
    return _table(["T of", *(f"{report.refresh_s:g} s" for report, _ in scored)], rows)


def _ablation_table(report: EvaluationReport) -> str:
    rows = [
        [item.without, _number(item.t), _number(item.ig), _number(item.t_lost, sign=True), _interval(item.ci)]
        for item in report.ablations
    ]
    return _table(["pool without", "T", "IG", "T lost", "95 %"], rows)


def _fresh_table(report: EvaluationReport) -> str:
    rows = [[m.name, _number(m.fresh_rank, sign=True), _number(m.fresh_ratio, 2)] for m in report.models]
    return _table(["model", "nats per event over area", "densest / thinnest quarter"], rows)


def _day_table(report: EvaluationReport) -> str:
    without = {item.day: item.t for item in report.leave_out}
    rows = [
        [d.day, f"{d.observed:,.0f}", f"{d.predicted:,.0f}",
         _number(d.predicted / d.observed if d.observed else math.nan, 2), _number(without.get(d.day, math.nan))]
        for d in report.days
    ]  # fmt: skip
    return _table(["day (UTC)", "observed", "predicted by the map", "ratio", "T of the map without it"], rows)


def _excluded(report: EvaluationReport) -> str:
    rows = [[reason.replace("_", " "), f"{n:,}"] for reason, n in report.excluded.items()]
    notes = "".join(f"<li>{_text(note)}</li>" for note in report.warnings)
    return _table(["events not scored", "number"], rows) + (f"<ul>{notes}</ul>" if notes else "")


def _colour(name: str) -> str:
    return "map" if name in {"map", "pool", "pool15m"} else "base" if name == "B4" else "other"


def _bars(report: EvaluationReport) -> str:
    """Horizontal bars of T with whiskers; a line marks B4."""
    models = [m for m in report.models if math.isfinite(m.t)]
    values = [v for m in models for v in (*m.ci_t, m.t) if math.isfinite(v)]
    low, high = min([0.0, *values]), max([0.1, *values])
    height = 24 * len(models) + 34

    def x(value: float) -> float:
        return 130 + 640 * (min(max(value, low), high) - low) / (high - low)

    parts = [f'<line class="axis" x1="{x(0):.1f}" x2="{x(0):.1f}" y1="0" y2="{height - 28}"/>']
    for model in models:
        if model.name == "B4":
            at = x(model.t)
            ends = f'x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{height - 28}"'
            parts.append(f'<line class="base" stroke-dasharray="4 3" {ends}/>')
            parts.append(f'<text class="quiet" x="{at:.1f}" y="{height - 10}" text-anchor="middle">B4</text>')
    for i, model in enumerate(models):
        parts.append(_bar(model, 24 * i + 4, x))
    return f'<svg viewBox="0 0 860 {height}" role="img" aria-label="T of every model">{"".join(parts)}</svg>'


def _bar(model: ModelScore, top: float, x: object) -> str:
    """One bar, its whisker and its figure."""
    place = x if callable(x) else float
    left, right = sorted((place(0.0), place(model.t)))
    colour = _colour(model.name)
    out = f'<text x="122" y="{top + 13}" text-anchor="end">{_text(model.name)}</text>'
    out += (
        f'<rect class="{colour}" fill-opacity=".55" stroke="none" x="{left:.1f}" y="{top}" '
        f'width="{right - left:.1f}" height="16"/>'
    )
    if all(math.isfinite(v) for v in model.ci_t):
        low, high = place(model.ci_t[0]), place(model.ci_t[1])
        out += f'<line class="{colour}" stroke-width="2" x1="{low:.1f}" x2="{high:.1f}" y1="{top + 8}" y2="{top + 8}"/>'
        right = max(right, high)
    return out + f'<text class="quiet" x="{right + 6:.1f}" y="{top + 13}">{_number(model.t)}</text>'


def _curve(report: EvaluationReport) -> str:
    """Concentration curves of a few models."""
    parts = [
        '<line class="axis" x1="50" x2="50" y1="10" y2="290"/><line class="axis" x1="50" x2="730" y1="290" y2="290"/>',
        '<text class="quiet" x="50" y="312">0</text>',
        '<text class="quiet" x="730" y="312" text-anchor="end">all swept area</text>',
        '<text class="quiet" x="44" y="20" text-anchor="end">1</text>',
    ]
    shown = [m for m in report.models if m.name in {"map", "pool15m", "B4", "B3h", "B0"}]
    for model in shown:
        points = [
            f"{50 + 680 * share:.1f},{290 - 280 * value:.1f}"
            for share, value in zip(report.curve_shares, model.curve, strict=True)
            if math.isfinite(value)
        ]
        if points:
            dash = "" if model.name in {"map", "B4"} else ' stroke-dasharray="5 4"'
            parts.append(f'<path class="{_colour(model.name)}"{dash} d="M{" L".join(points)}"/>')
            third = model.curve[8]
            where = f'x="{50 + 680 * report.curve_shares[8] + 6:.1f}" y="{290 - 280 * third:.1f}"'
            if math.isfinite(third):
                parts.append(f"<text {where}>{_text(model.name)}</text>")
    return f'<svg viewBox="0 0 760 320" role="img" aria-label="Concentration curves">{"".join(parts)}</svg>'
