"""CloudWatch Logs: what clients read of jobs and endpoints."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

from clary.aws.errors import Refusal
from clary.control.pages import offset_page
from clary.errors import CallerError
from clary.jobs.logs import Line, Stream
from clary.jobs.platform import Platform

_MOST_EVENTS, _MOST_BYTES = 10_000, 1024 * 1024
IGNORED: Mapping[str, str] = {
    "accountIdentifiers": "without effect: there is one account",
    "includeLinkedAccounts": "without effect: there is one account",
    "interleaved": "without effect: events always are",
    "logGroupClass": "without effect: all groups are of the one class",
    "logGroupIdentifiers": "without effect: the prefix and the pattern choose",
    "unmask": "without effect: nothing is masked",
}
UNTOLD: Mapping[str, str] = {
    "bearerTokenAuthenticationEnabled": "there is no such thing",
    "dataProtectionStatus": "nothing is masked",
    "deletionProtectionEnabled": "there is no such thing",
    "inheritedProperties": "there is one account",
    "kmsKeyId": "files lie as they are on this machine",
    "retentionInDays": "logs stay until their files are deleted",
    "retentionPolicyName": "logs stay until their files are deleted",
    "searchedLogStreams": "the list is empty, as AWS's own is",
}
_TOKEN = re.compile(r"([fb])/(\d{1,18})")


def describe_groups(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    prefix = request.get("logGroupNamePrefix", "")
    pattern = request.get("logGroupNamePattern", "")
    groups = [
        {
            "logGroupName": name,
            "arn": f"{_arn(platform, name)}:*",
            "logGroupArn": _arn(platform, name),
            "creationTime": min((one.created for one in platform.logs.streams(name)), default=0),
            "storedBytes": sum(one.bytes for one in platform.logs.streams(name)),
            "metricFilterCount": 0,
        }
        for name in platform.logs.groups()
        if name.startswith(prefix) and pattern in name
    ]
    return _lower(offset_page("logGroups", groups, _upper(request), limit=50))


def describe_streams(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    """`nextToken` only where another page is: the SDK would ask for ever."""
    group = _group(platform, request)
    prefix = request.get("logStreamNamePrefix", "")
    streams = [one for one in platform.logs.streams(group) if one.name.startswith(prefix)]
    if request.get("orderBy") == "LastEventTime":
        streams.sort(key=lambda one: one.last or 0)
    if request.get("descending"):
        streams.reverse()
    listed = [_stream(platform, group, one) for one in streams]
    return _lower(offset_page("logStreams", listed, _upper(request), limit=50))


def get_events(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    group, name = _group(platform, request), request["logStreamName"]
    if not _has(platform, group, name):
        raise Refusal("ResourceNotFoundException", "The specified log stream does not exist.")
    limit = request.get("limit", _MOST_EVENTS)
    token = request.get("nextToken")
    kind, place = _place(token) if token else ("f" if request.get("startFromHead") else "t", 0)
    if kind == "f":
        events, end = _forward(_wanted(platform, group, name, request, place), limit, place)
        begin = place
    else:
        # From the end backwards: the last ones before the place
        before = [
            (position, line)
            for position, line in _wanted(platform, group, name, request, 0)
            if kind == "t" or position <= place
        ]
        events = [line for _, line in before[-limit:]]
        begin = before[-limit - 1][0] if len(before) > limit else 0
        end = before[-1][0] if before else place
    return {
        "events": [_event(line) for line in events],
        "nextForwardToken": f"f/{end}",
        "nextBackwardToken": f"b/{begin}",
    }


def filter_events(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    """Events of all streams of a group by time; the pattern is words that must all be there."""
    group = _group(platform, request)
    wanted = set(request.get("logStreamNames", []))
    prefix = request.get("logStreamNamePrefix", "")
    words = [quoted or plain for quoted, plain in _words(request.get("filterPattern", ""))]
    found = [
        {
            "logStreamName": stream.name,
            "eventId": f"{base64.b16encode(stream.name.encode()).decode()[-24:]}{position:020d}",
            **_event(line),
        }
        for stream in platform.logs.streams(group)
        if stream.name.startswith(prefix) and (not wanted or stream.name in wanted)
        for position, line in _wanted(platform, group, stream.name, request, 0)
        if all(word in line.text for word in words)
    ]
    found.sort(key=lambda event: event["timestamp"])
    page = offset_page("events", found, _upper(request), limit=_MOST_EVENTS)
    return {**_lower(page), "searchedLogStreams": []}


def _wanted(
    platform: Platform, group: str, name: str, request: dict[str, Any], start: int
) -> Iterator[tuple[int, Line]]:
    begin, end = request.get("startTime", 0), request.get("endTime")
    for position, line in platform.logs.lines(group, name, start):
        if line.time >= begin and (end is None or line.time < end):
            yield position, line


def _forward(lines: Iterator[tuple[int, Line]], limit: int, place: int) -> tuple[list[Line], int]:
    """As many lines as one answer holds, and where the next one begins."""
    taken: list[Line] = []
    size = 0
    for position, line in lines:
        size += len(line.text) + 26
        if taken and (len(taken) == limit or size > _MOST_BYTES):
            break
        taken.append(line)
        place = position
    return taken, place


def _event(line: Line) -> dict[str, Any]:
    return {"timestamp": line.time, "message": line.text, "ingestionTime": line.time}


def _stream(platform: Platform, group: str, stream: Stream) -> dict[str, Any]:
    return {
        "logStreamName": stream.name,
        "creationTime": stream.created,
        "firstEventTimestamp": stream.first,
        "lastEventTimestamp": stream.last,
        "lastIngestionTime": stream.last,
        "uploadSequenceToken": "0",
        "arn": f"{_arn(platform, group)}:log-stream:{stream.name}",
        "storedBytes": 0,
    }


def _group(platform: Platform, request: dict[str, Any]) -> str:
    """The group that a request names, by name or by ARN."""
    given = request.get("logGroupName") or request.get("logGroupIdentifier") or ""
    name = str(given).rpartition(":log-group:")[2].removesuffix(":*")
    try:
        if platform.logs.streams(name):
            return name
    except CallerError:
        pass
    raise Refusal("ResourceNotFoundException", "The specified log group does not exist.")


def _has(platform: Platform, group: str, name: str) -> bool:
    try:
        return platform.logs.has(group, name)
    except CallerError:
        return False


def _place(token: str) -> tuple[str, int]:
    found = _TOKEN.fullmatch(token)
    if not found:
        raise Refusal("InvalidParameterException", "The specified nextToken is invalid.")
    return found[1], int(found[2])


def _words(pattern: str) -> list[tuple[str, str]]:
    return re.findall(r'"([^"]*)"|(\S+)', pattern)


def _arn(platform: Platform, group: str) -> str:
    account = platform.account
    return f"arn:aws:logs:{account.region}:{account.id}:log-group:{group}"


def _upper(request: dict[str, Any]) -> dict[str, Any]:
    """The paging members by the names that SageMaker has for them."""
    names = {"nextToken": "NextToken", "limit": "MaxResults"}
    return {names[key]: value for key, value in request.items() if key in names}


def _lower(page: dict[str, Any]) -> dict[str, Any]:
    return {("nextToken" if key == "NextToken" else key): value for key, value in page.items()}
