"""The page on compatibility: every operation of the services, every member of those there are.

What an operation reads or answers is found in the code: a member is known where its name is
written in a module that the operation's module leads to. What is taken or left out on purpose
is declared with a reason in `IGNORED` (requests) and `UNTOLD` (answers) of the module; a member
of which neither is true is a fault of the code, which a test tells.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import botocore

from clary.aws.services import operation, service
from clary.control.operations import OPERATIONS

_SOURCE = Path(__file__).parent.parent / "src"
_READING = ("clary.control", "clary.jobs", "clary.data", "clary.db")
# What creates is read by these later, from the rows
_READERS = tuple(
    ".".join(path.relative_to(_SOURCE).with_suffix("").parts)
    for path in (_SOURCE / "clary" / "jobs").rglob("*.py")
)
_DEPTH = 6
UNDECIDED = "nothing is decided yet"
_TITLES = {
    "sagemaker": "SageMaker",
    "logs": "CloudWatch Logs",
    "cloudwatch": "CloudWatch",
    "sts": "STS",
    "iam": "IAM",
}
# Why the others are not there, by what their names say; the first that fits
_ELSEWHERE = (
    (r"HyperParameterTuning", "Automatic tuning", "not yet"),
    (r"ProcessingJob", "Processing", "runs containers of one's own; here is no Docker"),
    (r"Compilation|Optimization|EdgeP|EdgeD|DeviceF|Device|Edge", "Edge and compilation",
     "models are served by Clary's own code, which needs no compiling"),
    (r"AutoML", "Autopilot", "trains many algorithms that are not built in"),
    (r"Pipeline|Step", "Pipelines", "not there; run the steps from Python"),
    (r"ModelPackage|ModelCard|Lineage|Action|Artifact|Association|Context|Experiment|Trial"
     r"|Mlflow|Feature", "Registry, lineage, experiments, features",
     "bookkeeping beside training and serving"),
    (r"Monitor|Bias|Explain|DataQuality|ModelQuality|InferenceExperiment|InferenceRec",
     "Monitoring and recommendations", "captured data is in the store; nothing watches it"),
    (r"Label|Workforce|Workteam|HumanTask|FlowDef", "Labeling", "needs people"),
    (r"InferenceComponent", "Inference components", "a variant names its model"),
    (r"", "Everything else", "Studio, domains, notebooks, clusters, hubs, marketplace: no part of "
     "training and serving built-in algorithms"),
)  # fmt: skip


@dataclass(frozen=True)
class Member:
    """A member by its path. reason: why it has no effect or is not told, if so."""

    path: str
    reason: str | None


def model_version() -> str:
    """Where the models of the services come from."""
    return f"Their models are those of botocore {botocore.__version__}."


def is_of_this_model(page: str) -> bool:
    """Whether a page was written from the installed models; others have other members."""
    return model_version() in page


def operation_tables() -> str:
    """What there is, with the members that have no effect or are not told.

    Members of newer models, of which nothing is decided, are told as such.
    """
    parts = []
    for name, functions in OPERATIONS.items():
        parts += [f"### {_TITLES[name]}", ""]
        for each in sorted(functions):
            parts += [_described(name, each), ""]
    return "\n".join(parts).rstrip()


def missing_table() -> str:
    """SageMaker's operations that are not there, in groups, and why."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name in sorted(set(service("sagemaker").operation_names) - set(OPERATIONS["sagemaker"])):
        _, title, reason = next(one for one in _ELSEWHERE if re.search(one[0], name))
        groups.setdefault((title, reason), []).append(f"`{name}`")
    lines = ["| operations | number | why they are not there |", "| --- | --- | --- |"]
    for title, reason in dict.fromkeys((title, reason) for _, title, reason in _ELSEWHERE):
        names = groups.get((title, reason), [])
        lines.append(f"| {title} | {len(names)} | {reason} |")
    every = "\n".join(
        f"- **{title}**: {', '.join(names)}" for (title, _), names in sorted(groups.items())
    )
    return "\n".join(lines) + "\n\n" + every


def undeclared() -> Iterator[str]:
    """Members that no code reads or answers and no reason is given for."""
    for name, each in _operations():
        for side, members in (("request", requested(name, each)), ("answer", answered(name, each))):
            for member in members:
                if member.reason == UNDECIDED:
                    yield f"{each}, {side}: {member.path}"


def stale() -> Iterator[str]:
    """Reasons for what no operation of their module has."""
    modules: dict[str, list[tuple[str, str]]] = {}
    for name, each in _operations():
        modules.setdefault(_module(name, each), []).append((name, each))
    for module, operations in modules.items():
        for table, shapes in (("IGNORED", "input_shape"), ("UNTOLD", "output_shape")):
            paths = [
                f"{each}.{path}"
                for name, each in operations
                for path in _paths(getattr(operation(name, each), shapes))
            ]
            for key in _table(module, table):
                if not any(f".{path}".endswith(f".{key}") for path in paths):
                    yield f"{module}, {table}: {key}"


