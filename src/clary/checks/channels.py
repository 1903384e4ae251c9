"""Questions about the data that a training takes, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from clary.checks.rows import WIDTH
from clary.checks.trainings import PLAIN, ROWS, Outcome, Setting, Trainings, text_of, types_of
from clary.checks.verdict import Wrong, want, want_refused, want_same
from clary.codecs.batch import Batch
from clary.codecs.content_type import CSV, LIBSVM, PARQUET, RECORDIO
from clary.errors import CallerError
from clary.spec.metrics import PROGRESS, THROUGHPUT

# Sparse rows take another path through the arithmetic, and the linear learner does not center them
_SPARSE_TOLERANCE = 0.1


def every_content_type_trains(trainings: Trainings) -> str:
    """Every content type of every channel trains, told or found by its first bytes."""
    plain = trainings.of(trainings.first)
    tried = []
    for channel in trainings.algorithm.channels:
        for kind in types_of(channel):
            types = ((channel.name, kind),)
            told = trainings.of(trainings.first, Setting(types))
            if channel.name == "train":
                found = trainings.of(trainings.first, Setting(types, told=False))
                want(told.bytes == found.bytes, f"{kind} gives another model where it is not told")
            _want_alike(f"{channel.name} in {kind}", told, plain, sparse=kind == LIBSVM)
            tried.append(f"{channel.name} {kind}")
    return ", ".join(tried)


def input_modes_agree(trainings: Trainings) -> str:
    """File, FastFile and Pipe give the same model, to the byte, in every format that they take."""
    channel = trainings.algorithm.channel("train")
    for kind in types_of(channel):
        types = (("train", kind),)
        in_files = trainings.of(trainings.first, Setting(types)).bytes
        for mode in channel.modes:
            setting = Setting(types, input_mode=mode)
            if mode == "Pipe" and kind == LIBSVM and "feature_dim" in _names(trainings):
                setting = replace(setting, extra=(("feature_dim", str(WIDTH)),))
            if mode == "Pipe" and kind == PARQUET:
                train = {"train": trainings.rows_of(trainings.first)}
                want_refused("Parquet in a pipe", trainings.refusal(train, setting), "pipe")
            else:
                same = trainings.of(trainings.first, setting).bytes == in_files
                want(same, f"{mode}: {kind} gives another model than from files")
    return ", ".join(channel.modes)


def wrong_channels_are_refused(trainings: Trainings) -> str:
    """Channels that are missing, misspelt or of another type than told are refused."""
    batch = trainings.rows_of(trainings.first)
    # Text in one case and no text in the other, so that the first bytes contradict
    other = RECORDIO if trainings.usual_type == CSV else CSV
    contradiction = Setting((("train", other),))
    said = [
        want_refused("no train", trainings.refusal({}), "channel train"),
        want_refused(
            "a misspelt channel",
            trainings.refusal({"train": batch, "trian": batch}),
            "channel trian",
            "'train'",
        ),
        want_refused(
            "contradicted type",
            trainings.refusal({"train": text_of(batch, trainings.usual_type)}, contradiction),
            "channel train",
        ),
    ]
    return "; ".join(said)


def bad_data_are_refused(trainings: Trainings) -> str:
    """Data that cannot be used are refused with a sentence that says where and what."""
    said = []
    for what, channels, setting, words in _bad(trainings):
        said.append(want_refused(what, trainings.refusal(channels, setting), *words))
    one_row = {"train": trainings.rows_of(trainings.first, ROWS).slice(0, 1)}
    refused = trainings.refusal(one_row)
    if refused is not None:
        said.append(want_refused("one row", refused))
    return "; ".join([*said, *_refused_rows(trainings)])


def _bad(
    trainings: Trainings,
) -> Iterator[tuple[str, Mapping[str, Batch | bytes], Setting, tuple[str, ...]]]:
    """What is wrong, channels that have it, their setting, and words of the refusal."""
    batch = trainings.rows_of(trainings.first)
    yield "an empty file", {"train": b""}, PLAIN, ("train", "empty")
    if batch.has_columns:
        for what, changed, words in _bad_texts(
            trainings, text_of(batch, CSV).decode().splitlines()
        ):
            yield what, {"train": "\n".join(changed).encode()}, PLAIN, ("part-0.csv", *words)
        return
    yield "infinity", {"train": _with(batch, np.inf)}, PLAIN, ()
    if not trainings.algorithm.channel("train").missing:
        yield "NaN", {"train": _with(batch, np.nan)}, PLAIN, ()
    if "feature_dim" in _names(trainings):
        wrong = replace(PLAIN, extra=(("feature_dim", str(WIDTH + 2)),))
        yield "a wrong feature_dim", {"train": batch}, wrong, (str(WIDTH + 2), str(WIDTH))
    for channel in trainings.algorithm.channels:
        if channel.name != "train":
            narrow = replace(batch, features=batch.dense()[:, 1:])
            several = {"train": batch, channel.name: narrow}
            yield f"a narrower {channel.name}", several, PLAIN, (str(WIDTH), str(WIDTH - 1))
    if trainings.usual_type == CSV:
        lines = text_of(batch, CSV).decode().splitlines()
        for what, changed, words in _bad_lines(lines):
            yield what, {"train": "\n".join(changed).encode()}, PLAIN, ("part-0.csv", *words)


def _bad_lines(lines: list[str]) -> Iterator[tuple[str, list[str], tuple[str, ...]]]:
    fifth = lines[4].split(",")
    columns = [f"column_{place}" for place in range(len(fifth))]
    yield "a header line", [",".join(columns), *lines], ("line 1", "header")
    yield "text in a number", [*lines[:4], ",".join([*fifth[:-1], "x7"]), *lines[5:]], ("x7",)
    yield "a ragged row", [*lines[:4], ",".join(fifth[:-1]), *lines[5:]], ("line 5",)


def _bad_texts(
    trainings: Trainings, lines: list[str]
) -> Iterator[tuple[str, list[str], tuple[str, ...]]]:
    columns = trainings.algorithm.channel("train").columns
    fifth = lines[4].split(",")
    for at, column in enumerate(columns):
        place, wrong = ("line 5", f"column {at + 1}"), "999.1.2.3"
        emptied = ",".join([*fifth[:at], "", *fifth[at + 1 :]])
        yield f"no {column.name}", [*lines[:4], emptied, *lines[5:]], place
        if column.kind == "address":
            changed = ",".join([*fifth[:at], wrong, *fifth[at + 1 :]])
            yield "no address", [*lines[:4], changed, *lines[5:]], (*place, wrong)
    yield "a ragged row", [*lines[:4], ",".join(fifth[:-1]), *lines[5:]], ("line 5",)
    yield "one column more", [f"{line},1" for line in lines], ("line 1",)


def _refused_rows(trainings: Trainings) -> Iterator[str]:
    """What the model says to rows of another width than its own."""
    model = trainings.of(trainings.first).model
    if trainings.algorithm.inference.columns:
        try:
            model.predict(Batch(np.ones((3, model.width), dtype=np.float32)))
        except CallerError as refused:
            yield want_refused("numbers", str(refused), "strings")
            return
        raise Wrong("numbers were answered by a model of texts")
    for width in (WIDTH - 1, WIDTH + 1):
        try:
            model.predict(Batch(np.ones((3, width), dtype=np.float32)))
        except CallerError as refused:
            yield want_refused(f"{width} features", str(refused), str(WIDTH), str(width))
        else:
            raise Wrong(f"rows of {width} features were answered by a model of {WIDTH}")


def _want_alike(what: str, one: Outcome, plain: Outcome, *, sparse: bool) -> None:
    """Dense formats change no byte of the model and no metric."""
    if not sparse:
        want(one.bytes == plain.bytes, f"{what}: another model than from the usual format")
    measured = {PROGRESS.name, THROUGHPUT.name}
    found = {name: v[-1] for name, v in one.reported.items() if name not in measured}
    wanted = {name: v[-1] for name, v in plain.reported.items() if name not in measured}
    want_same(what, found, wanted, _SPARSE_TOLERANCE if sparse else 1e-6)


def _with(batch: Batch, value: float) -> Batch:
    features = batch.dense().copy()
    features[3, 2] = value
    return replace(batch, features=features)


def _names(trainings: Trainings) -> set[str]:
    return set(trainings.algorithm.hyperparameters.declared())
