"""`clary transform`: a batch transform of files, without a server."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import click

from clary.cli import options
from clary.cli.terminal import answer, answer_json
from clary.data.sources import Item, Source, resolve
from clary.errors import CallerError, Fault
from clary.jobs.transforming.containers import Pipeline, loaded_container
from clary.jobs.transforming.outputs import SUFFIX
from clary.jobs.transforming.request import Transform, batch_environment
from clary.jobs.transforming.run import TransformRun
from clary.storage.folder import FolderStore
from clary.storage.location import Stores

_SPLITS = click.Choice(["None", "Line", "RecordIO", "TFRecord"])
_ASSEMBLED = click.Choice(["None", "Line"])


@click.command()
@options.model
@click.argument("input")
@click.option("--output", required=True, type=options.FOLDER, help="Folder for the answers.")
@options.content_type
@click.option("--accept", metavar="TYPE", help="Content type of the answers.")
@click.option("--split-type", type=_SPLITS, help="What a record is; None: a whole file.")
@click.option("--assemble-with", type=_ASSEMBLED, help="Line: a newline after each answer.")
@click.option("--batch-strategy", type=click.Choice(["MultiRecord", "SingleRecord"]))
@click.option("--compression-type", type=click.Choice(["None", "Gzip"]))
@click.option("--data-type", type=click.Choice(["S3Prefix", "ManifestFile"]), default="S3Prefix")
@click.option("--max-payload-in-mb", type=click.IntRange(1, 100), help="Of one request.")
@click.option("--max-concurrent-transforms", type=click.IntRange(1, 100), help="Requests at once.")
@click.option("--input-filter", metavar="PATH", help="Part of a record the model gets: $[1:].")
@click.option("--output-filter", metavar="PATH", help="Part that is written: $[0,-1].")
@click.option("--join-source", type=click.Choice(["None", "Input"]), help="Input: records, too.")
@options.as_json
def transform(model: Path, input: str, output: Path, as_json: bool, **given: Any) -> None:
    """Write a model's answers to each file of INPUT, a file or a folder, as a batch transform."""
    request = _request(given)
    asked = Transform.of(request)
    pipeline = Pipeline([loaded_container(model, None, batch_environment(request))])
    store = FolderStore(output)
    faults, written = [], 0
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output, prefix=".", suffix=".partial") as scratch:
        run = TransformRun(
            asked,
            pipeline,
            lambda path, name: store.put(path, name + SUFFIX),
            Path(scratch),
            Event(),
        )
        for name, fault in run.over(_items(input, given["data_type"])):
            if fault is None:
                written += 1
            else:
                faults += [CallerError.of(name, f"has no output: {fault}").faults[0]]
    if faults:
        raise CallerError(*faults, Fault(str(output), f"{written} outputs were written"))
    if as_json:
        answer_json({"output": str(output), "objects": written})
    else:
        answer(f"{written} {'file' if written == 1 else 'files'} written below {output}")


def _items(uri: str, data_type: Any) -> Iterator[Item]:
    yield from resolve(Source("INPUT", uri, data_type), Stores())


def _request(given: dict[str, Any]) -> dict[str, Any]:
    """The options as the members of CreateTransformJob."""
    return {
        "TransformInput": _only(
            ContentType=given["content_type"],
            SplitType=given["split_type"],
            CompressionType=given["compression_type"],
        ),
        "TransformOutput": _only(Accept=given["accept"], AssembleWith=given["assemble_with"]),
        "DataProcessing": _only(
            InputFilter=given["input_filter"],
            OutputFilter=given["output_filter"],
            JoinSource=given["join_source"],
        ),
        **_only(
            BatchStrategy=given["batch_strategy"],
            MaxPayloadInMB=given["max_payload_in_mb"],
            MaxConcurrentTransforms=given["max_concurrent_transforms"],
        ),
    }


def _only(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
