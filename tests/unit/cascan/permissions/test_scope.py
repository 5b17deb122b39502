"""The scope fails closed: what is not allowed is refused, a denial wins, IPv4 stays IPv4 wherever it is embedded."""

import ipaddress
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascan.nmap.special_addresses import Use, find_blocks
from cascan.nmap.targets.target_set import Name, parse_target
from cascan.permissions.scope import Scope
from cascan.settings import SettingsError
from tests.support.no_hang import no_hang

EVERYTHING = Scope.of(["0.0.0.0/0", "::/0", "example.org"])
OFFICE = Scope.of(["10.0.0.0/8", "192.0.2.7", "127.0.0.0/8", "::1", "2001:db8::/32"], ["10.9.0.0/16", "10.0.0.13"])
NAMED = Scope.of(["example.org"], ["secret.example.org"])


def refusal(scope: Scope, expression: str, family: int = 4) -> str | None:
    return scope.find_refusal(parse_target(expression, family))


def test_an_empty_scope_allows_nothing() -> None:
    nothing = Scope.of([])
    assert refusal(nothing, "127.0.0.1") == "127.0.0.1 is outside AllowedTargets"
    assert refusal(nothing, "::1", 6) == "::1 is outside AllowedTargets"
    assert refusal(nothing, "example.org") == "example.org is outside AllowedTargets"
    assert nothing.find_address_refusal("8.8.8.8", "example.org")


def test_a_wide_network_does_not_allow_loopback_which_has_to_be_named() -> None:
    assert refusal(EVERYTHING, "126-127.0.0.1") == (
        "127.0.0.1 (126-127.0.0.1) is the worker itself; AllowedTargets has to name it"
    )
    assert "the worker itself" in str(refusal(EVERYTHING, "::1", 6))
    assert "the worker itself" in str(EVERYTHING.find_address_refusal("::ffff:127.0.0.1"))
    named = Scope.of(["0.0.0.0/0", "::/0", "127.0.0.1", "::1"])
    assert (refusal(named, "127.0.0.1"), refusal(named, "::1", 6)) == (None, None)
    assert "the worker itself" in str(refusal(named, "127.0.0.0/31"))
    assert "is in DeniedTargets" in str(refusal(Scope.of(["127.0.0.1"], ["127.0.0.0/8"]), "127.0.0.1"))


NEVER = tuple(block.text for block in find_blocks(Use.NEVER))


@pytest.mark.parametrize("network", NEVER)
def test_what_is_never_scanned_is_refused_whatever_is_allowed(network: str) -> None:
    allowed = Scope.of(["0.0.0.0/0", "::/0", network, "example.org"])
    net = ipaddress.ip_network(network)
    for address in (net[0], net[-1]):
        family = address.version
        assert "is never scanned" in str(refusal(allowed, str(address), family)), address
        assert "is never scanned" in str(allowed.find_address_refusal(str(address))), address
        assert "is never scanned" in str(allowed.find_address_refusal(str(address), "www.example.org")), address


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23", "100.100.100.200"],
)
def test_metadata_and_task_credentials_are_out_of_reach(address: str) -> None:
    assert "never scanned" in str(EVERYTHING.find_address_refusal(address))


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("10.0.0.0/24", "10.0.0.13 (10.0.0.0/24) is in DeniedTargets (10.0.0.13)"),
        ("10.0.0.13", "10.0.0.13 is in DeniedTargets (10.0.0.13)"),
        ("10.1.0.0/16", None),
        ("10.0.0.14-255", None),
        ("10.8-9.0.1", "10.9.0.1 (10.8-9.0.1) is in DeniedTargets (10.9.0.0/16)"),
        ("10.0-8,10-255.1-255.*", None),
        ("9-11.1.1.1", "9.1.1.1 (9-11.1.1.1) is outside AllowedTargets"),
        ("10,11.1.1.1", "11.1.1.1 (10,11.1.1.1) is outside AllowedTargets"),
        ("192.0.2.7", None),
        ("192.0.2.6/31", "192.0.2.6 (192.0.2.6/31) is outside AllowedTargets"),
        ("0.0.0.0/31", "0.0.0.0 (0.0.0.0/31) is never scanned: this host"),
        ("255.255.255.255", "255.255.255.255 is never scanned: reserved and broadcast"),
        ("127.0.0.0/8", None),
    ],
)
def test_the_first_address_outside_is_named_with_the_reason(expression: str, sentence: str | None) -> None:
    assert refusal(OFFICE, expression) == sentence


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("::1", None),
        ("2001:db8:1::/48", None),
        ("2001:db8::/31", "2001:db9:: (2001:db8::/31) is outside"),
        ("2001:db9::1", "2001:db9::1 is outside AllowedTargets"),
        ("64:ff9b::10.1.0.1", None),  # NAT64 of 10.1.0.1
        ("64:ff9b::10.9.0.1", "10.9.0.1 (64:ff9b::10.9.0.1) is in DeniedTargets"),
        ("64:ff9b::8.8.8.8", "8.8.8.8 (64:ff9b::8.8.8.8) is outside"),
        ("64:ff9b::/96", "embedded IPv4"),
        ("::10.9.0.1", "is in DeniedTargets"),  # IPv4-compatible
        ("::a9fe:a9fe", "never scanned"),
        ("2002:a9fe:a9fe::1", "never scanned"),  # 6to4 of 169.254.169.254
        ("2002:a01:1::1", None),  # 6to4 of 10.1.0.1
        ("2002::/17", "embedded IPv4"),
        ("2001:0:a9fe:a9fe::1", "is not scanned"),  # Teredo
        ("64:ff9b:1::1", "is not scanned"),
        ("::/0", "embedded IPv4"),
        ("fe80::1%eth0", "never scanned"),
        ("ff02::1", "never scanned"),
    ],
)
def test_an_embedded_ipv4_address_is_judged_as_the_ipv4_address_it_is(expression: str, sentence: str | None) -> None:
    found = refusal(OFFICE, expression, 6)
    assert (found is None) if sentence is None else (sentence in str(found)), found


