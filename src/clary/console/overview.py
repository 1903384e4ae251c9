"""The first page: what runs, what answers, what there is."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable, Iterator

from clary import __version__
from clary.algorithms import declaration, names
from clary.console.html import Html, facts, joined, section, table, tag
from clary.console.words import moment, page_of, status, taken
from clary.db.resources import Row, Wanted
from clary.jobs.platform import Platform
from clary.runtime.scales import label

JOBS = {"training-job": "Training jobs", "transform-job": "Transform jobs"}
_PAGE, _ENDPOINTS, _METRICS, _LOG_BYTES = 25, 25, 3, 16 * 1024
_FAILURE = re.compile(r" /\S+ [45][0-9]{2} | ERROR |^[A-Za-z]*(?:Error|Exception): ")
_WORK = frozenset({"train:progress", "train:throughput"})


def overview(platform: Platform, address: str, after: tuple[int, int] | None) -> Html:
    """after: of training jobs, those older than this time and id."""
    return joined(
        [
            _header(platform, address),
            *_endpoints(platform),
            *(part for kind in JOBS for part in _jobs(platform, kind, after)),
            _algorithms(),
            _server(platform, address),
        ]
    )


def _header(platform: Platform, address: str) -> Html:
    line = f'eval "$(clary env --root {shlex.quote(str(platform.root))})"'
    return tag(
        "header",
        tag("p", f"{platform.account.region} · {platform.account.id}", class_="kicker"),
        tag("h1", "Clary"),
        tag("p", f"Up at {address}. In a shell that is to use it:", class_="lead"),
        tag("pre", tag("code", line), class_="command", tabindex="0"),
    )


def _endpoints(platform: Platform) -> Iterator[Html]:
    wanted = Wanted(descending=True, limit=_ENDPOINTS)
    rows, more = platform.resources.page("endpoint", wanted)
    if rows:
        told = [_endpoint(platform, row) for row in rows]
        listed = table("Newest first", ("name", "state", "since", "last error"), told)
        note = tag("p", f"The newest {_ENDPOINTS}.", class_="note") if more else None
        yield section("Endpoints", listed, note)


def _endpoint(platform: Platform, row: Row) -> list[object]:
    reason = row.state.get("FailureReason") or _last_error(platform, row)
    told = tag("span", reason, class_="reason")
    return [_link(row), status(row.status), moment(row.modified), told]


def _last_error(platform: Platform, row: Row) -> str:
    """The last line of an endpoint's newest log that tells of a failure."""
    group = f"/aws/sagemaker/Endpoints/{row.name}"
    newest = max(platform.logs.streams(group), key=lambda one: one.last or 0, default=None)
    lines = platform.logs.tail(group, newest.name, _LOG_BYTES) if newest else []
    return next((line.text for line in reversed(lines) if _FAILURE.search(line.text)), "")


def _jobs(platform: Platform, kind: str, after: tuple[int, int] | None) -> Iterator[Html]:
    older = after if kind == "training-job" else None
    wanted = Wanted(descending=True, limit=_PAGE, after=older)
    rows, more = platform.resources.page(kind, wanted)
    if not rows:
        if kind == "training-job":
            yield section(JOBS[kind], tag("p", "None yet.", class_="note"))
        return
    head = ("name", "algorithm", "state", "begun", "time", "metrics")
    older_ones = None
    if more and kind == "training-job":
        link = tag("a", "Older ones", href=f"/console?after={more[0]}-{more[1]}")
        older_ones = tag("p", link, class_="note")
    yield section(JOBS[kind], table("Newest first", head, map(_job, rows)), older_ones)


def _job(row: Row) -> list[object]:
    algorithm = row.state.get("_Algorithm") or row.request.get("ModelName", "")
    reason = row.state.get("FailureReason")
    told = tag("span", reason, class_="reason") if reason else scores(row)
    time = tag("span", taken(row), class_="time")
    return [_link(row), algorithm, status(row.status), moment(row.created), time, told]


def scores(row: Row) -> Html:
    """The last values of a job's most telling metrics."""
    found = [
        (one["MetricName"], one["Value"])
        for one in row.state.get("FinalMetricDataList", [])
        if one["MetricName"] not in _WORK
    ]
    found.sort(key=lambda one: one[0].startswith("train:"))
    shown = [tag("span", f"{name} {label(value)}") for name, value in found[:_METRICS]]
    return tag("span", *shown, class_="scores")


def _algorithms() -> Html:
    rows = []
    for name in names():
        algorithm = declaration(name)
        models = [one.id for one in algorithm.jumpstart]
        rows.append((name, algorithm.summary, _lines(algorithm.images), _lines(models)))
    head = ("name", "what it does", "images", "JumpStart")
    return section("Algorithms", table("What can be trained", head, rows))


def _server(platform: Platform, address: str) -> Html:
    running = len(platform.engine.pids())
    return section(
        "Server",
        facts(
            [
                ("address", tag("code", address)),
                ("files", tag("code", platform.root)),
                ("buckets", tag("code", platform.buckets or "at an S3 endpoint elsewhere")),
                ("account", platform.account.id),
                ("region", platform.account.region),
                ("work under way", running),
                ("Clary", __version__),
                ("Python", sys.version.split()[0]),
            ]
        ),
    )


def _lines(names: Iterable[str]) -> Html:
    return joined(tag("code", name, class_="line") for name in names)


def _link(row: Row) -> Html:
    return tag("a", row.name, href=page_of(row))
