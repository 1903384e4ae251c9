"""`clary score-stream`: a model that follows a stream."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import click

from clary.algorithms import declaration, model_class
from clary.cli import options
from clary.codecs.content_type import CSV, JSONLINES, parse_content_type
from clary.errors import CallerError
from clary.kit.model import StreamModel
from clary.kit.parallel import one_thread_blas
from clary.runtime.interruption import Interruption, Stopped
from clary.runtime.models import load_model, replace_model
from clary.runtime.stream import Stream
from clary.storage.folder import explained

_EMPTY = "randomcutforest"


@click.command("score-stream")
@click.argument("model", type=click.Path(path_type=Path), required=False)
@click.option(
    "--input",
    "source",
    metavar="PATH",
    default="-",
    help="File or FIFO of records; by default they come on standard input.",
)
@click.option(
    "--content-type",
    metavar="TYPE",
    help="Of the records: text/csv or application/jsonlines; without it the first line decides.",
)
@click.option(
    "--accept",
    metavar="TYPE",
    default=JSONLINES,
    show_default=True,
    help="Of the answers: application/jsonlines or text/csv.",
)
@click.option(
    "-p",
    "given",
    metavar="NAME=VALUE",
    multiple=True,
    help="Hyperparameters of a new forest; of a MODEL time_decay can be changed.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of a new forest.")
@click.option("--verbose", is_flag=True, help="Tell what each feature adds to the score, too.")
@click.option(
    "--save",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Where the model goes at the end, at SIGTERM and Ctrl-C: a folder or a .tar.gz. "
    "Without MODEL, the model that is there is gone on from.",
)
@click.option(
    "--save-every",
    metavar="RECORDS",
    type=click.IntRange(1),
    help="Save after each so many records, too.",
)
def score_stream(
    model: Path | None,
    source: str,
    content_type: str | None,
    accept: str,
    given: tuple[str, ...],
    seed: int,
    verbose: bool,
    save: Path | None,
    save_every: int | None,
) -> None:
    """Score each record of a stream, which then becomes part of MODEL.

    A record is a line of CSV or JSON Lines; its answer is a line, written before the next record is
    read. The answer to a record that cannot be used says why, and the stream goes on.
    """
    if save_every and not save:
        raise CallerError.of("--save-every", "needs --save")
    if save and not os.access(save.parent, os.W_OK):
        # At the end it would be too late to say so
        raise CallerError.of(f"--save {save}", "must be in a folder that can be written")
    follower = _Follower(model or (save if save and save.exists() else None), given, seed)

    def kept(records: int) -> None:
        if save and save_every and records % save_every == 0:
            follower.save(save)

    interruption = Interruption()
    with (
        interruption.listening(),
        one_thread_blas(),
        suppress(Stopped),
        _opened(source, interruption) as records,
    ):
        stream = Stream(
            records,
            sys.stdout.buffer,
            follower.of_width,
            _text_type("--accept", accept),
            _text_type("--content-type", content_type) if content_type else None,
            verbose,
            kept,
        )
        try:
            stream.run(interruption)
        except BrokenPipeError:
            # So that nothing is flushed into the broken pipe when the process ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        finally:
            if save:
                follower.save(save)
            told = f"{stream.records:,} records, {stream.faults:,} of them not usable"
            click.echo(told, err=True)


class _Follower:
    """The model that follows; a new one is made when the width of its records is known."""

    def __init__(self, path: Path | None, given: tuple[str, ...], seed: int) -> None:
        self._given, self._seed = options.pairs("-p", given), seed
        self._model: StreamModel | None = None
        if path:
            loaded = load_model(path)
            if not isinstance(loaded, StreamModel):
                name = loaded.algorithm.name
                raise CallerError.of(f"model {path}", "must be of one that follows streams", name)
            loaded.changed(self._given)
            self._model = loaded
        else:
            self._parsed(None)

    def of_width(self, width: int) -> StreamModel:
        if self._model is None:
            kind: Any = model_class(declaration(_EMPTY))
            self._model = kind.empty(self._parsed(width), self._seed)
        assert self._model is not None
        return self._model

    def save(self, path: Path) -> None:
        """Nothing, as long as there was no record to make a model for."""
        if self._model is not None:
            replace_model(self._model, path)

    def _parsed(self, width: int | None) -> Any:
        settled = {"feature_dim": width, **self._given} if width else self._given
        return declaration(_EMPTY).hyperparameters.parse(settled)


def _text_type(option: str, given: str) -> str:
    name = parse_content_type(given).name
    if name not in {CSV, JSONLINES}:
        raise CallerError.of(option, f"must be {CSV} or {JSONLINES}", given)
    return name


@contextmanager
def _opened(path: str, interruption: Interruption) -> Iterator[BinaryIO]:
    """The records; a FIFO opens when somebody writes to it."""
    if path == "-":
        yield sys.stdin.buffer
        return
    with ExitStack() as stack:
        with explained(Path(path)), interruption.waiting():
            source = stack.enter_context(Path(path).open("rb"))
        yield source
