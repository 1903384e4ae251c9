"""One store for all tests of it that do not harm it; each uses prefixes of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.server.s3.served import Store, serving


@pytest.fixture(scope="package")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with serving(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(scope="package")
def s3(store: Store) -> Any:
    return store.client()
