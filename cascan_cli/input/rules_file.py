"""A file with severity rules: its text, and the rules in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascan.limits import MAX_SEVERITY_RULES_BYTES
from cascan_cli.errors import BadInput
from cascan_cli.input.text_file import read_text_file

if TYPE_CHECKING:
    from cascan.rules.severity import SeverityRule


def read_rules_text(name: str) -> str:
    """The text of the file; `-` reads standard input.

    Raises: BadInput: it cannot be read, is too long, or is not UTF-8.
    """
    return read_text_file(name, MAX_SEVERITY_RULES_BYTES)


def read_rules(name: str) -> tuple[SeverityRule, ...]:
    """The rules in the file. Raises: BadInput: every problem in it."""
    from cascan.errors import RequestRefused  # imported here: most commands do not read rules
    from cascan.rules.severity_form import read_severity_rules

    try:
        return read_severity_rules(read_rules_text(name))
    except RequestRefused as refused:
        raise BadInput(f"{name}: {'; '.join(refused.reasons)}") from refused
