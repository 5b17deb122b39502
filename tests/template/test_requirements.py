"""What a function's zip holds is what the project is developed with."""

from __future__ import annotations

import tomllib

from tests.template.model import PROJECT

PULLED_IN = {"botocore"}  # stands in the zip to fit boto3, which brings it elsewhere


def test_the_project_depends_on_each_pinned_package_of_the_functions_in_the_same_version() -> None:
    lines = (PROJECT / "functions" / "requirements.txt").read_text().splitlines()
    comments = [number for number, line in enumerate(lines) if line.startswith("#")]
    own = {line for line in lines[: comments[-1]] if line and not line.startswith("#")}
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]

    missing = own - set(project["dependencies"])
    assert {line.split("==")[0] for line in missing} == PULLED_IN
