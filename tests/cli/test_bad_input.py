"""Bad input, each with one clear message, exit code 1 and nothing half-written."""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from tests.cli.commands import CLARY, Done, clary_here
from tests.cli.refusals import (
    BINARY,
    FLOWERS,
    KMEANS,
    MULTICLASS,
    PCA,
    TREES,
    TUMORS,
    Lines,
    labelled,
    nothing_left,
    refused,
    trained,
    with_line,
)

ROWS: dict[str, tuple[tuple[str, ...], Lines, tuple[str, ...]]] = {
    "an empty file": (KMEANS, [], ("channel train", "there are no rows", "rows.csv")),
    "blank lines only": (KMEANS, ["", ""], ("channel train", "there are no rows")),
    "a header line": (
        KMEANS,
        with_line(FLOWERS, 1, "length,width,petal_length,petal_width"),
        ("rows.csv, line 1, column 1", "a number", "'length'", "header line", "remove it"),
    ),
    "a header line before labels": (
        TREES,
        with_line(TUMORS, 1, "kind,a,b,c,d"),
        ("rows.csv, line 1, column 1", "the label", "'kind'", "header line"),
    ),
    "an index column under a header": (
        KMEANS,
        [",a,b,c,d", *(f"{number},{line}" for number, line in enumerate(FLOWERS))],
        ("rows.csv, line 1", "header line", "the first column too if it is an index"),
    ),
    "an index column": (
        (*KMEANS, "-p", "feature_dim=4"),
        [f"{number},{line}" for number, line in enumerate(FLOWERS)],
        ("rows.csv, line 1", "4 features, got 5", "Column 1 counts the rows", "Leave it out"),
    ),
    "a short line": (
        PCA,
        with_line(FLOWERS, 61, "1,2,3"),
        ("rows.csv, line 61", "4 fields as line 1 has, got 3"),
    ),
    "a long line": (
        TREES,
        with_line(TUMORS, 400, TUMORS[0] + ",1"),
        ("rows.csv, line 400", "5 fields as line 1 has, got 6"),
    ),
    "text in a number": (
        PCA,
        with_line(FLOWERS, 71, "5.1,three,1.4,0.2"),
        ("rows.csv, line 71, column 2", "a number (feature 1)", "'three'", "categories"),
    ),
    "not a number": (
        KMEANS,
        with_line(FLOWERS, 10, "5.1,nan,1.4,0.2"),
        ("rows.csv, line 10, column 2", "must not be missing", "'nan'", "Fill missing values in"),
    ),
    "an empty field": (
        BINARY,
        with_line(TUMORS, 10, "1,,1,1,1"),
        ("rows.csv, line 10, column 2", "must not be missing (feature 0)"),
    ),
    "infinity": (
        TREES,
        with_line(TUMORS, 10, "1,inf,1,1,1"),
        ("rows.csv, line 10, column 2", "finite", "'inf'"),
    ),
    "a number beyond single precision": (
        PCA,
        with_line(FLOWERS, 10, "1e39,1,1,1"),
        ("rows.csv, line 10, column 1", "finite float32", "'1e39'"),
    ),
    "a missing label": (
        TREES,
        labelled("nan"),
        ("rows.csv, line 20, column 1", "must not be missing (the label)"),
    ),
    "a wrong feature_dim": (
        (*KMEANS, "-p", "feature_dim=5"),
        FLOWERS,
        ("rows.csv, line 1", "must have 5 features, got 4"),
    ),
    "a wrong feature_dim with labels": (
        (*BINARY, "-p", "feature_dim=5"),
        TUMORS,
        ("rows.csv, line 1", "must have 5 features", "got 4"),
    ),
    "a label out of range": (BINARY, labelled("2"), ("row 20", "0 or 1", "got 2")),
    "a label out of range of trees": (TREES, labelled("2"), ("row 20", "from 0 to 1", "2")),
    "a label beyond num_classes": (
        (*MULTICLASS, "-p", "num_classes=3"),
        labelled("3"),
        ("row 20", "from 0 to 2", "got 3"),
    ),
    "a negative label": (BINARY, labelled("-1"), ("row 20", "0 or 1", "got -1")),
    "a fractional label": (BINARY, labelled("0.5"), ("row 20", "0 or 1", "got 0.5")),
    "a fractional label of several": (MULTICLASS, labelled("0.5"), ("row 20", "whole number")),
    "a fractional label of trees": (TREES, labelled("0.5"), ("row 20", "whole number", "0.5")),
    "one class only": (
        BINARY,
        [line for line in TUMORS if line.startswith("1")],
        ("channel train", "two classes", "1"),
    ),
    "one class only of trees": (
        TREES,
        [line for line in TUMORS if line.startswith("1")],
        ("channel train", "two classes", "every row has the same, got '1'"),
    ),
    "fewer rows than clusters": (KMEANS, FLOWERS[:2], ("channel train", "k", "3, got 2")),
    "fewer rows than components": (PCA, FLOWERS[:2], ("channel train", "3 rows, got 2")),
}


