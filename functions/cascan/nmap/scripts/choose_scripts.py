"""The script options of a request, taken together → the words for nmap's command line.

--script, -sC and -A choose scripts, -sV adds nmap's version scripts, --script-args speaks to all of them. What comes
out names each script: nmap never evaluates a category or an expression of the caller's, and never looks for a file.
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
    "policy profile intrusive goes without -n"
)
NO_PORT = "runs against a port, and -sn scans none"
ASKS_NAMES = "-R beside {} needs policy profile intrusive: with a name, it follows redirects within the name's domain"


class ScriptChoice(msgspec.Struct, frozen=True):
    words: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    by_number: str = ""  # why names of addresses may not be asked for; empty: they may
    talks_to_ports: bool = False  # one of the scripts that were chosen runs against ports
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
    """`default`: -sC or -A stood there; `version`: -sV or -A did; `asks_names`: -R did; `asks_ports`: no -sn did."""
    selection = select_scripts(selections) if selections else Selection(select_category("default") if default else ())
    judged = judge_scripts(selection.scripts, policy)
    refusals = [*selection.errors, *judged.refusals]
    refusals += [] if asks_ports else _without_a_port(judged.kept)
    notes = list(judged.notes)
    if selections and default:
        notes.append(ADDS_NOTHING)
    scripts = [one.script for one in judged.kept]
    version_scripts = [one.script for one in select_category("version")] if version else []
    notes += note_version_scripts(version_scripts, policy)
    words = ["--script", ",".join(map(_word, judged.kept))] if judged.kept else []
    if arguments:
        written, why_not = _arguments(arguments, [*scripts, *version_scripts], policy)
        refusals += (Refusal("--script-args", Rule.SCRIPT, f"--script-args{why}") for why in why_not)
        words += ["--script-args", written] if written else []
    redirected = [script.name for script in (*scripts, *version_scripts) if "redirects" in script.effects]
    by_number = ""
    if redirected and policy is PolicyProfile.SAFE:
        some = redirected[0] + (f" (and {len(redirected) - 1} more)" if len(redirected) > 1 else "")
        by_number = BY_NUMBER.format(some)
        refusals += [Refusal("-R", Rule.SCRIPT, ASKS_NAMES.format(some))] if asks_names else []
    verdicts = (*judged.verdicts, *judge_version_scripts(version_scripts, selection.names))
    talks_to_ports = any("portrule" in script.rules for script in scripts)
    return ScriptChoice(tuple(words), tuple(refusals), tuple(notes), by_number, talks_to_ports, verdicts)


def _without_a_port(kept: Sequence[SelectedScript]) -> list[Refusal]:
    """Why scripts that were named, or all that are left, would never run."""
    idle = [one for one in kept if one.script.rules <= {"portrule", "postrule"}]
    if idle and len(idle) == len(kept):
        first = idle[0].script.name
        return [refuse_script(first, f"{first} {NO_PORT}: nothing of it would run")]
    return [refuse_script(one.script.name, f"{one.script.name} {NO_PORT}") for one in idle if one.named]


def _arguments(texts: Sequence[str], scripts: Sequence[Script], policy: PolicyProfile) -> tuple[str, list[str]]:
    if len(texts) > 1:
        return "", [f" stands {len(texts)} times: nmap takes the last alone; join them with commas"]
    try:
        table = parse_script_args(texts[0])
    except ValueError as exc:
        return "", [f": {exc}"]
    return write_script_args(table), [f": {why}" for why in find_argument_problems(table, scripts, policy)]


def _word(selected: SelectedScript) -> str:
    return "+" * selected.forced + selected.script.name
