"""The console's pages, from rows as they are in the database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from clary.aws.answers import Answer
from clary.console.app import Console
from clary.console.details import REPORT as REPORT_PLACE
from clary.db.database import Database
from clary.db.metrics import Metrics, Value
from clary.db.resources import Resources, Row
from clary.jobs.engine import Engine
from clary.jobs.logs import Logs
from clary.jobs.platform import Account, Platform
from clary.jobs.training_work import RESULTS
from clary.runtime.results import REPORT
from clary.storage.buckets import stores_in

HOST = {"host": "localhost:8042"}
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """A platform without a server, whose engine runs nothing."""
    database = Database(tmp_path / "clary.db")
    buckets = tmp_path / "s3"
    yield Platform(
        root=tmp_path,
        account=Account("123456789012", "us-east-1"),
        resources=Resources(database),
        metrics=Metrics(database),
        logs=Logs(tmp_path / "logs"),
        engine=Engine(1, 2**30, warm=False),
        buckets=buckets,
        stores=stores_in(buckets),
    )
    database.close()


@pytest.fixture
def console(platform: Platform) -> Console:
    return Console(platform)


def asked(console: Console, path: str, query: str = "", **headers: str) -> Answer:
    return console.answer(path, query, HOST | headers, "127.0.0.1")


def page(console: Console, path: str = "/console", query: str = "") -> str:
    answer = asked(console, path, query)
    assert answer.status == 200, answer.body
    text = answer.body.decode()
    _Balanced().check(text)
    return text


class _Balanced(HTMLParser):
    """Every element that is opened is closed, in order."""

    def check(self, text: str) -> None:
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in {"meta", "link", "br", "path", "rect", "line", "circle"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"path", "rect", "line", "circle"}:
            assert self.open.pop() == tag


def job(platform: Platform, name: str, status: str = "Completed", **state: Any) -> Row:
    told = {
        "_Algorithm": "kmeans",
        "_Hosts": 1,
        "_InstanceType": "ml.m5.large",
        "TrainingStartTime": 1_700_000_000.0,
        "TrainingEndTime": 1_700_000_002.5,
        "FinalMetricDataList": [
            {"MetricName": "train:msd", "Value": 0.5, "Timestamp": 1},
            {"MetricName": "test:msd", "Value": 0.25, "Timestamp": 1},
        ],
        "SecondaryStatusTransitions": [
            {"Status": "Starting", "StartTime": 1_700_000_000.0, "EndTime": 1_700_000_001.0},
            {"Status": status, "StartTime": 1_700_000_001.0},
        ],
        **state,
    }
    arn = platform.account.arn("training-job", name)
    request = {"TrainingJobName": name, "HyperParameters": {"k": "10"}}
    return platform.resources.create("training-job", name, arn, request, status=status, state=told)


def test_the_first_page_tells_what_there_is(platform: Platform, console: Console) -> None:
    text = page(console)
    assert "None yet." in text
    assert all(name in text for name in ("kmeans", "linear-learner", "xgboost-regression-model"))
    assert f"eval &quot;$(clary env --root {platform.root})&quot;" in text
    assert "http://localhost:8042" in text


def test_jobs_are_listed_with_state_time_and_metrics(platform: Platform, console: Console) -> None:
    job(platform, "first")
    job(platform, "second", "Failed", FailureReason="ClientError: k: is required")
    text = page(console)
    assert text.index(">second<") < text.index(">first<")
    assert 'href="/console/training-job/first"' in text
    assert '<span class="status good">Completed</span>' in text
    assert '<span class="status bad">Failed</span>' in text
    assert "2.50 s" in text
    assert text.index("test:msd 0.25") < text.index("train:msd 0.5")


def test_older_jobs_are_on_pages_of_their_own(platform: Platform, console: Console) -> None:
    for at in range(60):
        job(platform, f"job-{at:02}")
    seen: list[str] = []
    query = ""
    for _ in range(3):
        text = page(console, query=query)
        seen += re.findall(r">(job-\d\d)</a>", text)
        found = re.search(r"/console\?(after=[0-9-]+)", text)
        query = found[1] if found else ""
    assert seen == [f"job-{at:02}" for at in reversed(range(60))]
    assert query == ""


def test_a_job_s_page_shows_curves_stages_request_and_log(
    platform: Platform, console: Console
) -> None:
    row = job(platform, "one", ModelArtifacts={"S3ModelArtifacts": "s3://b/one/model.tar.gz"})
    platform.metrics.add(row.id, [Value("train:msd", at, 2.0 / (1 + at)) for at in range(2000)])
    platform.metrics.add(row.id, [Value("test:msd", 0, 0.25)])
    log = platform.logs.writer("/aws/sagemaker/TrainingJobs", f"one/algo-1-{row.created // 1000}")
    for at in range(5000):
        log.write(f"line {at} of the log")
    log.close()
    text = page(console, "/console/training-job/one")
    assert "<svg" in text
    assert "<figcaption>msd</figcaption>" in text
    assert "Starting" in text
    assert "&quot;k&quot;: &quot;10&quot;" in text
    assert "line 4999 of the log" in text
    assert "line 4799 of the log" not in text
    assert "<code>s3://b/one/model.tar.gz</code>" in text
    # However many values there are, the page stays small
    assert len(text) < 120_000


def test_the_model_is_a_link_where_this_server_has_it(platform: Platform, console: Console) -> None:
    job(platform, "one", ModelArtifacts={"S3ModelArtifacts": "s3://b/a b/model.tar.gz"})
    place = platform.root / "s3" / "b" / "a b" / "model.tar.gz"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"model")
    assert 'href="/b/a%20b/model.tar.gz"' in page(console, "/console/training-job/one")


def test_why_a_job_failed_is_on_its_page(platform: Platform, console: Console) -> None:
    job(platform, "one", "Failed", FailureReason=f"ClientError: {EVIL}")
    text = page(console, "/console/training-job/one")
    assert '<p class="failure" role="alert">ClientError: &lt;img' in text


def test_endpoints_are_listed_with_their_last_errors(platform: Platform, console: Console) -> None:
    platform.resources.create(
        "endpoint",
        "mine",
        platform.account.arn("endpoint", "mine"),
        {"EndpointName": "mine"},
        status="Failed",
        state={
            "FailureReason": "the model does not load",
            "_Deployment": {"config": {"ProductionVariants": [{"VariantName": "all"}]}},
        },
    )
    log = platform.logs.writer("/aws/sagemaker/Endpoints/mine", "all/i-1")
    log.write("Traceback: no model")
    log.close()
    assert "the model does not load" in page(console)
    with platform.resources.changing("endpoint", "mine") as changed:
        changed.status, changed.state = "InService", {"_Deployment": changed.state["_Deployment"]}
    log = platform.logs.writer("/aws/sagemaker/Endpoints/mine", "all/i-2")
    log.write("2026-01-01 10:00:00,000 INFO POST /invocations 400 0.8 ms: too narrow")
    log.write("2026-01-01 10:00:01,000 INFO POST /invocations 200 0.8 ms")
    log.close()
    assert "POST /invocations 400 0.8 ms: too narrow</span>" in page(console)
    text = page(console, "/console/endpoint/mine")
    assert "Traceback: no model" in text
    assert '<th scope="row">all</th>' in text


def test_transform_jobs_are_listed_with_a_log_for_each_instance(
    platform: Platform, console: Console
) -> None:
    assert "Transform jobs" not in page(console)
    row = platform.resources.create(
        "transform-job",
        "batch",
        platform.account.arn("transform-job", "batch"),
        {"TransformJobName": "batch", "ModelName": "mine"},
        status="Completed",
        state={
            "_Instances": ["i-1", "i-2"],
            "TransformStartTime": 1_700_000_000.0,
            "TransformEndTime": 1_700_000_004.0,
        },
    )
    for instance in ("i-1", "i-2"):
        stream = f"batch/{instance}-{row.created // 1000}"
        log = platform.logs.writer("/aws/sagemaker/TransformJobs", stream)
        log.write(f"said by {instance}")
        log.close()
    text = page(console)
    assert "Transform jobs" in text
    assert "mine" in text
    assert "4.00 s" in text
    text = page(console, "/console/transform-job/batch")
    assert "said by i-1" in text
    assert "said by i-2" in text


def test_what_users_write_never_becomes_html(platform: Platform, console: Console) -> None:
    row = job(
        platform,
        "one",
        "Failed",
        _Algorithm=EVIL,
        FailureReason=EVIL,
        ModelArtifacts={"S3ModelArtifacts": EVIL},
        FinalMetricDataList=[{"MetricName": EVIL, "Value": 1.0}],
    )
    with platform.resources.changing("training-job", "one") as changed:
        changed.request = {"HyperParameters": {EVIL: EVIL}, EVIL: EVIL}
    platform.metrics.add(row.id, [Value(f"train:{EVIL}", 0, 1.0), Value(f"train:{EVIL}", 1, 2.0)])
    log = platform.logs.writer("/aws/sagemaker/TrainingJobs", f"one/algo-1-{row.created // 1000}")
    log.write(EVIL)
    log.close()
    for path in ("/console", "/console/training-job/one"):
        text = page(console, path)
        assert "<img" not in text
        assert "&lt;img" in text


def test_pages_load_nothing_from_elsewhere(platform: Platform, console: Console) -> None:
    job(platform, "one")
    for path in ("/console", "/console/training-job/one"):
        answer = asked(console, path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'")
        assert "frame-ancestors 'none'" in policy
        text = answer.body.decode()
        assert set(re.findall(r'(?:src|href)="(/console/[^"/]*)"', text)) >= {
            "/console/console.css",
            "/console/console.js",
        }
        assert not re.findall(r'(?:src|href)="(?:https?:)?//', text)
        # The policy forbids both
        assert " style=" not in text
        assert "<script>" not in text


def test_a_report_is_shown_in_an_origin_of_its_own(platform: Platform, console: Console) -> None:
    row = job(platform, "one")
    assert asked(console, "/console/training-job/one/report").status == 404
    assert f"{RESULTS}/{REPORT}" == REPORT_PLACE
    place = platform.folder("training-job", row.name) / REPORT_PLACE
    place.parent.mkdir(parents=True)
    place.write_text("<html>the report</html>")
    assert "/console/training-job/one/report" in page(console, "/console/training-job/one")
    answer = asked(console, "/console/training-job/one/report")
    assert answer.body == b"<html>the report</html>"
    assert "sandbox allow-scripts" in answer.headers["content-security-policy"]


def test_an_unchanged_page_is_not_sent_again(platform: Platform, console: Console) -> None:
    job(platform, "one")
    first = asked(console, "/console")
    again = asked(console, "/console", **{"if-none-match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    job(platform, "two")
    assert asked(console, "/console", **{"if-none-match": first.headers["etag"]}).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/console/nothing",
        "/console/training-job/nobody",
        "/console/training-job",
        "/console/model/one",
        "/console/training-job/one/else",
        "/console/training-job/one/report/more",
        "/console/training-job/" + quote("../one", safe=""),
        "/console/../../etc/passwd",
        "/console/%00",
    ],
)
def test_other_addresses_are_no_pages(platform: Platform, console: Console, path: str) -> None:
    job(platform, "one")
    assert asked(console, path).status == 404


@pytest.mark.parametrize(
    ("host", "client", "status"),
    [
        ("localhost:8042", "127.0.0.1", 200),
        ("127.0.0.1:8042", "127.0.0.1", 200),
        ("[::1]:8042", "::1", 200),
        ("evil.example", "127.0.0.1", 403),
        ("localhost.evil.example:8042", "127.0.0.1", 403),
        ("localhost:8042", "192.168.1.7", 403),
        ("", "127.0.0.1", 403),
    ],
)
def test_only_browsers_of_this_machine_are_answered(
    console: Console, host: str, client: str, status: int
) -> None:
    assert console.answer("/console", "", {"host": host}, client).status == status


@pytest.mark.parametrize("name", ["console.css", "console.js", "report.js"])
def test_style_and_script_are_there(console: Console, name: str) -> None:
    answer = asked(console, f"/console/{name}")
    assert answer.status == 200
    assert answer.body
    assert answer.headers["content-type"].startswith("text/")
