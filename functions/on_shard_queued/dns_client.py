"""Look a name up in DNS, at the name servers of resolv.conf.

Imported only when a name needs DNS.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO
from pathlib import Path

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.resolver

from cascan.gateways import Lookup
from cascan.limits import MAX_LOOKUPS_PER_S, MAX_SEARCH_DOMAINS
from cascan.model.reason import ReasonCode
from cascan.nmap.addresses import is_address

RECORDS = {4: "A", 6: "AAAA"}
DEFAULT_SERVER = "127.0.0.1"  # where resolv.conf has no server. Source: resolv.conf(5)


class DnsClient:
    """Looks names up, from any number of threads, at most MAX_LOOKUPS_PER_S in a second."""

    def __init__(self, configuration: Path) -> None:
        self._resolver = _read_resolv_conf(configuration)
        self._rate_limit = _RateLimit(MAX_LOOKUPS_PER_S)

    def look_up(self, name: str, family: int, within_s: float) -> Lookup:
        """The first answer with an address for a candidate of `name`, or the last failure.

        The search ends when DNS fails: the next domain may have a different host of that name.
        """
        lookup = Lookup(asked=name)
        for candidate in self._candidates(name):
            lookup = self._query(candidate, family, within_s)
            if lookup.addresses or lookup.may_succeed_later:
                break
        return lookup

    def _candidates(self, name: str) -> Iterator[dns.name.Name]:
        """The absolute names to look up.

        A name without a dot is looked up in the search domains first.
        """
        absolute = dns.name.from_text(name)
        if "." not in name:
            domains = self._resolver.search or [self._resolver.domain]
            for domain in domains[:MAX_SEARCH_DOMAINS]:
                if domain != dns.name.root:
                    with suppress(dns.name.NameTooLong):  # the two together are too long
                        yield dns.name.Name(absolute.labels[:-1] + domain.labels)
        yield absolute

    def _query(self, name: dns.name.Name, family: int, within_s: float) -> Lookup:
        queried = name.to_text(omit_final_dot=True).lower()
        self._rate_limit.wait()
        try:
            answer = self._resolver.resolve(
                name, RECORDS[family], search=False, raise_on_no_answer=False, lifetime=within_s
            )
        except dns.resolver.NXDOMAIN:
            return _failure(queried, ReasonCode.NAME_NOT_FOUND, "DNS has no such name (NXDOMAIN)")
        except dns.resolver.NoNameservers as exc:
            return _describe_servers(queried, exc)
        except dns.resolver.LifetimeTimeout:
            return _failure(
                queried,
                ReasonCode.LOOKUP_FAILED,
                f"no name server answered within {within_s:g} s",
            )
        except (dns.exception.DNSException, OSError) as exc:
            return _failure(
                queried,
                ReasonCode.LOOKUP_FAILED,
                f"the lookup failed: {exc or type(exc).__name__}",
            )
        addresses = tuple(dict.fromkeys(record.address for record in answer.rrset or ()))
        if addresses:
            return Lookup(asked=queried, addresses=addresses)
        why = f"DNS has the name without an {RECORDS[family]} record"
        return _failure(queried, ReasonCode.NAME_WITHOUT_ADDRESS, why)


class _RateLimit:
    """Delays callers, from any thread, so that at most `per_s` in a second go on."""

    def __init__(self, per_s: float) -> None:
        self._interval_s = 1 / per_s
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._interval_s
        time.sleep(turn - now)


def _read_resolv_conf(path: Path) -> dns.resolver.Resolver:
    """The resolver that resolv.conf describes; if it names no server, the system's defaults."""
    resolver = dns.resolver.Resolver(configure=False)
    try:
        resolver.read_resolv_conf(StringIO("\n".join(_readable_lines(path))))
    except dns.resolver.NoResolverConfiguration:
        resolver.nameservers = [DEFAULT_SERVER]
    return resolver


def _readable_lines(path: Path) -> Iterator[str]:
    """The lines that dnspython can read; the system's resolver ignores the others as well."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        keyword, *values = line.split() or [""]
        if keyword in ("search", "domain"):
            yield " ".join([keyword, *filter(_is_domain, values)])
        elif keyword != "nameserver" or (values and is_address(values[0])):
            yield line


def _is_domain(text: str) -> bool:
    try:
        dns.name.from_text(text)
    except dns.exception.DNSException:
        return False
    return True


def _describe_servers(queried: str, exc: dns.resolver.NoNameservers) -> Lookup:
    """Every name server answered with an error."""
    errors: list[tuple[object, ...]] = exc.kwargs["errors"]
    if errors and all(isinstance(error[3], dns.message.ChainTooLong) for error in errors):
        return _failure(
            queried,
            ReasonCode.NAME_WITHOUT_ADDRESS,
            "its aliases (CNAME) lead in a circle",
        )
    answers = dict.fromkeys(_describe_answer(error) for error in errors)
    return _failure(
        queried,
        ReasonCode.LOOKUP_FAILED,
        f"DNS failed: {', '.join(answers) or 'no name server is left'}",
    )


def _describe_answer(error: tuple[object, ...]) -> str:
    """Describe an entry of dnspython's errors, such as `SERVFAIL from 10.0.0.2`.

    The entry is a tuple of server, over TCP, port, exception and response.
    """
    server, _, _, problem, response = error
    address = str(server).removeprefix("Do53:").partition("@")[0]
    if isinstance(response, dns.message.Message) and response.rcode() != dns.rcode.NOERROR:
        return f"{dns.rcode.to_text(response.rcode())} from {address}"
    return f"{problem} from {address}"


def _failure(queried: str, failure: ReasonCode, why: str) -> Lookup:
    return Lookup(asked=queried, failure=failure, why=why)
