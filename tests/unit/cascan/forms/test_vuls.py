"""Vuls' config.toml, row by row of what its documentation says of the external port scanner."""

from __future__ import annotations

from typing import Any

import pytest

from cascan.errors import RequestRefused
from cascan.forms.complete_request import complete_request
from cascan.forms.read_request import read_short_form
from cascan.forms.vuls import read_vuls
from cascan.model.request import ScanRequest, ScanType

SAMPLE = """
version = "v2"
[default]
port = "22"
user = "vuls"
[default.portscan]
scannerBinPath = "/usr/bin/nmap"
hasPrivileged = true
scanTechniques = ["sS"]
sourcePort = "65535"

[servers]
[servers.web-1]
host = "10.0.0.1"
memo = "the rest of a section is about logging in"

[servers.db]
host = "10.0.0.2"
[servers.db.portscan]
scannerBinPath = "/usr/bin/nmap"
"""


def requests(text: str, *servers: str) -> dict[str, ScanRequest]:
    documents = read_vuls(text, servers).documents
    return {server: complete_request(read_short_form(document)) for server, document in documents.items()}


def server(portscan: str, rest: str = "") -> str:
    return f'[servers.web]\nhost = "10.0.0.1"\n{rest}\n[servers.web.portscan]\n{portscan}'


def reasons(text: str, *servers: str) -> tuple[str, ...]:
    with pytest.raises(RequestRefused) as refused:
        read_vuls(text, servers)
    return refused.value.reasons


NMAP = 'scannerBinPath = "/usr/bin/nmap"\n'
PRIVILEGED = NMAP + "hasPrivileged = true\n"


def test_each_server_becomes_a_request_with_its_host_as_target() -> None:
    found = requests(SAMPLE)
    assert {name: (one.name, one.targets, one.labels) for name, one in found.items()} == {
        "web-1": ("web-1", ("10.0.0.1",), {"vuls-server": "web-1"}),
        "db": ("db", ("10.0.0.2",), {"vuls-server": "db"}),
    }
    assert list(requests(SAMPLE, "db")) == ["db"]


def test_v1_v3_without_settings_of_the_scanner_a_plain_connect_scan_runs() -> None:
    for text in ('[servers.web]\nhost = "10.0.0.1"', server(""), server('scanTechniques = []\nsourcePort = ""')):
        request = requests(text)["web"]
        assert (request.scan_type, request.parameters) == (None, ())


def test_v2_a_setting_without_the_path_is_refused_in_vuls_words() -> None:
    for setting in ("hasPrivileged = true", 'scanTechniques = ["sT"]', 'sourcePort = "1"'):
        assert any(
            "servers.web.portscan.scannerBinPath: To enable the PortScan option, ScannerBinPath must be set." in reason
            for reason in reasons(server(setting))
        )


def test_v4_the_path_has_to_be_one_of_nmap_which_workers_bring_themselves() -> None:
    (reason,) = reasons(server('scannerBinPath = "/opt/masscan"'))
    assert "scanner is not found. ScannerBinPath: /opt/masscan not exists" in reason


@pytest.mark.parametrize("technique", ["sS", "st", "SA", "sW", "sM", "sN", "sF", "sX"])
def test_v5_every_technique_of_vuls_is_taken_in_any_case(technique: str) -> None:
    (request,) = requests(server(f'{PRIVILEGED}scanTechniques = ["{technique}"]')).values()
    assert request.parameters[0].lower() == f"-{technique.lower()}"


def test_v5_another_technique_is_refused_in_vuls_words() -> None:
    assert "There is an unsupported option in ScanTechniques." in reasons(server(f'{NMAP}scanTechniques = ["sU"]'))[0]


def test_v6_several_techniques_are_refused_in_vuls_words() -> None:
    (reason,) = reasons(server(f'{PRIVILEGED}scanTechniques = ["sS", "sT"]'))
    assert "Currently multiple ScanTechniques are not supported." in reason


def test_v7_without_privileges_only_a_connect_scan_is_taken() -> None:
    (reason,) = reasons(server(f'{NMAP}scanTechniques = ["sS"]'))
    assert "If not privileged, only TCPConnect Scan(-sT) can be used." in reason


def test_v8_the_technique_follows_from_the_privileges() -> None:
    assert requests(server(NMAP))["web"].parameters == ("-sT",)
    assert requests(server(PRIVILEGED))["web"].parameters == ("-sS",)


def test_v10_privileges_choose_the_scan_type() -> None:
    assert requests(server(NMAP))["web"].scan_type is ScanType.NMAP
    assert requests(server(PRIVILEGED))["web"].scan_type is ScanType.NMAP_PRIVILEGED


@pytest.mark.parametrize("techniques", ["", 'scanTechniques = ["sT"]\n'])
def test_v11_a_source_port_does_not_go_with_a_connect_scan_named_or_by_default(techniques: str) -> None:
    (reason,) = reasons(server(f'{NMAP}{techniques}sourcePort = "53"'))
    assert "incompatible with the TCP connect scan" in reason


def test_v12_a_source_port_is_wrong_in_three_ways() -> None:
    said = {value: reasons(server(f'{PRIVILEGED}sourcePort = "{value}"')) for value in ("http", "65536", "-1", "0")}
    assert "is not a number" in said["http"][0]
    assert "is not between 1 and 65535" in said["65536"][0]
    assert len(said["-1"]) == 1
    assert "may not work on all systems" in said["0"][0]


