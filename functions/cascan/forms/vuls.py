"""Vuls' config.toml → one request in the short form for each server that Vuls would scan ports of.

A server takes `portscan` and `scanModules` of the default section where it has none of its own, whole, as in Vuls; its
host is the target. Everything else in the file is about logging in, and stays unread. Source: Vuls' documentation and
its loader; keys are read in any case, as there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from cascan.errors import RequestRefused
from cascan.forms.complete_request import complete_request, to_slug
from cascan.forms.fields import build_refusal
from cascan.forms.short import read_short_form
from cascan.model.refusal import Rule

PORTSCAN_FIELDS = ("scannerBinPath", "hasPrivileged", "scanTechniques", "sourcePort")
REPLACES = "its own portscan section stands in place of the default one, so write every setting into it"
SERVER_LABEL = "vuls-server"


class VulsRequests(NamedTuple):
    documents: dict[str, dict[str, Any]]  # server → its request
    notes: tuple[str, ...]  # on servers that there is nothing to scan of


def read_vuls(text: str, servers: Sequence[str] = ()) -> VulsRequests:
    """The requests of all servers, or of those named. Raises: RequestRefused: every problem of every one of them."""
    try:
        config = _folded(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as exc:
        raise RequestRefused([f"not a Vuls configuration: {exc}"]) from exc
    known, default = config.get("servers"), _folded(config.get("default"))
    if not isinstance(known, dict) or not known:
        raise RequestRefused(["not a Vuls configuration: it has no section [servers.NAME]"])
    problems = [_unknown(name, known) for name in servers if name not in known]
    documents: dict[str, dict[str, Any]] = {}
    notes: list[str] = []
    for name in servers or known:
        if name in known:
            problems += _take(name, known[name], default, documents, notes)
    if problems:
        raise build_refusal(problems)
    if not documents:
        raise RequestRefused(["there is no server to scan", *notes], Rule.FIELD)
    return VulsRequests(documents, tuple(notes))


def _take(
    name: str, section: Any, default: Mapping[str, Any], documents: dict[str, dict[str, Any]], notes: list[str]
) -> Iterator[str]:
    """Add the server's request, or a note; yields what is wrong with it."""
    path = f"servers.{name}"
    if not isinstance(section, dict):
        yield f"{path} is no section"
        return
    server = {"portscan": default.get("portscan"), "scanmodules": default.get("scanmodules")} | _folded(section)
    modules = server["scanmodules"] or ["ospkg", "port"]
    if not isinstance(modules, list):
        yield f"{path}.scanModules is no list of names"
        return
    if not server.get("host"):
        if server.get("type") == "pseudo":
            notes.append(f"{path}: a pseudo server has no host to scan")
        else:
            yield f"{path}.host: {name} is invalid. host is empty"
        return
    if "port" not in modules:
        notes.append(f"{path}: port is not among its scanModules")
        return
    if "ospkg" not in modules:
        yield f"{path}.scanModules: port requires ospkg"
    document = _document(name, server)
    taken = {to_slug(other): other for other in documents}
    if to_slug(name) in taken:
        yield f"{path}: as the name of a series it is the same as servers.{taken[to_slug(name)]}; rename one"
    try:
        complete_request(read_short_form(document))
    except RequestRefused as exc:
        of_default = default.get("portscan")
        replaced = server["portscan"] is not of_default and "scannerbinpath" in _folded(of_default)
        for reason in exc.reasons:
            yield f"{path}.{reason}" + (f"; {REPLACES}" if replaced and "must be set" in reason else "")
    documents[name] = document


def _document(name: str, server: Mapping[str, Any]) -> dict[str, Any]:
    host = server["host"]
    document: dict[str, Any] = {"name": to_slug(name), "targets": [host], "labels": {SERVER_LABEL: name}}
    if isinstance(host, str) and ":" in host:
        document |= {"targets": [host.strip("[]")], "parameters": ["-6"]}
    if server.get("ignoreipaddresses"):
        document["exclude"] = server["ignoreipaddresses"]
    if server["portscan"] is not None:
        spelled = {field.lower(): field for field in PORTSCAN_FIELDS}
        portscan = server["portscan"]
        document["portscan"] = (
            {spelled.get(key.lower(), key): value for key, value in portscan.items()}
            if isinstance(portscan, dict)
            else portscan
        )
    return document


def _folded(section: Any) -> dict[str, Any]:
    """Vuls finds a key in any case. The names of servers are values, and stay as they are."""
    return {key.lower(): value for key, value in section.items()} if isinstance(section, dict) else {}


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    near = get_close_matches(name[:64], known, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(list(known)[:10])}"
    return f"servers.{name[:64]} is not in the configuration; {hint}"
