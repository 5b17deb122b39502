"""One message becomes findings and events: the real template on the emulator, the real nmap, services of the test."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import boto3
import pytest

from cascan.ids import derive_scan_id
from cascan.limits import MAX_REQUEST_BYTES
from cascan_cli.local.aws import aws_environment, client_options, open_session
from cascan_cli.local.state import StateDir
from tests.e2e.cascan_command import Cascan
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e


def outputs(cascan: Cascan) -> dict[str, str]:
    found: dict[str, str] = cascan("local status", "--json").json["outputs"]
    return found


def client(cascan: Cascan, service: Any) -> Any:
    endpoint = StateDir(cascan.state_dir).endpoint()
    return open_session(endpoint).client(service, **client_options(endpoint))


def scan_of(cascan: Cascan, scan_id: str) -> dict[str, Any] | None:
    scans: list[dict[str, Any]] = cascan("scans", "--json", "--limit", "200").json
    return next((scan for scan in scans if scan["id"] == scan_id), None)


def send(cascan: Cascan, body: str) -> str:
    """Put a message on the request queue, as anybody may; the id of its scan."""
    queue = outputs(cascan)["RequestQueueUrl"]
    return derive_scan_id(client(cascan, "sqs").send_message(QueueUrl=queue, MessageBody=body)["MessageId"])


def test_a_scan_finds_what_listens_and_says_what_it_is(cascan: Cascan, lab: dict[str, int]) -> None:
    ports = [lab[name] for name in ("http", "https", "closed")]
    nmap = ("-n", "-sV", "--version-light", "-p", ",".join(map(str, ports)))
    ran = cascan("scan", "127.0.0.1", "--json", "--label", "team=blue", nmap=nmap)
    assert ran.code == 0, ran.err

    answer = ran.json
    found = {f["attributes"]["port"]: f for f in answer["findings"] if f["category"] == "Open Port"}
    assert set(found) == {lab["http"], lab["https"]}
    assert found[lab["http"]]["attributes"]["service"] == "http"
    assert found[lab["https"]]["attributes"]["tunnel"] == "ssl"
    assert (answer["scan"]["state"], answer["scan"]["outcome"]) == ("Done", "complete")
    assert answer["scan"]["labels"] == {"team": "blue"}
    assert answer["scan"]["findings"]["count"] == len(answer["findings"])


def test_a_script_finding_names_the_port_that_the_script_ran_on(cascan: Cascan, lab: dict[str, int]) -> None:
    """The other port is open too, and comes first: the old parser would have named it."""
    nmap = ("-n", "--script", "banner", "-p", f"{lab['ftp']},{lab['banner']}")
    findings = cascan("scan", "127.0.0.1", "--json", nmap=nmap).json["findings"]
    banners = {f["attributes"]["port"]: f for f in findings if f["name"] == "Server banner found"}
    assert set(banners) == {lab["ftp"], lab["banner"]}
    assert "fixture <banner>" in banners[lab["banner"]]["description"] + str(banners[lab["banner"]]["attributes"])


def test_the_raw_xml_and_the_published_findings_are_in_the_bucket(cascan: Cascan, lab: dict[str, int]) -> None:
    answer = cascan("scan", "127.0.0.1", "--json", nmap=("-n", "-p", str(lab["http"]))).json
    scan_id = answer["scan"]["id"]

    xml = cascan("report", scan_id, "--xml").out
    root = ET.fromstring(xml)  # noqa: S314 - what our own nmap wrote
    assert [port.get("portid") for port in root.iter("port")] == [str(lab["http"])]
    bucket, key = answer["reports"][0].removeprefix("s3://").split("/", 1)
    s3 = client(cascan, "s3")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == xml
    published = json.loads(s3.get_object(Bucket=bucket, Key=f"results/{scan_id}/findings.json")["Body"].read())
    assert published == answer["findings"]
    assert cascan("findings", scan_id, "--json").json == answer["findings"]


def test_a_larger_scan_goes_to_a_worker_task_and_answers_the_same(cascan: Cascan, lab: dict[str, int]) -> None:
    """More probes than the express lane takes: on_shards_waiting starts a task, its process drains the queue."""
    ran = cascan("scan", "127.0.0.1", "--json", nmap=("-n", "-p", f"{lab['http']},1-6000"))
    assert ran.code == 0, ran.err
    assert lab["http"] in {f["attributes"].get("port") for f in ran.json["findings"]}
    ecs, cluster = client(cascan, "ecs"), outputs(cascan)["ClusterName"]
    eventually(lambda: ecs.list_tasks(cluster=cluster, desiredStatus="STOPPED")["taskArns"])  # idle, it ends by itself


def test_several_shards_make_one_scan(cascan: Cascan, lab: dict[str, int]) -> None:
    body = {
        "name": "four-addresses",
        "targets": ["127.0.0.0/30"],
        "parameters": ["-n", "-p", str(lab["http"])],
        "hostsPerShard": 1,
    }
    answer = cascan("submit", "-f", "-", "--json", stdin=json.dumps(body)).json
    assert (answer["scan"]["shards"], answer["scan"]["shardOutcomes"]) == (4, {"complete": 4})
    assert answer["scan"]["hostsUp"] == 4
    assert len(answer["reports"]) == 4

    merged = cascan("report", answer["scan"]["id"], "--xml").out
    hosts = [host.find("address") for host in ET.fromstring(merged).iter("host")]  # noqa: S314 - our own nmap wrote it
    assert [host.get("addr") for host in hosts if host is not None] == [f"127.0.0.{n}" for n in range(4)]
    key = f"results/{answer['scan']['id']}/nmap.xml"
    assert client(cascan, "s3").get_object(Bucket=outputs(cascan)["ReportBucketName"], Key=key)["Body"].read() == merged


def test_a_secure_code_box_manifest_runs_as_it_is(cascan: Cascan, lab: dict[str, int], tmp_path: Path) -> None:
    manifest = tmp_path / "scan.yaml"
    manifest.write_text(
        "apiVersion: execution.securecodebox.io/v1\nkind: Scan\nmetadata:\n  name: nmap-localhost\n"
        f"spec:\n  scanType: nmap\n  parameters:\n    - '-p'\n    - '{lab['http']}'\n    - localhost\n"
    )
    answer = cascan("submit", "-f", str(manifest), "--json").json
    (port,) = [f for f in answer["findings"] if f["category"] == "Open Port"]
    assert port["location"] == f"tcp://localhost:{lab['http']}"
    assert port["attributes"]["hostname"] == "localhost"
    assert answer["scan"]["name"] == "nmap-localhost"


def test_a_users_own_rule_on_the_bus_matches_on_labels_and_counts(cascan: Cascan, lab: dict[str, int]) -> None:
    events, sqs = client(cascan, "events"), client(cascan, "sqs")
    bus = outputs(cascan)["ScanBusName"]
    queue = sqs.create_queue(QueueName="mine")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "source": ["cascan"],
        "detail-type": ["ScanCompleted"],
        "detail": {
            "labels": {"team": ["red"]},
            "outcome": ["complete"],
            "findings": {"count": [{"numeric": [">", 0]}]},
        },
    }
    events.put_rule(Name="mine", EventBusName=bus, EventPattern=json.dumps(pattern))
    events.put_targets(Rule="mine", EventBusName=bus, Targets=[{"Id": "mine", "Arn": arn}])

    nmap = ("-n", "-p", str(lab["http"]))
    cascan("scan", "127.0.0.1", "--label", "team=blue", nmap=nmap)
    wanted = cascan("scan", "127.0.0.1", "--label", "team=red", "--json", nmap=nmap).json["scan"]["id"]

    def received() -> list[str]:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        return [json.loads(message["Body"])["detail"]["scan_id"] for message in answer.get("Messages", [])]

    assert eventually(received) == [wanted]


def test_a_message_delivered_twice_is_one_scan(cascan: Cascan, lab: dict[str, int]) -> None:
    body = {"targets": ["127.0.0.1"], "parameters": ["-n", "-p", str(lab["http"])], "idempotencyKey": "twice"}
    first, second = (cascan("submit", "-f", "-", "--json", stdin=json.dumps(body)).json for _ in range(2))
    assert first == second
    assert [scan["id"] for scan in cascan("scans", "--json").json].count(first["scan"]["id"]) == 1


def test_the_inventory_knows_what_is_open(cascan: Cascan, lab: dict[str, int]) -> None:
    scan = cascan("scan", "127.0.0.1", "--json", nmap=("-n", "-p", f"{lab['banner']},{lab['closed']}")).json["scan"]
    (host,) = cascan("inventory", "127.0.0.1", "--json").json
    known = {port["port"]: (port["state"], port["lastScan"]) for port in host["ports"]}
    assert known[lab["banner"]] == ("open", scan["id"])
    assert lab["closed"] not in known


REFUSED = [
    ("{", "JSON"),
    ('{"targets": ["127.0.0.1"], "tragets": []}', "tragets"),
    ('{"targets": ["192.0.2.1"]}', "192.0.2.1 is outside AllowedTargets"),
    ('{"targets": ["127.0.0.1"], "parameters": ["-oN", "/tmp/x"]}', "-oN"),
]


@pytest.mark.parametrize(("body", "reason"), REFUSED)
def test_a_bad_request_ends_in_a_stored_refusal_and_exit_code_2(cascan: Cascan, body: str, reason: str) -> None:
    ran = cascan("submit", "-f", "-", "--json", stdin=body)
    assert ran.code == 2
    scan = scan_of(cascan, ran.json["scan"]["id"])
    assert scan
    assert (scan["state"], scan["shards"]) == ("Errored", 0)
    assert reason in scan["errorDescription"]


def test_a_malformed_message_never_blocks_the_queue(cascan: Cascan, lab: dict[str, int]) -> None:
    bad, good = send(cascan, "not a request"), send(cascan, '{"targets": ["127.0.0.1"], "parameters": ["-n", "-F"]}')

    def states() -> list[str]:
        return [scan["state"] for scan_id in (bad, good) if (scan := scan_of(cascan, scan_id))]

    assert eventually(lambda: states() == ["Errored", "Done"])


def test_a_service_that_nmap_does_not_know_is_refused_before_a_worker_starts(cascan: Cascan) -> None:
    ran = cascan("scan", "127.0.0.1", nmap=("-n", "-p", "no-such-service"))
    assert ran.code == 2
    assert "nmap knows no service 'no-such-service' for TCP" in ran.err


def a_name_server_answers() -> bool:
    """Without one a name may exist, and the worker tries again for minutes."""
    try:
        return bool(socket.getaddrinfo("does-not-exist.invalid", None))
    except socket.gaierror as exc:
        return exc.errno != socket.EAI_AGAIN


def test_a_name_that_does_not_resolve_is_said_to_be_unresolved(cascan: Cascan) -> None:
    if not a_name_server_answers():
        pytest.skip("no name server answers here")
    ran = cascan("scan", "does-not-exist.invalid", "--json", nmap=("-n", "-F"))
    assert ran.code == 1
    assert ran.json["scan"]["outcome"] == "unresolved"
    assert "does-not-exist.invalid" in ran.json["scan"]["errorDescription"] or ran.json["scan"]["state"] == "Done"


def test_an_object_that_no_worker_minted_is_parked_and_changes_nothing(cascan: Cascan, lab: dict[str, int]) -> None:
    out = outputs(cascan)
    before = cascan("scans", "--json").json
    client(cascan, "s3").put_object(Bucket=out["ReportBucketName"], Key="reports/not-ours.xml", Body=b"<nmaprun/>")
    ran = cascan("scan", "127.0.0.1", "--json", nmap=("-n", "-p", str(lab["http"])))  # the queue goes on
    assert ran.code == 0
    assert [scan for scan in cascan("scans", "--json").json if scan["id"] != ran.json["scan"]["id"]] == before[:19]


def test_a_file_that_is_too_long_is_refused_before_it_is_sent(cascan: Cascan, tmp_path: Path) -> None:
    path = tmp_path / "long.json"
    path.write_text(" " * (MAX_REQUEST_BYTES + 1))
    ran = cascan("submit", "-f", str(path))
    assert ran.code == 2
    assert str(MAX_REQUEST_BYTES) in ran.err


def test_the_same_commands_reach_a_deployed_stack_by_its_name(
    cascan: Cascan, lab: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """--stack reads the CloudFormation outputs; here the deployed stack happens to be the emulator's."""
    for name, value in aws_environment(StateDir(cascan.state_dir).endpoint()).items():
        monkeypatch.setenv(name, value)
    names = [s["StackName"] for s in boto3.client("cloudformation").describe_stacks()["Stacks"] if "Outputs" in s]
    name = next(n for n in names if n == "cascan")
    ran = cascan("scan", "127.0.0.1", "--stack", name, "--json", nmap=("-n", "-p", str(lab["http"])))
    assert ran.code == 0, ran.err
    missing = cascan("scans", "--stack", "no-such-stack")
    assert missing.code == 3
    assert "no-such-stack" in missing.err


def test_a_message_that_was_given_up_is_listed_and_sent_back(cascan: Cascan) -> None:
    """Lifting a halt that there is none of changes nothing, so that the message harms no other test."""
    reason = {"reason": {"DataType": "String", "StringValue": "no answer"}}
    sqs, queues = client(cascan, "sqs"), outputs(cascan)
    message = sqs.send_message(
        QueueUrl=queues["ControlDLQUrl"], MessageBody='{"action": "lift"}', MessageAttributes=reason
    )

    queue = next(queue for queue in cascan("redrive list", "--json").json if queue["queue"] == "ControlDLQ")
    listed = next(letter for letter in queue["messages"] if letter["id"] == message["MessageId"])
    checked = cascan("doctor", "--json").json
    sent = cascan("redrive send", message["MessageId"], "--json")

    assert (listed["kind"], listed["reason"]) == ("control lift", "no answer")
    assert any(result["message"].startswith("ControlDLQ has 1 message") for result in checked)
    assert (sent.code, [entry["sentTo"] for entry in sent.json]) == (0, ["ControlQueue"])
    assert not any("ControlDLQ" in result["message"] for result in cascan("doctor", "--json").json)
