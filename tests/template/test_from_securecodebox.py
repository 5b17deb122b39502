"""docs/from-securecodebox.md names settings that exist, and every field that has no effect."""

from __future__ import annotations

import re

from cascan.forms.manifest import NO_EFFECT
from cascan_cli.parser.build_parser import build_parser
from tests.template.model import MODEL, PROJECT, ROOT

PAGE = (PROJECT / "docs" / "from-securecodebox.md").read_text()


def rows(heading: str) -> list[list[str]]:
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    table = section.partition("\n|---")[2].splitlines()[1:]
    return [line.strip("| ").split(" | ") for line in table if line.startswith("| ")]


def quoted(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def test_each_parameter_that_the_page_names_is_one_of_the_template() -> None:
    names = {name for _, here, _ in rows("The chart's values") for name in quoted(here) if name[:1].isupper()}
    known = MODEL.templates[ROOT]["Parameters"].keys() | MODEL.templates[ROOT]["Outputs"].keys()

    assert {"WorkerCpu", "WorkerStorage", "SidecarImage"} <= names
    assert {name.partition(":")[0] for name in names} <= known


def test_each_field_without_effect_is_on_the_page_and_no_other_one() -> None:
    listed = {name for fields, _ in rows("A manifest's fields that have no effect") for name in quoted(fields)}

    assert listed == set(NO_EFFECT)


HOOKS = {"cascading-scans", "finding-post-processing", "generic-webhook", "notification", "update-field"} | {
    f"persistence-{name}" for name in ("azure-monitor", "defectdojo", "dependencytrack", "elastic", "static-report")
}


def test_each_of_its_hooks_is_on_the_page_with_what_to_use_here() -> None:
    found = {name: here for hook, here in rows("Hooks") for name in quoted(hook)}

    assert found.keys() == HOOKS
    assert all(found.values())


def test_each_verb_of_scbctl_is_on_the_page() -> None:
    verbs = {text.split()[0] for verb, _ in rows("scbctl") for text in quoted(verb)}

    assert {"scan", "trigger", "cascade"} <= verbs


def test_each_command_that_the_page_names_is_one_of_cascan() -> None:
    named = {tuple(text.split()[1:2]) for text in quoted(PAGE) if text.startswith("cascan ")}
    known = {word for action in build_parser()._actions for word in action.choices or ()}

    assert {word for words in named for word in words} <= known
