"""Vuls' portscan settings: its rules and messages, all told together, and what they become."""

import json
from typing import Any

import pytest

from cascan.errors import RequestRefused
from cascan.forms import read_request
from cascan.model.request import ScanRequest, ScanType
from cascan.model.shard import Lane
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.plan import plan

NMAP = {"scannerBinPath": "/usr/bin/nmap"}


def read(portscan: dict[str, Any], **fields: Any) -> ScanRequest:
    return read_request(json.dumps({"targets": ["10.0.0.1"], "portscan": portscan, **fields})).request


def reasons_for(portscan: dict[str, Any], **fields: Any) -> tuple[str, ...]:
    with pytest.raises(RequestRefused) as refused:
        read(portscan, **fields)
    return refused.value.reasons


@pytest.mark.parametrize(
    ("portscan", "scan_type", "parameters"),
    [
        ({}, None, ()),  # V3
        ({"scanTechniques": [], "sourcePort": "", "hasPrivileged": False}, None, ()),
        (NMAP, ScanType.NMAP, ("-sT",)),  # V8
        (NMAP | {"hasPrivileged": True}, ScanType.NMAP_PRIVILEGED, ("-sS",)),
        (NMAP | {"hasPrivileged": True, "scanTechniques": ["SX"]}, ScanType.NMAP_PRIVILEGED, ("-sX",)),  # V5
        (NMAP | {"scanTechniques": ["st"]}, ScanType.NMAP, ("-sT",)),
        (NMAP | {"hasPrivileged": True, "sourcePort": "65535"}, ScanType.NMAP_PRIVILEGED,
         ("-sS", "--source-port", "65535")),
    ],
)  # fmt: skip
def test_settings_become_options_and_a_scan_type(
    portscan: dict[str, Any], scan_type: ScanType | None, parameters: tuple[str, ...]
) -> None:
    request = read(portscan, parameters=["-p", "22"])
    assert (request.scan_type, request.parameters, request.portscan) == (scan_type, (*parameters, "-p", "22"), None)


@pytest.mark.parametrize(
    ("portscan", "why"),
    [
        ({"hasPrivileged": True}, "To enable the PortScan option, ScannerBinPath must be set."),  # V2
        ({"scannerBinPath": "/usr/bin/masscan"}, "workers bring their own nmap"),  # V4
        (NMAP | {"scanTechniques": ["sU"]}, "There is an unsupported option in ScanTechniques."),  # V5
        (
            NMAP | {"scanTechniques": ["sS", "sT"], "hasPrivileged": True},
            "Currently multiple ScanTechniques are not supported.",
        ),  # V6
        (NMAP | {"scanTechniques": ["sS"]}, "If not privileged, only TCPConnect Scan(-sT) can be used."),  # V7
        (NMAP | {"scanTechniques": ["sT"], "sourcePort": "53"}, "incompatible"),  # V11
        (NMAP | {"sourcePort": "53"}, "incompatible"),  # V11, where -sT is only the default
        (NMAP | {"hasPrivileged": True, "sourcePort": "http"}, "is not a number"),  # V12
        (NMAP | {"hasPrivileged": True, "sourcePort": "65536"}, "between 1 and 65535"),
        (NMAP | {"hasPrivileged": True, "sourcePort": "0"}, "may not work on all systems"),
        (NMAP | {"sourceport": "1"}, "sourceport"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_the_reason(portscan: dict[str, Any], why: str) -> None:
    assert any(why in reason for reason in reasons_for(portscan))


def test_every_problem_is_told_together() -> None:  # V13
    reasons = reasons_for({"scanTechniques": ["sU", "sS"], "sourcePort": "x"}, name="A B")
    assert len(reasons) == 5
    assert sum(reason.startswith("portscan.") for reason in reasons) == 4


def test_a_scan_type_that_contradicts_the_settings_is_refused() -> None:
    assert "contradicts portscan" in reasons_for(NMAP | {"hasPrivileged": True}, scanType="nmap")[0]
    assert read(NMAP, scanType="nmap").scan_type is ScanType.NMAP


def test_the_sample_of_vuls_runs_as_it_stands() -> None:  # V22
    sample = {"scannerBinPath": "/usr/bin/nmap", "hasPrivileged": True, "scanTechniques": ["sS"], "sourcePort": "65535"}
    planned = plan(read(sample), Permissions(Scope.of(["10.0.0.0/8"])))
    assert (planned.lane, planned.arguments) == (Lane.RAW, ("-sS", "--source-port", "65535"))
