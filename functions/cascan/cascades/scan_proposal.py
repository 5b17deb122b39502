"""A rule's templates, filled from one finding: words of an argument list, labels, annotations.

Each parameter stays one word whatever is put in. What a scanned host says can neither become an option, nor widen a
target, nor end a value early: for a scan of ours each value put in has to be a plain word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import msgspec

from cascan.cascades.rule import CascadingRule
from cascan.errors import Rejected
from cascan.limits import MAX_PROPOSAL_CHARS, MAX_RULE_RENDER_STEPS, MAX_TARGET_CHARS
from cascan.model.request import ScanType
from cascan.templates.render import RenderResult, Template, TemplateError, compile_template, render

PLAIN = re.compile(r"[A-Za-z0-9_.:]([A-Za-z0-9_.:-]*[A-Za-z0-9_.:])?")
NMAP_SCAN_TYPES = frozenset(str(scan_type) for scan_type in ScanType)


class NoProposal(Exception):
    """The rule has no scan for this finding: the reason, in one sentence."""


class RenderingTooLong(Rejected):
    """The rule's templates are more work than a scan may be."""


@dataclass(frozen=True, slots=True)
class ScanProposal:
    """The scan that a rule asks for on behalf of one finding."""

    scan_type: str
    words: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    annotations: tuple[tuple[str, str], ...]
    spec: str = ""  # the rest of the scanSpec, filled, as JSON: empty where it has no template

    @property
    def chars(self) -> int:
        pairs = (*self.labels, *self.annotations)
        return len(self.spec) + sum(map(len, self.words)) + sum(len(key) + len(text) for key, text in pairs)


class ProposalRenderer:
    """The templates of one rule, compiled once."""

    def __init__(self, rule: CascadingRule) -> None:
        self.scan_type = compile_template(rule.scan_spec.scan_type)
        self.parameters = [compile_template(text) for text in rule.scan_spec.parameters]
        self.labels = {key: compile_template(text) for key, text in rule.scan_labels.items()}
        self.annotations = {key: compile_template(text) for key, text in rule.scan_annotations.items()}
        self.env, self.init_containers = rule.scan_spec.env, rule.scan_spec.init_containers
        self.steps = 0  # of rendering, over all findings

    def fill(self, data: Mapping[str, Any]) -> ScanProposal:
        """Raises: NoProposal: a part of it has nothing to put in, or what it has may not stand there.
        RenderingTooLong: over all findings, the rule's templates took more than MAX_RULE_RENDER_STEPS.
        """
        if self.steps > MAX_RULE_RENDER_STEPS:
            raise RenderingTooLong(f"its templates took more than {MAX_RULE_RENDER_STEPS:,} steps over these findings")
        try:
            scan_type = self._render(self.scan_type, data).text
            if not scan_type:
                raise NoProposal(f"scanType {self.scan_type.text!r} renders to nothing")
            ours = scan_type in NMAP_SCAN_TYPES
            wish = ScanProposal(
                scan_type,
                tuple(self._word(template, data, ours=ours) for template in self.parameters),
                self._texts(self.labels, data),
                self._texts(self.annotations, data),
                self._spec(data),
            )
        except TemplateError as exc:
            raise NoProposal(str(exc)) from exc
        if wish.chars > MAX_PROPOSAL_CHARS:
            raise NoProposal(
                f"parameters, labels, annotations and env: together more than {MAX_PROPOSAL_CHARS} characters"
            )
        return wish

    def _render(self, template: Template, data: Mapping[str, Any]) -> RenderResult:
        rendered = render(template, data)
        self.steps += rendered.steps
        return rendered

    def _word(self, template: Template, data: Mapping[str, Any], *, ours: bool) -> str:
        if template.literal is not None:
            return template.literal
        rendered = self._render(template, data)
        if rendered.missing:
            raise NoProposal(f"parameter {template.text!r}: the finding has no {', '.join(rendered.missing)}")
        if not rendered.text:
            raise NoProposal(f"parameter {template.text!r} renders to nothing")
        if rendered.text.startswith("-") and not template.text.startswith("-"):
            raise NoProposal(f"parameter {template.text!r}: {rendered.text[:60]!r} would be an option")
        if ours:
            for value in rendered.values:
                if not is_plain_value(value):
                    raise NoProposal(f"parameter {template.text!r}: {value[:60]!r} is not a plain word")
        return rendered.text

    def _texts(self, templates: Mapping[str, Template], data: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        return tuple((key, self._render(template, data).text) for key, template in templates.items())

    def _spec(self, data: Mapping[str, Any]) -> str:
        if not (self.env or self.init_containers):
            return ""
        containers = [self._container(container, data) for container in self.init_containers]
        return msgspec.json.encode({"env": self._env(self.env, data), "initContainers": containers}).decode()

    def _env(self, env: Iterable[Any], data: Mapping[str, Any]) -> list[Any]:
        """Copies of the variables, their values rendered."""
        return [
            entry | {"value": self._text(entry["value"], data)}
            if isinstance(entry, dict) and isinstance(entry.get("value"), str)
            else entry
            for entry in env
        ]

    def _container(self, container: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
        filled = dict(container)
        if isinstance(container.get("command"), list):
            filled["command"] = [self._text(str(word), data) for word in container["command"]]
        if isinstance(container.get("env"), list):
            filled["env"] = self._env(container["env"], data)
        return filled

    def _text(self, text: str, data: Mapping[str, Any]) -> str:
        return self._render(compile_template(text), data).text


def build_template_data(finding: Mapping[str, Any], parent: Mapping[str, Any]) -> dict[str, Any]:
    """What a template may name: the finding's fields, the parent scan's where it has none, and helpers in $."""
    return {**parent, **finding, "$": {"hostOrIP": find_host_or_ip(finding.get("attributes") or {})}}


def find_host_or_ip(attributes: Mapping[str, Any]) -> str:
    """The host's name; else its lowest address by number, IPv4 before IPv6; else nothing."""
    if attributes.get("hostname"):
        return str(attributes["hostname"])
    addresses = attributes.get("ip_addresses") or attributes.get("ip_address") or ()
    found = [addresses] if isinstance(addresses, str) else [text for text in addresses if isinstance(text, str)]
    return min(found, key=_order, default="")


def extract_host(text: str) -> str:
    """The host that a URL names, as some scanners call theirs; any other text as it is."""
    if "://" not in text:
        return text
    try:
        return urlsplit(text).hostname or text
    except ValueError:
        return text


def is_plain_value(value: str) -> bool:
    """A name, an address, a number; neither a list nor a range, which would widen a target or a port."""
    is_range = "-" in value and not any(character.isalpha() for character in value)
    return len(value) <= MAX_TARGET_CHARS and PLAIN.fullmatch(value) is not None and not is_range


def _order(text: str) -> tuple[int, int, str]:
    try:
        address = ip_address(text)
    except ValueError:
        return 9, 0, text  # what is no address stands last
    return address.version, int(address), text
