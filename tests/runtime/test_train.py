"""One training in one tree, by an algorithm of a third party."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clary.algorithms import declaration
from clary.data.sources import Source
from clary.data.staging import stage
from clary.errors import CallerError
from clary.runtime.layout import Layout
from clary.runtime.models import load_model
from clary.storage.artifact import pack
from tests.runtime.column_means import ColumnMeansModel
from tests.runtime.trees import rows, train_here, tree, write_csv

pytestmark = pytest.mark.usefixtures("third_party")

# [MM/DD/YYYY HH:MM:SS LEVEL thread_id] message
_PREFIXED = re.compile(r"\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d [A-Z]+ \d+\] .+")


def small(root: Path, **hyperparameters: str) -> Layout:
    """100 rows to train on, 50 to test on."""
    layout = tree(root, hyperparameters, {"train": {}, "test": {}})
    write_csv(layout.channel("train") / "rows.csv", rows())
    write_csv(layout.channel("test") / "rows.csv", rows(50, seed=1))
    return layout


def test_a_training_leaves_model_metrics_and_report(tmp_path: Path) -> None:
    done = train_here(small(tmp_path, epochs="3"), seed=5)
    assert sorted(done.files()) == [".clary.json", "means.npy"]
    model = load_model(tmp_path / "model")
    assert isinstance(model, ColumnMeansModel)
    # The last batches weigh most: within a row's deviation over the square root of ten rows
    np.testing.assert_allclose(model.means, [0, 1, 2], atol=3 / np.sqrt(10))
    told = done.metrics()
    assert told["algorithm"] == "column-means"
    assert told["seed"] == 5
    assert told["hyperparameters"]["feature_dim"] == 3
    assert [epoch for epoch, _ in told["metrics"]["train:norm"]["history"]] == [0, 1, 2]
    assert told["metrics"]["train:norm"]["last"] == told["metrics"]["train:norm"]["history"][2][1]
    assert told["metrics"]["test:msd"]["history"][0][0] is None
    assert told["channels"]["train"]["rows"] == 100
    assert told["channels"]["test"]["rows"] == 50
    assert told["channels"]["train"]["content_type"] == "text/csv"
    seconds = told["seconds"]
    parts = seconds["read"] + seconds["train"] + seconds["write"]
    assert parts == pytest.approx(seconds["total"])
    page = (done.layout.output_data / "report.html").read_text()
    assert "Column means" in page
    assert "Means, beside 50 rows" in page


def test_the_log_has_sagemakers_form_and_the_declared_metrics_are_found_in_it(
    tmp_path: Path,
) -> None:
    done = train_here(small(tmp_path, epochs="2", force_dense="True"))
    assert all(_PREFIXED.fullmatch(line) for line in done.lines)
    for start in ("Reading default", "Merging with provided", "Final"):
        assert any(f"] {start} configuration: {{" in line for line in done.lines)
    assert any("Without effect here: force_dense" in line for line in done.lines)
    assert any("channel train: 1 file" in line for line in done.lines)
    history = done.metrics()["metrics"]
    for metric in declaration("column-means").metrics:
        found = [float(m[1]) for line in done.lines if (m := re.search(metric.regex, line))]
        assert found == [value for _, value in history[metric.name]["history"]]
    score = history["test:msd"]["last"]
    assert done.lines[-1].endswith(f"] #test_score (algo-1) : ('msd', {score!r})")


@pytest.mark.parametrize("mode", ["FastFile", "Pipe"])
def test_every_input_mode_gives_the_same_model(mode: Any, tmp_path: Path) -> None:
    expected = train_here(small(tmp_path / "file", epochs="3"))
    layout = tree(tmp_path / "other", {"epochs": "3"}, {})
    entries = {channel: {"TrainingInputMode": mode} for channel in ("train", "test")}
    layout.input_data_config.write_text(json.dumps(entries))
    sources = [
        Source(channel, str(expected.layout.channel(channel)), input_mode=mode)
        for channel in entries
    ]
    with stage(sources[0], layout.data), stage(sources[1], layout.data):
        found = train_here(layout)
    assert found.files() == expected.files()
    ours, theirs = found.metrics()["metrics"], expected.metrics()["metrics"]
    assert ours == theirs


def test_the_seed_decides_the_model(tmp_path: Path) -> None:
    one = train_here(small(tmp_path / "one"), seed=1)
    again = train_here(small(tmp_path / "again"), seed=1)
    other = train_here(small(tmp_path / "other"), seed=2)
    assert one.files() == again.files() != other.files()


def test_files_are_shuffled_with_the_seed_of_shuffleconfig(tmp_path: Path) -> None:
    def trained(name: str, entry: Mapping[str, Any]) -> bytes:
        layout = tree(tmp_path / name, {}, {"train": entry})
        for i in range(8):
            write_csv(layout.channel("train") / f"{i}.csv", rows(10, seed=i))
        return train_here(layout).files()["means.npy"]

    plain = trained("plain", {})
    seeded = trained("seeded", {"ShuffleConfig": {"Seed": 3}})
    assert trained("again", {"ShuffleConfig": {"Seed": 3}}) == seeded != plain


@pytest.mark.parametrize("packed", [True, False])
def test_the_model_channel_is_where_training_goes_on(packed: bool, tmp_path: Path) -> None:
    first = train_here(small(tmp_path / "first"))
    layout = small(tmp_path / "second", decay="1")
    entries = json.loads(layout.input_data_config.read_text())
    entries["model"] = {"ContentType": "application/x-sagemaker-model"}
    layout.input_data_config.write_text(json.dumps(entries))
    if packed:
        layout.channel("model").mkdir()
        pack(first.layout.model, layout.channel("model") / "model.tar.gz")
    else:
        layout.channel("model").symlink_to(first.layout.model)
    # A decay of 1 keeps all of what was before
    assert train_here(layout).files()["means.npy"] == first.files()["means.npy"]


def test_an_option_reaches_the_algorithm(tmp_path: Path) -> None:
    done = train_here(small(tmp_path), options={"greeting": "hello"})
    assert "] greeting: hello" in done.text
    with pytest.raises(CallerError, match="option elbow: column-means has no such option"):
        train_here(small(tmp_path / "other"), options={"elbow": "2..20"})


def test_a_fault_in_a_picture_costs_the_pictures_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: ColumnMeansModel, held_out: object) -> None:
        raise ZeroDivisionError("no picture")

    monkeypatch.setattr(ColumnMeansModel, "figures", broken)
    done = train_here(small(tmp_path))
    assert "ZeroDivisionError: no picture" in done.text
    assert "Column means" in (done.layout.output_data / "report.html").read_text()
    assert sorted(done.files()) == [".clary.json", "means.npy"]


@pytest.mark.parametrize(
    ("channels", "told"),
    [
        ({}, "channel train: is required and was not given"),
        (
            {"train": {}, "tset": {}},
            "channel tset: column-means has no such channel. Did you mean 'test'? "
            "Known: train, test, model.",
        ),
        ({"train": {}, "validation": {}}, "channel validation: column-means has no such channel"),
        (
            {"train": {}, "model": {"TrainingInputMode": "Pipe"}},
            "channel model: an earlier model comes in the input mode File, got 'Pipe'",
        ),
        ({"train": {}, "model": {}}, "channel model: there are no files"),
    ],
)
def test_channels_that_do_not_fit_are_refused(
    channels: Mapping[str, Mapping[str, str]], told: str, tmp_path: Path
) -> None:
    layout = tree(tmp_path, {}, channels)
    write_csv(layout.channel("train") / "rows.csv", rows())
    with pytest.raises(CallerError) as caught:
        train_here(layout)
    assert told in str(caught.value)


def test_every_hyperparameter_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(CallerError) as caught:
        train_here(small(tmp_path, epochs="0", epoch="3", decay="2"))
    assert len(caught.value.faults) == 3
    assert "Did you mean 'epochs'?" in str(caught.value)


def test_a_wrong_feature_dim_is_told_with_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match=r"rows\.csv"):
        train_here(small(tmp_path, feature_dim="4"))
    assert list((tmp_path / "model").iterdir()) == []


def test_a_root_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CallerError, match="CLARY_ML_ROOT"):
        train_here(Layout(tmp_path / "file"))
