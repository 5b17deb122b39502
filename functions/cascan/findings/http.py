"""Findings of the scripts on HTTP: titles, headers, methods, authentication, repositories."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cascan.findings.script_run import (
    ScriptRun,
    get_table,
    get_text,
    get_texts,
    iter_rows,
    iter_tables,
)
from cascan.model.finding import Finding, Severity

EXPECTED_HEADERS = {  # by the key that http-security-headers writes for a header that it saw
    "X_Frame_Options": "X-Frame-Options",
    "X_Content_Type_Options": "X-Content-Type-Options",
    "Content_Security_Policy": "Content-Security-Policy",
}
HSTS = "Strict_Transport_Security"
SCHEME = re.compile(r"^[ \t]*(\w+)(?: |$)", re.MULTILINE)  # of http-auth, in text


def http_title(run: ScriptRun) -> Iterator[Finding]:
    """The title of the page, and the redirect that led to it."""
    title, redirect = get_text(run.data, "title"), get_text(run.data, "redirect_url")
    page = title or redirect or run.output.strip()
    if page:
        yield run.finding(
            name="HTTP Title",
            description=f"{run.where} shows the page: {page}",
            category="HTTP",
            title=title or None,
            redirect_url=redirect or None,
        )


def http_server_header(run: ScriptRun) -> Iterator[Finding]:
    servers = [name.strip() for name in get_texts(run.script.data)] or [run.output.strip()]
    if any(servers):
        yield run.finding(
            name="HTTP Server Header",
            description=f"{run.where} identifies itself as {' or '.join(servers)}",
            category="HTTP",
            server=servers,
        )


def http_headers(run: ScriptRun) -> Iterator[Finding]:
    """The headers. The script writes text only, one `name: value` a line."""
    headers: dict[str, list[str]] = {}
    for line in run.output.splitlines():
        name, colon, value = line.strip().partition(":")
        if colon and not name.startswith("("):
            headers.setdefault(name.lower(), []).append(value.strip())
    if headers:
        yield run.finding(
            name="HTTP Headers",
            description=f"{run.where} answers with {len(headers)} headers",
            category="HTTP",
            headers={name: ", ".join(values) for name, values in headers.items()},
        )


def http_methods(run: ScriptRun) -> Iterator[Finding]:
    """Methods that change something, or that echo the request."""
    risky = get_texts(run.data, "Potentially risky methods")
    if risky:
        yield run.finding(
            name="Risky HTTP Methods",
            description=f"{run.where} accepts {', '.join(risky)}",
            category="HTTP",
            severity=Severity.LOW,
            risky_methods=risky,
            methods=get_texts(run.data, "Supported Methods") or None,
            path=get_text(run.data, "Path tested") or None,
        )


def http_security_headers(run: ScriptRun) -> Iterator[Finding]:
    """Missing headers.

    The script writes nothing about a server that has none of the headers it knows.
    """
    if not run.data:
        return
    missing = [header for key, header in EXPECTED_HEADERS.items() if key not in run.data]
    if any("not configured" in line for line in get_texts(run.data, HSTS)):
        missing.insert(0, "Strict-Transport-Security")
    if missing:
        yield run.finding(
            name="Missing HTTP Security Headers",
            description=f"{run.where} answers without {', '.join(missing)}",
            category="HTTP",
            severity=Severity.LOW,
            missing_headers=missing,
        )


def http_auth(run: ScriptRun) -> Iterator[Finding]:
    """Basic authentication without encryption: the password is readable on the network."""
    schemes = [get_text(row, "scheme").lower() for row in iter_rows(run.script.data)]
    if not schemes:
        schemes = SCHEME.findall(run.output.lower())
    encrypted = run.port and run.port.service and run.port.service.tunnel
    if "basic" in schemes and not encrypted:
        yield run.finding(
            name="HTTP Basic Authentication without TLS",
            description=f"{run.where} asks for passwords that anyone on the network path can read",
            category="Clear Text",
            severity=Severity.MEDIUM,
            output=run.output.strip() or None,
        )


def http_git(run: ScriptRun) -> Iterator[Finding]:
    """One for each exposed repository. The script's keys are `host:port/path`."""
    for location, details in iter_tables(run.script.data):
        path = location.partition("/")[2]
        checked_files = get_table(details, "files-found")
        files = [name for name, is_found in checked_files.items() if is_found == "true"]
        yield run.finding(
            path,
            name="Git Repository exposed",
            description=f"{run.where} exposes the repository at /{path}",
            category="Information Disclosure",
            severity=Severity.MEDIUM,
            path=f"/{path}",
            files=files,
            remotes=get_texts(details, "remotes") or None,
        )
