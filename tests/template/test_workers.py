"""The task definitions: what Fargate accepts, and no privilege that nmap does not need."""

from __future__ import annotations

import json

import pytest

from tests.support.fargate import FARGATE_GIVES, FARGATE_SIZES
from tests.template.model import MODEL, PROJECT, ROOT, TASKS, Resource, as_list, container_of, expressions, task_with

LANES = {"ConnectTask": "connect", "RawTask": "raw"}
NMAP_NEEDS = {"NET_RAW", "NET_BIND_SERVICE"}  # raw sockets, and source ports below 1024
EXTRAS = {
    "WorkerEnvironmentFile": "arn:aws:s3:::settings/worker.env",
    "WorkerFileSystem": "fs-0123456789abcdef0",
    "SidecarImage": "public.ecr.aws/docker/library/busybox:1.36",
    "SidecarCommand": "sleep,3600",
}
EACH = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def dropped(name: str) -> list[str]:
    return container_of(TASKS[name])["LinuxParameters"]["Capabilities"]["Drop"]  # type: ignore[no-any-return]


def test_there_is_a_task_for_each_lane_of_the_fleet() -> None:
    assert set(TASKS) == set(LANES)


@EACH
def test_a_task_runs_on_fargate_in_a_size_that_fargate_has(task: Resource) -> None:
    assert task.properties["RequiresCompatibilities"] == ["FARGATE"]
    assert task.properties["NetworkMode"] == "awsvpc"
    assert task.properties["RuntimePlatform"] == {"CpuArchitecture": "X86_64", "OperatingSystemFamily": "LINUX"}
    cpu, memory = (int(MODEL.default(task.properties[name], task.stack)) for name in ("Cpu", "Memory"))
    assert memory in FARGATE_SIZES[cpu]
    assert {int(units) for units in MODEL.templates[ROOT]["Parameters"]["WorkerCpu"]["AllowedValues"]} == set(
        FARGATE_SIZES
    )


def test_a_size_that_fargate_does_not_have_is_refused_before_anything_is_made() -> None:
    rules = [rule for name, rule in MODEL.templates[ROOT]["Rules"].items() if name.startswith("WorkerOf")]
    refused: dict[int, set[int]] = {}
    for rule in rules:
        (chosen,) = expressions(rule["RuleCondition"], "Fn::Equals")
        (sizes,) = expressions(rule["Assertions"], "Fn::Contains")
        assert (chosen[0], sizes[1]) == ({"Ref": "WorkerCpu"}, {"Ref": "WorkerMemory"})
        refused[int(chosen[1])] = {int(size) for size in sizes[0]}

    assert refused == FARGATE_SIZES


@EACH
def test_a_worker_has_as_much_storage_as_its_parameter_says_within_fargates_limits(task: Resource) -> None:
    size = task.properties["EphemeralStorage"]["SizeInGiB"]

    assert MODEL.text(size, task.stack) == "parameter WorkerStorage"
    assert MODEL.bounds(size, task.stack) == (21, 200)


@EACH
def test_a_task_with_every_extra_keeps_its_worker_as_it_is(task: Resource) -> None:
    plain, extended = container_of(task), container_of(task, **EXTRAS)
    more = {"EnvironmentFiles", "MountPoints"}

    assert {key: value for key, value in extended.items() if key not in more} == {
        key: value for key, value in plain.items() if key not in more
    }
    assert MODEL.text(extended["EnvironmentFiles"][0]["Value"], task.stack) == "parameter WorkerEnvironmentFile"
    assert plain["MountPoints"] == extended["MountPoints"][:1]


@EACH
def test_a_file_system_is_mounted_read_only_and_encrypted_on_its_way(task: Resource) -> None:
    scratch, extra = task_with(task, **EXTRAS)["Volumes"]
    configuration = extra["EFSVolumeConfiguration"]

    assert scratch == {"Name": "scratch"}
    assert MODEL.text(configuration["FilesystemId"], task.stack) == "parameter WorkerFileSystem"
    assert configuration["TransitEncryption"] == "ENABLED"
    for container in task_with(task, **EXTRAS)["ContainerDefinitions"]:
        (mount,) = [one for one in container["MountPoints"] if one["SourceVolume"] == extra["Name"]]
        assert mount["ReadOnly"] is True


@EACH
def test_a_sidecar_has_no_capability_no_settings_of_the_worker_and_does_not_keep_its_task_alive(task: Resource) -> None:
    _, sidecar = task_with(task, **EXTRAS)["ContainerDefinitions"]

    assert MODEL.text(sidecar["Image"], task.stack) == "parameter SidecarImage"
    assert sidecar["Essential"] is False
    assert sidecar["LinuxParameters"] == {"Capabilities": {"Drop": ["ALL"]}}
    assert sidecar["ReadonlyRootFilesystem"] is True
    assert not {"Environment", "EnvironmentFiles", "Privileged"} & sidecar.keys()
    assert "scratch" not in {mount["SourceVolume"] for mount in sidecar["MountPoints"]}


