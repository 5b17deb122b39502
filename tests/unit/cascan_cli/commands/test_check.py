"""`cascan check`: what would become of a request, without scanning and without a stack."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cascan_cli.main import main
from cascan_cli.stack import explain_request
from cascan_cli.stack import permissions as permit

MANIFEST = """
apiVersion: execution.securecodebox.io/v1
kind: Scan
metadata: {name: lan}
spec:
  scanType: nmap
  parameters: ["-p", "22,443", "10.0.0.0/30"]
  volumes: [{name: x}]
"""
RULE = {
    "apiVersion": "cascading.securecodebox.io/v1",
    "kind": "CascadingRule",
    "metadata": {"name": "first"},
    "spec": {
        "matches": {"anyOf": [{"category": "Host"}]},
        "scanSpec": {"scanType": "nmap", "parameters": ["{{$.hostOrIP}}"]},
    },
}
SCHEDULE = """
apiVersion: execution.securecodebox.io/v1
kind: ScheduledScan
metadata: {name: nightly}
spec:
  interval: 24h
  scanSpec: {scanType: nmap, parameters: ["-p", "22", "10.0.0.1"]}
"""


def checked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code = main(["check", "--json", *words])
    return code, json.loads(capsys.readouterr().out)


def test_the_command_line_of_a_shard_shows_its_share_of_a_rate(capsys: pytest.CaptureFixture[str]) -> None:
    _, alone = checked(capsys, "10.0.0.0/22", "--", "--max-rate", "100")
    assert alone["argv"][1:3] == ["--max-rate", "100"]
    _, shared = checked(capsys, "10.0.0.0/22", "--", "--max-rate", "4000")
    assert shared["argv"][1:3] == ["--max-rate", "1000"]
    assert any("each of up to 4 shards at once" in note for note in shared["notes"])


def test_an_accepted_request_is_explained_with_its_size_and_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, said = checked(capsys, "10.0.0.0/23", "10.0.0.7", "--exclude", "10.0.1.1", "--", "-A", "-p22")
    assert (code, said["accepted"], said["refusals"]) == (0, True, [])
    assert (said["addresses"], said["shards"], said["lane"]) == (511, 2, "connect")
    assert said["argv"][:6] == ["nmap", "-sV", "-p", "22", "-n", "--script"]
    assert "banner" not in said["argv"][6].split(",")  # each script by its name, and no more than -A asks for
    assert said["argv"][7:] == [
        *("--unprivileged", "--no-stylesheet", "--stats-every", "5s"),
        *("-oX", "PRIVATE_FOLDER/report.xml", "-iL", "PRIVATE_FOLDER/targets"),
    ]
    assert "OS detection" in said["notes"][0]
    assert [(one["written"], one["decision"]) for one in said["options"]] == [("-A", "interpret"), ("-p22", "allow")]
    assert [one["refusal"] for one in said["targets"]] == ["", ""]


def test_a_refused_request_has_every_reason_as_data(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = checked(capsys, "8.8.8.8", "10.0.0.1", "--", "-oN", "x", "-sS", "--script", "/tmp/x")
    assert (code, said["accepted"], said["argv"], said["addresses"]) == (2, False, [], None)
    assert [(one["what"], one["rule"]) for one in said["refusals"]] == [
        ("-oN", "option"),
        ("/tmp/x", "script"),
        ("8.8.8.8", "scope"),
    ]
    assert [bool(one["refusal"]) for one in said["targets"]] == [True, False]


@pytest.mark.parametrize(
    ("words", "what", "reason"),
    [
        ("-n --max-r 5", "--max-r", "parameter 2: option '--max-r' is ambiguous"),
        ("-F -T6", "-T6", "parameter 2: -T6: a digit from 0 to 5"),
        ("-sV -sS -sX", "-sX", "-sS and -sX: nmap takes one kind"),
        ("-sT -g 53", "-g", "--source-port: -sT connects as any program does"),
        ("-4 -6", "-6", "Cannot use both -4 and -6"),
        ("-p1 -p2", "-p1", "-p is given 2 times"),
        ("--script banner,nobody", "nobody", "'nobody' is not a script"),
        ("--script banner,ftp-bounce", "ftp-bounce", "ftp-bounce needs policy profile intrusive"),
        ("--script banner -sn", "banner", "banner runs against a port"),
        ("--script ssl-cert --script-args userdb=/x", "--script-args", "--script-args: userdb"),
        ("-sV -R", "-R", "-R beside"),
    ],
)
def test_a_refusal_names_what_is_refused_as_it_was_written(
    capsys: pytest.CaptureFixture[str], words: str, what: str, reason: str
) -> None:
    said = checked(capsys, "10.0.0.1", "--", *words.split())[1]
    assert any(one["what"] == what and reason in one["reason"] for one in said["refusals"]), said["refusals"]


def test_a_name_does_not_count_as_inside_before_it_is_resolved(capsys: pytest.CaptureFixture[str]) -> None:
    by_number, by_name = checked(capsys, "10.0.0.1", "www.example.test")[1]["targets"]
    assert (by_number["refusal"], by_number["note"], by_name["refusal"]) == ("", "", "")
    assert "when it resolves the name" in by_name["note"]
    assert main(["check", "www.example.test"]) == 0
    out = capsys.readouterr().out
    assert "target www.example.test\tby name\t" in out
    assert "accepted: 1 address, 1 shard" in out


def test_raw_sockets_are_chosen_where_an_option_needs_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(capsys, "10.0.0.1", "--", "-sS")[1]["lane"] == "raw"
    assert checked(capsys, "10.0.0.1", "--type", "nmap", "--", "-sS")[0] == 2


def test_each_script_has_its_verdict_and_the_profile_that_would_allow_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def verdicts(*words: str) -> dict[str, tuple[str, str]]:
        said = checked(capsys, "10.0.0.1", *words)[1]
        return {one["script"]: (one["verdict"], one["profile"]) for one in said["scripts"]}

    assert verdicts("--", "--script", "banner,dns-brute,+ssl-cert") == {
        "banner": ("allowed", "safe"),
        "dns-brute": ("refused", "everything"),
        "ssl-cert": ("refused", "everything"),
    }
    default = verdicts("--", "-sC")
    assert default["ftp-bounce"] == ("left out", "intrusive")
    assert {verdict for verdict, _ in default.values()} == {"allowed", "left out"}
    assert verdicts("--policy-profile", "intrusive", "--", "-sC")["ftp-bounce"] == ("allowed", "intrusive")
    assert verdicts("--", "-sV")["docker-version"] == ("runs with -sV", "safe")
    assert len(verdicts("--", "-sV")) == 45
    assert main(["check", "10.0.0.1", "--", "--script", "ftp-bounce"]) == 2
    rows = capsys.readouterr().out.splitlines()
    assert rows[1].startswith(
        "script ftp-bounce\trefused\tpolicy profile intrusive allows it: it asks services of third"
    )


def test_a_request_may_ask_for_less_than_the_stack_allows_and_not_for_more(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "scan.json"
    asked = {"targets": ["10.0.0.1"], "parameters": ["--script", "ftp-bounce"], "policyProfile": "safe"}
    file.write_text(json.dumps(asked))
    allows = ("--policy-profile", "intrusive")
    assert checked(capsys, "-f", str(file), *allows)[1]["scripts"][0]["verdict"] == "refused"
    file.write_text(json.dumps(asked | {"policyProfile": "everything"}))
    code, said = checked(capsys, "-f", str(file), *allows)
    assert (code, said["scripts"][0]["verdict"]) == (2, "allowed")
    assert any("policyProfile everything is more than intrusive" in one["reason"] for one in said["refusals"])


def test_the_scope_is_this_machines_and_what_is_added_or_denied(capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(capsys, "8.8.8.8", "--allow", "8.8.8.0/24")[0] == 0
    assert checked(capsys, "127.0.0.1", "::1", "--deny", "127.0.0.1")[0] == 2
    assert main(["check", "127.0.0.1", "--allow", "1.2.3"]) == 2
    assert "neither a network nor a domain" in capsys.readouterr().err


def test_a_file_is_read_as_submit_reads_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "scan.yaml"
    file.write_text(MANIFEST)
    code, said = checked(capsys, "-f", str(file))
    assert (code, said["addresses"], said["lane"]) == (0, 4, "express")
    assert "spec.volumes" in said["notes"][0]
    file.write_text("targts: [a]")
    code, said = checked(capsys, "-f", str(file))
    assert (code, [one["rule"] for one in said["refusals"]]) == (2, ["field"])


def test_targets_and_a_file_do_not_go_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 2
    assert main(["check", "-f", "x", "10.0.0.1"]) == 2
    assert "name either targets or a file" in capsys.readouterr().err


def test_a_deployed_stack_gives_its_scope_its_profile_its_egress_and_whether_raw_scans_may_be(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = {"AllowedTargets": "192.0.2.0/24, 10.0.0.0/8", "DeniedTargets": "192.0.2.9", "RawScans": "disabled"}
    parameters |= {"WorkerSubnets": "subnet-1"}
    described = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    monkeypatch.setattr(permit, "describe_stack", lambda name: {"Parameters": described})
    here = ("--stack", "cascan")
    assert checked(capsys, "192.0.2.1", *here)[0] == 0
    assert checked(capsys, "127.0.0.1", *here)[0] == 2
    assert "DeniedTargets" in checked(capsys, "192.0.2.9", *here)[1]["refusals"][0]["reason"]
    assert "RawScans" in checked(capsys, "192.0.2.1", *here, "--", "-sS")[1]["refusals"][0]["reason"]
    assert checked(capsys, "10.0.0.1", *here)[1]["lane"] == "connect"  # its express function does not get there
    assert checked(capsys, "10.0.0.1", *here, "--", "--script", "ftp-bounce")[0] == 2
    described.append({"ParameterKey": "PolicyProfile", "ParameterValue": "intrusive"})
    assert checked(capsys, "10.0.0.1", *here, "--", "--script", "ftp-bounce")[0] == 0
    described.append({"ParameterKey": "PolicyProfile", "ParameterValue": "of a later version"})
    assert main(["check", "10.0.0.1", *here]) == 2
    assert "is not one of safe, intrusive, everything" in capsys.readouterr().err
    monkeypatch.setattr(permit, "describe_stack", lambda name: {})
    assert main(["check", "127.0.0.1", *here]) == 2
    assert "not a cascan stack" in capsys.readouterr().err


def test_a_deployed_stack_gives_what_its_workers_reach(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed, here = "9.0.0.0/8, 10.0.0.0/8, 2606:4700::/32", ("--stack", "cascan")
    parameters = {"AllowedTargets": allowed, "WorkerEgress": "9.0.0.0/9,10.0.0.0/8"}

    def describe(_: str) -> Any:
        described = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        return {"Parameters": described}

    monkeypatch.setattr(permit, "describe_stack", describe)
    assert checked(capsys, "9.0.0.0/24", *here)[0] == 0
    assert "WorkerEgress" in checked(capsys, "9.128.0.0/24", *here)[1]["refusals"][0]["reason"]
    assert "not a public address" in checked(capsys, "10.0.0.1", *here)[1]["refusals"][0]["reason"]
    parameters["WorkerNetwork"] = "endpoints"
    private = checked(capsys, "10.0.0.1", *here)[1]
    assert (private["lane"], private["refusals"]) == ("express", [])  # the express function is in the same network
    assert "no route to the Internet" in checked(capsys, "9.0.0.1", *here)[1]["refusals"][0]["reason"]
    parameters["WorkerNetwork"] = "of a later version"
    assert main(["check", "9.0.0.1", *here]) == 2
    assert "WorkerNetwork 'of a later version' is unknown" in capsys.readouterr().err
    parameters["WorkerNetwork"] = "subnets"
    parameters["WorkerSubnets"] = "subnet-1"
    assert checked(capsys, "10.0.0.1", *here)[0] == 0  # what the operator's own subnets reach is not known
    ipv6 = ("2606:4700::1", *here, "--", "-6")
    assert checked(capsys, *ipv6)[0] == 0  # an older stack, which accepts it
    parameters["WorkerIpv6"] = "disabled"
    assert "WorkerIpv6" in checked(capsys, *ipv6)[1]["refusals"][0]["reason"]
    parameters["WorkerIpv6"] = "enabled"
    assert checked(capsys, *ipv6)[0] == 0


def test_a_person_reads_the_verdicts_and_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "10.0.0.1", "--", "-sV"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("option -sV\tallow\t")
    assert lines[1] == "45 scripts\truns with -sV\tnmap adds them to version detection; --verbose lists each"
    assert lines[2].startswith("target 10.0.0.1\tinside\t")
    assert lines[3] == "accepted: 1 address, 1 shard, express lane"
    assert lines[4].startswith("nmap -sV -n --unprivileged")
    assert main(["check", "8.8.8.8"]) == 2
    assert "refused (scope): 8.8.8.8 is outside AllowedTargets" in capsys.readouterr().err


def test_c5_of_a_stream_each_document_is_checked_whatever_its_kind(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rule = json.loads(json.dumps({**RULE, "metadata": {"name": "second"}}))
    rule["spec"]["scanSpec"]["parameters"] = ["{{$.ip}}"]
    file = tmp_path / "all.yaml"
    file.write_text("\n---\n".join([json.dumps(RULE), MANIFEST, json.dumps(rule), SCHEDULE]))
    code, said = checked(capsys, "-f", str(file), "--allow", "10.0.0.0/8")
    assert (code, said["accepted"], said["addresses"]) == (0, True, 4 + 1)
    assert [len(one["argv"]) > 0 for one in said["documents"].values()] == [False, True, False, True]
    assert "{{$.ip}} never renders" in said["documents"]["document 3"]["notes"][0]
    assert main(["check", "-f", str(file), "--allow", "10.0.0.0/8"]) == 0
    assert capsys.readouterr().out.count("accepted") == 4
    file.write_text(json.dumps(RULE) + "\n---\n" + MANIFEST.replace("nmap", "zap") + "\n---\nkind: [")
    assert main(["check", "-f", str(file)]) == 2
    assert "document 3: the request is not YAML" in capsys.readouterr().err


def test_c1_a_name_that_never_renders_in_a_scope_limiter_gives_a_note(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    cascades = """
  cascades:
    scopeLimiter:
      allOf: [{key: scope.cascading.securecodebox.io/ip, operator: In, values: ["{{$.ip}}"]}]
