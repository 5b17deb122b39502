"""Findings of the scripts on HTTP: what a server says of itself, which methods it takes, what headers it lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cascan.findings.script_run import ScriptRun, get_table, get_text, get_texts, iter_rows, iter_tables
from cascan.model.finding import Finding, Severity

WANTED = {  # http-security-headers' word for a header that it saw → the header
    "X_Frame_Options": "X-Frame-Options",
    "X_Content_Type_Options": "X-Content-Type-Options",
    "Content_Security_Policy": "Content-Security-Policy",
}
HSTS = "Strict_Transport_Security"


def http_title(run: ScriptRun) -> Iterator[Finding]:
    """The page's title, and where the server sent us for it."""
    title, redirect = get_text(run.data, "title"), get_text(run.data, "redirect_url")
    shown = title or redirect or run.output.strip()
    if shown:
        yield run.finding(
            name="HTTP Title",
            description=f"{run.where} shows the page: {shown}",
            category="HTTP",
            title=title or None,
            redirect_url=redirect or None,
        )


def http_server_header(run: ScriptRun) -> Iterator[Finding]:
    servers = [name.strip() for name in get_texts(run.script.data)] or [run.output.strip()]
    if any(servers):
        yield run.finding(
            name="HTTP Server Header",
            description=f"{run.where} says it is {' or '.join(servers)}",
            category="HTTP",
            server=servers,
        )


def http_headers(run: ScriptRun) -> Iterator[Finding]:
    """The headers as they came, one `name: value` a line. The script has nothing but text."""
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
    """Methods that change something, or echo what they were sent."""
    risky = get_texts(run.data, "Potentially risky methods")
    if risky:
        yield run.finding(
            name="Risky HTTP Methods",
            description=f"{run.where} takes {', '.join(risky)}",
            category="HTTP",
            severity=Severity.LOW,
            risky_methods=risky,
            methods=get_texts(run.data, "Supported Methods") or None,
            path=get_text(run.data, "Path tested") or None,
        )


def http_security_headers(run: ScriptRun) -> Iterator[Finding]:
    """Headers that are not there. The script is silent about a server that has none of those it knows."""
    if not run.data:
        return
    missing = [header for said, header in WANTED.items() if said not in run.data]
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
    """Basic authentication where nothing encrypts it: the password travels readable."""
    schemes = [get_text(row, "scheme").lower() for row in iter_rows(run.script.data)] or re.findall(
        r"^[ \t]*(\w+)(?: |$)", run.output.lower(), re.MULTILINE
    )
    encrypted = run.port and run.port.service and run.port.service.tunnel
    if "basic" in schemes and not encrypted:
        yield run.finding(
            name="HTTP Basic Authentication without TLS",
            description=f"{run.where} asks for passwords that anyone on the way can read",
            category="Clear Text",
            severity=Severity.MEDIUM,
            output=run.output.strip() or None,
        )


def http_git(run: ScriptRun) -> Iterator[Finding]:
    """One for each repository that lies open, by its path."""
    for place, said in iter_tables(run.script.data):
        files = [name for name, found in get_table(said, "files-found").items() if found == "true"]
        yield run.finding(
            place.partition("/")[2],
            name="Git Repository exposed",
            description=f"{run.where} gives away the repository at /{place.partition('/')[2]}",
            category="Information Disclosure",
            severity=Severity.MEDIUM,
            path=f"/{place.partition('/')[2]}",
            files=files,
            remotes=get_texts(said, "remotes") or None,
        )
