"""A mapping → a struct, field by field, so that all problems are reported together, each by its
path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, TypeVar, get_args

import msgspec

from cascan.errors import RequestRefused
from cascan.limits import MAX_REASONS
from cascan.model.refusal import Refusal, Rule
from cascan.patterns import compile_pattern

MAX_PATH_CHARS = 256
S = TypeVar("S", bound=msgspec.Struct)
SENTENCE = r"(?s)(?P<problem>.*?)( - at `(key in )?\$(?P<path>.*)`)?"


def read_struct(
    kind: type[S],
    fields: Mapping[str, Any],
    path: str = "",
    hints: Mapping[str, str] | None = None,
    *,
    ignore_unknown: bool = False,
) -> S:
    """A value of `kind`.

    `path`: precedes the names of fields in messages. `hints`: by name, what to say about an unknown
    field. `ignore_unknown`: skip fields that `kind` does not have. Without it, text that people
    write is read strictly, nested structs included.

    Raises: RequestRefused: unknown fields with near matches, wrong types, values out of bounds,
        missing fields.
    """
    struct_fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    problems = []
    if not ignore_unknown:
        problems = find_unknown_fields(fields, struct_fields, path, hints or {})
    values: dict[str, Any] = {}
    for name, field in struct_fields.items():
        if name not in fields:
            if field.required:
                problems.append(f"{path}{name} is missing")
            continue
        if not ignore_unknown:
            problems += _find_unknown_inside(fields[name], field.type, f"{path}{name}.")
        try:
            values[field.name] = msgspec.convert(fields[name], field.type)
        except msgspec.ValidationError as exc:
            problems.append(_to_sentence(f"{path}{name}", str(exc), field.type, fields[name]))
    if problems:
        raise build_refusal(problems)
    return kind(**values)


def _find_unknown_inside(value: Any, kind: Any, path: str) -> list[str]:
    """The unknown fields of a value that a struct is read from."""
    struct = _find_struct(kind)
    if struct is None or not isinstance(value, dict):
        return []
    return find_unknown_fields(
        value,
        struct.__struct_encode_fields__,
        path,
    )


def build_refusal(problems: Iterable[str]) -> RequestRefused:
    """One refusal of at most MAX_REASONS problems, and how many more there are.

    Each problem is a sentence that begins with the path of its field.
    """
    listed = list(problems)
    shown = listed[:MAX_REASONS]
    refusals = [Refusal(_read_path(problem), Rule.FIELD, problem) for problem in shown]
    if len(listed) > MAX_REASONS:
        refusals.append(Refusal("", Rule.LIMIT, f"and {len(listed) - MAX_REASONS} more reasons"))
    return RequestRefused(refusals)


def _read_path(problem: str) -> str:
    return re.split(r"[\s:]", problem[:MAX_PATH_CHARS], maxsplit=1)[0]


def _find_struct(kind: Any) -> type[msgspec.Struct] | None:
    """The struct among the types that a field may have. None: there is none."""
    types = (member for member in get_args(kind) or (kind,) if isinstance(member, type))
    return next((member for member in types if issubclass(member, msgspec.Struct)), None)


def find_unknown_fields(
    fields: Iterable[str], known: Iterable[str], path: str, hints: Mapping[str, str] = {}
) -> list[str]:
    """A sentence for each field that is not known, for some more than MAX_REASONS at most."""
    known_names = list(known)
    problems = []
    for name in fields:
        if name in known_names:
            continue
        from difflib import get_close_matches  # noqa: PLC0415 - only unknown fields need it

        near = get_close_matches(name[:64], known_names, n=3)
        hint = hints.get(name) or (f"did you mean {' or '.join(near)}?" if near else "")
        problems.append(f"{path}{name[:64]} is not a field here{'; ' if hint else ''}{hint}")
        if len(problems) > MAX_REASONS:
            break
    return problems


def _to_sentence(name: str, complaint: str, kind: Any, value: Any) -> str:
    """The complaint of msgspec about a field as a sentence of ours."""
    for member in get_args(kind) or (kind,):  # an optional field is a union
        if isinstance(member, type) and issubclass(member, Enum):
            choices = ", ".join(str(choice.value) for choice in member)
            return f"{name}: {value!r:.80} is not known here; {choices} are"
    match = compile_pattern(SENTENCE).fullmatch(complaint)
    problem, path = (match["problem"], match["path"] or "") if match else (complaint, "")
    problem = problem.replace("`", "")
    is_unquoted = re.match(r"Expected str, got (int|float|bool)", problem)
    quotes = "; put it in quotes" if is_unquoted else ""
    return f"{name}{path}: {problem[:1].lower()}{problem[1:]}{quotes}"