@pytest.mark.parametrize("case", ROWS)
def test_rows_that_cannot_be_used(case: str, tmp_path: Path) -> None:
    command, lines, words = ROWS[case]
    (tmp_path / "rows.csv").write_text("".join(f"{line}\n" for line in lines))
    done = trained(tmp_path, *command, "--train", tmp_path / "rows.csv")
    refused(done, *words)
    nothing_left(tmp_path)


REQUESTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "no such algorithm": (("train", "kmaens"), ("'kmaens'", "not known", "mean 'kmeans'?")),
    "an unknown hyperparameter": (
        (*KMEANS, "-p", "zzz=1"),
        ("zzz", "Additional hyperparameters are not allowed", "`clary describe`"),
    ),
    "a misspelt hyperparameter": ((*KMEANS, "-p", "epoch=1"), ("epoch", "Did you mean 'epochs'?")),
    "a misspelt word": (
        (*KMEANS, "-p", "init_method=kmean++"),
        ("init_method: must be one of random, kmeans++", "Did you mean 'kmeans++'?"),
    ),
    "a value beyond its limit": (
        (*KMEANS, "-p", "local_lloyd_tol=1.5"),
        ("local_lloyd_tol: must be at most 1, got '1.5'",),
    ),
    "a value that is no number": (
        (*KMEANS, "-p", "epochs=many"),
        ("epochs: must be an integer of at least 1, got 'many'",),
    ),
    "a required hyperparameter left out": (("train", "kmeans"), ("k: is required", "clusters")),
    "a hyperparameter twice": ((*KMEANS, "-p", "k=4"), ("-p k: was given twice",)),
    "a rule between two": (
        (*BINARY, "-p", "loss=huber_loss"),
        ("loss: a binary_classifier takes auto, logistic, hinge_loss", "'huber_loss'"),
    ),
    "an unknown channel": (
        (*KMEANS, "--channel", "tset=rows.csv"),
        ("channel tset: kmeans has no such channel", "Did you mean 'test'?"),
    ),
    "a channel without its path": ((*KMEANS, "--channel", "test"), ("NAME=VALUE, got 'test'",)),
    "a contradicting content type": (
        (*KMEANS, "--content-type", "application/x-recordio-protobuf"),
        ("rows.csv: is declared as application/x-recordio-protobuf", "looks like text/csv"),
    ),
    "a content type that is not taken": (
        (*KMEANS, "--content-type", "image/png"),
        ("channel train: takes", "text/csv", "got 'image/png'"),
    ),
    "a content type of no channel": (
        (*KMEANS, "--content-type", "test=text/csv"),
        ("--content-type: names a channel that is not given, got 'test'",),
    ),
    "a test channel of another width": (
        (*KMEANS, "--channel", "test=wide.csv"),
        ("channel test: must have 4 features a row, as train has, got 5",),
    ),
    "no hosts": ((*KMEANS, "--hosts", "0"), ("'--hosts'", "0 is not in the range")),
    "an input mode that is none": (
        (*KMEANS, "--input-mode", "Pip"),
        ("'--input-mode'", "'Pip' is not one of 'File', 'FastFile', 'Pipe'"),
    ),
    "a curve that is not declared": (
        (*PCA, "--elbow", "2..5"),
        ("option elbow: pca has no such option",),
    ),
    "a range that falls": ((*KMEANS, "--elbow", "5..2"), ("elbow", "rising", "'5..2'")),
}


