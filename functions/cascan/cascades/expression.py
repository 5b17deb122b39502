"""A rule's expression about a finding, in CEL (the Common Expression Language): text → a compiled
test.

    finding.category == "Open Port" && finding.attributes.port in [80, 443, 8080]
    finding.attributes.port >= 8000 && finding.attributes.service.startsWith("http")
    finding.attributes.serviceVersion.matches("^[0-6]\\\\.") || has(finding.attributes.scripts.banner)

CEL has no loops and no recursion, and its regular expressions run in linear time. This module
limits the length of an expression, its comprehensions, and the lists and texts of a finding that it
sees. The process in which evaluations run limits their memory and time: see evaluation.py. The
library (compiled from Rust) is loaded by the first expression, and without its package's command
line.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from itertools import islice
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from cascan.errors import Rejected
from cascan.limits import (
    MAX_EXPRESSION_CHARS,
    MAX_EXPRESSION_ENTRIES,
    MAX_EXPRESSION_LOOPS,
    MAX_EXPRESSION_TEXT_CHARS,
)

if TYPE_CHECKING:
    from cel import Context, Program

CEL = "cel.cel"  # the compiled module
VARIABLE, ATTRIBUTES = "finding", "attributes"
NAMED = re.compile(  # neither a call nor the beginning of a longer name
    rf"\b{VARIABLE}\s*\.\s*(\w+)\b(?!\s*\()(?:(?<=\b{ATTRIBUTES})\s*\.\s*(\w+)\b(?!\s*\())?"
)
LITERAL = re.compile(r"""\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'""")
# comments, and literals that end in another way
UNUSUAL = re.compile(r"""//|[rRbB]["']|\"{3}|'{3}""")
LOOPS = "all|exists|exists_one|existsOne|filter|map"
LOOP = re.compile(rf"\.\s*(?:{LOOPS})\s*\(\s*(?P<bound>\w+)?\s*")
PATTERN = re.compile(
    r"""\.\s*matches\s*\(\s*"""
    r"""(?P<literal>r?"(?:[^"\\]|\\.)*"|r?'(?:[^'\\]|\\.)*')\s*\)"""
)
FUNCTIONS = frozenset({
    "size", "contains", "startsWith", "endsWith", "matches", "int", "uint", "double", "string",
    "bool", "type", "min", "max", "has",
})  # fmt: skip
OPERATOR = re.compile(r"[^A-Za-z].*")  # as a program lists them among its functions


class ExpressionError(Rejected):
    """An expression that is refused, or has no answer for a finding."""


class Expression:
    def __init__(self, text: str, program: Program) -> None:
        self.text = text
        self._program = program

    def holds(self, context: Context) -> bool:
        """Whether it is true.

        A field that the finding does not have makes it false, as in a matcher.

        Raises: ExpressionError: the answer is neither true nor false, or there is none.
        """
        try:
            answer = self._program.execute(context)
        except KeyError:
            return False
        except (ArithmeticError, IndexError, RuntimeError, TypeError, ValueError) as exc:
            raise ExpressionError(f"{self.text[:80]!r}: {_first_line(exc)}") from exc
        if not isinstance(answer, bool):
            kind = type(answer).__name__
            raise ExpressionError(f"{self.text[:80]!r} gives {kind}, not true or false")
        return answer


def to_cel_context(visible: Mapping[str, Any]) -> Context:
    """The result of `select_visible` for the library.

    It is costly, and one context serves all expressions.
    """
    context: Context = load_cel().Context({VARIABLE: visible})
    return context


def select_visible(finding: Mapping[str, Any], names: NamedFields | None = None) -> dict[str, Any]:
    """What expressions see of the finding. `names`: the fields that they read; None: all fields."""
    if names is None:
        whole: dict[str, Any] = trim(dict(finding))
        return whole
    named = {key: value for key, value in finding.items() if key in names.fields}
    present = {key: value for key, value in named.items() if value is not None}
    visible: dict[str, Any] = {key: trim(value) for key, value in present.items()}
    attributes = finding.get(ATTRIBUTES)
    if names.attributes and isinstance(attributes, Mapping):
        named_attributes = {key: attributes[key] for key in attributes if key in names.attributes}
        visible[ATTRIBUTES] = trim(named_attributes)
    return visible


class NamedFields(NamedTuple):
    """The whole fields and the single attributes of a finding that an expression reads."""

    fields: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()


