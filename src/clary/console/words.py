"""How states, times and places are told."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

from clary.console.html import Html, tag
from clary.db.resources import Row, milliseconds
from clary.errors import CallerError
from clary.jobs.platform import Platform
from clary.runtime.scales import duration
from clary.storage.location import bucket_and_key

NO_TIME = "–"
_GOOD = frozenset({"Completed", "InService"})
_BAD = frozenset({"Failed", "OutOfService", "UpdateRollbackFailed"})
_OVER = frozenset({"Stopped"})


def status(word: str) -> Html:
    """A state's word, with its color."""
    kind = "good" if word in _GOOD else "bad" if word in _BAD else "over" if word in _OVER else "on"
    return tag("span", word, class_=f"status {kind}")


def moment(time: int | float | None) -> Html | None:
    """A time in milliseconds of the epoch, in the server's time zone."""
    if time is None:
        return None
    at = datetime.fromtimestamp(time / 1000).astimezone()
    same_day = at.date() == datetime.now().astimezone().date()
    shown = at.strftime("%H:%M:%S" if same_day else "%-d %B %Y, %H:%M")
    return tag("time", shown, datetime=at.isoformat(timespec="seconds"))


def taken(row: Row) -> str:
    """How long a job has run, or ran."""
    begin = row.state.get("TrainingStartTime") or row.state.get("TransformStartTime")
    end = row.state.get("TrainingEndTime") or row.state.get("TransformEndTime")
    if begin is None:
        return NO_TIME
    if end is None:
        return f"{max(0, round(milliseconds() / 1000 - begin))} s so far"
    return duration(max(0.0, end - begin))


def page_of(row: Row) -> str:
    return f"/console/{row.kind}/{quote(row.name, safe='')}"


def stored(platform: Platform, uri: str) -> object:
    """A place in the store, as a link where this server has the store."""
    try:
        bucket, key = bucket_and_key(uri)
    except CallerError:
        return uri
    if platform.buckets is None or not (platform.buckets / bucket / key).is_file():
        return tag("code", uri)
    return tag("a", tag("code", uri), href=f"/{quote(bucket)}/{quote(key)}", download="")
