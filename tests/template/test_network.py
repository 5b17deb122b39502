"""The VPC that a stack makes: workers reach the networks they are told, AWS over HTTPS, and nothing else."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any

import pytest

from cascan.model.worker_network import PRIVATE_NETWORKS, WorkerNetwork
from cascan.permissions.egress import MAX_NETWORKS, build_egress
from cascan_cli.doctor.aws_checks import ENDPOINTS
from cascan_cli.local.policy import LocalPolicy
from cascan_cli.local.template import is_condition_met
from cascan_cli.stack.open import local_parameters
from tests.template.model import FUNCTIONS, MODEL, NO_VALUE, ROOT, as_list, variables

GROUP = MODEL.resource("Network/WorkerSecurityGroup")
NETWORK = MODEL.templates[GROUP.stack]
PARAMETERS = MODEL.templates[ROOT]["Parameters"]
PARAMETER = PARAMETERS["WorkerEgress"]
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
    without_nat = {"Fn::If": ["MakesNetwork", "small-vpc", {"Fn::If": ["OnOneMachine", "machine", "subnets"]}]}
    network = {"Fn::If": ["MakesPrivateNetwork", {"Ref": "WorkerNetwork"}, without_nat]}
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


# ==== the three networks ==============================================================================================
EMULATED = {
    *("VPC", "Subnet", "RouteTable", "Route", "SubnetRouteTableAssociation", "SecurityGroup", "VPCEndpoint"),
    *("InternetGateway", "VPCGatewayAttachment"),
}
OWN = {"WorkerSubnets": "subnet-1", "WorkerSecurityGroups": "sg-1"}


def make_network(variant: str, zones: str = "") -> dict[str, Any]:
    """The resources of the nested stack for a WorkerNetwork, with conditions decided."""
    parameters = {"Variant": variant, "Zones": zones}
    return {
        name: decide(resource.get("Properties", {}), parameters)
        for name, resource in NETWORK["Resources"].items()
        if is_condition_met(resource.get("Condition"), NETWORK, parameters)
    }


def decide(value: Any, parameters: dict[str, str]) -> Any:
    match value:
        case {"Fn::If": [condition, chosen, other]}:
            return decide(chosen if is_condition_met(condition, NETWORK, parameters) else other, parameters)
        case dict():
            decided = {key: decide(inner, parameters) for key, inner in value.items()}
            return {key: inner for key, inner in decided.items() if inner != NO_VALUE}
        case list():
            return [decide(inner, parameters) for inner in value]
    return value


def choose(reference: Any, **parameters: str) -> Any:
    return MODEL.chosen(reference, ROOT, parameters)


def test_public_workers_lead_to_an_internet_gateway_and_nothing_costs_while_idle() -> None:
    network = make_network("public")
    assert network["DefaultRoute"]["GatewayId"] == {"Ref": "InternetGateway"}
    assert not [name for name in network if "Nat" in name]
    endpoints = [resource for name, resource in network.items() if name.endswith("Endpoint")]
    assert {endpoint.get("VpcEndpointType", "Gateway") for endpoint in endpoints} == {"Gateway"}


def test_behind_nat_workers_lead_to_a_gateway_with_a_fixed_address_in_a_subnet_that_leads_to_the_internet() -> None:
    network = make_network("nat")
    assert network["DefaultRoute"]["NatGatewayId"] == {"Ref": "NatGateway"}
    assert "GatewayId" not in network["DefaultRoute"]
    assert network["NatGateway"]["SubnetId"] == {"Ref": "NatSubnet"}
    assert network["NatGateway"]["AllocationId"] == {"Fn::GetAtt": ["NatAddress", "AllocationId"]}
    assert network["NatSubnetRoutes"]["RouteTableId"] == network["NatDefaultRoute"]["RouteTableId"]
    assert network["NatDefaultRoute"]["GatewayId"] == {"Ref": "InternetGateway"}


def test_with_endpoints_alone_there_is_no_way_to_the_internet_and_an_endpoint_for_all_that_a_worker_calls() -> None:
    network = make_network("endpoints")
    assert not [name for name in network if "Route" in name and "DestinationCidrBlock" in network[name]]
    assert "InternetGateway" not in network
    services = {
        resource["ServiceName"]["Fn::Sub"].removeprefix("com.amazonaws.${AWS::Region}.")
        for name, resource in network.items()
        if name.endswith("Endpoint")
    }
    assert services == set(ENDPOINTS)  # doctor asks a network of the operator's for the same


def test_an_endpoint_takes_https_from_the_workers_alone_and_answers_to_the_usual_name_of_its_service() -> None:
    network = make_network("endpoints")
    (rule,) = network["EndpointSecurityGroup"]["SecurityGroupIngress"]
    assert (rule["FromPort"], rule["ToPort"]) == (443, 443)
    assert rule["SourceSecurityGroupId"] == {"Ref": "WorkerSecurityGroup"}
    for endpoint in (resource for resource in network.values() if resource.get("VpcEndpointType") == "Interface"):
        assert endpoint["PrivateDnsEnabled"] is True
        assert endpoint["SecurityGroupIds"] == [{"Ref": "EndpointSecurityGroup"}]
        assert len(endpoint["SubnetIds"]) == 1  # as deploy.py's price says


def test_what_a_worker_may_call_has_an_endpoint() -> None:
    granted = {
        action.partition(":")[0]
        for role in ("Workers/ConnectRole", "Workers/RawRole", "Workers/LaunchRole")
        for policy in MODEL.resource(role).properties["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in as_list(statement["Action"])
    }
    lost_without_harm = {"xray"}  # traces: a worker that does not reach it goes on without
    assert granted - lost_without_harm == {service.partition(".")[0] for service in ENDPOINTS}


@pytest.mark.parametrize("name", ["DefaultRoute", "SubnetA", "SubnetB", "RouteTable", "WorkerSecurityGroup"])
def test_a_stack_that_changes_its_network_keeps_subnets_and_route_which_could_not_be_there_twice(name: str) -> None:
    assert name in make_network("public")
    assert name in make_network("nat")


def test_what_the_emulator_has_not_is_made_with_nat_alone() -> None:
    unknown = {
        name
        for name, resource in NETWORK["Resources"].items()
        if resource["Type"].removeprefix("AWS::EC2::") not in EMULATED
    }
    assert unknown == {"NatBlock", "NatAddress", "NatGateway"}
    assert unknown <= set(make_network("nat"))
    assert not unknown & (set(make_network("public")) | set(make_network("endpoints")))


def test_zones_are_the_first_two_of_the_region_or_those_that_are_named() -> None:
    first = make_network("public")
    named = make_network("public", "us-west-1a,us-west-1c")
    for number, subnet in enumerate(("SubnetA", "SubnetB")):
        assert first[subnet]["AvailabilityZone"] == {"Fn::Select": [number, {"Fn::GetAZs": ""}]}
        split = {"Fn::Split": [",", {"Ref": "Zones"}]}
        assert named[subnet]["AvailabilityZone"] == {"Fn::Select": [number, split]}


@pytest.mark.parametrize(
    ("parameters", "public_ip", "network", "express"),
    [
        ({}, {"Ref": "WorkerPublicIp"}, "small-vpc", "public"),
        ({"WorkerNetwork": "nat"}, "DISABLED", {"Ref": "WorkerNetwork"}, "private"),
        ({"WorkerNetwork": "endpoints"}, "DISABLED", {"Ref": "WorkerNetwork"}, "private"),
        (OWN, {"Ref": "WorkerPublicIp"}, "subnets", "public"),
        (OWN | {"WorkerNetwork": "subnets"}, {"Ref": "WorkerPublicIp"}, "subnets", "public"),
        (OWN | {"WorkerPublicIp": "DISABLED"}, {"Ref": "WorkerPublicIp"}, "subnets", "private"),
    ],
)
def test_in_a_private_network_workers_have_no_public_address_and_the_express_function_is_beside_them(
    parameters: dict[str, str], public_ip: Any, network: Any, express: str
) -> None:
    assert choose(variables(FUNCTIONS["OnShardsWaiting"].properties)["PUBLIC_IP"], **parameters) == public_ip
    planner = variables(FUNCTIONS["OnScanRequested"].properties)
    assert choose(planner["WORKER_NETWORK"], **parameters) == network
    assert choose(planner["EXPRESS_REACHES"], **parameters) == express
    assert ("VpcConfig" in choose(FUNCTIONS["OnShardQueued"].properties, **parameters)) == (express == "private")


def test_the_express_function_joins_the_network_that_the_stack_makes() -> None:
    joined = choose(FUNCTIONS["OnShardQueued"].properties["VpcConfig"], WorkerNetwork="nat")
    assert joined["SubnetIds"] == {"Fn::Split": [",", {"Fn::GetAtt": ["Network", "Outputs.Subnets"]}]}
    assert joined["SecurityGroupIds"] == [{"Fn::GetAtt": ["Network", "Outputs.SecurityGroup"]}]


@pytest.mark.parametrize("value", PARAMETERS["WorkerNetwork"]["AllowedValues"])
def test_the_code_knows_each_network_of_the_template(value: str) -> None:
    network = WorkerNetwork.of_stack(value, "subnet-1" if value == "subnets" else "")
    assert (network in PRIVATE_NETWORKS) == (value in ("nat", "endpoints"))
