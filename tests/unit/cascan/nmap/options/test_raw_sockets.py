"""Whether raw sockets are to be had: told from nmap's file and this process, as the kernel and nmap have it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cascan.nmap.options.raw_sockets import (
    NEEDED,
    NET_RAW,
    SETCAP,
    FileCapabilities,
    ProcessPrivileges,
    find_raw_socket_problem,
    parse_capabilities,
    read_file_capabilities,
)

USER = 1001
PLAIN = ProcessPrivileges(bounding=(1 << 41) - 1, ambient=0, no_new_privileges=False)
NMAP = shutil.which("nmap") or ""
needs_setcap = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setcap") or not NMAP, reason="file capabilities need root, setcap and nmap"
)


@pytest.fixture
def nmap(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    return Path(shutil.copy(NMAP, tmp_path / "nmap"))


def setcap(text: str, path: Path) -> None:
    ran = subprocess.run(["setcap", text, str(path)], capture_output=True, text=True, check=False)
    if ran.returncode:
        pytest.skip(f"this file system keeps no capabilities: {ran.stderr}")


@needs_setcap
@pytest.mark.parametrize(
    "text",
    [
        "cap_net_raw,cap_net_bind_service+eip",
        "cap_net_bind_service,cap_net_raw=pie",
        "cap_net_raw=eip cap_net_bind_service+iep",
        "cap_net_raw,cap_net_bind_service,cap_net_admin=eip",
    ],
)
def test_v9_every_spelling_and_order_of_setcap_is_taken_and_net_admin_is_not_needed(text: str, nmap: Path) -> None:
    setcap(text, nmap)
    assert find_raw_socket_problem(str(nmap), uid=USER, process=PLAIN) == ""


@needs_setcap
@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("cap_net_raw+eip", "cap_net_bind_service"),
        ("cap_net_bind_service+eip", "cap_net_raw"),
        ("cap_net_admin+eip", "cap_net_bind_service, cap_net_raw"),
        ("cap_net_raw,cap_net_bind_service+ip", "cap_net_bind_service, cap_net_raw"),  # not effective
        ("cap_net_raw,cap_net_bind_service+ep", "cap_net_bind_service, cap_net_raw"),  # not inheritable
    ],
)
def test_v9_what_is_missing_is_named_with_the_command_that_sets_it(text: str, lacks: str, nmap: Path) -> None:
    setcap(text, nmap)
    why = find_raw_socket_problem(str(nmap), uid=USER, process=PLAIN)
    assert f"lacks {lacks} as effective, inheritable and permitted" in why
    assert f"{SETCAP} {nmap}" in why
    assert "cap_net_admin" not in SETCAP


@needs_setcap
@pytest.mark.parametrize("text", ["", "cap_net_bind_service+eip", "cap_net_raw,cap_net_bind_service+eip"])
def test_v9_the_real_nmap_of_an_ordinary_user_agrees(text: str, nmap: Path) -> None:
    if text:
        setcap(text, nmap)
    scan = f"setpriv --reuid {USER} --regid {USER} --clear-groups {nmap} --privileged -sS -n -Pn -p 1 127.0.0.1"
    namespace = ["unshare", "-n", "sh", "-c", f"ip link set lo up && exec {scan}"]
    ran = subprocess.run(namespace, capture_output=True, text=True, timeout=250, check=False)
    if "unshare" in ran.stderr:
        pytest.skip(ran.stderr)
    possible = find_raw_socket_problem(str(nmap), uid=USER) == ""
    assert possible == (ran.returncode == 0), ran.stderr
    assert possible == (text.count("cap_") == 2)


def test_v9_root_needs_no_capability_of_the_file_but_its_bounding_set_has_to_hold_net_raw() -> None:
    assert find_raw_socket_problem("/bin/sh", uid=0, process=PLAIN) == ""
    bounded = ProcessPrivileges(bounding=PLAIN.bounding & ~NET_RAW, ambient=0, no_new_privileges=False)
    assert "bounding set" in find_raw_socket_problem("/bin/sh", uid=0, process=bounded)


def test_an_ambient_capability_is_enough_for_a_file_that_has_none() -> None:
    assert (
        find_raw_socket_problem(
            "/bin/sh", uid=USER, process=ProcessPrivileges(PLAIN.bounding, NET_RAW, no_new_privileges=True)
        )
        == ""
    )
    assert "lacks" in find_raw_socket_problem("/bin/sh", uid=USER, process=PLAIN)


@needs_setcap
def test_a_file_that_holds_what_the_process_may_not_have_is_not_started_by_root_either(nmap: Path) -> None:
    setcap("cap_net_raw,cap_net_admin,cap_net_bind_service+eip", nmap)
    without_admin = ProcessPrivileges(PLAIN.bounding & ~(1 << 12), 0, no_new_privileges=False)
    for uid in (0, USER):
        why = find_raw_socket_problem(str(nmap), uid=uid, process=without_admin)
        assert "holds cap_net_admin, which this process may not have, so the kernel does not start it" in why
        assert why.endswith(f"run: {SETCAP} {nmap}")


@needs_setcap
def test_no_new_privileges_makes_the_files_capabilities_void(nmap: Path) -> None:
    setcap("cap_net_raw,cap_net_bind_service+eip", nmap)
    assert "no_new_privs" in find_raw_socket_problem(
        str(nmap), uid=USER, process=ProcessPrivileges(PLAIN.bounding, 0, no_new_privileges=True)
    )


def test_an_attribute_of_any_revision_is_read_and_a_strange_one_counts_as_none() -> None:
    low = (NEEDED).to_bytes(4, "little")
    both = FileCapabilities(NEEDED, NEEDED, effective=True)
    assert parse_capabilities(b"\x01\0\0\x01" + low * 2) == both
    assert parse_capabilities(b"\x01\0\0\x02" + low * 2 + bytes(8)) == both
    assert parse_capabilities(b"\x01\0\0\x03" + low * 2 + bytes(8) + b"\xe9\3\0\0") == both
    for strange in (b"", b"\1", b"\1\0\0\2", b"\1\0\0\x09" + bytes(40)):
        assert parse_capabilities(strange) == FileCapabilities()
    assert read_file_capabilities("/nowhere") == FileCapabilities()


def test_this_process_is_read_from_what_the_kernel_says_of_it() -> None:
    status = "Name:\tx\nCapBnd:\t00000000a80425fb\nCapAmb:\t0000000000002000\nNoNewPrivs:\t1\n"
    assert ProcessPrivileges.of(status) == ProcessPrivileges(0xA80425FB, NET_RAW, no_new_privileges=True)
