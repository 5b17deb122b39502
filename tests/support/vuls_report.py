"""Vuls' report view of a results JSON, as far as it shows ports: a reader that is not cascan's.

Source: Vuls' models. Go reads keys in any case. Its report makes an entry of listenPortStats of every
listenPorts first, prints `addr:port` where portReachableTo is empty, else the addresses, and marks a
CVE if a package that it affects has a port that is reachable.
"""

from __future__ import annotations

from typing import Any


def get(fields: dict[str, Any], name: str) -> Any:
    return next((value for key, value in reversed(fields.items()) if key.lower() == name.lower()), None)


def list_ports(process: dict[str, Any]) -> list[dict[str, Any]]:
    entries = list(get(process, "listenPortStats") or [])
    for text in get(process, "listenPorts") or []:
        address, colon, port = text.rpartition(":")
        if colon:
            entries.append({"bindAddress": address, "port": port, "portReachableTo": []})
    return entries


def show_port(entry: dict[str, Any]) -> str:
    endpoint = f"{get(entry, 'bindAddress')}:{get(entry, 'port')}"
    reachable = get(entry, "portReachableTo") or []
    return f"{endpoint}(◉ Scannable: [{' '.join(reachable)}])" if reachable else endpoint


def has_reachable_port(package: dict[str, Any]) -> bool:
    processes = get(package, "AffectedProcs") or []
    return any(get(entry, "portReachableTo") for process in processes for entry in list_ports(process))


def show_processes(results: dict[str, Any]) -> list[str]:
    """`package pid name: ports`, one line a process."""
    return [
        f"{name} {get(process, 'pid')} {get(process, 'name')}: {', '.join(map(show_port, list_ports(process)))}"
        for name, package in get(results, "packages").items()
        for process in get(package, "AffectedProcs") or []
    ]


def list_marked_cves(results: dict[str, Any]) -> set[str]:
    """The CVEs with the mark ◉."""
    packages = get(results, "packages")
    return {
        cve_id
        for cve_id, cve in get(results, "scannedCves").items()
        if any(has_reachable_port(packages.get(get(entry, "name"), {})) for entry in get(cve, "affectedPackages") or [])
    }
