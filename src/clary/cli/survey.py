"""`clary check`: data explained before anyone trains on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
import numpy as np

from clary.algorithms import declaration
from clary.cli import options
from clary.cli.data import opened
from clary.cli.terminal import answer, answer_json, answer_table
from clary.data.column_survey import ColumnSurvey, column_survey
from clary.data.survey import Survey
from clary.data.survey import survey as surveyed
from clary.spec.algorithm import Algorithm
from clary.spec.channels import ChannelSpec

_COLUMNS_SHOWN = 12
_CLASSES_SHOWN = 10
_MANY_CLASSES = 50


@click.command()
@click.argument("data")
@click.option("--algorithm", required=True, help="The algorithm that the data is for.")
@click.option("--channel", default="train", show_default=True, help="The channel it is for.")
@options.content_type
@options.as_json
def check(data: str, algorithm: str, channel: str, content_type: str | None, as_json: bool) -> None:
    """Look at DATA (file, folder or s3:// prefix): what it is, and what is wrong with it."""
    declared = declaration(algorithm)
    spec = declared.channel(channel)
    if spec.columns:
        return _check_columns(data, spec, declared, content_type, as_json)
    with opened(data, spec, content_type) as rows:
        seen = surveyed(rows)
        intake = rows.intake
    advice = list(_advice(seen, spec, declared))
    if as_json:
        facts = {"content_type": intake.content_type, "sniffed": intake.sniffed}
        return answer_json(facts | _facts(seen) | {"notes": advice})
    how = "by its first bytes" if intake.sniffed else "as declared"
    answer(f"{data}: {intake.content_type} ({how}), {intake.bytes:,} bytes")
    answer(f"{seen.rows:,} rows of {seen.width:,} features{_labels(seen)}")
    _show_columns(seen)
    for note in advice:
        answer(f"- {note}")
    return answer(f"{declared.title} can train on this.")


def _check_columns(
    data: str, spec: ChannelSpec, algorithm: Algorithm, content_type: str | None, as_json: bool
) -> None:
    """The same for rows that are not numbers."""
    with opened(data, spec, content_type) as rows:
        seen = column_survey(rows, spec.columns)
        intake = rows.intake
    if as_json:
        columns = {
            one.column.name: {"distinct": one.distinct, "once": one.once} for one in seen.columns
        }
        facts = {"content_type": intake.content_type, "sniffed": intake.sniffed}
        return answer_json(facts | {"rows": seen.rows, "columns": columns})
    answer(f"{data}: {intake}")
    answer(f"{seen.rows:,} rows of {len(seen.columns)} columns")
    answer_table(("column", "distinct", "of these once", "most frequent"), [*_column_rows(seen)])
    return answer(f"{algorithm.title} can train on this.")


def _column_rows(seen: ColumnSurvey) -> Iterator[tuple[str, ...]]:
    for one in seen.columns:
        if one.values is None:
            yield one.column.name, "very many", "", ""
        else:
            [(value, count)] = one.values.most_common(1)
            yield one.column.name, f"{one.distinct:,}", f"{one.once:,}", f"{value} ({count:,})"


def _facts(seen: Survey) -> dict[str, Any]:
    labels = sorted((seen.labels or {}).items())
    return {
        "rows": seen.rows,
        "feature_dim": seen.width,
        "sparse": seen.sparse,
        "labels": {f"{value:g}": count for value, count in labels} or None,
        "columns": {
            "min": seen.low,
            "max": seen.high,
            "mean": seen.mean,
            "std": seen.deviation,
            "zeros": seen.zeros,
            "missing": seen.missing,
        },
    }


def _labels(seen: Survey) -> str:
    if seen.labels is None:
        return f", labels from {seen.label_low:g} to {seen.label_high:g}"
    if not seen.labels:
        return ", no label"
    listed = [f"{value:g} ({n:,})" for value, n in sorted(seen.labels.items())[:_CLASSES_SHOWN]]
    more = ", …" if len(seen.labels) > _CLASSES_SHOWN else ""
    return f", {len(seen.labels):,} label values: {', '.join(listed)}{more}"


def _show_columns(seen: Survey) -> None:
    rows = [
        (
            str(i),
            f"{seen.low[i]:.6g}",
            f"{seen.high[i]:.6g}",
            f"{seen.mean[i]:.6g}",
            f"{seen.deviation[i]:.6g}",
            f"{seen.zeros[i] / seen.rows:.0%}",
            f"{seen.missing[i] / seen.rows:.0%}",
        )
        for i in range(min(seen.width, _COLUMNS_SHOWN))
    ]
    more = seen.width - _COLUMNS_SHOWN
    answer_table(("feature", "min", "max", "mean", "std", "zeros", "missing"), rows)
    if more > 0:
        answer(f"… and {more:,} more features (--json has them)")


def _advice(seen: Survey, spec: ChannelSpec, algorithm: Algorithm) -> Iterator[str]:
    """What a colleague would say who looked over one's shoulder."""
    if len(seen.constant):
        which = ", ".join(str(i) for i in seen.constant[:_COLUMNS_SHOWN])
        more = ", …" if len(seen.constant) > _COLUMNS_SHOWN else ""
        yield f"features that never change tell nothing: {which}{more} (counted from 0)"
    spread = seen.deviation[seen.deviation > 0]
    if spec.label == "none" and len(spread) and spread.max() > 1000 * spread.min():
        yield "features differ in scale by more than 1,000: the large ones decide; scale them"
    if seen.width and _counts_rows(seen):
        yield "feature 0 counts the rows: an index column is no feature"
    if spec.label == "first" and seen.labels:
        yield from _label_advice(seen, algorithm)


def _counts_rows(seen: Survey) -> bool:
    """Whether feature 0 runs over as many whole numbers as there are rows."""
    span = seen.high[0] - seen.low[0] + 1
    uniform = np.isclose(seen.deviation[0], np.sqrt((seen.rows**2 - 1) / 12), rtol=1e-3)
    return bool(seen.rows > 20 and span == seen.rows and uniform)


def _label_advice(seen: Survey, algorithm: Algorithm) -> Iterator[str]:
    values = sorted(seen.labels or {})
    whole = all(float(value).is_integer() for value in values)
    if len(values) == 1:
        yield f"every label is {values[0]:g}: is the first column the label?"
    elif values == [0, 1]:
        yield _kind(algorithm, "binary_classifier", "binary:logistic")
    elif whole and values == list(range(len(values))) and len(values) <= _MANY_CLASSES:
        yield _kind(algorithm, "multiclass_classifier", "multi:softmax", len(values))
    elif whole and values[0] == 1 and len(values) <= _MANY_CLASSES:
        yield "labels start at 1: classes are numbered from 0"
    else:
        yield _kind(algorithm, "regressor", "reg:squarederror")


def _kind(algorithm: Algorithm, predictor: str, objective: str, classes: int = 0) -> str:
    """The hyperparameter that names the problem, by the algorithm's word for it."""
    declared = algorithm.hyperparameters.declared()
    if "predictor_type" in declared:
        return f"the labels suit -p predictor_type={predictor}"
    number = f" -p num_class={classes}" if classes else ""
    return f"the labels suit -p objective={objective}{number}"
