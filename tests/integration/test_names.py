"""Names as DNS has them: the worker's own code and nmap against a DNS server that fails in every way."""

from __future__ import annotations

import pytest

from cascan.model.scan import Outcome, ScanState
from tests.names.namespace import Scenario, missing, scan_names

WHY_NOT = missing()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
HERE = ["127.0.1.1"]


def test_a_name_that_dns_fails_for_costs_none_of_its_199_neighbours() -> None:
    names = [f"host-{n}.example.test" for n in range(199)]
    zone = {name: [f"127.0.1.{n}"] for n, name in enumerate(names)} | {"broken.example.test": "SERVFAIL"}
    result = scan_names(Scenario(zone=zone, targets=(*names[:100], "broken.example.test", *names[100:])))
    scan = result.scan
    assert (scan.state, scan.outcome, scan.hosts_up) == (ScanState.PARSE_COMPLETED, Outcome.PARTIAL, 199)
    assert (scan.total_addresses, scan.reasons.counts) == (200, {"lookup-failed": 1})
    (reason,) = scan.reasons.listed
    assert (reason.subject, reason.shard) == ("broken.example.test", 1)
    assert reason.sentence == "broken.example.test: DNS failed: SERVFAIL from 127.0.0.53"
    assert result.end["type"] == "ScanCompleted"
    assert result.end["reasons"]["counts"] == {"lookup-failed": 1}
    assert result.done == ("cut: another shard gets the rest", "returned", "reported")
    first, alone = result.shards
    assert (first.outcome, first.failures, first.addresses) == (Outcome.COMPLETE, 0, 199)
    assert [piece.expression for piece in alone.slices] == ["broken.example.test"]
    assert result.asked["host-0.example.test"] == 1


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ("SERVFAIL", "lookup-failed", "SERVFAIL from 127.0.0.53"),
        ("REFUSED", "lookup-failed", "REFUSED from 127.0.0.53"),
        ("NOTIMP", "lookup-failed", "NOTIMP from 127.0.0.53"),
        ("silent", "lookup-failed", "no name server answered within 0.2 s"),
        ("NXDOMAIN", "name-not-found", "DNS has no such name (NXDOMAIN)"),
        ([], "name-without-address", "DNS has the name without an A record"),
        (["2001:db8::1"], "name-without-address", "DNS has the name without an A record"),
        ("loop", "name-without-address", "its aliases (CNAME) lead in a circle"),
    ],
    ids=["SERVFAIL", "REFUSED", "NOTIMP", "silent", "NXDOMAIN", "empty", "other family", "loop"],
)
def test_each_way_to_fail_has_its_reason_and_the_other_name_is_scanned(answer: object, code: str, words: str) -> None:
    zone = {"odd.test": answer, "fine.test": HERE}
    within_s = 0.2 if answer == "silent" else 30.0
    result = scan_names(Scenario(zone=zone, targets=("odd.test", "fine.test"), within_s=within_s))
    scan, failed = result.scan, code == "lookup-failed"
    assert (scan.state, scan.hosts_up) == (ScanState.PARSE_COMPLETED, 1)
    assert scan.outcome is (Outcome.PARTIAL if failed else Outcome.UNRESOLVED)
    assert [(reason.code, reason.subject) for reason in scan.reasons.listed] == [(code, "odd.test")]
    assert words in scan.reasons.sentence
    assert len(result.done) == (3 if failed else 1)  # what DNS has answered is not asked again


def test_a_scan_of_one_name_that_dns_fails_for_ends_as_unresolved() -> None:
    result = scan_names(Scenario(zone={"odd.test": "REFUSED"}, targets=("odd.test",)))
    assert (result.scan.state, result.scan.outcome) == (ScanState.PARSE_COMPLETED, Outcome.UNRESOLVED)
    assert result.done == ("returned", "returned", "reported")
    assert result.asked["odd.test"] == 9  # three times in each of three attempts


def test_a_shard_that_may_not_fail_reports_at_once_what_dns_had_no_answer_for() -> None:
    zone = {"odd.test": "SERVFAIL", "fine.test": HERE}
    result = scan_names(Scenario(zone=zone, targets=("odd.test", "fine.test"), backoff_limit=0))
    assert (result.done, result.scan.outcome, result.scan.hosts_up) == (("reported",), Outcome.PARTIAL, 1)


@pytest.mark.parametrize(("times", "deliveries"), [(2, 1), (4, 2), (7, 3)])
def test_a_name_that_dns_answers_for_again_is_scanned_after_all(times: int, deliveries: int) -> None:
    odd = {"first": "SERVFAIL", "times": times, "then": ["127.0.1.2"]}
    result = scan_names(Scenario(zone={"odd.test": odd, "fine.test": HERE}, targets=("odd.test", "fine.test")))
    assert (result.scan.outcome, result.scan.hosts_up) == (Outcome.COMPLETE, 2)
    assert len(result.done) == deliveries
    assert result.scan.reasons.counts == {}


