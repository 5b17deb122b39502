"""Why a request is refused, as data."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Rule(StrEnum):
    """What was broken, for a program to tell refusals apart."""

    DOCUMENT = "document"  # neither JSON nor YAML that can be read
    FIELD = "field"  # a field of the request
    LIMIT = "limit"
    OPTION = "option"  # of nmap
    SCRIPT = "script"  # or what is passed to it
    TARGET_SYNTAX = "target-syntax"
    SCOPE = "scope"


class Refusal(msgspec.Struct, frozen=True):
    what: str  # the option, target or field, as it was written
    rule: Rule
    reason: str  # one sentence, which can stand alone
