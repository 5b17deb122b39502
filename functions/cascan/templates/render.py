"""Mustache templates as secureCodeBox's rules use them: variables, (inverted) sections, comments.

Nothing is escaped: the result is one argument in an argument list, never HTML and never a shell
command. Values of a finding are inserted unchanged and are not parsed again, so that template
syntax in a banner stays text.

The values of a scope limiter can use three more helpers, which make lists:
`{{#asList}}attributes.ip_addresses{{/asList}}`,
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
    """The text of a rendered template, and how it came about."""

    text: str
    values: list[str]  # the values that were inserted, in order
    missing: list[str]  # variables outside any section that have no value
    steps: int = 0  # the work: nodes, and entries of lists


def render(template: Template, data: Mapping[str, Any]) -> RenderResult:
    """Raises: TemplateError: it exceeds MAX_RENDERED_CHARS or MAX_RENDER_STEPS."""
    return _Renderer(template).run([data])


def render_values(template: Template, data: Mapping[str, Any], aliases: Mapping[str, str]) -> list[str] | None:
    """The values that a value of a scope limiter renders to. None: a part of it has no value.

    `{{$.name}}` is replaced by the alias of that name, which is a template itself. Raises:
    TemplateError.
    """
    alias = _find_alias(template, aliases)
    if alias is not None:
        template = compile_values(alias)
    else:
        data = _add_aliases(template, data, aliases)
    values = _render_list(template, data)
    if len(values) > MAX_RENDERED_VALUES or sum(map(len, values)) > MAX_RENDERED_CHARS:
        limits = f"{MAX_RENDERED_VALUES} values or {MAX_RENDERED_CHARS} characters"
        raise TemplateError(f"{abbreviate(template.text)} renders to more than {limits}")
    return values if values and all(values) else None


def _find_alias(template: Template, aliases: Mapping[str, str]) -> str | None:
    """The alias that a template stands for which is `{{$.name}}` and nothing else."""
    node = template.nodes[0] if len(template.nodes) == 1 else None
    if not isinstance(node, Variable) or node.path[0] != "$":
        return None
    return aliases.get(".".join(node.path[1:]))


def _add_aliases(template: Template, data: Mapping[str, Any], aliases: Mapping[str, str]) -> Mapping[str, Any]:
    """`data` with the aliases that the template names among other text, rendered, under `$`."""
    names = [name for name in _find_alias_names(template) if name in aliases]
    if not names:
        return data
    return {**data, "$": {**(data.get("$") or {}), **_render_aliases(names, data, aliases)}}


def _render_list(template: Template, data: Mapping[str, Any]) -> list[str]:
    helpers = [node for node in template.nodes if isinstance(node, Helper)]
    if not helpers:
        return [_render_complete(template, data)]
    return [value for helper in helpers for value in _HELPERS[helper.name](helper, data)]


@lru_cache(maxsize=4096)
def _find_alias_names(template: Template) -> tuple[str, ...]:
    """The names x of all `$.x` in the template."""
    return tuple(name.removeprefix("$.") for name in find_unknown_aliases(template, ()))


def _render_aliases(names: Iterable[str], data: Mapping[str, Any], aliases: Mapping[str, str]) -> dict[str, str]:
    """The aliases as text, a list joined by commas. An alias without a value is left out."""
    lists = {name: render_values(compile_values(aliases[name]), data, {}) for name in names}
    return {name: ",".join(values) for name, values in lists.items() if values}


def _render_complete(template: Template, data: Mapping[str, Any]) -> str:
    """The rendered text.

    Empty if a variable has no value: half a value would be a different value.
    """
    result = render(template, data)
    return "" if result.missing else result.text


def to_text(value: Any) -> str:
    """The value as JavaScript prints it: a list joined by commas; null and mappings are empty."""
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
    """The value of a dotted name, or MISSING.

    The innermost frame that has its first part decides.
    """
    if path == (".",):
        return frames[-1]
    for frame in reversed(frames):
        if isinstance(frame, Mapping) and path[0] in frame:
            value = frame[path[0]]
            for name in path[1:]:
                value = _get_member(value, name)
            return value
    return MISSING


def _get_member(value: Any, name: str) -> Any:
    """A field of a mapping; an entry of a list by its number, or its `length`; or MISSING."""
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
        self.texts: list[str] = []
        self.result = RenderResult("", [], [])

    def run(self, frames: list[Any]) -> RenderResult:
        self._render_nodes(self.template.nodes, frames, depth=0)
        self.result.text, self.result.steps = "".join(self.texts), self.steps
        return self.result

    def _render_nodes(self, nodes: tuple[Node, ...], frames: list[Any], depth: int) -> None:
        for node in nodes:
            self._count_step()
            if isinstance(node, str):
                self._append(node)
            elif isinstance(node, Variable):
                self._render_variable(node, frames, depth)
            elif isinstance(node, Section):
                for frame in _find_frames(node, look_up(node.path, frames)):
                    self._count_step()
                    inner_frames = frames if frame is MISSING else [*frames, frame]
                    self._render_nodes(node.body, inner_frames, depth + 1)

    def _count_step(self) -> None:
        self.steps += 1
        if self.steps > MAX_RENDER_STEPS:
            raise TemplateError(f"{abbreviate(self.template.text)} takes more than {MAX_RENDER_STEPS} steps")

    def _render_variable(self, node: Variable, frames: list[Any], depth: int) -> None:
        value = look_up(node.path, frames)
        text = "" if value is MISSING else to_text(value)
        if text:
            self.result.values.append(text)
            self._append(text)
        elif not depth:
            self.result.missing.append(".".join(node.path))

    def _append(self, text: str) -> None:
        self.chars += len(text)
        if self.chars > MAX_RENDERED_CHARS:
            raise TemplateError(
                f"{abbreviate(self.template.text)} renders to more than {MAX_RENDERED_CHARS} characters"
            )
        self.texts.append(text)


def _find_frames(section: Section, value: Any) -> Iterator[Any]:
    """The body of the section is rendered once for each of these frames.

    MISSING: once, without a further frame.
    """
    is_there = not _is_falsy(value)
    if section.inverted:
        if not is_there:
            yield MISSING
    elif is_there:
        if isinstance(value, list | tuple):
            yield from value
        else:
            yield MISSING if value is True else value


def _is_falsy(value: Any) -> bool:
    return value is MISSING or value is None or value is False or value in ("", 0) or value == []


def _as_list(helper: Helper, data: Mapping[str, Any]) -> list[str]:
    value = look_up(helper.key, [data])
    if value is MISSING or value is None:
        return [""]
    entries = value if isinstance(value, list | tuple) else [value]
    return [to_text(entry) for entry in entries]


def _get_values(helper: Helper, data: Mapping[str, Any]) -> list[str]:
    *path, name = helper.key
    entries = look_up(tuple(path), [data])
    if not isinstance(entries, list | tuple):
        return [""]
    values = [entry.get(name) if isinstance(entry, Mapping) else "" for entry in entries]
    return [to_text(value) for value in values] or [""]


def _split(helper: Helper, data: Mapping[str, Any]) -> list[str]:
    """Split at commas, with or without a space. A comma at the end adds no entry."""
    text = _render_complete(Template(helper.source, helper.body), data).strip()
    if not text:
        return [""]
    entries = [entry.strip() for entry in text.split(",")]
    return entries[:-1] if len(entries) > 1 and not entries[-1] else entries


_HELPERS = {"asList": _as_list, "getValues": _get_values, "split": _split}
