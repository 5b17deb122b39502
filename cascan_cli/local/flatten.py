"""Flatten a template with nested templates into one template of the same resources.

On AWS the nested templates become nested stacks. The emulator cannot update a nested stack if one
of its unchanged resources is used by GetAtt, and it renames all resources of a nested stack that is
created again. A single stack has neither problem. The resource `Queue` of the nested stack
`Messaging` becomes `MessagingQueue`.
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
NAME_ATTRIBUTES = ("Condition", "DependsOn")  # of a resource: they hold names, not expressions
PLACEHOLDER = re.compile(r"\$\{([^!}][^}]*)\}")
Expression = Any
Read = Callable[[str], Template]  # the Location of a nested template → the template, flat itself


def flatten(template: Template, read: Read) -> Template:
    """Merge the nested templates into one template.

    Raises: DeployFailed: a nested template lacks a parameter or an output, or two resources get
    the same name.
    """
    all_resources = template["Resources"].items()
    nested = {name: resource for name, resource in all_resources if _is_nested(resource)}
    resources = {name: resource for name, resource in all_resources if name not in nested}
    conditions: dict[str, Expression] = dict(template.get("Conditions", {}))
    mappings: dict[str, Expression] = dict(template.get("Mappings", {}))
    inner_templates = {}
    for name, resource in nested.items():
        inner = _NestedTemplate.of(name, resource, read(resource["Properties"]["Location"]))
        _merge(conditions, inner.conditions())
        _merge(mappings, inner.mappings())
        _merge(resources, inner.resources())
        inner_templates[name] = inner
    outer = _OuterTemplate(inner_templates)
    flat = template | {
        "Conditions": conditions,
        "Mappings": mappings,
        "Resources": {name: outer.resource(resource) for name, resource in resources.items()},
        "Outputs": outer.rewrite(template.get("Outputs", {})),
    }
    return {section: content for section, content in flat.items() if content}


def _is_nested(resource: Mapping[str, Any]) -> bool:
    location = resource.get("Properties", {}).get("Location")
    return resource.get("Type") == NESTED and isinstance(location, str)


def _merge(target: dict[str, Expression], added: Mapping[str, Expression]) -> None:
    duplicates = target.keys() & added.keys()
    if duplicates:
        names = ", ".join(sorted(duplicates))
        raise DeployFailed(f"duplicate name after flattening the nested templates: {names}")
    target.update(added)


class _Rewriter:
    """Rewrites expressions.

    A subclass defines the replacements of a Ref, an attribute and a name.
    """

    def ref(self, name: str) -> Expression:
        return {"Ref": name}

    def attribute(self, name: str, attribute: str) -> Expression:
        return {"Fn::GetAtt": [name, attribute]}

    def rename(self, name: str) -> str:
        """The new name of a condition or a mapping."""
        return name

    def rewrite(self, value: Expression) -> Expression:
        match value:
            case {"Ref": str(name)}:
                return self.ref(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return self.attribute(name, attribute)
            case {"Fn::Sub": str(text)} | {"Fn::Sub": [str(text), dict()]}:
                variables = {} if value["Fn::Sub"] is text else value["Fn::Sub"][1]
                return self._rewrite_text(text, self.rewrite(variables))
            case {"Fn::If": [str(), *_]} | {"Fn::FindInMap": [str(), *_]}:
                ((function, (name, *others)),) = value.items()
                return {function: [self.rename(name), *self.rewrite(others)]}
            case {"Condition": str(name)} if len(value) == 1:
                return {"Condition": self.rename(name)}
            case dict():
                return {key: self.rewrite(inner) for key, inner in value.items()}
            case list():
                return [self.rewrite(inner) for inner in value]
        return value

    def _rewrite_text(self, text: str, variables: dict[str, Expression]) -> Expression:
        """Bind each placeholder whose expression changes to a variable with the new one."""
        all_variables = dict(variables)

        def replace_placeholder(match: re.Match[str]) -> str:
            name, _, attribute = match[1].partition(".")
            if match[1] in variables:
                return match[0]
            before = {"Fn::GetAtt": [name, attribute]} if attribute else {"Ref": name}
            after = self.rewrite(before)
            if after == before:
                return match[0]
            key = re.sub(r"\W", "", match[1])
            while all_variables.get(key, after) != after:
                key += "x"
            all_variables[key] = after if isinstance(after, dict) else str(after)
            return f"${{{key}}}"

        replaced = PLACEHOLDER.sub(replace_placeholder, text)
        return {"Fn::Sub": [replaced, all_variables] if all_variables else replaced}


@dataclass(frozen=True)
class _NestedTemplate(_Rewriter):
    """A nested template, rewritten for the outer template."""

    name: str
    template: Template
    values: Mapping[str, Expression]  # of its parameters: expressions of the outer template
    condition: str | None

    @classmethod
    def of(cls, name: str, resource: Mapping[str, Any], template: Template) -> _NestedTemplate:
        declared = template.get("Parameters", {})
        arguments = resource["Properties"].get("Parameters", {})
        defaults = {key: spec["Default"] for key, spec in declared.items() if "Default" in spec}
        missing = declared.keys() - arguments.keys() - defaults.keys()
        unknown = arguments.keys() - declared.keys()
        if missing or unknown:
            problem = f"parameters missing: {sorted(missing)}, unknown: {sorted(unknown)}"
            raise DeployFailed(f"{name}: {problem}")
        return cls(name, template, defaults | arguments, resource.get("Condition"))

    def ref(self, name: str) -> Expression:
        if name in self.values:
            return self.values[name]
        if name == STACK_NAME:
            return {"Fn::Sub": f"${{{STACK_NAME}}}-{self.name}"}
        return {"Ref": name if name.startswith("AWS::") else self.rename(name)}

    def attribute(self, name: str, attribute: str) -> Expression:
        return {"Fn::GetAtt": [self.rename(name), attribute]}

    def rename(self, name: str) -> str:
        return f"{self.name}{name}"

    def conditions(self) -> dict[str, Expression]:
        declared = self.template.get("Conditions", {})
        renamed = {self.rename(name): self.rewrite(value) for name, value in declared.items()}
        if self.condition is None:
            return renamed
        combined = {f"{name}Too": self._combine_conditions(name) for name in renamed}
        return renamed | combined

    def _combine_conditions(self, name: str) -> Expression:
        return {"Fn::And": [{"Condition": self.condition}, {"Condition": name}]}

    def mappings(self) -> dict[str, Expression]:
        mappings = self.template.get("Mappings", {})
        return {self.rename(name): mapping for name, mapping in mappings.items()}

    def resources(self) -> dict[str, Expression]:
        resources = self.template["Resources"]
        return {self.rename(name): self._resource(value) for name, value in resources.items()}

    def _resource(self, resource: Mapping[str, Any]) -> Expression:
        rewritten: dict[str, Any] = {
            key: self.rewrite(value) for key, value in resource.items() if key not in NAME_ATTRIBUTES
        }
        condition = resource.get("Condition")
        if condition is not None:
            renamed = self.rename(condition)
            rewritten["Condition"] = renamed if self.condition is None else f"{renamed}Too"
        elif self.condition is not None:
            rewritten["Condition"] = self.condition
        if "DependsOn" in resource:
            rewritten["DependsOn"] = [self.rename(name) for name in _as_list(resource["DependsOn"])]
        return rewritten

    def output(self, name: str) -> Expression:
        outputs = self.template.get("Outputs", {})
        if name not in outputs:
            raise DeployFailed(f"{self.name} has no output {name}")
        return self.rewrite(outputs[name]["Value"])


@dataclass(frozen=True)
class _OuterTemplate(_Rewriter):
    """The outer template, where references to outputs of nested templates become their values."""

    nested: Mapping[str, _NestedTemplate]

    def attribute(self, name: str, attribute: str) -> Expression:
        if name not in self.nested:
            return super().attribute(name, attribute)
        return self.rewrite(self.nested[name].output(attribute.removeprefix("Outputs.")))

    def resource(self, resource: Mapping[str, Any]) -> Expression:
        rewritten: dict[str, Any] = {
            key: value if key in NAME_ATTRIBUTES else self.rewrite(value) for key, value in resource.items()
        }
        if "DependsOn" in resource:
            dependencies: list[str] = []
            for name in _as_list(resource["DependsOn"]):
                nested = self.nested.get(name)
                dependencies.extend(nested.resources() if nested else [name])
            rewritten["DependsOn"] = dependencies
        return rewritten


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
