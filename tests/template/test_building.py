"""What is built fits what is deployed: the same Python, the same nmap, and packages that are pinned by their hashes."""

from __future__ import annotations

import re

import pytest

from tests.template.model import FUNCTIONS, MODEL, PROJECT, ROOT

PARAMETERS = MODEL.templates[ROOT]["Parameters"]
END_OF_SUPPORT = {"3.11": 2027, "3.12": 2028, "3.13": 2029, "3.14": 2029}  # Source: AWS Lambda runtimes, deprecation


def make_default(makefile: str, name: str) -> str:
    (value,) = re.findall(rf"^(?:export )?{name} \?= (\S+)$", (PROJECT / makefile).read_text(), re.MULTILINE)
    return str(value)


def read_lock() -> dict[str, list[str]]:
    """name==version → its hashes."""
    text = (PROJECT / "functions" / "requirements.lock").read_text().replace(" \\\n", " ")
    lines = [line.split() for line in text.splitlines() if not line.startswith("#")]
    return {name: hashes for name, *hashes in lines}


def to_name(requirement: str) -> str:
    return re.sub(r"\[.*\]", "", requirement).replace("_", "-").lower()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_is_built_by_make_so_that_the_builders_python_does_not_matter(name: str) -> None:
    assert FUNCTIONS[name].body["Metadata"] == {"BuildMethod": "makefile"}
    assert FUNCTIONS[name].properties["Runtime"] == {"Ref": "PythonRuntime"}


@pytest.mark.parametrize("makefile", ["functions/Makefile", "layers/expressions/Makefile"])
def test_packages_are_built_for_the_python_that_the_template_asks_lambda_for(makefile: str) -> None:
    assert f"python{make_default(makefile, 'PYTHON_VERSION')}" == PARAMETERS["PythonRuntime"]["Default"]


def test_the_default_python_is_supported_by_lambda_past_2028() -> None:
    assert END_OF_SUPPORT[PARAMETERS["PythonRuntime"]["Default"].removeprefix("python")] > 2028


def test_the_template_the_layer_its_lock_and_the_worker_image_name_the_same_nmap() -> None:
    packages = [line.split() for line in (PROJECT / "layers/nmap/packages.lock").read_text().splitlines()]
    locked = {fields[1] for fields in packages if fields[0] in ("nmap", "nmap-common")}
    image = re.findall(r"^ARG NMAP_VERSION=(\S+)$", (PROJECT / "infra/worker/Dockerfile").read_text(), re.MULTILINE)

    assert {PARAMETERS["NmapVersion"]["Default"]} == locked == set(image)
    assert make_default("layers/nmap/Makefile", "NMAP_VERSION") == PARAMETERS["NmapVersion"]["Default"]


@pytest.mark.parametrize("layer", ["NmapLayer", "NmapNamesLayer"])
def test_a_layer_of_nmap_says_which_nmap_it_holds(layer: str) -> None:
    properties = MODEL.resource(f"root/{layer}").properties

    assert "nmap ${NmapVersion}" in properties["Description"]["Fn::Sub"]


def test_each_pinned_package_is_locked_in_that_version_and_every_locked_one_has_hashes() -> None:
    lock = read_lock()
    pinned = (PROJECT / "functions" / "requirements.txt").read_text().splitlines()

    assert {to_name(line) for line in pinned if line and line[0] != "#"} <= {to_name(name) for name in lock}
    assert all(hashes for hashes in lock.values())
    assert all(word.startswith("--hash=sha256:") for hashes in lock.values() for word in hashes)
