"""A template with nested ones → one template that says the same.

On AWS the nested templates are stacks of their own. On the emulator an update of a nested stack fails as soon as one of
its resources is asked for an attribute and did not change itself, and its resources get new names each time it is made
anew; in one stack neither happens. What was `Queue` in the nested stack `Messaging` becomes `MessagingQueue`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cascan_cli.errors import DeployFailed
from cascan_cli.local.template import Template

NESTED = "AWS::Serverless::Application"
STACK_NAME = "AWS::StackName"
PLACEHOLDER = re.compile(r"\$\{([^!}][^}]*)\}")
Expression = Any
Read = Callable[[str], Template]  # the Location of a nested template → the template, flat itself


def flatten(template: Template, read: Read) -> Template:
    """Raises: DeployFailed: a nested template lacks a parameter or an output, or a name would stand twice."""
    nested = {name: resource for name, resource in template["Resources"].items() if _is_nested(resource)}
    resources = {name: resource for name, resource in template["Resources"].items() if name not in nested}
    conditions: dict[str, Expression] = dict(template.get("Conditions", {}))
    mappings: dict[str, Expression] = dict(template.get("Mappings", {}))
    parts = {
        name: _Part.of(name, resource, read(resource["Properties"]["Location"])) for name, resource in nested.items()
    }
    for part in parts.values():
        _merge(conditions, part.conditions())
        _merge(mappings, part.mappings())
        _merge(resources, part.resources())
    whole = _Whole(parts)
    flat = template | {
        "Conditions": conditions,
        "Mappings": mappings,
        "Resources": {name: whole.resource(resource) for name, resource in resources.items()},
        "Outputs": whole.rewritten(template.get("Outputs", {})),
    }
    return {section: content for section, content in flat.items() if content}


def _is_nested(resource: Mapping[str, Any]) -> bool:
    return resource.get("Type") == NESTED and isinstance(resource.get("Properties", {}).get("Location"), str)


def _merge(into: dict[str, Expression], more: Mapping[str, Expression]) -> None:
    twice = into.keys() & more.keys()
    if twice:
        raise DeployFailed(f"{', '.join(sorted(twice))} stands twice once the nested templates are taken in")
    into.update(more)


class _Rewriter:
    """Walks expressions. A subclass says what a Ref, an attribute and a condition's name stand for."""

    def ref(self, name: str) -> Expression:
        return {"Ref": name}

    def attribute(self, name: str, attribute: str) -> Expression:
        return {"Fn::GetAtt": [name, attribute]}

    def named(self, name: str) -> str:
        """A condition or a mapping."""
        return name

    def rewritten(self, value: Expression) -> Expression:
        match value:
            case {"Ref": str(name)}:
                return self.ref(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return self.attribute(name, attribute)
            case {"Fn::Sub": str(text)} | {"Fn::Sub": [str(text), dict()]}:
                variables = {} if value["Fn::Sub"] is text else value["Fn::Sub"][1]
                return self._substituted(text, self.rewritten(variables))
            case {"Fn::If": [str(), *_]} | {"Fn::FindInMap": [str(), *_]}:
                ((function, (name, *rest)),) = value.items()
                return {function: [self.named(name), *self.rewritten(rest)]}
            case {"Condition": str(name), **others} if not others:
                return {"Condition": self.named(name)}
            case dict():
                return {key: self.rewritten(inner) for key, inner in value.items()}
            case list():
                return [self.rewritten(inner) for inner in value]
        return value

    def _substituted(self, text: str, variables: dict[str, Expression]) -> Expression:
        """Each placeholder becomes a variable of what it stands for, unless it still stands for the same."""
        given = dict(variables)

        def placed(match: re.Match[str]) -> str:
            name, _, attribute = match[1].partition(".")
            if match[1] in variables:
                return match[0]
            before = {"Fn::GetAtt": [name, attribute]} if attribute else {"Ref": name}
            after = self.rewritten(before)
            if after == before:
                return match[0]
            key = re.sub(r"\W", "", match[1])
            while given.get(key, after) != after:
                key += "x"
            given[key] = after if isinstance(after, dict) else str(after)
            return f"${{{key}}}"

        replaced = PLACEHOLDER.sub(placed, text)
        return {"Fn::Sub": [replaced, given] if given else replaced}


@dataclass(frozen=True)
class _Part(_Rewriter):
    """A nested template in the terms of the outer one."""

    name: str
    template: Template
    values: Mapping[str, Expression]  # of its parameters, outer expressions
    condition: str | None

    @classmethod
    def of(cls, name: str, resource: Mapping[str, Any], template: Template) -> _Part:
        declared = template.get("Parameters", {})
        given = resource["Properties"].get("Parameters", {})
        defaults = {parameter: spec["Default"] for parameter, spec in declared.items() if "Default" in spec}
        missing = declared.keys() - given.keys() - defaults.keys()
        unknown = given.keys() - declared.keys()
        if missing or unknown:
            raise DeployFailed(f"{name}: parameters missing: {sorted(missing)}, unknown: {sorted(unknown)}")
        return cls(name, template, defaults | given, resource.get("Condition"))

    def ref(self, name: str) -> Expression:
        if name in self.values:
            return self.values[name]
        if name == STACK_NAME:
            return {"Fn::Sub": f"${{{STACK_NAME}}}-{self.name}"}
        return {"Ref": name if name.startswith("AWS::") else self.named(name)}

    def attribute(self, name: str, attribute: str) -> Expression:
        return {"Fn::GetAtt": [self.named(name), attribute]}

    def named(self, name: str) -> str:
        return f"{self.name}{name}"

    def conditions(self) -> dict[str, Expression]:
        own = self.template.get("Conditions", {})
        renamed = {self.named(name): self.rewritten(expression) for name, expression in own.items()}
        if self.condition is None:
            return renamed
        both = {f"{name}Too": {"Fn::And": [{"Condition": self.condition}, {"Condition": name}]} for name in renamed}
        return renamed | both

    def mappings(self) -> dict[str, Expression]:
        return {self.named(name): mapping for name, mapping in self.template.get("Mappings", {}).items()}

    def resources(self) -> dict[str, Expression]:
        return {self.named(name): self._resource(resource) for name, resource in self.template["Resources"].items()}

    def _resource(self, resource: Mapping[str, Any]) -> Expression:
        rewritten: dict[str, Any] = {
            key: self.rewritten(value) for key, value in resource.items() if key not in ("Condition", "DependsOn")
        }
        own = resource.get("Condition")
        if own is not None:
            rewritten["Condition"] = self.named(own) if self.condition is None else f"{self.named(own)}Too"
        elif self.condition is not None:
            rewritten["Condition"] = self.condition
        if "DependsOn" in resource:
            rewritten["DependsOn"] = [self.named(name) for name in _listed(resource["DependsOn"])]
        return rewritten

    def output(self, name: str) -> Expression:
        outputs = self.template.get("Outputs", {})
        if name not in outputs:
            raise DeployFailed(f"{self.name} has no output {name}")
        return self.rewritten(outputs[name]["Value"])


@dataclass(frozen=True)
class _Whole(_Rewriter):
    """The outer template, in which the outputs of its parts become what they are."""

    parts: Mapping[str, _Part]

    def attribute(self, name: str, attribute: str) -> Expression:
        if name not in self.parts:
            return super().attribute(name, attribute)
        return self.rewritten(self.parts[name].output(attribute.removeprefix("Outputs.")))

    def resource(self, resource: Mapping[str, Any]) -> Expression:
        rewritten: dict[str, Any] = {
            key: value if key in ("Condition", "DependsOn") else self.rewritten(value)
            for key, value in resource.items()
        }
        if "DependsOn" in resource:
            rewritten["DependsOn"] = [
                one
                for name in _listed(resource["DependsOn"])
                for one in (self.parts[name].resources() if name in self.parts else [name])
            ]
        return rewritten


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
