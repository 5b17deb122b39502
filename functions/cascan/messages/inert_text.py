"""Text from scanned hosts in the markup of a channel: it can neither format, link, mention nor hide.

Every format loses control characters, marks that turn the direction of text, and characters without
width. Addresses of web pages are written so that no reader makes a link of them.

    slack   `&`, `<`, `>` are escaped as Slack asks; so there are no mentions and no links. Marks of
            bold, italic, strike and code are replaced by characters that look like them.
    teams   the text is in blocks that are not read as Markdown.
    text, json   as above.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from cascan.limits import MAX_MESSAGE_FIELD_CHARS

HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
SCHEME = re.compile(r"(?<=[a-z0-9+.-]):(?=//|\\\\)|\b(mailto|tel|javascript|data|file):", re.IGNORECASE)
MENTION = re.compile(r"(?<![\w.])@(?=\w)")
LOOK_ALIKES = str.maketrans({"*": "\u2217", "~": "\u223c", "`": "\u2018"})
UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")  # at the begin or the end of a word
SLACK_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def clean_text(text: str, limit: int = MAX_MESSAGE_FIELD_CHARS) -> str:
    """One line of characters that can be seen, of `limit` characters at most."""
    visible = "".join(" " if char in "\n\r\t\u2028\u2029" else char for char in text[: limit * 4])
    visible = "".join(char for char in visible if unicodedata.category(char) not in HIDDEN_CATEGORIES)
    line = " ".join(visible.split())
    return line if len(line) <= limit else line[: limit - 1] + "\u2026"


def defuse_links(text: str) -> str:
    """`https://` becomes `https[:]//`, `@here` becomes a word with another sign."""
    defused = SCHEME.sub(lambda match: f"{match.group(1) or ''}[:]", text)
    return MENTION.sub("\uff20", defused)


def escape_plain(text: str) -> str:
    return defuse_links(clean_text(text))


def escape_slack(text: str) -> str:
    replaced = UNDERSCORE.sub("\u02cd", escape_plain(text).translate(LOOK_ALIKES))
    return replaced.translate(SLACK_ESCAPES)


ESCAPES: dict[str, Callable[[str], str]] = {
    "text": escape_plain,
    "slack": escape_slack,
    "teams": escape_plain,
    "json": escape_plain,
}
