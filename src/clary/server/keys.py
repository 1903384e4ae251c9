"""The server's keys: where they are set, and when there must be some."""

from __future__ import annotations

import configparser
import ipaddress
from pathlib import Path

from clary import settings
from clary.aws.keys import Keys
from clary.errors import CallerError

FILE = "credentials"
_NAMES = ("aws_access_key_id", "aws_secret_access_key")
_LEAST_CHARACTERS = 8


def keys_for(root: Path, host: str) -> Keys | None:
    """The keys that requests must be signed with; None on loopback where none are set.

    Raises:
        CallerError: there are none and the host is reached from elsewhere, or they cannot be used.
    """
    keys = configured(root)
    if keys is None and not is_loopback(host):
        raise CallerError.of(
            f"--listen {host}",
            "needs keys, for others could reach the server",
            remedy="Set CLARY_ACCESS_KEY_ID and CLARY_SECRET_ACCESS_KEY, or write them like AWS's "
            f"own into {root / FILE} with mode 600; clients then sign with them.",
        )
    if keys and not is_loopback(host) and len(keys.secret_key) < _LEAST_CHARACTERS:
        rule = (
            f"must have {_LEAST_CHARACTERS} characters at least where others can reach the server"
        )
        raise CallerError.of("the secret access key", rule)
    return keys


def configured(root: Path) -> Keys | None:
    """The keys of the environment, else those of the root's file `credentials`, if any.

    Raises:
        CallerError: one of the pair is missing, or others may read the file.
    """
    pair = settings.server_keys()
    if pair is None and (root / FILE).exists():
        pair = _read(root / FILE)
    return Keys(*pair) if pair else None


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read(path: Path) -> tuple[str, str]:
    if path.stat().st_mode & 0o077:
        remedy = f"Take it from them: chmod 600 {path}"
        raise CallerError.of(str(path), "may be read by others", remedy=remedy)
    parser = configparser.RawConfigParser(default_section="")
    try:
        parser.read_string(path.read_text())
        found = dict(parser["default"])
    except (configparser.Error, KeyError, UnicodeDecodeError):
        found = {}
    access_key, secret_key = (found.get(name, "") for name in _NAMES)
    if not (access_key and secret_key):
        rule = f"must have a section [default] with {' and '.join(_NAMES)}"
        raise CallerError.of(str(path), rule)
    return access_key, secret_key
