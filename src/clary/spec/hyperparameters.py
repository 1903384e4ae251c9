"""The grammar of hyperparameters: one line of a declaration for each.

A declaration is a subclass of `Hyperparameters` whose fields are made by `integer`, `number`,
`boolean`, `choice`, `listing`, `free_json` and `number_map`. Values arrive as SageMaker sends
them, all strings, or as Python values; `parse` answers with a frozen, typed object or raises one
`CallerError` with every fault found.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from clary.errors import CallerError, Fault
from clary.spec.hyperparameter import Hyperparameter, Kind

Auto = Literal["auto"]
AUTO: Auto = "auto"

# Sent by the tuning service or the SDK's base class to every built-in; they steer SageMaker's own
# engine, which Clary does not have.
INTERNAL = frozenset(
    {
        "_tuning_objective_metric",
        "_kvstore",
        "_num_kv_servers",
        "_num_gpus",
        "_log_level",
        "_enable_profiler",
    }
)


@dataclass(frozen=True)
class Rule:
    """A rule between fields: `check` gets their values by position and answers a fault or None.

    It is asked only when all its fields are themselves right.
    """

    fields: tuple[str, ...]
    check: Callable[..., Fault | None]


class Hyperparameters(BaseModel):
    """Base of every algorithm's hyperparameters."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    rules: ClassVar[tuple[Rule, ...]] = ()
    # Names that SageMaker's image knows and that change nothing here; said in the log.
    ignored: ClassVar[frozenset[str]] = frozenset()

    _tuned: bool = PrivateAttr(default=False)

    @property
    def tuned(self) -> bool:
        """Whether a tuning job sent these: it adds `_tuning_objective_metric`."""
        return self._tuned

    @field_validator("*", mode="before")
    @classmethod
    def _typed(cls, value: Any, info: ValidationInfo) -> Any:
        declared = cls.declared()[_wire_name(str(info.field_name))]
        return None if value is None and not declared.required else declared.parse(value)

    @classmethod
    def declared(cls) -> dict[str, Hyperparameter]:
        """Every hyperparameter by its name on the wire, in the order of SageMaker's page."""
        cached: dict[str, Hyperparameter] | None = cls.__dict__.get("_declared_cache")
        if cached is None:
            cached = {}
            for field_name, field in cls.model_fields.items():
                name = _wire_name(field_name)
                extra = field.json_schema_extra
                assert isinstance(extra, dict)
                cached[name] = Hyperparameter(name=name, **extra["hyperparameter"])  # type: ignore[arg-type]
            cls._declared_cache = cached
        return cached

    _declared_cache: ClassVar[dict[str, Hyperparameter]]

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Typed hyperparameters from strings or Python values; None means not given.

        Raises:
            CallerError: with every fault at once.
        """
        given, faults = cls._named(values)
        parsed = None
        try:
            parsed = cls.model_validate({_field_name(name): value for name, value in given.items()})
            right = parsed.model_dump()
        except ValidationError as error:
            wrong = {_wire_name(str(fault["loc"][0])) for fault in error.errors()}
            faults += [cls._fault(dict(fault), given) for fault in error.errors()]
            right = cls._without(given, wrong)
        for rule in cls.rules:
            if all(name in right for name in map(_field_name, rule.fields)):
                fault = rule.check(*(right[_field_name(name)] for name in rule.fields))
                faults += [fault] if fault else []
        if faults or parsed is None:
            raise CallerError(*faults)
        parsed._tuned = bool(values.get("_tuning_objective_metric"))
        return parsed

    @classmethod
    def _named(cls, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
        """The known names among the given, aliases resolved, and a fault for each unknown one."""
        declared = cls.declared()
        aliases = {alias: name for name, one in declared.items() for alias in one.aliases}
        given: dict[str, Any] = {}
        faults = []
        for name, value in values.items():
            target = aliases.get(name, name)
            if value is None or (target not in declared and cls.is_ignored(target)):
                continue
            if target not in declared:
                faults.append(_unknown(name, [*declared, *aliases]))
            elif target in given and str(given[target]) != str(value):
                both = f"{given[target]} and {value}"
                faults.append(Fault(f"{target} under two names", "the values must agree", both))
            else:
                given[target] = value
        return given, faults

    @classmethod
    def is_ignored(cls, name: str) -> bool:
        """Whether SageMaker's image takes this name and Clary has no use for it."""
        return name in INTERNAL or name in cls.ignored or name.startswith("sagemaker_")

    @classmethod
    def _fault(cls, error: dict[str, Any], given: Mapping[str, Any]) -> Fault:
        name = _wire_name(str(error["loc"][0]))
        if error["type"] == "missing":
            return Fault(name, "is required and was not given", remedy=cls.declared()[name].about)
        text = str(error.get("ctx", {}).get("error", error["msg"]))
        rule, _, remedy = text.partition("|")
        return Fault(name, rule, given.get(name), remedy)

    @classmethod
    def _without(cls, given: Mapping[str, Any], wrong: set[str]) -> dict[str, Any]:
        """The fields that are right on their own, parsed, with defaults, where others are not."""
        right: dict[str, Any] = {}
        for name, one in cls.declared().items():
            field = _field_name(name)
            if name in wrong:
                continue
            right[field] = one.parse(given[name]) if name in given else cls._default(field)
        return right

    @classmethod
    def _default(cls, field: str) -> Any:
        return cls.model_fields[field].get_default(call_default_factory=False)

    def given(self) -> dict[str, Any]:
        """The values set by the caller, by their names on the wire."""
        return {_wire_name(name): getattr(self, name) for name in sorted(self.model_fields_set)}

    def values(self) -> dict[str, Any]:
        """All values by their names on the wire, in declared order."""
        return {_wire_name(name): getattr(self, name) for name in type(self).model_fields}

    def having(self, **resolved: Any) -> Self:
        """A copy with some values settled (`auto` resolved, `feature_dim` read from the data)."""
        return self.model_copy(update=resolved)


