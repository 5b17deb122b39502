"""--script and --script-args: what may be said with them.

A selection is words of nmap's own collection, never a file: nmap loads and runs any file a selection names. Arguments
alone make its scripts read files, write files, run code and turn to other hosts; script_arguments.json names those.
Source: the scripts of nmap 7.93; an argument is found by its full name and by the part after the last dot alone.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import msgspec

SELECTION = re.compile(r"[A-Za-z0-9*_ ,()+-]+")
KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
TOKEN = re.compile(r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^,{}='"]+)|(?P<mark>[,{}=])""")
FILE_LIKE = re.compile(r"file|(path|db|dir|list|keys?|prefix)$")
WEB_PATHS = frozenset({"uri", "basepath"})  # a path on the target: it may begin with a slash


def checked_selection(text: str) -> str:
    """A comma list of script names, categories and `and`, `or`, `not` expressions over them.

    Raises: ValueError: a file or a folder, or something that is no selection.
    """
    if not SELECTION.fullmatch(text):
        raise ValueError(
            "names and categories of nmap's own scripts, never a file: letters, digits and * _ - + ( ) alone"
        )
    return text


def checked_arguments(text: str) -> str:
    """Raises: ValueError: naming the argument, and what it would do."""
    depth = 0
    tokens = _tokens(text)
    for index, (token, is_mark) in enumerate(tokens):
        if is_mark:
            depth += {"{": 1, "}": -1}.get(token, 0)
            if depth < 0:
                raise ValueError("a closing brace too many; nmap would ignore everything after it")
            continue
        is_key = tokens[index + 1 : index + 2] == [("=", True)]
        is_value = index > 0 and tokens[index - 1] == ("=", True)
        if not is_value:
            _check_key(token)  # a bare word is an argument that is switched on
        if not is_key:
            key = tokens[index - 2][0] if is_value and index > 1 else ""
            _check_text(key, token)
    if depth:
        raise ValueError("an opening brace too many")
    return text


def _tokens(text: str) -> list[tuple[str, bool]]:
    """Texts without their quotes, and the marks between them."""
    tokens: list[tuple[str, bool]] = []
    end = 0
    for match in TOKEN.finditer(text):
        if match.start() != end:
            break
        end = match.end()
        token = (match["mark"] or match["text"]).strip()
        if token and (match["mark"] or token[0] not in "'\""):
            tokens.append((token, bool(match["mark"])))
        elif token:
            tokens.append((token[1:-1], False))
    if end != len(text):
        raise ValueError("a quote without its end")
    return tokens


def _check_key(key: str) -> None:
    if "newtargets" in key.lower():
        raise ValueError(f"{key} adds targets to the scan, whatever its value")
    if not KEY.fullmatch(key):
        raise ValueError(f"{key[:40]!r} is no name of an argument")
    last = key.lower().rpartition(".")[2]
    for row in _refused():
        if last in row.names:
            raise ValueError(f"{key} {row.harm}")
    if FILE_LIKE.search(last) and last not in WEB_PATHS:
        raise ValueError(f"{key} reads or writes files of the worker")


def _check_text(key: str, text: str) -> None:
    if "newtargets" in text.lower():
        raise ValueError("newtargets adds targets to the scan, whatever its value")
    is_web_path = key.lower().rpartition(".")[2] in WEB_PATHS
    if "\\" in text or (not is_web_path and (".." in text or text.startswith(("/", "~", "./")))):
        raise ValueError(f"{text[:40]!r} reads like a path of the worker's files")


class _Refused(msgspec.Struct, frozen=True):
    """Arguments that do one kind of harm, by the last part of their names, in lower case."""

    harm: str
    names: frozenset[str]


@cache
def _refused() -> tuple[_Refused, ...]:
    return msgspec.json.decode(
        Path(__file__).with_name("script_arguments.json").read_bytes(), type=tuple[_Refused, ...]
    )
