"""The grammar of metrics: name, direction, and the log line that carries the value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Goal = Literal["Maximize", "Minimize"]


@dataclass(frozen=True)
class Metric:
    """One metric.

    `line` is the log line's form with `{value}` and the fields that `Run.report` is given
    (`{host}` is always there); without it the algorithm writes the line itself. `regex` is what
    SageMaker's service scrapes it with; group 1 is the value.
    """

    name: str
    goal: Goal
    regex: str
    about: str
    line: str = ""
    when: str = ""
    documented: bool = True

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "goal": self.goal,
            "regex": self.regex,
            "documented": self.documented,
            "when": self.when or None,
            "about": self.about,
        }


def quality(name: str, goal: Goal, text: str, about: str, **rest: Any) -> Metric:
    """A metric on a `#quality_metric` line.

    `text` is what stands between the host and the value, as in `test msd <loss>`; parts in braces
    (`epoch={epoch}`, `{objective}`) are filled by `Run.report` and matched by `\\S+`.
    """
    pattern, inside = "", False
    for char in text:
        if char in "{}":
            inside = char == "{"
            pattern += r"\S+" if inside else ""
        elif not inside:
            pattern += char
    regex = rf"#quality_metric: host=\S+, {pattern}=(\S+)"
    line = "#quality_metric: host={host}, " + text + "={value}"
    return Metric(name, goal, regex, about, line=line, **rest)


PROGRESS = Metric(
    "train:progress",
    "Maximize",
    r"#progress_metric: host=\S+, completed (\S+) %",
    "Per cent of the work done.",
    line="#progress_metric: host={host}, completed {value} % of epochs",
    documented=False,
)
THROUGHPUT = Metric(
    "train:throughput",
    "Maximize",
    r"#throughput_metric: host=\S+, train throughput=(\S+) records/second",
    "Rows read a second.",
    line="#throughput_metric: host={host}, train throughput={value} records/second",
    documented=False,
)
