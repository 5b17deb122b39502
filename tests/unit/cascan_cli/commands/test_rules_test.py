"""`cascan rules test` from files alone, and the files that hold manifests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cascan.cascades.bundled_rules import FOLDER, read_bundled_rules
from cascan.cascades.rule import read_rule
from cascan.errors import RequestRefused
from cascan.forms import read_request
from cascan.forms.documents import read_documents
from cascan_cli.main import main
from tests.support.cascading import rule_document

SCAN = """
apiVersion: execution.securecodebox.io/v1
kind: Scan
metadata: {name: nmap-office, labels: {team: soc}}
spec:
  scanType: nmap
  parameters: ["-sV", "10.0.0.0/24"]
  cascades:
    matchLabels: {securecodebox.io/intensive: light}
"""


def finding(address: str, port: int, service: str, **fields: Any) -> dict[str, Any]:
    attributes = {"port": port, "state": "open", "service": service, "ip_addresses": [address], "hostname": None}
    return {"name": f"Open Port: {port}", "category": "Open Port", "attributes": attributes} | fields


FINDINGS = [
    finding("10.0.0.1", 80, "http"),
    finding("10.0.0.2", 80, "http"),
    finding("10.0.0.2", 80, "http"),
    finding("10.0.0.3", 22, "ssh"),
    finding("8.8.8.8", 80, "http"),
]


def rehearsed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *words: str, findings: Any = FINDINGS, scan: str = SCAN
) -> tuple[int, Any, str]:
    (tmp_path / "scan.yaml").write_text(scan)
    (tmp_path / "findings.json").write_text(json.dumps(findings))
    files = ["--scan-file", str(tmp_path / "scan.yaml"), "--findings", str(tmp_path / "findings.json")]
    code = main(["rules", "test", *words, *files, "--json"])
    said = capsys.readouterr()
    return code, json.loads(said.out) if said.out else None, said.err


def test_the_children_are_printed_as_manifests_and_each_refusal_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said, _ = rehearsed(tmp_path, capsys, "-f", str(FOLDER))
    assert code == 0
    scans = {child["metadata"]["generateName"]: child for child in said["children"]}
    assert set(scans) == {"nmap-office-nmap-http-", "nmap-office-nmap-ssh-algorithms-"}
    http = scans["nmap-office-nmap-http-"]
    assert (http["kind"], http["metadata"]["labels"]) == ("Scan", {"team": "soc"})
    assert http["spec"]["parameters"][-2:] == ["10.0.0.1", "10.0.0.2"]
    assert [(one["reason"], one["count"]) for one in said["decisions"] if one["decision"] == "out of scope"] == [
        ("8.8.8.8 is outside AllowedTargets", 1)
    ]
    assert {kind: said["summary"][kind] for kind in ("start", "duplicate", "out of scope")} == {
        "start": 2,
        "duplicate": 1,
        "out of scope": 1,
    }
    assert read_request(json.dumps(http)).request.name == "nmap-office-nmap-http"


def test_the_bundled_rules_are_there_without_a_file_and_can_be_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, said, _ = rehearsed(tmp_path, capsys, "nmap-ssh-algorithms")
    assert [child["metadata"]["generateName"] for child in said["children"]] == ["nmap-office-nmap-ssh-algorithms-"]


def test_c1_nothing_follows_a_scan_without_cascades_and_a_message_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = SCAN[: SCAN.index("  cascades:")]
    code, said, err = rehearsed(tmp_path, capsys, "nmap-http", scan=scan)
    assert (code, said["children"], said["decisions"]) == (0, [], [])
    assert "no `cascades`" in err


def test_the_scan_may_be_another_scanners(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan = """
apiVersion: execution.securecodebox.io/v1
kind: Scan
metadata:
  name: subfinder-office
  annotations: {scope.cascading.securecodebox.io/domain: www.example.org}
spec:
  scanType: subfinder
  parameters: ["-d", "example.org"]
  cascades:
    scopeLimiter:
      allOf: [{key: scope.cascading.securecodebox.io/domain, operator: In, values: ["{{attributes.name}}"]}]
