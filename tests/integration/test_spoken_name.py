"""The real nmap, given a number, tells servers on loopback the name that the number stands for."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest

from cascan.model.shard import TargetSlice
from on_shard_queued.run_shard import run_shard
from tests.data.services import certificate
from tests.fakes import FixedResolver, MemoryReportStore
from tests.support.builders import a_scan, a_shard, a_table, shard_queued
from tests.support.workers import a_delivery, a_worker

NMAP = shutil.which("nmap") or ""
NAME = "www.example.test"
pytestmark = pytest.mark.skipif(not NMAP, reason="nmap is not installed")


class Recorder:
    """An HTTP and a TLS server on loopback, and the names they were called by."""

    def __init__(self, folder: Path) -> None:
        self.hosts: list[str] = []
        self.server_names: list[str | None] = []
        self.plain, self.tls = self._web_server(), self._tls_server(certificate(folder))
        for server in (self.plain, self.tls):
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def _web_server(self) -> ThreadingTCPServer:
        hosts = self.hosts

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hosts.append(self.headers.get("Host", ""))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"<title>a page</title>")

            def log_message(self, *_: object) -> None:
                pass

        return _listening(Page)

    def _tls_server(self, context: ssl.SSLContext) -> ThreadingTCPServer:
        context.sni_callback = lambda _socket, name, _context: self.server_names.append(name)

        class Handshake(BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):
                    if self.request.recv(1, socket.MSG_PEEK):  # a port scan hangs up without a word
                        context.wrap_socket(self.request, server_side=True).close()

        return _listening(Handshake)

    def close(self) -> None:
        for server in (self.plain, self.tls):
            server.shutdown()
            server.server_close()

    def scan(self, *expressions: str, script: str, port: object) -> bytes:
        """The report of a shard with these targets, of which names stand for 127.0.0.1."""
        slices = tuple(TargetSlice(text, 0, 1) for text in expressions)
        arguments = ("-n", "-Pn", "-sT", "-p", str(port), "--script", script)
        table, reports = a_table(a_scan(), a_shard(slices=slices, arguments=arguments)), MemoryReportStore()
        resolver = FixedResolver({NAME: ["127.0.0.1"], "b.example.test": ["127.0.0.1"]})
        worker = a_worker(NMAP, table, reports=reports, resolver=resolver)
        message = shard_queued()
        assert run_shard(message, a_delivery(time_limit_s=60), worker=worker).exit_code == 0
        (report,) = reports.objects.values()
        return report


def _listening(handler: type[BaseRequestHandler]) -> ThreadingTCPServer:
    server = ThreadingTCPServer(("127.0.0.1", 0), handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # probes hang up, and may
    return server


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    recorder = Recorder(tmp_path_factory.mktemp("certificate"))
    yield recorder
    recorder.close()


@pytest.fixture(autouse=True)
def forget(recorder: Recorder) -> None:
    recorder.hosts.clear()
    recorder.server_names.clear()


def test_a_tls_server_hears_the_name_of_the_address_it_is_scanned_at(recorder: Recorder) -> None:
    report = recorder.scan(NAME, script="+ssl-cert", port=recorder.tls.server_address[1])
    assert b'addr="127.0.0.1"' in report
    assert b'script id="ssl-cert"' in report
    assert NAME in recorder.server_names


def test_a_web_server_hears_the_name_as_the_host_it_is_asked_for(recorder: Recorder) -> None:
    report = recorder.scan(NAME, script="+http-title", port=recorder.plain.server_address[1])
    assert b'script id="http-title" output="a page"' in report
    assert recorder.hosts
    assert set(recorder.hosts) == {NAME}


@pytest.mark.parametrize("targets", [["127.0.0.1"], [NAME, "b.example.test"], [NAME, "127.0.0.1"]])
def test_a_shard_without_one_name_for_its_addresses_says_none(recorder: Recorder, targets: list[str]) -> None:
    recorder.scan(*targets, script="+http-title", port=recorder.plain.server_address[1])
    recorder.scan(*targets, script="+ssl-cert", port=recorder.tls.server_address[1])
    assert recorder.hosts
    assert recorder.server_names
    assert NAME not in " ".join(map(str, recorder.hosts + recorder.server_names))
