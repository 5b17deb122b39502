"""The small VPC: workers reach the networks they are told, AWS over HTTPS, and nothing else."""

from __future__ import annotations

import ipaddress
import json
import re

import pytest

from cascan.permissions.egress import MAX_NETWORKS, build_egress
from cascan_cli.local.policy import LocalPolicy
from cascan_cli.stack.open import local_parameters
from tests.template.model import FUNCTIONS, MODEL, ROOT, variables

(GROUP,) = MODEL.resources("AWS::EC2::SecurityGroup")
NETWORK = MODEL.templates[GROUP.stack]
PARAMETER = MODEL.templates[ROOT]["Parameters"]["WorkerEgress"]
RULES = GROUP.properties["SecurityGroupEgress"]
PLACES = [rule for rule in RULES if rule["Description"] == "targets"]
RESERVED = ipaddress.IPv4Network("240.0.0.0/4")


def test_beside_its_places_the_group_lets_out_https_alone() -> None:
    (aws,) = [rule for rule in RULES if rule not in PLACES]
    assert (aws["IpProtocol"], aws["FromPort"], aws["ToPort"]) == ("tcp", 443, 443)
    assert "0.0.0.0/0" not in json.dumps(PLACES)


def test_each_place_lets_out_its_own_network_and_an_empty_one_leads_nowhere() -> None:
    nowhere = NETWORK["Parameters"]["Nowhere"]["Default"].split(",")
    assert len(set(nowhere)) == len(nowhere) == MAX_NETWORKS - 1  # at least one network is named
    assert all(ipaddress.IPv4Network(network).subnet_of(RESERVED) for network in nowhere)
    entries = {"Fn::Split": [",", {"Fn::Sub": "${WorkerEgress},${Nowhere}"}]}
    assert [rule["CidrIp"] for rule in PLACES] == [{"Fn::Select": [n, entries]} for n in range(MAX_NETWORKS)]


def test_the_stack_hands_on_what_it_is_given_and_nothing_by_default() -> None:
    assert MODEL.templates[ROOT]["Resources"]["Network"]["Properties"]["Parameters"]["WorkerEgress"] == {
        "Ref": "WorkerEgress"
    }
    assert PARAMETER["Default"] == ""
    assert "Default" not in NETWORK["Parameters"]["WorkerEgress"]


def test_who_plans_knows_what_the_small_vpc_lets_out_and_nothing_of_the_operators_own_subnets() -> None:
    given = variables(FUNCTIONS["OnScanRequested"].properties)
    network = {"Fn::If": ["MakesNetwork", "small-vpc", {"Fn::If": ["OnOneMachine", "machine", "subnets"]}]}
    assert (given["WORKER_NETWORK"], given["WORKER_IPV6"]) == (network, {"Ref": "WorkerIpv6"})
    assert given["WORKER_EGRESS"] == {"Fn::If": ["MakesNetwork", {"Ref": "WorkerEgress"}, ""]}


def test_one_machine_is_told_from_subnets_by_an_id_that_aws_has_not() -> None:
    condition = MODEL.templates[ROOT]["Conditions"]["OnOneMachine"]
    local_subnet = local_parameters(LocalPolicy((), "safe"))["WorkerSubnets"]
    assert condition == {"Fn::Equals": [{"Ref": "WorkerSubnets"}, local_subnet]}
    assert not re.fullmatch("subnet-[0-9a-f]+", local_subnet)


def test_a_small_vpc_without_egress_is_refused() -> None:
    rule = MODEL.templates[ROOT]["Rules"]["EgressIsNamed"]
    assert rule["RuleCondition"] == MODEL.templates[ROOT]["Conditions"]["MakesNetwork"]
    (assertion,) = rule["Assertions"]
    assert assertion["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "WorkerEgress"}, ""]}]}


@pytest.mark.parametrize("count", [1, MAX_NETWORKS])
def test_the_parameter_takes_what_cascan_egress_prints(count: int) -> None:
    networks = build_egress([f"10.0.{2 * number}.0/24" for number in range(count)]).networks
    assert re.fullmatch(PARAMETER["AllowedPattern"], ",".join(networks))


@pytest.mark.parametrize(
    "value", ["example.org", "10.0.0.0", "10.0.0.0/8,", "10.0.0.0/8, 10.1.0.0/16", ",".join(["10.0.0.0/8"] * 17)]
)
def test_the_parameter_takes_neither_names_nor_more_than_there_are_places(value: str) -> None:
    assert not re.fullmatch(PARAMETER["AllowedPattern"], value)
