"""A template with local paths becomes one that can be uploaded, the same bytes each time."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cascan_cli.errors import DeployFailed
from cascan_cli.local.fingerprint import compute_fingerprint
from cascan_cli.local.package import Package, build_package

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Nmap: {Type: String, Default: ""}
Conditions:
  Bundles: !Equals [!Ref Nmap, ""]
Globals: {Function: {CodeUri: functions/}}
Resources:
  One: {Type: AWS::Serverless::Function, Properties: {Handler: one.handler}}
  Two: {Type: AWS::Serverless::Function, Properties: {Handler: two.handler, CodeUri: functions/}}
  Far: {Type: AWS::Serverless::Function, Properties: {Handler: far.handler, CodeUri: "s3://theirs/code.zip"}}
  Layer: {Type: AWS::Serverless::LayerVersion, Condition: Bundles, Properties: {ContentUri: layers/nmap/}}
  Part: {Type: AWS::Serverless::Application, Properties: {Location: infra/part.yaml, Parameters: {A: !Ref Nmap}}}
"""
NESTED = "{Parameters: {A: {Type: String}}, Resources: {Queue: {Type: AWS::SQS::Queue}}}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, content in {
        "template.yaml": TEMPLATE,
        "infra/part.yaml": NESTED,
        "functions/one.py": "1",
        "functions/b/two.py": "2",
        "functions/__pycache__/one.pyc": "byte code",
        "functions/.hidden": "x",
        "functions/cascan.egg-info/PKG-INFO": "x",
        "layers/nmap/bin/nmap": "a program",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (tmp_path / "layers/nmap/bin/nmap").chmod(0o755)
    return tmp_path


def packed(project: Path, **parameters: str) -> Package:
    return build_package(project / "template.yaml", parameters, "code")


def resources(packed: Package) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(packed.body)["Resources"]
    return {name: resource.get("Properties", {}) for name, resource in found.items()}


def object_at(packed: Package, url: str) -> bytes:
    return packed.objects[url.rpartition("/")[2]]


def test_functions_that_share_a_folder_share_one_zip_of_its_code_alone(project: Path) -> None:
    result = packed(project)

    uri = resources(result)["Two"]["CodeUri"]
    assert uri.startswith("s3://code/")
    assert json.loads(result.body)["Globals"]["Function"]["CodeUri"] == uri
    with zipfile.ZipFile(io.BytesIO(object_at(result, uri))) as archive:
        assert [name for name in archive.namelist() if name.endswith(".py")] == ["one.py", "b/two.py"]


def test_code_brings_its_byte_code_so_that_a_cold_start_compiles_nothing(project: Path, tmp_path: Path) -> None:
    result = packed(project)
    with zipfile.ZipFile(io.BytesIO(object_at(result, resources(result)["Two"]["CodeUri"]))) as archive:
        archive.extractall(tmp_path / "unpacked")
    (tmp_path / "unpacked" / "one.py").write_text("raise RuntimeError('compiled from the source')")
    ran = subprocess.run([sys.executable, "-c", "import one"], cwd=tmp_path / "unpacked", check=False)
    assert ran.returncode == 0


def test_code_that_is_in_a_bucket_already_stays_there(project: Path) -> None:
    assert resources(packed(project))["Far"]["CodeUri"] == "s3://theirs/code.zip"


def test_a_nested_template_is_taken_in(project: Path) -> None:
    result = packed(project)

    assert json.loads(result.body)["Resources"]["PartQueue"] == {"Type": "AWS::SQS::Queue"}
    assert "Part" not in resources(result)
    assert result.sources == ("functions", "infra/part.yaml", "layers/nmap", "template.yaml")


def test_a_layer_goes_in_with_its_programs_only_when_its_condition_is_on(project: Path) -> None:
    on, off = packed(project), packed(project, Nmap="/usr/bin/nmap")

    with zipfile.ZipFile(io.BytesIO(object_at(on, resources(on)["Layer"]["ContentUri"]))) as archive:
        assert archive.getinfo("bin/nmap").external_attr >> 16 == 0o755
    assert resources(off)["Layer"]["ContentUri"] == "s3://code/not-packaged"
    assert "layers/nmap" in on.sources
    assert "layers/nmap" not in off.sources


def test_the_same_content_makes_the_same_package_whatever_its_times(project: Path) -> None:
    before = packed(project)
    os.utime(project / "functions/one.py", (1, 1))

    assert packed(project) == before


def test_a_folder_that_is_not_there_is_named(project: Path) -> None:
    (project / "infra/part.yaml").unlink()

    with pytest.raises(DeployFailed, match=r"part\.yaml cannot be read"):
        packed(project)


@pytest.mark.parametrize(
    ("path", "content"),
    [("functions/one.py", "changed"), ("functions/new.py", ""), ("infra/part.yaml", "x"), ("template.yaml", "x")],
)
def test_the_fingerprint_changes_with_everything_that_goes_in(project: Path, path: str, content: str) -> None:
    sources = packed(project).sources
    before = compute_fingerprint(project, sources, {})

    (project / path).write_text(content)

    assert compute_fingerprint(project, sources, {}) != before


def test_the_fingerprint_changes_with_the_parameters_and_not_with_byte_code(project: Path) -> None:
    sources = packed(project).sources
    before = compute_fingerprint(project, sources, {})
    (project / "functions/__pycache__/two.pyc").write_text("more")

    assert compute_fingerprint(project, sources, {}) == before
    assert compute_fingerprint(project, sources, {"Nmap": "x"}) != before
