"""The templates of a rule, rendered from one finding: nmap's arguments, labels, annotations.

Each parameter stays one argument, whatever values it takes. Text from a scanned host can neither
become an option, nor widen a target, nor end a value early: in a scan that cascan runs, each value
has to be plain (`is_plain_value`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import msgspec

from cascan.cascades.rule import CascadingRule
from cascan.errors import Rejected
from cascan.limits import MAX_PROPOSAL_CHARS, MAX_RULE_RENDER_STEPS, MAX_TARGET_CHARS
from cascan.model.request import ScanType
from cascan.nmap.targets.kinds import parse_ipv6
from cascan.templates.render import RenderResult, Template, TemplateError, compile_template, render

PLAIN = re.compile(r"[A-Za-z0-9_.:]([A-Za-z0-9_.:-]*[A-Za-z0-9_.:])?")
NMAP_SCAN_TYPES = frozenset(str(scan_type) for scan_type in ScanType)
SIZED_FIELDS = "parameters, labels, annotations and env"
NOT_AN_ADDRESS = 9  # sorts after the versions of IP


class NoProposal(Exception):
    """The rule has no scan for this finding. The message is the reason, in one sentence."""


class RenderingTooLong(Rejected):
    """The templates of the rule take more work than the findings of one scan may cause."""


@dataclass(frozen=True, slots=True)
class ScanProposal:
    """The scan that a rule asks for because of one finding."""

    scan_type: str
    arguments: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    annotations: tuple[tuple[str, str], ...]
    # env and initContainers of the scanSpec, rendered, as JSON; empty where it has neither
    spec: str = ""

    @property
    def chars(self) -> int:
        pairs = (*self.labels, *self.annotations)
        in_pairs = sum(len(key) + len(text) for key, text in pairs)
        return len(self.spec) + sum(map(len, self.arguments)) + in_pairs

    @property
    def values(self) -> tuple[Any, ...]:
        """Everything in it as plain values, for a digest that no renaming in this code changes."""
        return self.scan_type, self.arguments, self.labels, self.annotations, self.spec


class ProposalRenderer:
    """The templates of one rule, compiled once."""

    def __init__(self, rule: CascadingRule) -> None:
        self.scan_type = compile_template(rule.scan_spec.scan_type)
        self.parameters = [compile_template(text) for text in rule.scan_spec.parameters]
        self.labels = {key: compile_template(text) for key, text in rule.scan_labels.items()}
        annotations = rule.scan_annotations.items()
        self.annotations = {key: compile_template(text) for key, text in annotations}
        self.env, self.init_containers = rule.scan_spec.env, rule.scan_spec.init_containers
        self.steps = 0  # of rendering, over all findings

    def render(self, data: Mapping[str, Any]) -> ScanProposal:
        """The proposal for the finding in `data`, which `build_template_data` made.

        Raises: NoProposal: a template has no value, or one that is not allowed there.
            RenderingTooLong: over all findings, the templates of the rule took more than
            MAX_RULE_RENDER_STEPS.
        """
        if self.steps > MAX_RULE_RENDER_STEPS:
            limit = f"more than {MAX_RULE_RENDER_STEPS:,} steps"
            raise RenderingTooLong(f"its templates took {limit} over these findings")
        try:
            proposal = self._render_proposal(data)
        except TemplateError as exc:
            raise NoProposal(str(exc)) from exc
        if proposal.chars > MAX_PROPOSAL_CHARS:
            raise NoProposal(f"{SIZED_FIELDS}: together more than {MAX_PROPOSAL_CHARS} characters")
        return proposal

    def _render_proposal(self, data: Mapping[str, Any]) -> ScanProposal:
        scan_type = self._render(self.scan_type, data).text
        if not scan_type:
            raise NoProposal(f"scanType {self.scan_type.text!r} renders to nothing")
        is_nmap = scan_type in NMAP_SCAN_TYPES
        render_argument = partial(self._render_argument, data=data, is_nmap=is_nmap)
        arguments = tuple(map(render_argument, self.parameters))
        return ScanProposal(
            scan_type,
            arguments,
            self._render_texts(self.labels, data),
            self._render_texts(self.annotations, data),
            self._render_spec(data),
        )

    def _render(self, template: Template, data: Mapping[str, Any]) -> RenderResult:
        rendered = render(template, data)
        self.steps += rendered.steps
        return rendered

    def _render_argument(
        self,
        template: Template,
        data: Mapping[str, Any],
        *,
        is_nmap: bool,
    ) -> str:
        if template.literal is not None:
            return template.literal
        rendered = self._render(template, data)
        name = f"parameter {template.text!r}"
        if rendered.missing:
            missing = ", ".join(rendered.missing)
            raise NoProposal(f"{name}: the finding has no {missing}")
        if not rendered.text:
            raise NoProposal(f"{name} renders to nothing")
        if rendered.text.startswith("-") and not template.text.startswith("-"):
            raise NoProposal(f"{name}: {rendered.text[:60]!r} would be an option")
        if is_nmap:
            for value in rendered.values:
                if not is_plain_value(value):
                    raise NoProposal(f"{name}: {value[:60]!r} is not a plain word")
                if f"{value}:" in rendered.text and f"[{value}]" not in rendered.text and _is_ipv6(value):
                    fix = "put it in brackets before a port, as in [{{$.hostOrIP}}]:{{attributes.port}}"
                    raise NoProposal(f"{name}: {value} is an IPv6 address; {fix}")
        return rendered.text

    def _render_texts(
        self,
        templates: Mapping[str, Template],
        data: Mapping[str, Any],
    ) -> tuple[tuple[str, str], ...]:
        results = ((key, self._render(template, data)) for key, template in templates.items())
        return tuple((key, result.text) for key, result in results)

    def _render_spec(self, data: Mapping[str, Any]) -> str:
        if not (self.env or self.init_containers):
            return ""
        containers = [self._render_container(container, data) for container in self.init_containers]
        env = self._render_env(self.env, data)
        return msgspec.json.encode({"env": env, "initContainers": containers}).decode()

    def _render_env(self, env: Iterable[Any], data: Mapping[str, Any]) -> list[Any]:
        """Copies of the variables, with their values rendered."""
        return [
            entry | {"value": self._render_text(entry["value"], data)}
            if isinstance(entry, dict) and isinstance(entry.get("value"), str)
            else entry
            for entry in env
        ]

    def _render_container(
        self,
        container: Mapping[str, Any],
        data: Mapping[str, Any],
    ) -> dict[str, Any]:
        rendered = dict(container)
        if isinstance(container.get("command"), list):
            command = map(str, container["command"])
            rendered["command"] = [self._render_text(argument, data) for argument in command]
        if isinstance(container.get("env"), list):
            rendered["env"] = self._render_env(container["env"], data)
        return rendered

    def _render_text(self, text: str, data: Mapping[str, Any]) -> str:
        return self._render(compile_template(text), data).text


def build_template_data(finding: Mapping[str, Any], parent: Mapping[str, Any]) -> dict[str, Any]:
    """What a template may name: the finding's fields, then those of the parent scan, and helpers in
    `$`.
    """
    helpers = {"hostOrIP": find_host_or_ip(finding.get("attributes") or {})}
    return {**parent, **finding, "$": helpers}


def find_host_or_ip(attributes: Mapping[str, Any]) -> str:
    """The host's name; without one its lowest address, IPv4 before IPv6; without an address an
    empty text.
    """
    if attributes.get("hostname"):
        return str(attributes["hostname"])
    value = attributes.get("ip_addresses") or attributes.get("ip_address") or ()
    entries = [value] if isinstance(value, str) else value
    addresses = [entry for entry in entries if isinstance(entry, str)]
    return min(addresses, key=_address_order, default="")


def extract_host(text: str) -> str:
    """The host in a URL, which is what some scanners write as a host.

    Any other text is returned unchanged.
    """
    if "://" not in text:
        return text
    try:
        return urlsplit(text).hostname or text
    except ValueError:
        return text


def is_plain_value(value: str) -> bool:
    """Whether it is a name, an address or a number.

    A list or a range is not: it would widen a target or a port.
    """
    is_range = "-" in value and not any(character.isalpha() for character in value)
    return len(value) <= MAX_TARGET_CHARS and PLAIN.fullmatch(value) is not None and not is_range


def _address_order(text: str) -> tuple[int, int, str]:
    try:
        address = ip_address(text)
    except ValueError:
        return NOT_AN_ADDRESS, 0, text
    return address.version, int(address), text


def _is_ipv6(text: str) -> bool:
    return parse_ipv6(text) is not None
