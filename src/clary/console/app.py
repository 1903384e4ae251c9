"""The console's addresses, and what a browser may do with what is there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files
from urllib.parse import parse_qs, unquote

from clary.aws.answers import Answer
from clary.console.details import details, report_path
from clary.console.html import Html, tag
from clary.console.overview import JOBS, overview
from clary.jobs.platform import Platform

ROOT = "/console"
_KINDS = (*JOBS, "endpoint")
_PAGE = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
_NOWHERE = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# A report is one file with its style and script inside; alone in its own origin
_REPORT = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
_SANDBOX = "; sandbox allow-scripts allow-modals"
_AFTER = re.compile(r"([0-9]{1,16})-([0-9]{1,16})")
_HOST = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?")
_HERE = re.compile(r"127\..*|::1|::ffff:127\..*")


class Console:
    """Pages of one server, for browsers on its machine."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        # style and script beside the pages, by their last part of the address
        console, runtime = files("clary.console"), files("clary.runtime")
        style = runtime.joinpath("report.css").read_text()
        style += console.joinpath("console.css").read_text()
        self._files = {
            "console.css": ("text/css", style.encode()),
            "console.js": ("text/javascript", console.joinpath("console.js").read_bytes()),
            "report.js": ("text/javascript", runtime.joinpath("report.js").read_bytes()),
        }

    def answer(self, path: str, query: str, headers: Mapping[str, str], client: str) -> Answer:
        """path: as it came, with its escapes. client: the address that asks."""
        host = headers.get("host", "")
        if not (_HERE.fullmatch(client) and _HOST.fullmatch(host)):
            text = "The console is for this machine; from another one, go through an SSH tunnel."
            return _plain(403, text)
        parts = [unquote(part) for part in path.removeprefix(ROOT).strip("/").split("/")]
        if parts == [""]:
            page = overview(self._platform, f"http://{host}", _after(query))
            return _page("Clary", page, headers)
        if len(parts) == 1 and parts[0] in self._files:
            return _answer(*self._files[parts[0]], _PAGE + _NOWHERE, headers)
        return self._one(parts, headers)

    def _one(self, parts: list[str], headers: Mapping[str, str]) -> Answer:
        """The page of a resource, or its report."""
        kind, name, rest = (*parts, "", "")[:3]
        row = self._platform.resources.find(kind, name) if kind in _KINDS else None
        if row and len(parts) == 2:
            return _page(row.name, details(self._platform, row), headers)
        report = report_path(self._platform, row) if row and rest == "report" else None
        if report and len(parts) == 3:
            return _answer("text/html", report.read_bytes(), _REPORT + _NOWHERE + _SANDBOX, headers)
        return _plain(404, "There is no such page.")


def _page(title: str, content: Html, headers: Mapping[str, str]) -> Answer:
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title if title == "Clary" else f"{title} · Clary"),
        tag("link", rel="stylesheet", href=f"{ROOT}/console.css"),
        tag("script", src=f"{ROOT}/console.js", defer=""),
        tag("script", src=f"{ROOT}/report.js", defer=""),
    )
    body = tag("body", tag("main", content), tag("div", id="tip"))
    text = f"<!doctype html>{tag('html', head, body, lang='en')}"
    return _answer("text/html", text.encode(), _PAGE + _NOWHERE, headers)


def _answer(kind: str, content: bytes, policy: str, headers: Mapping[str, str]) -> Answer:
    """The content, or that it is what the browser has already."""
    mark = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    same = headers.get("if-none-match") == mark
    given = {
        "content-type": f"{kind}; charset=utf-8",
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
        "etag": mark,
    }
    return Answer(304 if same else 200, given, b"" if same else content)


def _plain(code: int, text: str) -> Answer:
    return Answer(code, {"content-type": "text/plain; charset=utf-8"}, f"{text}\n".encode())


def _after(query: str) -> tuple[int, int] | None:
    found = _AFTER.fullmatch(parse_qs(query).get("after", [""])[0])
    return (int(found[1]), int(found[2])) if found else None
