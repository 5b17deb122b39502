"""Mustache as secureCodeBox's rules use it: variables, sections, inverted sections, comments. Text → text.

Nothing is escaped: what is rendered becomes one word of an argument list, never HTML and never a shell's. What a
finding says is put in as it is and not read again, so template syntax in a banner stays text.

A scope limiter's values have three helpers more, which make lists: `{{#asList}}attributes.ip_addresses{{/asList}}`,
`{{#getValues}}attributes.addresses.ip{{/getValues}}`, `{{#split}}a, b{{/split}}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cascan.limits import MAX_RENDER_STEPS, MAX_RENDERED_CHARS, MAX_RENDERED_VALUES
from cascan.templates.parse import (
    Helper,
    Node,
    Section,
    Template,
    TemplateError,
    Variable,
    abbreviate,
    compile_template,
    compile_values,
    find_unknown_aliases,
)

__all__ = [
    "RenderResult",
    "Template",
    "TemplateError",
    "compile_template",
    "compile_values",
    "find_unknown_aliases",
    "render",
    "render_values",
]

MISSING = object()
INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


@dataclass(slots=True)
class RenderResult:
    """What a template rendered to."""

    text: str
    values: list[str]  # what was put in from outside, in order
    missing: list[str]  # variables outside any section that had nothing to put in
    steps: int = 0  # what it took: nodes, and entries of lists


def render(template: Template, data: Mapping[str, Any]) -> RenderResult:
    """Raises: TemplateError: it renders to more than MAX_RENDERED_CHARS, or takes more than MAX_RENDER_STEPS."""
    return _Renderer(template).run([data])


def render_values(template: Template, data: Mapping[str, Any], aliases: Mapping[str, str]) -> list[str] | None:
    """The list a scope limiter's value stands for; None: a part of it had nothing to render.

    `{{$.name}}` is the alias of that name, itself a template, where there is one. Raises: TemplateError.
    """
    node = template.nodes[0] if len(template.nodes) == 1 else None
    if isinstance(node, Variable) and node.path[0] == "$" and ".".join(node.path[1:]) in aliases:
        template = compile_values(aliases[".".join(node.path[1:])])
    elif names := [name for name in _named_in_helpers(template) if name in aliases]:
        data = {**data, "$": {**(data.get("$") or {}), **_alias_texts(names, data, aliases)}}
    values: list[str] = []
    if any(isinstance(node, Helper) for node in template.nodes):
        for part in template.nodes:
            if isinstance(part, Helper):
                values += _HELPERS[part.name](part, data)
    else:
        values.append(_whole(template, data))
    if len(values) > MAX_RENDERED_VALUES or sum(map(len, values)) > MAX_RENDERED_CHARS:
        most = f"{MAX_RENDERED_VALUES} values or {MAX_RENDERED_CHARS} characters"
        raise TemplateError(f"{abbreviate(template.text)} renders to more than {most}")
    return values if values and all(values) else None


@lru_cache(maxsize=4096)
def _named_in_helpers(template: Template) -> tuple[str, ...]:
    """Names in `$` that a template has among other text."""
    return tuple(name.removeprefix("$.") for name in find_unknown_aliases(template, ()))


def _alias_texts(names: Iterable[str], data: Mapping[str, Any], aliases: Mapping[str, str]) -> dict[str, str]:
    """The aliases as text, a list joined by commas; without those that have nothing to render."""
    lists = {name: render_values(compile_values(aliases[name]), data, {}) for name in names}
    return {name: ",".join(values) for name, values in lists.items() if values}


def _whole(template: Template, data: Mapping[str, Any]) -> str:
    """What it renders to; nothing, where a variable of it had nothing to put in: half a value would be another."""
    rendered = render(template, data)
    return "" if rendered.missing else rendered.text


def to_text(value: Any) -> str:
    """As JavaScript's templates print it: a list joined by commas, nothing for null and for a mapping."""
    match value:
        case str():
            return value
        case None | dict():
            return ""
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case list() | tuple():
            return ",".join(map(to_text, value))
    return str(value)