"""
    file = tmp_path / "scan.yaml"
    file.write_text(MANIFEST.rstrip() + cascades)
    code, said = checked(capsys, "-f", str(file))
    assert code == 0
    assert any("cascades.scopeLimiter.allOf[0].values: {{$.ip}} never renders" in note for note in said["notes"])


def test_c5_targets_from_an_init_container_are_refused_by_its_name(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    spec = {"scanType": "nmap", "parameters": ["-iL", "/lists/hosts"], "initContainers": [{"name": "fetch-hosts"}]}
    file = tmp_path / "scan.json"
    file.write_text(json.dumps({"apiVersion": "execution.securecodebox.io/v1", "kind": "Scan", "spec": spec}))
    code, said = checked(capsys, "-f", str(file))
    assert code == 2
    (refusal,) = said["refusals"]
    assert refusal["reason"].startswith("parameters: -iL reads targets from a file of the worker")
    assert "initContainers (fetch-hosts)" in refusal["reason"]


def test_a_budget_that_the_scan_may_exceed_is_a_refusal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"targets": ["10.0.0.0/16"], "parameters": ["-p-"], "budgetUsd": 5}))
    code, refused = checked(capsys, "-f", str(request))
    assert (code, refused["refusals"][0]["what"]) == (2, "budgetUsd")
    assert "may cost up to" in refused["refusals"][0]["reason"]
    parameters = {"AllowedTargets": "10.0.0.0/8", "WorkerSubnets": "subnet-1", "MaxScanCostUsd": "0.5"}
    described = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    monkeypatch.setattr(permit, "describe_stack", lambda name: {"Parameters": described})
    code, refused = checked(capsys, "10.0.0.0/16", "--stack", "cascan", "--", "-p-")
    assert (code, refused["refusals"][0]["what"]) == (2, "MaxScanCostUsd")


def test_a_closed_window_says_when_the_next_one_opens(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"targets": ["10.0.0.1"], "windows": ["22:00-04:00"]}))
    monkeypatch.setattr(explain_request, "utc_now", lambda: datetime(2026, 3, 2, 12, tzinfo=UTC))
    code, explained = checked(capsys, "-f", str(request))
    assert (code, explained["accepted"]) == (0, True)
    assert "its windows are closed: the scan would wait until 2026-03-02T22:00:00.000Z" in explained["notes"]

    monkeypatch.setattr(explain_request, "utc_now", lambda: datetime(2026, 3, 2, 23, tzinfo=UTC))
    _, explained = checked(capsys, "-f", str(request))
    assert "one of its windows is open until 2026-03-03T04:00:00.000Z" in explained["notes"]
