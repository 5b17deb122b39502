"""Scans of the lab with exactly the rights of a task on Fargate, as infra/workers.yaml and the Dockerfile state them.

The worker's own code plans and runs the shard, as uid 1001 on a read-only root, with the real nmap.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import pytest

from cascan.model.host import Host, Port
from cascan.model.shard import Lane
from cascan.nmap.report.read import read_report
from tests.lab import Lab
from tests.lab.network import HOSTS, ROUTER
from tests.support.fargate import PYTHON, Rights, as_a_task, rights_of

pytestmark = pytest.mark.e2e
RAW, CONNECT = rights_of(Lane.RAW), rights_of(Lane.CONNECT)
NET_BIND_SERVICE, NET_RAW = 1 << 10, 1 << 13  # linux/capability.h
PEERS_RECIPE = "cap_net_raw,cap_net_admin,cap_net_bind_service+eip"  # as nmap's wiki and others' documentation have it


@dataclass(frozen=True)
class Scanned:
    lane: str
    did: str
    run: dict[str, Any]
    rights: dict[str, str]  # of the worker, as the kernel states them
    hosts: dict[str, Host]  # by address
    exit: str | None

    def open_ports(self, address: str) -> dict[tuple[str, int], Port]:
        return {(p.protocol, p.number): p for p in self.hosts[address].ports if p.state == "open"}

    def states(self, address: str) -> dict[tuple[str, int], str]:
        return {(port.protocol, port.number): port.state for port in self.hosts[address].ports}


def ran(lab: Lab, rights: Rights, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return lab.run(*as_a_task(rights, *command), input=stdin)


def scan(lab: Lab, rights: Rights, targets: list[str], *parameters: str) -> Scanned:
    request = json.dumps({"targets": targets, "parameters": parameters})
    worked = ran(lab, rights, PYTHON, "-m", "tests.lab.one_shard", stdin=request)
    assert worked.returncode == 0, worked.stderr
    answer = json.loads(worked.stdout)
    report = read_report(BytesIO(answer.pop("report").encode()))
    hosts = {host.address: host for host in report}
    assert report.complete
    return Scanned(**answer, hosts=hosts, exit=report.exit)


@pytest.fixture(scope="module")
def hosts(network_lab: Lab) -> Lab:
    if shutil.which("setcap") is None or shutil.which("setpriv") is None:
        pytest.skip("needs setcap and setpriv: ./.ci/install libcap2-bin util-linux")
    return network_lab


@pytest.fixture(scope="module")
def everything(hosts: Lab) -> Scanned:
    """Every technique that needs raw sockets, on every host that answers."""
    targets = [hosts.address(name) for name in ("web", "tls", "ssh", "files", "far")]
    options = "-sS -sU -O -A --traceroute -T4 --max-os-tries 1 -p T:21,22,80,443,445,U:161"
    return scan(hosts, RAW, targets, *options.split())


def test_raw_scans_of_all_kinds_work_for_an_ordinary_user_whose_container_keeps_two_capabilities(
    everything: Scanned,
) -> None:
    assert (everything.lane, everything.did, everything.exit) == ("raw", "reported", "success")
    assert (everything.run["exit_code"], everything.run["stderr"], everything.run["stopped"]) == (0, "", "")
    assert everything.rights["Uid"].split() == ["1001"] * 4
    assert int(everything.rights["CapBnd"], 16) == NET_RAW | NET_BIND_SERVICE
    assert {everything.rights[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}


def test_a_raw_scan_finds_each_service_by_tcp_and_udp_and_says_what_it_is(everything: Scanned) -> None:
    products = {
        name: {key: port.service.product for key, port in everything.open_ports(HOSTS[name]).items() if port.service}
        for name in ("web", "tls", "ssh", "files")
    }
    assert products["web"] == {("tcp", 80): "nginx"}
    assert products["tls"] == {("tcp", 443): "nginx"}
    assert products["ssh"].keys() == {("tcp", 22), ("udp", 161)}
    assert products["ssh"]["tcp", 22] == "OpenSSH"
    assert "SNMP" in products["ssh"]["udp", 161]
    assert products["files"].keys() == {("tcp", 21), ("tcp", 445)}
    assert products["files"]["tcp", 21] == "vsftpd"
    assert "Samba" in products["files"]["tcp", 445]


def test_scripts_ran_beside_the_raw_probes(everything: Scanned) -> None:
    output = {s.id: s.output for s in everything.open_ports(HOSTS["files"])["tcp", 21].scripts}
    assert "Anonymous FTP login allowed" in output["ftp-anon"]
    certificate = {s.id: s.output for s in everything.open_ports(HOSTS["tls"])["tcp", 443].scripts}["ssl-cert"]
    assert "tls.lab.example" in certificate


def test_os_detection_saw_the_fingerprint_of_every_host(everything: Scanned) -> None:
    for address, host in everything.hosts.items():
        (detected,) = host.details["os"]
        used = {port["state"] for port in detected["portused"]}
        assert used >= {"open", "closed"}, address


def test_neighbours_show_their_hardware_address_and_the_far_host_its_route(everything: Scanned) -> None:
    far = next(host for address, host in everything.hosts.items() if address.startswith("198.51.100."))
    neighbours = [host for host in everything.hosts.values() if host is not far]

    assert all(host.mac and host.reason == "arp-response" for host in neighbours)
    (trace,) = far.details["trace"]
    assert [hop["ipaddr"] for hop in trace["hop"]] == [ROUTER, far.address]


def test_a_host_that_drops_everything_is_reported_as_just_that(hosts: Lab) -> None:
    silent = hosts.address("silent")
    found = scan(hosts, RAW, [silent], "-n", "-sS", "-sU", "-Pn", "--max-retries", "1", "-p", "T:22,80,U:161")

    assert found.states(silent) == {("tcp", 22): "filtered", ("tcp", 80): "filtered", ("udp", 161): "open|filtered"}


def test_a_connect_scan_works_without_any_capability(hosts: Lab) -> None:
    web, silent = hosts.address("web"), hosts.address("silent")
    found = scan(hosts, CONNECT, [web, silent], "-n", "-sT", "-Pn", "-sV", "--max-retries", "1", "-p", "22,80")

    assert (found.did, found.run["exit_code"], found.run["stderr"], found.exit) == ("reported", 0, "", "success")
    assert {found.rights[name] for name in ("CapBnd", "CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    assert found.states(web) == {("tcp", 22): "closed", ("tcp", 80): "open"}
    assert found.states(silent) == {("tcp", 22): "filtered", ("tcp", 80): "filtered"}
    assert found.hosts[web].mac == ""  # nobody but a raw scan sees it


def starts_nmap(lab: Lab, rights: Rights) -> bool:
    """Whether the kernel lets a connect scan begin."""
    started = ran(lab, rights, "nmap", "-sT", "-n", "-Pn", "-p", "80", HOSTS["web"])
    refused = "Operation not permitted" in started.stderr and not started.stdout
    assert refused or started.returncode == 0, started.stderr
    return not refused


@pytest.mark.parametrize("user", ["1001", "0"])
def test_with_net_admin_among_the_files_capabilities_the_kernel_starts_no_nmap_at_all(hosts: Lab, user: str) -> None:
    """The recipe that is passed around: for an ordinary user and for root, and even for a connect scan."""
    assert starts_nmap(hosts, replace(RAW, user=user))
    assert not starts_nmap(hosts, replace(RAW, user=user, nmap_capabilities=PEERS_RECIPE))


def test_a_task_that_drops_all_could_not_start_the_raw_images_nmap(hosts: Lab) -> None:
    assert starts_nmap(hosts, CONNECT)
    assert not starts_nmap(hosts, replace(RAW, capabilities=CONNECT.capabilities))


def test_not_even_root_could_write_anywhere_but_to_tmp(hosts: Lab) -> None:
    places = ["/", "/app", "/etc", "/opt/python", "/usr/bin", "/tmp"]
    tried = ran(hosts, replace(RAW, user="0"), "touch", *(f"{place}/written" for place in places))

    assert [line.rpartition(": ")[2] for line in tried.stderr.splitlines()] == ["Read-only file system"] * 5
    assert "/tmp/" not in tried.stderr