def test_for_its_extras_ecs_may_read_the_one_file_and_pull_images_of_this_account() -> None:
    policies = {policy.name: policy for policy in MODEL.resources("AWS::IAM::Policy")}
    granted = {
        name: [(as_list(one["Action"]), one["Resource"]) for one in policy.properties["PolicyDocument"]["Statement"]]
        for name, policy in policies.items()
    }
    file = {"Ref": "WorkerEnvironmentFile"}

    assert granted["ReadEnvironmentFile"] == [
        (["s3:GetObject"], file),
        (["s3:GetBucketLocation"], {"Fn::Select": [0, {"Fn::Split": ["/", file]}]}),
    ]
    ((pull, images),) = granted["PullSidecar"]
    assert set(pull) == {"ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"}
    assert images["Fn::Sub"].endswith(":ecr:${AWS::Region}:${AWS::AccountId}:repository/*")
    assert {policy.body["Condition"] for policy in policies.values()} == {"HasEnvironmentFile", "HasSidecar"}
    assert {json.dumps(policy.properties["Roles"]) for policy in policies.values()} == {'[{"Ref": "LaunchRole"}]'}


@EACH
def test_no_capability_is_added_since_fargate_would_refuse_the_task(task: Resource) -> None:
    assert list(container_of(task)["LinuxParameters"]["Capabilities"]) == ["Drop"]
    assert not {"Privileged", "DockerSecurityOptions"} & container_of(task).keys()


def test_the_connect_task_drops_every_capability() -> None:
    assert dropped("ConnectTask") == ["ALL"]


def test_the_raw_task_keeps_the_two_capabilities_that_nmap_needs_and_drops_the_rest_by_name() -> None:
    assert set(dropped("RawTask")) == FARGATE_GIVES - NMAP_NEEDS
    assert len(dropped("RawTask")) == len(FARGATE_GIVES - NMAP_NEEDS)


def test_net_admin_is_in_no_template() -> None:
    for path in MODEL.paths.values():
        named = [line for line in path.read_text().splitlines() if "NET_ADMIN" in line.partition("#")[0]]
        assert not named, path.relative_to(PROJECT)


@EACH
def test_a_worker_is_an_ordinary_user_on_a_root_file_system_that_nobody_writes_to(task: Resource) -> None:
    container = container_of(task)

    assert container["User"] == "1001"
    assert container["ReadonlyRootFilesystem"] is True
    assert [(mount["ContainerPath"], "ReadOnly" in mount) for mount in container["MountPoints"]] == [("/tmp", False)]
    assert [mount["SourceVolume"] for mount in container["MountPoints"]] == [
        volume["Name"] for volume in task_with(task)["Volumes"]
    ]


@EACH
def test_a_worker_has_the_longest_time_that_fargate_gives_to_hand_its_shard_back(task: Resource) -> None:
    assert container_of(task)["StopTimeout"] == 120
    assert (
        container_of(task)["LinuxParameters"]["InitProcessEnabled"] is True
    )  # passes SIGTERM on, reaps nmap's children


@EACH
def test_a_task_runs_the_worker_in_the_image_of_its_lane(task: Resource) -> None:
    container, lane = container_of(task), LANES[task.name]

    assert container["Name"] == "worker"
    assert container["Essential"] is True
    assert container["Command"] == ["python3", "-m", "on_shard_queued.worker"]
    image = MODEL.text(container["Image"], task.stack)
    assert image == f"Workers/WorkerRepository.RepositoryUri:parameter WorkerImageTag-{lane}"
    assert MODEL.text(task.properties["Family"], task.stack) == f"AWS::StackName-{lane}"


@EACH
def test_a_task_takes_its_roles_from_this_stack_and_its_own_lane(task: Resource) -> None:
    lane = LANES[task.name].capitalize()

    assert MODEL.text(task.properties["TaskRoleArn"], task.stack) == f"Workers/{lane}WorkerRole.Arn"
    assert MODEL.text(task.properties["ExecutionRoleArn"], task.stack) == "Workers/LaunchRole.Arn"


@EACH
def test_a_worker_logs_under_its_lane(task: Resource) -> None:
    logs = container_of(task)["LogConfiguration"]
    options = {name: MODEL.text(value, task.stack) for name, value in logs["Options"].items()}

    assert logs["LogDriver"] == "awslogs"
    assert options == {
        "awslogs-group": "Workers/WorkerLogs",
        "awslogs-region": "AWS::Region",
        "awslogs-stream-prefix": LANES[task.name],
    }


def test_images_are_scanned_and_a_tag_never_changes_what_it_means() -> None:
    (repository,) = MODEL.resources("AWS::ECR::Repository")

    assert repository.properties["ImageTagMutability"] == "IMMUTABLE"
    assert repository.properties["ImageScanningConfiguration"] == {"ScanOnPush": True}


def test_the_cluster_can_start_what_the_fleet_asks_for() -> None:
    (cluster,) = MODEL.resources("AWS::ECS::Cluster")

    assert set(cluster.properties["CapacityProviders"]) == {"FARGATE", "FARGATE_SPOT"}


def test_nobody_calls_a_worker() -> None:
    group = MODEL.resource("Network/WorkerSecurityGroup")

    assert group.properties["SecurityGroupIngress"] == []
    assert "0.0.0.0/0" not in json.dumps(group.properties["SecurityGroupIngress"])
