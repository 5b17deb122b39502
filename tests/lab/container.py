"""A container without an engine: runs a command with the rights that a worker has on Fargate.

`python -m tests.lab.container RIGHTS COMMAND…` as root, in a mount namespace of its own; RIGHTS is JSON, see
tests/support/fargate.py. The root file system is this machine's programs, read-only, with the functions in /app, their
packages in /opt/python and nmap's file as the image has it; of Linux' capabilities nothing is left but what the task
leaves.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]
NEW_ROOT = Path("/mnt")
PROGRAMS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "proc", "dev")
SYS_MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 0x1
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    "PYTHONPATH": "/app:/opt/python:/opt/tried",
    "PYTHONDONTWRITEBYTECODE": "1",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/a-secret",  # a task has it, and nmap must not
}


def main() -> None:
    rights, command = json.loads(sys.argv[1]), sys.argv[2:]
    python = Path(sys.executable).resolve()
    _make_root(rights["nmap_capabilities"], python)
    if rights["read_only"]:
        _make_read_only(NEW_ROOT)
    for path in rights["writable"]:
        _mount("-t", "tmpfs", "-o", "mode=1777,nosuid,nodev", "volume", str(NEW_ROOT / path.strip("/")))
    os.chroot(NEW_ROOT)
    os.chdir("/app")
    kept = ["-all", *(f"+{name.lower()}" for name in rights["capabilities"])]
    drop = ["--bounding-set", ",".join(kept), "--inh-caps", "-all", "--ambient-caps", "-all"]
    become = ["--reuid", rights["user"], "--regid", rights["user"], "--clear-groups"]
    argv = ["setpriv", *drop, *become, "--", *command]
    os.execve("/usr/bin/setpriv", argv, ENVIRONMENT)  # noqa: S606 - this process becomes the command, without a shell


def _make_root(nmap_capabilities: str, python: Path) -> None:
    _mount("-t", "tmpfs", "-o", "mode=755", "root", str(NEW_ROOT))
    for name in PROGRAMS:
        _bring(Path("/") / name, NEW_ROOT / name)
    if not python.is_relative_to("/usr"):
        _bring(Path(sys.base_prefix), NEW_ROOT / sys.base_prefix.lstrip("/"))
    for source, name in (
        (ROOT / "functions", "app"),
        (Path(sysconfig.get_path("purelib")), "opt/python"),
        (ROOT / "tests", "opt/tried/tests"),
        (ROOT / "cascan_cli", "opt/tried/cascan_cli"),
    ):
        _bring(source, NEW_ROOT / name)
    (NEW_ROOT / "tmp").mkdir()
    nmap = NEW_ROOT / "nmap"
    shutil.copyfile("/usr/bin/nmap", nmap)  # the content alone: whatever capabilities the machine's file has stay there
    nmap.chmod(0o755)
    if nmap_capabilities:
        subprocess.run(["setcap", nmap_capabilities, str(nmap)], check=True)
    _mount("--bind", str(nmap), str(NEW_ROOT / "usr/bin/nmap"))


def _bring(source: Path, target: Path) -> None:
    if source.is_symlink():
        target.symlink_to(source.readlink())
    elif source.is_dir():
        target.mkdir(parents=True)
        _mount("--rbind", str(source), str(target))


def _make_read_only(root: Path) -> None:
    """Every mount below as well; `mount -o remount,ro` would leave those as they are."""
    attributes = (ctypes.c_uint64 * 4)(MOUNT_ATTR_RDONLY, 0, 0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(
        SYS_MOUNT_SETATTR, AT_FDCWD, str(root).encode(), AT_RECURSIVE, attributes, ctypes.sizeof(attributes)
    ):
        raise OSError(ctypes.get_errno(), "mount_setattr")


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


if __name__ == "__main__":
    main()
