"""The nmap layer: built as `sam build` builds it, and run where there is no other nmap and none of its libraries."""

from __future__ import annotations

import os
import platform
import shutil
import socketserver
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring

LAYER_SOURCE = Path(__file__).parents[2] / "layers" / "nmap"
MAKE = shutil.which("make")
NOBODY = 65534
SSH_GREETING = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"

needs_make = pytest.mark.skipif(MAKE is None, reason="make is not installed")


def make_layer(into: Path, target: str = "build-NmapLayer", **variables: str) -> subprocess.CompletedProcess[str]:
    """`make build-NmapLayer` as SAM calls it, with further make variables, by someone whose new files are private."""
    variables = {"ARTIFACTS_DIR": str(into), "PYTHON": sys.executable} | variables
    command = [str(MAKE), target, *(f"{name}={value}" for name, value in variables.items())]
    return subprocess.run(command, cwd=LAYER_SOURCE, text=True, capture_output=True, check=False, umask=0o077)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root file system that holds the layer at /opt and nothing else."""
    if MAKE is None or platform.machine() != "x86_64":
        pytest.skip("running what the layer holds needs make and an x86-64 machine")
    root = tmp_path_factory.mktemp("root")
    root.chmod(0o755)
    built = make_layer(root / "opt")
    assert built.returncode == 0, built.stderr
    return root


@pytest.fixture(scope="module")
def layer(root: Path) -> Path:
    return root / "opt"


class Greeter(socketserver.BaseRequestHandler):
    """Says what an SSH server says first, and waits for the other side to leave."""

    def handle(self) -> None:
        with suppress(OSError):  # a connect scan resets the connection it has opened
            self.request.sendall(SSH_GREETING)
            while self.request.recv(1024):
                pass


@contextmanager
def greeting_port() -> Iterator[int]:
    """A random loopback port behind which a Greeter listens."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeter) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def snapshot(directory: Path) -> dict[str, tuple[int, float, str]]:
    """Every file and directory below: its mode, its time, the digest of its content."""
    return {
        str(path.relative_to(directory)): (
            path.stat().st_mode,
            path.stat().st_mtime,
            sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in directory.rglob("*")
    }


def attributes(within: Element, path: str) -> dict[str, str]:
    """The attributes of the one element at path."""
    (element,) = within.findall(path)
    return element.attrib


def scan_inside(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The layer's nmap with `root` as its whole file system, as a user who owns nothing there."""
    if os.geteuid() != 0:
        pytest.skip("only root may chroot into a directory that holds nothing but the layer")
    null = root / "dev" / "null"  # with `-oX -` nmap sends its other output there; each Lambda has one
    if not null.exists():
        null.parent.mkdir(mode=0o755, exist_ok=True)
        try:
            os.mknod(null, stat.S_IFCHR, os.makedev(1, 3))
        except PermissionError as exc:
            pytest.skip(f"this machine lets root make no /dev/null: {exc}")
        null.chmod(0o666)
    enter = [str(shutil.which("chroot")), f"--userspec={NOBODY}:{NOBODY}", f"--groups={NOBODY}", str(root)]
    nmap = [
        "/opt/lib/ld-linux-x86-64.so.2",
        "--library-path",
        "/opt/lib",
        "/opt/bin/nmap",
        "--datadir",
        "/opt/share/nmap",
    ]
    ran = subprocess.run(
        [*enter, *nmap, *arguments],
        env={"OPENSSL_MODULES": "/opt/lib/ossl-modules"},
        text=True,
        capture_output=True,
        check=False,
        timeout=250,
    )
    if ran.returncode == 125:  # chroot's own failure, not that of the command in it
        pytest.skip(f"chroot is not permitted here: {ran.stderr.strip()}")
    return ran


def test_the_layers_nmap_scans_where_nothing_but_the_layer_exists_and_writes_nothing(root: Path, layer: Path) -> None:
    before = snapshot(layer)
    with greeting_port() as port:
        scan = ["-sT", "-n", "-Pn", "-p", str(port), "-sV", "--script", "banner", "-oX", "-", "127.0.0.1"]
        ran = scan_inside(root, *scan)

    assert (ran.returncode, ran.stderr) == (0, "")
    report = fromstring(ran.stdout)
    (found,) = report.findall("host/ports/port")
    assert found.attrib == {"protocol": "tcp", "portid": str(port)}
    assert attributes(found, "state")["state"] == "open"
    service = attributes(found, "service")  # nmap-service-probes was read: the greeting alone names no product
    assert (service["name"], service["product"], service["method"]) == ("ssh", "OpenSSH", "probed")
    assert attributes(found, "script[@id='banner']")["output"] == SSH_GREETING.decode().strip()
    assert attributes(report, "runstats/finished")["exit"] == "success"
    assert sorted(path.name for path in root.iterdir()) == ["dev", "opt"]
    assert snapshot(layer) == before


def test_the_layers_nmap_resolves_names_with_the_c_library_it_carries(root: Path) -> None:
    hosts = root / "etc" / "hosts"
    hosts.parent.mkdir(mode=0o755)
    try:
        hosts.write_text("127.0.0.1 layer.test\n")
        hosts.chmod(0o644)
        ran = scan_inside(root, "-sL", "-n", "-oX", "-", "layer.test")
    finally:
        shutil.rmtree(hosts.parent)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert attributes(fromstring(ran.stdout), "host/address")["addr"] == "127.0.0.1"


def test_libnmap_comes_with_the_layer_and_refuses_entities_through_defusedxml(layer: Path) -> None:
    program = """
import sys
sys.path.append(sys.argv[1])
from libnmap import parser
print(parser.__file__)
print(parser.ET.__file__)
try:
    parser.NmapParser.parse('<!DOCTYPE nmaprun [<!ENTITY a "aaaa">]><nmaprun>&a;</nmaprun>')
except parser.NmapParserException as exc:
    print(exc)
"""
    isolated = [sys.executable, "-B", "-I", "-S", "-c", program, str(layer / "python")]
    ran = subprocess.run(isolated, text=True, capture_output=True, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")
    libnmap, elements, refusal = ran.stdout.splitlines()
    assert libnmap == str(layer / "python" / "libnmap" / "parser.py")
    assert elements == str(layer / "python" / "defusedxml" / "ElementTree.py")
    assert "EntitiesForbidden" in refusal


def test_the_layer_takes_less_than_half_of_what_lambda_allows(layer: Path) -> None:
    layer_bytes = sum(path.stat().st_size for path in layer.rglob("*") if path.is_file())

    assert layer_bytes < 120_000_000  # Lambda: 250 MB for a function and its layers, unzipped


def test_whoever_builds_it_the_layer_has_plain_files_and_everybody_may_read_them(layer: Path) -> None:
    programs = {"bin/nmap", "lib/ld-linux-x86-64.so.2"}
    for path in layer.rglob("*"):
        name = str(path.relative_to(layer))
        expected = 0o755 if path.is_dir() or name in programs else 0o644
        assert not path.is_symlink(), name
        assert stat.S_IMODE(path.stat().st_mode) == expected, name
        assert "__pycache__" not in name


def test_a_second_build_gives_the_same_files_with_the_same_times(layer: Path, tmp_path: Path) -> None:
    again = make_layer(tmp_path / "again")

    assert again.returncode == 0, again.stderr
    first = snapshot(layer)
    assert {"bin/nmap", "lib/libc.so.6", "share/nmap/nmap-services", "share/nmap/scripts/banner.nse"} <= first.keys()
    assert snapshot(tmp_path / "again") == first


def test_the_layer_of_names_holds_nmaps_lists_and_the_planner_finds_names_there(tmp_path: Path) -> None:
    if MAKE is None:
        pytest.skip("building the layer needs make")
    layer = tmp_path / "opt"
    built = make_layer(layer, "build-NmapNamesLayer")
    assert built.returncode == 0, built.stderr
    program = """
import sys
from cascan.nmap import nmap_data
nmap_data.FOLDERS = (sys.argv[1],)
print(nmap_data.read_services().knows("ssh", "T"), nmap_data.read_services().knows("nosuch", "TUS"))
print("apple" in nmap_data.read_vendors())
"""
    functions = LAYER_SOURCE.parents[1] / "functions"
    environment = {"PATH": "/nonexistent", "PYTHONPATH": str(functions)}
    command = [sys.executable, "-c", program, str(layer / "share" / "nmap")]
    ran = subprocess.run(command, text=True, capture_output=True, check=False, env=environment)
    assert (ran.stdout, ran.stderr) == ("True False\nTrue\n", "")
    assert sorted(path.name for path in layer.rglob("*") if path.is_file()) == [
        "nmap-mac-prefixes",
        "nmap-protocols",
        "nmap-services",
    ]
    assert make_layer(layer, "build-NmapNamesLayer").returncode != 0  # a second build finds files there


def test_the_layers_nmap_runs_from_an_empty_directory_with_no_nmap_on_the_path(layer: Path, tmp_path: Path) -> None:
    nmap = [str(layer / "lib" / "ld-linux-x86-64.so.2"), "--library-path", str(layer / "lib"), str(layer / "bin/nmap")]
    ran = subprocess.run(
        [*nmap, "--datadir", str(layer / "share/nmap"), "-V"],
        cwd=tmp_path,
        env={"PATH": str(tmp_path), "OPENSSL_MODULES": str(layer / "lib/ossl-modules")},
        text=True,
        capture_output=True,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("Nmap version 7.93 ")


@needs_make
@pytest.mark.parametrize("target", ["build-NmapLayer", "build-NmapNamesLayer"])
def test_the_build_runs_no_nmap_and_reads_none_of_this_machines_files(target: str) -> None:
    dry = subprocess.run([str(MAKE), "-n", target], cwd=LAYER_SOURCE, text=True, capture_output=True, check=True)

    assert "collect_nmap.py" in dry.stdout
    assert "/usr/share/nmap" not in dry.stdout
    assert "command -v" not in dry.stdout


def test_a_directory_that_holds_something_is_refused_and_left_alone(layer: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    refused = make_layer(tmp_path)

    assert refused.returncode != 0
    assert f"{tmp_path} is not empty" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]
