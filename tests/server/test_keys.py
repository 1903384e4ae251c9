"""Where the server's keys come from, and when it does not start without."""

from __future__ import annotations

from pathlib import Path

import pytest

from clary.aws.keys import Keys
from clary.errors import CallerError
from clary.server.keys import FILE, keys_for

TEXT = "[default]\naws_access_key_id = AKIACLARY\naws_secret_access_key = a%long/secret+\n"


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLARY_ACCESS_KEY_ID", "CLARY_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)


def write(root: Path, text: str, mode: int = 0o600) -> None:
    (root / FILE).write_text(text)
    (root / FILE).chmod(mode)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_no_keys(host: str, tmp_path: Path) -> None:
    assert keys_for(tmp_path, host) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_any_other_address_needs_keys(host: str, tmp_path: Path) -> None:
    with pytest.raises(CallerError, match=r"needs keys.*CLARY_ACCESS_KEY_ID.*mode 600"):
        keys_for(tmp_path, host)


def test_keys_come_from_the_environment_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, TEXT)
    assert keys_for(tmp_path, "0.0.0.0") == Keys("AKIACLARY", "a%long/secret+")
    monkeypatch.setenv("CLARY_ACCESS_KEY_ID", "other")
    monkeypatch.setenv("CLARY_SECRET_ACCESS_KEY", "another-secret")
    assert keys_for(tmp_path, "0.0.0.0") == Keys("other", "another-secret")


def test_half_a_pair_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLARY_ACCESS_KEY_ID", "other")
    with pytest.raises(CallerError, match="CLARY_SECRET_ACCESS_KEY: must be set"):
        keys_for(tmp_path, "127.0.0.1")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    write(tmp_path, TEXT, mode)
    with pytest.raises(CallerError, match="chmod 600"):
        keys_for(tmp_path, "127.0.0.1")


@pytest.mark.parametrize("text", ["", "[default]\naws_access_key_id = a\n", "{}", "[other]\n"])
def test_a_file_without_the_pair_is_refused(text: str, tmp_path: Path) -> None:
    write(tmp_path, text)
    with pytest.raises(CallerError, match="aws_secret_access_key"):
        keys_for(tmp_path, "127.0.0.1")


def test_a_short_secret_is_refused_where_others_can_guess(tmp_path: Path) -> None:
    write(tmp_path, TEXT.replace("a%long/secret+", "clary"))
    assert keys_for(tmp_path, "127.0.0.1")
    with pytest.raises(CallerError, match="8 characters"):
        keys_for(tmp_path, "0.0.0.0")


def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr(Keys("a", "secret"))
    assert "secret" not in repr(Keys("a", "secret").temporary(60, 0.0)).replace("secret_key", "")
