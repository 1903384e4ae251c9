from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris

from clary.codecs import formats
from clary.codecs.batch import Batch
from clary.data.contents import Contents
from clary.data.files import FolderChannel
from clary.errors import CallerError
from tests.data.channels import (
    OPTIONAL,
    SUPERVISED,
    UNSUPERVISED,
    csv_lines,
    write_csv,
    write_recordio,
)


def _channel(
    folder: Path,
    contents: Contents | None = None,
    shuffle_seed: int | None = None,
) -> FolderChannel:
    return FolderChannel("train", folder, contents or Contents(UNSUPERVISED), shuffle_seed)


@pytest.fixture
def iris(tmp_path: Path) -> tuple[Path, Batch]:
    """Iris in three files, with labels."""
    x, y = load_iris(return_X_y=True)
    features, label = x.astype(np.float32), y.astype(np.float32)
    lines = csv_lines(features, label)
    for name, part in (("a", lines[:20]), ("b/x", lines[20:90]), ("c", lines[90:])):
        write_csv(tmp_path / f"iris/{name}.csv", part)
    return tmp_path / "iris", Batch(features, label)


def test_files_are_read_in_the_order_of_their_names(iris: tuple[Path, Batch]) -> None:
    folder, expected = iris
    found = _channel(folder, Contents(SUPERVISED)).read()
    assert found.dense().tobytes() == expected.dense().tobytes()
    assert found.labels().tobytes() == expected.labels().tobytes()


def test_the_order_is_that_of_keys_and_not_of_folders(tmp_path: Path) -> None:
    # As keys "a-b/x" comes before "a/x"; folder by folder it would not.
    write_csv(tmp_path / "a/x", ["2"])
    write_csv(tmp_path / "a-b/x", ["1"])
    assert _channel(tmp_path).read().dense().ravel().tolist() == [1, 2]


def test_a_last_line_without_its_end_is_a_row_of_its_own(tmp_path: Path) -> None:
    write_csv(tmp_path / "a", ["1,2", "3,4"], end="")
    write_csv(tmp_path / "b", ["5,6"], end="")
    assert _channel(tmp_path).read().dense().tolist() == [[1, 2], [3, 4], [5, 6]]


def test_marks_and_empty_files_are_left_out_and_named(tmp_path: Path) -> None:
    write_csv(tmp_path / "part-0.csv", ["1,2"])
    for name in ("_SUCCESS", ".part-0.csv.crc", "_temporary/0/part-1.csv"):
        write_csv(tmp_path / name, ["not,data"])
    (tmp_path / "part-1.csv").touch()
    channel = _channel(tmp_path)
    assert channel.read().rows == 1
    assert channel.intake.left_out == (
        ".part-0.csv.crc",
        "_SUCCESS",
        "_temporary/0/part-1.csv",
        "part-1.csv",
    )
    left_out = "left out: .part-0.csv.crc, _SUCCESS, _temporary/0/part-1.csv and 1 more"
    assert str(channel.intake).endswith(left_out)


def test_compressed_files_are_read(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv.gz", ["1,2"], packed=True)
    write_csv(tmp_path / "b.csv", ["3,4"])
    # As Spark writes partitions without rows.
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(b""))
    (tmp_path / "0").write_bytes(gzip.compress(b""))
    assert _channel(tmp_path).read().dense().tolist() == [[1, 2], [3, 4]]


def test_a_channel_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="channel train: there is no folder for it"):
        _channel(tmp_path / "gone")
    with pytest.raises(CallerError, match=r"channel train: there are no files.*ShardedByS3Key"):
        _channel(tmp_path)
    (tmp_path / "empty.csv").touch()
    with pytest.raises(CallerError, match=r"there are no rows.*got 'empty\.csv'"):
        _channel(tmp_path)


def test_a_channel_without_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "blank.csv").write_bytes(b"\n\n")
    with pytest.raises(CallerError, match="channel train"):
        _channel(tmp_path, Contents(UNSUPERVISED, "text/csv")).read()


