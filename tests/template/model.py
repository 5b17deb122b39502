"""template.yaml with the templates it nests, as one set of resources whose references are followed across them.

An address is `<nested stack>/<resource>` (`Messaging/RequestQueue`), or `root/<resource>`; what a template refers to
comes as an address with the attribute it takes (`Messaging/RequestQueue.Arn`), or as `parameter <name>` of the
outermost one. Of two values that a condition chooses between, it is the one that the parameters' defaults choose.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cascan_cli.local.template import Template, is_condition_met, read_template

PROJECT = Path(__file__).parents[2]
ROOT = "root"
NESTED = "AWS::Serverless::Application"
Statement = dict[str, Any]
NO_VALUE = {"Ref": "AWS::NoValue"}


@dataclass(frozen=True)
class Resource:
    stack: str
    name: str
    body: dict[str, Any]

    @property
    def address(self) -> str:
        return f"{self.stack}/{self.name}"

    @property
    def properties(self) -> dict[str, Any]:
        return self.body.get("Properties", {})  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Model:
    templates: dict[str, Template]
    paths: dict[str, Path]
    _resources: list[Resource] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path) -> Model:
        root = read_template(path)
        nested = {
            name: path.parent / resource["Properties"]["Location"]
            for name, resource in root["Resources"].items()
            if resource["Type"] == NESTED
        }
        paths = {ROOT: path} | nested
        templates = {stack: read_template(place) for stack, place in paths.items()}
        resources = [Resource(s, name, body) for s, t in templates.items() for name, body in t["Resources"].items()]
        return cls(templates, paths, resources)

    def with_defaults(self, **defaults: str) -> Model:
        """The model of a stack with other defaults of parameters, in each template that declares them."""
        templates = {
            stack: template | {"Parameters": _with_defaults(template.get("Parameters", {}), defaults)}
            for stack, template in self.templates.items()
        }
        return Model(templates, self.paths, self._resources)

    def resources(self, kind: str) -> list[Resource]:
        """Every resource of a type; a function with its Globals."""
        found = [resource for resource in self._resources if resource.body["Type"] == kind]
        return [self._with_globals(one) for one in found] if kind == "AWS::Serverless::Function" else found

    def resource(self, reference: str) -> Resource:
        """The resource behind an address or a reference. Raises: KeyError: there is none."""
        by_address = {resource.address: resource for resource in self._resources}
        return by_address[reference.split(".", maxsplit=1)[0]]

    def _with_globals(self, function: Resource) -> Resource:
        common = self.templates[ROOT].get("Globals", {}).get("Function", {})
        environment = {"Variables": variables(common) | variables(function.properties)}
        return Resource(
            function.stack,
            function.name,
            function.body | {"Properties": common | function.properties | {"Environment": environment}},
        )

    def text(self, value: Any, stack: str) -> str:
        """What an expression of a template stands for. Raises: KeyError, ValueError: nothing that we can follow."""
        match value:
            case str() | int():
                return str(value)
            case {"Ref": name}:
                return self._reference(name, stack)
            case {"Fn::GetAtt": [name, attribute]}:
                return self._attribute(name, attribute, stack)
            case {"Fn::If": [condition, chosen, other]}:
                return self.text(chosen if is_condition_met(condition, self.templates[stack], {}) else other, stack)
            case {"Fn::Select": [int(index), {"Fn::Split": [str(mark), whole]}]}:
                return f"part {index} between {mark} of {self.text(whole, stack)}"
            case {"Fn::Sub": [str(pattern), dict(given)]}:
                return self._filled(pattern, lambda name: self.text(given.get(name, {"Ref": name}), stack))
            case {"Fn::Sub": str(pattern)}:
                return self._filled(pattern, lambda name: self._named(name, stack))
        raise ValueError(f"cannot be followed: {value}")

    def texts(self, value: Any, stack: str) -> set[str]:
        """What each of one or several expressions stands for."""
        return {self.text(one, stack) for one in as_list(value)}

    def chosen(self, value: Any, stack: str, parameters: dict[str, str] | None = None) -> Any:
        """The value with its conditions decided: by the parameters given, else by their defaults; NoValue is left out.

        The parameters are the outermost template's, and bear the same names in the nested ones.
        """
        match value:
            case {"Fn::If": [condition, chosen, other]}:
                holds = is_condition_met(condition, self.templates[stack], self._defaults() | (parameters or {}))
                return self.chosen(chosen if holds else other, stack, parameters)
            case dict():
                items = ((key, self.chosen(inner, stack, parameters)) for key, inner in value.items())
                return {key: inner for key, inner in items if inner != NO_VALUE}
            case list():
                return [inner for one in value if (inner := self.chosen(one, stack, parameters)) != NO_VALUE]
        return value

    def _defaults(self) -> dict[str, str]:
        declared = self.templates[ROOT]["Parameters"]
        return {name: str(spec["Default"]) for name, spec in declared.items() if "Default" in spec}

    def bounds(self, value: Any, stack: str) -> tuple[int, int]:
        """The least and the greatest value of a number. Raises: KeyError: a parameter without limits."""
        text = self.text(value, stack)
        if not text.startswith("parameter "):
            return int(text), int(text)
        declared = self.templates[ROOT]["Parameters"][text.removeprefix("parameter ")]
        return declared["MinValue"], declared["MaxValue"]

    def default(self, value: Any, stack: str) -> str:
        """The text, and of a parameter its default."""
        text = self.text(value, stack)
        if not text.startswith("parameter "):
            return text
        return str(self.templates[ROOT]["Parameters"][text.removeprefix("parameter ")]["Default"])

    def _named(self, name: str, stack: str) -> str:
        resource, _, attribute = name.partition(".")
        return self._attribute(resource, attribute, stack) if attribute else self._reference(name, stack)

    def _reference(self, name: str, stack: str) -> str:
        if name.startswith("AWS::"):
            return name
        if name in self.templates[stack]["Resources"]:
            return f"{stack}/{name}"
        declared = self.templates[stack]["Parameters"][name]
        if stack == ROOT:
            return f"parameter {name}"
        given = self.templates[ROOT]["Resources"][stack]["Properties"].get("Parameters", {})
        return self.text(given.get(name, declared.get("Default")), ROOT)

    def _attribute(self, name: str, attribute: str, stack: str) -> str:
        if self.templates[stack]["Resources"][name]["Type"] != NESTED:
            return f"{stack}/{name}.{attribute}"
        return self.text(self.templates[name]["Outputs"][attribute.removeprefix("Outputs.")]["Value"], name)

    @staticmethod
    def _filled(pattern: str, value_of: Callable[[str], str]) -> str:
        return re.sub(r"\$\{([^}]+)}", lambda match: value_of(match[1]), pattern)


def _with_defaults(declared: dict[str, Any], defaults: dict[str, str]) -> dict[str, Any]:
    return {name: spec | {"Default": defaults[name]} if name in defaults else spec for name, spec in declared.items()}


def variables(properties: dict[str, Any]) -> dict[str, Any]:
    return properties.get("Environment", {}).get("Variables", {})  # type: ignore[no-any-return]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def expressions(value: Any, name: str) -> Iterator[Any]:
    """The arguments of every intrinsic function `name` in a value, however deep."""
    if isinstance(value, dict):
        if name in value:
            yield value[name]
        for inner in value.values():
            yield from expressions(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner, name)


MODEL = Model.of(PROJECT / "template.yaml")
FUNCTIONS = {function.name: function for function in MODEL.resources("AWS::Serverless::Function")}
QUEUES = {queue.address: queue for queue in MODEL.resources("AWS::SQS::Queue")}
TASKS = {task.name: task for task in MODEL.resources("AWS::ECS::TaskDefinition")}


def events_of(function: Resource) -> dict[str, tuple[str, dict[str, Any]]]:
    """Name → type and properties of what wakes the function."""
    return {name: (event["Type"], event["Properties"]) for name, event in function.properties["Events"].items()}


def task_with(task: Resource, **parameters: str) -> dict[str, Any]:
    """The task definition under these parameters, and else the defaults."""
    return MODEL.chosen(task.properties, task.stack, parameters)  # type: ignore[no-any-return]


def container_of(task: Resource, **parameters: str) -> dict[str, Any]:
    """The worker's container; the task has no other one unless a parameter asks for it."""
    containers = task_with(task, **parameters)["ContainerDefinitions"]
    (container,) = [one for one in containers if one["Name"] == "worker"]
    assert len(containers) == 1 or parameters
    return container  # type: ignore[no-any-return]


