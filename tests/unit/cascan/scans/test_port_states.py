"""What the reports of a scan say of the ports that were asked, and why they say nothing of others."""

from __future__ import annotations

from cascan.ids import ReportKey
from cascan.model.shard import ShardState
from cascan.scans.port_states import DOWN, NO_REPORT, SILENT, TIMED_OUT, read_port_states
from tests.fakes import MemoryReportStore
from tests.support.builders import SCAN_ID, a_run, a_scan, a_shard, a_table

States = tuple[dict[tuple[str, int], str], dict[str, str]]


def host(address: str, body: str, *, state: str = "up", timed_out: bool = False) -> str:
    flag = ' timedout="true"' if timed_out else ""
    return (
        f'<host{flag}><status state="{state}" reason="user-set" reason_ttl="0"/>'
        f'<address addr="{address}" addrtype="ipv4"/><ports>{body}</ports></host>'
    )


def port(number: int, state: str, protocol: str = "tcp") -> str:
    return f'<port protocol="{protocol}" portid="{number}"><state state="{state}" reason="x" reason_ttl="0"/></port>'


def read(*reports: str, wanted: dict[str, frozenset[int]]) -> States:
    store = MemoryReportStore()
    for number, hosts in enumerate(reports):
        document = f'<?xml version="1.0"?><nmaprun scanner="nmap" version="7.93">{hosts}</nmaprun>'
        store.objects[str(ReportKey(SCAN_ID, number, 1))] = document.encode()
    shards = [a_shard(number=n, state=ShardState.RECORDED, attempt=1, run=a_run()) for n in range(len(reports))]
    return read_port_states(SCAN_ID, wanted, table=a_table(a_scan(shards=len(shards)), *shards), reports=store)


def test_listed_and_counted_ports_have_states_and_others_have_none() -> None:
    counted = (
        '<extraports state="closed" count="2"><extrareasons reason="reset" count="2" proto="tcp" ports="80,443"/>'
        "</extraports>"
    )
    body = counted + port(22, "open") + port(25, "open|filtered") + port(53, "open", "udp") + port(99, "open")
    states, problems = read(host("10.0.0.5", body), wanted={"10.0.0.5": frozenset({22, 25, 53, 80, 8080})})
    assert states == {("10.0.0.5", 22): "open", ("10.0.0.5", 25): "open|filtered", ("10.0.0.5", 80): "closed"}
    assert problems == {"10.0.0.5": NO_REPORT}


def test_a_host_that_says_nothing_has_no_states_and_the_reason() -> None:
    hosts = (
        host("10.0.0.1", port(22, "filtered"))
        + host("10.0.0.2", "", state="down")
        + host("10.0.0.3", port(22, "open"), timed_out=True)
        + host("10.0.0.9", port(22, "open"))
    )
    wanted = {f"10.0.0.{number}": frozenset({22}) for number in range(1, 5)}
    assert read(hosts, wanted=wanted) == (
        {},
        {"10.0.0.1": SILENT, "10.0.0.2": DOWN, "10.0.0.3": TIMED_OUT, "10.0.0.4": NO_REPORT},
    )


def test_open_filtered_alone_is_an_answer() -> None:
    states, _ = read(host("10.0.0.1", port(22, "open|filtered")), wanted={"10.0.0.1": frozenset({22})})
    assert states == {("10.0.0.1", 22): "open|filtered"}


def test_a_host_that_was_scanned_again_is_taken_from_the_later_shard() -> None:
    first, second = host("10.0.0.1", "", timed_out=True), host("10.0.0.1", port(22, "open"))
    states, _ = read(first, second, wanted={"10.0.0.1": frozenset({22})})
    assert states == {("10.0.0.1", 22): "open"}


def test_a_damaged_report_counts_up_to_the_damage() -> None:
    damaged = host("10.0.0.1", port(22, "open")) + "<host><status"
    states, problems = read(damaged, wanted={"10.0.0.1": frozenset({22}), "10.0.0.2": frozenset({22})})
    assert states == {("10.0.0.1", 22): "open"}
    assert problems["10.0.0.2"] == NO_REPORT
