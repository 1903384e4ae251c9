from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clary.data.sources import Item, Source, is_data, resolve
from clary.errors import CallerError
from clary.storage.folder import FolderStore
from clary.storage.location import Location, Stores
from tests.s3_server import S3Server


def _buckets(root: Path) -> Stores:
    return Stores(lambda name: FolderStore(root / name))


def _lay(root: Path, *keys: str) -> None:
    for key in keys:
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_text(key)


def _names(items: list[Item]) -> list[str]:
    return [item.name for item in items]


def _contents(items: list[Item]) -> list[list[str]]:
    return [
        [
            part.decode() if isinstance(part, bytes) else part.open().read().decode()
            for part in item.parts
        ]
        for item in items
    ]


def test_a_folder_prefix_leaves_names_below_it(tmp_path: Path) -> None:
    _lay(tmp_path / "b", "p/train/x.csv", "p/train/2024/y.csv", "p/test/z.csv")
    for uri in ("s3://b/p/train", "s3://b/p/train/"):
        items = resolve(Source("train", uri), _buckets(tmp_path))
        assert _names(items) == ["2024/y.csv", "x.csv"]
        assert _contents(items) == [["p/train/2024/y.csv"], ["p/train/x.csv"]]


def test_a_prefix_is_a_text_and_names_stay_apart(tmp_path: Path) -> None:
    _lay(tmp_path / "b", "train/2/x", "train2/x", "other")
    items = resolve(Source("train", "s3://b/train"), _buckets(tmp_path))
    assert _names(items) == ["train/2/x", "train2/x"]


def test_a_prefix_may_name_one_object(tmp_path: Path) -> None:
    _lay(tmp_path / "b", "p/train.csv")
    items = resolve(Source("train", "s3://b/p/train.csv"), _buckets(tmp_path))
    assert _names(items) == ["train.csv"]


def test_a_whole_bucket_is_a_prefix(tmp_path: Path) -> None:
    _lay(tmp_path / "b", "x", "p/y")
    assert _names(resolve(Source("train", "s3://b"), _buckets(tmp_path))) == ["p/y", "x"]


def test_local_files_and_folders_are_what_they_are(tmp_path: Path) -> None:
    _lay(tmp_path, "train/x.csv", "train/y.csv", "train.csv", "train.csv.old")
    assert _names(resolve(Source("train", str(tmp_path / "train")), Stores())) == ["x.csv", "y.csv"]
    uri = f"file://{tmp_path}/train.csv"
    items = resolve(Source("train", uri), Stores())
    assert _contents(items) == [["train.csv"]]


def test_nothing_below_a_prefix_is_said_in_sagemakers_words(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    message = 'No S3 objects found under S3 URL "s3://b/none" given in input data source.'
    with pytest.raises(CallerError, match=message):
        resolve(Source("train", "s3://b/none"), _buckets(tmp_path))


def test_folder_marks_of_s3_are_no_objects() -> None:
    class Marked(FolderStore):
        def objects(self, prefix: str = "") -> list[Any]:
            return [type("Object", (), {"key": "p/train/", "size": 0})()]

    with pytest.raises(CallerError, match="No S3 objects found"):
        resolve(Source("train", "s3://b/p/train/"), Stores(lambda name: Marked(Path())))


def test_what_is_missing_here_is_named(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match=r"channel train: there is no such file .*/gone\.csv"):
        resolve(Source("train", str(tmp_path / "gone.csv")), Stores())
    (tmp_path / "empty").mkdir()
    with pytest.raises(CallerError, match="there are no files in the folder"):
        resolve(Source("train", str(tmp_path / "empty")), Stores())
    with pytest.raises(CallerError, match="must be a file or a folder, got '/dev/null'"):
        resolve(Source("train", "/dev/null"), Stores())


def _manifest(tmp_path: Path, content: object) -> Source:
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "b").mkdir(exist_ok=True)
    (tmp_path / "b/.amazon.manifest").write_text(text)
    return Source("train", "s3://b/.amazon.manifest", "ManifestFile")


