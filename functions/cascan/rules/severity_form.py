"""The text of an operator's file → severity rules. Every problem is told at once, by its path.

    rules:
      - name: telnet                        optional; else its place
        matches:
          anyOf:                            one of them has to match: see cascan.matching
            - category: Open Port
              attributes: {port: 23}
        override: {severity: high, description: Telnet sends passwords in the clear}
      - matches: {anyOf: [{location: "tcp://honeypot.example:*"}]}
        suppress: a honeypot of ours
      - matches: {anyOf: [{name: Self-Signed Certificate, attributes: {ip_addresses: [10.0.0.7]}}]}
        accept: {until: 2027-03-31, reason: replaced with the machine in spring}

`matches` and `override` are those of secureCodeBox's finding post-processing hook; its files are read as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, TypeVar

import msgspec

from cascan.errors import RequestRefused
from cascan.forms.documents import read_documents
from cascan.forms.fields import build_refusal, find_unknown_fields, read_struct
from cascan.limits import (
    MAX_SEVERITY_MATCHERS,
    MAX_SEVERITY_REASON_CHARS,
    MAX_SEVERITY_RULES,
    MAX_SEVERITY_RULES_BYTES,
)
from cascan.model.finding import Finding, Severity
from cascan.model.refusal import Rule
from cascan.rules.matching import check_pattern
from cascan.rules.severity import MARKS, Acceptance, Override, SeverityRule

WHAT = "the file"
EXAMPLE = '{"rules": []}'
T = TypeVar("T")
FIXED = {  # fields that no rule gives
    "id": "the table knows the finding by it",
    "fingerprint": "the finding is told from others by it, across scans",
    "parsed_at": "acceptances are compared with it",
    "added": "name the field itself",
}
MATCHED = frozenset(Finding.__struct_fields__) - FIXED.keys()


class _File(msgspec.Struct, frozen=True):
    rules: tuple[dict[str, Any], ...]


class _Rule(msgspec.Struct, frozen=True):
    matches: dict[str, Any]
    name: str = ""
    override: dict[str, Any] = {}
    suppress: str = ""
    accept: dict[str, Any] = {}


class _Matches(msgspec.Struct, frozen=True, rename="camel"):
    any_of: tuple[dict[str, Any], ...]


class _Override(msgspec.Struct, frozen=True):
    severity: str = ""
    name: str | None = None
    description: str | None = None
    category: str | None = None
    osi_layer: str | None = None
    location: str | None = None
    attributes: dict[str, Any] = {}


class _Accept(msgspec.Struct, frozen=True):
    until: str
    reason: str


def read_severity_rules(text: str) -> tuple[SeverityRule, ...]:
    """The rules, in the order of the file. JSON is read too.

    Raises: RequestRefused: with every reason that can be told together.
    """
    size = len(text.encode(errors="surrogatepass"))
    if size > MAX_SEVERITY_RULES_BYTES:
        raise RequestRefused([f"{WHAT} has {size} bytes, more than {MAX_SEVERITY_RULES_BYTES}"], Rule.LIMIT)
    entries = [entry for document in _documents(text) for entry in read_struct(_File, document).rules]
    if len(entries) > MAX_SEVERITY_RULES:
        raise RequestRefused([f"{WHAT} has {len(entries)} rules, more than {MAX_SEVERITY_RULES}"], Rule.LIMIT)
    rules: list[SeverityRule] = []
    problems: list[str] = []
    for index, entry in enumerate(entries):
        try:
            rules.append(_rule(entry, index))
        except RequestRefused as exc:
            problems += exc.reasons
    names = [rule.name for rule in rules]
    problems += [f"rules: the name {name!r} stands twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    if problems:
        raise build_refusal(problems)
    return tuple(rules)


def _documents(text: str) -> list[dict[str, Any]]:
    documents = read_documents(text, WHAT, EXAMPLE)
    if not documents:
        raise RequestRefused([f"{WHAT} is empty"])
    return documents


def _rule(entry: dict[str, Any], index: int) -> SeverityRule:
    path = f"rules[{index}]."
    read = read_struct(_Rule, entry, path)
    problems: list[str] = []
    any_of = _tried(problems, _any_of, read.matches, path) or ()
    override = _tried(problems, _override, read.override, path) if "override" in entry else None
    accept = _tried(problems, _accept, read.accept, path) if "accept" in entry else None
    problems += _of_the_whole(entry, read, path)
    if problems:
        raise build_refusal(problems)
    return SeverityRule(
        name=read.name or f"rule {index + 1}",
        any_of=any_of,
        override=override,
        suppress=read.suppress.strip(),
        accept=accept,
    )


def _tried(
    problems: list[str], read: Callable[[dict[str, Any], str], T], fields: dict[str, Any], path: str
) -> T | None:
    """What was read; None: it could not be, and `problems` says why."""
    try:
        return read(fields, path)
    except RequestRefused as exc:
        problems += exc.reasons
        return None


def _any_of(fields: dict[str, Any], path: str) -> tuple[dict[str, Any], ...]:
    any_of = read_struct(_Matches, fields, f"{path}matches.").any_of
    problems: list[str] = []
    if not 0 < len(any_of) <= MAX_SEVERITY_MATCHERS:
        problems.append(f"{path}matches.anyOf has {len(any_of)} entries; it takes 1 to {MAX_SEVERITY_MATCHERS}")
    for index, pattern in enumerate(any_of):
        where = f"{path}matches.anyOf[{index}]"
        if not pattern:
            problems.append(f"{where} would fit every finding; say what it is to fit")
        problems += find_unknown_fields(pattern, MATCHED, f"{where}.")
        problems += check_pattern(pattern, where)
    if problems:
        raise build_refusal(problems)
    return any_of


def _override(fields: dict[str, Any], path: str) -> Override:
    known = {field.encode_name for field in msgspec.structs.fields(_Override)} | FIXED.keys()
    further = {name: value for name, value in fields.items() if name not in known and value is not None}
    own = {name: value for name, value in fields.items() if name not in further and value is not None}
    read = read_struct(_Override, own, f"{path}override.", FIXED)
    problems = [
        f"{path}override.attributes.{name} is a name that cascan keeps for itself"
        for name in read.attributes
        if name in MARKS
    ]
    severity = read.severity.upper()
    if severity and severity not in Severity.__members__:
        problems.append(f"{path}override.severity: {read.severity!r:.40} is none of {', '.join(Severity)}")
    if not further and not any(msgspec.structs.astuple(read)):
        problems.append(f"{path}override says nothing")
    if problems:
        raise build_refusal(problems)
    return Override(
        severity=Severity(severity) if severity else None,
        name=read.name,
        description=read.description,
        category=read.category,
        osi_layer=read.osi_layer,
        location=read.location,
        attributes=read.attributes,
        added=further,
    )


def _accept(fields: dict[str, Any], path: str) -> Acceptance:
    read = read_struct(_Accept, fields, f"{path}accept.")
    problems = list(_of_reason(read.reason, f"{path}accept.reason"))
    try:
        until = date.fromisoformat(read.until)
    except ValueError:
        problems.append(f"{path}accept.until: {read.until!r:.40} is no date; write 2027-03-31")
    if problems:
        raise build_refusal(problems)
    return Acceptance(until, read.reason.strip())


def _of_the_whole(entry: dict[str, Any], read: _Rule, path: str) -> Iterator[str]:
    if not entry.keys() & {"override", "suppress", "accept"}:
        yield f"{path[:-1]} says nothing of what it fits: give it override, suppress or accept"
    if {"suppress", "accept"} <= entry.keys():
        yield f"{path[:-1]} both suppresses and accepts; one of both"
    if "suppress" in entry:
        yield from _of_reason(read.suppress, f"{path}suppress")


def _of_reason(reason: str, path: str) -> Iterator[str]:
    if not reason.strip():
        yield f"{path} says no reason"
    if len(reason) > MAX_SEVERITY_REASON_CHARS:
        yield f"{path} has {len(reason)} characters, more than {MAX_SEVERITY_REASON_CHARS}"
