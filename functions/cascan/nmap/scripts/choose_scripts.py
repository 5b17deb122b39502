"""The script options of a request, taken together → the words for nmap's command line.

--script, -sC and -A choose scripts, -sV adds nmap's version scripts, --script-args applies to all of them. The result
names each script: nmap never evaluates a category or an expression of the caller's, and never looks for a file.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cascan.model.policy_profile import PolicyProfile
from cascan.model.refusal import Refusal, Rule
from cascan.nmap.scripts.argument_syntax import parse_script_args, write_script_args
from cascan.nmap.scripts.arguments import find_argument_problems
from cascan.nmap.scripts.judge_scripts import ScriptVerdict, judge_scripts, judge_version_scripts, note_version_scripts
from cascan.nmap.scripts.select_scripts import SelectedScript, Selection, refuse_script, select_category, select_scripts
from cascan.nmap.scripts.table import Script

ADDS_NOTHING = "-sC and -A add no scripts beside --script, as in nmap; write --script default,... to have both"
BY_NUMBER = (
    "with -n, and so without reverse names: {} would follow a redirect to a neighbour in the domain of such a name; "
    "policy profile intrusive leaves -n out"
)
NO_PORT = "runs against a port, and -sn scans none"
ASKS_NAMES = "-R beside {} needs policy profile intrusive: with a name, it follows redirects within the name's domain"


class ScriptChoice(msgspec.Struct, frozen=True):
    words: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    by_number: str = ""  # why names of addresses may not be looked up; empty: they may
    talks_to_ports: bool = False  # one of the chosen scripts runs against ports
    verdicts: tuple[ScriptVerdict, ...] = ()  # on each script that was selected, then on those that -sV adds


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
    """The script options of a request, under a policy profile.

    `selections` and `arguments` are the values of each --script and --script-args. `default`: -sC or -A is given;
    `version`: -sV or -A; `asks_names`: -R; `asks_ports`: no -sn.
    """
    selection = _select(selections, default=default)
    judged = judge_scripts(selection.scripts, policy)
    refusals = [*selection.errors, *judged.refusals]
    if not asks_ports:
        refusals += _refuse_without_ports(judged.allowed)
    scripts = [selected.script for selected in judged.allowed]
    version_scripts = [selected.script for selected in select_category("version")] if version else []
    all_scripts = (*scripts, *version_scripts)
    notes = [*judged.notes, *([ADDS_NOTHING] if selections and default else [])]
    notes += note_version_scripts(version_scripts, policy)
    words = ["--script", ",".join(map(_to_word, judged.allowed))] if judged.allowed else []
    if arguments:
        written, problems = _check_arguments(arguments, all_scripts, policy)
        refusals += (Refusal("--script-args", Rule.SCRIPT, f"--script-args{problem}") for problem in problems)
        words += ["--script-args", written] if written else []
    redirected = _list_redirected(all_scripts) if policy is PolicyProfile.SAFE else ""
    if redirected and asks_names:
        refusals.append(Refusal("-R", Rule.SCRIPT, ASKS_NAMES.format(redirected)))
    return ScriptChoice(
        words=tuple(words),
        refusals=tuple(refusals),
        notes=tuple(notes),
        by_number=BY_NUMBER.format(redirected) if redirected else "",
        talks_to_ports=any("portrule" in script.rules for script in scripts),
        verdicts=(*judged.verdicts, *judge_version_scripts(version_scripts, selection.names)),
    )


def _select(selections: Sequence[str], *, default: bool) -> Selection:
    """The scripts of --script; without it the default ones, if they are requested."""
    if selections:
        return select_scripts(selections)
    return Selection(select_category("default") if default else ())


def _refuse_without_ports(allowed: Sequence[SelectedScript]) -> list[Refusal]:
    """Refusals of scripts that would never run without ports: of each that was named, or of all if none would run."""
    idle = [selected for selected in allowed if selected.script.rules <= {"portrule", "postrule"}]
    if idle and len(idle) == len(allowed):
        name = idle[0].script.name
        return [refuse_script(name, f"{name} {NO_PORT}: no script would run")]
    return [
        refuse_script(selected.script.name, f"{selected.script.name} {NO_PORT}") for selected in idle if selected.named
    ]


def _check_arguments(texts: Sequence[str], scripts: Sequence[Script], policy: PolicyProfile) -> tuple[str, list[str]]:
    """The value of --script-args in its one spelling, and its problems."""
    if len(texts) > 1:
        return "", [f" is given {len(texts)} times: nmap takes only the last one; join them with commas"]
    try:
        table = parse_script_args(texts[0])
    except ValueError as exc:
        return "", [f": {exc}"]
    problems = find_argument_problems(table, scripts, policy)
    return write_script_args(table), [f": {problem}" for problem in problems]


def _list_redirected(scripts: Sequence[Script]) -> str:
    """The first script that follows redirects, and how many others do. Empty: none does."""
    names = [script.name for script in scripts if "redirects" in script.effects]
    if not names:
        return ""
    return names[0] + (f" (and {len(names) - 1} more)" if len(names) > 1 else "")


def _to_word(selected: SelectedScript) -> str:
    return "+" * selected.forced + selected.script.name
