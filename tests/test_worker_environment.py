"""What training and model processes may know of the server's environment."""

from __future__ import annotations

import pytest

from clary import settings

SECRETS = {
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b",
    "AWS_SESSION_TOKEN": "c",
    "CLARY_ACCESS_KEY_ID": "d",
    "CLARY_SECRET_ACCESS_KEY": "e",
    "DATABASE_URL": "postgresql://user:password@host/",
    "GITHUB_TOKEN": "f",
    "HTTPS_PROXY": "http://user:password@proxy",
    "PYTHON_REGISTRY_PASSWORD": "g",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**SECRETS, "OMP_NUM_THREADS": "3", "CLARY_SEED": "7"}.items():
        monkeypatch.setenv(name, value)


def test_secrets_stay_with_the_server(environment: None) -> None:
    kept = settings.worker_environment(CLARY_EVENTS="5")
    assert not SECRETS.keys() & kept.keys()
    assert kept["CLARY_EVENTS"] == "5"
    assert kept["OMP_NUM_THREADS"] == "3"
    assert kept["CLARY_SEED"] == "7"
    assert "PATH" in kept


def test_a_store_elsewhere_needs_its_own_credentials(environment: None) -> None:
    kept = settings.worker_environment(external_store=True)
    assert kept["AWS_SECRET_ACCESS_KEY"] == "b"
    assert kept["HTTPS_PROXY"] == SECRETS["HTTPS_PROXY"]
    hidden = {name for name in SECRETS if not name.startswith(("AWS_", "HTTPS_"))}
    assert not hidden & kept.keys()
