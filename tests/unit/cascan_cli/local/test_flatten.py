"""Nested templates are taken in, and everything that pointed at them points at what they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cascan_cli.errors import DeployFailed
from cascan_cli.local.flatten import flatten
from cascan_cli.local.template import Template, read_template

OUTER = """
Parameters: {Days: {Type: Number, Default: 3}, Subnets: {Type: String, Default: ""}}
Conditions: {MakesNetwork: !Equals [!Ref Subnets, ""]}
Resources:
  Storage:
    Type: AWS::Serverless::Application
    Properties: {Location: storage.yaml, Parameters: {Days: !Ref Days}}
  Messaging:
    Type: AWS::Serverless::Application
    Properties: {Location: messaging.yaml, Parameters: {Bucket: !GetAtt Storage.Outputs.BucketName}}
  Network:
    Type: AWS::Serverless::Application
    Condition: MakesNetwork
    Properties: {Location: network.yaml}
  Function:
    Type: AWS::Serverless::Function
    DependsOn: Storage
    Properties:
      Queue: !GetAtt Messaging.Outputs.QueueArn
      Objects: !Sub ["${Arn}/*", {Arn: !GetAtt Storage.Outputs.BucketArn}]
      Text: !Sub "${Messaging.Outputs.QueueArn} of ${AWS::StackName} and ${!Literal}"
      Subnets: !If [MakesNetwork, !GetAtt Network.Outputs.Subnet, !Ref Subnets]
Outputs:
  Bucket: {Value: !GetAtt Storage.Outputs.BucketName}
"""
STORAGE = """
Parameters: {Days: {Type: Number}, Size: {Type: Number, Default: 7}}
Conditions: {Expires: !Not [!Equals [!Ref Days, 0]]}
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      Name: !Sub "${AWS::StackName}-x-${Days}-${Size}"
      Rules: [!If [Expires, {Days: !Ref Days}, !Ref AWS::NoValue]]
  Policy:
    Type: AWS::S3::BucketPolicy
    Condition: Expires
    DependsOn: [Bucket]
    Properties:
      Bucket: !Ref Bucket
      Statement: {Condition: {Bool: {secure: "false"}}, Resource: !Sub "${Bucket.Arn}/*"}
Outputs: {BucketName: {Value: !Ref Bucket}, BucketArn: {Value: !GetAtt Bucket.Arn}}
"""
MESSAGING = """
Parameters: {Bucket: {Type: String}}
Resources:
  Queue: {Type: AWS::SQS::Queue, Properties: {Of: !Ref Bucket, Text: !Sub "${Bucket}!"}}
Outputs: {QueueArn: {Value: !GetAtt Queue.Arn}}
"""
NETWORK = """
Parameters: {Small: {Type: String, Default: "no"}}
Conditions: {IsSmall: !Equals [!Ref Small, "yes"]}
Resources:
  Subnet: {Type: AWS::EC2::Subnet}
  Other: {Type: AWS::EC2::Subnet, Condition: IsSmall}
