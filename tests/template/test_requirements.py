"""What a function's zip holds is what the project is developed with."""

from __future__ import annotations

import tomllib

from tests.template.model import PROJECT

PULLED_IN = {"botocore"}  # pinned to fit boto3, which brings it elsewhere
EXPRESSIONS = "common-expression-language"
PINNED = [
    line
    for line in (PROJECT / "functions" / "requirements.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


def test_the_project_depends_on_each_pinned_package_of_the_functions_in_the_same_version() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]

    missing = set(PINNED) - set(project["dependencies"])
    assert {line.split("==")[0] for line in missing} == PULLED_IN


def test_the_layer_of_expressions_holds_the_library_that_the_project_is_developed_with() -> None:
    lines = (PROJECT / "layers" / "expressions" / "requirements.txt").read_text().splitlines()
    pinned = [line.removesuffix(" \\") for line in lines if line[:1].isalpha()]
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]

    assert pinned == [line for line in project["dependencies"] if line.startswith(EXPRESSIONS)]
    assert not [line for line in PINNED if line.startswith(EXPRESSIONS)], "only one function evaluates expressions"
