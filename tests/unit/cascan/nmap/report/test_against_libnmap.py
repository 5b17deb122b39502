"""python-libnmap reads the same reports on its own: where it speaks of a thing, our reader must say the same."""

from __future__ import annotations

from typing import Any

import pytest

from cascan.model.host import Host, Port
from cascan.nmap.libnmap import as_libnmap
from tests.data.reports import HEADLESS, WHOLE, read_through, report

ALIKE = [*WHOLE, "oddities/smb", "oddities/states"]


def ours(port: Port) -> dict[str, Any]:
    service = port.service
    return {
        "port": (port.protocol, port.number, port.state, port.reason),
        "service": (service.name, service.tunnel, list(service.cpe)) if service else ("", "", []),
        "version": (service.product, service.version, service.extrainfo) if service else ("", "", ""),
        "scripts": [(script.id, script.output) for script in port.scripts],
    }


def theirs(service: Any) -> dict[str, Any]:
    said = service.service_dict
    return {
        "port": (service.protocol, service.port, service.state, service.reason),
        "service": (service.service, service.tunnel, said.get("cpelist", [])),
        "version": (said.get("product", ""), said.get("version", ""), said.get("extrainfo", "")),
        "scripts": [(script["id"], script["output"]) for script in service.scripts_results],
    }


@pytest.mark.parametrize("name", ALIKE)
def test_hosts_ports_states_services_and_scripts_are_those_of_libnmap(name: str) -> None:
    found, _ = read_through(report(name))
    oracle = as_libnmap(report(name)).hosts
    assert [host.address for host in found] == [host.address for host in oracle]
    assert [host.state for host in found] == [host.status for host in oracle]
    assert [[name.name for name in host.hostnames] for host in found] == [host.hostnames for host in oracle]
    assert [[ours(port) for port in host.ports] for host in found] == [
        [theirs(service) for service in host.services] for host in oracle
    ]


@pytest.mark.parametrize("name", [name for name in ALIKE if name != "osclass"])  # libnmap takes classes for matches
def test_addresses_os_matches_and_host_scripts_are_those_of_libnmap(name: str) -> None:
    for host, oracle in zip(read_through(report(name))[0], as_libnmap(report(name)).hosts, strict=True):
        assert (host.mac, host.address) == (oracle.mac, oracle.ipv4 or oracle.ipv6)
        assert [(match.name, match.accuracy) for match in host.os_matches] == _os_matches(oracle)
        assert [(s.id, s.output) for s in host.scripts] == [(s["id"], s["output"]) for s in oracle.scripts_results]
        assert _seconds(host) == (oracle.starttime or "", oracle.endtime or "")


@pytest.mark.parametrize("name", ALIKE)
def test_the_foot_of_the_report_is_that_of_libnmap(name: str) -> None:
    _, reader = read_through(report(name))
    oracle = as_libnmap(report(name))
    assert (reader.hosts_up, reader.hosts_down, reader.hosts_total) == (
        oracle.hosts_up,
        oracle.hosts_down,
        oracle.hosts_total,
    )
    assert reader.elapsed_s == oracle.elapsed
    assert reader.finished_at is not None
    assert int(reader.finished_at.timestamp()) == oracle.endtime
    assert name in HEADLESS or reader.version == oracle.version


def _os_matches(oracle: Any) -> list[tuple[str, int]]:
    return [(match.name, match.accuracy) for match in oracle.os.osmatches] if oracle.os_fingerprinted else []


def _seconds(host: Host) -> tuple[str, str]:
    started, finished = (
        str(int(moment.timestamp())) if moment else "" for moment in (host.started_at, host.finished_at)
    )
    return started, finished
