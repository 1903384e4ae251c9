"""AddTags, ListTags, DeleteTags, and the tags that come with what is created."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clary.aws.errors import Refusal, invalid
from clary.control.pages import offset_page
from clary.db.resources import Row
from clary.jobs.platform import Platform

_MOST = 50


def add(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    resource, tags = _tagged(platform, request), given(request)
    if len(platform.resources.tags(resource) | tags) > _MOST:
        raise invalid(f"A resource takes at most {_MOST} tags")
    platform.resources.set_tags(resource, tags)
    return {"Tags": _listed(tags)}


def list_(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    tags = _listed(platform.resources.tags(_tagged(platform, request)))
    return offset_page("Tags", tags, request, limit=100)


def delete(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    platform.resources.remove_tags(_tagged(platform, request), request["TagKeys"])
    return {}


def given(request: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a request that creates something.

    Raises:
        Refusal: a key comes twice or is AWS's own, or there are too many.
    """
    tags: dict[str, str] = {}
    for tag in request.get("Tags", []):
        if tag["Key"] in tags:
            raise invalid(f"Duplicate tag key: {tag['Key']}")
        if tag["Key"].lower().startswith("aws:"):
            raise invalid("Tag keys that start with aws: are reserved")
        tags[tag["Key"]] = tag["Value"]
    if len(tags) > _MOST:
        raise invalid(f"A resource takes at most {_MOST} tags")
    return tags


def _tagged(platform: Platform, request: Mapping[str, Any]) -> Row:
    found = platform.resources.find_arn(request["ResourceArn"])
    if found is None:
        raise Refusal("ResourceNotFound", f"Could not find resource {request['ResourceArn']}")
    return found


def _listed(tags: Mapping[str, str]) -> Sequence[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
