"""Why a request is refused, as data."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Rule(StrEnum):
    """What was broken, for a program to tell refusals apart."""

    DOCUMENT = "document"  # neither JSON nor YAML that can be read
    FIELD = "field"  # a field of the request
    LIMIT = "limit"
    GRAMMAR = "grammar"  # of nmap: it would not start with these options either
    VALUE = "value"  # of an option: nmap takes it, and it is out of bounds here or means nothing
    LEFT_UNDONE = "left-undone"  # nmap takes the options together, and silently leaves a part undone
    OPTION = "option"  # of nmap, which the operator's policy or cascan itself does not allow
    SCRIPT = "script"  # or what is passed to it
    TARGET_SYNTAX = "target-syntax"
    SCOPE = "scope"


class Refusal(msgspec.Struct, frozen=True):
    what: str  # the option, target or field, as it was written
    rule: Rule
    reason: str  # one sentence, which can stand alone
