"""The three JSON files: as SageMaker writes them, with faults, and as launchers write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clary.data.sources import Source
from clary.errors import CallerError
from clary.runtime.config import ChannelConfig, Config, Resources, read_config, write_config
from clary.runtime.layout import Layout

HYPERPARAMETERS = "hyperparameters.json"
CHANNELS = "inputdataconfig.json"
RESOURCES = "resourceconfig.json"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    layout.make()
    return layout


def write(layout: Layout, name: str, text: str) -> Config:
    (layout.config / name).write_text(text)
    return read_config(layout)


def test_the_files_that_sagemaker_writes_are_read(layout: Layout) -> None:
    write(layout, HYPERPARAMETERS, '{"k": "10", "mini_batch_size": "500"}')
    write(
        layout,
        CHANNELS,
        """{"train": {"ContentType": "text/csv", "TrainingInputMode": "Pipe",
            "S3DistributionType": "ShardedByS3Key", "RecordWrapperType": "RecordIO"},
            "test": {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None"}}""",
    )
    config = write(
        layout,
        RESOURCES,
        """{"current_host": "algo-2", "current_instance_type": "ml.m5.xlarge",
            "current_group_name": "homogeneousCluster", "hosts": ["algo-2", "algo-10", "algo-1"],
            "instance_groups": [{"instance_group_name": "homogeneousCluster",
            "instance_type": "ml.m5.xlarge", "hosts": ["algo-1", "algo-2", "algo-10"]}],
            "network_interface_name": "eth0"}""",
    )
    assert config.hyperparameters == {"k": "10", "mini_batch_size": "500"}
    assert config.channels == {
        "train": ChannelConfig("text/csv", "Pipe", "ShardedByS3Key", "RecordIO"),
        "test": ChannelConfig(),
    }
    assert config.resources.hosts == ("algo-1", "algo-10", "algo-2")
    assert config.resources.current_host == "algo-2"
    assert config.resources.instance_type == "ml.m5.xlarge"
    assert not config.resources.is_leader


def test_without_files_folders_are_channels_and_there_is_one_host(layout: Layout) -> None:
    layout.channel("train").mkdir()
    layout.channel("test").mkdir()
    (layout.data / "notes.txt").write_text("no channel")
    config = read_config(layout)
    assert config.hyperparameters == {}
    assert config.channels == {"train": ChannelConfig(), "test": ChannelConfig()}
    assert config.resources == Resources("algo-1", ("algo-1",), None)


def test_unknown_keys_are_let_be(layout: Layout) -> None:
    config = write(layout, CHANNELS, '{"train": {"ContentType": "text/csv", "Newer": {"a": 1}}}')
    assert config.channels["train"] == ChannelConfig("text/csv")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (HYPERPARAMETERS, "{", "must be JSON"),
        (HYPERPARAMETERS, "[1, 2]", "must be a JSON object"),
        (HYPERPARAMETERS, '{"k": "\xe9', "must be JSON"),
        (CHANNELS, '{"train": "text/csv"}', "train: must be an object"),
        (CHANNELS, '{"train": {"ContentType": 5}}', "train.ContentType: must be text"),
        (
            CHANNELS,
            '{"train": {"TrainingInputMode": "Tape"}}',
            "train.TrainingInputMode: must be File or FastFile or Pipe, got 'Tape'",
        ),
        (CHANNELS, '{"train": {"S3DistributionType": []}}', "train.S3DistributionType: must be"),
        (CHANNELS, '{"train": {"RecordWrapperType": null}}', "train.RecordWrapperType: must be"),
        (CHANNELS, '{"train": {"ShuffleConfig": {}}}', "train.ShuffleConfig: must have a Seed"),
        (RESOURCES, '{"hosts": []}', "hosts: must be a list of names"),
        (RESOURCES, '{"hosts": [1]}', "hosts: must be a list of names"),
        (RESOURCES, '{"hosts": ["a", "a"]}', "hosts: must not name a host twice"),
        (RESOURCES, '{"hosts": ["a"]}', "current_host: must be one of a"),
        (RESOURCES, '{"hosts": ["a"], "current_host": "b"}', "current_host: must be one of a"),
    ],
)
def test_a_fault_names_file_and_key(layout: Layout, name: str, text: str, told: str) -> None:
    with pytest.raises(CallerError) as caught:
        write(layout, name, text)
    assert str(layout.config / name) in str(caught.value)
    assert told in str(caught.value)


def test_deeply_nested_json_is_a_fault_and_no_crash(layout: Layout) -> None:
    with pytest.raises(CallerError, match="must be JSON"):
        write(layout, HYPERPARAMETERS, "[" * 100_000)


def test_what_a_launcher_writes_is_read_back(layout: Layout) -> None:
    sources = [
        Source("train", "s3://bucket/train", content_type="text/csv", input_mode="FastFile"),
        Source("test", "/data/test", distribution="ShardedByS3Key", shuffle_seed=7),
    ]
    resources = Resources("algo-2", ("algo-1", "algo-2"), "ml.c5.xlarge")
    values = {"k": 10, "names": ["a", "b"], "rate": 0.1, "dense": True, "word": "auto"}
    write_config(layout, values, sources, resources)
    assert json.loads(layout.hyperparameters.read_text()) == {
        "k": "10",
        "names": '["a", "b"]',
        "rate": "0.1",
        "dense": "True",
        "word": "auto",
    }
    config = read_config(layout)
    assert config.resources == resources
    assert config.channels == {
        "train": ChannelConfig("text/csv", "FastFile", uri="s3://bucket/train"),
        "test": ChannelConfig(None, "File", "ShardedByS3Key", uri="/data/test", shuffle_seed=7),
    }
