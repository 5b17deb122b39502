"""Environment → typed settings. Every missing or misspelt variable is named at once."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from math import inf
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

S = TypeVar("S", bound="DataclassInstance")


class SettingsError(RuntimeError):
    """The environment does not hold what the function needs."""


def from_env(kind: type[S], env: Mapping[str, str]) -> S:
    """A value of the dataclass `kind`; field `report_bucket` is read from REPORT_BUCKET.

    Fields are `str`, `int`, `float` from 0 up, `tuple[str, ...]` (comma-separated, blanks dropped), an Enum or a
    Literal; a default makes one optional.
    Raises: SettingsError: names every variable that is unset, not a number, or not among the
    allowed values.
    """
    from dataclasses import MISSING, fields  # noqa: PLC0415 - slow; the command imports only SettingsError

    values: dict[str, Any] = {}
    problems: list[str] = []
    hints = get_type_hints(kind)
    for field in fields(kind):
        name = field.name.upper()
        text = env.get(name)
        if text is None:
            if field.default is MISSING and field.default_factory is MISSING:
                problems.append(f"{name} is not set")
            continue
        try:
            values[field.name] = _convert(text, hints[field.name])
        except ValueError as exc:
            problems.append(f"{name}={text!r} is {exc}")
    if problems:
        raise SettingsError(f"{kind.__module__}: " + "; ".join(problems))
    return kind(**values)


def _convert(text: str, kind: object) -> object:
    """Raises: ValueError: completes "it is …"."""
    if kind is int:
        try:
            return int(text)
        except ValueError as exc:
            raise ValueError("not a whole number") from exc
    if kind is float:
        return _to_amount(text)
    if kind == tuple[str, ...]:
        return tuple(item.strip() for item in text.split(",") if item.strip())
    values = _values(kind)
    if values and text not in values:
        raise ValueError(f"not one of {', '.join(values)}")
    return values.get(text, text)


def _to_amount(text: str) -> float:
    """Raises: ValueError: completes "it is …"."""
    try:
        number = float(text)
    except ValueError as exc:
        raise ValueError("not a number") from exc
    if not 0 <= number < inf:
        raise ValueError("not a number from 0 up")
    return number


def _values(kind: object) -> dict[str, object]:
    """The values of a Literal or an Enum, by their text; empty for any other type."""
    if get_origin(kind) is Literal:
        return {str(value): value for value in get_args(kind)}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {str(member.value): member for member in kind}
    return {}