def test_a_truncated_answer_is_asked_for_again_over_tcp_and_all_of_it_is_judged() -> None:
    zone = {"many.test": {"truncated": [f"127.0.2.{n}" for n in range(200)] + ["10.0.0.1"]}}
    result = scan_names(Scenario(zone=zone, targets=("many.test",)))
    assert (result.scan.outcome, result.hosts) == (Outcome.FAILED, {})
    assert [reason.code for reason in result.scan.reasons.listed] == ["out-of-scope"]
    assert "10.0.0.1" in result.scan.reasons.sentence


def test_an_answer_that_rotates_is_scanned_where_it_was_judged() -> None:
    addresses = ["127.0.1.1", "127.0.1.2", "127.0.1.3"]
    result = scan_names(Scenario(zone={"turns.test": {"rotate": addresses}}, targets=("turns.test",)))
    (shard,) = result.shards
    assert shard.run
    assert tuple(result.hosts) == shard.run.resolved["turns.test"]
    assert result.scan.outcome is Outcome.COMPLETE


SEARCH = "search corp.test\noptions ndots:5\n"


def test_a_name_with_a_dot_is_never_looked_up_in_a_search_domain() -> None:
    zone = {"ghost.example.test.corp.test": ["127.0.1.9"], "ghost.corp.test": ["127.0.1.8"]}
    result = scan_names(
        Scenario(zone=zone, targets=("ghost.example.test", "ghost.example.test.", "ghost."), resolv_conf=SEARCH)
    )
    assert (result.scan.outcome, result.hosts) == (Outcome.UNRESOLVED, {})
    assert set(result.asked) == {"ghost.example.test", "ghost"}
    assert [reason.subject for reason in result.scan.reasons.listed] == ["ghost.example.test", "ghost."]


def test_a_single_label_is_looked_up_in_the_search_domains_and_reported_under_the_name_that_was_asked() -> None:
    zone = {"db.corp.test": ["127.0.1.9"]}
    result = scan_names(Scenario(zone=zone, targets=("db",), resolv_conf=SEARCH))
    assert (result.scan.outcome, result.hosts) == (Outcome.COMPLETE, {"127.0.1.9": "db.corp.test"})
    (shard,) = result.shards
    assert shard.run
    assert shard.run.asked_as == {"db": "db.corp.test"}


def test_a_search_domain_that_fails_is_a_failure_and_neither_no_such_name_nor_the_next_domain() -> None:
    zone = {"db.corp.test": "SERVFAIL", "db.other.test": ["127.0.1.9"]}
    result = scan_names(Scenario(zone=zone, targets=("db",), resolv_conf="search corp.test other.test\n"))
    assert (result.scan.outcome, result.hosts) == (Outcome.UNRESOLVED, {})
    assert "db, looked up as db.corp.test: DNS failed: SERVFAIL" in result.scan.reasons.sentence
    assert "db.other.test" not in result.asked


def test_an_allowed_domain_covers_the_name_that_was_looked_up_and_no_other() -> None:
    allowed, zone = ("db", "corp.test", "127.0.1.1/32"), {"db.other.test": ["93.184.216.34"]}
    result = scan_names(Scenario(zone=zone, targets=("db",), resolv_conf="search other.test\n", allowed=allowed))
    assert (result.scan.outcome, result.hosts) == (Outcome.FAILED, {})
    assert [reason.code for reason in result.scan.reasons.listed] == ["out-of-scope"]


def test_a_name_in_the_hosts_file_and_localhost_are_no_business_of_dns() -> None:
    zone = {"printer": ["127.0.1.9"], "printer.office.test": ["127.0.1.9"], "localhost": ["127.0.1.9"]}
    hosts = "# a comment\n127.0.1.4 printer Printer.Office.Test. # another\nnonsense\n::1 six.test\n"
    targets = ("printer", "printer.office.test", "localhost", "www.localhost")
    result = scan_names(Scenario(zone=zone, targets=targets, hosts=hosts, resolv_conf=SEARCH))
    assert (result.asked, set(result.hosts)) == ({}, {"127.0.1.4", "127.0.0.1"})
    assert (result.scan.outcome, result.scan.hosts_up, result.scan.total_addresses) == (Outcome.COMPLETE, 2, 2)


def test_every_address_of_a_name_counts_once() -> None:
    addresses = [f"127.0.1.{n}" for n in range(1, 17)]
    arguments = ("-n", "-sT", "-p", "8080", "--resolve-all")
    result = scan_names(Scenario(zone={"many.test": addresses}, targets=("many.test",), arguments=arguments))
    assert (result.scan.hosts_up, result.scan.total_addresses) == (16, 16)
    assert result.end["addresses"] == 16


@pytest.mark.parametrize("script", [(), ("--script", "+banner")], ids=["one shard", "a shard for each name"])
def test_names_that_share_an_address_are_one_address(script: tuple[str, ...]) -> None:
    zone = {"a.test": HERE, "b.test": HERE, "c.test": ["127.0.1.3"]}
    arguments = ("-n", "-sT", "-p", "8080", *script)
    result = scan_names(Scenario(zone=zone, targets=("a.test", "b.test", "c.test"), arguments=arguments))
    assert len(result.shards) == (3 if script else 1)
    assert (result.scan.outcome, result.scan.hosts_up, result.scan.total_addresses) == (Outcome.COMPLETE, 2, 2)
