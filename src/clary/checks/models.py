"""Questions about the model that comes out, and what is told on the way."""

from __future__ import annotations

import math
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from clary.checks.trainings import PLAIN, Outcome, Setting, Trainings, text_of
from clary.checks.verdict import want, want_refused, want_same
from clary.codecs.batch import Batch
from clary.spec.algorithm import Algorithm
from clary.spec.metrics import PROGRESS, THROUGHPUT
from clary.storage.artifact import pack

# Enough rows for several chunks of work that threads share
_MANY_ROWS = 8_000
_METRIC_LINE = re.compile(r"#(quality|progress|throughput)_metric: |^\[[0-9]+\]#011")
_BARE_METRIC = re.compile(r"#011(\w+)-([^#:\s]+):")


def metrics_are_reported(trainings: Trainings) -> str:
    """Every declared metric is reported, and no other; its regex finds it in the log."""
    algorithm = trainings.algorithm
    seen: set[str] = set()
    for example in algorithm.examples:
        for held_out in (True, False):
            outcome = trainings.of(example, Setting(held_out=held_out))
            _want_found_in_log(algorithm, outcome)
            seen |= set(outcome.reported)
    missing = sorted({metric.name for metric in algorithm.metrics} - seen)
    want(not missing, f"not reported: {', '.join(missing)}")
    return f"{len(seen)} metrics"


def saving_keeps_answers(trainings: Trainings) -> str:
    """A model that was saved again and loaded is the same to the byte and answers the same."""
    for example in trainings.algorithm.examples:
        model = trainings.of(example).model
        with TemporaryDirectory() as once, TemporaryDirectory() as twice:
            model.save(Path(once))
            again = type(model).load(Path(once), model.params.values())
            again.save(Path(twice))
            want(_files(Path(once)) == _files(Path(twice)), "saved again, the files differ")
        batch = Batch(trainings.rows_of(example).features)
        want_same("loaded again", again.predict(batch), model.predict(batch), 0.0)
        want(model.summary() == again.summary(), "loaded again, the summary differs")
    return f"{len(trainings.algorithm.examples)} models"


def seeds_decide(trainings: Trainings) -> str:
    """The same seed gives the same bytes of model."""
    for example in trainings.algorithm.examples:
        once, again = trainings.of(example), trainings.again(example)
        want(once.bytes == again.bytes, f"{dict(example.hyperparameters)}: the models differ")
    return f"{len(trainings.algorithm.examples)} models"


def threads_change_nothing(trainings: Trainings) -> str:
    """One thread and two give the same bytes of model."""
    for example in trainings.algorithm.examples:
        many = _MANY_ROWS if example == trainings.first else PLAIN.rows
        models = {
            trainings.of(example, Setting(rows=many, threads=count, held_out=False)).bytes
            for count in (1, 2)
        }
        want(len(models) == 1, f"{dict(example.hyperparameters)}: the models differ")
    return f"{len(trainings.algorithm.examples)} models"


def hosts_agree(trainings: Trainings) -> str:
    """Two hosts agree with one within the declared tolerance."""
    algorithm = trainings.algorithm
    if not algorithm.hardware.multi_instance:
        return "one host only, as declared"
    one = _qualities(trainings.of(trainings.first))
    two = _qualities(trainings.of(trainings.first, Setting(hosts=2)))
    want(set(one) == set(two), f"other metrics: {sorted(set(one) ^ set(two))}")
    apart = {name: abs(a - two[name]) / max(abs(a), 1e-12) for name, a in one.items()}
    worst = max(apart, key=lambda name: apart[name])
    limit = algorithm.hosts_tolerance
    want(
        apart[worst] <= limit,
        f"{worst} is {two[worst]:g}, on one host {one[worst]:g}: "
        f"{apart[worst]:.3g} apart, declared {limit:g}",
    )
    return f"metrics differ by {apart[worst]:.2g} at most, declared {limit:g}"


def training_goes_on(trainings: Trainings) -> str:
    """An earlier model in the channel `model` is where training goes on, if that is declared."""
    earlier = trainings.of(trainings.first)
    batch = trainings.rows_of(trainings.first)
    if not trainings.algorithm.incremental:
        refusal = trainings.refusal({"train": batch}, Setting(model=earlier.archive))
        return want_refused("a model to go on from", refusal, "channel model")
    on = trainings.of(trainings.first, Setting(model=earlier.archive))
    want(on.model.width == earlier.model.width, "the model is of another width")
    want(on.bytes != earlier.bytes, "the earlier model changes nothing")
    anew = trainings.again(trainings.first, Setting(model=earlier.archive))
    want(on.bytes == anew.bytes, "going on twice gives two models")
    foreign = trainings.folder / "foreign"
    (foreign / "files").mkdir(parents=True)
    (foreign / "files" / "notes.txt").write_bytes(text_of(batch, trainings.usual_type))
    pack(foreign / "files", foreign / "model.tar.gz")
    setting = Setting(model=foreign / "model.tar.gz")
    return want_refused("a foreign model", trainings.refusal({"train": batch}, setting))


def _want_found_in_log(algorithm: Algorithm, outcome: Outcome) -> None:
    """What SageMaker scrapes from the log is what was reported."""
    declared = {metric.name: metric for metric in algorithm.metrics}
    lines = outcome.log.splitlines()
    for name, values in outcome.reported.items():
        found = [match[1] for line in lines if (match := re.search(declared[name].regex, line))]
        want(bool(found), f"no log line matches the regex of {name}")
        # XGBoost's regexes run on through the line's other metrics
        last = float(found[-1].partition("#011")[0])
        same = math.isclose(last, values[-1], rel_tol=1e-4, abs_tol=1e-4) or math.isnan(last)
        want(same, f"{name}: {values[-1]} was reported and {last} is in the log")
    for line in filter(_METRIC_LINE.search, lines):
        known = any(re.search(metric.regex, line) for metric in algorithm.metrics)
        want(known, f"no declared metric is in the line: {line}")
        bare = {f"{channel}:{name}" for channel, name in _BARE_METRIC.findall(line)}
        want(bare <= set(declared), f"not declared: {', '.join(sorted(bare - set(declared)))}")


def _qualities(outcome: Outcome) -> dict[str, float]:
    """The last value of each metric of the model, not of the work."""
    measured = {PROGRESS.name, THROUGHPUT.name}
    return {name: v[-1] for name, v in outcome.reported.items() if name not in measured}


def _files(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}
