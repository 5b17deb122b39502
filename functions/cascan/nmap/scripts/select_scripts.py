"""The values of --script → names of scripts, in the table's order. A file is never among them: nmap would run it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

import msgspec

from cascan.limits import MAX_REASONS
from cascan.model.refusal import Refusal, Rule
from cascan.nmap.options.getopt import SHOWN_CHARS
from cascan.nmap.scripts.expression import is_category, matches_name, parse_rule
from cascan.nmap.scripts.table import CATEGORIES, Script, script_table, scripts_by_name

NEVER_A_FILE = "names and categories of nmap's own scripts, never a file"
MAX_CHARS = 32_768  # every script by its name takes 10,000
MAX_PATTERNS = 300  # words that are no plain name: each is held against every script


class SelectedScript(msgspec.Struct, frozen=True):
    script: Script
    named: bool  # it stands there by its name; otherwise a category or an expression brought it in
    forced: bool = False  # `+`: to run whatever its own rule says


class Selection(msgspec.Struct, frozen=True):
    """What --script selects; `errors` holds what it cannot."""

    scripts: tuple[SelectedScript, ...] = ()
    errors: tuple[Refusal, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        return frozenset(one.script.name for one in self.scripts)


def select_scripts(texts: Sequence[str]) -> Selection:
    """The values of every --script together, as nmap takes them."""
    rules = dict(_rules(texts))
    if not rules:
        return Selection(errors=(refuse_script("--script", f"it selects nothing; {NEVER_A_FILE}"),))
    if (
        sum(map(len, rules)) > MAX_CHARS
        or sum(len(rule.split()) for rule in rules if not _is_name(rule)) > MAX_PATTERNS
    ):
        return Selection(errors=(refuse_script("--script", "the selection is too long; write categories or patterns"),))
    chosen: dict[str, SelectedScript] = {}
    errors: list[Refusal] = []
    for text, forced in rules.items():
        if len(errors) == MAX_REASONS:
            break
        try:
            matching = _matching(text)
        except ValueError as exc:
            errors.append(refuse_script(text[:SHOWN_CHARS], str(exc)))
            continue
        named = _is_name(text)
        for script in matching:
            before = chosen.get(script.name, SelectedScript(script, named, forced))
            chosen[script.name] = SelectedScript(script, named or before.named, before.forced)
    in_order = tuple(chosen[name] for name in scripts_by_name() if name in chosen)
    return Selection(in_order, tuple(errors))


def refuse_script(what: str, why: str) -> Refusal:
    """What of --script is refused: a rule of it, a script, or the whole."""
    return Refusal(what, Rule.SCRIPT, f"--script: {why}")


def _rules(texts: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Each rule and whether it is forced; of a rule that stands twice nmap heeds the last."""
    for part in ",".join(texts).split(","):
        rule = part.strip()
        forced = rule.startswith("+")
        if rule := rule[forced:].strip():
            yield rule, forced


def _matching(text: str) -> list[Script]:
    if _is_name(text):
        return [scripts_by_name()[text.removesuffix(".nse")]]
    rule = parse_rule(text)
    for word in rule.words:
        _check_word(word)
    matching = [script for script in script_table().scripts if rule.matches(script)]
    if not matching:
        raise ValueError(f"{text!r} matches no script; {NEVER_A_FILE}")
    return matching


def _check_word(word: str) -> None:
    if "/" in word or "\\" in word or ".." in word or word == ".":
        raise ValueError(f"{word[:60]!r} is a path: nmap would load and run that file; {NEVER_A_FILE}")
    if is_category(word) or any(matches_name(word, name) for name in scripts_by_name()):
        return
    near = get_close_matches(word[:64].lower().removesuffix(".nse"), [*scripts_by_name(), *sorted(CATEGORIES)], n=3)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise ValueError(f"{word[:60]!r} is no script of nmap {script_table().nmap}; {hint}{NEVER_A_FILE}")


def _is_name(text: str) -> bool:
    return text.removesuffix(".nse") in scripts_by_name()


def select_category(category: str) -> tuple[SelectedScript, ...]:
    """Every script of a category, as -sC and -sV bring them in."""
    return tuple(
        SelectedScript(script, named=False) for script in script_table().scripts if category in script.categories
    )
