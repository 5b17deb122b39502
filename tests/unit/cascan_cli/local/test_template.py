"""CloudFormation's YAML in long form, and what its conditions say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cascan_cli.errors import DeployFailed
from cascan_cli.local.template import inline_numbers, is_condition_met, limit_batches, read_template

TEMPLATE = """
Parameters:
  Nmap: {Type: String, Default: ""}
  Count: {Type: Number, Default: 0}
Conditions:
  Bundles: !Equals [!Ref Nmap, ""]
  Counts: !Not [!Equals [!Ref Count, 0]]
  Both: !And [!Condition Bundles, !Condition Counts]
  Either: !Or [!Condition Bundles, !Condition Counts]
  Far: !Equals [!Ref AWS::Region, eu-central-1]
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      Version: 2012-10-17
      Bucket: !GetAtt Storage.Outputs.BucketName
      Name: !Sub "${AWS::StackName}-x"
      Both: !Sub ["${A}/*", {A: !GetAtt Bucket.Arn}]
      Maybe: !If [Bundles, [!Ref Layer], !Ref AWS::NoValue]
      Part: !Select [0, !GetAZs ""]
"""


def written(tmp_path: Path, text: str = TEMPLATE) -> Path:
    path = tmp_path / "template.yaml"
    path.write_text(text)
    return path


def test_short_tags_become_their_long_form(tmp_path: Path) -> None:
    properties: dict[str, Any] = read_template(written(tmp_path))["Resources"]["Role"]["Properties"]

    assert properties == {
        "Version": "2012-10-17",
        "Bucket": {"Fn::GetAtt": ["Storage", "Outputs.BucketName"]},
        "Name": {"Fn::Sub": "${AWS::StackName}-x"},
        "Both": {"Fn::Sub": ["${A}/*", {"A": {"Fn::GetAtt": ["Bucket", "Arn"]}}]},
        "Maybe": {"Fn::If": ["Bundles", [{"Ref": "Layer"}], {"Ref": "AWS::NoValue"}]},
        "Part": {"Fn::Select": [0, {"Fn::GetAZs": ""}]},
    }


@pytest.mark.parametrize(
    ("parameters", "on"),
    [
        ({}, {"Bundles", "Either"}),
        ({"Nmap": "/usr/bin/nmap"}, set()),
        ({"Count": "2"}, {"Bundles", "Counts", "Both", "Either"}),
        ({"Nmap": "/usr/bin/nmap", "Count": "2"}, {"Counts", "Either"}),
    ],
)
def test_conditions_follow_the_parameters_and_the_defaults(
    tmp_path: Path, parameters: dict[str, str], on: set[str]
) -> None:
    template = read_template(written(tmp_path))

    assert {
        name for name in ("Bundles", "Counts", "Both", "Either") if is_condition_met(name, template, parameters)
    } == on
    assert is_condition_met(None, template, parameters)


@pytest.mark.parametrize("condition", ["Far", "Missing"])
def test_a_condition_that_only_aws_can_decide_is_said_so(tmp_path: Path, condition: str) -> None:
    with pytest.raises(DeployFailed, match="cannot be evaluated here"):
        is_condition_met(condition, read_template(written(tmp_path)), {})


@pytest.mark.parametrize(("text", "why"), [("{", "is not YAML"), ("[]", "no Resources"), ("A: 1", "no Resources")])
def test_what_is_not_a_template_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(DeployFailed, match=why):
        read_template(written(tmp_path, text))


def test_a_template_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeployFailed, match=r"nowhere\.yaml cannot be read"):
        read_template(tmp_path / "nowhere.yaml")


def test_a_number_stands_as_one_wherever_a_property_refers_to_it_and_as_a_reference_in_variables(
    tmp_path: Path,
) -> None:
    template = read_template(
        written(
            tmp_path,
            """
            Parameters:
              Count: {Type: Number, Default: 3}
              Limit: {Type: Number}
              Name: {Type: String, Default: "4"}
            Resources:
              A: {Properties: {Size: [!Ref Count, {Max: !Ref Limit}], Name: !Ref Name}}
              B: {Properties: {Environment: {Variables: {COUNT: !Ref Count}}}}
            """,
        )
    )

    resources = inline_numbers(template, {"Limit": "9"})["Resources"]

    assert resources["A"]["Properties"] == {"Size": [3, {"Max": 9}], "Name": {"Ref": "Name"}}
    assert resources["B"]["Properties"] == {"Environment": {"Variables": {"COUNT": {"Ref": "Count"}}}}


def test_batches_of_a_queue_that_run_at_once_are_few_unless_their_mapping_says_how_many() -> None:
    def a_function(**properties: Any) -> dict[str, Any]:
        return {"Properties": {"Events": {"Queue": {"Type": "SQS", "Properties": {"Queue": "q"} | properties}}}}

    own = {"ScalingConfig": {"MaximumConcurrency": 7}}
    resources = {"Plain": a_function(), "Own": a_function(**own), "Bucket": {"Type": "AWS::S3::Bucket"}}
    bounded = limit_batches({"Resources": resources}, 2)["Resources"]

    few = {"ScalingConfig": {"MaximumConcurrency": 2}}
    assert bounded == {"Plain": a_function(**few), "Own": a_function(**own), "Bucket": {"Type": "AWS::S3::Bucket"}}