def environment_of(task: Resource) -> dict[str, Any]:
    return {variable["Name"]: variable["Value"] for variable in container_of(task)["Environment"]}


def source_queues(function: Resource) -> dict[str, str]:
    """Event name → address of the queue it reads."""
    return {
        name: MODEL.text(event["Queue"], ROOT).removesuffix(".Arn")
        for name, (kind, event) in events_of(function).items()
        if kind == "SQS"
    }


@dataclass(frozen=True)
class Rule:
    """A rule on a bus, wherever it is declared. `targets` are pairs of what it calls and its dead-letter queue."""

    name: str
    bus: str  # "" is the account's default one
    pattern: dict[str, Any]  # {} is a schedule
    targets: list[tuple[str, str]]


def rules() -> Iterator[Rule]:
    for rule in MODEL.resources("AWS::Events::Rule"):
        targets = [
            (MODEL.text(target["Arn"], rule.stack), dead_letters(target, rule.stack))
            for target in rule.properties["Targets"]
        ]
        yield Rule(rule.address, bus_of(rule.properties, rule.stack), rule.properties.get("EventPattern", {}), targets)
    for function in FUNCTIONS.values():
        for name, (kind, event) in events_of(function).items():
            if kind in ("EventBridgeRule", "Schedule"):
                target = (f"{function.address}.Arn", dead_letters(event, ROOT))
                yield Rule(f"{function.address}{name}", bus_of(event, ROOT), event.get("Pattern", {}), [target])


def bus_of(rule: dict[str, Any], stack: str) -> str:
    return MODEL.text(rule["EventBusName"], stack) if "EventBusName" in rule else ""


def dead_letters(target: dict[str, Any], stack: str) -> str:
    """The queue's address; "" without one."""
    return MODEL.text(target["DeadLetterConfig"]["Arn"], stack) if "DeadLetterConfig" in target else ""


RULES = {rule.name: rule for rule in rules()}
