"""How much scripts may do. The operator chooses a profile for the stack; a request may narrow it, never widen it."""

from __future__ import annotations

from enum import StrEnum


class PolicyProfile(StrEnum):
    """What nmap's scripts may do, from little to much; each profile allows what the ones before it do.

    profile      allows
    ───────────  ───────────────────────────────────────────────────────────────────────────────────────────────────────
    safe         scripts that talk to the target alone and ask it for what it tells anybody
    intrusive    guessing passwords, fuzzing, probing for vulnerabilities hard, packets of a script's own making, and
                 scripts that leave the target: redirects, links, services of third parties
    everything   exploits, denial of service, forged packets, commands on the target, broadcasts and whatever else
                 no list of targets bounds, and `+` before a script

    What reads or writes the worker's files, runs code there, or chooses other targets is refused in every profile.
    """

    SAFE = "safe"
    INTRUSIVE = "intrusive"
    EVERYTHING = "everything"

    @property
    def rank(self) -> int:
        return list(PolicyProfile).index(self)

    def allows(self, needed: PolicyProfile) -> bool:
        return needed.rank <= self.rank
