"""The wheel has what it needs, and runs outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris

ROOT = Path(__file__).parents[2]
# Built by pip in an environment of its own, for which it fetches hatchling
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _run("pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    return next(folder.glob("clary-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    _run("pip", "install", "--quiet", "--no-deps", "--target", folder, wheel)
    return folder


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    source = ROOT / "src"
    wanted = {
        path.relative_to(source).as_posix()
        for path in (source / "clary").rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and path.suffix not in {".nbi", ".nbc"}
    }
    assert found == wanted
    assert {
        "clary/py.typed",
        "clary/__init__.pyi",
        "clary/runtime/report.css",
        "clary/runtime/report.js",
        "clary/algorithms/kmeans/README.md",
    } <= found


@pytest.mark.parametrize("command", ["clary", "train", "serve"])
def test_the_commands_are_installed(installed: Path, command: str) -> None:
    assert (installed / "bin" / command).exists()


def test_it_trains_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    np.savetxt(tmp_path / "iris.csv", load_iris().data, fmt="%g", delimiter=",")
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    where = [sys.executable, "-c", "import clary; print(clary.__file__)"]
    found = subprocess.check_output(where, cwd=tmp_path, env=environment, text=True)
    assert Path(found.strip()).is_relative_to(installed)
    command = [sys.executable, installed / "bin" / "clary", "train", "kmeans", "--train"]
    arguments = ["iris.csv", "-p", "k=3", "--output", "model"]
    subprocess.run([*command, *arguments], cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "model" / "report.html").exists()


def _run(*module_and_arguments: str | Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *module_and_arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