def requested(service_name: str, name: str) -> list[Member]:
    """The members of a request; below one with a reason nothing is listed."""
    model, module = operation(service_name, name), _module(service_name, name)
    return _members(model.input_shape, name, _table(module, "IGNORED"), _known(module))


def answered(service_name: str, name: str) -> list[Member]:
    """The members of an answer: told by code, or given back as they came in a request."""
    model, module = operation(service_name, name), _module(service_name, name)
    if name == "Search":
        # Its results are what the Describes answer
        return []
    stored = {module, *_imports(_SOURCE / f"{module.replace('.', '/')}.py")}
    told = {
        path.rpartition(".")[2]
        for other in OPERATIONS[service_name]
        if _module(service_name, other) in stored
        for path in _paths(operation(service_name, other).input_shape)
    }
    return _members(model.output_shape, name, _table(module, "UNTOLD"), _known(module) | told)


def _members(
    shape: Any, name: str, reasons: Mapping[str, str], known: frozenset[str]
) -> list[Member]:
    found: list[Member] = []
    closed: list[str] = []
    for path in _paths(shape):
        if any(path.startswith(f"{one}.") for one in closed):
            continue
        reason = _reason(f"{name}.{path}", reasons)
        if reason is None and path.rpartition(".")[2] not in known:
            reason = UNDECIDED
        if reason is not None:
            closed.append(path)
        found.append(Member(path, reason))
    return found


def _reason(path: str, reasons: Mapping[str, str]) -> str | None:
    """The reason under the longest end of the path."""
    parts = path.split(".")
    for start in range(len(parts)):
        if (end := ".".join(parts[start:])) in reasons:
            return reasons[end]
    return None


def _described(service_name: str, name: str) -> str:
    asked = [one for one in requested(service_name, name) if one.reason]
    untold = [one for one in answered(service_name, name) if one.reason]
    lines = [f"**{name}**: {'all members' if not asked and not untold else 'partly'}"]
    for title, members in (("in the request", asked), ("not in the answer", untold)):
        by_reason: dict[str, list[str]] = {}
        for member in members:
            by_reason.setdefault(str(member.reason), []).append(f"`{member.path}`")
        lines += [f"- {title}, {reason}: {', '.join(names)}" for reason, names in by_reason.items()]
    return "\n".join([lines[0], "", *lines[1:]] if len(lines) > 1 else lines)


def _operations() -> Iterator[tuple[str, str]]:
    for name, functions in OPERATIONS.items():
        for each in sorted(functions):
            yield name, each


def _module(service_name: str, name: str) -> str:
    return OPERATIONS[service_name][name].__module__


def _table(module: str, name: str) -> Mapping[str, str]:
    found: Mapping[str, str] = getattr(sys.modules[module], name, {})
    return found


def _paths(shape: Any, above: tuple[str, ...] = ()) -> Iterator[str]:
    """The members of a structure by dotted paths, lists and maps looked through."""
    for name, member in shape.members.items() if shape else ():
        path = (*above, name)
        yield ".".join(path)
        while member.type_name in {"list", "map"}:
            member = member.member if member.type_name == "list" else member.value
        if member.type_name == "structure" and len(path) < _DEPTH:
            yield from _paths(member, path)


@cache
def _known(module: str) -> frozenset[str]:
    """What is written as text in the code that a module leads to, or that reads what it stores."""
    seen: set[str] = set()
    ahead = [module, *_READERS, *(_importers(module) if "endpoint" in module else ())]
    while ahead:
        name = ahead.pop()
        path = _SOURCE / f"{name.replace('.', '/')}.py"
        if name in seen or not path.exists():
            continue
        seen.add(name)
        ahead += [each for each in _imports(path) if each.startswith(_READING)]
    return frozenset().union(*(_texts(name) for name in seen))


def _importers(module: str) -> list[str]:
    return [
        f"clary.control.{path.stem}"
        for path in (_SOURCE / "clary" / "control").glob("*.py")
        if module in set(_imports(path))
    ]


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)


@cache
def _texts(module: str) -> frozenset[str]:
    tree = _tree(_SOURCE / f"{module.replace('.', '/')}.py")
    code = [
        node
        for node in tree.body
        if not (isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") in _DECLARED)
    ]
    return frozenset(
        node.value
        for statement in code
        for node in ast.walk(statement)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


_DECLARED = {"IGNORED", "UNTOLD"}


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())
