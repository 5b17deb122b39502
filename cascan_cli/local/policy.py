"""The scope and the policy profile of the local stack.

`cascan local up` sets them, and they are stored in its directory.

The options `--allow` and `--policy-profile` of a single scan extend them for the stack that this
command starts.
"""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import msgspec
from msgspec.structs import asdict

from cascan_cli.errors import StateUnreadable
from cascan_cli.local.private import replace_file
from cascan_cli.local.state import StateDir

LOOPBACK_AND_PRIVATE = (
    "127.0.0.0/8",
    "::1",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "fc00::/7",
)


class LocalPolicy(msgspec.Struct, frozen=True):
    """`allow` is in addition to loopback and private networks."""

    allow: tuple[str, ...] = ()
    profile: str = "safe"

    @property
    def allowed_targets(self) -> tuple[str, ...]:
        return (*LOOPBACK_AND_PRIVATE, *self.allow)

    def replace_with(self, args: Namespace) -> LocalPolicy:
        """The policy with the options of `local up`; each option replaces the stored value."""
        if args.default_policy:
            return LocalPolicy(tuple(args.allow or ()), args.policy_profile or "safe")
        allow = self.allow if args.allow is None else tuple(args.allow)
        return LocalPolicy(allow, args.policy_profile or self.profile)

    def widen(self, args: Namespace) -> LocalPolicy:
        """The policy with the options of one scan.

        `--allow` adds targets, `--policy-profile` replaces the profile.
        """
        allowed = getattr(args, "allow", None) or ()
        profile = getattr(args, "policy_profile", None) or self.profile
        added = tuple(target for target in allowed if target not in self.allow)
        return LocalPolicy((*self.allow, *added), profile)

    def sentence(self) -> str:
        allowed = f" and {', '.join(self.allow)}" if self.allow else ""
        return f"may scan loopback, private networks{allowed}; policy profile {self.profile}"


def read_policy(root: Path | None) -> LocalPolicy:
    """What `local up` stored last, or the default. Raises: StateUnreadable: the file is damaged."""
    path = _path(root)
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return LocalPolicy(tuple(map(str, stored["allow"])), str(stored["profile"]))
    except FileNotFoundError:
        return LocalPolicy()
    except (OSError, ValueError, KeyError, TypeError) as exc:
        fix = "remove it and run cascan local up again"
        raise StateUnreadable(f"{path} is damaged ({exc}); {fix}") from exc


def store_policy(root: Path | None, policy: LocalPolicy) -> None:
    replace_file(_path(root), json.dumps(asdict(policy)))


def _path(root: Path | None) -> Path:
    return StateDir(root).root / "policy.json"
