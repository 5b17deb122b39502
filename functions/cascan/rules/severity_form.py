"""The text of an operator's file → severity rules. All problems are reported at once.

    rules:
      - name: telnet                        optional
        matches:
          anyOf:                            at least one has to match: see cascan.rules.matching
            - category: Open Port
              attributes: {port: 23}
        override: {severity: high, description: Telnet sends passwords in the clear}
      - matches: {anyOf: [{location: "tcp://honeypot.example:*"}]}
        suppress: a honeypot of ours
      - matches: {anyOf: [{name: Self-Signed Certificate, attributes: {ip_addresses: [10.0.0.7]}}]}
        accept: {until: 2027-03-31, reason: replaced with the machine in spring}

`matches` and `override` are those of secureCodeBox's finding post-processing hook, whose files can
be used unchanged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
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

SOURCE = "the file"
EXAMPLE = '{"rules": []}'
T = TypeVar("T")
FIXED = {  # fields that a rule cannot set
    "id": "the table stores the finding under it",
    "fingerprint": "it identifies the finding across scans",
    "parsed_at": "acceptances are compared with it",
    "added": "name the field itself",
}
MATCHABLE_FIELDS = frozenset(Finding.__struct_fields__) - FIXED.keys()


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


FINDING_FIELDS = frozenset(_Override.__struct_encode_fields__) | FIXED.keys()


class _Accept(msgspec.Struct, frozen=True):
    until: str
    reason: str


def read_severity_rules(text: str) -> tuple[SeverityRule, ...]:
    """The rules, in the order of the file. JSON is read too.

    Raises: RequestRefused: with as many reasons as can be found at once.
    """
    size = len(text.encode(errors="surrogatepass"))
    if size > MAX_SEVERITY_RULES_BYTES:
        raise RequestRefused([f"{SOURCE} has {size} bytes, more than {MAX_SEVERITY_RULES_BYTES}"], Rule.LIMIT)
    documents = _read_documents(text)
    entries = [entry for document in documents for entry in read_struct(_File, document).rules]
    if len(entries) > MAX_SEVERITY_RULES:
        raise RequestRefused([f"{SOURCE} has {len(entries)} rules, more than {MAX_SEVERITY_RULES}"], Rule.LIMIT)
    rules: list[SeverityRule] = []
    problems: list[str] = []
    for index, entry in enumerate(entries):
        try:
            rules.append(_read_rule(entry, index))
        except RequestRefused as exc:
            problems += exc.reasons
    duplicates = _find_duplicates(rule.name for rule in rules)
    problems += [f"rules: duplicate name {name!r}" for name in duplicates]
    if problems:
        raise build_refusal(problems)
    return tuple(rules)


def _find_duplicates(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _read_documents(text: str) -> list[dict[str, Any]]:
    documents = read_documents(text, SOURCE, EXAMPLE)
    if not documents:
        raise RequestRefused([f"{SOURCE} is empty"])
    return documents


def _read_rule(entry: dict[str, Any], index: int) -> SeverityRule:
    path = f"rules[{index}]."
    rule = read_struct(_Rule, entry, path)
    problems: list[str] = []
    any_of = _collect(problems, _read_any_of, rule.matches, path) or ()
    override = _collect(problems, _read_override, rule.override, path) if "override" in entry else None
    accept = _collect(problems, _read_acceptance, rule.accept, path) if "accept" in entry else None
    problems += _check_effects(entry, rule, path)
    if problems:
        raise build_refusal(problems)
    return SeverityRule(
        name=rule.name or f"rule {index + 1}",
        any_of=any_of,
        override=override,
        suppress=rule.suppress.strip(),
        accept=accept,
    )


def _collect(
    problems: list[str], read: Callable[[dict[str, Any], str], T], fields: dict[str, Any], path: str
) -> T | None:
    """What `read` returns.

    If it refuses the fields, None, and the reasons are added to `problems`.
    """
    try:
        return read(fields, path)
    except RequestRefused as exc:
        problems += exc.reasons
        return None


def _read_any_of(fields: dict[str, Any], path: str) -> tuple[dict[str, Any], ...]:
    any_of = read_struct(_Matches, fields, f"{path}matches.").any_of
    problems: list[str] = []
    if not 0 < len(any_of) <= MAX_SEVERITY_MATCHERS:
        problems.append(f"{path}matches.anyOf has {len(any_of)} entries; it takes 1 to {MAX_SEVERITY_MATCHERS}")
    for index, pattern in enumerate(any_of):
        pattern_path = f"{path}matches.anyOf[{index}]"
        if not pattern:
            problems.append(f"{pattern_path} would match every finding; name at least one field")
        problems += find_unknown_fields(pattern, MATCHABLE_FIELDS, f"{pattern_path}.")
        problems += check_pattern(pattern, pattern_path)
    if problems:
        raise build_refusal(problems)
    return any_of


def _read_override(fields: dict[str, Any], path: str) -> Override:
    """The override.

    A field that is null counts as absent, and one that findings do not have goes to `added`.
    """
    present = {name: value for name, value in fields.items() if value is not None}
    added = {name: value for name, value in present.items() if name not in FINDING_FIELDS}
    standard = {name: value for name, value in present.items() if name in FINDING_FIELDS}
    override = read_struct(_Override, standard, f"{path}override.", FIXED)
    severity = override.severity.upper()
    problems = list(_check_override(override, added, path))
    if problems:
        raise build_refusal(problems)
    return Override(
        severity=Severity(severity) if severity else None,
        name=override.name,
        description=override.description,
        category=override.category,
        osi_layer=override.osi_layer,
        location=override.location,
        attributes=override.attributes,
        added=added,
    )


def _check_override(override: _Override, added: dict[str, Any], path: str) -> Iterator[str]:
    for name in override.attributes:
        if name in MARKS:
            yield f"{path}override.attributes.{name} is reserved for cascan"
    if override.severity and override.severity.upper() not in Severity.__members__:
        yield f"{path}override.severity: {override.severity!r:.40} is none of {', '.join(Severity)}"
    if not added and not any(msgspec.structs.astuple(override)):
        yield f"{path}override is empty"


def _read_acceptance(fields: dict[str, Any], path: str) -> Acceptance:
    accept = read_struct(_Accept, fields, f"{path}accept.")
    problems = list(_check_reason(accept.reason, f"{path}accept.reason"))
    try:
        until = date.fromisoformat(accept.until)
    except ValueError:
        problems.append(f"{path}accept.until: {accept.until!r:.40} is not a date; write 2027-03-31")
    if problems:
        raise build_refusal(problems)
    return Acceptance(until, accept.reason.strip())


def _check_effects(entry: dict[str, Any], rule: _Rule, path: str) -> Iterator[str]:
    if not entry.keys() & {"override", "suppress", "accept"}:
        yield f"{path[:-1]} has no effect: give it override, suppress or accept"
    if {"suppress", "accept"} <= entry.keys():
        yield f"{path[:-1]} has both suppress and accept; use one of them"
    if "suppress" in entry:
        yield from _check_reason(rule.suppress, f"{path}suppress")


def _check_reason(reason: str, path: str) -> Iterator[str]:
    if not reason.strip():
        yield f"{path} has no reason"
    if len(reason) > MAX_SEVERITY_REASON_CHARS:
        yield f"{path} has {len(reason)} characters, more than {MAX_SEVERITY_REASON_CHARS}"
