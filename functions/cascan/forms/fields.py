"""A mapping → a value of a Struct, field by field, so that every problem is told at once and by its path."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from enum import Enum
from typing import Any, TypeVar, get_args

import msgspec

from cascan.errors import RequestRefused
from cascan.limits import MAX_REASONS
from cascan.model.refusal import Refusal, Rule

MAX_PATH_CHARS = 256
S = TypeVar("S", bound=msgspec.Struct)
SENTENCE = re.compile(r"(?P<problem>.*?)( - at `(key in )?\$(?P<path>.*)`)?", re.DOTALL)


def read_struct(
    kind: type[S],
    fields: Mapping[str, Any],
    path: str = "",
    hints: Mapping[str, str] | None = None,
    *,
    ignore_unknown: bool = False,
) -> S:
    """A value of `kind`. `path` stands before the names of fields; `hints` says more of a field that is unknown.

    What people write is read strictly here, structs inside of it too; what is stored is read tolerantly elsewhere.

    Raises: RequestRefused: unknown fields with near matches, wrong types and bounds, missing fields.
    """
    known = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    problems = [] if ignore_unknown else find_unknown_fields(fields, known, path, hints or {})
    values: dict[str, Any] = {}
    for name, field in known.items():
        if name in fields:
            inner = _struct_in(field.type)
            if inner and isinstance(fields[name], dict) and not ignore_unknown:
                problems += find_unknown_fields(fields[name], _names_of(inner), f"{path}{name}.")
            try:
                values[field.name] = msgspec.convert(fields[name], field.type)
            except msgspec.ValidationError as exc:
                problems.append(_sentence(f"{path}{name}", str(exc), field.type, fields[name]))
        elif field.required:
            problems.append(f"{path}{name} is missing")
    if problems:
        raise build_refusal(problems)
    return kind(**values)


def build_refusal(problems: Iterable[str]) -> RequestRefused:
    """The problems as refusals, at most MAX_REASONS and one: each sentence begins with the path of its field."""
    listed = list(problems)
    refusals = [Refusal(_path_in(problem), Rule.FIELD, problem) for problem in listed[:MAX_REASONS]]
    if len(listed) > MAX_REASONS:
        refusals.append(Refusal("", Rule.LIMIT, f"and {len(listed) - MAX_REASONS} more reasons"))
    return RequestRefused(refusals)


def _path_in(problem: str) -> str:
    return re.split(r"[\s:]", problem[:MAX_PATH_CHARS], maxsplit=1)[0]


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    """The struct that a field holds, where it may hold one."""
    kinds = (one for one in get_args(kind) or (kind,) if isinstance(one, type))
    return next((one for one in kinds if issubclass(one, msgspec.Struct)), None)


def _names_of(kind: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def find_unknown_fields(
    fields: Iterable[str], known: Iterable[str], path: str, hints: Mapping[str, str] = {}
) -> list[str]:
    """A sentence for each field that is not known."""
    known = list(known)
    problems = []
    for name in fields:
        if name in known:
            continue
        near = get_close_matches(name[:64], known, n=3)
        more = hints.get(name) or (f"did you mean {' or '.join(near)}?" if near else "")
        problems.append(f"{path}{name[:64]} is not a field here{'; ' if more else ''}{more}")
        if len(problems) > MAX_REASONS:
            break
    return problems


def _sentence(name: str, complaint: str, kind: Any, value: Any) -> str:
    for one in get_args(kind) or (kind,):  # an optional field is a union
        if isinstance(one, type) and issubclass(one, Enum):
            return f"{name}: {value!r:.80} is not known here; {', '.join(str(member.value) for member in one)} are"
    match = SENTENCE.fullmatch(complaint)
    problem, path = (match["problem"], match["path"] or "") if match else (complaint, "")
    problem = problem.replace("`", "")
    quotes = "; put it in quotes" if re.match(r"Expected str, got (int|float|bool)", problem) else ""
    return f"{name}{path}: {problem[:1].lower()}{problem[1:]}{quotes}"
