"""`report.html`: one file, no network, readable on a phone and in the dark."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files
from typing import Any

from clary import __version__
from clary.kit.figures import Figure, Lines, Points, Table
from clary.runtime.charts import chart
from clary.runtime.prices import (
    DOLLARS_AN_HOUR,
    PRICES_AS_OF,
    PRICES_REGION,
    STARTUP_SECONDS,
    on_sagemaker,
)
from clary.runtime.report import ChannelFacts, Report
from clary.runtime.scales import duration, label
from clary.spec.hyperparameter import Hyperparameter

_HEADLINES = 5
_LONGEST_LIST = 12
_LONGEST_VALUE = 400
_TOLD_OF_WORK = frozenset({"train:progress", "train:throughput"})
_TRADEMARK = "Not affiliated with Amazon; SageMaker is a trademark of Amazon."
_BETTER = {"Maximize": "greater", "Minimize": "smaller"}
# A curve whose values differ by more than this factor is drawn over their logarithms
_STEEP = 100.0


def render(report: Report) -> str:
    """The page as HTML text."""
    style = files("clary.runtime").joinpath("report.css").read_text()
    script = files("clary.runtime").joinpath("report.js").read_text()
    title = f"{report.algorithm.title} · training report"
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{style}</style></head><body><main>",
            _header(report),
            _section("Data", _data(report)),
            _section("Quality", _scores(report) + _gallery(report.figures)),
            _section("Learning curves", _gallery([*_curves(report), *report.curves])),
            _section("Hyperparameters", _hyperparameters(report)),
            _section("Time and cost", _time(report)),
            _section("Model", _summary(report.summary)),
            f"<footer>Clary {__version__}. {_TRADEMARK}</footer>",
            f'</main><div id="tip"></div><script>{script}</script></body></html>',
        ]
    )


def _header(report: Report) -> str:
    started = report.started.strftime("%-d %B %Y, %H:%M %Z")
    hosts = f" by {report.hosts} hosts" if report.hosts > 1 else ""
    train = report.channels.get("train")
    noun = "columns" if report.algorithm.channel("train").columns else "features"
    rows = f"{train.rows:,} rows of {train.width:,} {noun}" if train else "no rows"
    scored, headlines = _headlines(report)
    tiles = [_tile(name, label(value)) for name, value in headlines]
    tiles.append(_tile("training time", duration(report.seconds.get("total", 0.0))))
    return (
        f"<header><p class='kicker'>{escape(report.algorithm.name)}</p>"
        f"<h1>{escape(report.algorithm.title)}</h1>"
        f"<p class='lead'>Trained on {rows}{hosts}, {escape(started)}, seed {report.seed}."
        f"{f' Scores on {scored}:' if headlines else ''}</p>"
        f"<div class='tiles'>{''.join(tiles)}</div></header>"
    )


def _headlines(report: Report) -> tuple[str, list[tuple[str, float]]]:
    """The most telling channel there is, held out if possible, and the scores on it."""
    for channel in ("test", "validation", "train"):
        found = [
            (name.removeprefix(f"{channel}:").removesuffix(":final"), value)
            for name, value in _last(report)
            if name.startswith(f"{channel}:")
        ]
        if found:
            return channel, found[:_HEADLINES]
    return "", []


def _last(report: Report) -> list[tuple[str, float]]:
    """Every score's last value, as declared; of the model that was kept where both are told."""
    declared = [metric.name for metric in report.algorithm.metrics]
    present = [n for n in declared if report.history.get(n) and n not in _TOLD_OF_WORK]
    return [(n, report.history[n][-1][1]) for n in present if f"{n}:final" not in present]


def _tile(name: str, value: str) -> str:
    return f"<div class='tile'><b>{escape(value)}</b><span>{escape(name)}</span></div>"


def _data(report: Report) -> str:
    columns = ("channel", "rows", "columns", "files", "bytes", "content type", "input mode", "from")
    rows = [_channel_row(name, facts) for name, facts in report.channels.items()]
    return chart(Table("Data", columns, rows))


