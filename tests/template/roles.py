"""The roles of the templates, and what their policies say once references and conditions are resolved."""

from __future__ import annotations

from functools import cache
from typing import Any

from tests.support.policies import Statement, conditions
from tests.template.model import FUNCTIONS, MODEL, ROOT, Model, Resource

ROLES = {role.name: role for role in MODEL.resources("AWS::IAM::Role")}


def role_of(function: Resource) -> Resource:
    return MODEL.resource(MODEL.text(function.properties["Role"], ROOT))


ROLE_OF_FUNCTION = {name: role_of(function).name for name, function in FUNCTIONS.items()}


@cache
def policies_of(role: str) -> list[Statement]:
    """The statements of a role under the defaults of the parameters. Its resources are addresses, as in the model."""
    resource = ROLES[role]
    policies = MODEL.chosen(resource.properties["Policies"], resource.stack)
    found = [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]
    return [resolve(statement, resource.stack) for statement in found]


@cache
def judged_keys(role: str) -> frozenset[str]:
    """The condition keys, in lower case, that the policies of the role name."""
    return frozenset(key for statement in policies_of(role) for _, key, _ in conditions(statement))


def resolve(value: Any, stack: str, model: Model = MODEL) -> Any:
    """The value with every reference resolved to text. Raises: ValueError: the model cannot follow one."""
    match value:
        case {"Ref": _} | {"Fn::GetAtt": _} | {"Fn::Sub": _}:
            return model.text(value, stack)
        case dict():
            if any(key.startswith("Fn::") for key in value):
                raise ValueError(f"cannot be followed: {value}")
            return {key: resolve(inner, stack, model) for key, inner in value.items()}
        case list():
            return [resolve(inner, stack, model) for inner in value]
    return value
