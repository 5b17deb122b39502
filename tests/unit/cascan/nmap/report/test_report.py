"""What the reader makes of reports: real ones, and oddities written by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

import pytest

from benchmarks.generated_reports import generate_report as generated
from cascan.errors import UnreadableReport
from cascan.model.host import Host, OsClass, Port
from cascan.model.recording import Place
from cascan.model.report import Finished, HostCounts, HostHint, PostScripts, PreScripts, RunStats
from cascan.nmap.report.read import read_report, resume_report
from tests.data.reports import WHOLE, hosts, read_through, report


def port_of(host: Host, script: str) -> Port:
    """The first port that the script ran on."""
    return next(port for port in host.ports if any(found.id == script for found in port.scripts))


def scripts_of(port: Port) -> dict[str, object]:
    return {script.id: script.data for script in port.scripts}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_report_is_complete(name: str) -> None:
    _, reader = read_through(report(name))
    assert reader.complete


def test_the_head_is_known_before_the_first_host_and_the_foot_after_the_last() -> None:
    reader = read_report(BytesIO(report("connect")))
    assert (reader.scanner, reader.version, reader.exit) == ("nmap", "7.93", None)
    assert reader.args.startswith("nmap -n --no-stylesheet -oX - -sT -p ")
    assert reader.started_at is not None
    assert reader.started_at.tzinfo is UTC
    assert len(list(reader)) == 1
    assert (reader.exit, reader.errormsg) == ("success", "")
    assert (reader.hosts_up, reader.hosts_down, reader.hosts_total) == (1, 0, 1)
    assert reader.elapsed_s is not None
    assert 0 < reader.elapsed_s < 60
    assert reader.finished_at is not None
    assert reader.finished_at >= reader.started_at


def test_the_states_of_listed_ports_are_as_nmap_says() -> None:
    (host,) = hosts("connect")
    assert [port.state for port in host.ports].count("open") == 3
    assert {port.state: port.reason for port in host.ports} == {
        "open": "syn-ack",
        "closed": "conn-refused",
        "filtered": "no-response",
    }
    (udp,) = hosts("udp")
    assert sorted(port.state for port in udp.ports) == ["closed", "open", "open|filtered"]
    assert {port.protocol for port in udp.ports} == {"udp"}
    assert {port.state for host in hosts("ack") for port in host.ports} == {"unfiltered"}


def test_ports_that_nmap_only_counts_are_counted() -> None:
    first = hosts("hosts")[0]
    assert [(extra.state, extra.count) for extra in first.extraports] == [("closed", 50)]
    assert [(extra.state, extra.count) for extra in hosts("oddities/states")[0].extraports] == [
        ("filtered", 900),
        ("closed", 93),
    ]


def test_a_probed_service_keeps_product_version_tunnel_and_cpe() -> None:
    (host,) = hosts("versions")
    web, ftp = (
        next(port.service for port in host.ports if port.service and port.service.common_name == name)
        for name in ("https", "ftp")
    )
    assert (web.name, web.tunnel, web.product, web.method, web.confidence) == (
        "http",
        "ssl",
        "BaseHTTPServer",
        "probed",
        10,
    )
    assert web.cpe[0].startswith("cpe:/a:python:python")
    assert (ftp.product, ftp.version, ftp.ostype) == ("vsftpd", "3.0.3", "Unix")


def test_each_port_keeps_all_of_its_own_scripts() -> None:
    (host,) = hosts("scripts")
    assert {script.id for script in port_of(host, "ftp-anon").scripts} == {"banner", "ftp-anon"}
    assert {"ssl-cert", "http-title", "http-headers"} <= {script.id for script in port_of(host, "ssl-cert").scripts}
    assert not next(port for port in host.ports if port.state == "closed").scripts


def test_tables_of_a_script_become_dicts_and_lists() -> None:
    certificate = scripts_of(port_of(hosts("scripts")[0], "ssl-cert"))["ssl-cert"]
    assert isinstance(certificate, dict)
    assert certificate["subject"] == {"commonName": "fixture.example"}
    assert certificate["pubkey"]["ecdhparams"]["curve_params"]["curve"] == "prime256v1"
    assert certificate["extensions"][2] == {"name": "X509v3 Basic Constraints", "value": "CA:TRUE", "critical": "true"}


def test_script_data_has_one_shape_for_each_way_of_giving_keys() -> None:
    data = scripts_of(port_of(hosts("oddities/structures")[0], "keyless"))
    assert data == {
        "keyless": ["first", "second"],
        "keyed": {"one": "1", "two": {"deep": "2", "empty": {}}},
        "repeated": {"name": ["a", "b"]},
        "mixed": {"name": "a", "": ["b"]},
        "plain": None,
    }


def test_script_text_is_kept_as_it_came() -> None:
    banner = next(s for s in port_of(hosts("scripts")[0], "fingerprint-strings").scripts if s.id == "banner")
    assert banner.output == 'fixture <banner> "1.0" \\x01\\xC3\\xA9'


def test_host_scripts_and_scripts_around_the_hosts_are_kept_apart() -> None:
    (host,), reader = read_through(report("oddities/structures"))
    assert [(script.id, script.data) for script in host.scripts] == [("fcrdns", {"<none>": {"status": "fail"}})]
    assert [script.id for script in reader.prescripts] == ["targets-asn"]
    assert [script.id for script in reader.postscripts] == ["reverse-index"]


def test_bytes_that_nmap_wrote_one_by_one_become_the_text_they_were() -> None:
    banner = next(s for s in hosts("oddities/structures")[0].ports[0].scripts if s.id == "banner")
    assert banner.output == "220 caf\N{LATIN SMALL LETTER E WITH ACUTE} \xff"  # \xff alone is no UTF-8, and stays


def test_control_characters_in_arguments_are_replaced_and_said() -> None:
    (host,), reader = read_through(report("arguments"))
    assert "note=Z\N{LATIN SMALL LETTER U WITH DIAERESIS}rich\N{REPLACEMENT CHARACTER}" in reader.args
    assert host.state == "unknown"
    assert reader.complete
    assert reader.warnings == ("Control characters, which XML cannot carry, were replaced.",)


@pytest.mark.parametrize("written", ["&#x1;", "&#X1F;", "&#x0b;", "&#0;", "&#31;", "&#012;", "&#x00;"])
def test_every_spelling_of_a_control_character_is_replaced(written: str) -> None:
    _, reader = read_through(report("connect").replace(b"nmap -n ", written.encode(), 2))
    assert reader.args.startswith("\N{REPLACEMENT CHARACTER}")


@pytest.mark.parametrize("written", [b"&#x9;", b"&#xa;", b"&#13;", b"&#32;", b"&#x20;"])
def test_characters_that_xml_can_carry_are_not_replaced(written: bytes) -> None:
    _, reader = read_through(report("connect").replace(b"nmap -n ", written, 2))
    assert reader.args[0] in "\t\n\r "
    assert not reader.warnings


def test_a_host_keeps_every_address_and_name_with_its_kind() -> None:
    first = hosts("oddities/smb")[0]
    assert [(address.addr, address.kind, address.vendor) for address in first.addresses] == [
        ("192.0.2.10", "ipv4", ""),
        ("02:00:5E:00:53:0A", "mac", "Example"),
    ]
    assert (first.address, first.mac) == ("192.0.2.10", "02:00:5E:00:53:0A")
    assert [(name.name, name.kind) for name in hosts("oddities/structures")[0].hostnames] == [
        ("ptr.example", "PTR"),
        ("asked.example", "user"),
        ("ptr.example", "PTR"),
    ]
    assert [host.addresses[0].kind for host in hosts("ipv6")] == ["ipv6"]


def test_os_matches_come_in_order_with_their_accuracy() -> None:
    matches = [(match.name, match.accuracy) for match in hosts("oddities/structures")[0].os_matches]
    assert matches == [("Linux 5.0", 96), ("Linux 4.0", 90)]
    assert hosts("os")[0].os_matches


def test_an_os_match_has_its_classes() -> None:
    (host,) = hosts("os")
    assert host.os_matches[3].classes[1] == OsClass(
        vendor="AXIS",
        family="embedded",
        type="webcam",
        accuracy=94,
        cpe=("cpe:/h:axis:210a_network_camera", "cpe:/h:axis:211_network_camera"),
    )


def test_what_nmap_measured_of_a_host_is_in_its_details() -> None:
    (host,) = hosts("os")
    (system,) = host.details["os"]
    assert [(used["state"], used["proto"]) for used in system["portused"]] == [
        ("open", "tcp"),
        ("closed", "tcp"),
        ("closed", "udp"),
    ]
    assert system["osfingerprint"][0]["fingerprint"].startswith("OS:SCAN(V=7.93%E=4%D=11/21")
    assert host.details["uptime"] == [{"seconds": "5", "lastboot": "Sat Nov 21 09:44:46 2026"}]
    assert host.details["distance"] == [{"value": "0"}]
    assert host.details["times"] == [{"srtt": "58", "rttvar": "3", "to": "100000"}]
    (sequence,) = host.details["tcpsequence"]
    assert (sequence["index"], sequence["difficulty"]) == ("258", "Good luck!")
    assert host.details["ipidsequence"][0]["class"] == "All zeros"
    assert host.details["tcptssequence"][0]["class"] == "other"
    assert host.details.keys().isdisjoint({"trace", "smurf"})


def test_every_other_element_of_a_host_is_in_its_details() -> None:
    found = hosts("oddities/structures")[0].details
    assert found["distance"] == [{"value": "2"}]
    assert found["uptime"][0]["seconds"] == "40"
    assert [hop["ipaddr"] for hop in found["trace"][0]["hop"]] == ["192.0.2.1", "192.0.2.30"]
    assert found["os"][0]["osmatch"][0]["osclass"][0]["cpe"] == [{"text": "cpe:/o:linux:linux_kernel:5"}]


@pytest.mark.parametrize("name", ["hosts", "generated", "damaged"])
def test_a_report_can_be_read_on_from_every_place_that_its_reader_gave(name: str) -> None:
    data = report("hosts") if name == "hosts" else b"".join(generated(150, "mixed"))
    if name == "damaged":
        data = data.replace(b"</ports>", b"", 1)
    reader = read_report(BytesIO(data))
    whole, places = list[Host](), dict[int, tuple[int, Place]]()
    for host in reader:
        if reader.place:
            places.setdefault(reader.place.offset, (len(whole), reader.place))
        whole.append(host)
    assert len(places) == (1 if name == "hosts" else 5)
    for offset, (before, place) in list(places.items())[1:]:
        rest = resume_report(BytesIO(data[offset:]), place)
        assert list(rest) == whole[before:]
        assert (rest.scaninfo, rest.exit, rest.hosts_total) == (reader.scaninfo, reader.exit, reader.hosts_total)
        assert rest.complete == reader.complete == (name != "damaged")


def test_a_report_with_comments_between_its_hosts_has_no_place_to_read_on_from() -> None:
    commented = b"".join(generated(150, "mixed")).replace(b"</ports>", b"</ports><!-- </host> -->", 1)
    reader = read_report(BytesIO(commented))
    assert len([host for host in reader if reader.place is None]) >= 119
    assert len(list(read_report(BytesIO(commented)))) == 150


def test_a_hosthint_is_no_host() -> None:
    assert b"<hosthint>" in report("oddities/structures")
    assert len(hosts("oddities/structures")) == 1


def test_an_error_from_another_host_names_it() -> None:
    assert [port.reason_ip for port in hosts("oddities/states")[0].ports if port.reason_ip] == ["192.0.2.1"]


def test_a_host_given_up_is_marked_and_has_no_ports() -> None:
    (host,), reader = read_through(report("host-timeout"))
    assert host.timed_out
    assert not host.ports
    assert reader.exit == "success"
    assert not any(host.timed_out for host in hosts("hosts"))


def test_a_host_that_is_down_or_not_asked_says_so() -> None:
    assert [(host.state, host.reason) for host in hosts("down")] == [("down", "net-unreach")]
    assert {host.state for host in hosts("list")} == {"unknown"}


def test_a_target_that_nmap_could_not_read_is_told() -> None:
    found, reader = read_through(report("list"))
    assert reader.skipped_targets == ("127.0.0.1/x",)
    assert [[name.name for name in host.hostnames] for host in found] == [[], ["localhost"]]


def test_times_are_aware_instants() -> None:
    first = hosts("oddities/smb")[0]
    assert first.started_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert first.finished_at == datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC)


def test_an_early_failure_is_a_report_of_no_host_with_nmaps_own_message() -> None:
    found, reader = read_through(report("bad-ports"))
    assert found == []
    assert (reader.exit, reader.scanner, reader.complete) == ("error", "", True)
    assert reader.errormsg == "Ports specified must be between 0 and 65535 inclusive"


def test_a_failure_of_the_script_engine_is_told_in_nmaps_words() -> None:
    _, reader = read_through(report("bad-script"))
    assert reader.exit == "error"
    assert "'no-such-script' did not match a category, filename, or directory" in reader.errormsg


def test_missing_elements_and_attributes_are_gone_without() -> None:
    found, reader = read_through(report("oddities/missing"))
    assert [host.state for host in found] == ["unknown", "unknown", "up"]
    assert [(port.number, port.state) for port in found[2].ports] == [(80, "unknown"), (81, "open")]
    assert (found[1].started_at, found[1].finished_at, found[1].addresses) == (None, None, ())
    assert not found[1].timed_out  # "maybe"
    assert (reader.exit, reader.elapsed_s, reader.hosts_up, reader.hosts_down) == (None, None, None, None)
    assert reader.warnings == (
        "An address that says nothing was left out.",
        "A host whose timedout is neither true nor false was taken not to have timed out.",
        "A time that is none was left out.",
        "A port without a number from 0 to 65535 was left out.",
        "A port without a protocol was taken to be of TCP.",
        "A number that is none was left out.",
        "A host name that says nothing was left out.",
    )


def test_a_report_of_nmap_5_is_read_whole() -> None:
    (host,), reader = read_through(report("oddities/nmap5"))
    rpc, ident = host.ports
    assert rpc.service is not None
    assert (rpc.owner, rpc.service.proto, rpc.service.rpcnum, rpc.service.lowver) == ("daemon", "rpc", 100_000, 2)
    assert (ident.owner, host.extraports[0].count, host.extraports[0].reasons) == ("", 998, ())
    assert host.os_matches[0].classes == ()
    assert host.details["os"][0]["osclass"][0]["osgen"] == "2.6.X"
    assert (host.details["smurf"], reader.version, reader.warnings) == ([{"responses": "3"}], "5.00", ())
    (hop,) = host.details["trace"][0]["hop"]
    assert (hop["ttl"], hop["ipaddr"], float(hop["rtt"]), hop["host"]) == ("1", "192.0.2.50", 0.2, "old.example")


def test_masscans_hosts_are_up_where_a_port_is_open_and_keep_their_banners() -> None:
    found, reader = read_through(report("oddities/masscan"))
    assert [(host.state, host.ports[0].number) for host in found] == [("up", 22), ("up", 80)]
    service = found[1].ports[0].service
    assert service is not None
    assert (service.name, service.banner) == ("http", "HTTP/1.0 200 OK\r\nServer: x")
    assert (reader.scanner, reader.complete, reader.exit) == ("masscan", True, None)
    assert reader.warnings == ("Hosts without a status are taken to be up where a port is open.",)


def test_everything_beside_the_hosts_is_read_in_order() -> None:
    names = [type(item).__name__ for item in read_report(BytesIO(report("oddities/nmap5"))).items()]
    assert names == ["ScanInfo", "Verbose", "Debugging", "TaskBegin", "TaskProgress", "TaskEnd", "Host", "RunStats"]
    (pre, hint, _, post, stats) = list(read_report(BytesIO(report("oddities/structures"))).items())
    assert isinstance(pre, PreScripts)
    assert isinstance(hint, HostHint)
    assert (hint.state, hint.reason, hint.addresses[0].addr) == ("up", "unknown-response", "192.0.2.30")
    assert isinstance(post, PostScripts)
    assert post.scripts[0].output == "\n  22/tcp: 192.0.2.30"
    assert stats == RunStats(
        finished=Finished(time="1767225605", elapsed="5.00", exit="success"),
        hosts=HostCounts(up="1", down="0", total="1"),
    )


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "The report is empty."),
        (b"  \n", "cut short"),
        (b"Starting Nmap 7.93", "damaged on line 1"),
        (b"<!DOCTYPE nmaprun>\n<nmap", "cut short"),
        (b'<?xml version="1.0"?><html><nmaprun/></html>', "another kind of document: its root element is <html>"),
        (report("oddities/script-help"), "nmap's list of scripts"),
        (report("oddities/entities"), "declares entities or elements of its own"),
        (b"<!DOCTYPE nmaprun []><nmaprun/>", "declares entities or elements of its own"),
    ],
)
def test_what_is_no_report_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(UnreadableReport, match=why):
        read_report(BytesIO(data))


@pytest.mark.parametrize(
    "before", [b"<!-- a -->\n", b"\n", b"<!-- <nmaprun> -->", b"<!-- <nmaprun> --> <!-- <nmaprun args='x'> -->\n"]
)
def test_what_stands_before_the_declaration_is_read_over_with_a_warning(before: bytes) -> None:
    data = report("hosts")
    found, reader = read_through(before + data)
    assert found == hosts("hosts")
    assert (reader.complete, reader.warnings) == (True, ("The XML declaration does not begin the report.",))
    assert reader.head == read_through(data)[1].head


def test_a_comment_behind_the_declaration_may_hold_what_looks_like_the_root() -> None:
    data = report("hosts").replace(b"<nmaprun ", b"<!-- <nmaprun> --><nmaprun ", 1)
    found, reader = read_through(data)
    assert (found, reader.warnings) == (hosts("hosts"), ())
