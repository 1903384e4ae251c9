"""The environment that leads AWS's clients to a server: what `clary env` prints."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from clary import settings
from clary.errors import CallerError
from clary.server.keys import configured
from clary.server.root import ServerFacts

# As boto3 spells them; AWS_ENDPOINT_URL_LOGS would be ignored
_SERVICES = ("SAGEMAKER", "SAGEMAKER_RUNTIME", "S3", "STS", "IAM", "CLOUDWATCH", "CLOUDWATCH_LOGS")
_ENDPOINT = "AWS_ENDPOINT_URL"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PLAIN = re.compile(r"[A-Za-z0-9_./:,@%+=-]*")
# Clients that find no credentials send nothing; a server without keys takes any
_ANY = "clary"


def environment(server: ServerFacts, proxy: bool) -> dict[str, str]:
    """The variables by name. With `proxy` also those hosts lead here that clients have fixed.

    Credentials of the user's own are left as they are where the server verifies nothing.

    Raises:
        CallerError: the server's keys cannot be read, or it has no proxy.
    """
    variables = {_ENDPOINT: server.url}
    variables |= {f"{_ENDPOINT}_{name}": server.url for name in _SERVICES}
    if server.s3_url:
        variables[f"{_ENDPOINT}_S3"] = server.s3_url
    variables |= dict.fromkeys(("AWS_DEFAULT_REGION", "AWS_REGION"), server.region)
    variables |= _credentials(Path(server.root))
    variables |= dict.fromkeys(("NO_PROXY", "no_proxy"), _no_proxy(server.reached_by))
    if proxy:
        variables |= _proxy(server)
    return variables


def rendered(variables: Mapping[str, str], form: str) -> str:
    """The variables as text: `sh`, `dotenv`, `python`, or `aws-config` for `~/.aws/config`."""
    return "\n".join(_FORMS[form](variables))


def _credentials(root: Path) -> dict[str, str]:
    keys = configured(root)
    if keys is None and settings.has_aws_credentials():
        return {}
    pair = (keys.access_key, keys.secret_key) if keys else (_ANY, _ANY)
    found = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), pair, strict=True))
    # A token of other keys would spoil these; an empty one counts as none
    return {**found, "AWS_SESSION_TOKEN": ""} if settings.has_aws_token() else found


def _no_proxy(host: str) -> str:
    given = [one.strip() for one in settings.no_proxy().split(",") if one.strip()]
    return ",".join(dict.fromkeys([*given, *_LOOPBACK, host]))


def _proxy(server: ServerFacts) -> dict[str, str]:
    if not server.proxy_port:
        raise CallerError.of(f"server {server.pid}", "has no proxy")
    url = f"http://127.0.0.1:{server.proxy_port}"
    # Clients prefer the name in small letters
    names = ("HTTPS_PROXY", "https_proxy", "CLARY_PROXY")
    return {**dict.fromkeys(names, url), "AWS_CA_BUNDLE": server.certificates}


def _sh(variables: Mapping[str, str]) -> list[str]:
    return [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]


def _dotenv(variables: Mapping[str, str]) -> list[str]:
    return [f"{name}={_dotenv_value(value)}" for name, value in variables.items()]


def _dotenv_value(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _python(variables: Mapping[str, str]) -> list[str]:
    told = [f"    {name!r}: {value!r}," for name, value in variables.items()]
    return ["import os", "", "os.environ.update({", *told, "})"]


def _aws_config(variables: Mapping[str, str]) -> list[str]:
    """A profile `clary`. A proxy cannot be said there, the certificates can."""
    profile = {
        "region": variables["AWS_DEFAULT_REGION"],
        "endpoint_url": variables[_ENDPOINT],
        "aws_access_key_id": variables.get("AWS_ACCESS_KEY_ID", _ANY),
        "aws_secret_access_key": variables.get("AWS_SECRET_ACCESS_KEY", _ANY),
        "ca_bundle": variables.get("AWS_CA_BUNDLE", ""),
    }
    return ["[profile clary]", *(f"{name} = {value}" for name, value in profile.items() if value)]


_FORMS: Mapping[str, Callable[[Mapping[str, str]], list[str]]] = {
    "sh": _sh,
    "dotenv": _dotenv,
    "python": _python,
    "aws-config": _aws_config,
}
