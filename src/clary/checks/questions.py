"""The questions that every algorithm must answer, ours and third parties'.

A question is a function that is given the trainings of the algorithm and raises `Wrong` where the
answer is not as it must be; what it returns is shown beside a right answer.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from clary import settings
from clary.checks.trainings import Outcome, Setting, Trainings
from clary.codecs.batch import Batch
from clary.codecs.content_type import parse_content_type
from clary.codecs.formats import encode
from clary.errors import CallerError
from clary.runtime.negotiate import answer
from clary.spec.algorithm import Algorithm, Example
from clary.spec.hyperparameters import Hyperparameter

_REQUEST_ROWS = 7


class Wrong(Exception):
    """An answer that is not as it must be."""


@dataclass(frozen=True)
class Answer:
    """What came of a question."""

    question: str
    state: Literal["passed", "failed"]
    detail: str

    def describe(self) -> dict[str, str]:
        return asdict(self)


def ask_all(algorithm: Algorithm) -> Iterator[Answer]:
    """Ask every question; answers come as they are known."""
    with TemporaryDirectory(prefix="clary-checks-") as scratch:
        trainings = Trainings(algorithm, Path(scratch))
        for question in QUESTIONS:
            yield ask(question, trainings)


def ask(question: Callable[[Trainings], str], trainings: Trainings) -> Answer:
    """One question; an exception other than `Wrong` is a wrong answer too."""
    text = str(question.__doc__).splitlines()[0].rstrip(".")
    try:
        return Answer(text, "passed", question(trainings))
    except Wrong as wrong:
        return Answer(text, "failed", str(wrong))
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return Answer(text, "failed", f"{type(error).__name__} at {where}: {error}")


def declaration_is_complete(trainings: Trainings) -> str:
    """The declaration is complete."""
    algorithm = trainings.algorithm
    declared = algorithm.hyperparameters.declared()
    _want(bool(algorithm.examples), "it has no examples")
    _want(algorithm.channel("train").required, "the channel train must be required")
    said = {one.name: one.about for one in declared.values()}
    said |= {one.name: one.about for one in algorithm.channels}
    said |= {one.name: one.about for one in algorithm.metrics}
    for name, about in said.items():
        _want(len(about) > 5, f"{name} does not say what it is")
    for metric in algorithm.metrics:
        if metric.line:
            fields = dict.fromkeys(re.findall(r"\{(\w+)\}", metric.line), "x")
            found = re.search(metric.regex, metric.line.format(**{**fields, "value": "0.5"}))
            _want(found is not None and found[1] == "0.5", f"{metric.name}: line and regex differ")
    for tuned in algorithm.tuning:
        _want(tuned.name in declared, f"{tuned.name} can be tuned and is not declared")
    return f"{len(declared)} hyperparameters, {len(algorithm.metrics)} metrics"


def limits_hold(trainings: Trainings) -> str:
    """Every limit is accepted at the edge and refused beyond."""
    tried = 0
    for one in trainings.algorithm.hyperparameters.declared().values():
        for value, right in _edges(one):
            tried += 1
            accepted = True
            try:
                one.parse(str(value))
            except ValueError:
                accepted = False
            _want(accepted == right, f"{one.name}={value} was {'not ' * right}accepted")
    return f"{tried} values"


def unknown_names_are_refused(trainings: Trainings) -> str:
    """A misspelt hyperparameter is refused and the right one offered."""
    hyperparameters = trainings.algorithm.hyperparameters
    name = max(hyperparameters.declared(), key=len)
    try:
        hyperparameters.parse({name[:-1] + "_x": "1"})
    except CallerError as refused:
        _want(name in str(refused), f"{name} was not offered: {refused}")
        return str(refused.faults[0])
    raise Wrong(f"{name[:-1]}_x was accepted")


def every_content_type_trains(trainings: Trainings) -> str:
    """Every content type of every channel trains."""
    channel = trainings.algorithm.channel("train")
    types = dict.fromkeys(
        parse_content_type(one).name for one in (*channel.content_types, *channel.beyond)
    )
    for one in types:
        trainings.of(_first(trainings), Setting(content_type=one))
    return ", ".join(types)


def input_modes_agree(trainings: Trainings) -> str:
    """File, FastFile and Pipe give the same model, to the byte."""
    modes = trainings.algorithm.channel("train").modes
    models = {
        mode: _bytes(trainings.of(_first(trainings), Setting(trainings.usual_type, mode)))
        for mode in modes
    }
    _want(len(set(models.values())) == 1, "the models differ")
    return ", ".join(modes)


def metrics_are_reported(trainings: Trainings) -> str:
    """Every declared metric is reported, and no other."""
    algorithm = trainings.algorithm
    seen: dict[str, list[float]] = {}
    lines = ""
    for example in algorithm.examples:
        for held_out in (True, False):
            outcome = trainings.of(example, Setting(trainings.usual_type, held_out=held_out))
            seen |= outcome.reported
            lines += outcome.log
    declared = {metric.name: metric for metric in algorithm.metrics}
    missing = sorted(set(declared) - set(seen))
    _want(not missing, f"not reported: {', '.join(missing)}")
    unmatched = [name for name in seen if not re.search(declared[name].regex, lines)]
    _want(not unmatched, f"no log line matches the regex of {', '.join(unmatched)}")
    return f"{len(seen)} metrics"


def saving_keeps_answers(trainings: Trainings) -> str:
    """A model that was saved again and loaded answers the same."""
    for example in trainings.algorithm.examples:
        model = trainings.of(example).model
        with TemporaryDirectory() as folder:
            model.save(Path(folder))
            again = type(model).load(Path(folder), model.params.values())
        batch = _unlabelled(trainings, example)
        _same(model.predict(batch), again.predict(batch), 0.0)
    return f"{len(trainings.algorithm.examples)} models"


def requests_and_answers(trainings: Trainings) -> str:
    """Every request type is read and every answer type written."""
    inference = trainings.algorithm.inference
    serving = settings.serving()
    for example in trainings.algorithm.examples:
        model = trainings.of(example).model
        for asked in dict.fromkeys(parse_content_type(one).name for one in inference.accepts):
            body = _request(_unlabelled(trainings, example), asked)
            for told in inference.returns:
                written, kind = answer(model, body, asked, told, serving)
                _want(kind == parse_content_type(told).name, f"{asked}: {kind} instead of {told}")
                _want(bool(written), f"{asked}: an empty {told}")
    return f"{len(inference.accepts)} types in, {len(inference.returns)} out"


def seeds_decide(trainings: Trainings) -> str:
    """The same seed gives the same bytes of model."""
    example = _first(trainings)
    once = _bytes(trainings.of(example))
    again = Trainings(trainings.algorithm, trainings.folder / "again")
    again.folder.mkdir()
    _want(_bytes(again.of(example)) == once, "the models differ")
    return f"{len(once):,} bytes"


def hosts_agree(trainings: Trainings) -> str:
    """Two hosts agree with one within the declared tolerance.

    It is relative for metrics above 1 and absolute below, where a loss may be all but 0.
    """
    algorithm = trainings.algorithm
    if not algorithm.hardware.multi_instance:
        return "one host only, as declared"
    example = _first(trainings)
    one = trainings.of(example)
    two = trainings.of(example, Setting(trainings.usual_type, hosts=2))
    worst = 0.0
    for name in _quality(one):
        a, b = one.reported[name][-1], two.reported[name][-1]
        worst = max(worst, abs(a - b) / max(abs(a), abs(b), 1))
    limit = algorithm.hosts_tolerance
    _want(worst <= limit, f"metrics differ by {worst:.3g}, declared {limit:g}")
    return f"metrics differ by {worst:.2g} at most, declared {limit:g}"


def bad_data_is_refused(trainings: Trainings) -> str:
    """Data that cannot be used is refused with a sentence."""
    example = _first(trainings)
    batch = trainings.rows_of(example)
    said = {"empty file": trainings.refusal(example, None)}
    if not trainings.algorithm.channel("train").missing:
        said["NaN"] = trainings.refusal(example, _with_nan(batch))
    for what, refusal in said.items():
        _want(refusal is not None, f"{what}: was not refused")
        _want(len(refusal or "") > 20, f"{what}: {refusal}")
    one_row = trainings.refusal(example, batch.slice(0, 1))
    wide = Batch(np.zeros((3, batch.width + 1), dtype=np.float32))
    model = trainings.of(example).model
    try:
        model.predict(wide)
    except CallerError as refused:
        _want(str(model.width) in str(refused), f"too wide: {refused}")
    else:
        raise Wrong("rows that are too wide were answered")
    return "; ".join(text for text in (*said.values(), one_row) if text)


QUESTIONS: tuple[Callable[[Trainings], str], ...] = (
    declaration_is_complete,
    limits_hold,
    unknown_names_are_refused,
    every_content_type_trains,
    input_modes_agree,
    metrics_are_reported,
    saving_keeps_answers,
    requests_and_answers,
    seeds_decide,
    hosts_agree,
    bad_data_is_refused,
)


def _want(right: bool, wrong: str) -> None:
    if not right:
        raise Wrong(wrong)


def _edges(one: Hyperparameter) -> Iterator[tuple[Any, bool]]:
    """Values at and beyond each limit, and whether they are right."""
    if one.kind not in {"integer", "float"}:
        return
    step = 1 if one.kind == "integer" else 1e-6
    for limit, beyond, exclusive in (
        (one.min, -1, one.exclusive_min),
        (one.max, 1, one.exclusive_max),
    ):
        if limit is not None:
            edge = int(limit) if one.kind == "integer" else limit
            yield edge, not exclusive
            yield edge + beyond * step * max(1, abs(edge) * 1e-3), False


def _first(trainings: Trainings) -> Example:
    return trainings.algorithm.examples[0]


def _bytes(outcome: Outcome) -> bytes:
    return outcome.archive.read_bytes()


def _quality(outcome: Outcome) -> list[str]:
    """Metrics of the model, not of the work."""
    return [name for name in outcome.reported if not name.endswith((":progress", ":throughput"))]


def _unlabelled(trainings: Trainings, example: Example) -> Batch:
    return Batch(trainings.rows_of(example, _REQUEST_ROWS).features)


def _request(batch: Batch, content_type: str) -> bytes:
    if content_type == "application/json":
        rows = ", ".join(f'{{"features": {row}}}' for row in batch.dense().tolist())
        return f'{{"instances": [{rows}]}}'.encode()
    body = BytesIO()
    encode([batch], body, parse_content_type(content_type))
    return body.getvalue()


def _same(one: Mapping[str, Any], other: Mapping[str, Any], tolerance: float) -> None:
    _want(set(one) == set(other), "other answers")
    for name, values in one.items():
        np.testing.assert_allclose(other[name], values, rtol=tolerance, err_msg=name)


def _with_nan(batch: Batch) -> Batch:
    rows = batch.dense().copy()
    rows[3, 2] = np.nan
    return Batch(rows, batch.label)
