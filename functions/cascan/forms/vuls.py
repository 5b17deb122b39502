"""Vuls' config.toml → one request in the short form for each server that Vuls would scan ports of.

A server without `portscan` or `scanModules` takes them from the default section, as a whole; its
host is the target. Other sections are about logging in, and are not read. Keys are read in upper
and lower case. All of this is as in Vuls. Source: its documentation and its loader.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from cascan.errors import RequestRefused
from cascan.forms.complete_request import complete_request, to_slug
from cascan.forms.fields import build_refusal
from cascan.forms.read_request import read_short_form
from cascan.model.refusal import Rule

PORTSCAN_FIELDS = ("scannerBinPath", "hasPrivileged", "scanTechniques", "sourcePort")
REPLACES = "its own portscan section replaces the default one, so write every setting into it"
SERVER_LABEL = "vuls-server"
LOCAL_HOSTS = ("localhost", "127.0.0.1")


class VulsRequests(NamedTuple):
    documents: dict[str, dict[str, Any]]  # server → its request
    notes: tuple[str, ...]  # on servers that have nothing to scan
    local_servers: frozenset[str] = frozenset()  # that Vuls scans without logging in


def read_vuls(text: str, servers: Sequence[str] = ()) -> VulsRequests:
    """The requests of all servers, or of those named.

    Raises: RequestRefused: all problems of all of them.
    """
    try:
        config = _fold_keys(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as exc:
        raise RequestRefused([f"not a Vuls configuration: {exc}"]) from exc
    sections, default = config.get("servers"), _fold_keys(config.get("default"))
    if not isinstance(sections, dict) or not sections:
        raise RequestRefused(["not a Vuls configuration: it has no section [servers.NAME]"])
    problems = [_describe_unknown(name, sections) for name in servers if name not in sections]
    documents: dict[str, dict[str, Any]] = {}
    notes: list[str] = []
    for name in servers or sections:
        if name in sections:
            problems += _read_server(name, sections[name], default, documents, notes)
    if problems:
        raise build_refusal(problems)
    if not documents:
        raise RequestRefused(["there is no server to scan", *notes], Rule.FIELD)
    local_servers = frozenset(name for name in documents if _is_local(sections[name], default))
    return VulsRequests(documents, tuple(notes), local_servers)


def _is_local(section: Any, default: Mapping[str, Any]) -> bool:
    """Whether the server is the machine that Vuls runs on, as Vuls decides it."""
    server = {"port": default.get("port")} | _fold_keys(section)
    return server["port"] == "local" and server.get("host") in LOCAL_HOSTS


def _read_server(
    name: str,
    section: Any,
    default: Mapping[str, Any],
    documents: dict[str, dict[str, Any]],
    notes: list[str],
) -> Iterator[str]:
    """Add the server's request to `documents`, or a note to `notes`. Yields its problems."""
    path = f"servers.{name}"
    if not isinstance(section, dict):
        yield f"{path} is not a section"
        return
    defaults = {name: default.get(name) for name in ("portscan", "scanmodules")}
    server = defaults | _fold_keys(section)
    modules = server["scanmodules"] or ["ospkg", "port"]
    if not isinstance(modules, list):
        yield f"{path}.scanModules is not a list of names"
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
    same_series = next((other for other in documents if to_slug(other) == to_slug(name)), None)
    if same_series is not None:
        yield f"{path}: as the name of a series it is the same as servers.{same_series}; rename one"
    documents[name] = _document(name, server)
    yield from _request_problems(path, documents[name], server["portscan"], default.get("portscan"))


def _request_problems(
    path: str,
    document: Mapping[str, Any],
    portscan: Any,
    default: Any,
) -> Iterator[str]:
    """The problems of a server's request.

    A setting that only the default section has gets a hint.
    """
    try:
        complete_request(read_short_form(document))
    except RequestRefused as exc:
        has_replaced = portscan is not default and "scannerbinpath" in _fold_keys(default)
        for reason in exc.reasons:
            is_replaced = has_replaced and "must be set" in reason
            yield f"{path}.{reason}; {REPLACES}" if is_replaced else f"{path}.{reason}"


def _document(name: str, server: Mapping[str, Any]) -> dict[str, Any]:
    host = server["host"]
    document: dict[str, Any] = {
        "name": to_slug(name),
        "targets": [host],
        "labels": {SERVER_LABEL: name},
    }
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


def _fold_keys(section: Any) -> dict[str, Any]:
    """Keys in lower case, as Vuls compares them.

    The names of servers are values, and are not changed.
    """
    if not isinstance(section, dict):
        return {}
    return {key.lower(): value for key, value in section.items()}


def _describe_unknown(name: str, sections: Mapping[str, Any]) -> str:
    near = get_close_matches(name[:64], sections, n=3)
    hint = f"it has {', '.join(list(sections)[:10])}"
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    return f"servers.{name[:64]} is not in the configuration; {hint}"
