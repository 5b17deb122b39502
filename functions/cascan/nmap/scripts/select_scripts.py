"""The values of --script → scripts, in the table's order.

A path is refused: nmap would run that file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from cascan.limits import MAX_REASONS
from cascan.model.refusal import Refusal, Rule
from cascan.nmap.options.getopt import SHOWN_CHARS
from cascan.nmap.scripts.expression import is_category, matches_name, parse_rule
from cascan.nmap.scripts.table import CATEGORIES, Script, script_table, scripts_by_name

NEVER_A_FILE = "names and categories of nmap's own scripts, never a file"
MAX_CHARS = 32_768  # every script by its name takes 10,000
MAX_PATTERNS = 300  # words that are not names: each is compared with every script


class SelectedScript(msgspec.Struct, frozen=True):
    script: Script
    named: bool  # selected by its name; otherwise by a category or an expression
    forced: bool = False  # `+`: it runs whatever its own rule says


class Selection(msgspec.Struct, frozen=True):
    """The scripts that --script selects. `errors`: what it cannot select."""

    scripts: tuple[SelectedScript, ...] = ()
    errors: tuple[Refusal, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        return frozenset(selected.script.name for selected in self.scripts)


def select_scripts(texts: Sequence[str]) -> Selection:
    """The scripts that the values of every --script select together, as nmap combines them."""
    rules = dict(_parse_rules(texts))
    problem = ""
    if not rules:
        problem = f"it selects nothing; {NEVER_A_FILE}"
    elif _is_too_long(rules):
        problem = "the selection is too long; write categories or patterns"
    if problem:
        return Selection(errors=(refuse_script("--script", problem),))
    chosen: dict[str, SelectedScript] = {}
    errors: list[Refusal] = []
    for rule, forced in rules.items():
        if len(errors) == MAX_REASONS:
            break
        try:
            matching = _find_matching(rule)
        except ValueError as exc:
            errors.append(refuse_script(rule[:SHOWN_CHARS], str(exc)))
            continue
        named = _is_name(rule)
        for script in matching:
            earlier = chosen.get(script.name, SelectedScript(script, named, forced))
            chosen[script.name] = SelectedScript(script, named or earlier.named, earlier.forced)
    in_order = tuple(chosen[name] for name in scripts_by_name() if name in chosen)
    return Selection(in_order, tuple(errors))


def refuse_script(subject: str, reason: str) -> Refusal:
    """A refusal of --script, or of a rule or a script in it."""
    return Refusal(subject, Rule.SCRIPT, f"--script: {reason}")


def _parse_rules(texts: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Each rule, and whether a + forces it. Of a repeated rule nmap uses the last."""
    for item in ",".join(texts).split(","):
        forced = item.strip().startswith("+")
        rule = item.strip()[forced:].strip()
        if rule:
            yield rule, forced


def _is_too_long(rules: Iterable[str]) -> bool:
    chars = sum(len(rule) for rule in rules)
    patterns = sum(len(rule.split()) for rule in rules if not _is_name(rule))
    return chars > MAX_CHARS or patterns > MAX_PATTERNS


def _find_matching(text: str) -> list[Script]:
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
        effect = "nmap would load and run that file"
        raise ValueError(f"{word[:60]!r} is a path: {effect}; {NEVER_A_FILE}")
    if is_category(word) or any(matches_name(word, name) for name in scripts_by_name()):
        return
    choices = [*scripts_by_name(), *sorted(CATEGORIES)]
    from difflib import get_close_matches  # noqa: PLC0415 - only misspelt names need it

    near = get_close_matches(word[:64].lower().removesuffix(".nse"), choices, n=3)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    problem = f"{word[:60]!r} is not a script of nmap {script_table().nmap}"
    raise ValueError(f"{problem}; {hint}{NEVER_A_FILE}")


def _is_name(text: str) -> bool:
    return text.removesuffix(".nse") in scripts_by_name()


def select_category(category: str) -> tuple[SelectedScript, ...]:
    """Every script of a category, as -sC and -sV add them."""
    scripts = (script for script in script_table().scripts if category in script.categories)
    return tuple(SelectedScript(script, named=False) for script in scripts)
