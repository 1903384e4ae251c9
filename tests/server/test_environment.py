"""What `clary env` prints: each form says the same, whatever the values hold."""

from __future__ import annotations

import configparser
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clary.errors import CallerError
from clary.server.environment import environment, rendered
from clary.server.root import ServerFacts

# What an environment can hold
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("AWS_", "CLARY_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def facts(root: Path, **changed: object) -> ServerFacts:
    known = {
        "pid": 1,
        "host": "127.0.0.1",
        "port": 8042,
        "region": "eu-west-1",
        "account": "123456789012",
        "root": str(root),
        "proxy_port": 8043,
        "certificates": "/a b/bundle.pem",
    }
    return ServerFacts(**{**known, **changed})


def test_all_services_lead_to_the_server(tmp_path: Path) -> None:
    found = environment(facts(tmp_path), proxy=False)
    urls = {name for name, value in found.items() if value == "http://127.0.0.1:8042"}
    assert urls >= {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"}
    assert found["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert found["AWS_ACCESS_KEY_ID"] == found["AWS_SECRET_ACCESS_KEY"] == "clary"
    assert "HTTPS_PROXY" not in found
    assert "AWS_CA_BUNDLE" not in found


def test_the_proxy_is_for_all_but_what_the_user_excepts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "intranet, localhost")
    found = environment(facts(tmp_path), proxy=True)
    assert found["HTTPS_PROXY"] == found["https_proxy"] == "http://127.0.0.1:8043"
    assert found["AWS_CA_BUNDLE"] == "/a b/bundle.pem"
    assert found["NO_PROXY"] == found["no_proxy"] == "intranet,localhost,127.0.0.1,::1"
    with pytest.raises(CallerError, match="has no proxy"):
        environment(facts(tmp_path, proxy_port=0), proxy=True)


def test_credentials_of_the_users_own_are_left_where_none_are_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMINE")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "mine")
    assert "AWS_ACCESS_KEY_ID" not in environment(facts(tmp_path), proxy=False)
    monkeypatch.setenv("CLARY_ACCESS_KEY_ID", "AKIACLARY")
    monkeypatch.setenv("CLARY_SECRET_ACCESS_KEY", "a-secret")
    found = environment(facts(tmp_path), proxy=False)
    assert (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"]) == ("AKIACLARY", "a-secret")
    assert found["AWS_SESSION_TOKEN"] == ""


def test_a_server_on_all_addresses_is_reached_by_loopback(tmp_path: Path) -> None:
    for host, url in (("0.0.0.0", "http://127.0.0.1:8042"), ("::", "http://[::1]:8042")):
        assert environment(facts(tmp_path, host=host), proxy=False)["AWS_ENDPOINT_URL"] == url


def test_objects_elsewhere_are_asked_for_there(tmp_path: Path) -> None:
    found = environment(facts(tmp_path, s3_url="http://minio:9000"), proxy=False)
    assert found["AWS_ENDPOINT_URL_S3"] == "http://minio:9000"


@given(VALUES.filter(lambda text: "\r" not in text))
def test_a_shell_gets_the_value_as_it_is(value: str) -> None:
    script = rendered({"NAME": value}, "sh") + '\nprintf "%s|" "$NAME"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode() == f"{value}|"


@given(VALUES)
def test_python_gets_the_value_as_it_is(value: str) -> None:
    module: dict[str, object] = {}
    text = rendered({"NAME": value}, "python").replace("os.environ.update", "found.update")
    found: dict[str, str] = {}
    exec(text, {"found": found}, module)
    assert found == {"NAME": value}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("http://127.0.0.1:8042", "http://127.0.0.1:8042"),
        ("", ""),
        ("/a b/c", "'/a b/c'"),
        ("it's $HOME\\", "'it\\'s $HOME\\\\'"),
        ("a#b", "'a#b'"),
    ],
)
def test_dotenv_quotes_what_needs_it(value: str, told: str) -> None:
    assert rendered({"NAME": value}, "dotenv") == f"NAME={told}"


def test_a_profile_leads_to_the_server(tmp_path: Path) -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(rendered(environment(facts(tmp_path), proxy=True), "aws-config"))
    assert dict(parser["profile clary"]) == {
        "region": "eu-west-1",
        "endpoint_url": "http://127.0.0.1:8042",
        "aws_access_key_id": "clary",
        "aws_secret_access_key": "clary",
        "ca_bundle": "/a b/bundle.pem",
    }