@pytest.mark.parametrize("case", REQUESTS)
def test_requests_that_cannot_be_served(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command, words = REQUESTS[case]
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text("\n".join(FLOWERS))
    Path("wide.csv").write_text("\n".join(TUMORS))
    refused(trained(tmp_path, *command, "--train", "rows.csv"), *words)
    nothing_left(tmp_path)


def test_all_faults_of_the_hyperparameters_are_told_at_once(tmp_path: Path) -> None:
    given = ("-p", "k=0", "-p", "epochs=no", "-p", "tol=1")
    done = trained(tmp_path, "train", "kmeans", "--train", tmp_path, *given)
    told = [line.split(": ")[1] for line in done.err.splitlines()]
    assert (done.code, told) == (1, ["tol", "k", "epochs"])


@pytest.mark.parametrize("path", ["nowhere.csv", "nowhere/at/all", "s3:/mistyped", "http://a/b"])
def test_data_that_is_not_there(path: str, tmp_path: Path) -> None:
    refused(trained(tmp_path, *KMEANS, "--train", path), path)
    nothing_left(tmp_path)


def test_a_folder_without_files(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    done = trained(tmp_path, *KMEANS, "--train", tmp_path / "data")
    refused(done, "channel train: there are no files in the folder")


def test_a_training_without_its_channel(tmp_path: Path) -> None:
    refused(trained(tmp_path, *KMEANS), "channel train: is required and was not given")


def test_a_format_that_no_pipe_can_carry(tmp_path: Path) -> None:
    table = pyarrow.table({"a": [1.0, 2.0, 3.0], "b": [2.0, 3.0, 4.0]})
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")
    data = ("--train", tmp_path / "rows.parquet", "--input-mode", "Pipe")
    done = trained(tmp_path, *KMEANS, *data)
    refused(done, "channel train", "Parquet cannot be read from a pipe", "File or FastFile")
    nothing_left(tmp_path)


def test_a_store_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    done = trained(tmp_path, *KMEANS, "--train", "s3://bucket/rows/")
    refused(done, "s3://bucket/rows/", "credentials", "Set AWS_ACCESS_KEY_ID")


@pytest.mark.parametrize("output", ["a file", "s3://bucket/out", "/proc/out"])
def test_an_output_that_cannot_be_written(output: str, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("\n".join(FLOWERS))
    (tmp_path / "a file").touch()
    target = tmp_path / output if output == "a file" else output
    done = clary_here(*KMEANS, "--train", tmp_path / "rows.csv", "--output", target)
    refused(done, str(target))
    assert {path.name for path in tmp_path.iterdir()} == {"rows.csv", "a file"}


# The log meets the first limit, what the training makes meets the others
@pytest.mark.parametrize("limit", [1000, 3000, 12_000])
def test_a_disk_that_fills_up(limit: int, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("\n".join(TUMORS))
    command = [*TREES[:2], "-p", "num_round=20", "--train", "rows.csv", "--output", "out"]
    refused(_limited(limit, tmp_path, *command), "disk is full", "Free some space")
    nothing_left(tmp_path)


def test_a_disk_that_fills_up_under_an_answer(models: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("\n".join(FLOWERS))
    command = ("predict", str(models["pca"]), "rows.csv", "-o", "answers.json")
    refused(_limited(5000, tmp_path, *command), "answers.json", "disk is full")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_data_that_no_check_can_read(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("1,2\n1,x\n")
    given = ("check", tmp_path / "rows.csv", "--algorithm", "kmeans")
    refused(clary_here(*given), "rows.csv, line 2, column 2", "'x'")
    refused(clary_here(*given, "--channel", "tset"), "channel tset: kmeans has no such channel")


def _limited(limit: int, folder: Path, *arguments: str) -> Done:
    """A command whose files cannot grow beyond so many bytes, as on a full disk."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [CLARY, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited,
    )
    return Done(done.returncode, done.stdout, done.stderr)
