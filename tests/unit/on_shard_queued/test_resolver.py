"""The bounds of looking names up, and what needs no DNS. tests/integration/test_names.py has DNS itself."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from unittest.mock import patch

import pytest

from cascan.gateways import Lookup
from cascan.limits import (
    FIRST_LOOKUP_TIMEOUT_S,
    LOOKUP_PAUSES_S,
    LOOKUP_TIMEOUT_S,
    MAX_LOOKUP_TOTAL_S,
    MAX_LOOKUPS_AT_ONCE,
    MAX_SLICES_PER_SHARD,
)
from cascan.model.reason import ReasonCode
from on_shard_queued import dns_client
from on_shard_queued.resolver import DnsResolver, read_hosts_file
from tests.fakes import dns_failure

NOWHERE = Path("/nonexistent")
HOSTS = """
# 10.0.0.1 commented.test
10.0.0.2 A.Test a  # 10.0.0.3 behind
10.0.0.4 a.test.
2001:db8::1 a.test six.test
fe80::1%eth0 zone.test
10.0.0 short.test
words only
\xff\xfe 10.0.0.9 bytes.test
"""


BROKEN = "options timeout:x attempts ndots: :\nsearch\ndomain\n"


class ScriptedClient:
    """Fails for names that begin with "bad", and counts what it is asked, and how many ask at once."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.limits: list[float] = []
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()

    def look_up(self, name: str, family: int, within_s: float) -> Lookup:
        with self._lock:
            self.asked[name] += 1
            self.limits.append(within_s)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return dns_failure(name) if name.startswith("bad") else Lookup(asked=name, addresses=("10.0.0.1",))
        finally:
            with self._lock:
                self.at_once -= 1


def a_resolver(client: ScriptedClient, pauses: list[float]) -> DnsResolver:
    return DnsResolver(NOWHERE, lambda: client, pauses.append)


def test_only_names_without_an_answer_are_asked_for_again_a_bounded_number_of_times() -> None:
    client, pauses = ScriptedClient(), list[float]()
    lookups = a_resolver(client, pauses).look_up(["good.test", "bad.test"], 4)
    assert client.asked == {"good.test": 1, "bad.test": 1 + len(LOOKUP_PAUSES_S)}
    assert pauses == list(LOOKUP_PAUSES_S)
    assert client.limits == [FIRST_LOOKUP_TIMEOUT_S, FIRST_LOOKUP_TIMEOUT_S, LOOKUP_TIMEOUT_S, LOOKUP_TIMEOUT_S]
    assert (lookups["good.test"].addresses, lookups["bad.test"].failure) == (
        ("10.0.0.1",),
        ReasonCode.LOOKUP_FAILED,
    )


def test_a_full_shard_is_looked_up_a_few_names_at_a_time_and_no_thread_is_left() -> None:
    client, before = ScriptedClient(), threading.active_count()
    names = [f"{number}.test" for number in range(MAX_SLICES_PER_SHARD)]
    lookups = a_resolver(client, []).look_up(names, 4)
    assert list(lookups) == names
    assert client.most_at_once <= MAX_LOOKUPS_AT_ONCE
    assert threading.active_count() == before


def test_a_worker_that_must_stop_asks_no_more_names() -> None:
    client, pauses = ScriptedClient(), list[float]()
    lookups = a_resolver(client, pauses).look_up(["bad.test", "good.test"], 4, give_up=lambda: "SIGTERM")
    assert (client.asked, pauses) == ({}, [])
    assert {lookup.failure for lookup in lookups.values()} == {ReasonCode.LOOKUP_FAILED}


def test_when_the_time_is_over_a_name_keeps_the_reason_that_it_has() -> None:
    client = ScriptedClient()
    now = iter([0.0, 1.0, MAX_LOOKUP_TOTAL_S - 1, *[MAX_LOOKUP_TOTAL_S + 1] * 9])
    with patch("on_shard_queued.resolver.time.monotonic", lambda: next(now)):
        lookups = a_resolver(client, []).look_up(["bad.test"], 4)
    assert client.asked == {"bad.test": 1}
    assert "SERVFAIL" in lookups["bad.test"].why


def test_a_resolver_that_is_asked_nothing_loads_nothing() -> None:
    def refuse() -> ScriptedClient:
        raise AssertionError("DNS is not needed")

    assert DnsResolver(NOWHERE, refuse).look_up([], 4) == {}
    assert DnsResolver(NOWHERE, refuse).look_up(["localhost"], 6)["localhost"].addresses == ("::1",)


@pytest.mark.parametrize(
    ("name", "family", "addresses"),
    [
        ("a.test", 4, ("10.0.0.2", "10.0.0.4")),
        ("a", 4, ("10.0.0.2",)),
        ("a.test", 6, ("2001:db8::1",)),
        ("six.test", 4, None),
        ("zone.test", 6, ("fe80::1%eth0",)),
        ("commented.test", 4, None),
        ("behind", 4, None),
        ("short.test", 4, None),
        ("bytes.test", 4, None),
        ("localhost", 4, ("127.0.0.1",)),
        ("db.localhost", 4, ("127.0.0.1",)),
    ],
)
def test_a_hosts_file_is_read_as_the_system_reads_it(
    name: str, family: int, addresses: tuple[str, ...] | None, tmp_path: Path
) -> None:
    path = tmp_path / "hosts"
    path.write_text(HOSTS, encoding="latin-1")
    assert read_hosts_file(path, {name}, family).get(name) == addresses


@pytest.mark.parametrize(
    "text", ["", "search corp.test\n", "nonsense\nnameserver\n", "\x00\xff\n", "nameserver dns.test\n", BROKEN]
)
def test_a_resolv_conf_without_a_name_server_means_the_one_on_this_machine(text: str, tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text(text, encoding="utf-8")
    assert dns_client._read_resolv_conf(path).nameservers == ["127.0.0.1"]
    assert dns_client._read_resolv_conf(NOWHERE).nameservers == ["127.0.0.1"]


def test_lookups_keep_their_pace() -> None:
    slept: list[float] = []
    time = "on_shard_queued.dns_client.time"
    with patch(f"{time}.sleep", slept.append), patch(f"{time}.monotonic", lambda: 5.0):
        pace = dns_client._RateLimit(100)
        for _ in range(4):
            pace.wait()
    assert slept == pytest.approx([0.0, 0.01, 0.02, 0.03])


def test_a_line_of_resolv_conf_that_cannot_be_read_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text(
        f"nameserver dns.test\nnameserver 10.0.0.2 # ours\nnameserver ::1\nsearch a..b corp.test {'a' * 64}.test\n"
    )
    read = dns_client._read_resolv_conf(path)
    assert (read.nameservers, [str(domain) for domain in read.search]) == (["10.0.0.2", "::1"], ["corp.test."])
