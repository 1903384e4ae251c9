"""The files of models: ours, plain XGBoost's, and those of older images."""

from __future__ import annotations

import io
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from hypothesis import given
from hypothesis import strategies as st

from clary.algorithms.xgboost.binary_form import is_binary_form, translated
from clary.algorithms.xgboost.model import XGBoostModel
from clary.errors import CallerError
from tests.algorithms.xgboost.training import plain, rows, trained

OLD = Path(__file__).parent / "old_models"
NAMES = ["binary", "multiclass", "poisson", "dart", "linear", "forest"]


def placed(folder: Path, content: bytes, name: str = "xgboost-model") -> Path:
    """A folder with a model file."""
    (folder / name).write_bytes(content)
    return folder


def test_plain_xgboost_reads_the_artifact(tmp_path: Path) -> None:
    train, validation = rows("binary")
    model, _ = trained({"num_round": 3, "objective": "binary:logistic"}, train)
    model.save(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["xgboost-model"]
    with pytest.warns(UserWarning, match="Unknown file format"):
        booster = xgboost.Booster(model_file=tmp_path / "xgboost-model")
    np.testing.assert_array_equal(
        booster.predict(xgboost.DMatrix(validation.features)), model.predict(validation)["score"]
    )


@pytest.mark.parametrize("form", ["ubj", "json"])
def test_models_of_plain_xgboost_are_read(tmp_path: Path, form: str) -> None:
    train, validation = rows("digits")
    booster = plain({"objective": "multi:softprob", "num_class": 10, "max_depth": 2}, train, 2)
    folder = placed(tmp_path, booster.save_raw(form), "anything.at.all")
    assert XGBoostModel.recognizes(folder)
    model = XGBoostModel.load(folder)
    np.testing.assert_array_equal(
        model.predict(validation)["score"], booster.predict(xgboost.DMatrix(validation.features))
    )


def test_models_with_names_of_features_predict_rows_without(tmp_path: Path) -> None:
    train, validation = rows("regression")
    names = [f"column {number}" for number in range(10)]
    matrix = xgboost.DMatrix(train.features, train.label, feature_names=names)
    booster = xgboost.train({}, matrix, 2)
    model = XGBoostModel.load(placed(tmp_path, booster.save_raw("ubj")))
    expected = booster.predict(xgboost.DMatrix(validation.features, feature_names=names))
    np.testing.assert_array_equal(model.predict(validation)["score"], expected)
    assert set(model.summary()["importances"]["gain"]) <= set(names)


def test_every_file_is_a_model_but_those_with_a_dot(tmp_path: Path) -> None:
    train, validation = rows("regression")
    boosters = [plain({"seed": seed, "subsample": 0.5}, train, 2) for seed in range(12)]
    for number, booster in enumerate(boosters):
        placed(tmp_path, booster.save_raw("ubj"), f"xgboost-model-{number}")
    placed(tmp_path, b"{}", ".clary.json")
    (tmp_path / "code").mkdir()
    model = XGBoostModel.load(tmp_path)
    matrix = xgboost.DMatrix(validation.features)
    expected = np.mean([booster.predict(matrix) for booster in boosters], axis=0)
    np.testing.assert_allclose(model.predict(validation)["score"], expected, rtol=1e-6)
    # By number and not as text
    second = model.boosters[2].predict(matrix)
    np.testing.assert_array_equal(second, boosters[2].predict(matrix))


@pytest.mark.parametrize("name", NAMES)
def test_the_binary_form_of_older_images_is_read(tmp_path: Path, name: str) -> None:
    folder = placed(tmp_path, (OLD / f"{name}.model").read_bytes())
    assert XGBoostModel.recognizes(folder)
    model = XGBoostModel.load(folder)
    theirs = xgboost.Booster(model_file=OLD / f"{name}.json")
    features = np.random.default_rng(0).normal(size=(500, model.width)).astype(np.float32)
    features[np.random.default_rng(1).random(features.shape) < 0.1] = np.nan
    matrix = xgboost.DMatrix(features)
    np.testing.assert_array_equal(model.boosters[0].predict(matrix), theirs.predict(matrix))
    assert model.boosters[0].get_dump(with_stats=True) == theirs.get_dump(with_stats=True)
    assert model.boosters[0].attributes() == theirs.attributes()
    unmarked = (OLD / f"{name}.model").read_bytes().removeprefix(b"binf")
    assert XGBoostModel.load(placed(tmp_path, unmarked)).objective == model.objective


def test_a_model_in_binary_form_can_be_gone_on_from(tmp_path: Path) -> None:
    folder = placed(tmp_path, (OLD / "binary.model").read_bytes())
    params = {"num_round": 2, "objective": "binary:logistic"}
    model, _ = trained(params, rows("binary")[0], initial_model=folder)
    theirs = xgboost.Booster(model_file=OLD / "binary.json")
    expected = plain({"objective": "binary:logistic"}, rows("binary")[0], 2, xgb_model=theirs)
    assert model.boosters[0].get_dump() == expected.get_dump()


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return shutil.copy, (__file__, str(self.target))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_are_refused_unread(tmp_path: Path, protocol: int) -> None:
    sprung = tmp_path / "sprung"
    (tmp_path / "model").mkdir()
    folder = placed(tmp_path / "model", pickle.dumps(Trap(sprung), protocol))
    assert XGBoostModel.recognizes(folder)
    with pytest.raises(CallerError, match=r"is a Python pickle.*Convert it with"):
        XGBoostModel.load(folder)
    assert not sprung.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"{}",
        b'{"learner": {}}',
        b"\x00" * 500,
        b"{L\x00\x00",
        b"binf" + b"\x01" * 300,
    ],
    ids=repr,
)
def test_foreign_files_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CallerError, match=r"model file xgboost-model: is not a (whole )?model"):
        XGBoostModel.load(placed(tmp_path, content))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert not XGBoostModel.recognizes(tmp_path)
    with pytest.raises(CallerError, match="must hold a model file"):
        XGBoostModel.load(tmp_path)


def test_files_of_others_are_not_recognized(tmp_path: Path) -> None:
    placed(tmp_path, b"\x12\x01\x00\x00" + bytes(400), "model_algo-1")
    assert not XGBoostModel.recognizes(tmp_path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("name", ["ubj", "json", *NAMES])
def test_models_cut_short_are_refused(tmp_path: Path, name: str, share: float) -> None:
    if name in NAMES:
        whole = (OLD / f"{name}.model").read_bytes()
    else:
        whole = plain({"max_depth": 2}, rows("regression")[0], 2).save_raw(name)
    with pytest.raises(CallerError, match=r"model file xgboost-model: is not a (whole )?model"):
        XGBoostModel.load(placed(tmp_path, whole[: int(len(whole) * share)]))


@given(name=st.sampled_from(NAMES), data=st.data())
def test_damaged_binary_forms_are_translated_or_refused(name: str, data: st.DataObject) -> None:
    content = bytearray((OLD / f"{name}.model").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    if is_binary_form(bytes(content)):
        try:
            assert translated(bytes(content), "model file").startswith(b'{"learner"')
        except CallerError as error:
            assert "is not a whole model of XGBoost" in str(error)


def test_saving_writes_whole_files_only(tmp_path: Path) -> None:
    model, _ = trained({"num_round": 1}, rows("regression")[0])
    model.save(tmp_path)
    before = (tmp_path / "xgboost-model").read_bytes()
    model.save(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["xgboost-model"]
    assert (tmp_path / "xgboost-model").read_bytes() == before
    assert io.BytesIO(before).read(1) == b"{"
