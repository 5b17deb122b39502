"""Findings of nmap's brute scripts: guessed passwords, and services that need no password.

Most of these scripts report through nmap's brute and creds libraries: a list of accounts, with or
without a title. The others, and old versions of nmap, write a line of text for each account.
Sources: creds.lua (the states of an account), brute.lua (the titles), and the output of afp-,
citrix-, drda-, ldap-, ms-sql-, pgsql- and smb-brute.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from cascan.findings.script_run import ScriptRun, get_text, iter_rows
from cascan.model.finding import Finding, Severity

VALID = "Valid credentials"
# The second is of cics-user-brute, which finds no password.
VALID_STATE = re.compile(r"Valid credentials(?:,.*)?|Valid - .*")
OTHER_VALID_STATES = frozenset(
    {
        "Login Success",  # ms-sql-brute; then the error of a login whose password was right
        "PasswordMustChange",
        "PasswordExpired",
        "Login was successful",  # citrix-brute-xml
        "Must change password at next logon",
        "Login correct",  # nmap before 5.2; then, until 6.4, "Account is valid"
        "Account is valid",
        "Trusted authentication",  # pgsql-brute: this user needs no password
    }
)
LOCKED_OUT = re.compile(r"locked|disabled|wasn't allowed")
PLACEHOLDERS = {"<empty>": "", "<blank>": ""}  # for an empty user name or password
# Separators between an account and its state. Scripts that format their own text write the arrow.
# The creds library writes the dash, and only the password of an account without a user name.
# cics-user-brute writes the colon.
ARROW, DASH, ENUMERATED = " => ", " - ", ": "
NO_PASSWORD = re.compile(
    r"\bno authentication (?:is )?(?:required|needed)\b|\bdoes not require authentication\b|\bhas no password\b"
    r"|\bany username and password would do\b|\bSCU allows any AET\b",
    re.IGNORECASE,
)
# Titles of the sections that brute.lua writes.
TITLES = frozenset({"Accounts", "Statistics", "Information", "ERROR"})
PUBLIC_BY_DESIGN = frozenset({"ajp-brute", "http-brute"})  # most pages of the web need no password


class Account(NamedTuple):
    username: str
    password: str
    state: str

    @property
    def is_valid(self) -> bool:
        """Whether the password is correct, even if it expired or is valid only at other times."""
        return VALID_STATE.fullmatch(self.state) is not None or self.state in OTHER_VALID_STATES

    @property
    def is_locked_out(self) -> bool:
        return LOCKED_OUT.search(self.state) is not None


def is_brute_script(script_id: str) -> bool:
    return script_id.endswith("-brute") or script_id == "citrix-brute-xml"


def brute_findings(run: ScriptRun) -> Iterator[Finding]:
    """The guessed accounts in one finding; another finding if the service needs no password."""
    accounts = dict.fromkeys(_read_accounts(run))  # each once
    valid = [account for account in accounts if account.is_valid]
    if valid:
        yield _guessed_accounts(run, valid)
    if run.script.id not in PUBLIC_BY_DESIGN and NO_PASSWORD.search(run.output):
        yield run.finding(
            "no password",
            name="No Password required",
            description=f"{run.where} needs no password, as {run.script.id} shows",
            category="Unauthenticated Access",
            severity=Severity.HIGH,
            output=run.output.strip(),
        )


def netbus_brute(run: ScriptRun) -> Iterator[Finding]:
    """The output of the script is the password, and nothing else."""
    password = run.output.strip()
    if password:
        yield _guessed_accounts(run, [Account("", PLACEHOLDERS.get(password, password), VALID)])


def _guessed_accounts(run: ScriptRun, accounts: list[Account]) -> Finding:
    names = ", ".join(account.username or "anyone" for account in accounts)
    all_locked_out = all(account.is_locked_out for account in accounts)
    remark = ", but every one is locked or disabled" if all_locked_out else ""
    return run.finding(
        name="Guessed Account",
        description=f"{run.where} accepts a guessed password for {names}{remark}",
        category="Default Account",
        severity=Severity.MEDIUM if all_locked_out else Severity.HIGH,
        accounts=[account._asdict() for account in accounts],
    )


def _read_accounts(run: ScriptRun) -> list[Account]:
    """The accounts in the structured output, or else in the text."""
    lines = run.output.splitlines()
    return (
        list(_read_structured_accounts(run.script.data))
        or list(_read_lines_with_state(lines))
        or list(_read_lines_without_state(lines))
    )


def _read_structured_accounts(data: Any) -> Iterator[Account]:
    """A list of accounts, with or without a title."""
    lists: Iterable[Any] = data.values() if isinstance(data, dict) else [data]
    for candidates in lists:
        for row in iter_rows(candidates):
            if get_text(row, "state"):
                username, password = get_text(row, "username"), get_text(row, "password")
                yield Account(username, password, get_text(row, "state"))


def _read_lines_with_state(lines: Iterable[str]) -> Iterator[Account]:
    """Accounts with a valid state."""
    for line in lines:
        for separator in (ARROW, DASH, ENUMERATED):
            account = _parse_account(line.strip(), separator)
            if account and account.is_valid:
                yield account
                break


def _parse_account(line: str, separator: str) -> Account | None:
    """`user:password => state`, `user:password - state`, `user: state`.

    The password may contain the separator.
    """
    if separator not in line:
        return None
    credentials, _, state = line.rpartition(separator)
    username, colon, password = credentials.partition(":")
    if not colon and separator == DASH:  # an account without a user name
        username, password = "", credentials
    return _to_account(username, password, state)


def _read_lines_without_state(lines: Iterable[str]) -> Iterator[Account]:
    """nmap 5 lists only valid accounts, as `user:password` below the title Accounts."""
    below_title = False
    for line in map(str.strip, lines):
        if line.rstrip(":") in TITLES:
            below_title = line.startswith("Accounts")
        elif below_title and ":" in line and ARROW not in line and DASH not in line:
            username, _, password = line.partition(":")
            yield _to_account(username, password, VALID)


def _to_account(username: str, password: str, state: str) -> Account:
    username = PLACEHOLDERS.get(username, username)
    return Account(username, PLACEHOLDERS.get(password, password), state)