def find_named_fields(text: str) -> NamedFields | None:
    """What an expression reads of a finding. None: it reads fields in other ways than with dots."""
    code = LITERAL.sub('""', text)
    paths = [match.groups() for match in NAMED.finditer(code)]
    reads_all_attributes = (ATTRIBUTES, None) in paths
    reads_without_dots = len(paths) != len(re.findall(rf"\b{VARIABLE}\b", code))
    if reads_all_attributes or reads_without_dots or UNUSUAL.search(text):
        return None
    fields = frozenset(field for field, _ in paths if field != ATTRIBUTES)
    attributes = frozenset(name for field, name in paths if field == ATTRIBUTES and name)
    return NamedFields(fields, attributes)


def merge_named_fields(names: Iterable[NamedFields | None]) -> NamedFields | None:
    """What several expressions read."""
    fields, attributes = frozenset[str](), frozenset[str]()
    for entry in names:
        if entry is None:
            return None
        fields, attributes = fields | entry.fields, attributes | entry.attributes
    return NamedFields(fields, attributes)


@lru_cache(maxsize=1024)
def compile_expression(text: str) -> Expression:
    """Raises: ExpressionError: why the expression is refused, in one sentence."""
    if len(text) > MAX_EXPRESSION_CHARS:
        raise ExpressionError(f"{len(text)} characters are more than {MAX_EXPRESSION_CHARS}")
    compile_cel = load_cel().compile
    try:
        program = compile_cel(text)
    except ValueError as exc:
        raise ExpressionError(_first_line(exc)) from exc
    _check_names(text, program)
    _check_patterns(text)
    return Expression(text, program)


def _check_names(text: str, program: Program) -> None:
    """Raises: ExpressionError: too many comprehensions, or names that do not exist."""
    loops = [match["bound"] or "" for match in LOOP.finditer(text)]
    if len(loops) > MAX_EXPRESSION_LOOPS:
        names = LOOPS.replace("|", ", ")
        raise ExpressionError(f"{len(loops)} of {names} are more than {MAX_EXPRESSION_LOOPS}")
    unknown = set(program.variables()) - {VARIABLE, *loops}
    functions = {name for name in program.functions() if not OPERATOR.fullmatch(name)}
    unknown |= functions - FUNCTIONS
    if unknown:
        names = ", ".join(sorted(unknown))
        raise ExpressionError(f"{names}: not known; an expression is about `{VARIABLE}`")


def _check_patterns(text: str) -> None:
    """Raises: ExpressionError: a literal that is not a regular expression, which evaluation would
    find out too late.
    """
    for match in PATTERN.finditer(text):
        literal = match["literal"]
        try:
            load_cel().compile(f'"".matches({literal})').execute({})
        except (RuntimeError, ValueError) as exc:
            raise ExpressionError(f"{literal} is no regular expression: {_last_line(exc)}") from exc


@cache
def load_cel() -> ModuleType:
    """The compiled module, without the `__init__.py` of its package.

    That one imports a command line with typer, rich and prompt_toolkit: 22 MB that functions have
    no use for, 0.3 s and 25 MB of memory. The compiled module needs none of it.

    Raises: ModuleNotFoundError: the library is not installed.
    """
    if CEL in sys.modules:
        return sys.modules[CEL]
    package = find_spec("cel")  # does not run it
    folders = package.submodule_search_locations if package else None
    spec = PathFinder.find_spec(CEL, folders) if folders else None
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError("common-expression-language is not installed", name=CEL)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    # it cannot be loaded twice: who imports the package later gets this one
    sys.modules[CEL] = module
    return module


def trim(value: Any) -> Any:
    """JSON data with long texts, lists and mappings cut, and without null values in mappings."""
    kind = type(value)
    if kind is str:
        return value[:MAX_EXPRESSION_TEXT_CHARS]
    if kind is dict:
        entries = islice(value.items(), MAX_EXPRESSION_ENTRIES)
        return {key: trim(entry) for key, entry in entries if entry is not None}
    if kind is list:
        return [trim(entry) for entry in value[:MAX_EXPRESSION_ENTRIES]]
    return value


def _first_line(exc: Exception) -> str:
    return str(exc).partition("\n")[0]


def _last_line(exc: Exception) -> str:
    return str(exc).rstrip().rpartition("\n")[2]
