"""Findings of nmap's brute scripts: accounts whose password they guessed, and services that ask for none.

Most of these scripts report through nmap's brute and creds libraries, as a list of accounts under a title, or as a bare
list. The others, and every old nmap, write a line of text for each account. Source: creds.lua (the states of an
account), brute.lua (the titles), and the text that afp-, citrix-, drda-, ldap-, ms-sql-, pgsql- and smb-brute write.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from cascan.findings.script_run import ScriptRun, get_text, iter_rows
from cascan.model.finding import Finding, Severity

VALID = "Valid credentials"
VALID_STATE = re.compile(r"Valid credentials(?:,.*)?|Valid - .*")  # the second: cics-user-brute, without a password
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
# Between an account and its state. Scripts with text of their own write the arrow, the creds library writes the dash
# (and for an account without a user name the password alone), cics-user-brute a colon.
ARROW, DASH, ENUMERATED = " => ", " - ", ": "
NO_PASSWORD = re.compile(
    r"\bno authentication (?:is )?(?:required|needed)\b|\bdoes not require authentication\b|\bhas no password\b"
    r"|\bany username and password would do\b|\bSCU allows any AET\b",
    re.IGNORECASE,
)
TITLES = frozenset({"Accounts", "Statistics", "Information", "ERROR"})  # of the sections that brute.lua writes
PUBLIC_BY_DESIGN = frozenset({"ajp-brute", "http-brute"})  # a page without a password is what the web is made of


class Account(NamedTuple):
    username: str
    password: str
    state: str

    @property
    def is_valid(self) -> bool:
        """Whether the password is right. It may have to be changed, or be of use at other times or places."""
        return VALID_STATE.fullmatch(self.state) is not None or self.state in OTHER_VALID_STATES

    @property
    def is_locked_out(self) -> bool:
        return LOCKED_OUT.search(self.state) is not None


def is_brute_script(script_id: str) -> bool:
    return script_id.endswith("-brute") or script_id == "citrix-brute-xml"


def brute_findings(run: ScriptRun) -> Iterator[Finding]:
    """Guessed accounts, and a service that asks for no password."""
    accounts = list(dict.fromkeys(_accounts(run)))  # each once
    if valid := [account for account in accounts if account.is_valid]:
        yield _guessed_accounts(run, valid)
    if run.script.id not in PUBLIC_BY_DESIGN and NO_PASSWORD.search(run.output):
        yield run.finding(
            "no password",
            name="No Password required",
            description=f"{run.where} asks for no password, as {run.script.id} shows",
            category="Unauthenticated Access",
            severity=Severity.HIGH,
            output=run.output.strip(),
        )


def netbus_brute(run: ScriptRun) -> Iterator[Finding]:
    """The script's whole output is the password."""
    password = run.output.strip()
    if password:
        yield _guessed_accounts(run, [Account("", PLACEHOLDERS.get(password, password), VALID)])


def _guessed_accounts(run: ScriptRun, accounts: list[Account]) -> Finding:
    names = ", ".join(account.username or "anyone" for account in accounts)
    usable = not all(account.is_locked_out for account in accounts)
    lets_in = "lets" if usable else "does not let, but has a known password for,"
    return run.finding(
        name="Guessed Account",
        description=f"{run.where} {lets_in} {names}{' in by a guessed password' if usable else ''}",
        category="Default Account",
        severity=Severity.HIGH if usable else Severity.MEDIUM,
        accounts=[account._asdict() for account in accounts],
    )


def _accounts(run: ScriptRun) -> list[Account]:
    lines = run.output.splitlines()
    return (
        list(_structured_accounts(run.script.data))
        or list(_accounts_of_text(lines))
        or list(_accounts_without_state(lines))
    )


def _structured_accounts(data: Any) -> Iterator[Account]:
    """A list of accounts, bare or under whatever title the script gave it."""
    lists: Iterable[Any] = data.values() if isinstance(data, dict) else [data]
    for candidates in lists:
        for row in iter_rows(candidates):
            if get_text(row, "state"):
                yield Account(get_text(row, "username"), get_text(row, "password"), get_text(row, "state"))


def _accounts_of_text(lines: Iterable[str]) -> Iterator[Account]:
    """Accounts that the text calls valid."""
    for line in lines:
        for separator in (ARROW, DASH, ENUMERATED):
            account = _account_of_line(line.strip(), separator)
            if account and account.is_valid:
                yield account
                break


def _account_of_line(line: str, separator: str) -> Account | None:
    """`user:password => state`, `user:password - state`, `user: state`; the password may hold the separator too."""
    credentials, found, state = line.rpartition(separator)
    if not found:
        return None
    username, colon, password = credentials.partition(":")
    if not colon and separator == DASH:  # of the creds library, an account without a user name
        username, password = "", credentials
    return Account(PLACEHOLDERS.get(username, username), PLACEHOLDERS.get(password, password), state)


def _accounts_without_state(lines: Iterable[str]) -> Iterator[Account]:
    """nmap 5 lists valid accounts alone, as `user:password` below the title Accounts."""
    below_title = False
    for line in map(str.strip, lines):
        if line.rstrip(":") in TITLES:
            below_title = line.startswith("Accounts")
        elif below_title and ":" in line and ARROW not in line and DASH not in line:
            username, _, password = line.partition(":")
            yield Account(PLACEHOLDERS.get(username, username), PLACEHOLDERS.get(password, password), VALID)
