"""The script options of a request, taken together → the words for nmap's command line.

--script, -sC and -A choose scripts. -sV adds nmap's version scripts. --script-args applies to all
of them. The words name each script, so nmap never evaluates a category or an expression of the
caller, and never looks for a file.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cascan.model.policy_profile import PolicyProfile
from cascan.model.refusal import Refusal, Rule
from cascan.nmap.scripts.argument_syntax import parse_script_args, write_script_args
from cascan.nmap.scripts.arguments import find_argument_problems
from cascan.nmap.scripts.judge_scripts import (
    ScriptVerdict,
    judge_scripts,
    judge_version_scripts,
    note_version_scripts,
)
from cascan.nmap.scripts.select_scripts import (
    SelectedScript,
    Selection,
    refuse_script,
    select_category,
    select_scripts,
)
from cascan.nmap.scripts.table import Script

ADDS_NOTHING = "-sC and -A add no scripts beside --script, as in nmap; write --script default,... to have both"
BY_NUMBER = (
    "with -n, and so without reverse names: "
    "{} would follow a redirect to a neighbour in the domain of such a name; "
    "policy profile intrusive leaves -n out"
)
SCRIPT_ARGS = "--script-args"
NO_PORT = "runs against a port, and -sn scans none"
ASKS_NAMES = "-R beside {} needs policy profile intrusive: with a name, it follows redirects within the name's domain"


class ScriptChoice(msgspec.Struct, frozen=True):
    """The scripts to run, as words for nmap, and the verdicts on those that were selected."""

    words: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    by_number: str = ""  # why names of addresses may not be looked up; empty: they may
    talks_to_ports: bool = False  # one of the chosen scripts runs against ports
    verdicts: tuple[ScriptVerdict, ...] = ()  # on each selected script, then on those that -sV adds


def choose_scripts(
    selections: Sequence[str],
    arguments: Sequence[str],
    policy: PolicyProfile,
    *,
    default: bool = False,
    version: bool = False,
    asks_names: bool = False,
    asks_ports: bool = True,
) -> ScriptChoice:
    """Judge the script options of a request under a policy profile.

    `selections` and `arguments` are the values of each --script and --script-args. The others say
    which options are given: -sC or -A (`default`), -sV or -A (`version`), -R (`asks_names`), no -sn
    (`asks_ports`).
    """
    selection = _select(selections, default=default)
    judged = judge_scripts(selection.scripts, policy)
    scripts = [selected.script for selected in judged.allowed]
    version_scripts = _list_version_scripts() if version else []
    all_scripts = (*scripts, *version_scripts)
    argument_words, argument_refusals = _check_arguments(arguments, all_scripts, policy)
    redirected = _list_redirected(all_scripts) if policy is PolicyProfile.SAFE else ""
    refusals = [*selection.errors, *judged.refusals]
    if not asks_ports:
        refusals += _refuse_without_ports(judged.allowed)
    refusals += argument_refusals
    if redirected and asks_names:
        refusals.append(Refusal("-R", Rule.SCRIPT, ASKS_NAMES.format(redirected)))
    notes = list(judged.notes)
    if selections and default:
        notes.append(ADDS_NOTHING)
    notes += note_version_scripts(version_scripts, policy)
    return ScriptChoice(
        words=(*_to_words(judged.allowed), *argument_words),
        refusals=tuple(refusals),
        notes=tuple(notes),
        by_number=BY_NUMBER.format(redirected) if redirected else "",
        talks_to_ports=any("portrule" in script.rules for script in scripts),
        verdicts=(*judged.verdicts, *judge_version_scripts(version_scripts, selection.names)),
    )


def _list_version_scripts() -> list[Script]:
    return [selected.script for selected in select_category("version")]


def _select(selections: Sequence[str], *, default: bool) -> Selection:
    """The scripts of --script; without it the default ones, if they are requested."""
    if selections:
        return select_scripts(selections)
    return Selection(select_category("default") if default else ())


def _refuse_without_ports(allowed: Sequence[SelectedScript]) -> list[Refusal]:
    """Refusals of named scripts that never run without ports.

    If no script would run at all, the first one is refused.
    """
    idle = [selected for selected in allowed if selected.script.rules <= {"portrule", "postrule"}]
    if idle and len(idle) == len(allowed):
        name = idle[0].script.name
        return [refuse_script(name, f"{name} {NO_PORT}: no script would run")]
    names = [selected.script.name for selected in idle if selected.named]
    return [refuse_script(name, f"{name} {NO_PORT}") for name in names]


def _check_arguments(
    texts: Sequence[str], scripts: Sequence[Script], policy: PolicyProfile
) -> tuple[list[str], list[Refusal]]:
    """--script-args with its value in one spelling, or no words if it is empty; and its refusals."""
    if not texts:
        return [], []
    if len(texts) > 1:
        repeated = f"is given {len(texts)} times: nmap takes only the last one"
        return [], [_refuse_arguments(f"{SCRIPT_ARGS} {repeated}; join them with commas")]
    try:
        table = parse_script_args(texts[0])
    except ValueError as exc:
        return [], [_refuse_arguments(f"{SCRIPT_ARGS}: {exc}")]
    problems = find_argument_problems(table, scripts, policy)
    refusals = [_refuse_arguments(f"{SCRIPT_ARGS}: {problem}") for problem in problems]
    written = write_script_args(table)
    return [SCRIPT_ARGS, written] if written else [], refusals


def _refuse_arguments(reason: str) -> Refusal:
    return Refusal(SCRIPT_ARGS, Rule.SCRIPT, reason)


def _list_redirected(scripts: Sequence[Script]) -> str:
    """The first script that follows redirects, and how many others do. Empty: none does."""
    names = [script.name for script in scripts if "redirects" in script.effects]
    if not names:
        return ""
    others = len(names) - 1
    return f"{names[0]} (and {others} more)" if others else names[0]


def _to_words(scripts: Sequence[SelectedScript]) -> list[str]:
    """--script with the name of each script."""
    names = ["+" * selected.forced + selected.script.name for selected in scripts]
    return ["--script", ",".join(names)] if names else []
