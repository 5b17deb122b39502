"""Requests of at most 256 KB that cost far more to plan than their size suggests, or once did; by what they repeat."""

from __future__ import annotations

import json
from typing import Any

PARAMETER_CHARS = 65_500  # just below the limit of one parameter
RULE_CHARS = 32_000  # of --script: just below its limit


def _short(*parameters: str, **fields: Any) -> str:
    return json.dumps({"name": "costly", "targets": ["127.0.0.1"], "parameters": list(parameters), **fields})


def _manifest(**spec: Any) -> str:
    return json.dumps(
        {
            "apiVersion": "execution.securecodebox.io/v1",
            "kind": "Scan",
            "metadata": {"name": "costly"},
            "spec": {"scanType": "nmap", "parameters": ["127.0.0.1"], **spec},
        }
    )


def _many(item: str, chars: int = PARAMETER_CHARS, between: str = ",") -> str:
    return between.join([item] * (chars // (len(item) + len(between))))


def _numbered(form: str, count: int) -> str:
    return ",".join(form.format(number) for number in range(count))


ODD = ",".join(str(number) for number in range(1, 255, 2))
SCOPE_KEY = "scope.cascading.securecodebox.io/a"

COSTLY: dict[str, str] = {
    # script arguments: each was held against every argument of every script
    "script flags": _short("-sV", "--script", "all", "--script-args", ",".join(["a"] * 32_700)),
    "script flags without a script": _short("-sV", "--script-args", _many("a")),
    "script arguments": _short("-sV", "--script", "all", "--script-args", _numbered("k{}=1", 8_000)),
    "script arguments that are refused": _short("--script", "all", "--script-args", _numbered("k{}=/x", 7_000)),
    "script flags in a table with a long name": _short(
        "--script", "all", "--script-args", "k" * 30_000 + "={" + _many("a", 34_000) + "}"
    ),
    "script arguments in a table with a long name": _short(
        "--script", "default", "--script-args", "k" * 20_000 + "={" + _numbered("k{}=1", 5_000) + "}"
    ),
    # words of letters: each letter is an option, or an error that quoted the word
    "scan letters": _short("-s" + "S" * PARAMETER_CHARS),
    "wrong scan letters": _short("-s" + "Q" * PARAMETER_CHARS),
    "flag letters": _short(*["-" + "n" * PARAMETER_CHARS] * 3),
    "wrong letters": _short("-" + "q" * PARAMETER_CHARS),
    "long unknown options": _short(*["--" + "x" * 900 for _ in range(250)]),
    # rules of --script
    "unknown scripts": _short("--script", _numbered("nosuch{}", 290)),
    "negations": _short("--script", _many("not", RULE_CHARS, " ")),
    "open parentheses": _short("--script", _many("not (", RULE_CHARS, " ")),
    "stars": _short("--script", "a*" * (RULE_CHARS // 2)),
    "conjunctions": _short("--script", _many("all and", RULE_CHARS, " ") + " all"),
    # lists of ports
    "ports": _short("-p", _many("1")),
    "ports left out": _short("-p", _numbered("{}", 12_000), "--exclude-ports", _numbered("{}", 12_000)),
    "every port again": _short("-p", _many("1-65535")),
    "pings": _short(*["-PS" + _many("1", 900)] * 250),
    # targets and excludes
    "targets": json.dumps({"targets": [f"10.{n // 250}.{n % 250}.1" for n in range(5_000)]}),
    "octets that repeat": json.dumps({"targets": [f"10.{n}.{_many('-', 1_000)}.1" for n in range(250)]}),
    "octets with gaps": json.dumps({"targets": [f"10.{ODD}.{ODD}.1-{n % 250 + 1}" for n in range(190)]}),
    "excludes": json.dumps({"targets": ["10.0.0.0/8"], "exclude": [_many("10.0.0.1", 1_000)] * 230}),
    "excludes that are none": json.dumps({"targets": ["10.0.0.0/8"], "exclude": [_many("x", 1_000)] * 230}),
    "excludes with gaps": json.dumps(
        {"targets": ["10.0.0.0/8"], "exclude": [f"10.{n % 250}.*.1-3" for n in range(4_900)]}
    ),
    "excludes of many targets": json.dumps(
        {
            "targets": ["10.0.0.0/8", *(f"10.{n}.0.0/16" for n in range(200))],
            "exclude": [f"10.{n // 250}.{n % 250}.1" for n in range(4_900)],
        }
    ),
    "names": json.dumps({"targets": [f"a{n}.example.org" for n in range(5_000)], "parameters": ["-sV"]}),
    "addresses of IPv6": json.dumps({"targets": [f"2001:db8::{n:x}" for n in range(5_000)], "parameters": ["-6"]}),
    # fields
    "unknown fields": json.dumps({f"unknown{n}": 1 for n in range(14_000)}),
    "unknown fields of a manifest": _manifest(**{f"unknown{n}": 1 for n in range(12_000)}),
    "labels": _short(labels={f"k{n}": "" for n in range(16_000)}),
    "techniques": _short(portscan={"scannerBinPath": "nmap", "scanTechniques": ["x"] * 50_000}),
    "windows": _short(windows=["Mon," * 3_900 + "Tue 22:00-23:00"] * 16),
    "values": _short(carried={"a": [[]] * 60_000}),
    "environment": _manifest(env=[{"name": "a"}] * 14_000),
    # cascades
    "requirements": _short(cascades={"matchExpressions": [{"key": "a", "operator": "In", "values": ["x"]}] * 4_500}),
    "requirements that are none": _short(cascades={"matchExpressions": [{"keyy": "a"}] * 15_000}),
    "templates": _short(
        cascades={"scopeLimiter": {"allOf": [{"key": SCOPE_KEY, "operator": "In", "values": ["{{a}}"] * 25_000}]}}
    ),
    # YAML, and numbers
    "YAML lists": "targets: [" + "[]," * 85_000 + "]",
    "YAML entries": "targets:\n" + "- a\n" * 64_000,
    "YAML keys": "labels:\n" + "".join(f" k{n}: a\n" for n in range(20_000)),
    "YAML of base 60": "a: " + "1:" * 60_000 + "1",
    "YAML question marks": "? " * 120_000,
    "YAML anchors": "a: &a [1]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "a long number": '{"backoffLimit": ' + "9" * 200_000 + "}",
    "open brackets": '{"a":' + "[" * 200_000,
}
