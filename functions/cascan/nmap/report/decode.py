"""Text as nmap meant it: it writes bytes above 0x7F as characters of their own, and control characters as they are."""

from __future__ import annotations

import codecs
import re
from functools import cache

LATIN_1 = "cascan-latin-1"  # what `bytes.decode` does with what is no UTF-8
HIGH_BYTES = "[\x80-\xff]+"
# References to characters that XML 1.0 forbids; nmap writes them for control characters in its arguments.
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
    """A reference that the quick reading does not know."""


@cache
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The pattern, compiled for the first who asks: to compile all that a report may need takes 5 ms."""
    return re.compile(pattern)


def repair_utf8(text: str) -> str:
    """`Ã©` → `é`: a run of such characters that is valid UTF-8 when read as bytes becomes the text it stands for."""
    return text if text.isascii() else compile_pattern(HIGH_BYTES).sub(_as_utf8, text)


def resolve_references(text: str) -> str:
    """Text between quotes or tags, its references resolved and its bytes repaired.

    Raises: UnknownReference: XML may know it, or refuse it.
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
        return repair_utf8(compile_pattern(REFERENCE).sub(_character, _checked(text)))
    return text.replace("&amp;", "&")


def replace_forbidden(text: str) -> str:
    """The text with what XML cannot carry replaced."""
    return compile_pattern(FORBIDDEN).sub("\N{REPLACEMENT CHARACTER}", text)


def decode_utf8(data: bytes) -> tuple[str, bool]:
    """The bytes as text, and whether they were UTF-8, lines ending as XML ends them.

    A byte that is no UTF-8 is read as Latin-1, whatever stands around it: how a report is cut changes nothing.
    """
    try:
        text, known = data.decode(), True
    except UnicodeDecodeError:
        text, known = data.decode(errors=LATIN_1), False
    return (text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text), known


def _as_latin_1(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error(LATIN_1, _as_latin_1)


def _as_utf8(run: re.Match[str]) -> str:
    try:
        return run[0].encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return run[0]


def _checked(text: str) -> str:
    if len(compile_pattern(REFERENCE).findall(text)) != text.count("&"):
        raise UnknownReference
    return text


def _character(match: re.Match[str]) -> str:
    hexadecimal, decimal, name = match.groups()
    if name:
        return NAMED[name]
    code = int(hexadecimal, 16) if hexadecimal else int(decimal)
    character = chr(code) if code < 0x110000 else "\0"  # noqa: PLR2004 (what Unicode ends before)
    if compile_pattern(UNWRITABLE).match(character):
        raise UnknownReference
    return character
