"""A link that takes its time: two tun devices, each in a namespace of its own, and a process that carries packets.

The kernel's own delay (tc netem) is left out of many kernels; this needs /dev/net/tun only.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import struct
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

DEVICE = "slow"
CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x0001 | 0x1000  # whole IP packets, without a header of tun's own
MAX_PACKET_BYTES = 65_536
MAX_ON_THE_WAY = 10_000  # packets; what comes beyond is lost, as on any link
READS_IN_A_ROW = 64


def start_slow_link(one: str, other: str, delay_s: float) -> None:
    """Start the carrier between two named namespaces; each has a device `slow` once this returns."""
    argv = [sys.executable, "-m", "tests.lab.slow_link", one, other, str(delay_s)]
    carrier = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert carrier.stdout
    if not carrier.stdout.readline():
        raise subprocess.CalledProcessError(carrier.wait(), argv, stderr="the slow link did not come up")


def main() -> None:
    one, other, delay_s = sys.argv[1], sys.argv[2], float(sys.argv[3])
    ends = (_open_device(one), _open_device(other))
    print("up", flush=True)
    carry(ends, delay_s)


def _open_device(namespace: str) -> int:
    """A tun device in the namespace; this process stays in it."""
    fd = os.open(Path("/run/netns") / namespace, os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    os.close(fd)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TUN_NO_PI))
    return device


def carry(ends: tuple[int, int], delay_s: float) -> None:
    """Until the process is ended: what comes in at one end leaves at the other after `delay_s`."""
    across = {ends[0]: ends[1], ends[1]: ends[0]}
    on_the_way: deque[tuple[float, int, bytes]] = deque()  # in the order they are due: each takes the same time
    while True:
        wait_s = max(0.0, on_the_way[0][0] - time.monotonic()) if on_the_way else None
        readable, _, _ = select.select(ends, (), (), wait_s)
        for end in readable:
            _take_in(end, across[end], delay_s, on_the_way)
        while on_the_way and on_the_way[0][0] <= time.monotonic():
            _, end, packet = on_the_way.popleft()
            _write(end, packet)


def _take_in(end: int, to: int, delay_s: float, on_the_way: deque[tuple[float, int, bytes]]) -> None:
    for _ in range(READS_IN_A_ROW):
        try:
            packet = os.read(end, MAX_PACKET_BYTES)
        except BlockingIOError:
            return
        if len(on_the_way) < MAX_ON_THE_WAY:
            on_the_way.append((time.monotonic() + delay_s, to, packet))


def _write(end: int, packet: bytes) -> None:
    try:
        os.write(end, packet)
    except OSError:  # the device is down, or its queue is full: the packet is lost
        return


if __name__ == "__main__":
    main()