@pytest.mark.parametrize(
    ("label", "content_type", "expected"),
    [
        ("first", None, 1),
        ("first", "text/csv", 1),
        ("first", "text/csv;label_size=0", 0),
        ("first", "text/csv; label_size=2", 2),
        ("none", None, 0),
        ("none", "text/csv", 0),
        ("none", "text/csv;label_size=1", 1),
        ("optional", "text/csv", 0),
        ("optional", "text/csv;label_size=1", 1),
    ],
)
def test_the_label_columns_are_what_was_said_or_what_the_channel_needs(
    tmp_path: Path, label: str, content_type: str | None, expected: int
) -> None:
    spec = {"first": SUPERVISED, "none": UNSUPERVISED, "optional": OPTIONAL}[label]
    write_csv(tmp_path / "a.csv", ["1,2,3", "4,5,6"])
    found = _channel(tmp_path, Contents(spec, content_type)).read()
    assert found.width == 3 - expected
    if label == "none" or expected == 0:
        assert found.label is None
    else:
        assert np.atleast_2d(found.labels().T).T.shape == (2, expected)


def test_labels_in_records_are_dropped_where_nobody_wants_them(tmp_path: Path) -> None:
    batch = Batch(np.eye(3, dtype=np.float32), np.arange(3, dtype=np.float32))
    write_recordio(tmp_path / "a.pbr", batch)
    assert _channel(tmp_path, Contents(UNSUPERVISED)).read().label is None
    for spec in (SUPERVISED, OPTIONAL):
        assert _channel(tmp_path, Contents(spec)).read().labels().tolist() == [0, 1, 2]


def test_the_content_type_is_found_and_told(tmp_path: Path) -> None:
    write_recordio(tmp_path / "records/a", Batch(np.ones((2, 3), np.float32)))
    found = _channel(tmp_path / "records").intake
    assert (found.content_type, found.sniffed) == ("application/x-recordio-protobuf", True)
    write_csv(tmp_path / "csv/a", ["1,2"])
    assert (
        str(_channel(tmp_path / "csv").intake) == "1 file, 4 bytes, text/csv (by its first bytes)"
    )
    declared = _channel(tmp_path / "csv", Contents(SUPERVISED, "text/csv;label_size=1")).intake
    assert str(declared) == "1 file, 4 bytes, text/csv;label_size=1 (as declared)"


@pytest.mark.parametrize("declared", ["text/csv", "application/x-parquet", "text/libsvm"])
def test_a_declared_type_that_the_bytes_contradict_is_refused_at_once(
    tmp_path: Path, declared: str
) -> None:
    write_recordio(tmp_path / "a.csv", Batch(np.ones((2, 3), np.float32)))
    message = f"train, a.csv: is declared as {declared} and looks like application/x-record"
    with pytest.raises(CallerError, match=message):
        _channel(tmp_path, Contents(UNSUPERVISED, declared))


def test_records_declared_and_text_found_is_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "a", ["1,2"])
    with pytest.raises(CallerError, match="declared as application/x-recordio-protobuf and looks"):
        _channel(tmp_path, Contents(UNSUPERVISED, "application/x-recordio-protobuf"))


def test_a_type_that_the_channel_does_not_take_is_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "a", ["1,2"])
    with pytest.raises(CallerError, match=r"channel train: takes application.*, got 'image/jpeg'"):
        _channel(tmp_path, Contents(UNSUPERVISED, "image/jpeg"))


