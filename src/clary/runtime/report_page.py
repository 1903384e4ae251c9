"""`report.html`: one file, no network, readable on a phone and in the dark."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from clary import __version__
from clary.kit.figures import Figure, Lines, Table
from clary.runtime.charts import chart
from clary.runtime.prices import PRICES_AS_OF, PRICES_REGION, STARTUP_SECONDS, on_sagemaker
from clary.runtime.report import ChannelFacts, Report
from clary.runtime.scales import label

_HEADLINES = 4
_LONGEST_VALUE = 400
_TRADEMARK = "Not affiliated with Amazon; SageMaker is a trademark of Amazon."


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
            _section("Quality", _gallery(report.figures)),
            _section("Learning curves", _gallery(_curves(report))),
            _section("Hyperparameters", _hyperparameters(report)),
            _section("Time and cost", _time(report)),
            _section("Model", _summary(report.summary)),
            f"<footer>Clary {__version__}. {_TRADEMARK}</footer>",
            f'</main><div id="tip"></div><script>{script}</script></body></html>',
        ]
    )


def _header(report: Report) -> str:
    rows = report.channels["train"].rows if "train" in report.channels else 0
    started = report.started.strftime("%-d %B %Y, %H:%M %Z")
    tiles = [
        _tile(name.removesuffix(":final"), label(values[-1][1]))
        for name, values in _headlines(report)
    ]
    tiles.append(_tile("seconds", label(report.seconds.get("total", 0.0))))
    return (
        f"<header><p class='kicker'>{escape(report.algorithm.name)}</p>"
        f"<h1>{escape(report.algorithm.title)}</h1>"
        f"<p class='lead'>Trained on {rows:,} rows"
        f"{_on_hosts(report.hosts)}, {escape(started)}, seed {report.seed}.</p>"
        f"<div class='tiles'>{''.join(tiles)}</div></header>"
    )


def _on_hosts(hosts: int) -> str:
    return f" by {hosts} hosts" if hosts > 1 else ""


def _headlines(report: Report) -> list[tuple[str, Sequence[tuple[int | None, float]]]]:
    """The scores on data that was held out first, then those of training."""
    declared = [metric.name for metric in report.algorithm.metrics]
    quality = [n for n in declared if n not in {"train:progress", "train:throughput"}]
    order = {"test": 0, "validation": 1, "train": 2}
    present = [name for name in quality if report.history.get(name)]
    present.sort(key=lambda name: order.get(name.partition(":")[0], 3))
    return [(name, report.history[name]) for name in present[:_HEADLINES]]


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
        f"{facts.files:,}",
        _bytes(facts.bytes),
        facts.content_type,
        facts.input_mode,
        facts.source,
    ]


def _curves(report: Report) -> list[Figure]:
    """One chart for each metric that has a value for several epochs, train beside validation."""
    grouped: dict[str, dict[str, tuple[list[float], list[float]]]] = {}
    for name, values in report.history.items():
        points = [(epoch, value) for epoch, value in values if epoch is not None]
        channel, _, metric = name.partition(":")
        if len(points) > 1 and metric not in {"progress", "throughput"}:
            x, y = [float(epoch) for epoch, _ in points], [value for _, value in points]
            grouped.setdefault(metric, {})[channel] = (x, y)
    return [Lines(metric, "epoch", metric, series) for metric, series in grouped.items()]


def _gallery(figures: Iterable[Figure]) -> str:
    return "".join(
        f"<figure class='{'wide' if isinstance(one, Table) else ''}'>"
        f"<figcaption>{escape(one.title)}</figcaption>{chart(one)}"
        + (f"<p class='note'>{escape(one.caption)}</p>" if one.caption else "")
        + "</figure>"
        for one in figures
    )


def _hyperparameters(report: Report) -> str:
    rows = []
    for name, declared in report.algorithm.hyperparameters.declared().items():
        used = report.settled.get(name)
        origin = "given" if name in report.given else "default"
        if report.given.get(name, declared.default) == "auto" and used != "auto":
            origin = "auto"
        elif declared.inferred and name not in report.given and used is not None:
            origin = "from the data"
        rows.append(
            f"<tr class='{origin.split()[0]}'><td><code>{escape(name)}</code></td>"
            f"<td>{escape(_value(used))}</td><td>{origin}</td><td>{escape(declared.about)}</td></tr>"
        )
    head = "<tr><th>name</th><th>value used</th><th>origin</th><th>what it does</th></tr>"
    return _scrolled(f"<thead>{head}</thead><tbody>{''.join(rows)}</tbody>")


def _time(report: Report) -> str:
    parts = {name: value for name, value in report.seconds.items() if name != "total"}
    total = report.seconds.get("total", sum(parts.values()))
    elsewhere = on_sagemaker(total, report.instance_type, report.hosts)
    spans = "".join(
        f"<i class='k{index}' style='flex:{max(value, 0.001):.4f}' "
        f"data-tip='{escape(name)}: {label(value)} s'></i>"
        for index, (name, value) in enumerate(parts.items())
    )
    named = "".join(
        f"<span><i class='k{index}'></i>{escape(name)} {label(value)} s</span>"
        for index, (name, value) in enumerate(parts.items())
    )
    tiles = [
        _tile("seconds here", label(total)),
        _tile("seconds waited on SageMaker", label(elsewhere.waited_seconds)),
        _tile("US dollars on SageMaker", f"{elsewhere.dollars:.3f}"),
        _tile("US dollars here", "0"),
    ]
    return (
        f"<div class='tiles'>{''.join(tiles)}</div><div class='split'>{spans}</div>"
        f"<div class='legend'>{named}</div><p class='note'>The SageMaker figures are an estimate: "
        f"{report.hosts} × {elsewhere.instance_type} as fast as this machine, "
        f"{STARTUP_SECONDS} s to start, {PRICES_REGION} list price of {PRICES_AS_OF}.</p>"
    )


def _summary(summary: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(str(name))}</code></td><td>{escape(_value(value))}</td></tr>"
        for name, value in summary.items()
    )
    return f"<details><summary>What is inside</summary>{_scrolled(rows)}</details>"


def _scrolled(rows: str) -> str:
    return f"<div class='scroll'><table>{rows}</table></div>"


def _section(title: str, body: str) -> str:
    if not body:
        return ""
    return f"<section><h2>{escape(title)}</h2><div class='body'>{body}</div></section>"


def _value(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + " …"


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1000
    raise AssertionError("unreachable: GB ends the loop")