@pytest.mark.parametrize("address", ["::ffff:169.254.169.254", "::ffff:a9fe:aafe", "64:ff9b::a9fe:a9fe", "::7f00:1"])
def test_an_answer_of_the_resolver_that_embeds_ipv4_is_judged_as_well(address: str) -> None:
    scope = Scope.of(["0.0.0.0/0", "::/0", "example.org"], ["127.0.0.0/8", "169.254.0.0/16"])
    assert scope.find_address_refusal(address, "example.org")


@pytest.mark.parametrize(
    "address",
    ["2002:7f00:1::", "64:ff9b::7f00:1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:0:127.0.0.1", "2001:db8::5efe:7f00:1"],
)
def test_loopback_embedded_in_ipv6_is_refused_though_loopback_is_allowed(address: str) -> None:
    scope = Scope.of(["127.0.0.0/8", "::1", "2001:db8::/32", "example.org"])
    assert "the worker itself" in str(scope.find_address_refusal(address))
    assert "the worker itself" in str(scope.find_address_refusal(address, "example.org"))
    assert scope.find_address_refusal("127.0.0.1") is None


def test_a_denial_of_an_ipv6_network_holds_for_what_it_embeds() -> None:
    scope = Scope.of(["0.0.0.0/0"], ["64:ff9b::/96"])
    assert "is in DeniedTargets (64:ff9b::/96)" in str(scope.find_address_refusal("64:ff9b::8.8.8.8"))
    assert scope.find_address_refusal("8.8.8.8") is None


def test_both_parts_of_an_isatap_address_have_to_be_allowed() -> None:
    isatap = "2001:db8:1::5efe:10.1.0.1"
    assert OFFICE.find_address_refusal(isatap) is None
    assert "outside" in str(Scope.of(["10.0.0.0/8"]).find_address_refusal(isatap))
    assert "outside" in str(Scope.of(["2001:db8::/32"]).find_address_refusal(isatap))
    assert "DeniedTargets" in str(OFFICE.find_address_refusal("2001:db8:1:0:200:5efe:10.9.0.1"))
    assert "embedded IPv4" in str(refusal(OFFICE, "2001:db8::5efe:a00:0/120", 6))


@pytest.mark.parametrize(
    "network", ["::ffff:10.0.0.0/104", "64:ff9b::/96", "2002:a00::/24", "2001::/32", "64:ff9b:1::/48"]
)
def test_a_network_of_embedded_addresses_has_no_place_among_allowed_targets(network: str) -> None:
    with pytest.raises(SettingsError, match="holds embedded IPv4 addresses"):
        Scope.of([network])


def test_a_denial_of_mapped_addresses_would_not_hold_for_ipv4_so_it_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="name the IPv4 network"):
        Scope.of([], ["::ffff:10.0.0.0/104"])


def test_an_allowed_ipv6_network_does_not_allow_the_ipv4_hidden_in_it() -> None:
    assert "outside AllowedTargets" in str(refusal(Scope.of(["::/0"]), "64:ff9b::8.8.8.8", 6))