def test_a_manifest_names_keys_below_its_prefix(tmp_path: Path) -> None:
    _lay(tmp_path / "b", "set/matrix_1.pbr", "set/matrix_0.pbr", "set/more/x", "set/unnamed")
    keys = ["matrix_1.pbr", "matrix_0.pbr", "more/x"]
    source = _manifest(tmp_path, [{"prefix": "s3://b/set/"}, *keys])
    items = resolve(source, _buckets(tmp_path))
    assert _names(items) == ["matrix_0.pbr", "matrix_1.pbr", "more/x"]
    assert _contents(items) == [["set/matrix_0.pbr"], ["set/matrix_1.pbr"], ["set/more/x"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"prefix": "s3://b/"},\n "x",\n ]', r"line [23] column"),
        ("", "must be a JSON array"),
        ("[" * 100_000, "must be a JSON array"),
        (b"\xff\xfe[".decode("latin-1"), "must be a JSON array"),
        ({"prefix": "s3://b/"}, "must be a JSON array"),
        ([], "must be a JSON array"),
        (["x"], "the first item must be an object with a prefix"),
        ([{"prefix": 3}, "x"], "the first item must be an object with a prefix"),
        ([{"prefix": "s3://b/"}, 3], "must be a key, got 3"),
        ([{"prefix": "s3://b/"}], "names no keys"),
        ([{"prefix": "s3://b/"}, "x", "x"], "name each key once, got 'x'"),
        ([{"prefix": "s3://b/"}, "gone"], "does not exist, got '.*/b/gone'"),
        ([{"prefix": "gs://b/"}, "x"], "must be a path, file://"),
    ],
    ids=lambda value: str(value)[:25],
)
def test_faults_of_a_manifest_are_told(tmp_path: Path, content: object, message: str) -> None:
    _lay(tmp_path / "b", "x")
    with pytest.raises(CallerError, match=message):
        resolve(_manifest(tmp_path, content), _buckets(tmp_path))


def _augmented(tmp_path: Path, text: str, *names: str) -> Source:
    (tmp_path / "b").mkdir(exist_ok=True)
    (tmp_path / "b/lines.manifest").write_text(text)
    return Source(
        "train", "s3://b/lines.manifest", "AugmentedManifestFile", "Pipe", attribute_names=names
    )


def test_an_augmented_manifest_gives_its_attributes_in_order(tmp_path: Path) -> None:
    _lay(tmp_path / "b", "one.jpg", "two.jpg")
    lines = (
        '{"source-ref": "s3://b/one.jpg", "class": 3, "text": "a \\"b\\"", "more": [1, 2]}\n'
        "\n"
        '{"class": {"x": null}, "source-ref": "s3://b/two.jpg", "text": "é", "more": true}\n'
    )
    source = _augmented(tmp_path, lines, "class", "source-ref", "text")
    items = resolve(source, _buckets(tmp_path))
    assert _names(items) == ["1", "3"]
    assert _contents(items) == [["3", "one.jpg", 'a "b"'], ['{"x": null}', "two.jpg", "é"]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"a": 1', r"lines\.manifest, line 2: must be a JSON object"),
        ("[1]", "line 2: must be a JSON object"),
        ('{"b": 1}', "line 2: has no attribute 'a-ref'"),
        ('{"a-ref": 1}', "line 2: a-ref must be the URI of an object, got 1"),
        ('{"a-ref": "s3://b/gone"}', "line 2: names an object that does not exist"),
        ("{" * 100_000, "line 2: must be a JSON object"),
        ('{"a-ref": "x://y"}', "must be a path, file://"),
    ],
    ids=lambda value: str(value)[:25],
)
def test_faults_of_an_augmented_manifest_are_told_by_line(
    tmp_path: Path, line: str, message: str
) -> None:
    _lay(tmp_path / "b", "x")
    text = '{"a-ref": "s3://b/x"}\n' + line + "\n"
    with pytest.raises(CallerError, match=message):
        resolve(_augmented(tmp_path, text, "a-ref"), _buckets(tmp_path))


def test_an_empty_augmented_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="the manifest is empty"):
        resolve(_augmented(tmp_path, "", "a"), _buckets(tmp_path))


