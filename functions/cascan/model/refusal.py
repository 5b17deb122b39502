"""Why a request is refused, as data."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Rule(StrEnum):
    """The rule that was broken, so that a program can distinguish refusals."""

    DOCUMENT = "document"  # neither JSON nor YAML that can be read
    FIELD = "field"  # a field of the request
    LIMIT = "limit"
    GRAMMAR = "grammar"  # nmap itself would not start with these options
    VALUE = "value"  # of an option: nmap accepts it, and it is out of bounds here or has no effect
    LEFT_UNDONE = "left-undone"  # nmap accepts the combination, and silently leaves a part undone
    OPTION = "option"  # an option of nmap that the operator's policy or cascan does not allow
    SCRIPT = "script"  # a script, or an argument of one
    TARGET_SYNTAX = "target-syntax"
    SCOPE = "scope"


class Refusal(msgspec.Struct, frozen=True):
    what: str  # the option, target or field, as it was written
    rule: Rule
    reason: str  # one complete sentence
