"""layers/nmap/collect_nmap.py: which packages it takes, from where, and what it refuses."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "layers" / "nmap" / "collect_nmap.py"
LOCKED_VERSION = "1.0-1"
NOWHERE = "http://127.0.0.1:9"  # discard: nothing listens there


def write_package(files: dict[str, bytes], links: dict[str, str]) -> bytes:
    """A Debian package that holds these."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:xz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target in links.items():
            member = tarfile.TarInfo(f"./{name}")
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    members = [("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), ("data.tar.xz", stream.getvalue())]
    package = b"!<arch>\n"
    for name, content in members:
        package += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
        package += content + b"\n" * (len(content) % 2)
    return package


DATA = "usr/share/nmap"
PACKAGE = write_package(
    {f"{DATA}/nmap-services": b"ssh 22/tcp", f"{DATA}/nmap-protocols": b"tcp 6", "etc/other": b"no"},
    {f"{DATA}/nmap-mac-prefixes": "nmap-services"},
)


@pytest.fixture
def archive() -> Iterator[tuple[str, dict[str, bytes]]]:
    """An archive on this machine: its address, and what it answers to which path."""
    contents: dict[str, bytes] = {}

    class Archive(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = contents.get(self.path)
            self.send_response(200 if content is not None else 404)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Archive) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", contents
        server.shutdown()
        thread.join()


@pytest.fixture
def collector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: tuple[str, dict[str, bytes]]) -> ModuleType:
    """The module with one locked package, no cache, and neither apt nor a container."""
    spec = importlib.util.spec_from_file_location("collect_nmap", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    lock = tmp_path / "packages.lock"
    digest = hashlib.sha256(PACKAGE).hexdigest()
    lock.write_text(f"# head\nsnapshot 20260101T000000Z\nnmap {LOCKED_VERSION} {digest} debian/pool/n+.deb\n")
    monkeypatch.setattr(module, "LOCK", lock)
    monkeypatch.setattr(module, "NMAP_VERSION", LOCKED_VERSION)
    monkeypatch.setattr(module, "DEBIAN_MIRROR", archive[0])
    monkeypatch.setattr(module, "SNAPSHOT_MIRROR", f"{archive[0]}/archive")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return module


def build(collector: ModuleType, folder: Path) -> dict[str, bytes]:
    collector.main(["names", str(folder)])
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_locked_package_comes_from_the_mirror_and_a_link_becomes_its_file(
    collector: ModuleType, archive: tuple[str, dict[str, bytes]], tmp_path: Path
) -> None:
    archive[1]["/debian/pool/n%2B.deb"] = PACKAGE

    assert build(collector, tmp_path / "layer") == {
        "nmap-services": b"ssh 22/tcp",
        "nmap-protocols": b"tcp 6",
        "nmap-mac-prefixes": b"ssh 22/tcp",
    }


def test_what_the_mirror_has_dropped_comes_from_the_snapshots_and_then_from_the_cache(
    collector: ModuleType, archive: tuple[str, dict[str, bytes]], tmp_path: Path
) -> None:
    archive[1]["/archive/debian/20260101T000000Z/pool/n%2B.deb"] = PACKAGE
    first = build(collector, tmp_path / "first")
    archive[1].clear()

    assert build(collector, tmp_path / "second") == first


def test_a_package_with_another_hash_is_not_used_whoever_sends_it(
    collector: ModuleType, archive: tuple[str, dict[str, bytes]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive[1]["/debian/pool/n%2B.deb"] = PACKAGE + b"!"

    with pytest.raises(SystemExit, match="neither apt nor Docker nor podman is here: install Docker or podman"):
        build(collector, tmp_path / "layer")
    assert "nmap 1.0-1 cannot be downloaded (not the content that the lock names" in capsys.readouterr().err
    assert not (tmp_path / "layer").exists()


def test_another_version_than_the_locked_one_is_asked_of_apt_in_a_container(
    collector: ModuleType,
    archive: tuple[str, dict[str, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    digest = hashlib.sha256(PACKAGE).hexdigest()
    printed = (
        "http://mirror.test/debian/pool/nmap_2.deb\n"
        f"Package: nmap\nVersion: 2.0-1\nDescription: x\n more: text\nFilename: pool/nmap_2.deb\nSHA256: {digest}\n\n"
        "Package: nmap\nVersion: 1.9-1\nFilename: pool/nmap_old.deb\nSHA256: 00\n"
    )
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    (tmp_path / "printed").write_text(printed)
    docker.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/calls\nexec /bin/cat {tmp_path}/printed\n')
    docker.chmod(0o755)
    archive[1]["/debian/pool/nmap_2.deb"] = PACKAGE
    monkeypatch.setattr(collector, "NMAP_VERSION", "2.0-1")

    assert "nmap-services" in build(collector, tmp_path / "layer")
    assert "run --rm --env VERSION==2.0-1 --env SUITE=bookworm" in (tmp_path / "calls").read_text()


def test_without_an_archive_the_sentence_says_what_to_install(
    collector: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "DEBIAN_MIRROR", NOWHERE)
    monkeypatch.setattr(collector, "SNAPSHOT_MIRROR", NOWHERE)

    with pytest.raises(SystemExit) as refused:
        build(collector, tmp_path / "layer")

    assert str(refused.value) == (
        "nmap layer: this needs apt, and neither apt nor Docker nor podman is here: install Docker or podman."
    )


def test_what_is_no_debian_package_is_refused(collector: ModuleType) -> None:
    with pytest.raises(SystemExit, match="not a Debian package"):
        collector.read_data(b"<html>sorry</html>")


def test_a_file_for_another_processor_is_refused(collector: ModuleType) -> None:
    with pytest.raises(SystemExit, match="not for x86-64"):
        list(collector.read_needed(b"\x7fELF\x01" + bytes(64)))
