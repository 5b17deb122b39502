"""Secrets in the text of any script, by their form: passwords in URLs, `password=…`, tokens, private keys.

It finds only what has the form of a secret: a password in a sentence stays. The time is linear in the
length of the text, which comes from scanned hosts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

REDACTED = "(redacted)"
MAX_DEPTH = 32  # of structured output; what is deeper is left out
# RFC 7468, and the form of SSH2 with four dashes (RFC 4716)
PRIVATE_KEY = re.compile(r"-{4,5} ?BEGIN [a-z0-9 ]{0,40}PRIVATE KEY", re.IGNORECASE)
KEY_END = re.compile(r"-{4,5} ?END [a-z0-9 ]{0,60}-{4,5}", re.IGNORECASE)
# One of these, in lower case, is in every text that has a secret
MARKS = (
    *(b"://", b"pass", b"pwd", b"secret", b"token", b"community", b"authorization", b"bearer"),
    *(b"_key", b"-key", b"apikey", b"accesskey", b"privatekey", b"encryptionkey", b"authkey", b"private key"),
    *(b"akia", b"asia", b"eyj", b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"glpat-", b"xox", b"k_live_"),
)
# Words that follow `password:` without being one
HARMLESS = (
    r"(?!(?:yes|no|none|null|true|false|required|optional|enabled|disabled|empty|blank|unknown|supported|allowed|denied"
    r"|\(redacted\))(?![^\s,;)]))"
)
NAME = (
    r"(?:password|passwd|passphrase|passcode|(?<![a-z])(?:user|db|root|admin|ftp|smtp)?(?:pass|pwd)(?![a-z])|secret|token"
    r"|community(?:[ _-](?:string|name))?|(?:api|access|private|encryption|auth)[_-]?key)"
)
# A quoted text may be cut off; an empty one is not a secret. Quotes are escaped in text that holds JSON
QUOTE = r"""\\{0,3}["']"""
EMPTY = r"""(?!\\{0,3}"\\{0,3}"|\\{0,3}'\\{0,3}')"""
VALUE = rf"""{EMPTY}(?:\\{{0,3}}"[^"\n]+"?|\\{{0,3}}'[^'\n]+'?|[^\s,;"'&<>]+)"""
SCHEME = r"(?:basic|bearer|digest|negotiate|ntlm|token|api-?key|key|oauth|dpop|aws4-hmac-sha256)"
# Group 1 of each is kept. No pattern looks at a character again and again: its parts cannot match the same text
PATTERNS = (
    # scheme://user:password@host; the password ends with the last @ before a slash
    re.compile(r"(://[^\s/@:]*:)[^\s/]+(?=@)"),
    # https://token@host
    re.compile(r"(https?://)[^\s/@:]{20,}(?=@)"),
    re.compile(r"((?<![\w-])bearer\s{1,3})[\w.~+/=-]{20,}", re.IGNORECASE),
    # The forms of keys of AWS, of tokens of GitHub, GitLab, Slack and Stripe, and of JSON Web Tokens
    re.compile(r"((?<![A-Za-z0-9]))(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    re.compile(r"((?<!\w))gh[pousr]_[A-Za-z0-9]{20,}"),
    re.compile(r"((?<![\w-]))(?:glpat-|xox[abeoprs]-|[rs]k_live_)[\w-]{16,}"),
    re.compile(r"((?<![\w-]))eyJ[\w-]{10,}\.eyJ[\w-]{4,}\.[\w-]*"),
    # password=…, "api_key": "…"
    re.compile(rf"({NAME}[\w-]{{0,20}}(?:{QUOTE})?\s{{0,3}}(?:=>|[:=])\s{{0,3}}){HARMLESS}{VALUE}", re.IGNORECASE),
    # Authorization: Basic dXNlcjpwYXNz; after the line above, for token="…" may follow
    re.compile(
        rf"(authorization(?:{QUOTE})?\s{{0,3}}[:=]\s{{0,3}}(?:{QUOTE})?(?:{SCHEME}\s{{1,3}})?)[^\s\"',;\\]+",
        re.IGNORECASE,
    ),
)
NAMED_SECRET = re.compile(rf"[\w.-]{{0,40}}{NAME}s?", re.IGNORECASE)


def redact_text(text: str) -> str:
    """The text with REDACTED in the place of each secret; the same object if it has none."""
    if not may_hold_secrets(text):
        return text
    redacted = _redact_private_keys(text)
    for pattern in PATTERNS:
        redacted = pattern.sub(rf"\g<1>{REDACTED}", redacted)
    return text if redacted == text else redacted


def may_hold_secrets(value: Any) -> bool:
    """Of a text or structured output. False: to redact it would change nothing. It takes a tenth of the time."""
    lowered = msgspec.json.encode(value).lower()
    return any(mark in lowered for mark in MARKS)


def redact_data(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Structured output of a script: its texts without secrets, and no value of a field with the name of one."""
    if isinstance(value, str):
        return redact_text(value)
    if depth == 0:
        return REDACTED
    if isinstance(value, dict):
        return {name: _redact_field(name, inner, depth - 1) for name, inner in value.items()}
    if isinstance(value, Sequence):
        return [redact_data(inner, depth - 1) for inner in value]
    return value


def _redact_field(name: Any, value: Any, depth: int) -> Any:
    if not (isinstance(name, str) and names_secret(name) and value):
        return redact_data(value, depth)
    if isinstance(value, list):
        return [_redact_field(name, inner, depth - 1) for inner in value] if depth > 0 else REDACTED
    return REDACTED if isinstance(value, str | int) else redact_data(value, depth)


def names_secret(name: str) -> bool:
    """Whether a field with this name holds a secret."""
    return NAMED_SECRET.fullmatch(name) is not None


def _redact_private_keys(text: str) -> str:
    """Without the blocks of private keys; one that is cut off ends with the text."""
    kept: list[str] = []
    place = 0
    while begin := PRIVATE_KEY.search(text, place):
        kept += text[place : begin.start()], REDACTED
        end = KEY_END.search(text, begin.end())
        if end is None:
            return "".join(kept)
        place = end.end()
    return "".join((*kept, text[place:])) if kept else text