def integer(about: str, *, default: Any = None, **rest: Any) -> Any:
    """A whole number. `10.0`, `+10` and `010` are refused, as SageMaker does."""
    return _field("integer", about, default, rest)


def number(about: str, *, default: Any = None, **rest: Any) -> Any:
    """A finite floating-point number."""
    return _field("float", about, default, rest)


def boolean(about: str, *, default: Any = None, **rest: Any) -> Any:
    """true or false, in any case."""
    return _field("boolean", about, default, rest)


def choice(about: str, *choices: str, default: Any = None, **rest: Any) -> Any:
    """One word of several. A choice `auto` counts as `accepts_auto`."""
    if AUTO in choices:
        rest.setdefault("words", (AUTO,))
    return _field("categorical", about, default, {"choices": choices, **rest})


def listing(about: str, *choices: Any, default: Any = None, **rest: Any) -> Any:
    """A list: JSON text, a Python literal, or words joined by commas. Arrives as a tuple."""
    return _field("list", about, default, {"choices": choices, **rest})


def free_json(about: str, *choices: Any, default: Any = None, **rest: Any) -> Any:
    """A list given as JSON text (or a Python literal). Arrives as nested tuples.

    `choices` are the whole values allowed, if they are limited.
    """
    return _field("json", about, default, {"choices": choices, **rest})


def number_map(about: str, *, default: Any = None, **rest: Any) -> Any:
    """Numbers by name, given as JSON text. Arrives as a dictionary with names that are strings."""
    return _field("json", about, default, {"is_map": True, **rest})


def _field(kind: Kind, about: str, default: Any, rest: dict[str, Any]) -> Any:
    """A pydantic field that carries the declaration.

    `auto=True` allows the word auto (and makes it the default unless one is given).
    """
    rest = dict(rest)
    if rest.pop("auto", False):
        rest["words"] = (*rest.get("words", ()), AUTO)
        default = AUTO if default is None else default
    left = rest.get("left_to_engine", False) or rest.get("inferred", False)
    declared = {"kind": kind, "about": about, "default": default, **rest}
    required = rest.get("required") is True and not rest.get("inferred")
    return Field(
        default=... if required else None if left else default,
        description=about,
        json_schema_extra={"hyperparameter": declared},
    )


def _wire_name(field: str) -> str:
    """`lambda_` is the field, `lambda` the hyperparameter; `internal_x` stands for `_x`."""
    if field.startswith("internal_"):
        return field.removeprefix("internal")
    return field.removesuffix("_")


def _field_name(name: str) -> str:
    if name.startswith("_"):
        return f"internal{name}"
    return f"{name}_" if name in {"lambda"} else name


def _unknown(name: str, known: list[str]) -> Fault:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    remedy = f"Did you mean {near[0]!r}?" if near else "`clary describe` lists the known ones."
    return Fault(
        name,
        f"Additional hyperparameters are not allowed ({name!r} was unexpected)",
        remedy=remedy,
    )
