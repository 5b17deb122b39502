"""Secrets that scripts found, left out of what leaves the stack: reports, messages and exports.

A guessed password is in more than one place: in the account of its finding, and in the output of
the script, which the finding of the port carries as well. A script of CREDENTIAL_SCRIPTS loses its
whole output: it may have any form, so looking for the password in it would leave some in.
Names of accounts stay, and so does the fact that a password is empty. The output of other scripts
loses what has the form of a secret (redact_text.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from cascan.findings.brute import is_brute_script
from cascan.findings.redact_text import REDACTED, may_hold_secrets, redact_data, redact_text
from cascan.model.finding import Finding

SCRIPT_OUTPUTS = ("scripts", "scripts_data")  # attributes: by script
# Their output has passwords, hashes or community strings, beside that of the brute scripts.
CREDENTIAL_SCRIPTS = frozenset(
    {
        "broadcast-listener",  # the secret of HSRP
        "creds-summary",
        "http-adobe-coldfusion-apsa1301",  # the cookie of an administrator
        "http-axis2-dir-traversal",
        "http-barracuda-dir-traversal",
        "http-coldfusion-subzero",
        "http-config-backup",
        "http-default-accounts",
        "http-dlink-backdoor",
        "http-domino-enum-passwords",
        "http-git",  # remote addresses with a token
        "http-huawei-hg5xx-vuln",
        "http-litespeed-sourcecode-download",  # files of the host
        "http-majordomo2-dir-traversal",
        "http-passwd",
        "http-phpmyadmin-dir-traversal",
        "http-tplink-dir-traversal",
        "http-vuln-cve2006-3392",  # files of the host
        "http-vuln-cve2009-3960",
        "http-vuln-cve2010-2861",
        "http-vuln-cve2013-7091",
        "http-vuln-wnr1000-creds",
        "informix-query",
        "jdwp-exec",
        "ldap-novell-getpass",
        "ldap-search",
        "lexmark-config",
        "ms-sql-dump-hashes",
        "ms-sql-query",
        "ms-sql-xp-cmdshell",
        "mysql-dump-hashes",
        "mysql-query",
        "netbus-info",
        "oracle-brute-stealth",
        "redis-info",
        "smb-psexec",
        "smb-vuln-webexec",
        "snmp-hh3c-logins",
        "snmp-ios-config",
        "snmp-processes",  # command lines
        "ssh-run",
        "supermicro-ipmi-conf",
    }
)
# The attributes of a finding that say where it is and what it is about.
SAFE_ATTRIBUTES = frozenset(
    {
        "accounts",  # redacted one by one
        "cpe",
        "cve",
        "cvss",
        "disclosure",
        "hostname",
        "ids",
        "ip_address",
        "ip_addresses",
        "mac_address",
        "path",
        "port",
        "product",
        "protocol",
        "references",
        "script",
        "service",
        "state",
        "vulnerability_state",
    }
)
SECRET_NAME = re.compile(r"pass|pwd|secret|token|community|cred|hash|key|auth|cookie|\bapi$", re.IGNORECASE)
# `name=value` in the value of --script-args; a value in quotes may hold commas and quotes that are escaped.
SCRIPT_ARGUMENT = re.compile(
    r"""(?<![^\s,{}=])([^\s,{}=]+)\s*=\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|(?=\{)|[^,{}]*)"""
)
SCRIPT_TABLE = re.compile(r"(?<![^\s,{}=])([^\s,{}=]+)\s*=\s*(?=\{)")


def redact_finding(finding: Finding) -> Finding:
    """The finding without passwords, hashes and community strings; the same object if it has none."""
    attributes = finding.attributes
    if not _may_have_secrets(finding):  # most findings: to look at all attributes takes ten times as long
        return finding
    script = attributes.get("script")
    redacted = {key: _redact_attribute(key, value) for key, value in attributes.items()}
    if isinstance(script, str) and shows_credentials(script):
        redacted = {key: value if key in SAFE_ATTRIBUTES else _redact_value(value) for key, value in redacted.items()}
    # Both may quote the output of the script
    name, description = redact_text(finding.name), redact_text(finding.description)
    if (redacted, name, description) == (attributes, finding.name, finding.description):
        return finding
    return replace(finding, name=name, description=description, attributes=redacted)


def _may_have_secrets(finding: Finding) -> bool:
    """False: `redact_finding` would change nothing."""
    attributes = finding.attributes
    get = attributes.get
    if get("accounts"):
        return True
    if not (get("script") or get("scripts") or get("scripts_data")):
        return False
    script = get("script")
    if isinstance(script, str) and shows_credentials(script):
        return True
    for outputs in map(get, SCRIPT_OUTPUTS):
        if isinstance(outputs, dict) and any(map(shows_credentials, outputs)):
            return True
    values = [value for key, value in attributes.items() if key not in SAFE_ATTRIBUTES]
    return may_hold_secrets([finding.name, finding.description, *values])


def redact_script_output(script_id: str, output: str) -> str:
    """The output of a script without secrets: REDACTED if the script shows credentials."""
    return REDACTED if output and shows_credentials(script_id) else redact_text(output)


def redact_parameters(parameters: Iterable[str]) -> tuple[str, ...]:
    """nmap's options without the values of script arguments such as `smbpassword`."""
    redacted: list[str] = []
    is_value = False
    for parameter in parameters:
        option, equals, value = parameter.partition("=")
        if is_value:
            redacted.append(_redact_script_arguments(parameter))
        elif equals and option.lstrip("-") == "script-args":
            redacted.append(f"{option}={_redact_script_arguments(value)}")
        else:
            redacted.append(parameter)
        is_value = not is_value and not equals and option.lstrip("-") == "script-args"
    return tuple(redacted)


def shows_credentials(script_id: str) -> bool:
    return is_brute_script(script_id) or script_id in CREDENTIAL_SCRIPTS


def _redact_attribute(key: str, value: Any) -> Any:
    if key == "accounts" and isinstance(value, Sequence) and not isinstance(value, str):
        return [_redact_account(account) for account in value]
    if key in SCRIPT_OUTPUTS and isinstance(value, dict):
        return {
            name: _redact_value(output) if shows_credentials(name) else redact_data(output)
            for name, output in value.items()
        }
    return value if key in SAFE_ATTRIBUTES else redact_data(value)


def _redact_account(account: Any) -> Any:
    """The name and the state stay. A key that a later version adds does not."""
    if not isinstance(account, dict):
        return REDACTED
    return {key: value if key in ("username", "state") or not value else REDACTED for key, value in account.items()}


def _redact_value(value: Any) -> Any:
    return REDACTED if value else value


def _redact_script_arguments(text: str) -> str:
    """The text without secret values. A secret table is left out with all that follows it: it may be nested."""
    for table in SCRIPT_TABLE.finditer(text):
        if SECRET_NAME.search(table[1]):
            return _redact_script_arguments(text[: table.start()]) + f"{table[1]}={REDACTED}"
    return SCRIPT_ARGUMENT.sub(_redact_script_argument, text)


def _redact_script_argument(match: re.Match[str]) -> str:
    name, value = match.groups()
    return f"{name}={REDACTED}" if value and SECRET_NAME.search(name) else match.group()