def test_a_name_waits_for_its_addresses_when_a_network_is_allowed() -> None:
    assert refusal(OFFICE, "anything.test") is None
    assert OFFICE.find_address_refusal("10.1.2.3", "anything.test") is None
    assert (
        OFFICE.find_address_refusal("8.8.8.8", "anything.test") == "8.8.8.8 (anything.test) is outside AllowedTargets"
    )


def test_a_domain_covers_its_names_and_nothing_that_only_looks_like_them() -> None:
    for name in ("example.org", "www.example.org", "a.b.EXAMPLE.org."):
        assert refusal(NAMED, name) is None
    for name in ("badexample.org", "example.org.evil.test", "org"):
        assert refusal(NAMED, name) == f"{name} is outside AllowedTargets"


def test_a_denied_domain_wins_over_an_allowed_one() -> None:
    assert refusal(NAMED, "db.secret.example.org") == "db.secret.example.org is in DeniedTargets (secret.example.org)"
    assert "DeniedTargets" in str(NAMED.find_address_refusal("8.8.8.8", "secret.example.org"))


def test_a_domain_alone_covers_public_addresses_only() -> None:
    assert NAMED.find_address_refusal("93.184.216.34", "www.example.org") is None
    assert NAMED.find_address_refusal("2606:2800:220:1::1", "www.example.org") is None
    private_ones = ("10.0.0.1", "127.0.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd12::1", "64:ff9b::a00:1", "fec0::1")
    for private in (*private_ones, "3fff::1", "5f00::1", "100::1", "2001:db8::1", "198.18.0.1", "2002:a00:1::1"):
        assert "is not a public address" in str(NAMED.find_address_refusal(private, "www.example.org")), private
    assert NAMED.find_address_refusal("93.184.216.34") == "93.184.216.34 is outside AllowedTargets"


def test_a_domain_does_not_vouch_for_the_neighbours_of_its_address() -> None:
    assert refusal(NAMED, "www.example.org/24") == "www.example.org/24 is outside AllowedTargets"
    block = parse_target("www.example.org/24")
    assert isinstance(block, Name)
    assert NAMED.find_refusal(block.pin("93.184.216.34"))


def test_an_address_that_cannot_be_read_is_refused() -> None:
    for text in ("", "127.1", "example.org", "010.0.0.1", "::1::"):
        assert EVERYTHING.find_address_refusal(text), text


@pytest.mark.parametrize(
    "entry", ["10.0.0.1/8", "127.1", "10.0.0.0/33", "", "*", "http://x", "a b", "10.0.0", "0x7f000001"]
)
def test_a_scope_that_cannot_be_read_stops_the_start(entry: str) -> None:
    with pytest.raises(SettingsError, match="AllowedTargets"):
        Scope.of(["10.0.0.0/8", entry])
    with pytest.raises(SettingsError, match="DeniedTargets"):
        Scope.of([], [entry])


NETWORKS = st.builds(
    lambda number, bits: str(ipaddress.ip_network((number << 28 | number << 20 | number << 2, bits), strict=False)),
    st.integers(0, 15),
    st.integers(2, 32),
)
OCTET = st.sets(st.sampled_from([0, 1, 2, 10, 16, 17, 32, 127, 169, 254, 255]), min_size=1, max_size=3)


@given(st.lists(NETWORKS, max_size=4), st.lists(NETWORKS, max_size=4), st.lists(OCTET, min_size=4, max_size=4))
def test_octet_ranges_are_judged_as_if_every_address_were_asked(
    allowed: list[str], denied: list[str], octets: list[set[int]]
) -> None:
    inside = [ipaddress.IPv4Network(text) for text in allowed]
    outside = [ipaddress.IPv4Network(text) for text in [*denied, *(text for text in NEVER if "." in text)]]
    expression = ".".join(",".join(map(str, sorted(octet))) for octet in octets)
    first = next(
        (
            str(address)
            for parts in itertools.product(*map(sorted, octets))
            if (address := ipaddress.IPv4Address(".".join(map(str, parts))))
            and (not any(address in net for net in inside) or any(address in net for net in outside))
        ),
        None,
    )
    found = Scope.of(allowed, denied).find_refusal(parse_target(expression))
    assert (found.split()[0] if found else None) == first


def test_a_thousand_ranges_are_judged_without_a_walk_through_them() -> None:
    scope = Scope.of(["10.0.0.0/8"], [f"10.{second}.3.0/24" for second in range(0, 256, 2)])
    targets = [parse_target(f"10.{second}-{second + 1}.4-255.1-254") for second in range(250)] * 4
    with no_hang():
        assert [scope.find_refusal(target) for target in targets] == [None] * 1000
