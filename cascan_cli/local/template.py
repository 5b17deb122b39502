"""CloudFormation templates as values: YAML with its short tags → plain JSON shapes, and what their conditions say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cascan_cli.errors import DeployFailed

if TYPE_CHECKING:
    from yaml import SafeLoader as _Base
else:
    _Base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # 3 ms instead of 60

Template = dict[str, Any]
UNPREFIXED = ("Ref", "Condition")
TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(_Base):
    """Short tags become their long form; 2012-10-17 stays text, as in JSON."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the shape yaml gives it
        first: [(tag, pattern) for tag, pattern in resolvers if tag != TIMESTAMP]
        for first, resolvers in _Base.yaml_implicit_resolvers.items()
    }


def _long_form(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    value: Any = None
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in UNPREFIXED else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _long_form)


def read_template(path: Path) -> Template:
    """The template with its short tags in long form. Raises: DeployFailed: it is not there, or not a template."""
    try:
        with path.open("rb") as stream:
            template = yaml.load(stream, _Loader)  # noqa: S506 - derived from the safe loader
    except OSError as exc:
        raise DeployFailed(f"{path} cannot be read: {exc.strerror}") from exc
    except yaml.YAMLError as exc:
        raise DeployFailed(f"{path} is not YAML: {exc}") from exc
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        raise DeployFailed(f"{path} is not a CloudFormation template: it has no Resources")
    return template


def inline_numbers(template: Template, parameters: Mapping[str, str]) -> Template:
    """The template with every Ref of a Number parameter replaced by the number.

    AWS converts the text of such a parameter to what the property wants; the emulator hands it on as text. Variables of
    an environment are text anyway.
    """
    numbers = {
        name: int(parameters.get(name, spec.get("Default", 0)))
        for name, spec in template.get("Parameters", {}).items()
        if spec.get("Type") == "Number"
    }

    def inlined(value: Any) -> Any:
        match value:
            case {"Ref": str(name)} if name in numbers:
                return numbers[name]
            case dict():
                return {key: inner if key == "Environment" else inlined(inner) for key, inner in value.items()}
            case list():
                return [inlined(inner) for inner in value]
        return value

    return {key: inlined(part) if key == "Resources" else part for key, part in template.items()}


def limit_batches(template: Template, most: int) -> Template:
    """The template with at most so many batches of a queue handled at once, each by a process of its function's own.

    On AWS their number is nobody's memory. A mapping that has a limit of its own keeps it.
    """

    def bounded(event: dict[str, Any]) -> dict[str, Any]:
        if event.get("Type") != "SQS":
            return event
        scaling = {"ScalingConfig": {"MaximumConcurrency": most}}
        return event | {"Properties": scaling | event.get("Properties", {})}

    def few(resource: Any) -> Any:
        events = resource.get("Properties", {}).get("Events") if isinstance(resource, dict) else None
        if not isinstance(events, dict):
            return resource
        return resource | {
            "Properties": resource["Properties"] | {"Events": {name: bounded(event) for name, event in events.items()}}
        }

    return template | {"Resources": {name: few(resource) for name, resource in template["Resources"].items()}}


def is_condition_met(condition: str | None, template: Template, parameters: Mapping[str, str]) -> bool:
    """Whether a condition holds under these parameters and the template's defaults; no condition always does.

    Knows Equals, Not, And, Or and Condition, over Ref of parameters. Raises: DeployFailed: it uses anything else.
    """
    if condition is None:
        return True
    return bool(_Conditions(template, parameters).value({"Condition": condition}))


class _Conditions:
    def __init__(self, template: Template, parameters: Mapping[str, str]) -> None:
        self.conditions = template.get("Conditions", {})
        declared = template.get("Parameters", {})
        defaults = {name: str(spec["Default"]) for name, spec in declared.items() if "Default" in spec}
        self.parameters = defaults | dict(parameters)

    def value(self, expression: Any) -> Any:
        match expression:
            case {"Condition": name}:
                return self.value(self.conditions.get(name, {f"condition {name}": "missing"}))
            case {"Ref": name} if name in self.parameters:
                return self.parameters[name]
            case {"Fn::Equals": [left, right]}:
                return str(self.value(left)) == str(self.value(right))
            case {"Fn::Not": [inner]}:
                return not self.value(inner)
            case {"Fn::And": parts}:
                return all(self.value(part) for part in parts)
            case {"Fn::Or": parts}:
                return any(self.value(part) for part in parts)
            case str() | int() | float():
                return expression
        raise DeployFailed(f"the template has a condition that cannot be decided here: {expression}")
