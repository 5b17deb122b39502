"""Text as nmap meant it: it writes every byte above 0x7F as a character of its own."""

from __future__ import annotations

import re

HIGH_BYTES = re.compile("[\x80-\xff]+")


def repaired(text: str) -> str:
    """`Ã©` → `é`: a run of such characters that is valid UTF-8 when read as bytes becomes the text it stands for."""
    return text if text.isascii() else HIGH_BYTES.sub(_as_utf8, text)


def _as_utf8(run: re.Match[str]) -> str:
    try:
        return run[0].encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return run[0]
