"""What can go wrong.

CascanError
├── Rejected                a retry cannot help
│   ├── MalformedMessage    a message or object key of a wrong shape
│   ├── RequestRefused      a request with its reasons, one sentence each
│   ├── UnreadableReport    not a report of nmap
│   └── UnreadableItem      a stored item that this version cannot read
└── Retryable               it may
    ├── GatewayUnavailable  a service did not answer, or took only a part
    ├── ReadingProcessDied  one of several processes that read a report
    ├── ShardBusy           another worker holds the shard
    └── ShardLost           the worker no longer holds the shard
"""

from __future__ import annotations

from collections.abc import Sequence

from cascan.model.refusal import Refusal, Rule


class CascanError(Exception):
    """Base of every error that cascan raises on purpose."""


class Rejected(CascanError):
    """A retry cannot help: the input itself is wrong."""


class MalformedMessage(Rejected):
    """A message or an object key that does not have the shape its queue carries."""


class RequestRefused(Rejected):
    """A scan request that will not be run; `refusals` says why. A plain sentence becomes a refusal
    by `rule`.
    """

    def __init__(self, refusals: Sequence[Refusal | str], rule: Rule = Rule.DOCUMENT) -> None:
        self.refusals = tuple(Refusal("", rule, entry) if isinstance(entry, str) else entry for entry in refusals)
        super().__init__("; ".join(self.reasons))

    @property
    def reasons(self) -> tuple[str, ...]:
        """One sentence each."""
        return tuple(refusal.reason for refusal in self.refusals)


class UnreadableReport(Rejected):
    """Bytes that are not a report of nmap."""


class UnreadableItem(Rejected):
    """An item of the table or a record of the bucket that another version wrote, or that is
    damaged.
    """


class Retryable(CascanError):
    """The same message may succeed later."""


class GatewayUnavailable(Retryable):
    """A service behind a gateway did not answer, or took only a part of what it was given."""


class ReadingProcessDied(Retryable):
    """One of the processes that read a report ended by itself; what it had to read is missing."""


class ShardLost(Retryable):
    """The shard was cancelled, or another worker took it over: its message belongs to the next
    worker that gets it.
    """


class ShardBusy(Retryable):
    """Another worker holds the shard; the message returns to its queue and is tried again."""
