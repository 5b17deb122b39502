"""Why an outcome is not complete: the name, host, address or shard, and what happened to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from cascan.limits import MAX_LISTED_REASONS, MAX_SENTENCE_CHARS


class ReasonCode(StrEnum):
    """docs/outcomes.md explains each of them."""

    NAME_NOT_FOUND = "name-not-found"  # DNS says that the name does not exist
    # the name exists, and has no address of the family
    NAME_WITHOUT_ADDRESS = "name-without-address"
    LOOKUP_FAILED = "lookup-failed"  # DNS did not answer for the name, or answered with an error
    # found when the name was looked up, or since the scope was narrowed
    OUT_OF_SCOPE = "out-of-scope"
    ADDRESSES_LEFT_OUT = "addresses-left-out"  # a name has more addresses than are scanned
    HOST_TIMED_OUT = "host-timed-out"  # it exceeded --host-timeout
    # in a report, although not requested or outside the scope
    HOST_QUARANTINED = "host-quarantined"
    TIME_LIMIT = "time-limit"  # of one shard
    SCAN_DEADLINE = "scan-deadline"
    REPORT_LIMIT = "report-limit"  # the report is larger than cascan writes or reads
    REPORT_CUT_SHORT = "report-cut-short"
    REPORT_UNREADABLE = "report-unreadable"
    # nmap counted fewer addresses than it was given
    ADDRESSES_UNACCOUNTED = "addresses-unaccounted"
    NMAP_ERROR = "nmap-error"
    NMAP_PRIVILEGES = "nmap-privileges"  # nmap may not open raw sockets here
    NMAP_STOPPED = "nmap-stopped"
    NMAP_KILLED = "nmap-killed"
    NO_HOST_UP = "no-host-up"
    NOTHING_TO_SCAN = "nothing-to-scan"  # the excludes left no address
    SHARD_GIVEN_UP = "shard-given-up"  # out of attempts
    CANCELLED = "cancelled"
    OTHER = "other"


class Reason(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One reason. Codes are added over time, so a stored one may be unknown here."""

    code: str  # of ReasonCode
    subject: str  # the name, host, address or shard
    sentence: str  # for people; may quote nmap: show it as text, never as markup
    shard: int | None = None

    @classmethod
    def of(cls, code: ReasonCode, subject: str, sentence: str) -> Reason:
        """A reason whose sentence is cut to one line of at most MAX_SENTENCE_CHARS."""
        return cls(code=code.value, subject=_one_line(subject), sentence=_one_line(sentence))


class Reasons(msgspec.Struct, frozen=True, kw_only=True):
    """Reasons, counted by code; `listed` holds the first MAX_LISTED_REASONS of them."""

    counts: dict[str, int] = {}
    listed: tuple[Reason, ...] = ()

    @classmethod
    def of(cls, reasons: Iterable[Reason], unlisted: Mapping[str, int] | None = None) -> Reasons:
        """`unlisted`: by code, how many reasons to count in addition."""
        listed = tuple(reasons)
        counts = Counter(reason.code for reason in listed)
        counts.update(unlisted or {})
        return cls(counts=dict(+counts), listed=listed[:MAX_LISTED_REASONS])

    @property
    def count(self) -> int:
        return sum(self.counts.values())

    @property
    def sentence(self) -> str:
        """The first reason, and the number of others. Empty: there is none."""
        if not self.listed:
            return ""
        others = self.count - 1
        return self.listed[0].sentence + (f" (and {others} more)" if others > 0 else "")

    def at_shard(self, number: int) -> Reasons:
        """The same reasons, each with the number of its shard."""
        return replace(self, listed=tuple(replace(reason, shard=number) for reason in self.listed))


def merge_reasons(by_shard: Iterable[Reasons]) -> Reasons:
    """The reasons of several shards as those of one scan, in the same order."""
    counts: Counter[str] = Counter()
    listed: list[Reason] = []
    for reasons in by_shard:
        counts.update(reasons.counts)
        listed += reasons.listed[: MAX_LISTED_REASONS - len(listed)]
    return Reasons(counts=dict(counts), listed=tuple(listed))


def _one_line(text: str) -> str:
    clean = "".join(char if char.isprintable() else " " for char in text)
    return clean if len(clean) <= MAX_SENTENCE_CHARS else clean[: MAX_SENTENCE_CHARS - 3] + "..."