def test_files_of_different_widths_are_refused_by_name(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", ["1,2,3"])
    write_csv(tmp_path / "b.csv", ["1,2"])
    message = r"train, b\.csv: rows must have as many features as those of a\.csv, 3, got 2"
    with pytest.raises(CallerError, match=message):
        _channel(tmp_path).read()


def test_a_width_that_is_off_by_the_label_is_explained(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", ["1,2,3"])
    with pytest.raises(CallerError, match=r"must have 2 features.*say text/csv;label_size=1"):
        _channel(tmp_path, Contents(UNSUPERVISED, "text/csv", width=2)).read()
    with pytest.raises(CallerError, match=r"must have 3 features.*say text/csv;label_size=0"):
        _channel(tmp_path, Contents(SUPERVISED, "text/csv", width=3)).read()


def test_rows_of_libsvm_are_as_wide_as_the_widest_where_that_matters(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.libsvm", ["1 0:1", "0 1:1"])
    write_csv(tmp_path / "b.libsvm", ["1 6:1"])
    write_csv(tmp_path / "c.libsvm", ["0 2:1"])
    by_batch = [batch.width for batch in _channel(tmp_path).batches(2)]
    assert by_batch == [2, 7]
    channel = _channel(tmp_path, Contents(SUPERVISED, one_width=True))
    assert channel.width == 7
    assert [batch.width for batch in channel.batches(1)] == [7, 7, 7, 7]
    assert _channel(tmp_path, Contents(SUPERVISED, width=9, one_width=True)).width == 9


def _reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are decoded from now on."""
    names: list[str] = []
    whole = formats.decode

    def counted(stream, name, content_type, reading):  # type: ignore[no-untyped-def]
        names.append(name)
        return whole(stream, name, content_type, reading)

    monkeypatch.setattr(formats, "decode", counted)
    return names


def test_later_epochs_come_from_memory_where_they_fit(
    iris: tuple[Path, Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = _reads(monkeypatch)
    channel = _channel(iris[0], Contents(SUPERVISED))
    epochs = [list(channel.batches(17, epoch)) for epoch in range(3)]
    assert names == ["a.csv", "b/x.csv", "c.csv"]
    assert [batch.dense().tobytes() for batch in epochs[0]] == [
        batch.dense().tobytes() for batch in epochs[2]
    ]


def test_what_does_not_fit_into_memory_is_read_again(
    iris: tuple[Path, Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLARY_CACHE_BYTES", "2500")
    names = _reads(monkeypatch)
    channel = _channel(iris[0], Contents(SUPERVISED))
    for epoch in range(2):
        assert sum(batch.rows for batch in channel.batches(17, epoch)) == 150
    assert names == ["a.csv", "b/x.csv", "c.csv"] * 2


def test_an_epoch_left_early_is_not_kept(iris: tuple[Path, Batch]) -> None:
    channel = _channel(iris[0], Contents(SUPERVISED))
    next(channel.batches(10, 0))
    assert sum(batch.rows for batch in channel.batches(10, 1)) == 150


@pytest.mark.parametrize("cache_bytes", ["0", "1000000"])
def test_a_seed_shuffles_files_each_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache_bytes: str
) -> None:
    monkeypatch.setenv("CLARY_CACHE_BYTES", cache_bytes)
    for number in range(8):
        write_csv(tmp_path / f"{number}.csv", [f"{number}"])
    channel = _channel(tmp_path, shuffle_seed=3)
    orders = [
        [int(batch.dense()[0, 0]) for batch in channel.batches(1, epoch)] for epoch in range(3)
    ]
    assert all(sorted(order) == list(range(8)) for order in orders)
    assert orders[0] != orders[1] != orders[2]


def test_looking_ahead_takes_nothing_away(iris: tuple[Path, Batch]) -> None:
    channel = _channel(iris[0], Contents(SUPERVISED))
    assert channel.width == 4
    assert channel.sample(30).rows == 30
    assert channel.read().rows == 150


def test_the_intake_counts_one_epoch_and_all_seconds(iris: tuple[Path, Batch]) -> None:
    folder, _ = iris
    channel = _channel(folder, Contents(SUPERVISED))
    for epoch in range(2):
        list(channel.batches(50, epoch))
    found = channel.intake
    assert found.files == 3
    assert found.bytes == sum(path.stat().st_size for path in folder.rglob("*.csv"))
    assert found.rows == 150
    assert found.seconds > 0


def test_an_error_names_the_file(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", ["1,2"])
    write_csv(tmp_path / "sub/b.csv", ["1,x"])
    with pytest.raises(CallerError, match=r"sub/b\.csv"):
        _channel(tmp_path).read()
