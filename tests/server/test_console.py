"""The console as a browser reaches it, beside the API on the same port."""

from __future__ import annotations

from uuid import uuid4

import httpx

from tests.servers import Server, finished, training_request


def get(server: Server, path: str, **headers: str) -> httpx.Response:
    return httpx.get(f"{server.facts.url}{path}", headers=headers)


def test_a_trained_job_is_on_the_console_with_its_report_and_log(server: Server) -> None:
    name = f"shown-{uuid4().hex[:8]}"
    client = server.client("sagemaker")
    client.create_training_job(
        **training_request(name, "kmeans", HyperParameters={"k": "10", "epochs": "3"})
    )
    assert name in get(server, "/console").text
    assert finished(client, name)["TrainingJobStatus"] == "Completed"
    page = get(server, f"/console/training-job/{name}")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "Completed" in page.text
    assert "#quality_metric" in page.text
    report = get(server, f"/console/training-job/{name}/report")
    assert "K-Means" in report.text
    assert "sandbox" in report.headers["content-security-policy"]


def test_pages_that_did_not_change_are_not_sent_again(server: Server) -> None:
    style = get(server, "/console/console.css")
    again = get(server, "/console/console.css", **{"if-none-match": style.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_browser_led_here_under_another_name_is_turned_away(server: Server) -> None:
    assert get(server, "/console", host="evil.example").status_code == 403
    assert get(server, "/console/nothing").status_code == 404
