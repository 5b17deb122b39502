"""Vuls' port scan, row by row: V1 and V15 to V23. Rows V2 to V14 are about config.toml: test_vuls.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cascan.errors import RequestRefused
from cascan.forms.read_request import parse_request
from cascan.forms.vuls import read_vuls
from cascan.model.request import ScanType
from cascan.vuls.destinations import find_places
from cascan.vuls.reachability import ListenerAnswer, PortStates, judge_listeners
from cascan.vuls.requests import build_requests
from cascan.vuls.results import VulsResults
from cascan.vuls.summary import enrich, summarize
from tests.support import vuls_report

DATA = Path("tests/data/vuls")
SAMPLE = """
[default.portscan]
scannerBinPath = "/usr/bin/nmap"
hasPrivileged = true
scanTechniques = ["sS"]
sourcePort = "65535"
[servers.web]
host = "10.0.0.5"
"""
OPEN = {("10.0.0.5", 22): "open", ("10.0.0.6", 443): "open", ("2001:db8::5", 22): "open"}
CLOSED = {
    ("10.0.0.5", 80): "closed",
    ("10.0.0.6", 22): "filtered",
    ("10.0.0.6", 80): "closed",
    ("2001:db8::5", 80): "closed",
    ("2001:db8::5", 5432): "closed",
}


def read(name: str) -> VulsResults:
    return VulsResults((DATA / name).read_bytes())


def make_results(*entries: dict[str, Any], **fields: Any) -> VulsResults:
    process = {"pid": "1", "name": "p", "listenPortStats": list(entries)}
    document = {"serverName": "web", "ipv4Addrs": ["10.0.0.5"], "packages": {"a": {"AffectedProcs": [process]}}}
    return VulsResults(json.dumps(document | fields).encode())


def judge(results: VulsResults, states: dict[tuple[str, int], str], *, is_local: bool = False) -> list[ListenerAnswer]:
    return judge_listeners(results, find_places(results, is_local=is_local), PortStates(states))


def written(results: VulsResults, states: dict[tuple[str, int], str]) -> dict[str, Any]:
    answers = judge(results, states)
    copy: dict[str, Any] = json.loads(enrich(results, answers, summarize(results, answers).warnings))
    return copy


def destinations(results: VulsResults, *, is_local: bool = False) -> dict[str, list[int]]:
    found = find_places(results, is_local=is_local).destinations(results.listeners)
    return {address: sorted(ports) for address, ports in found.items()}


def test_v1_a_server_without_a_portscan_section_gets_a_connect_scan() -> None:
    settings = read_vuls('[servers.web]\nhost = "10.0.0.5"\n').documents["web"]
    ((document, _),) = build_requests("web", settings, {"10.0.0.5": frozenset({22})})
    assert (document["parameters"], "portscan" in document) == (["-Pn"], False)


def test_v15_destinations_are_the_listening_ports_of_affected_processes_each_once_for_each_address() -> None:
    assert destinations(read("web.json")) == {
        "10.0.0.5": [22, 80],
        "10.0.0.6": [22, 80, 443],
        "2001:db8::5": [22, 80, 5432],
    }
    assert destinations(read("old.json")) == {"10.0.0.9": [143, 993]}
    assert destinations(read("shop@web.json")) == {"172.30.0.2": [8080]}


@pytest.mark.parametrize(
    ("bind", "addresses"),
    [("*", ["10.0.0.5", "2001:db8::5"]), ("0.0.0.0", ["10.0.0.5"]), ("[::]", ["2001:db8::5"])],  # noqa: S104
)
def test_v15_a_listener_on_all_addresses_is_asked_on_those_of_its_family(bind: str, addresses: list[str]) -> None:
    results = make_results({"bindAddress": bind, "port": "80"}, ipv6Addrs=["2001:DB8:0::5", "2001:db8::5"])
    assert list(destinations(results)) == addresses


def test_v16_loopback_is_asked_only_where_vuls_does_not_log_in() -> None:
    results = make_results({"bindAddress": "127.0.0.1", "port": "5432"}, {"bindAddress": "[::1]", "port": "5432"})
    assert destinations(results) == {}
    assert destinations(results, is_local=True) == {"127.0.0.1": [5432], "::1": [5432]}
    assert [answer.is_known for answer in judge(results, {})] == [True, True]
    assert destinations(read("shop@web.json"), is_local=True) == {"172.30.0.2": [8080]}, "it has its own loopback"


@pytest.mark.parametrize(
    ("host", "port", "is_local"),
    [
        ("localhost", "local", True),
        ("127.0.0.1", "local", True),
        ("127.0.0.1", "22", False),
        ("10.0.0.5", "local", False),
    ],
)
def test_v16_vuls_does_not_log_in_where_host_and_port_say_so(host: str, port: str, *, is_local: bool) -> None:
    config = f'[default]\nport = "{port}"\n[servers.web]\nhost = "{host}"\n'
    assert ("web" in read_vuls(config).local_servers) is is_local


def test_v17_ipv6_is_a_request_of_its_own_with_6_and_the_brackets_of_a_target() -> None:
    settings = read_vuls(SAMPLE).documents["web"]
    found = find_places(read("web.json"), is_local=False).destinations(read("web.json").listeners)
    (four, of_ipv4), (six, of_ipv6) = build_requests("web", settings, found)
    assert four["targets"] == ["10.0.0.5:22,80", "10.0.0.6:22,80,443"]
    assert (six["targets"], six["parameters"]) == (["[2001:db8::5]:22,80,5432"], ["-Pn", "-6"])
    assert (four["name"], six["name"]) == ("web", "web-ipv6")
    assert {**of_ipv4, **of_ipv6} == found


def test_v18_an_address_is_asked_its_own_ports_and_what_was_not_answered_is_a_warning() -> None:
    results = read("web.json")
    answers = judge(results, OPEN)
    summary = summarize(results, answers, problems=["scan abc was cancelled"])
    assert not summary.is_complete
    assert summary.warnings[0] == "cascan: scan abc was cancelled"
    assert "cascan: reachability of *:80 at [2001:db8::5] unknown: it was not asked" in summary.warnings


def test_v18_a_long_list_of_ports_is_several_targets_of_one_request() -> None:
    ((document, _),) = build_requests("web", {}, {"10.0.0.5": frozenset(range(1, 4000, 2))})
    assert len(document["targets"]) > 1
    assert max(map(len, document["targets"])) <= 1024
    ports = [port for target in document["targets"] for port in target.partition(":")[2].split(",")]
    assert list(map(int, ports)) == list(range(1, 4000, 2))


def test_v19_only_open_is_reachable_and_open_filtered_is_an_answer_of_its_own() -> None:
    results = make_results({"bindAddress": "*", "port": "22"}, {"bindAddress": "*", "port": "80"})
    open_filtered, is_open = judge(results, {("10.0.0.5", 22): "open|filtered", ("10.0.0.5", 80): "open"})
    assert (open_filtered.reachable, open_filtered.open_filtered) == ((), ("10.0.0.5",))
    assert (is_open.reachable, is_open.open_filtered) == (("10.0.0.5",), ())
    assert open_filtered.is_known, "it was asked, and nothing said that it is open"


def test_v19_a_state_that_does_not_tell_open_from_closed_is_unknown() -> None:
    results = make_results({"bindAddress": "*", "port": "22", "portReachableTo": None})
    (answer,) = judge(results, {("10.0.0.5", 22): "unfiltered"})
    assert not answer.is_known
    assert written(results, {("10.0.0.5", 22): "unfiltered"})["packages"]["a"]["AffectedProcs"][0] == {
        "pid": "1",
        "name": "p",
        "listenPortStats": [{"bindAddress": "*", "port": "22", "portReachableTo": None}],
    }


def test_v20_every_address_that_answers_is_listed_for_an_asterisk_else_the_address_itself() -> None:
    packages = written(read("web.json"), OPEN | CLOSED)["packages"]
    stats = {
        name: [entry["portReachableTo"] for process in processes for entry in process.get("listenPortStats", [])]
        for name, package in packages.items()
        if (processes := package.get("AffectedProcs"))
    }
    assert stats == {
        "nginx": [["10.0.0.6"], []],
        "openssh-server": [["10.0.0.5"], ["[2001:db8::5]"]],
        "postgresql-15": [[], [], []],
    }


def test_v20_where_nothing_is_known_the_entry_stays_as_it_was_found_and_a_warning_says_so() -> None:
    entry = {"bindAddress": "*", "port": "22", "portReachableTo": ["10.0.0.5"]}
    results = make_results(entry, warnings=["one"])
    copy = written(results, {})
    assert copy["packages"]["a"]["AffectedProcs"][0]["listenPortStats"] == [entry]
    assert copy["warnings"] == ["one", "cascan: reachability of *:22 at 10.0.0.5 unknown: it was not asked"]


def test_v20_a_malformed_entry_is_skipped_with_a_warning() -> None:
    results = read("damaged.json")
    assert destinations(results) == {"10.0.0.7": [80]}
    copy = written(results, {("10.0.0.7", 80): "open"})
    original = json.loads((DATA / "damaged.json").read_bytes())
    entries = copy["packages"]["d"]["AffectedProcs"][2]["listenPortStats"]
    assert entries[0]["portReachableTo"] == ["10.0.0.7"]
    assert entries[1:] == original["packages"]["d"]["AffectedProcs"][2]["listenPortStats"][1:]
    assert len([warning for warning in copy["warnings"] if "malformed" in warning]) == 5
    assert any("'localhost' is not an address" in warning for warning in copy["warnings"])


def test_v20_a_file_with_listen_ports_alone_gets_the_new_form_in_their_place() -> None:
    results = read("old.json")
    copy = written(results, {("10.0.0.9", 143): "open", ("10.0.0.9", 993): "closed"})
    imap, anvil = copy["packages"]["dovecot"]["affectedProcs"]
    assert list(imap) == ["pid", "name", "listenPortStats", "other"]
    assert imap["listenPortStats"] == [
        {"bindAddress": "*", "port": "143", "portReachableTo": ["10.0.0.9"]},
        {"bindAddress": "10.0.0.9", "port": "993", "portReachableTo": []},
        {"bindAddress": "[::1]", "port": "143", "portReachableTo": []},
    ]
    assert anvil == {"pid": "12", "name": "anvil", "listenPorts": None}
    assert any('skipped: "no port"' in warning for warning in copy["warnings"])


def test_v21_the_lines_packages_and_cves_are_those_of_vuls_own_report() -> None:
    for name, states in (
        ("web.json", OPEN | CLOSED),
        ("old.json", {("10.0.0.9", 143): "open", ("10.0.0.9", 993): "closed"}),
        ("shop@web.json", {("172.30.0.2", 8080): "open"}),
    ):
        results = read(name)
        answers = judge(results, states)
        summary = summarize(results, answers)
        copy = json.loads(enrich(results, answers, summary.warnings))
        lines = [
            f"{process.package} {process.pid} {process.name}: {', '.join(answer.line for answer in process.listeners)}"
            for process in summary.processes
        ]
        assert lines == vuls_report.show_processes(copy)
        assert {cve.cve_id for cve in summary.cves} == vuls_report.list_marked_cves(copy)
        assert summary.packages == {
            package: vuls_report.has_reachable_port(copy["packages"][package]) for package in summary.packages
        }


def test_v21_a_reachable_port_is_marked_as_scannable() -> None:
    summary = summarize(read("web.json"), judge(read("web.json"), OPEN | CLOSED))
    lines = [answer.line for process in summary.processes for answer in process.listeners]
    assert lines == [
        "10.0.0.6:443(◉ Scannable: [10.0.0.6])",
        "*:80",
        "0.0.0.0:22(◉ Scannable: [10.0.0.5])",
        "[::]:22(◉ Scannable: [[2001:db8::5]])",
        "127.0.0.1:5432",
        "[::1]:5432",
        "[2001:db8::5]:5432",
    ]
    assert summary.packages == {"nginx": True, "openssh-server": True, "postgresql-15": False}
    assert [(cve.cve_id, cve.score, cve.title) for cve in summary.cves] == [
        ("CVE-2026-1001", 8.1, "A race in the login of the shell server"),
        ("CVE-2026-1003", None, ""),
    ]


def test_v22_the_sample_configuration_scans_as_it_says() -> None:
    settings = read_vuls(SAMPLE).documents["web"]
    ((document, _),) = build_requests("web", settings, {"10.0.0.5": frozenset({22})})
    request = parse_request({**document, "targets": ["10.0.0.5"]}).request
    assert request.scan_type is ScanType.NMAP_PRIVILEGED
    assert request.parameters == ("-sS", "--source-port", "65535", "-Pn")


def test_v23_the_module_port_needs_ospkg() -> None:
    with pytest.raises(RequestRefused, match="port requires ospkg"):
        read_vuls(SAMPLE + 'scanModules = ["port"]\n')
