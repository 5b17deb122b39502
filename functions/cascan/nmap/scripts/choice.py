"""The script options of a request, taken together → the words for nmap's command line.

--script, -sC and -A choose scripts, -sV adds nmap's version scripts, --script-args speaks to all of them. What comes
out names each script: nmap never evaluates a category or an expression of the caller's, and never looks for a file.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cascan.nmap.scripts.argument_syntax import parse_script_args, write_script_args
from cascan.nmap.scripts.arguments import argument_reasons
from cascan.nmap.scripts.judgement import judge, version_notes
from cascan.nmap.scripts.selection import Selected, Selection, scripts_of, select
from cascan.nmap.scripts.table import Script
from cascan.policy import PolicyProfile

ADDS_NOTHING = "-sC and -A add no scripts beside --script, as in nmap; write --script default,... to have both"
BY_NUMBER = "with -n, so that {} cannot follow a redirect from its target to a neighbour in the target's domain"
ASKS_NAMES = "-R beside {} needs policy profile intrusive: with a name, it follows redirects within the name's domain"


class ScriptChoice(msgspec.Struct, frozen=True):
    words: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    by_number: bool = False  # names of addresses may not be asked for


def choose_scripts(
    selections: Sequence[str],
    arguments: Sequence[str],
    policy: PolicyProfile,
    *,
    default: bool = False,
    version: bool = False,
    asks_names: bool = False,
) -> ScriptChoice:
    """`default`: -sC or -A stood there; `version`: -sV or -A did; `asks_names`: -R did."""
    selection = select(selections) if selections else Selection(scripts_of("default") if default else ())
    judged = judge(selection.scripts, policy)
    reasons = [f"--script: {reason}" for reason in (*selection.errors, *judged.reasons)]
    notes = list(judged.notes)
    if selections and default:
        notes.append(ADDS_NOTHING)
    scripts = [one.script for one in judged.kept]
    version_scripts = [one.script for one in scripts_of("version")] if version else []
    notes += version_notes(version_scripts, policy)
    words = ["--script", ",".join(map(_word, judged.kept))] if judged.kept else []
    if arguments:
        written, why_not = _arguments(arguments, [*scripts, *version_scripts], policy)
        reasons += why_not
        words += ["--script-args", written] if written else []
    redirected = [script.name for script in scripts if "redirects" in script.effects]
    by_number = bool(redirected) and policy is PolicyProfile.SAFE
    if by_number:
        some = redirected[0] + (f" (and {len(redirected) - 1} more)" if len(redirected) > 1 else "")
        (reasons if asks_names else notes).append((ASKS_NAMES if asks_names else BY_NUMBER).format(some))
    return ScriptChoice(tuple(words), tuple(reasons), tuple(notes), by_number)


def _arguments(texts: Sequence[str], scripts: Sequence[Script], policy: PolicyProfile) -> tuple[str, list[str]]:
    if len(texts) > 1:
        return "", [f"--script-args stands {len(texts)} times: nmap takes the last alone; join them with commas"]
    try:
        table = parse_script_args(texts[0])
    except ValueError as exc:
        return "", [f"--script-args: {exc}"]
    return write_script_args(table), [f"--script-args: {why}" for why in argument_reasons(table, scripts, policy)]


def _word(selected: Selected) -> str:
    return "+" * selected.forced + selected.script.name
