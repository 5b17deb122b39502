"""Which mute holds a message back, and what came and went meanwhile. Every function is pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

import msgspec
from msgspec.structs import replace

from cascan.clock import to_wire
from cascan.exposure_updates.apply_severity_rules import is_suppressed
from cascan.findings.by_host import address_key
from cascan.limits import MAX_SUMMARY_LINE_CHARS, MAX_SUMMARY_LINES, MUTE_SETTLES_S
from cascan.messages.decide_exposure import RANKS, Audience
from cascan.messages.fields import Fields
from cascan.messages.notices import build_notice_fields
from cascan.model.exposure import Exposure, MoveKind
from cascan.model.finding import Severity
from cascan.model.message import CLOSED_STEPS, Statement
from cascan.model.mute import MUTE_SUMMARY, MuteSource, PassedExposure, PassedExposures, StoredMute

TEST = "test"  # the kind of a notice that tries a channel
NEVER_MUTED = frozenset({MUTE_SUMMARY, TEST})  # kinds of notices


class MessageTopic(msgspec.Struct, frozen=True, kw_only=True):
    """What a mute may select a message by."""

    address: str = ""  # empty: it is not about a host
    owner: str = ""
    series: frozenset[str] = frozenset()


def find_mute(topic: MessageTopic, mutes: Iterable[StoredMute], now: datetime) -> StoredMute | None:
    """The mute that holds the message back on all channels; of several the one that ends last. None: none does."""
    holding = [mute for mute in mutes if not mute.channel and mute.holds_at(now) and _selects(mute, topic)]
    return max(holding, key=lambda mute: (mute.ends_at, mute.mute_id), default=None)


def describe_notice(notice: Fields) -> MessageTopic | None:
    """What a notice is about. None: no mute holds it back."""
    if notice.get("kind") in NEVER_MUTED:
        return None
    series = frozenset({notice.get("subject", "")} - {""})
    return MessageTopic(address=_read_address(notice.get("address", "")), owner=notice.get("owner", ""), series=series)


def is_ending(mute: StoredMute, now: datetime) -> bool:
    """Whether its end is due, and was not completed."""
    return mute.closed_at is None and now >= mute.ends_at + timedelta(seconds=MUTE_SETTLES_S)


def came_and_went(exposure: Exposure, mute: StoredMute, latest: Statement | None, audience: Audience) -> bool:
    """Whether it was confirmed and resolved, and the channel has a message of neither.

    `latest`: the last statement of its thread on the channel.
    """
    if exposure.is_active or exposure.is_new or is_suppressed(exposure):
        return False
    is_resolved_meanwhile = exposure.changed_at is not None and exposure.changed_at >= mute.begins_at
    if not is_resolved_meanwhile or MoveKind.CONFIRMED not in exposure.announced:
        return False
    if not audience.includes(exposure.severity, exposure.owner):
        return False
    return latest is None or (latest.step in CLOSED_STEPS and latest.episode < exposure.episode)


def count_passed(
    passed: Mapping[str, PassedExposures], channel: str, exposure: PassedExposure
) -> dict[str, PassedExposures]:
    """What came and went, with another exposure on the channel."""
    earlier = passed.get(channel, PassedExposures())
    worst = tuple(sorted((*earlier.worst, exposure), key=_rank)[:MAX_SUMMARY_LINES])
    return dict(passed) | {channel: replace(earlier, count=earlier.count + 1, worst=worst)}


def describe_passed(exposure: Exposure) -> PassedExposure:
    """One line of a summary."""
    subject = exposure.subject
    about = f"{subject.address} {subject.protocol}/{subject.port}" if subject.protocol else subject.address
    line = f"{about} {subject.kind} ({exposure.severity.value})"[:MAX_SUMMARY_LINE_CHARS]
    return PassedExposure(severity=exposure.severity, address=subject.address, line=line)


def _rank(exposure: PassedExposure) -> tuple[int, str, str]:
    """The most severe first, then in order of address."""
    return -RANKS[exposure.severity], address_key(exposure.address), exposure.line


def build_summary(mute: StoredMute, passed: PassedExposures) -> Fields:
    """The fields of the notice about what came and went."""
    exposures = "1 exposure" if passed.count == 1 else f"{passed.count} exposures"
    excess = passed.count - len(passed.worst)
    lines = [*(exposure.line for exposure in passed.worst), *([f"and {excess} more"] if excess > 0 else [])]
    subject = "Quiet hours have" if mute.source is MuteSource.QUIET else "A mute has"
    title = f"{subject} ended: {exposures} came and went meanwhile"
    return build_notice_fields(
        MUTE_SUMMARY,
        title,
        f"Confirmed and resolved again: {'; '.join(lines)}.",
        Severity.INFORMATIONAL,
        subject=mute.mute_id,
        why=mute.reason,
        by=mute.by,
        until=to_wire(mute.ends_at),
    )


def _selects(mute: StoredMute, topic: MessageTopic) -> bool:
    if mute.networks and not _is_in_networks(topic.address, mute.networks):
        return False
    if mute.owners and topic.owner not in mute.owners:
        return False
    return not mute.series or not topic.series.isdisjoint(mute.series)


def _is_in_networks(address: str, networks: Collection[str]) -> bool:
    return bool(address) and any(ip_address(address) in ip_network(network) for network in networks)


def _read_address(text: str) -> str:
    """The address; empty: the text is none."""
    try:
        return str(ip_address(text))
    except ValueError:
        return ""
