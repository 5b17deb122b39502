"""A small DNS server on loopback whose names answer, fail, stay silent or change their minds, as its zone says.

A zone maps a name to an answer:

    [addresses]                          these, of either family; an empty list is a name without addresses
    "SERVFAIL", "REFUSED", "NOTIMP"      this error
    "silent"                             nothing at all
    "loop"                               an alias of an alias of itself
    {"first": "SERVFAIL", "times": 2, "then": answer}   the first so often, then the other
    {"rotate": [addresses]}              another one first each time
    {"truncated": [addresses]}           over UDP an empty answer that says so, over TCP the whole

Any other name does not exist.
"""

from __future__ import annotations

import struct
import threading
from collections import Counter
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer, ThreadingUDPServer
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

ADDRESS = "127.0.0.53"
Zone = dict[str, Any]


class DnsServer:
    """Answers on ADDRESS, port 53, over UDP and TCP, and counts what it was asked."""

    def __init__(self, zone: Zone) -> None:
        self.asked: Counter[str] = Counter()
        self._zone = zone
        self._lock = threading.Lock()
        answer = self._answer

        class Udp(BaseRequestHandler):
            def handle(self) -> None:
                data, socket = self.request
                if reply := answer(data, over_tcp=False):
                    socket.sendto(reply, self.client_address)

        class Tcp(BaseRequestHandler):
            def handle(self) -> None:
                with suppress(struct.error):
                    (length,) = struct.unpack("!H", self.request.recv(2))
                    if reply := answer(self.request.recv(length), over_tcp=True):
                        self.request.sendall(struct.pack("!H", len(reply)) + reply)

        ThreadingUDPServer.max_packet_size = 65_535
        for server in (ThreadingUDPServer((ADDRESS, 53), Udp), ThreadingTCPServer((ADDRESS, 53), Tcp)):
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def _answer(self, data: bytes, *, over_tcp: bool) -> bytes | None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        name = question.name.to_text(omit_final_dot=True).lower()
        with self._lock:
            self.asked[name] += 1
            number = self.asked[name]
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        return _fill(reply, self._zone.get(name, "NXDOMAIN"), number, over_tcp=over_tcp)


def _fill(reply: dns.message.Message, answer: Any, number: int, *, over_tcp: bool) -> bytes | None:
    (question,) = reply.question
    if answer == "silent":
        return None
    if answer == "loop":
        other = f"loop.{question.name}"
        for alias, target in ((str(question.name), other), (other, str(question.name))):
            reply.answer.append(dns.rrset.from_text(alias, 60, "IN", "CNAME", target))
        return reply.to_wire()
    if isinstance(answer, str):
        reply.set_rcode(dns.rcode.from_text(answer))
        return reply.to_wire()
    if isinstance(answer, dict) and "first" in answer:
        now = answer["first"] if number <= answer["times"] else answer["then"]
        return _fill(reply, now, number, over_tcp=over_tcp)
    if isinstance(answer, dict) and "rotate" in answer:
        turn = number % len(answer["rotate"])
        answer = [*answer["rotate"][turn:], *answer["rotate"][:turn]]
    if isinstance(answer, dict):
        if not over_tcp:
            reply.flags |= dns.flags.TC
            return reply.to_wire()
        answer = answer["truncated"]
    wants_ipv6 = question.rdtype == dns.rdatatype.AAAA
    if of_family := [address for address in answer if (":" in address) is wants_ipv6]:
        kind = "AAAA" if wants_ipv6 else "A"
        reply.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, of_family))
    return reply.to_wire()
