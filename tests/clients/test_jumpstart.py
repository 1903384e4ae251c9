"""What the SDKs find by a JumpStart model's id, and the images that they name."""

from __future__ import annotations

import re

import pytest

from clary.spec.images import REPOSITORIES, algorithm_of_image
from tests.clients.conftest import Run


def test_jumpstarts_models_train_and_answer_with_sdk_2(run: Run) -> None:
    run("sdk2", "jumpstart.py")


def test_jumpstarts_models_train_with_sdk_3(run: Run) -> None:
    run("sdk3", "jumpstart_of_sdk3.py")


# Each URI takes the SDK a tenth of a second; what they are like is recorded in tests/spec
@pytest.mark.slow
def test_every_image_that_sdk_2_names_is_known(run: Run) -> None:
    named = re.findall(r"^image (\S+) (\S+)$", run("sdk2", "images.py"), re.MULTILINE)
    assert {name for name, _ in named} == {one.algorithm for one in REPOSITORIES if one.accounts}
    assert len(named) > 200
    for name, uri in named:
        assert algorithm_of_image(uri).algorithm == name
