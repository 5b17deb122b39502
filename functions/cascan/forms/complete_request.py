"""A request as it was written → the complete request: within every limit, with a target, under a
name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv6Address
from typing import Any, NamedTuple

import msgspec

from cascan.errors import RequestRefused
from cascan.forms.fields import build_refusal
from cascan.forms.portscan import to_nmap_options
from cascan.limits import (
    MAX_LABEL_CHARS,
    MAX_LABELS,
    MAX_NAME_CHARS,
    MAX_PARAMETER_CHARS,
    MAX_PARAMETERS,
    MAX_TARGET_CHARS,
    MAX_TARGETS,
    MAX_VANTAGES_PER_SCAN,
    MAX_WINDOWS,
)
from cascan.model.identity import NO_INSTANCES, IdentityKind
from cascan.model.policy_profile import PolicyProfile
from cascan.model.request import PortScan, ScanRequest, ScanType
from cascan.model.schedule import SCHEDULE_LABEL
from cascan.model.vantage import NAME_RULE, is_vantage_name
from cascan.nmap.options.arguments import parse_arguments
from cascan.nmap.targets.own_ports import split_ports
from cascan.patterns import compile_pattern
from cascan.timing.windows import Window


class ListLimit(NamedTuple):
    entries: int
    chars: int  # of one entry
    fix: str  # what to do about too many


# Fields that are lists of any texts; `windows` has a syntax of its own
LIST_LIMITS: Mapping[str, ListLimit] = {
    "targets": ListLimit(MAX_TARGETS, MAX_TARGET_CHARS, "write ranges, or send more requests"),
    "exclude": ListLimit(MAX_TARGETS, MAX_TARGET_CHARS, "write ranges"),
    "parameters": ListLimit(MAX_PARAMETERS, MAX_PARAMETER_CHARS, "join lists with commas"),
}
# Attribute → field of the request, with at most MAX_LABEL_CHARS; `name` has a syntax of its own.
# msgspec.structs.fields would evaluate all annotations, in 2 ms.
TEXT_FIELDS = {
    name: field
    for name, field in zip(ScanRequest.__struct_fields__, ScanRequest.__struct_encode_fields__, strict=True)
    if ScanRequest.__annotations__[name] == "str" and name != "name"
}
NAME = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
IDEMPOTENCY_ANNOTATION = "cascan/idempotency-key"
POLICY_ANNOTATION = "cascan/policy-profile"
WINDOWS_ANNOTATION = "cascan/windows"  # semicolons separate several
RETRY_ANNOTATION = "cascan/retry-timed-out"
VANTAGE_ANNOTATION = "cascan/vantage"  # commas separate several
IDENTITY_ANNOTATION = "cascan/identity"
MAX_SHOWN_CHARS = 80
TARGETS_FROM_ELSEWHERE = ("--iL", "--iR", "-i", "--resume")
NO_TARGET = "targets: no target; name hosts or networks under targets, or among the parameters as secureCodeBox does"


def complete_request(request: ScanRequest, *, is_issued: bool = False) -> ScanRequest:
    """The request with its name, policy profile, windows and idempotency key, and nmap's options
    for `portscan`.

    `is_issued`: cascan itself sent it, for a schedule or a cascade.

    Raises: RequestRefused: every limit it exceeds, an invalid name, no target; unless cascan issued
        it, also the claim that it follows from a scan or a schedule.
    """
    targets = request.targets or parse_arguments(request.parameters).targets
    windows = request.windows or _read_windows_annotation(request)
    vantage = request.vantage or _read_vantage_annotation(request)
    problems = [*_list_problems(request), *_text_problems(request), *_cascade_problems(request)]
    problems += _window_problems(windows)
    problems += _vantage_problems(vantage)
    problems += () if is_issued else _provenance_problems(request)
    problems += _target_problems(request, targets)
    problems += _name_problems(request.name)
    problems += _identity_problems(request)
    problems += _annotation_problems(request.annotations)
    scan_type, options, portscan_problems = _read_portscan(request)
    problems += portscan_problems
    if problems:
        raise build_refusal(problems)
    annotations = request.annotations
    annotated_retry = annotations.get(RETRY_ANNOTATION)
    annotated_key = annotations.get(IDEMPOTENCY_ANNOTATION, "")
    annotated_profile = None
    if profile := annotations.get(POLICY_ANNOTATION):
        annotated_profile = PolicyProfile(profile)
    annotated_identity = None
    if identity := annotations.get(IDENTITY_ANNOTATION):
        annotated_identity = IdentityKind(identity)
    return msgspec.structs.replace(
        request,
        name=request.name or build_default_name(targets[0]),
        policy_profile=request.policy_profile or annotated_profile,
        parameters=(*options, *request.parameters),
        scan_type=request.scan_type or scan_type,
        portscan=None,
        windows=windows,
        vantage=vantage,
        identity=request.identity or annotated_identity,
        retry_timed_out=request.retry_timed_out or annotated_retry == "true",
        idempotency_key=request.idempotency_key or annotated_key,
    )


def _read_portscan(request: ScanRequest) -> tuple[ScanType | None, tuple[str, ...], list[str]]:
    """The scan type and the options of nmap that `portscan` asks for, and its problems."""
    try:
        scan_type, options = to_nmap_options(request.portscan or PortScan())
    except RequestRefused as exc:
        return None, (), list(exc.reasons)
    if scan_type and request.scan_type and scan_type is not request.scan_type:
        problem = f"scanType: {request.scan_type} contradicts portscan, which asks for {scan_type}"
        return None, (), [problem]
    return scan_type, options, []


def _list_init_containers(request: ScanRequest) -> list[str]:
    """The names of the initContainers, short enough for a sentence."""
    entries = request.carried.get("initContainers") or ()
    containers = [entry for entry in entries if isinstance(entry, dict)]
    names = [str(container.get("name") or "without a name") for container in containers]
    return [name[:MAX_SHOWN_CHARS] for name in names]


def _target_problems(request: ScanRequest, targets: Sequence[str]) -> Iterator[str]:
    """Where an option would take targets from elsewhere, the sentence is about that option."""
    if any(targets):
        return
    options = parse_arguments(request.parameters).options
    from_elsewhere = (option for option in options if option.option.name in TARGETS_FROM_ELSEWHERE)
    elsewhere = next(from_elsewhere, None)
    if elsewhere is None:
        yield NO_TARGET
        return
    problem = f"parameters: {elsewhere.label} {elsewhere.option.reason}"
    if names := _list_init_containers(request):
        problem += f": workers run nmap alone, and nobody runs initContainers ({', '.join(names)})"
    yield problem


def _name_problems(name: str) -> Iterator[str]:
    if name and not is_valid_name(name):
        yield (
            f"name: {name[:80]!r} is no name: 1 to {MAX_NAME_CHARS} of a-z, 0-9, '.' and '-', "
            "with a letter or digit at both ends"
        )


def _annotation_problems(annotations: Mapping[str, str]) -> Iterator[str]:
    profile = annotations.get(POLICY_ANNOTATION, "")
    if profile and profile not in list(PolicyProfile):
        names = ", ".join(PolicyProfile)
        yield f"annotations[{POLICY_ANNOTATION!r}]: {profile[:80]!r} is none of {names}"
    retry = annotations.get(RETRY_ANNOTATION, "")
    if retry not in ("", "true", "false"):
        yield f"annotations[{RETRY_ANNOTATION!r}]: {retry[:80]!r} is neither 'true' nor 'false'"


def _identity_problems(request: ScanRequest) -> Iterator[str]:
    annotated = request.annotations.get(IDENTITY_ANNOTATION, "")
    if annotated and annotated not in list(IdentityKind):
        names = ", ".join(IdentityKind)
        yield f"annotations[{IDENTITY_ANNOTATION!r}]: {annotated[:MAX_SHOWN_CHARS]!r} is none of {names}"
    elif IdentityKind.INSTANCE in (request.identity, annotated):
        yield f"identity: {NO_INSTANCES}"


def is_valid_name(text: str) -> bool:
    return len(text) <= MAX_NAME_CHARS and compile_pattern(NAME).fullmatch(text) is not None


def build_default_name(target: str) -> str:
    """The name of a series whose requests have none, from the first target: `10.0.0.0-net24`,
    `ip6-2001-db8-0-0-…-1`.

    Networks, ranges, lists and IPv6 addresses get names that differ. All spellings of an IPv6
    address get the same. Ports of the target follow: `10.0.0.5-22-443`.
    """
    expression, ports = split_ports(target)
    if ports is not None:
        return to_slug(f"{build_default_name(expression)}-{ports}")
    host, slash, bits = target.rpartition("/")
    host = host if slash else target
    address, _, zone = host.partition("%")
    try:
        groups = IPv6Address(address).exploded.split(":")
    except ValueError:
        name = host.replace(",", "-and-").replace("*", "all")
    else:
        short_groups = [f"{int(group, 16):x}" for group in groups]
        name = "-".join(["ip6", *short_groups, *([zone] if zone else [])])
    return to_slug(f"{name}-net{bits}" if slash else name)


def to_slug(text: str) -> str:
    """The text as a valid name of a series."""
    slug = re.sub(r"[^a-z0-9.-]+", "-", text.lower())[:MAX_NAME_CHARS].strip("-.")
    return slug or "scan"


def _provenance_problems(request: ScanRequest) -> Iterator[str]:
    """Claims that only cascan itself may make: that the request comes from a rule or a schedule."""
    if request.origin:
        yield "origin: only requests of a cascade have it, and this is not one; leave it out"
    if SCHEDULE_LABEL in request.labels:
        problem = "only scans of a schedule have it, and this is not one; leave it out"
        yield f"labels[{SCHEDULE_LABEL!r}]: {problem}"


def _read_windows_annotation(request: ScanRequest) -> tuple[str, ...]:
    text = request.annotations.get(WINDOWS_ANNOTATION, "")
    return tuple(window.strip() for window in text.split(";") if window.strip())


def _read_vantage_annotation(request: ScanRequest) -> tuple[str, ...]:
    text = request.annotations.get(VANTAGE_ANNOTATION, "")
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _vantage_problems(vantage: tuple[str, ...]) -> Iterator[str]:
    if len(vantage) > MAX_VANTAGES_PER_SCAN:
        problem = f"{len(vantage)} entries are more than {MAX_VANTAGES_PER_SCAN}"
        yield f"vantage: {problem}; send several requests"
    for number, name in enumerate(vantage[:MAX_VANTAGES_PER_SCAN]):
        if not is_vantage_name(name):
            yield f"vantage[{number}]: {name[:MAX_SHOWN_CHARS]!r} is no name: {NAME_RULE}"
        elif name in vantage[:number]:
            yield f"vantage[{number}]: {name} is listed twice; take one out"


def _cascade_problems(request: ScanRequest) -> list[str]:
    if request.cascades is None:
        return []
    from cascan.forms.cascades import check_cascades  # noqa: PLC0415 - most requests have none

    return check_cascades(request.cascades)


def _window_problems(windows: tuple[str, ...]) -> Iterator[str]:
    if len(windows) > MAX_WINDOWS:
        count = len(windows)
        yield f"windows: {count} entries are more than {MAX_WINDOWS}; join days, as in Mon-Fri"
    for number, window in enumerate(windows[:MAX_WINDOWS]):
        try:
            Window.parse(window)
        except ValueError as exc:
            yield f"windows[{number}]: {exc}"


def _list_problems(request: ScanRequest) -> Iterator[str]:
    for name, limit in LIST_LIMITS.items():
        yield from _check_list(name, getattr(request, name), limit)


def _check_list(name: str, entries: tuple[str, ...], limit: ListLimit) -> Iterator[str]:
    if len(entries) > limit.entries:
        yield f"{name}: {len(entries)} entries are more than {limit.entries}; {limit.fix}"
    for index, entry in enumerate(entries):
        if len(entry) > limit.chars:
            excess = f"{len(entry)} characters are more than {limit.chars}"
            yield f"{name}[{index}]: {excess}; {limit.fix}"
        elif not entry.strip():
            yield f"{name}[{index}]: empty; take it out"


def _text_problems(request: ScanRequest) -> Iterator[str]:
    yield from _check_map("labels", request.labels)
    yield from _check_map("annotations", request.annotations)
    for name, field in TEXT_FIELDS.items():
        text = getattr(request, name)
        if len(text) > MAX_LABEL_CHARS:
            excess = f"{len(text)} characters are more than {MAX_LABEL_CHARS}"
            yield f"{field}: {excess}; shorten it"


def _check_map(name: str, entries: Mapping[str, Any]) -> Iterator[str]:
    if len(entries) > MAX_LABELS:
        yield f"{name}: {len(entries)} entries are more than {MAX_LABELS}; take some out"
    for key, value in entries.items():
        if max(len(key), len(value)) > MAX_LABEL_CHARS:
            yield f"{name}[{key[:40]!r}]: more than {MAX_LABEL_CHARS} characters; shorten it"
        if not key:
            yield f"{name}: a key is empty; name it"