def _channel_row(name: str, facts: ChannelFacts) -> list[str]:
    return [
        name,
        f"{facts.rows:,}",
        f"{facts.width:,}",
        f"{facts.files:,}" if facts.files else "–",
        _bytes(facts.bytes),
        facts.content_type,
        facts.input_mode,
        facts.source,
    ]


def _scores(report: Report) -> str:
    """A table of every score by channel."""
    channels = ("train", "validation", "test")
    goals: dict[str, str] = {}
    values: dict[str, dict[str, float]] = {}
    for name, value in _last(report):
        channel, _, metric = name.removesuffix(":final").partition(":")
        values.setdefault(metric, {})[channel] = value
        goals[metric] = _BETTER[report.algorithm.metric(name).goal]
    shown = [one for one in channels if any(one in found for found in values.values())]
    rows = [
        [metric, *(label(found[one]) if one in found else "" for one in shown), goals[metric]]
        for metric, found in values.items()
    ]
    each = report.algorithm.pass_name
    told_often = any(report.history[name][-1][0] is not None for name, _ in _last(report))
    caption = f"Of scores told every {each}, the last." if told_often else ""
    return _gallery(
        [Table("Scores", ["metric", *shown, "better when"], rows, caption)] if rows else []
    )


def _curves(report: Report) -> list[Figure]:
    """One chart for each metric that has a value for several epochs, train beside validation."""
    grouped: dict[str, dict[str, tuple[list[float], list[float]]]] = {}
    for name, values in report.history.items():
        points = [(epoch, value) for epoch, value in values if epoch is not None]
        channel, _, metric = name.partition(":")
        if len(points) > 1 and name not in _TOLD_OF_WORK:
            x, y = _spread([epoch for epoch, _ in points]), [value for _, value in points]
            grouped.setdefault(metric, {})[channel] = (x, y)
    return [_curve(report, metric, series) for metric, series in grouped.items()]


def _spread(epochs: list[int]) -> list[float]:
    """Epochs as places on an axis; several values of one are spread over it up to its end."""
    counts, seen = Counter(epochs), Counter[int]()
    places = []
    for epoch in epochs:
        seen[epoch] += 1
        places.append(epoch - 1 + seen[epoch] / counts[epoch])
    return places


def _curve(
    report: Report, metric: str, series: Mapping[str, tuple[list[float], list[float]]]
) -> Figure:
    values = [value for _, y in series.values() for value in y if math.isfinite(value)]
    steep = bool(values) and min(values) > 0 and max(values) > _STEEP * min(values)
    name = metric if len(series) > 1 else f"{next(iter(series))}:{metric}"
    return Lines(name, report.algorithm.pass_name, metric, series, log_y=steep)


def _gallery(figures: Iterable[Figure]) -> str:
    return "".join(
        f"<figure class='{'wide' if _is_wide(one) else ''}'>"
        f"<figcaption>{escape(one.title)}</figcaption>{chart(one)}"
        + (f"<p class='note'>{escape(one.caption)}</p>" if one.caption else "")
        + "</figure>"
        for one in figures
        if not isinstance(one, Lines) or _has_a_line(one)
    )


def _is_wide(figure: Figure) -> bool:
    return isinstance(figure, Table) or (isinstance(figure, Points) and figure.large)


def _has_a_line(figure: Lines) -> bool:
    """After one epoch there are points only."""
    return any(len(x) > 1 for x, _ in figure.series.values())


def _hyperparameters(report: Report) -> str:
    """What was given, read from the data or resolved in a table, the defaults in a folded one."""
    rows: dict[bool, list[str]] = {False: [], True: []}
    for name, declared in report.algorithm.hyperparameters.declared().items():
        used, origin = report.settled.get(name), _origin(report, declared)
        rows[origin == "default"].append(
            f"<tr class='{origin.split()[0]}'><td><code>{escape(name)}</code></td>"
            f"<td class='value'>{escape(_value(used))}</td><td>{origin}</td>"
            f"<td>{escape(declared.about)}</td></tr>"
        )
    head = "<thead><tr><th>name</th><th>value used</th><th>origin</th><th>what it does</th></tr>"
    tables = [_scrolled(f"{head}</thead><tbody>{''.join(part)}</tbody>") for part in rows.values()]
    defaults = (
        f"<details><summary>{len(rows[True])} at their defaults</summary>{tables[1]}</details>"
    )
    return (tables[0] if rows[False] else "") + (defaults if rows[True] else "")