"""
    found = [
        {"name": name, "category": "Subdomain", "osi_layer": "NETWORK", "location": name, "attributes": {"name": name}}
        for name in ("www.example.org", "ftp.example.org")
    ]
    code, said, _ = rehearsed(tmp_path, capsys, "nmap-hostscan", scan=scan, findings=found)
    (child,) = said["children"]
    assert (code, child["metadata"]["generateName"]) == (0, "nmap-office-nmap-hostscan-")
    assert child["spec"]["parameters"][-1] == "www.example.org"
    assert [one["decision"] for one in said["decisions"]] == ["start", "out of scope"]


def test_the_targets_of_the_scan_may_lie_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan = SCAN.replace('["-sV", "10.0.0.0/24"]', '["-iL", "/targets/targets.txt"]')
    code, said, _ = rehearsed(tmp_path, capsys, "nmap-http", scan=scan)
    assert (code, len(said["children"])) == (0, 1)


def test_a_scan_of_another_scanner_is_checked_as_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan = SCAN.replace("scanType: nmap", "scanType: zap").replace(
        "matchLabels: {", "matchExpressions: [{operator: Is, "
    )
    code, _, err = rehearsed(tmp_path, capsys, scan=scan.replace("light}", "light}]"))
    assert code == 2
    assert "cascades.matchExpressions[0].operator: 'Is' is not known" in err


def test_c17_what_the_scan_had_from_its_own_rule_is_not_inherited(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = rule_document("first", scanType="zap", scanSpec={"volumes": [{"name": "lists"}]})
    second = rule_document("second", scanType="zap")
    (tmp_path / "rules.json").write_text(json.dumps({"kind": "List", "items": [first, second]}))
    scan = SCAN.replace("name: nmap-office", "name: x, annotations: {cascading.securecodebox.io/chain: first}")
    scan = scan.replace("matchLabels: {securecodebox.io/intensive: light}", "inheritVolumes: true")
    scan += "  volumes: [{name: lists}, {name: own}]\n"
    _, said, _ = rehearsed(tmp_path, capsys, "-f", str(tmp_path / "rules.json"), scan=scan, findings=FINDINGS[:1])
    (child,) = said["children"]
    assert child["spec"]["volumes"] == [{"name": "own"}]
    assert child["metadata"]["annotations"]["cascading.securecodebox.io/chain"] == "first,second"


def test_findings_may_stand_one_a_line_as_cascan_read_prints_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scan.yaml").write_text(SCAN)
    for lines in (FINDINGS, FINDINGS[:1]):
        (tmp_path / "findings").write_text("".join(f"{json.dumps(one)}\n" for one in lines))
        files = ["--scan-file", str(tmp_path / "scan.yaml"), "--findings", str(tmp_path / "findings")]
        assert main(["rules", "test", "nmap-http", *files, "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)["children"]) == 1


def test_findings_may_be_yaml_as_in_secure_code_boxs_examples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scan.yaml").write_text(SCAN)
    attributes = "{hostname: a.example, port: 80, service: http, state: open}"
    text = f"# found\n- {{name: x, category: Open Port, attributes: {attributes}}}\n"
    (tmp_path / "findings.yaml").write_text(text)
    files = ["--scan-file", str(tmp_path / "scan.yaml"), "--findings", str(tmp_path / "findings.yaml")]
    assert main(["rules", "test", "nmap-http", *files, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["children"]) == 1


def test_files_may_be_as_windows_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    light = {"securecodebox.io/intensive": "light"}
    rules = [json.dumps(rule_document(name, labels=light), indent=1) for name in ("one", "two")]
    texts = {"rules.yaml": "---\n" + "\n---\n".join(rules), "scan.yaml": SCAN, "found": json.dumps(FINDINGS)}
    for name, text in texts.items():
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    files = ["-f", str(tmp_path / "rules.yaml"), "--scan-file", str(tmp_path / "scan.yaml"), "--findings"]
    assert main(["rules", "test", *files, str(tmp_path / "found"), "--json"]) == 0
    assert {one["rule"] for one in json.loads(capsys.readouterr().out)["decisions"]} == {"one", "two"}


def test_null_in_a_finding_is_what_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = [finding("10.0.0.1", 80, "http", id=None), {"category": "Open Port", "attributes": None}, {"id": 7}]
    code, said, _ = rehearsed(tmp_path, capsys, "nmap-http", findings=found)
    (child,) = said["children"]
    assert (code, child["metadata"]["annotations"]["cascading.securecodebox.io/matched-finding"]) == (0, "finding-1")


@pytest.mark.parametrize(
    ("words", "findings", "complaint"),
    [
        (["nosuch"], FINDINGS, "no rule nosuch"),
        ([], [1], "a JSON array of objects"),
        ([], {"findings": {"a": 1}}, "a JSON array of objects"),
        ([], [{"name": "\ud800"}], "invalid JSON"),
        ([], [{"attributes": [1]}], "finding 1: `attributes` must be an object, not list"),
        (["--scan", "latest"], FINDINGS, "name a scan with --scan, or files"),
    ],
)
def test_bad_input_is_reported_and_nothing_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], findings: Any, complaint: str
) -> None:
    code, said, err = rehearsed(tmp_path, capsys, *words, findings=findings)
    assert (code, said) == (2, None)
    assert complaint in err


def test_every_problem_of_every_rule_is_reported_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = tmp_path / "rules.json"
    documents = [rule_document("one", parameters=["{{"]), rule_document("two", matches={"expression": "1 +"})]
    rules.write_text(json.dumps({"kind": "List", "items": documents}))
    code, _, err = rehearsed(tmp_path, capsys, "-f", str(rules))
    assert code == 2
    assert "one: spec.scanSpec.parameters[0]" in err
    assert "two: spec.matches.expression" in err


def test_c19_a_rule_that_sets_the_scope_is_refused_and_the_others_are_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    light = {"securecodebox.io/intensive": "light"}
    widening = rule_document(
        "wide", labels=light, scanAnnotations={"scope.cascading.securecodebox.io/cidr": "0.0.0.0/0"}
    )
    (tmp_path / "rules.json").write_text(
        json.dumps({"kind": "List", "items": [widening, rule_document("other", labels=light)]})
    )
    code, said, err = rehearsed(tmp_path, capsys, "-f", str(tmp_path / "rules.json"), findings=FINDINGS[:1])
    assert (code, [one["rule"] for one in said["decisions"]]) == (2, ["wide", "other"])
    assert [child["metadata"]["generateName"] for child in said["children"]] == ["nmap-office-other-"]
    assert "wide: spec.scanAnnotations: scope.cascading.securecodebox.io/cidr is not a rule's to set" in err


@pytest.mark.parametrize("name", read_bundled_rules())
def test_n14_to_n16_each_bundled_rule_is_one_and_is_labelled(name: str) -> None:
    rule = read_rule(read_bundled_rules()[name])
    assert (FOLDER / f"{rule.name}.yaml").is_file()
    invasive, intensive = rule.labels["securecodebox.io/invasive"], rule.labels["securecodebox.io/intensive"]
    assert (invasive, intensive) in {("non-invasive", "light"), ("invasive", "medium")}


def test_n14_the_host_scan_follows_subdomains() -> None:
    rule = read_rule(read_bundled_rules()["nmap-hostscan"])
    assert rule.matches.any_of == ({"category": "Subdomain", "osi_layer": "NETWORK"},)
    assert (rule.scan_spec.scan_type, rule.scan_spec.parameters) == ("nmap", ("-Pn", "{{location}}"))
    assert (rule.labels["securecodebox.io/invasive"], rule.labels["securecodebox.io/intensive"]) == (
        "non-invasive",
        "light",
    )


def test_n15_the_smb_scan_follows_file_servers() -> None:
    rule = read_rule(read_bundled_rules()["nmap-smb"])
    assert [matcher["attributes"] for matcher in rule.matches.any_of] == [
        {"port": 445, "state": "open"},
        {"service": "microsoft-ds", "state": "open"},
        {"service": "netbios-ssn", "state": "open"},
    ]
    assert rule.scan_spec.parameters == (
        *("-Pn", "-p{{attributes.port}}"),
        *("--script", "smb-protocols", "{{$.hostOrIP}}"),
    )


def test_yaml_documents_are_divided_and_empty_ones_passed_over() -> None:
    text = "# about\n---\nkind: A\n---\n# nothing\n---  # more\nkind: B\n"
    assert [document["kind"] for document in read_documents(text)] == ["A", "B"]


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "A"}\n---\n{"kind": "B"}\n',
        '{\n  "kind": "A",\n  "said": "---\\n"\n}\n---\nkind: B\n',
        "--- {kind: A}\n--- {kind: B}\n...\n",
        '%YAML 1.2\n---\n{"kind": "A"}\n...\n---\nkind: B\n...\n---\n...\n',
        '# about\n{"kind": "A"}\n# the end\n...\nkind: B\n',
        "kind: A\nsaid: |\n  ---\n  text\n--- # the second\nkind: B\n",
        '--- {"kind": "A"}\r\n---\r\nkind: B\r\n',
    ],
)
def test_c5_a_stream_may_begin_with_json_and_documents_may_stand_behind_the_divider(text: str) -> None:
    assert [document["kind"] for document in read_documents(text)] == ["A", "B"]


def test_c5_the_rules_of_a_stream_of_json_are_all_read() -> None:
    text = (Path(__file__).parents[3] / "data" / "securecodebox" / "json-sep.yaml").read_text()
    assert [read_rule(document).name for document in read_documents(text)] == ["j1", "j2"]


def test_a_list_is_the_manifests_in_it() -> None:
    assert read_documents('{"kind": "List", "items": [{"kind": "A"}, {"kind": "B"}]}') == [{"kind": "A"}, {"kind": "B"}]


@pytest.mark.parametrize(
    ("text", "reason"), [("kind: A\n---\n{", "document 2"), ('{"kind": "List", "items": 1}', "items: a List needs")]
)
def test_an_invalid_manifest_is_reported_with_its_number(text: str, reason: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        read_documents(text)
    assert reason in str(refused.value)
