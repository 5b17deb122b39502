"""The stack on one machine answers its owner alone: not another user of the machine, and no web page.

Each claim is made twice, with the same calls: of the emulator alone, which answers all of them, and of the stack.
"""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from cascan_cli.local.aws import client_options, open_session
from cascan_cli.local.state import StateDir
from tests.e2e.bare_emulator import bare_emulator
from tests.e2e.cascan_command import ROOT, Cascan
from tests.e2e.intruder import CALLS, NAME, answers, function_body
from tests.support.browser import chromium

pytestmark = pytest.mark.e2e

FORBIDDEN = 403
NOBODY = 65534
REBOUND = "rebind.example"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an emulator without a guard."""
    with bare_emulator(tmp_path_factory.mktemp("bare")) as port:
        yield port


def port_of(cascan: Cascan) -> int:
    return StateDir(cascan.state_dir).port()


def left_behind(cascan: Cascan) -> list[str]:
    """What the calls would have made in the stack."""
    endpoint = StateDir(cascan.state_dir).endpoint()
    session, options = open_session(endpoint), client_options(endpoint)
    functions, s3 = session.client("lambda", **options), session.client("s3", **options)
    names = [function["FunctionName"] for function in functions.list_functions()["Functions"]]
    names += [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    functions.close()
    s3.close()
    assert names, "the stack has functions and buckets of its own: it was reset"
    return [name for name in names if name == NAME]


def test_the_bare_emulator_answers_everybody(bare: int) -> None:
    """Otherwise the tests below would show nothing."""
    answered = answers(bare)
    assert [call for call, status in answered.items() if status == FORBIDDEN] == []
    assert {answered[f"{call}, with none"] for call in CALLS if call != "make a bucket"} <= {200, 201, 409}


def test_another_user_of_the_machine_is_refused_whatever_they_ask_and_reads_nothing(cascan: Cascan) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can ask as another user")
    state = StateDir(cascan.state_dir)
    program = [sys.executable, "-m", "tests.e2e.intruder", str(state.port()), str(NOBODY), str(state.root)]
    report = json.loads(subprocess.run(program, cwd=ROOT, capture_output=True, check=True).stdout)

    assert report["uid"] == NOBODY
    assert len(report["answers"]) >= 100
    assert {call: status for call, status in report["answers"].items() if status != FORBIDDEN} == {}
    assert report["readable"] == []
    assert state.endpoint().secret not in report["command lines"]
    assert left_behind(cascan) == []


def test_the_owner_with_the_secret_is_answered_what_others_are_refused(cascan: Cascan) -> None:
    secret = {"X-Amz-Security-Token": StateDir(cascan.state_dir).endpoint().secret}
    harmless = {call: CALLS[call] for call in CALLS if call.startswith(("list", "health", "who"))}
    answered = answers(port_of(cascan), {"the secret": secret}, harmless)
    assert set(answered.values()) == {200}


# What a script of a page can try, and what it hears. An "opaque" answer says nothing to the script, but the call has
# been made: so what counts as well is what is left behind.
SCRIPT = """async ([url, body]) => {
  const heard = {};
  const call = async (name, path, options) => {
    try {
      const answer = await fetch(url + path, options);
      heard[name] = answer.type === "opaque" ? "opaque" : String(answer.status);
    } catch (error) { heard[name] = "failed"; }
  };
  const text = {"content-type": "text/plain"};
  const post = (more) => ({method: "POST", body, headers: text, ...more});
  const functions = "/2015-03-31/functions";
  await call("list functions", functions, {});
  await call("create a function", functions, post({}));
  await call("create one blindly", functions, post({mode: "no-cors"}));
  await call("ask with a preflight", functions, {headers: {"x-amz-security-token": "A"}});
  await call("make a bucket", "/intruder", {method: "PUT"});
  heard["open a socket"] = await new Promise((done) => {
    const socket = new WebSocket(url.replace("http", "ws") + "/_aws/execute-api/a/$default");
    socket.onopen = () => done("open");
    socket.onerror = () => done("failed");
  });
  return heard;
}"""
READABLE = {"list functions", "create a function", "ask with a preflight", "make a bucket"}


@contextmanager
def some_page() -> Iterator[str]:
    """The address of a page of another origin."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(ROOT / "tests" / "data" / "envelopes"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            serving.join()


def from_another_origin(port: int) -> dict[str, str]:
    """What a script of a page of another origin hears from this port."""
    with some_page() as address, chromium() as browser:
        page = browser.new_page()
        page.goto(address)
        heard: dict[str, str] = page.evaluate(SCRIPT, [f"http://127.0.0.1:{port}", function_body()])
        return heard


def from_a_rebound_name(port: int) -> tuple[int, dict[str, str]]:
    """The status of a page under a name that now leads to this port, and what a script there hears of its origin."""
    with chromium(f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1") as browser:
        page = browser.new_page()
        answer = page.goto(f"http://{REBOUND}:{port}/_ministack/health")
        assert answer
        return answer.status, page.evaluate(SCRIPT, [f"http://{REBOUND}:{port}", function_body()])


def test_the_bare_emulator_answers_a_page_of_another_origin(bare: int) -> None:
    heard = from_another_origin(bare)
    assert {heard[what] for what in READABLE} <= {"200", "201", "409"}


def test_a_page_of_another_origin_is_refused_and_reads_nothing(cascan: Cascan) -> None:
    heard = from_another_origin(port_of(cascan))
    assert heard.pop("create one blindly") == "opaque"
    assert set(heard.values()) == {"failed"}
    assert left_behind(cascan) == []


def test_the_bare_emulator_answers_under_a_name_that_leads_to_it_now(bare: int) -> None:
    status, heard = from_a_rebound_name(bare)
    assert status == 200
    assert heard["list functions"] == "200"


def test_a_name_that_leads_to_the_stack_now_is_refused(cascan: Cascan) -> None:
    status, heard = from_a_rebound_name(port_of(cascan))
    assert status == FORBIDDEN
    assert {answer for what, answer in heard.items() if what in READABLE} == {str(FORBIDDEN)}
    assert heard["open a socket"] == "failed"
    assert left_behind(cascan) == []
