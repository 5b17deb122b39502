"""What the inventory is told of a host."""

from __future__ import annotations

from datetime import UTC, datetime

from cascan.model.host import Address, Host, Port
from cascan.model.inventory import Sighting
from cascan.sightings import sightings_of
from tests.data.reports import hosts

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def seen(name: str, names: dict[str, str] | None = None) -> list[Sighting]:
    return [sighting for host in hosts(name) for sighting in sightings_of(host, "a" * 16, NOW, names)]


def test_every_listed_port_is_sighted_whatever_its_state() -> None:
    assert sorted({sighting.state for sighting in seen("connect")}) == ["closed", "filtered", "open"]
    assert len(seen("connect")) == 5
    assert len(seen("oddities/states")) == 9


def test_a_sighting_says_what_was_seen_where_and_when() -> None:
    assert seen("oddities/structures")[1] == Sighting(
        address="192.0.2.30",
        protocol="tcp",
        port=22,
        state="open",
        seen_at=NOW,
        scan_id="a" * 16,
        service="ssh",
        product="OpenSSH",
        version="9.2p1",
        hostname="asked.example",
    )


def test_the_name_of_the_request_is_the_name_of_the_sighting() -> None:
    assert {s.hostname for s in seen("oddities/smb", {"192.0.2.11": "asked.example"})} == {
        "files.example",
        "asked.example",
    }


def test_a_host_that_is_not_up_or_has_no_address_is_not_sighted() -> None:
    port = Port(protocol="tcp", number=22, state="open")
    down = Host(state="down", addresses=(Address("192.0.2.1", "ipv4"),), ports=(port,))
    nowhere = Host(state="up", addresses=(Address("02:00:5E:00:53:0A", "mac"),), ports=(port,))
    assert [sighting for host in (down, nowhere) for sighting in sightings_of(host, "a" * 16, NOW)] == []
