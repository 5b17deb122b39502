"""Which scripts run under which profile: refused where they are named, left out where they came along."""

import shlex

import pytest

from cascan.errors import RequestRefused
from cascan.model.policy_profile import PolicyProfile
from cascan.nmap.options.arguments import CheckedArguments, parse_arguments
from cascan.nmap.scripts.judge_scripts import NEEDS, find_needed_profile, judge_scripts, note_version_scripts
from cascan.nmap.scripts.select_scripts import select_category
from cascan.nmap.scripts.table import Script, script_table, scripts_by_name

SAFE, INTRUSIVE, EVERYTHING = PolicyProfile


def checked(line: str, policy: PolicyProfile = SAFE) -> CheckedArguments:
    return parse_arguments(shlex.split(line)).check("connect", policy)


def chosen(line: str, policy: PolicyProfile = SAFE) -> list[str]:
    options = checked(line, policy).options
    return options[options.index("--script") + 1].split(",")


def reasons_for(line: str, policy: PolicyProfile = SAFE) -> str:
    with pytest.raises(RequestRefused) as refused:
        checked(line, policy)
    return "\n".join(refused.value.reasons)


# script, the profile that allows it, a word of why
NAMED = [
    ("broadcast-ping", EVERYTHING, "broadcasts"),
    ("targets-sniffer", EVERYTHING, "broadcasts"),
    ("dns-srv-enum", EVERYTHING, "before any target is known"),
    ("targets-xml", EVERYTHING, "before any target is known"),
    ("targets-traceroute", EVERYTHING, "add targets"),
    ("http-slowloris", EVERYTHING, "bring the target down"),
    ("smb-vuln-ms08-067", EVERYTHING, "bring the target down"),
    ("http-shellshock", EVERYTHING, "vulnerability"),
    ("nat-pmp-mapport", EVERYTHING, "changes the target"),
    ("smb-psexec", EVERYTHING, "changes the target"),
    ("firewall-bypass", EVERYTHING, "addresses that are not its own"),
    ("whois-ip", EVERYTHING, "writes files"),
    ("url-snarf", EVERYTHING, "before any target is known"),
    ("http-virustotal", EVERYTHING, "before any target is known"),
    ("http-cisco-anyconnect", INTRUSIVE, "to other hosts"),
    ("http-security-headers", INTRUSIVE, "to other hosts"),
    ("http-grep", INTRUSIVE, "to other hosts"),
    ("http-backup-finder", INTRUSIVE, "to other hosts"),
    ("vulners", INTRUSIVE, "third parties"),
    ("http-open-proxy", INTRUSIVE, "third parties"),
    ("ftp-bounce", INTRUSIVE, "third parties"),
    ("fcrdns", INTRUSIVE, "third parties"),
    ("ssh-brute", INTRUSIVE, "guesses passwords"),
    ("dns-fuzz", INTRUSIVE, "break it"),
    ("smtp-strangeport", INTRUSIVE, "malware"),
    ("path-mtu", INTRUSIVE, "own making"),
    ("http-enum", INTRUSIVE, "disturb"),
]


@pytest.mark.parametrize(("name", "needed", "why"), NAMED)
def test_a_script_that_is_named_and_not_allowed_is_refused_with_the_profile_that_has_it(
    name: str, needed: PolicyProfile, why: str
) -> None:
    for policy in PolicyProfile:
        if policy.allows(needed):
            assert chosen(f"--script {name}", policy) == [name]
        else:
            reason = reasons_for(f"--script banner,{name}", policy)
            assert reason.startswith(f"--script: {name} needs policy profile {needed}: it ")
            assert why in reason
            assert reason.endswith(f"this scan has {policy}")


@pytest.mark.parametrize("name", ["smb-protocols", "banner", "ftp-anon", "ssl-cert", "http-title", "ssh-hostkey",
                                  "snmp-info", "smb-os-discovery", "http-headers", "ike-version"])  # fmt: skip
def test_the_scripts_that_ask_the_target_alone_are_safe(name: str) -> None:
    assert chosen(f"--script {name}") == [name]


def test_nothing_that_could_leave_its_target_or_harm_it_is_safe() -> None:
    forbidden = {"broadcast", "brute", "dos", "exploit", "external", "fuzzer", "intrusive", "malware"}
    effects = {"leaves", "third-party", "unbounded", "raw", "forges", "writes-files", "makes-targets", "guesses"}
    for script in script_table().scripts:
        if find_needed_profile(script)[0] is SAFE:
            assert not script.categories & forbidden, script
            assert not script.effects & effects, script
            assert "httpspider" not in script.libraries, script


def test_a_script_that_runs_before_any_target_is_known_is_for_everything_unless_only_an_argument_wakes_it() -> None:
    woken_by_argument = {"snmp-interfaces", "dns-client-subnet-scan", "dns-zone-transfer"}  # refused, all of them
    for script in script_table().scripts:
        if "prerule" in script.rules:
            needed = INTRUSIVE if script.name in woken_by_argument else EVERYTHING
            assert find_needed_profile(script)[0] is needed, script
    for name in woken_by_argument:
        assert scripts_by_name()[name].harmful, name


def test_a_probe_for_a_vulnerability_is_safe_only_where_nmap_calls_it_so() -> None:
    probes = [script for script in script_table().scripts if "vuln" in script.categories]
    assert all("safe" in script.categories for script in probes if find_needed_profile(script)[0] is SAFE)
    assert "not called safe" in reasons_for("--script http-vuln-cve2017-5638")


