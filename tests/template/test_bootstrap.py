"""Where the worker images come from: a repository in a stack of its own, or one in the stack itself."""

from __future__ import annotations

from typing import Any

import pytest

from cascan_cli.local.template import is_condition_met, read_template
from tests.template.model import MODEL, PROJECT, TASKS

BOOTSTRAP = read_template(PROJECT / "infra" / "bootstrap.yaml")
OUTSIDE = {"WorkerRepositoryName": "images-workerrepository-abc"}
URI = "AWS::AccountId.dkr.ecr.AWS::Region.AWS::URLSuffix/parameter WorkerRepositoryName"


def test_both_repositories_are_alike() -> None:
    (inside,) = MODEL.resources("AWS::ECR::Repository")

    assert BOOTSTRAP["Resources"]["WorkerRepository"]["Properties"] == inside.properties


def test_the_bootstrap_stack_says_what_the_stack_needs() -> None:
    assert BOOTSTRAP["Outputs"]["WorkerRepositoryName"]["Value"] == {"Ref": "WorkerRepository"}
    assert BOOTSTRAP["Outputs"]["WorkerRepositoryUri"]["Value"] == {"Fn::GetAtt": ["WorkerRepository", "RepositoryUri"]}


@pytest.mark.parametrize(("parameters", "makes"), [({}, True), (OUTSIDE, False)])
def test_a_stack_makes_a_repository_only_when_it_is_given_none(parameters: dict[str, str], *, makes: bool) -> None:
    (inside,) = MODEL.resources("AWS::ECR::Repository")

    assert is_condition_met(inside.body["Condition"], MODEL.templates["Workers"], parameters) is makes


@pytest.mark.parametrize("name", TASKS)
def test_a_worker_runs_the_image_of_the_repository_that_it_is_given(name: str) -> None:
    (worker, *_) = TASKS[name].properties["ContainerDefinitions"]
    _, given = worker["Image"]["Fn::Sub"]

    chosen = MODEL.chosen(given["Repository"], "Workers", OUTSIDE)
    assert MODEL.text(chosen, "Workers") == URI


def test_ecs_may_pull_from_the_repository_that_it_is_given_and_from_no_other() -> None:
    role: Any = MODEL.resource("Workers/LaunchRole").properties
    (pull,) = [
        MODEL.text(MODEL.chosen(statement["Resource"], "Workers", OUTSIDE), "Workers")
        for statement in role["Policies"][0]["PolicyDocument"]["Statement"]
        if "ecr:BatchGetImage" in statement["Action"]
    ]

    assert pull == "arn:AWS::Partition:ecr:AWS::Region:AWS::AccountId:repository/parameter WorkerRepositoryName"
