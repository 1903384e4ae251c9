"""The page of one job or endpoint: its state, its curves, its log."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path

from clary.algorithms import declaration, names
from clary.console.html import Html, facts, joined, section, table, tag
from clary.console.overview import scores
from clary.console.words import NO_TIME, moment, page_of, status, stored, taken
from clary.db.metrics import Value
from clary.db.resources import Row
from clary.jobs.platform import Platform
from clary.kit.figures import Lines
from clary.runtime.charts import chart
from clary.runtime.scales import duration

# Where a training leaves it below its folder; who writes it there needs numpy, a server does not
REPORT = "output/report.html"
_LOG_BYTES, _LOG_LINES, _MOST_LOGS, _MOST_POINTS = 64 * 1024, 200, 8, 400
_UNTOLD = frozenset({"train:progress", "train:throughput"})
_STEEP = 100.0
_GROUPS = {"training-job": "TrainingJobs", "transform-job": "TransformJobs"}


def details(platform: Platform, row: Row) -> Html:
    parts = [_header(row), _failure(row), _links(platform, row)]
    if row.kind == "endpoint":
        parts += [_variants(row)]
    else:
        parts += [_stages(row), _curves(platform.metrics.of(row), _pass_name(row))]
    parts += [_request(row), *_logs(platform, row)]
    return joined(parts)


def report_path(platform: Platform, row: Row) -> Path | None:
    """Where a training's report page is, if it left one."""
    path = platform.folder(row.kind, row.name) / REPORT
    return path if path.is_file() else None


def _header(row: Row) -> Html:
    time = taken(row)
    about = [moment(row.created), None if time == NO_TIME else f" · {time}", " "]
    return tag(
        "header",
        tag("p", tag("a", "Clary", href="/console"), f" / {row.kind}", class_="kicker"),
        tag("h1", row.name),
        tag("p", status(row.status), " ", *about, scores(row), class_="lead"),
    )


def _failure(row: Row) -> Html | None:
    reason = row.state.get("FailureReason")
    return tag("p", reason, class_="failure", role="alert") if reason else None


def _links(platform: Platform, row: Row) -> Html:
    artifact = row.state.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    report = None
    if report_path(platform, row):
        report = tag("a", "Report of the training", href=f"{page_of(row)}/report")
    return facts(
        [
            ("report", report),
            ("model", stored(platform, artifact) if artifact else None),
            ("algorithm", row.state.get("_Algorithm")),
            ("instances", _instances(row)),
            ("ARN", tag("code", row.arn)),
        ]
    )


def _instances(row: Row) -> str | None:
    kind = row.state.get("_InstanceType")
    return f"{row.state.get('_Hosts', 1)} × {kind}" if kind else None


def _stages(row: Row) -> Html | None:
    """Where a job's time went."""
    rows = [
        (
            one["Status"],
            moment(one["StartTime"] * 1000),
            duration(one["EndTime"] - one["StartTime"]) if "EndTime" in one else "so far",
            one.get("StatusMessage", ""),
        )
        for one in row.state.get("SecondaryStatusTransitions", [])
    ]
    head = ("stage", "from", "time", "said")
    return section("Stages", table("In the order they came", head, rows)) if rows else None


def _variants(row: Row) -> Html | None:
    config = row.state.get("_Deployment", {}).get("config", {})
    rows = [
        (
            one.get("VariantName", ""),
            one.get("ModelName", ""),
            f"{one.get('InitialVariantWeight', 1):g}",
        )
        for one in config.get("ProductionVariants", [])
    ]
    head = ("variant", "model", "weight")
    return section("Variants", table("What answers", head, rows)) if rows else None


def _pass_name(row: Row) -> str:
    algorithm = row.state.get("_Algorithm")
    return declaration(algorithm).pass_name if algorithm in names() else "value"


def _curves(values: Sequence[Value], pass_name: str) -> Html | None:
    """A chart for each metric that has several values, its channels beside one another."""
    grouped: dict[str, dict[str, list[float]]] = {}
    for one in values:
        if one.name not in _UNTOLD and isfinite(one.value):
            channel, _, metric = one.name.rpartition(":")
            grouped.setdefault(metric, {}).setdefault(channel or metric, []).append(one.value)
    figures = [
        tag("figure", tag("figcaption", metric), Html(chart(_lines(metric, pass_name, series))))
        for metric, series in grouped.items()
        if max(map(len, series.values())) > 1
    ]
    return section("Learning curves", *figures) if figures else None


def _lines(metric: str, pass_name: str, series: Mapping[str, Sequence[float]]) -> Lines:
    values = [value for points in series.values() for value in points]
    steep = min(values) > 0 and max(values) > _STEEP * min(values)
    drawn = {name: _thinned(points) for name, points in series.items()}
    return Lines(metric, pass_name, metric, drawn, log_y=steep)


def _thinned(values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Values by their number, with gaps where there are very many; the last one is there."""
    step = -(-len(values) // _MOST_POINTS)
    kept = sorted({*range(0, len(values), step), len(values) - 1})
    return [float(at + 1) for at in kept], [values[at] for at in kept]


def _request(row: Row) -> Html:
    given = row.request.get("HyperParameters", {})
    parts: list[object] = []
    if given:
        parts.append(table("Hyperparameters as given", ("name", "value"), given.items()))
    text = json.dumps(row.request, indent=2, ensure_ascii=False, default=str)
    whole = tag("pre", text, tabindex="0")
    parts.append(tag("details", tag("summary", "The whole request"), whole, id="request"))
    return section("Request", *parts)


def _logs(platform: Platform, row: Row) -> Iterator[Html]:
    panes = []
    for group, stream in _streams(platform, row):
        lines = platform.logs.tail(group, stream, _LOG_BYTES)[-_LOG_LINES:]
        if lines:
            text = "\n".join(line.text for line in lines)
            name = stream.rpartition("/")[2]
            panes += [tag("p", name, class_="note"), tag("pre", text, class_="log", tabindex="0")]
    if panes:
        yield section("Log", *panes)


def _streams(platform: Platform, row: Row) -> Iterator[tuple[str, str]]:
    """The newest streams of an endpoint; of a job, one for each host."""
    if row.kind == "endpoint":
        group = f"/aws/sagemaker/Endpoints/{row.name}"
        found = sorted(platform.logs.streams(group), key=lambda one: one.last or one.created)
        yield from ((group, one.name) for one in found[-_MOST_LOGS:])
        return
    group = f"/aws/sagemaker/{_GROUPS[row.kind]}"
    hosts = [f"algo-{host + 1}" for host in range(row.state.get("_Hosts", 1))]
    for instance in row.state.get("_Instances", hosts)[:_MOST_LOGS]:
        yield group, f"{row.name}/{instance}-{row.created // 1000}"
