"""template.yaml as SAM transforms it, offline: what CloudFormation gets, with code and nested templates elsewhere."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from tests.template.model import MODEL, NESTED, ROOT

CODE = "s3://bucket/key"


class ManagedPolicies(dict[str, str]):
    """The ARN of any managed policy, by its name. SAM would ask IAM for them."""

    def __missing__(self, name: str) -> str:
        return f"arn:aws:iam::aws:policy/service-role/{name}"


@cache
def transform() -> dict[str, Any]:
    """The transformed template, under the defaults of the parameters."""
    template = copy.deepcopy(MODEL.templates[ROOT])
    template["Globals"]["Function"]["CodeUri"] = CODE
    for resource in template["Resources"].values():
        if resource["Type"] == NESTED:
            resource["Properties"]["Location"] = f"https://s3.amazonaws.com/bucket/{resource['Properties']['Location']}"
        elif resource["Type"] == "AWS::Serverless::LayerVersion":
            resource["Properties"]["ContentUri"] = CODE
    defaults = {name: spec.get("Default", "x") for name, spec in template["Parameters"].items()}
    translator = Translator(ManagedPolicies(), Parser(), boto_session=boto3.Session(region_name="eu-central-1"))
    return translator.translate(template, defaults, {})  # type: ignore[no-any-return]
