"""nmap XML: the reports of a scan as one, of all its hosts or of some, without the secrets that scripts found.

A host is written whole or not at all: an element with some of its ports would say that nmap saw no
others. So a selection may name hosts by their addresses, and nothing else.
"""

from __future__ import annotations

import shlex
from typing import TypeVar

from msgspec.structs import replace

from cascan.findings.redact import redact_parameters, shows_credentials
from cascan.findings.redact_text import REDACTED, may_hold_secrets, redact_data, redact_text
from cascan.model.host import Host, Port, Script
from cascan.model.report import Head, HostHint, Item, Output, PostScripts, PreScripts
from cascan.nmap.addresses import parse_address
from cascan.queries.finding_query import FindingQuery

WithScripts = TypeVar("WithScripts", Host, Port, PreScripts, PostScripts)
SCRIPT_ARGS = "script-args"


class NmapXmlSelection:
    """Decides about each element of a report: written as it is, changed, or left out (None)."""

    def __init__(self, query: FindingQuery, *, shows_secrets: bool = False) -> None:
        """Raises: ValueError: the query selects by something else than addresses; the sentence says what to do."""
        option = find_unsuitable_option(query)
        if option:
            raise ValueError(
                f"--as xml has whole hosts, as nmap reported them, so {option} cannot select a part of them; "
                "leave it out, or choose another format"
            )
        self._networks = query.networks
        self._shows_secrets = shows_secrets

    @property
    def is_partial(self) -> bool:
        """Only some hosts are selected."""
        return bool(self._networks)

    def edit(self, item: Host | Item) -> Host | Item | None:
        if isinstance(item, Host | HostHint) and not self._selects(item):
            return None
        if isinstance(item, Output):  # the whole output of nmap as text, of all hosts
            return item if self._shows_secrets and not self.is_partial else None
        return item if self._shows_secrets else _redact_item(item)

    def edit_head(self, head: Head) -> Head:
        """The head, whose command line may have passwords for scripts."""
        if self._shows_secrets or not head.args or SCRIPT_ARGS not in head.args:
            return head
        try:
            words = shlex.split(head.args)
        except ValueError:  # a quote without its end
            return replace(head, args=REDACTED)
        return replace(head, args=shlex.join(redact_parameters(words)))

    def _selects(self, host: Host | HostHint) -> bool:
        return not self._networks or any(self._has(address.addr) for address in host.addresses)

    def _has(self, text: str) -> bool:
        try:
            address = parse_address(text)
        except ValueError:  # a MAC address
            return False
        return any(address.version == family and low <= int(address) <= high for family, low, high in self._networks)


def find_unsuitable_option(query: FindingQuery) -> str:
    """The option of `cascan findings` that selects by more than addresses; empty if none does."""
    options = {
        "--severity": query.severities,
        "--host NAME": query.hostnames,
        "--port": query.ports,
        "--service": query.service,
        "--category": query.category,
        "--text": query.text,
        "--since": query.since,
        "--new": query.new,
    }
    return next((option for option, value in options.items() if value), "")


def _redact_item(item: Host | Item) -> Host | Item:
    """The element without the output of scripts that show credentials; the same object if it has none."""
    if isinstance(item, PreScripts):
        return _redact_scripts(item)
    if isinstance(item, PostScripts):
        return _redact_scripts(item)
    if not isinstance(item, Host):
        return item
    if any(_has_secrets(port.scripts) for port in item.ports):
        item = replace(item, ports=tuple(map(_redact_scripts, item.ports)))
    return _redact_scripts(item)


def _redact_scripts(element: WithScripts) -> WithScripts:
    if not _has_secrets(element.scripts):
        return element
    return replace(element, scripts=tuple(map(_redact_script, element.scripts)))


def _redact_script(script: Script) -> Script:
    if shows_credentials(script.id):
        return Script(script.id, REDACTED)
    output, data = redact_text(script.output), redact_data(script.data)
    if (output, data) == (script.output, script.data):
        return script
    return Script(script.id, output, data)  # without nodes, which say the same as data


def _has_secrets(scripts: tuple[Script, ...]) -> bool:
    """False: `_redact_script` would change nothing."""
    return any(shows_credentials(script.id) or may_hold_secrets((script.output, script.data)) for script in scripts)
