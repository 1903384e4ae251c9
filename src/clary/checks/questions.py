"""The questions that every algorithm must answer, ours and third parties'.

A question is a function that is given the trainings of the algorithm and raises `Wrong` where the
answer is not as it must be; what it returns is shown beside a right answer.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from clary.checks import channels, declarations, models, requests
from clary.checks.trainings import Trainings
from clary.checks.verdict import Wrong
from clary.spec.algorithm import Algorithm

QUESTIONS: tuple[Callable[[Trainings], str], ...] = (
    declarations.declaration_is_complete,
    declarations.limits_hold,
    declarations.unknown_names_are_refused,
    channels.every_content_type_trains,
    channels.input_modes_agree,
    channels.wrong_channels_are_refused,
    channels.bad_data_are_refused,
    models.metrics_are_reported,
    models.saving_keeps_answers,
    models.seeds_decide,
    models.threads_change_nothing,
    models.hosts_agree,
    models.training_goes_on,
    requests.requests_and_answers,
    requests.requests_are_refused,
)


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
    text = str(question.__doc__).rstrip(".")
    try:
        return Answer(text, "passed", question(trainings))
    except Wrong as wrong:
        return Answer(text, "failed", str(wrong))
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return Answer(text, "failed", f"{type(error).__name__} at {where}: {error}")
