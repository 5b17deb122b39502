"""A change that AWS tells of becomes a scan, through the rules of ExampleChanges as they are deployed.

Nobody may put an event of an `aws.` source on a bus, neither here nor there: the same target, transformer included,
stands behind a rule of our own. The emulator reads no array index in a path: `loadBalancers[0]` is a field's name here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cascan_cli.local.aws import client_options, open_session
from cascan_cli.local.policy import LocalPolicy
from cascan_cli.local.stack import up
from cascan_cli.local.state import StateDir
from cascan_cli.stack.open import local_parameters
from tests.e2e.cascan_command import Cascan
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e
SOURCE = "test.cascan"


class Changes:
    """A stack with the examples; `tell` says what CloudTrail would."""

    def __init__(self, cascan: Cascan) -> None:
        self.cascan = cascan
        endpoint = StateDir(cascan.state_dir).endpoint()
        self._bus = open_session(endpoint).client("events", **client_options(endpoint))

    def stand_in(self, name: str) -> None:
        """A rule for events of ours, with the targets of the deployed one whose name holds `name`."""
        (deployed,) = [rule["Name"] for rule in self._bus.list_rules()["Rules"] if name in rule["Name"]]
        pattern = {"source": [SOURCE], "detail-type": [name]}
        self._bus.put_rule(Name=name, EventPattern=json.dumps(pattern))
        self._bus.put_targets(Rule=name, Targets=self._bus.list_targets_by_rule(Rule=deployed)["Targets"])

    def tell(self, name: str, detail: dict[str, Any]) -> None:
        answer = self._bus.put_events(Entries=[{"Source": SOURCE, "DetailType": name, "Detail": json.dumps(detail)}])
        assert answer["FailedEntryCount"] == 0

    def ended(self, name: str) -> Any:
        """The one scan of this name, once it has ended."""

        def found() -> list[Any]:
            scans = self.cascan("scans --json").json
            return [one for one in scans if one["name"] == name and one["state"] in ("Done", "Errored")]

        (scan,) = eventually(found, timeout_s=120)
        return scan


@pytest.fixture(scope="module")
def changes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Changes]:
    state_dir = tmp_path_factory.mktemp("examples")
    parameters = local_parameters(LocalPolicy())
    up(state_dir, parameters | {"ExampleChanges": "enabled", "ExampleTarget": "127.0.0.1"})
    yield Changes(Cascan(state_dir))
    Cascan(state_dir)("local down")


def test_a_security_group_that_was_opened_has_the_example_target_scanned(changes: Changes) -> None:
    changes.stand_in("ExampleSecurityGroupRule")
    changes.tell("ExampleSecurityGroupRule", {"requestParameters": {"groupId": "sg-1"}})
    scan = changes.ended("example-security-group")
    assert (scan["state"], scan["outcome"]) == ("Done", "complete")


def test_a_load_balancer_out_of_scope_is_refused_and_the_reason_is_stored(changes: Changes) -> None:
    changes.stand_in("ExampleLoadBalancerRule")
    for address in ("127.0.0.1", "192.0.2.7"):
        changes.tell("ExampleLoadBalancerRule", {"responseElements": {"loadBalancers[0]": {"dNSName": address}}})
    assert changes.ended("127.0.0.1")["state"] == "Done"
    refused = changes.ended("192.0.2.7")
    assert (refused["state"], "192.0.2.7" in refused["errorDescription"]) == ("Errored", True)