def look_up(path: Sequence[str], frames: Sequence[Any]) -> Any:
    """The value of a dotted name: its first part in the innermost frame that has it, the rest inside that; MISSING."""
    if path == (".",):
        return frames[-1]
    for frame in reversed(frames):
        if isinstance(frame, Mapping) and path[0] in frame:
            value = frame[path[0]]
            for name in path[1:]:
                value = _inside(value, name)
            return value
    return MISSING


def _inside(value: Any, name: str) -> Any:
    """A mapping's field; an entry of a list by its number, from 0, or its length, as JavaScript has them; MISSING."""
    if isinstance(value, Mapping):
        return value.get(name, MISSING)
    if isinstance(value, list | tuple):
        if name == "length":
            return len(value)
        if INDEX.fullmatch(name) and int(name) < len(value):
            return value[int(name)]
    return MISSING


class _Renderer:
    def __init__(self, template: Template) -> None:
        self.template = template
        self.steps = 0
        self.chars = 0
        self.parts: list[str] = []
        self.found = RenderResult("", [], [])

    def run(self, frames: list[Any]) -> RenderResult:
        self._nodes(self.template.nodes, frames, depth=0)
        self.found.text, self.found.steps = "".join(self.parts), self.steps
        return self.found

    def _nodes(self, nodes: tuple[Node, ...], frames: list[Any], depth: int) -> None:
        for node in nodes:
            self._step()
            if isinstance(node, str):
                self._put(node)
            elif isinstance(node, Variable):
                self._variable(node, frames, depth)
            elif isinstance(node, Section):
                for frame in _frames_of(node, look_up(node.path, frames)):
                    self._step()
                    self._nodes(node.body, frames if frame is MISSING else [*frames, frame], depth + 1)

    def _step(self) -> None:
        self.steps += 1
        if self.steps > MAX_RENDER_STEPS:
            raise TemplateError(f"{abbreviate(self.template.text)} takes more than {MAX_RENDER_STEPS} steps")

    def _variable(self, node: Variable, frames: list[Any], depth: int) -> None:
        value = look_up(node.path, frames)
        text = "" if value is MISSING else to_text(value)
        if text:
            self.found.values.append(text)
            self._put(text)
        elif not depth:
            self.found.missing.append(".".join(node.path))

    def _put(self, text: str) -> None:
        self.chars += len(text)
        if self.chars > MAX_RENDERED_CHARS:
            raise TemplateError(
                f"{abbreviate(self.template.text)} renders to more than {MAX_RENDERED_CHARS} characters"
            )
        self.parts.append(text)


def _frames_of(section: Section, value: Any) -> Iterator[Any]:
    """What the section's body is rendered with, once each; MISSING adds no frame."""
    is_there = not (value is MISSING or value is None or value is False or value in ("", 0) or value == [])
    if section.inverted:
        if not is_there:
            yield MISSING
    elif is_there:
        if isinstance(value, list | tuple):
            yield from value
        else:
            yield MISSING if value is True else value


def _as_list(helper: Helper, data: Mapping[str, Any]) -> list[str]:
    value = look_up(helper.key, [data])
    if value is MISSING or value is None:
        return [""]
    return [to_text(entry) for entry in value] if isinstance(value, list | tuple) else [to_text(value)]


def _get_values(helper: Helper, data: Mapping[str, Any]) -> list[str]:
    *path, name = helper.key
    entries = look_up(tuple(path), [data])
    if not isinstance(entries, list | tuple):
        return [""]
    return [to_text(entry.get(name)) if isinstance(entry, Mapping) else "" for entry in entries] or [""]


def _split(helper: Helper, data: Mapping[str, Any]) -> list[str]:
    """At commas, with or without a space; one behind the last entry makes no further one."""
    text = _whole(Template(helper.source, helper.body), data).strip()
    if not text:
        return [""]
    entries = [entry.strip() for entry in text.split(",")]
    return entries[:-1] if len(entries) > 1 and not entries[-1] else entries


_HELPERS = {"asList": _as_list, "getValues": _get_values, "split": _split}