@given(st.binary(max_size=60))
def test_any_bytes_are_a_manifest_or_a_fault(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes
) -> None:
    path = tmp_path_factory.mktemp("junk") / "manifest"
    path.write_bytes(junk)
    for source in (
        Source("train", str(path), "ManifestFile"),
        Source("train", str(path), "AugmentedManifestFile", "Pipe", attribute_names=("a",)),
    ):
        try:
            resolve(source, Stores())
        except CallerError:
            continue


def test_sources_of_s3_resolve_alike(s3: S3Server) -> None:
    s3.put("sources", "set/b.csv", b"1")
    s3.put("sources", "set/a.csv", b"2")
    prefix = resolve(Source("train", "s3://sources/set/"), Stores())
    assert _contents(prefix) == [["2"], ["1"]]
    text = json.dumps([{"prefix": "s3://sources/set/"}, "b.csv"]).encode()
    uri = s3.put("sources", "list.manifest", text)
    assert _contents(resolve(Source("train", uri, "ManifestFile"), Stores())) == [["1"]]
    line = b'{"x-ref": "s3://sources/set/a.csv"}'
    uri = s3.put("sources", "lines.manifest", line)
    source = Source("train", uri, "AugmentedManifestFile", "Pipe", attribute_names=("x-ref",))
    assert _contents(resolve(source, Stores())) == [["2"]]


def test_a_request_is_read_with_the_jobs_defaults() -> None:
    channel = {
        "ChannelName": "train",
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": "s3://b/train",
                "S3DataDistributionType": "ShardedByS3Key",
            }
        },
        "ContentType": "text/csv",
        "CompressionType": "Gzip",
        "RecordWrapperType": "RecordIO",
        "ShuffleConfig": {"Seed": 7},
    }
    source = Source.from_request(channel, "Pipe")
    assert source == Source(
        "train",
        "s3://b/train",
        input_mode="Pipe",
        distribution="ShardedByS3Key",
        content_type="text/csv",
        compression="Gzip",
        record_wrapper="RecordIO",
        shuffle_seed=7,
    )


def test_a_request_for_a_file_system_is_refused() -> None:
    source = {"FileSystemDataSource": {"FileSystemId": "fs-0123456789"}}
    with pytest.raises(CallerError, match="channel train: its DataSource must be an S3DataSource"):
        Source.from_request({"ChannelName": "train", "DataSource": source})


def test_a_small_request_has_sagemakers_defaults() -> None:
    s3 = {"S3Uri": "s3://b/train", "S3DataType": "S3Prefix"}
    source = Source.from_request(
        {"ChannelName": "train", "DataSource": {"S3DataSource": s3}, "InputMode": "FastFile"}
    )
    assert source == Source("train", "s3://b/train", input_mode="FastFile")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data_type": "Converse"}, "S3DataType must be one of .*, got 'Converse'"),
        ({"data_type": "AugmentedManifestFile"}, "needs the input mode Pipe, got 'File'"),
        ({"data_type": "AugmentedManifestFile", "input_mode": "Pipe"}, "1 to 16 attributes, got 0"),
        ({"attribute_names": ("a",)}, "belong to AugmentedManifestFile, got 'S3Prefix'"),
        ({"data_type": "ManifestFile", "input_mode": "FastFile"}, "FastFile needs S3Prefix"),
        ({"record_wrapper": "RecordIO"}, "RecordIO needs the input mode Pipe, got 'File'"),
    ],
)
def test_members_that_contradict_each_other_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(CallerError, match=f"channel train: .*{message}"):
        Source("train", "s3://b/train", **changes)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("part-0.csv", True),
        ("sub/part_0", True),
        ("_SUCCESS", False),
        (".part-0.csv.crc", False),
        ("_temporary/0/part-0", False),
        ("sub/.hidden/x.csv", False),
    ],
)
def test_marks_of_other_programs_are_no_data(name: str, expected: bool) -> None:
    assert is_data(name) is expected


def test_a_location_knows_its_uri(tmp_path: Path) -> None:
    assert Location(FolderStore(tmp_path), "a/b").uri == f"{tmp_path}/a/b"
