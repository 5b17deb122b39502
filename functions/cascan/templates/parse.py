"""The parser of Mustache templates: text → nodes.

Partials, lambdas, other delimiters and empty tags are refused.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from functools import lru_cache

from cascan.limits import MAX_TEMPLATE_CHARS, MAX_TEMPLATE_DEPTH, MAX_TEMPLATE_PATH

TAG = re.compile(r"\{\{(?:\{(?P<raw>[^{}]*)\}|(?P<kind>[#^/!>=&]?)(?P<name>[^{}]*))\}\}")
PATH = re.compile(r"[^\s.{}]+(\.[^\s.{}]+)*|\.")
HELPERS = {
    "asList": 2,
    "getValues": 3,
    "split": 0,
}  # least number of names in the path that they contain
MAX_QUOTED_CHARS = 80


class TemplateError(ValueError):
    """A template that cannot be compiled, or that exceeds a limit when it is rendered."""


@dataclass(frozen=True, slots=True)
class Variable:
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    path: tuple[str, ...]
    inverted: bool
    body: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Helper:
    name: str
    body: tuple[Node, ...]
    source: str  # the text between its tags
    key: tuple[str, ...] = ()  # the dotted name of the list; empty for `split`


Node = str | Variable | Section | Helper


@dataclass(frozen=True, slots=True)
class Template:
    text: str
    nodes: tuple[Node, ...]
    literal: str | None = None  # what it renders to, if its only tags are comments
    is_one_value: bool = False  # a single variable: it renders to a value of the finding


@lru_cache(maxsize=4096)
def compile_template(text: str) -> Template:
    """A template without list helpers.

    Raises: TemplateError: it cannot be compiled, with the reason.
    """
    return _compile(text, helpers=False)


@lru_cache(maxsize=4096)
def compile_values(text: str) -> Template:
    """A template that may use the list helpers. Raises: TemplateError."""
    template = _compile(text, helpers=True)
    if any(isinstance(node, Helper) for node in template.nodes):
        others = [node for node in template.nodes if not isinstance(node, Helper)]
        if any(not _is_blank(node) for node in others):
            raise TemplateError(f"{abbreviate(text)}: a value with a list helper can contain nothing else")
    return template


def _is_blank(node: Node) -> bool:
    return isinstance(node, str) and not node.strip()


def _compile(text: str, *, helpers: bool) -> Template:
    if len(text) > MAX_TEMPLATE_CHARS:
        raise TemplateError(f"{abbreviate(text)}: {len(text)} characters are more than {MAX_TEMPLATE_CHARS}")
    nodes = _Parser(text, helpers=helpers).parse()
    texts = [node for node in nodes if isinstance(node, str)]
    literal = "".join(texts) if len(texts) == len(nodes) else None
    is_one_value = len(nodes) == 1 and isinstance(nodes[0], Variable)
    return Template(text, nodes, literal, is_one_value)


def find_unknown_aliases(template: Template, aliases: Container[str]) -> list[str]:
    """Names `$.x` in the template where x is not among the aliases, each once."""
    unknown: list[str] = []
    pending = list(template.nodes)
    while pending:
        node = pending.pop(0)
        if isinstance(node, Section | Helper):
            pending += node.body
        path = _get_path(node)
        if path and path[0] == "$" and ".".join(path[1:]) not in aliases:
            unknown.append(".".join(path))
    return list(dict.fromkeys(unknown))


def _get_path(node: Node) -> tuple[str, ...]:
    """The dotted name in a tag; empty for literal text."""
    if isinstance(node, str):
        return ()
    return node.key if isinstance(node, Helper) else node.path


class _Parser:
    def __init__(self, text: str, *, helpers: bool) -> None:
        self.text = text
        self.helpers = helpers
        self.position = 0

    def parse(self) -> tuple[Node, ...]:
        nodes, _ = self._parse_until("", 0)
        return nodes

    def _parse_until(self, closing: str, depth: int) -> tuple[tuple[Node, ...], int]:
        """The nodes up to the tag that closes the section `closing`, and where that tag begins."""
        if depth > MAX_TEMPLATE_DEPTH:
            raise self._error(f"sections are nested deeper than {MAX_TEMPLATE_DEPTH}")
        nodes: list[Node] = []
        while tag := TAG.search(self.text, self.position):
            nodes += self._parse_literal(self.text[self.position : tag.start()])
            self.position = tag.end()
            kind, name = tag["kind"] or "", (tag["raw"] or tag["name"] or "").strip()
            if kind == "/":
                if name != closing:
                    raise self._error(f"{tag[0]!r} closes a section that is not open")
                return tuple(nodes), tag.start()
            if kind != "!":
                nodes.append(self._parse_node(kind, name, depth))
        if closing:
            raise self._error(f"the section {closing!r} is not closed")
        nodes += self._parse_literal(self.text[self.position :])
        return tuple(nodes), len(self.text)

    def _parse_node(self, kind: str, name: str, depth: int) -> Node:
        if kind in (">", "="):
            raise self._error("partials and other delimiters are not supported")
        if not PATH.fullmatch(name):
            raise self._error(f"{name!r} in a tag is not a name")
        if name.count(".") >= MAX_TEMPLATE_PATH:
            raise self._error(f"a name in a tag has more than {MAX_TEMPLATE_PATH} parts")
        if kind in ("#", "^"):
            return self._parse_section(kind, name, depth)
        return Variable(_split_path(name))

    def _parse_section(self, kind: str, name: str, depth: int) -> Section | Helper:
        begin = self.position
        body, end = self._parse_until(name, depth + 1)
        if name not in HELPERS or kind == "^":
            return Section(_split_path(name), kind == "^", body)
        source = self.text[begin:end]
        if not self.helpers:
            raise self._error(f"{name} makes a list: only the values of a scope limiter can use it")
        min_levels = HELPERS[name]
        if not min_levels:
            return Helper(name, body, source)
        key = _parse_key(source.strip(), body)
        if len(key) < min_levels:
            raise self._error(f"the list key {source.strip()!r} of {name} must be at least {min_levels} levels deep")
        return Helper(name, body, source, key)

    def _parse_literal(self, text: str) -> list[Node]:
        if "{{" in text:
            raise self._error("a tag is not closed")
        return [text] if text else []

    def _error(self, reason: str) -> TemplateError:
        return TemplateError(f"{abbreviate(self.text)}: {reason}")


def _parse_key(source: str, body: tuple[Node, ...]) -> tuple[str, ...]:
    """The dotted name of a list, with or without braces: secureCodeBox's manual shows both.

    Empty: it is no name.
    """
    content = [node for node in body if not _is_blank(node)]
    if len(content) == 1 and isinstance(content[0], Variable):
        return content[0].path
    is_path = PATH.fullmatch(source) and source.count(".") < MAX_TEMPLATE_PATH
    return _split_path(source) if is_path else ()


def _split_path(name: str) -> tuple[str, ...]:
    return (".",) if name == "." else tuple(name.split("."))


def abbreviate(text: str) -> str:
    """The text in quotes, at most MAX_QUOTED_CHARS of it."""
    return repr(text if len(text) <= MAX_QUOTED_CHARS else text[:MAX_QUOTED_CHARS] + "...")
