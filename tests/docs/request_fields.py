"""What each field of a request does, with an example of it: the words of docs/requests.md and of its JSON schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from cascan.limits import HOSTS_PER_SHARD


class Field(NamedTuple):
    example: Any
    effect: str
    default: str = ""  # in words, where the operator or the request decides it


WHAT: Mapping[str, Field] = {
    "targets": Field(
        ["10.0.0.0/24", "db.example.internal"],
        "Addresses, networks, ranges in nmap's syntax (`10.0.0-3.1-50`) and host names, also with "
        "[ports of their own](scope.md#targets-with-ports-of-their-own): `10.0.0.5:22,53/udp`. Targets may also be "
        "written among `parameters`; one of the two has to name a target.",
    ),
    "exclude": Field(
        ["10.0.0.13"], "Targets to leave out. It has the same syntax as `targets`, and adds to nmap's `--exclude`."
    ),
    "parameters": Field(
        ["-sV", "-p", "22,443"],
        "nmap's own options, one word an entry. `cascan options` prints the decision on each option.",
    ),
    "scanType": Field(
        "nmap",
        "`nmap` runs without raw sockets, as a connect scan. `nmap-privileged` runs with raw sockets: SYN, UDP, OS "
        "detection. Without it a scan uses raw sockets if one of its options needs them.",
        "as the options need it",
    ),
    "portscan": Field(
        {"scannerBinPath": "/usr/bin/nmap", "hasPrivileged": True, "scanTechniques": ["sS"]},
        "Vuls' settings of its external port scanner; see [below](#portscan). They become `parameters` and `scanType`.",
    ),
    "policyProfile": Field(
        "safe",
        "What nmap's scripts and packet-crafting options may do. It may ask for less than the operator allows, never "
        "for more.",
        "the stack's `PolicyProfile`",
    ),
}
WHO: Mapping[str, Field] = {
    "name": Field(
        "office-lan",
        "The series that the scan belongs to: `cascan diff` compares scans of one name. It consists of a-z, 0-9, "
        "`.` and `-`, with a letter or a digit at both ends.",
        "made from the first target",
    ),
    "identity": Field(
        "mac",
        "By what the inventory knows the hosts: `address`, `mac` or `name`, where their addresses change "
        "([moving-hosts.md](moving-hosts.md)). `instance` is refused: nothing tells it so far.",
        "as `cascan network` says for the network, else `address`",
    ),
    "labels": Field(
        {"team": "blue"},
        "Texts of your own. Every event of the scan carries them, and cascading rules can select by them. "
        "`cascan/schedule` belongs to schedules and is refused.",
    ),
    "annotations": Field(
        {"scope.cascading.securecodebox.io/cidr": "10.0.0.0/16"},
        "Texts of your own that a scope limiter can refer to. Some have a meaning of their own; see "
        "[below](#annotations).",
    ),
    "authorization": Field("CHG-1234", "The permission behind the scan, such as a change or contract number."),
    "contact": Field("soc@example.org", "Who answers when somebody asks about the packets."),
    "idempotencyKey": Field(
        "office-lan-2026-03-01",
        "Two requests of one submitter with the same key are one scan: the second one changes nothing.",
        "the id of the message",
    ),
}
WHEN: Mapping[str, Field] = {
    "vantage": Field(
        ["default", "office"],
        "Where it is scanned from: names of [vantages](vantages.md). Several give one scan each, under one scan that "
        "ends with the last of them; they share its rates and its budget.",
        "the stack's own workers",
    ),
    "windows": Field(
        ["Mon-Fri 22:00-06:00 Europe/Berlin"],
        "The hours in which the scan may run; see [below](#windows). Outside them its shards wait.",
        "any time",
    ),
    "suspend": Field(True, "The scan is accepted and waits until `cascan resume`."),
    "activeDeadlineSeconds": Field(
        14_400, "The scan ends this many seconds after it was accepted, with what it has found until then.", "none"
    ),
    "ttlSecondsAfterFinished": Field(
        604_800,
        "The scan is removed this many seconds after its end, with its findings and reports. The inventory stays.",
        "the stack's `DefaultTtlSeconds`",
    ),
    "backoffLimit": Field(
        2, "How many attempts at a shard may fail before the shard is given up.", "the stack's `DefaultBackoffLimit`"
    ),
    "retryTimedOut": Field(True, "Hosts that ran into `--host-timeout` are scanned once more, with twice the time."),
    "hostsPerShard": Field(
        64,
        "How many addresses one nmap process scans. Very wide scans get larger shards, so that their number stays "
        "bounded.",
        f"{HOSTS_PER_SHARD}",
    ),
    "maxParallelShards": Field(
        8,
        "How many shards of the scan may be queued or running at the same time. A number above the stack's "
        "`ShardsPerScan` has no effect.",
        "the stack's `ShardsPerScan`",
    ),
}
COST: Mapping[str, Field] = {
    "budgetUsd": Field(
        5.0,
        "What the scan may cost, in US dollars. A scan whose estimate has a higher high end is refused "
        "([cost.md](cost.md)). Its follow-up scans have a budget of their own.",
        "the stack's `MaxScanCostUsd`",
    ),
}
NEXT: Mapping[str, Field] = {
    "cascades": Field(
        {"matchLabels": {"securecodebox.io/invasive": "non-invasive"}},
        "Which cascading rules follow the scan, and where they may lead; see [below](#cascades). Without it none does.",
    ),
    "carried": Field(
        {"hookSelector": {"matchLabels": {"team": "blue"}}},
        "Parts of a manifest's `spec` without a meaning to cascan. Children that run in another scanner inherit them. "
        "A manifest fills it by itself.",
    ),
}
GROUPS: Mapping[str, Mapping[str, Field]] = {
    "What is scanned, and how": WHAT,
    "Whose scan it is": WHO,
    "When it runs, and for how long": WHEN,
    "What it may cost": COST,
    "What follows it": NEXT,
}
FIELDS: Mapping[str, Field] = {**WHAT, **WHO, **WHEN, **COST, **NEXT}

PORTSCAN: Mapping[str, Field] = {
    "scannerBinPath": Field(
        "/usr/bin/nmap", "Vuls needs it. Its last part has to be `nmap`; workers bring an nmap of their own."
    ),
    "hasPrivileged": Field(True, "Whether raw sockets may be used; becomes `scanType`."),
    "scanTechniques": Field(["sS"], "One of nmap's TCP scan techniques. All but `sT` need `hasPrivileged`."),
    "sourcePort": Field("443", "Becomes `--source-port`; from 1 to 65535, and not with `sT`."),
}
ANNOTATIONS: Mapping[str, Field] = {
    "cascan/policy-profile": Field("safe", "The same as `policyProfile`, which wins."),
    "cascan/windows": Field("Sat,Sun 00:00-24:00; 22:00-06:00", "The same as `windows`, separated by semicolons."),
    "cascan/vantage": Field("default,office", "The same as `vantage`, separated by commas."),
    "cascan/identity": Field("mac", "The same as `identity`, which wins."),
    "cascan/retry-timed-out": Field("true", "The same as `retryTimedOut`."),
    "cascan/idempotency-key": Field("change-7", "The same as `idempotencyKey`, which wins."),
}
CASCADES: Mapping[str, Field] = {
    "matchLabels": Field({"securecodebox.io/intensive": "light"}, "Only rules with all of these labels follow."),
    "matchExpressions": Field(
        [{"key": "securecodebox.io/invasive", "operator": "NotIn", "values": ["invasive"]}],
        "Only rules that meet all of these conditions on their labels follow.",
    ),
    "scopeLimiter": Field(
        {
            "allOf": [
                {
                    "key": "scope.cascading.securecodebox.io/cidr",
                    "operator": "InCIDR",
                    "values": ["{{#asList}}attributes.ip_addresses{{/asList}}"],
                }
            ]
        },
        "Conditions on the root scan's annotations that every child has to meet.",
    ),
    "scopeLimiterAliases": Field(
        {"host": "{{attributes.hostname}}"}, "Names for templates: `{{$.host}}` in a scope limiter's values."
    ),
    "inheritLabels": Field(False, "Whether children get the scan's labels."),
    "inheritAnnotations": Field(False, "Whether children get the scan's annotations."),
    "inheritEnv": Field(True, "Whether children in other scanners get `env`."),
    "inheritVolumes": Field(True, "Whether children in other scanners get `volumes` and `volumeMounts`."),
    "inheritInitContainers": Field(True, "Whether children in other scanners get `initContainers`."),
    "inheritHookSelector": Field(True, "Whether children in other scanners get `hookSelector`."),
    "inheritAffinity": Field(False, "Whether children in other scanners get `affinity`."),
    "inheritTolerations": Field(False, "Whether children in other scanners get `tolerations`."),
}
SPEC: Mapping[str, Field] = {
    "scanType": FIELDS["scanType"]._replace(default=""),
    "parameters": Field(["-p", "22,443", "10.0.0.5"], "nmap's options, and the targets among them."),
    "cascades": FIELDS["cascades"],
    "ttlSecondsAfterFinished": FIELDS["ttlSecondsAfterFinished"],
    "suspend": FIELDS["suspend"],
}
