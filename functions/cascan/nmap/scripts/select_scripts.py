"""The values of --script → names of scripts, in the table's order. A file is never among them: nmap would run it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

import msgspec

from cascan.limits import MAX_REASONS
from cascan.model.refusal import Refusal, Rule
from cascan.nmap.options.getopt import SHOWN_CHARS
from cascan.nmap.scripts.expression import is_category, matches_name, parse_rule
from cascan.nmap.scripts.table import CATEGORIES, Script, script_table, scripts_by_name

NEVER_A_FILE = "names and categories of nmap's own scripts, never a file"
MAX_CHARS = 32_768  # every script by its name takes 10,000
MAX_PATTERNS = 300  # words that are not plain names: each is compared with every script


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
    """The values of every --script together, as nmap takes them."""
    rules = dict(_parse_rules(texts))
    if not rules:
        return Selection(errors=(refuse_script("--script", f"it selects nothing; {NEVER_A_FILE}"),))
    if _is_too_long(rules):
        return Selection(errors=(refuse_script("--script", "the selection is too long; write categories or patterns"),))
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
    """A refusal of something in --script: a rule of it, a script, or the whole."""
    return Refusal(subject, Rule.SCRIPT, f"--script: {reason}")


def _parse_rules(texts: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Each rule and whether it is forced. Of a rule that is given twice nmap heeds the last."""
    for item in ",".join(texts).split(","):
        rule = item.strip()
        forced = rule.startswith("+")
        if rule := rule[forced:].strip():
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
        raise ValueError(f"{word[:60]!r} is a path: nmap would load and run that file; {NEVER_A_FILE}")
    if is_category(word) or any(matches_name(word, name) for name in scripts_by_name()):
        return
    near = get_close_matches(word[:64].lower().removesuffix(".nse"), [*scripts_by_name(), *sorted(CATEGORIES)], n=3)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise ValueError(f"{word[:60]!r} is not a script of nmap {script_table().nmap}; {hint}{NEVER_A_FILE}")


def _is_name(text: str) -> bool:
    return text.removesuffix(".nse") in scripts_by_name()


def select_category(category: str) -> tuple[SelectedScript, ...]:
    """Every script of a category, as -sC and -sV bring them in."""
    return tuple(
        SelectedScript(script, named=False) for script in script_table().scripts if category in script.categories
    )
