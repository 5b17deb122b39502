"""Convert the bytes and references of a report to text.

nmap writes each byte above 0x7F as a separate character, and control characters unescaped. Both are
repaired.
"""

from __future__ import annotations

import codecs
import re

from cascan.patterns import compile_pattern

# An error handler of `bytes.decode`: bytes that are not UTF-8 become Latin-1.
LATIN_1 = "cascan-latin-1"
HIGH_BYTES = "[\x80-\xff]+"
# References to characters that XML 1.0 forbids, and these characters. nmap writes such references
# for control characters in its arguments.
FORBIDDEN = (
    r"&#(?:[xX]0*(?:[0-8bcefBCEF]|1[0-9a-fA-F]|[dD][89a-fA-F][0-9a-fA-F]{2}|[fF]{3}[efEF])"
    r"|0*(?:[0-8]|1[124-9]|2[0-9]|3[01]));|[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"
)
CONTROLS_REPLACED = "Control characters, which XML cannot carry, were replaced."
NOT_UTF8 = "Bytes that are no UTF-8 were read as Latin-1."
REFERENCE = r"&(?:#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))|(lt|gt|amp|quot|apos));"
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
UNWRITABLE = "[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]"


class UnknownReference(ValueError):
    """A reference that the patterns of fast/ do not know."""


def repair_utf8(text: str) -> str:
    """`Ã©` → `é`: a run of characters that is valid UTF-8 when read as bytes is decoded."""
    return text if text.isascii() else compile_pattern(HIGH_BYTES).sub(_decode_run, text)


def resolve_references(text: str) -> str:
    """Text between quotes or tags, with its references resolved and its UTF-8 repaired.

    Raises: UnknownReference: only an XML parser can resolve or refuse a reference.
    """
    text = (
        text.replace("&#xa;", "\n")
        .replace("&quot;", '"')
        .replace("&#45;", "-")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&apos;", "'")
    )
    if text.count("&") != text.count("&amp;"):
        return repair_utf8(compile_pattern(REFERENCE).sub(_resolve, _check_references(text)))
    return text.replace("&amp;", "&")


def replace_forbidden(text: str) -> str:
    """The text with U+FFFD for each character that XML cannot carry."""
    return compile_pattern(FORBIDDEN).sub("\N{REPLACEMENT CHARACTER}", text)


def decode_utf8(data: bytes) -> tuple[str, bool]:
    """The bytes as text with XML's line ends, and whether they were UTF-8.

    Each byte that is not UTF-8 is read as Latin-1 by itself, so that the result does not depend on
    how a report is split.
    """
    try:
        text, is_utf8 = data.decode(), True
    except UnicodeDecodeError:
        text, is_utf8 = data.decode(errors=LATIN_1), False
    return (text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text), is_utf8


def _as_latin_1(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error(LATIN_1, _as_latin_1)


def _decode_run(run: re.Match[str]) -> str:
    try:
        return run[0].encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return run[0]


def _check_references(text: str) -> str:
    if len(compile_pattern(REFERENCE).findall(text)) != text.count("&"):
        raise UnknownReference
    return text


def _resolve(match: re.Match[str]) -> str:
    hexadecimal, decimal, name = match.groups()
    if name:
        return NAMED[name]
    code = int(hexadecimal, 16) if hexadecimal else int(decimal)
    character = chr(code) if code < 0x110000 else "\0"  # noqa: PLR2004 (the end of Unicode)
    if compile_pattern(UNWRITABLE).match(character):
        raise UnknownReference
    return character