def _origin(report: Report, declared: Hyperparameter) -> str:
    name, used = declared.name, report.settled.get(declared.name)
    if report.given.get(name, declared.default) == "auto" and used != "auto":
        return "auto"
    if name in report.given:
        return "given"
    return "from the data" if declared.inferred and used is not None else "default"


def _time(report: Report) -> str:
    parts = {name: value for name, value in report.seconds.items() if name != "total"}
    total = report.seconds.get("total", sum(parts.values()))
    whole = sum(parts.values()) or 1.0
    elsewhere = on_sagemaker(total, report.instance_type, report.hosts)
    spans = "".join(
        f"<i class='k{index}' style='flex:{max(value / whole, 0.002) * 100:.2f}' "
        f"data-tip='{escape(name)}: {duration(value)}'></i>"
        for index, (name, value) in enumerate(parts.items())
    )
    named = "".join(
        f"<span><i class='k{index}'></i>{escape(name)} {duration(value)}</span>"
        for index, (name, value) in enumerate(parts.items())
    )
    size = sum(facts.bytes for facts in report.channels.values())
    tiles = [
        _tile("taken here", duration(total)),
        _tile("bytes of data", _bytes(size)),
        _tile("waited for on SageMaker", duration(elsewhere.waited_seconds)),
        _tile("paid for on SageMaker", f"${elsewhere.dollars:.3f}"),
    ]
    return (
        f"<div class='tiles'>{''.join(tiles)}</div><div class='split'>{spans}</div>"
        f"<div class='legend'>{named}</div><p class='note'>What SageMaker would take and cost is "
        f"an estimate: {report.hosts} × {elsewhere.instance_type} as fast as this machine, "
        f"{STARTUP_SECONDS} s to start.</p>{_prices(total, report.hosts)}"
    )


def _prices(seconds: float, hosts: int) -> str:
    rows = [
        [kind, f"{price:.3f}", f"{on_sagemaker(seconds, kind, hosts).dollars:.3f}"]
        for kind, price in DOLLARS_AN_HOUR.items()
    ]
    about = f"List prices of training in {PRICES_REGION}, {PRICES_AS_OF}"
    columns = ("instance", "US dollars an hour", "US dollars for this job")
    return f"<details><summary>{about}</summary>{chart(Table(about, columns, rows))}</details>"


def _summary(summary: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(str(name))}</code></td>"
        f"<td class='value'>{escape(_value(value))}</td></tr>"
        for name, value in summary.items()
    )
    return f"<details><summary>What is inside</summary>{_scrolled(rows)}</details>" if rows else ""


def _scrolled(rows: str) -> str:
    return f"<div class='scroll'><table>{rows}</table></div>"


def _section(title: str, body: str) -> str:
    if not body:
        return ""
    return f"<section><h2>{escape(title)}</h2><div class='body'>{body}</div></section>"


def _value(value: Any) -> str:
    if value is None:
        return "not set"
    text = value if isinstance(value, str) else json.dumps(_short(value), default=str)
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + " …"


def _short(value: Any) -> Any:
    """Numbers in six digits, the beginnings of long lists."""
    if isinstance(value, float) and math.isfinite(value):
        return int(value) if value.is_integer() and abs(value) < 1e15 else float(f"{value:.6g}")
    if isinstance(value, Mapping):
        items = list(value.items())[:_LONGEST_LIST]
        more = {"…": f"{len(value):,} in all"} if len(value) > _LONGEST_LIST else {}
        return {str(name): _short(one) for name, one in items} | more
    if isinstance(value, (list, tuple)):
        more_items = [f"… {len(value):,} in all"] if len(value) > _LONGEST_LIST else []
        return [*map(_short, value[:_LONGEST_LIST]), *more_items]
    return value


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:,.0f}\u00a0{unit}" if unit == "B" else f"{size:,.1f}\u00a0{unit}"
        size /= 1000
    raise AssertionError("unreachable: GB ends the loop")
