"""A request as it was written → the request in full: within every limit, with a target, under a name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv6Address
from typing import Any

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
    MAX_WINDOWS,
)
from cascan.model.policy_profile import PolicyProfile
from cascan.model.request import PortScan, ScanRequest
from cascan.nmap.options.arguments import parse_arguments
from cascan.timing.windows import Window

NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
SCHEDULE_LABEL = "cascan/schedule"  # on every scan of a schedule: its end is found by it
IDEMPOTENCY_ANNOTATION = "cascan/idempotency-key"
POLICY_ANNOTATION = "cascan/policy-profile"
WINDOWS_ANNOTATION = "cascan/windows"  # several are parted by semicolons
RETRY_ANNOTATION = "cascan/retry-timed-out"
MAX_SHOWN_CHARS = 80
TARGETS_FROM_ELSEWHERE = ("--iL", "--iR", "-i", "--resume")
NO_TARGET = "targets: no target; name hosts or networks under targets, or among the parameters as secureCodeBox does"


def complete_request(request: ScanRequest, *, is_issued: bool = False) -> ScanRequest:
    """The request with its name, policy profile and idempotency key in place.

    Raises: RequestRefused: every limit it goes beyond, a name that is none, no target; unless cascan itself issued it,
        a claim that it follows from a scan or a schedule.
    """
    targets = request.targets or parse_arguments(request.parameters).targets
    again = request.annotations.get(RETRY_ANNOTATION, "")
    windows = request.windows or _annotated_windows(request)
    problems = [*_list_problems(request), *_text_problems(request), *_cascade_problems(request)]
    problems += _window_problems(windows)
    problems += () if is_issued else _provenance_problems(request)
    if not any(targets):
        problems.append(_why_no_target(request))
    if request.name and not is_valid_name(request.name):
        problems.append(
            f"name: {request.name[:80]!r} is no name: 1 to {MAX_NAME_CHARS} of a-z, 0-9, '.' and '-', "
            "with a letter or digit at both ends"
        )
    annotated = request.annotations.get(POLICY_ANNOTATION, "")
    if annotated and annotated not in list(PolicyProfile):
        problems.append(f"annotations[{POLICY_ANNOTATION!r}]: {annotated[:80]!r} is none of {', '.join(PolicyProfile)}")
    if again not in ("", "true", "false"):
        problems.append(f"annotations[{RETRY_ANNOTATION!r}]: {again[:80]!r} is neither 'true' nor 'false'")
    try:
        scan_type, options = to_nmap_options(request.portscan or PortScan())
    except RequestRefused as exc:
        problems += exc.reasons
    else:
        if scan_type and request.scan_type and scan_type is not request.scan_type:
            problems.append(f"scanType: {request.scan_type} contradicts portscan, which asks for {scan_type}")
    if problems:
        raise build_refusal(problems)
    return msgspec.structs.replace(
        request,
        name=request.name or build_default_name(targets[0]),
        policy_profile=request.policy_profile or (PolicyProfile(annotated) if annotated else None),
        parameters=(*options, *request.parameters),
        scan_type=request.scan_type or scan_type,
        portscan=None,
        windows=windows,
        retry_timed_out=request.retry_timed_out or again == "true",
        idempotency_key=request.idempotency_key or request.annotations.get(IDEMPOTENCY_ANNOTATION, ""),
    )


def _why_no_target(request: ScanRequest) -> str:
    """Who wrote an option that takes targets from elsewhere is told about that option."""
    options = parse_arguments(request.parameters).options
    other = next((given for given in options if given.option.name in TARGETS_FROM_ELSEWHERE), None)
    if other is None:
        return NO_TARGET
    containers = [one for one in request.carried.get("initContainers") or () if isinstance(one, dict)]
    names = ", ".join(str(one.get("name") or "without a name")[:MAX_SHOWN_CHARS] for one in containers)
    said = f"parameters: {other.label} {other.option.reason}"
    return f"{said}: workers run nmap alone, and nobody runs initContainers ({names})" if containers else said


def is_valid_name(text: str) -> bool:
    return len(text) <= MAX_NAME_CHARS and NAME.fullmatch(text) is not None


def build_default_name(target: str) -> str:
    """A name for a series that was given none, after its first target: `10.0.0.0-net24`, `ip6-2001-db8-0-0-0-0-0-1`.

    A network is told apart from a range of addresses, and so are a list and an IPv6 address, however that is written.
    """
    host, slash, bits = target.rpartition("/")
    host = host if slash else target
    address, _, zone = host.partition("%")
    try:
        groups = IPv6Address(address).exploded.split(":")
    except ValueError:
        name = host.replace(",", "-and-").replace("*", "all")
    else:
        name = "-".join(["ip6", *(f"{int(group, 16):x}" for group in groups), *([zone] if zone else [])])
    return to_slug(f"{name}-net{bits}" if slash else name)


def to_slug(text: str) -> str:
    """Text as the name of a series."""
    slug = re.sub(r"[^a-z0-9.-]+", "-", text.lower())[:MAX_NAME_CHARS].strip("-.")
    return slug or "scan"


def _provenance_problems(request: ScanRequest) -> Iterator[str]:
    """A request that claims what cascan alone can know: that a rule or a schedule asked for it."""
    if request.origin:
        yield "origin: a cascade's own requests have it, and this one is none; leave it out"
    if SCHEDULE_LABEL in request.labels:
        yield f"labels[{SCHEDULE_LABEL!r}]: a schedule's own scans have it, and this is none; leave it out"


def _annotated_windows(request: ScanRequest) -> tuple[str, ...]:
    written = request.annotations.get(WINDOWS_ANNOTATION, "")
    return tuple(window.strip() for window in written.split(";") if window.strip())


def _cascade_problems(request: ScanRequest) -> list[str]:
    if request.cascades is None:
        return []
    from cascan.forms.cascades import check_cascades  # noqa: PLC0415 - most requests ask for none: templates stay unread

    return check_cascades(request.cascades)


def _window_problems(windows: tuple[str, ...]) -> Iterator[str]:
    if len(windows) > MAX_WINDOWS:
        yield f"windows: {len(windows)} entries are more than {MAX_WINDOWS}; join days, as in Mon-Fri"
    for number, window in enumerate(windows[:MAX_WINDOWS]):
        try:
            Window.parse(window)
        except ValueError as exc:
            yield f"windows[{number}]: {exc}"


def _list_problems(request: ScanRequest) -> Iterator[str]:
    yield from _list("targets", request.targets, MAX_TARGETS, MAX_TARGET_CHARS, "write ranges, or send more requests")
    yield from _list("exclude", request.exclude, MAX_TARGETS, MAX_TARGET_CHARS, "write ranges")
    yield from _list("parameters", request.parameters, MAX_PARAMETERS, MAX_PARAMETER_CHARS, "join lists with commas")


def _list(name: str, entries: tuple[str, ...], most: int, most_chars: int, fix: str) -> Iterator[str]:
    if len(entries) > most:
        yield f"{name}: {len(entries)} entries are more than {most}; {fix}"
    for index, entry in enumerate(entries):
        if len(entry) > most_chars:
            yield f"{name}[{index}]: {len(entry)} characters are more than {most_chars}; {fix}"
        elif not entry.strip():
            yield f"{name}[{index}]: empty; take it out"


def _text_problems(request: ScanRequest) -> Iterator[str]:
    yield from _map("labels", request.labels)
    yield from _map("annotations", request.annotations)
    texts = {
        "authorization": request.authorization,
        "contact": request.contact,
        "idempotencyKey": request.idempotency_key,
    }
    for name, text in texts.items():
        if len(text) > MAX_LABEL_CHARS:
            yield f"{name}: {len(text)} characters are more than {MAX_LABEL_CHARS}; shorten it"


def _map(name: str, entries: Mapping[str, Any]) -> Iterator[str]:
    if len(entries) > MAX_LABELS:
        yield f"{name}: {len(entries)} entries are more than {MAX_LABELS}; take some out"
    for key, value in entries.items():
        if max(len(key), len(value)) > MAX_LABEL_CHARS:
            yield f"{name}[{key[:40]!r}]: more than {MAX_LABEL_CHARS} characters; shorten it"
        if not key:
            yield f"{name}: a key is empty; name it"
