"""Models saved and loaded: folders, archives, manifests, and what is none of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from clary.errors import CallerError
from clary.runtime.models import MANIFEST, load_model, save_model
from clary.runtime.results import write_model
from clary.storage.artifact import pack
from tests.runtime.column_means import ColumnMeansHyperparameters, ColumnMeansModel
from tests.runtime.conftest import Trained
from tests.storage.disk import names_in, said_with_file_limit

pytestmark = pytest.mark.usefixtures("third_party")


@pytest.fixture
def model() -> ColumnMeansModel:
    params = ColumnMeansHyperparameters.parse({"epochs": "4", "decay": "0.25"})
    return ColumnMeansModel(np.array([1.0, 2.0], np.float32), params)


@pytest.fixture
def saved(model: ColumnMeansModel, tmp_path: Path) -> Path:
    folder = tmp_path / "saved"
    folder.mkdir()
    save_model(model, folder)
    return folder


def test_a_folder_and_its_archive_give_the_model_again(saved: Path, tmp_path: Path) -> None:
    pack(saved, tmp_path / "some-model.tar.gz")
    for path in (saved, tmp_path / "some-model.tar.gz"):
        model = load_model(path)
        assert isinstance(model, ColumnMeansModel)
        assert model.means.tolist() == [1, 2]
        assert model.params.values()["epochs"] == 4


def test_a_folder_that_holds_the_archive_is_enough(saved: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.mkdir()
    pack(saved, output / "model.tar.gz")
    (output / "metrics.json").write_text("{}")
    assert load_model(output).width == 2


def test_the_same_model_gives_the_same_bytes(model: ColumnMeansModel, tmp_path: Path) -> None:
    archives = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        save_model(model, tmp_path / name)
        pack(tmp_path / name, tmp_path / f"{name}.tar.gz")
        archives.append((tmp_path / f"{name}.tar.gz").read_bytes())
    assert archives[0] == archives[1]


def test_the_manifest_tells_algorithm_version_and_settled_hyperparameters(saved: Path) -> None:
    manifest = json.loads((saved / MANIFEST).read_text())
    assert manifest["format"] == 1
    assert manifest["algorithm"] == "column-means"
    assert manifest["hyperparameters"]["decay"] == 0.25
    assert set(manifest) == {"format", "algorithm", "clary", "hyperparameters", "files"}
    assert list(manifest["files"]) == ["means.npy"]


def test_a_model_made_elsewhere_is_loaded_as_what_is_asked_for(saved: Path) -> None:
    (saved / MANIFEST).unlink()
    model = load_model(saved, "column-means")
    assert isinstance(model, ColumnMeansModel)
    assert model.params.values()["epochs"] == 1


def test_a_model_made_elsewhere_is_recognized(saved: Path) -> None:
    (saved / MANIFEST).unlink()
    assert isinstance(load_model(saved), ColumnMeansModel)


def test_another_algorithms_model_is_refused(saved: Path) -> None:
    with pytest.raises(CallerError, match=r"must be a model of kmeans, got 'column-means'"):
        load_model(saved, "kmeans")


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        (b"{", "must be JSON"),
        (b"\xff\xfe", "must be JSON"),
        (b"[" * 100_000, "must be JSON"),
        (b"[]", "is not a manifest"),
        (b'{"format": 1, "algorithm": 5, "hyperparameters": {}, "files": {}}', "is not a manifest"),
        (
            b'{"format": 1, "algorithm": "kmean", "hyperparameters": {}, "files": {}}',
            "Did you mean 'kmeans'?",
        ),
        (
            b'{"format": 2, "algorithm": "column-means", "hyperparameters": {}, "files": {}}',
            "its format must be 1, got 2",
        ),
        (
            b'{"format": 1, "algorithm": "column-means", "hyperparameters": {"epochs": 0},'
            b' "files": {}}',
            "epochs: must be at least 1",
        ),
    ],
)
def test_a_damaged_manifest_is_told(manifest: bytes, told: str, saved: Path) -> None:
    (saved / MANIFEST).write_bytes(manifest)
    with pytest.raises(CallerError) as caught:
        load_model(saved)
    assert told in str(caught.value)


def test_files_that_were_changed_since_are_refused(trained: Trained, tmp_path: Path) -> None:
    whole = trained.root / "model"
    files = [name for name in names_in(whole) if name != MANIFEST]
    for number, name in enumerate(files):
        damaged = shutil.copytree(whole, tmp_path / str(number)) / name
        content = bytearray(damaged.read_bytes())
        content[len(content) // 2] ^= 1
        damaged.write_bytes(content)
        with pytest.raises(CallerError, match=f"its file {name} is not as it was written"):
            load_model(damaged.parent)
        damaged.unlink()
        with pytest.raises(CallerError, match=f"its file {name} is missing"):
            load_model(damaged.parent)


def test_files_of_no_model_at_all_are_refused_as_any_algorithms(
    trained: Trained, tmp_path: Path
) -> None:
    name = trained.model.algorithm.name
    for content in (b"", b"\0" * 100, b"{}", b"{" * 100_000, b"hello\n"):
        for file in names_in(trained.root / "model"):
            (tmp_path / file).write_bytes(content)
        (tmp_path / MANIFEST).unlink()
        with pytest.raises(CallerError):
            load_model(tmp_path, name)


def test_a_full_disk_leaves_no_part_of_a_model(trained: Trained, tmp_path: Path) -> None:
    largest = max(each.stat().st_size for each in (trained.root / "model").iterdir())
    script = f"""
        from clary.runtime.models import load_model
        from clary.runtime.results import write_model
        write_model(load_model(Path({str(trained.root / "model")!r})), here)
        """
    assert "the disk is full" in said_with_file_limit(script, tmp_path, largest - 1)
    assert names_in(tmp_path) == []


def test_what_is_no_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="there is no such file or folder"):
        load_model(tmp_path / "nothing")
    with pytest.raises(CallerError, match="an empty folder"):
        load_model(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(CallerError, match=r"must hold a model of .*kmeans.*, got 'notes.txt'"):
        load_model(tmp_path)
    with pytest.raises(CallerError, match=r"notes\.txt"):
        load_model(tmp_path / "notes.txt")


def test_a_model_that_cannot_be_saved_leaves_what_was_there(
    model: ColumnMeansModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(model, tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in names_in(tmp_path)}

    def broken(self: ColumnMeansModel, folder: Path) -> None:
        (folder / "means.npy").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ColumnMeansModel, "save", broken)
    with pytest.raises(CallerError, match="the disk is full"):
        write_model(model, tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in names_in(tmp_path)} == before
