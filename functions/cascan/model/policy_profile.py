"""How much nmap's scripts may do. The operator chooses a profile for the stack; a request may only narrow it."""

from __future__ import annotations

from enum import StrEnum


class PolicyProfile(StrEnum):
    """From little to much: each profile also allows what the ones before it allow.

    profile      allows
    ───────────  ───────────────────────────────────────────────────────────────────────────────────────────────────────
    safe         scripts that only talk to the target, and read what it tells every client
    intrusive    guessing passwords, fuzzing, aggressive tests for vulnerabilities, packets that scripts craft, and
                 scripts that contact others than the target: redirects, links, services of third parties
    everything   exploits, denial of service, forged packets, commands on the target, broadcasts and others that
                 no list of targets bounds, and `+` before a script

    Every profile refuses scripts that read or write the worker's files, run code there, or choose other targets.
    """

    SAFE = "safe"
    INTRUSIVE = "intrusive"
    EVERYTHING = "everything"

    @property
    def rank(self) -> int:
        return list(PolicyProfile).index(self)

    def allows(self, needed: PolicyProfile) -> bool:
        return needed.rank <= self.rank
