"""Environment → typed settings. Every missing or misspelt variable is named at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

S = TypeVar("S", bound="DataclassInstance")


class SettingsError(RuntimeError):
    """The environment does not hold what the function needs."""


def from_env(kind: type[S], env: Mapping[str, str]) -> S:
    """A value of the dataclass `kind`; field `report_bucket` is read from REPORT_BUCKET.

    Fields are `str`, `int` or `tuple[str, ...]` (comma-separated, blanks dropped); a default makes one optional.
    Raises: SettingsError: names every variable that is unset or not a number.
    """
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
        except ValueError:
            problems.append(f"{name}={text!r} is not a whole number")
    if problems:
        raise SettingsError(f"{kind.__module__}: " + "; ".join(problems))
    return kind(**values)


def _convert(text: str, kind: object) -> object:
    if kind is int:
        return int(text)
    if kind == tuple[str, ...]:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text