Outputs: {Subnet: {Value: !Ref Subnet}}
"""
PARTS = {"storage.yaml": STORAGE, "messaging.yaml": MESSAGING, "network.yaml": NETWORK}


def flat(tmp_path: Path, outer: str = OUTER, parts: dict[str, str] = PARTS) -> Template:
    def read(name: str) -> Template:
        return read_template(tmp_path / name)

    for name, text in (parts | {"outer.yaml": outer}).items():
        (tmp_path / name).write_text(text)
    return flatten(read("outer.yaml"), read)


def test_resources_get_the_name_of_their_template_and_see_its_parameters(tmp_path: Path) -> None:
    resources: dict[str, Any] = flat(tmp_path)["Resources"]

    assert resources["StorageBucket"]["Properties"] == {
        "Name": {
            "Fn::Sub": [
                "${AWSStackName}-x-${Days}-${Size}",
                {
                    "AWSStackName": {"Fn::Sub": "${AWS::StackName}-Storage"},
                    "Size": "7",
                },
            ]
        },
        "Rules": [{"Fn::If": ["StorageExpires", {"Days": {"Ref": "Days"}}, {"Ref": "AWS::NoValue"}]}],
    }
    assert resources["StoragePolicy"] == {
        "Type": "AWS::S3::BucketPolicy",
        "Condition": "StorageExpires",
        "DependsOn": ["StorageBucket"],
        "Properties": {
            "Bucket": {"Ref": "StorageBucket"},
            "Statement": {
                "Condition": {"Bool": {"secure": "false"}},
                "Resource": {"Fn::Sub": ["${BucketArn}/*", {"BucketArn": {"Fn::GetAtt": ["StorageBucket", "Arn"]}}]},
            },
        },
    }


def test_outputs_become_what_they_stand_for_also_from_one_part_to_the_next(tmp_path: Path) -> None:
    template = flat(tmp_path)

    assert template["Outputs"] == {"Bucket": {"Value": {"Ref": "StorageBucket"}}}
    assert template["Resources"]["MessagingQueue"]["Properties"] == {
        "Of": {"Ref": "StorageBucket"},
        "Text": {"Fn::Sub": ["${Bucket}!", {"Bucket": {"Ref": "StorageBucket"}}]},
    }
    function = template["Resources"]["Function"]
    assert function["DependsOn"] == ["StorageBucket", "StoragePolicy"]
    assert function["Properties"] == {
        "Queue": {"Fn::GetAtt": ["MessagingQueue", "Arn"]},
        "Objects": {"Fn::Sub": ["${Arn}/*", {"Arn": {"Fn::GetAtt": ["StorageBucket", "Arn"]}}]},
        "Text": {
            "Fn::Sub": [
                "${MessagingOutputsQueueArn} of ${AWS::StackName} and ${!Literal}",
                {
                    "MessagingOutputsQueueArn": {"Fn::GetAtt": ["MessagingQueue", "Arn"]},
                },
            ]
        },
        "Subnets": {"Fn::If": ["MakesNetwork", {"Ref": "NetworkSubnet"}, {"Ref": "Subnets"}]},
    }


def test_the_condition_of_a_part_is_that_of_all_it_holds(tmp_path: Path) -> None:
    template = flat(tmp_path)

    assert template["Resources"]["NetworkSubnet"]["Condition"] == "MakesNetwork"
    assert template["Resources"]["NetworkOther"]["Condition"] == "NetworkIsSmallToo"
    assert template["Conditions"]["NetworkIsSmall"] == {"Fn::Equals": ["no", "yes"]}
    assert template["Conditions"]["NetworkIsSmallToo"] == {
        "Fn::And": [{"Condition": "MakesNetwork"}, {"Condition": "NetworkIsSmall"}]
    }
    assert template["Conditions"]["StorageExpires"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "Days"}, 0]}]}


@pytest.mark.parametrize(
    ("outer", "why"),
    [
        (OUTER.replace("{Days: !Ref Days}", "{}"), r"Storage: parameters missing: \['Days'\]"),
        (OUTER.replace("{Days: !Ref Days}", "{Days: 1, Hours: 2}"), r"unknown: \['Hours'\]"),
        (OUTER.replace("Outputs.QueueArn", "Outputs.QueueUrl"), "Messaging has no output QueueUrl"),
        (
            OUTER.replace("  Function:", "  StorageBucket:"),
            "duplicate name .*: StorageBucket",
        ),
    ],
)
def test_what_does_not_fit_together_is_named(tmp_path: Path, outer: str, why: str) -> None:
    with pytest.raises(DeployFailed, match=why):
        flat(tmp_path, outer)


def test_a_template_without_nested_ones_stays_as_it_is(tmp_path: Path) -> None:
    outer = "Resources: {A: {Type: AWS::SQS::Queue, Properties: {Text: !Sub '${B.Arn}'}}}"

    assert flat(tmp_path, outer) == {
        "Resources": {"A": {"Type": "AWS::SQS::Queue", "Properties": {"Text": {"Fn::Sub": "${B.Arn}"}}}}
    }
