"""A file with severity rules: its text, and the rules in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cascan.limits import MAX_SEVERITY_RULES_BYTES
from cascan_cli.errors import BadInput

if TYPE_CHECKING:
    from cascan.rules.severity import SeverityRule


def read_rules_text(name: str) -> str:
    """The text of the file; `-` reads standard input.

    Raises: BadInput: it cannot be read, or is not UTF-8.
    """
    try:
        data = sys.stdin.buffer.read(MAX_SEVERITY_RULES_BYTES + 1) if name == "-" else Path(name).read_bytes()
        return data.decode()
    except OSError as exc:
        raise BadInput(f"{name}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise BadInput(f"{name} is not UTF-8 text: {exc.reason} at byte {exc.start}") from exc


def read_rules(name: str) -> tuple[SeverityRule, ...]:
    """The rules in the file. Raises: BadInput: every problem in it."""
    from cascan.errors import RequestRefused  # imported here: most commands do not read rules
    from cascan.rules.severity_form import read_severity_rules

    try:
        return read_severity_rules(read_rules_text(name))
    except RequestRefused as refused:
        raise BadInput(f"{name}: {'; '.join(refused.reasons)}") from refused
