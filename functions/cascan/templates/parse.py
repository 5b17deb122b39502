"""Mustache, read: text → nodes. Partials, lambdas and other delimiters are refused, and so is what names nothing."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from functools import lru_cache

from cascan.limits import MAX_TEMPLATE_CHARS, MAX_TEMPLATE_DEPTH, MAX_TEMPLATE_PATH

TAG = re.compile(r"\{\{(?:\{(?P<raw>[^{}]*)\}|(?P<kind>[#^/!>=&]?)(?P<name>[^{}]*))\}\}")
PATH = re.compile(r"[^\s.{}]+(\.[^\s.{}]+)*|\.")
HELPERS = {"asList": 2, "getValues": 3, "split": 0}  # how many names the path inside has at least
SHOWN_CHARS = 80


class TemplateError(ValueError):
    """A template that cannot be compiled, or renders to more than is sensible."""


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
    source: str  # what stands between the tags
    key: tuple[str, ...] = ()  # the list's dotted name, of those helpers that take one


Node = str | Variable | Section | Helper


@dataclass(frozen=True, slots=True)
class Template:
    text: str
    nodes: tuple[Node, ...]
    literal: str | None = None  # what it always renders to, without any tag but comments
    is_one_value: bool = False  # one variable and nothing else: it renders to what the finding says


@lru_cache(maxsize=4096)
def compile_template(text: str) -> Template:
    """Raises: TemplateError: what cannot be rendered, with the reason."""
    return _compiled(text, helpers=False)


@lru_cache(maxsize=4096)
def compile_values(text: str) -> Template:
    """A template that may use the list helpers. Raises: TemplateError."""
    template = _compiled(text, helpers=True)
    if any(isinstance(node, Helper) for node in template.nodes):
        beside = [node for node in template.nodes if not isinstance(node, Helper)]
        if any(not isinstance(node, str) or node.strip() for node in beside):
            raise TemplateError(f"{abbreviate(text)}: a list helper stands alone in its value")
    return template


def _compiled(text: str, *, helpers: bool) -> Template:
    if len(text) > MAX_TEMPLATE_CHARS:
        raise TemplateError(f"{abbreviate(text)}: {len(text)} characters are more than {MAX_TEMPLATE_CHARS}")
    nodes = _Parser(text, helpers=helpers).parse()
    texts = [node for node in nodes if isinstance(node, str)]
    literal = "".join(texts) if len(texts) == len(nodes) else None
    return Template(text, nodes, literal, len(nodes) == 1 and isinstance(nodes[0], Variable))


def find_unknown_aliases(template: Template, known: Container[str]) -> list[str]:
    """Names in `$` that nothing ever stands behind: `$.x`, where x is not known."""
    found: list[str] = []
    waiting = list(template.nodes)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, Section | Helper):
            waiting += node.body
        path = node.path if isinstance(node, Variable | Section) else node.key if isinstance(node, Helper) else ()
        if path and path[0] == "$" and ".".join(path[1:]) not in known:
            found.append(".".join(path))
    return list(dict.fromkeys(found))


class _Parser:
    def __init__(self, text: str, *, helpers: bool) -> None:
        self.text = text
        self.helpers = helpers
        self.at = 0

    def parse(self) -> tuple[Node, ...]:
        nodes, _ = self._until("", 0)
        return nodes

    def _until(self, closing: str, depth: int) -> tuple[tuple[Node, ...], int]:
        """The nodes up to the tag that closes `closing`, and where that tag begins."""
        if depth > MAX_TEMPLATE_DEPTH:
            raise self._error(f"sections are nested deeper than {MAX_TEMPLATE_DEPTH}")
        nodes: list[Node] = []
        while tag := TAG.search(self.text, self.at):
            nodes += self._literal(self.text[self.at : tag.start()])
            self.at = tag.end()
            kind, name = tag["kind"] or "", (tag["raw"] or tag["name"] or "").strip()
            if kind == "/":
                if name != closing:
                    raise self._error(f"{tag[0]!r} closes a section that is not open")
                return tuple(nodes), tag.start()
            if kind != "!":
                nodes.append(self._node(kind, name, depth))
        if closing:
            raise self._error(f"the section {closing!r} is not closed")
        nodes += self._literal(self.text[self.at :])
        return tuple(nodes), len(self.text)

    def _node(self, kind: str, name: str, depth: int) -> Node:
        if kind in (">", "="):
            raise self._error("partials and other delimiters are not read")
        if not PATH.fullmatch(name):
            raise self._error(f"{name!r} in a tag names nothing")
        if name.count(".") >= MAX_TEMPLATE_PATH:
            raise self._error(f"a name in a tag has more than {MAX_TEMPLATE_PATH} parts")
        return self._section(kind, name, depth) if kind in ("#", "^") else Variable(_path(name))

    def _section(self, kind: str, name: str, depth: int) -> Section | Helper:
        begin = self.at
        body, end = self._until(name, depth + 1)
        if name not in HELPERS or kind == "^":
            return Section(_path(name), kind == "^", body)
        source = self.text[begin:end]
        if not self.helpers:
            raise self._error(f"{name} makes a list, for the values of a scope limiter alone")
        levels = HELPERS[name]
        if not levels:
            return Helper(name, body, source)
        key = _key(source.strip(), body)
        if len(key) < levels:
            raise self._error(f"the list key {source.strip()!r} of {name} must be at least {levels} levels deep")
        return Helper(name, body, source, key)

    def _literal(self, text: str) -> list[Node]:
        if "{{" in text:
            raise self._error("a tag is not closed")
        return [text] if text else []

    def _error(self, reason: str) -> TemplateError:
        return TemplateError(f"{abbreviate(self.text)}: {reason}")


def _key(source: str, body: tuple[Node, ...]) -> tuple[str, ...]:
    """A list's dotted name, bare or in braces: secureCodeBox's manual shows both."""
    named = [node for node in body if not isinstance(node, str) or node.strip()]
    if len(named) == 1 and isinstance(named[0], Variable):
        return named[0].path
    return _path(source) if PATH.fullmatch(source) and source.count(".") < MAX_TEMPLATE_PATH else ()


def _path(name: str) -> tuple[str, ...]:
    return (".",) if name == "." else tuple(name.split("."))


def abbreviate(text: str) -> str:
    """Enough of a text to find it by."""
    return repr(text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "...")
