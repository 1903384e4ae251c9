"""`clary predict`, `clary evaluate`, `clary inspect` and `clary serve`: what a model is asked."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click

from clary import settings
from clary.cli import options
from clary.cli.data import opened
from clary.cli.terminal import answer, answer_json, answer_table, shown
from clary.codecs.content_type import EXTENSIONS
from clary.errors import CallerError
from clary.kit.model import Model
from clary.kit.parallel import one_thread_blas
from clary.runtime.models import load_model
from clary.runtime.negotiate import answer_type, answers, request_type
from clary.runtime.serve import serve as serve_model
from clary.spec.algorithm import Algorithm
from clary.spec.channels import ChannelSpec
from clary.storage.folder import whole_file

_HEAD_BYTES = 64 * 1024
_ITEMS_SHOWN = 8


@click.command()
@options.model
@click.argument("input", type=click.Path(path_type=Path))
@options.content_type
@click.option("--accept", metavar="TYPE", help="Content type of the answer.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File for the answer.")
def predict(
    model: Path, input: Path, content_type: str | None, accept: str | None, output: Path | None
) -> None:
    """Write what an endpoint would answer to the rows of INPUT, which have no label."""
    if not input.is_file():
        raise CallerError.of(str(input), "must be an existing file")
    loaded = load_model(model)
    if accept is None and output is not None:
        accept = _type_of(output, loaded.algorithm)
    # One thread, as in an endpoint: the last bit of a product may depend on their number
    with one_thread_blas(), input.open("rb") as stream, _sink(output) as sink:
        for piece in _answered(loaded, stream, input, content_type, accept):
            sink.write(piece)


@click.command()
@options.model
@click.option("--test", required=True, metavar="PATH", help="Data to score the model on.")
@options.content_type
@options.as_json
def evaluate(model: Path, test: str, content_type: str | None, as_json: bool) -> None:
    """Score a model on data."""
    loaded = load_model(model)
    spec = _scored_channel(loaded.algorithm)
    with opened(test, spec, content_type, loaded.width) as channel:
        scores = loaded.evaluate(channel)
    for remark in loaded.remarks():
        click.echo(remark, err=True)
    if as_json:
        return answer_json({"metrics": scores})
    return answer_table(("metric", "value"), [(name, shown(v)) for name, v in scores.items()])


@click.command()
@options.model
@options.as_json
def inspect(model: Path, as_json: bool) -> None:
    """Show what is inside a model: coefficients, centroids, components, importances."""
    loaded = load_model(model)
    summary = {"algorithm": loaded.algorithm.name, **loaded.summary()}
    if as_json:
        return answer_json(summary)
    return _show(summary)


@click.command()
@options.model
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
def serve(model: Path, host: str, port: int) -> None:
    """Serve a model over HTTP: /ping, /invocations, /execution-parameters."""
    serve_model(model, host, port)


def _answered(
    model: Model, stream: BinaryIO, path: Path, content_type: str | None, accept: str | None
) -> Iterator[bytes]:
    """The answer in pieces."""
    serving = settings.serving()
    head = stream.read(_HEAD_BYTES)
    stream.seek(0)
    read = request_type(model.algorithm.inference, content_type, head)
    written = answer_type(model.algorithm.inference, accept, serving)
    return answers(model, stream, str(path), read, written, serving)


@contextmanager
def _sink(output: Path | None) -> Iterator[Any]:
    """Where the answer goes: a file, whole or not at all, or standard output."""
    if output is None:
        yield sys.stdout.buffer
        if sys.stdout.isatty():
            answer("")
    else:
        with whole_file(output) as sink:
            yield sink


def _type_of(output: Path, algorithm: Algorithm) -> str | None:
    """The content type that the extension of the answer's file means, if it can be written."""
    name = EXTENSIONS.get(output.suffix.lower())
    return name if name in algorithm.inference.returns else None


def _scored_channel(algorithm: Algorithm) -> ChannelSpec:
    """Where a model is scored: the test channel, else validation, else rows as in train."""
    named = {channel.name: channel for channel in algorithm.channels}
    return named.get("test") or named.get("validation") or named["train"]


def _show(summary: Mapping[str, Any]) -> None:
    """Numbers and words as lines, lists of records as tables."""
    for name, value in summary.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            rows = [[shown(cell) for cell in row.values()] for row in value]
            answer_table(list(value[0]), rows, title=name)
        elif isinstance(value, Mapping):
            answer_table(("", ""), [(key, shown(v)) for key, v in value.items()], title=name)
        else:
            answer(f"{name}: {_short(value)}")


def _short(value: Any) -> str:
    """Long lists are cut; `--json` has all of them."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        items = list(value)
        text = ", ".join(
            _short(item) if isinstance(item, list) else shown(item) for item in items[:_ITEMS_SHOWN]
        )
        more = f", … {len(items)} in all" if len(items) > _ITEMS_SHOWN else ""
        return f"[{text}{more}]"
    return shown(value)
