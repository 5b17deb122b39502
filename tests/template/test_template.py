"""The template as a person meets it: its parameters, its outputs, and what a linter says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cascan.permissions.scope import Scope
from tests.template.model import MODEL, NESTED, PROJECT, ROOT, expressions

PARAMETERS = MODEL.templates[ROOT]["Parameters"]
DECLARED = [(stack, name) for stack, template in MODEL.templates.items() for name in template.get("Parameters", {})]
NESTED_STACKS = [stack for stack in MODEL.templates if stack != ROOT]


@pytest.mark.parametrize(("stack", "name"), DECLARED)
def test_every_parameter_says_what_it_is(stack: str, name: str) -> None:
    assert len(MODEL.templates[stack]["Parameters"][name]["Description"]) >= 10


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_of_the_outermost_template_is_used(name: str) -> None:
    template = {part: MODEL.templates[ROOT][part] for part in ("Resources", "Conditions", "Outputs", "Globals")}

    assert name in set(expressions(template, "Ref"))


def test_what_may_be_scanned_has_no_default_and_cannot_be_empty() -> None:
    allowed = PARAMETERS["AllowedTargets"]

    assert "Default" not in allowed
    assert allowed["ConstraintDescription"]
    for nothing in ("", " ", ",", " , ,"):
        assert not re.fullmatch(allowed["AllowedPattern"], nothing)
    for something in ("10.0.0.0/8", "example.org", "10.0.0.0/8, example.org"):
        assert re.fullmatch(allowed["AllowedPattern"], something)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.255.255.254", "::1", "169.254.169.254", "169.254.170.2"])
def test_by_default_a_worker_scans_neither_itself_nor_what_hands_it_its_credentials(address: str) -> None:
    scope = Scope.of(["0.0.0.0/0", "::/0"], PARAMETERS["DeniedTargets"]["Default"].split(","))

    assert scope.find_address_refusal(address)


@pytest.mark.parametrize("name", MODEL.templates[ROOT]["Outputs"])
def test_every_output_says_what_it_is_for(name: str) -> None:
    assert len(MODEL.templates[ROOT]["Outputs"][name]["Description"]) >= 10


def test_the_outputs_are_what_the_command_line_asks_a_stack_for() -> None:
    wanted = set(re.findall(r'outputs\["(\w+)"]', (PROJECT / "cascan_cli" / "stack" / "open.py").read_text()))

    assert wanted
    assert wanted <= set(MODEL.templates[ROOT]["Outputs"])


@pytest.mark.parametrize("stack", NESTED_STACKS)
def test_a_nested_template_is_given_the_parameters_that_it_declares_and_no_others(stack: str) -> None:
    given = MODEL.templates[ROOT]["Resources"][stack]["Properties"].get("Parameters", {})
    declared = MODEL.templates[stack].get("Parameters", {})

    assert given.keys() <= declared.keys()
    assert {name for name, parameter in declared.items() if "Default" not in parameter} <= given.keys()


@pytest.mark.parametrize("stack", NESTED_STACKS)
def test_a_nested_template_gives_what_is_asked_of_it_and_nothing_that_nobody_asks_for(stack: str) -> None:
    asked = {
        attribute.removeprefix("Outputs.")
        for name, attribute in expressions(MODEL.templates[ROOT], "Fn::GetAtt")
        if name == stack
    }

    assert asked == set(MODEL.templates[stack].get("Outputs", {}))


def test_every_template_in_infra_is_nested_but_those_that_are_deployed_before_and_after() -> None:
    nested = {path.resolve() for path in MODEL.paths.values()} - {PROJECT / "template.yaml"}

    apart = {PROJECT / "infra" / f"{name}.yaml" for name in ("bootstrap", "vantage", "vantage_queues")}
    assert nested | apart == set((PROJECT / "infra").glob("*.yaml"))
    assert {resource.name for resource in MODEL.resources(NESTED)} == set(NESTED_STACKS)


def test_cfn_lint_finds_nothing_not_even_a_warning() -> None:
    command = [
        Path(sys.executable).with_name("cfn-lint"),
        PROJECT / "template.yaml",
        *(PROJECT / "infra").glob("*.yaml"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