def test_v13_every_problem_of_every_server_is_told_together() -> None:
    text = f'''
    [servers.a]
    host = "10.0.0.1"
    [servers.a.portscan]
    scanTechniques = ["sU", "sS"]
    sourcePort = "x"
    [servers.b]
    [servers.c]
    host = "10.0.0.3"
    [servers.c.portscan]
    {NMAP}
    source = "1"
    [servers.d]
    host = "10.0.0.4"'''
    told = reasons(text, "a", "b", "c", "d", "e")
    assert [reason.split(":")[0].split(" ")[0] for reason in told] == [
        "servers.e",
        "servers.a.portscan.scannerBinPath",
        "servers.a.portscan.scanTechniques",
        "servers.a.portscan.scanTechniques",
        "servers.a.portscan.sourcePort",
        "servers.b.host",
        "servers.c.portscan.source",
    ]


def test_v14_a_server_without_settings_has_those_of_the_default_section_and_its_own_replace_them_whole() -> None:
    found = requests(SAMPLE)
    assert found["web-1"].parameters == ("-sS", "--source-port", "65535")
    assert found["db"].parameters == ("-sT",)  # nothing of the default section is mixed in
    partial = SAMPLE.replace('[servers.db.portscan]\nscannerBinPath = "/usr/bin/nmap"',
                             "[servers.db.portscan]\nhasPrivileged = true")  # fmt: skip
    assert reasons(partial)[0].endswith("so write every setting into it")


def test_v17_an_ipv6_host_is_scanned_as_one() -> None:
    for host in ("2001:db8::1", "[2001:db8::1]"):
        request = requests(f'[servers.web]\nhost = "{host}"')["web"]
        assert (request.targets, request.parameters) == (("2001:db8::1",), ("-6",))


def test_v22_the_sample_of_vuls_runs_as_it_stands() -> None:
    sample = 'scannerBinPath="/usr/bin/nmap"\nhasPrivileged=true\nscanTechniques=["sS"]\nsourcePort="65535"'
    request = requests(server(sample))["web"]
    assert (request.scan_type, request.parameters) == (
        ScanType.NMAP_PRIVILEGED,
        ("-sS", "--source-port", "65535"),
    )


def test_v23_the_port_module_needs_ospkg_and_a_server_without_it_is_not_scanned() -> None:
    both = '[servers.a]\nhost = "10.0.0.1"\n[servers.b]\nhost = "10.0.0.2"\n'
    assert reasons(f'{both}scanModules = ["port"]') == ("servers.b.scanModules: port requires ospkg",)
    read = read_vuls(f'{both}scanModules = ["ospkg"]')
    assert (list(read.documents), read.notes) == (["a"], ("servers.b: port is not among its scanModules",))


def test_a_network_and_the_addresses_to_ignore_become_target_and_exclude() -> None:
    request = requests('[servers.lan]\nhost = "10.0.0.0/24"\nignoreIPAddresses = ["10.0.0.9", "10.0.0.16/28"]')["lan"]
    assert (request.targets, request.exclude) == (("10.0.0.0/24",), ("10.0.0.9", "10.0.0.16/28"))


def test_keys_are_read_in_any_case_as_vuls_reads_them() -> None:
    request = requests('[Servers.Web]\nHOST = "10.0.0.1"\n[Servers.Web.PortScan]\nscannerbinpath = "nmap"')["Web"]
    assert (request.name, request.parameters) == ("web", ("-sT",))


def test_a_pseudo_server_is_noted_and_a_file_of_nothing_else_refused() -> None:
    pseudo = '[servers.cpe]\ntype = "pseudo"'
    assert reasons(pseudo) == ("there is no server to scan", "servers.cpe: a pseudo server has no host to scan")
    read = read_vuls(f'{pseudo}\n[servers.web]\nhost = "10.0.0.1"')
    assert (list(read.documents), len(read.notes)) == (["web"], 1)


def test_two_servers_do_not_share_a_series() -> None:
    (reason,) = reasons('[servers."a b"]\nhost = "10.0.0.1"\n[servers."a/b"]\nhost = "10.0.0.2"')
    assert reason.startswith("servers.a/b: as the name of a series it is the same as servers.a b")


def test_a_name_that_is_not_there_is_refused_with_the_nearest() -> None:
    assert "did you mean web-1?" in reasons(SAMPLE, "web1")[0]


@pytest.mark.parametrize(
    "text",
    ["", "x = 1", "[servers", "servers = 1", "[servers]", "[servers]\nweb = 1", '[servers.web]\nhost = 1',
     '[servers.web]\nhost = "10.0.0.1"\nportscan = 1', '[default]\nportscan = 1\n[servers.web]\nhost = "10.0.0.1"',
     "a = " + "[" * 9_999, '[servers.web]\nhost = "10.0.0.1"\nscanModules = 5'],
)  # fmt: skip
def test_what_is_no_such_configuration_is_refused_and_never_an_error(text: str) -> None:
    assert reasons(text)


def test_hosts_are_judged_like_any_target() -> None:
    request: Any = requests('[servers.web]\nhost = "-oX"')["web"]
    assert request.targets == ("-oX",)  # a target: planning refuses it