def test_every_effect_of_the_table_is_either_judged_or_known_to_be_none() -> None:
    harmless = {"redirects", "listens", "reads-files", "can-add-targets"}
    found = {effect for script in script_table().scripts for effect in script.effects}
    assert found - NEEDS.keys() == harmless & found


def test_what_came_along_is_left_out_and_listed_by_the_profile_that_allows_it() -> None:
    arguments = checked("--script 'smtp-* and not brute'")
    assert "smtp-commands" in arguments.options[-1]
    assert "smtp-strangeport" not in arguments.options[-1]
    by_intrusive, by_everything = (note for note in arguments.notes if note.startswith("left out under"))
    assert by_intrusive.startswith("left out under policy profile safe, allowed by intrusive: smtp-enum-users")
    assert "smtp-vuln-cve2010-4344" in by_everything
    assert all(set(note.partition(": ")[2].split(", ")) <= scripts_by_name().keys() for note in (by_intrusive,))


def test_a_script_that_is_named_beside_its_category_is_refused_all_the_same() -> None:
    assert "vulners needs policy profile intrusive" in reasons_for("--script safe,vulners")


@pytest.mark.parametrize("text", ["broadcast", "dos", "http-slowloris or smb-flood", "brute and not http-*"])
def test_an_expression_of_which_nothing_is_left_is_refused(text: str) -> None:
    reason = reasons_for(f"--script '{text}'")
    assert reason.startswith("--script: policy profile safe allows none of it: ")
    assert " (everything: it " in reason or " (intrusive: it " in reason


@pytest.mark.parametrize("line", ["-sC", "-A", "--script default"])
def test_the_default_scripts_are_named_one_by_one_without_those_that_leave_the_target(line: str) -> None:
    names = chosen(line)
    assert {"banner", "http-cisco-anyconnect", "http-open-proxy", "socks-open-proxy", "ftp-bounce"}.isdisjoint(names)
    assert len(names) > 100
    assert any("http-cisco-anyconnect" in note for note in checked(line).notes)
    assert len(chosen(line, EVERYTHING)) == 125


@pytest.mark.parametrize("line", ["-sC --script banner", "-A --script banner", "--script banner -sC"])
def test_default_scripts_are_chosen_only_where_no_script_is_and_that_is_said(line: str) -> None:
    assert chosen(line) == ["banner"]
    assert any("add no scripts beside --script" in note for note in checked(line).notes)


def test_a_script_that_follows_redirects_stays_at_its_target_for_want_of_a_name() -> None:
    script = ("--exclude-ports", "T:9100-9107", "--script")
    assert checked("--script http-title").options == ("-n", *script, "http-title")
    assert checked("-n --script http-title").options == ("-n", *script, "http-title")
    assert "http-title" in checked("--script http-title").notes[0]
    assert checked("--script http-title", INTRUSIVE).options == (*script, "http-title")
    assert checked("--script banner").options == (*script, "banner")
    assert "-R beside http-title needs policy profile intrusive" in reasons_for("-R --script http-title")
    assert checked("-R --script http-title", INTRUSIVE).options == ("-R", *script, "http-title")


def test_the_version_scripts_of_sv_stay_at_their_target_as_well() -> None:
    (note,) = checked("-sV").notes
    assert note.startswith("with -n, and so without reverse names: docker-version (and 5 more) would follow a redirect")
    assert checked("-sV -n").notes == ()  # who asks for no names loses none
    assert "-R beside docker-version (and 5 more) needs policy profile intrusive" in reasons_for("-R -sV")
    assert checked("-sV", INTRUSIVE).options == ("-sV",)


def test_plus_is_for_everything_alone_and_is_passed_on_there() -> None:
    for policy in (SAFE, INTRUSIVE):
        assert "+banner needs policy profile everything" in reasons_for("--script +banner", policy)
        assert "+dns-fuzz needs policy profile everything" in reasons_for("--script +fuzzer", policy)
    assert chosen("--script +banner,ssl-cert", EVERYTHING) == ["+banner", "ssl-cert"]


def test_sv_is_passed_on_and_its_scripts_are_all_safe_in_this_nmap() -> None:
    assert checked("-sV").options == ("-sV", "-n")
    assert judge_scripts(select_category("version"), SAFE).allowed == select_category("version")


def test_a_version_script_that_the_profile_does_not_allow_is_said() -> None:
    script = Script("new-version", frozenset({"version", "intrusive"}), frozenset({"portrule"}))
    assert note_version_scripts([script], SAFE) == (
        "-sV runs, beyond policy profile safe: new-version (intrusive: it may disturb the target, or be taken for an "
        "attack)",
    )
    assert note_version_scripts([script], INTRUSIVE) == ()


def test_sv_is_passed_on_with_a_note_where_its_scripts_go_beyond_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NEEDS, "version", (INTRUSIVE, "asks for a version"))
    arguments = checked("-sV -n")
    assert arguments.options == ("-sV", "-n")
    assert arguments.notes[0].startswith("-sV runs, beyond policy profile safe: allseeingeye-info (intrusive: it asks")
    assert checked("-sV", INTRUSIVE).notes == checked("-F").notes == ()
