"""--script-args: read as nmap reads them, judged against the scripts that will, written in one spelling."""

import shlex
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascan.errors import RequestRefused
from cascan.model.policy_profile import PolicyProfile
from cascan.nmap.options.arguments import parse_arguments
from cascan.nmap.scripts.argument_syntax import ArgumentTable, parse_script_args, write_script_args
from cascan.nmap.scripts.arguments import ON_THE_TARGET
from cascan.nmap.scripts.table import Harm, script_table

needs_nmap = pytest.mark.skipif(not shutil.which("nmap"), reason="nmap is not installed")


def written(line: str, policy: PolicyProfile = PolicyProfile.EVERYTHING) -> str:
    options = parse_arguments(shlex.split(line)).check("connect", policy).options
    return options[options.index("--script-args") + 1]


def reasons_for(line: str, policy: PolicyProfile = PolicyProfile.EVERYTHING) -> str:
    with pytest.raises(RequestRefused) as refused:
        parse_arguments(shlex.split(line)).check("connect", policy)
    return "\n".join(refused.value.reasons)


def nmap_parses(text: str) -> bool:
    """What nmap says of arguments, before it does anything: -sL of a number, without a script that could read them."""
    command = ["nmap", "-n", "-sL", "127.0.0.1", "--script", "creds-summary", "--script-args", text]
    run = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert run.returncode == 0 or "arguments did not parse" in run.stderr, run
    return run.returncode == 0


READ = [
    ("a=b", ArgumentTable({"a": "b"})),
    ("a", ArgumentTable(flags=("a",))),
    ("a.b-c=1,d", ArgumentTable({"a.b-c": "1"}, ("d",))),
    (" a = b c , d ", ArgumentTable({"a": "b c"}, ("d",))),
    ("a='b,c'", ArgumentTable({"a": "b,c"})),
    ('a="b}={,"', ArgumentTable({"a": "b}={,"})),
    (r'a="b\"c\\d\e"', ArgumentTable({"a": r"b\"c\d\e".replace(r"\"", '"')})),
    ('"a b"=c', ArgumentTable({"a b": "c"})),
    ("a={b=c,d},e", ArgumentTable({"a": ArgumentTable({"b": "c"}, ("d",))}, ("e",))),
    ("a={}", ArgumentTable({"a": ArgumentTable()})),
    ("{a,b}", ArgumentTable(flags=(ArgumentTable(flags=("a", "b")),))),
    ("a=1,a=2", ArgumentTable({"a": "2"})),
    ("a,,b,", ArgumentTable(flags=("a", "b"))),
    ("a=", ArgumentTable({"a": ""})),
    ("a=b'c", ArgumentTable({"a": "b'c"})),
    ("", ArgumentTable()),
]


@pytest.mark.parametrize(("text", "table"), READ)
def test_arguments_are_read_into_a_tree(text: str, table: ArgumentTable) -> None:
    assert parse_script_args(text) == table


BROKEN = [
    ("a=b}", "closing brace too many"),
    ("a=b},newtargets", "closing brace too many"),
    ("a={b}},c", "closing brace too many"),
    ("a={b", "opening brace is not closed"),
    ("{", "opening brace is not closed"),
    ("a={b=c d=e}", "a comma or a closing brace is missing before"),
    ("a=b=c", "a comma is missing before"),
    ("a={b}c", "a comma is missing before"),
    ("a={b}=c", "a comma is missing before"),
    ("a='b'c", "a comma is missing before"),
    ('a="b', "a quote is not closed"),
    ("'a", "a quote is not closed"),
    ('"\\"', "a quote is not closed"),
    ("{" * 40 + "}" * 40, "tables inside one another"),
    ("a=\x01", "not printable"),
    ("a=h\u00e9", "not printable"),
]


@pytest.mark.parametrize(("text", "why"), BROKEN)
def test_arguments_that_nmap_would_not_take_or_would_cut_short_are_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_script_args(text)


TEXTS = st.text("ab1 ,{}='\"\\.-/", max_size=6).map(str.strip)
TABLES = st.recursive(
    st.builds(
        ArgumentTable, st.dictionaries(TEXTS, TEXTS, max_size=3), st.lists(TEXTS.filter(bool), max_size=2).map(tuple)
    ),
    lambda inner: st.builds(
        ArgumentTable,
        st.dictionaries(TEXTS, st.one_of(TEXTS, inner), max_size=3),
        st.lists(st.one_of(TEXTS.filter(bool), inner), max_size=2).map(tuple),
    ),
    max_leaves=5,
)


@given(TABLES)
def test_a_tree_that_is_written_is_read_back_as_itself(table: ArgumentTable) -> None:
    assert parse_script_args(write_script_args(table)) == table


@given(st.text("ab ,{}='\"\\", max_size=14))
def test_one_spelling_stays_as_it_is(text: str) -> None:
    try:
        one = write_script_args(parse_script_args(text))
    except ValueError:
        return
    assert write_script_args(parse_script_args(one)) == one


@needs_nmap
@settings(max_examples=60, deadline=None)
@given(st.text("ab ,{}='\"\\", min_size=1, max_size=10))
def test_nmap_takes_what_is_taken_here_and_its_spelling(text: str) -> None:
    try:
        one = write_script_args(parse_script_args(text))
    except ValueError:
        return
    assert nmap_parses(text)
    assert one in ("", text) or nmap_parses(one)


REFUSED = [  # what would happen stands behind the arguments; the first of each pair of scripts would read them
    ("http-put", "http-put.file=passwd", "http-put.file of http-put reads files"),
    ("http-put", "file=passwd", "file of http-put reads files"),
    ("ssh-brute", "userdb=shadow", "userdb of ssh-brute reads files"),
    ("ssh-brute", "brute.credfile=shadow", "brute.credfile of ssh-brute reads files"),
    ("ssh-brute", "credfile=shadow", "credfile of ssh-brute reads files"),
    ("http-fetch", "http-fetch.destination=x", "writes files"),
    ("cics-enum", "path=x", "path of cics-enum writes files"),
    ("http-enum", "fingerprintfile=x.lua", "runs code"),
    ("mysql-audit", "mysql-audit.filename=x", "runs code"),
    ("smb-psexec", "config=x", "runs code"),
    ("dns-zone-transfer", "dnszonetransfer.server=192.0.2.1", "hosts of the caller's choice"),
    ("http-open-proxy", "proxy={url=http://192.0.2.1/}", "hosts of the caller's choice"),
    ("http-open-proxy", "proxy.url=x", "hosts of the caller's choice"),
    ("http-title", "http-title.url=http://192.0.2.1/", "write the path alone"),
    ("http-title", "http-title.url=//192.0.2.1/", "write the path alone"),
    ("http-grep", "httpspider.withinhost=false", "hosts of the caller's choice"),
    ("http-grep", "http-grep.withindomain", "hosts of the caller's choice"),
    ("snmp-interfaces", "host=192.0.2.1", "host of snmp-interfaces directs a script to hosts"),
    ("broadcast-ping", "interface=eth1", "chooses the interface"),
    ("banner", "newtargets", "adds targets"),
    ("banner", "newtargets=false", "adds targets"),
    ("banner", "NewTargets=1", "adds targets"),
    ("banner", "x.newtargets", "adds targets"),
    ("banner", "max-newtargets=9", "adds targets"),
    ("banner", "a={b={newtargets}}", "adds targets"),
    ("banner", '"newtargets"', "adds targets"),
    ("banner", "'newtargets'=no", "adds targets"),
    ("dns-zone-transfer", "addall", "adds targets"),
    ("banner", "some.outfile=x", "writes files"),
    ("banner", "new-list=x", "reads or writes files of the worker, by its name"),
    ("banner", "new=/etc/passwd", "reads like a path"),
    ("banner", "new=~/x", "reads like a path"),
    ("banner", "new=x/../y", "reads like a path"),
    ("banner", "new={/etc/passwd}", "reads like a path"),
    ("banner", '"a b"=c', "is not the name of an argument"),
]


@pytest.mark.parametrize(("script", "arguments", "why"), REFUSED)
def test_an_argument_that_does_harm_is_refused_in_every_profile(script: str, arguments: str, why: str) -> None:
    assert why in reasons_for(f"--script {script} --script-args {shlex.quote(arguments)}")


@pytest.mark.parametrize(
    ("script", "harm", "argument"),
    [(script.name, harm, name) for script in script_table().scripts for name, harm in script.harmful.items()],
)
def test_every_harmful_argument_of_the_table_is_refused_by_both_its_names(
    script: str, harm: Harm, argument: str
) -> None:
    policy = PolicyProfile.INTRUSIVE if harm in ON_THE_TARGET else PolicyProfile.EVERYTHING
    for name in {argument, argument.rpartition(".")[2]}:
        for shape in ("{}=x", "{}", "'{}'=x", "{}={{x}}"):
            text = shape.format(name)
            assert "--script-args: " in reasons_for(f"--script {script} --script-args {shlex.quote(text)}", policy)


ALLOWED = [
    ("http-headers", "path=/x,useget", "path=/x,useget"),
    ("ajp-auth,cics-info", "ajp-auth.path=/login", "ajp-auth.path=/login"),
    ("banner", "http.host=www.example.org", "http.host=www.example.org"),
    ("ssl-cert", "tls.servername=www.example.org", "tls.servername=www.example.org"),
    ("http-title", "http-title.url=/start", "http-title.url=/start"),
    ("smb-protocols", "smbusername=u, smbpassword='p,w'", 'smbusername=u,smbpassword="p,w"'),
    ("http-methods", "http.useragent='a \"b\"'", r'http.useragent="a \"b\""'),
    ("ssh-brute", "creds.global='a:b',brute.threads=2", "creds.global=a:b,brute.threads=2"),
    ("smtp-commands", "smtp-commands.domain=example.org", "smtp-commands.domain=example.org"),
    ("http-enum", "http-enum.basepath=/cgi/", "http-enum.basepath=/cgi/"),
    ("banner", "vulns.showall,short=1", "short=1,vulns.showall"),
]


@pytest.mark.parametrize(("script", "arguments", "canonical"), ALLOWED)
def test_other_arguments_are_passed_on_in_one_spelling(script: str, arguments: str, canonical: str) -> None:
    assert written(f"--script {script} --script-args {shlex.quote(arguments)}") == canonical


def test_a_name_is_judged_by_the_scripts_that_will_read_it() -> None:
    assert written("--script ajp-request --script-args path=/x") == "path=/x"
    assert "path of cics-enum writes files" in reasons_for("--script ajp-request,cics-enum --script-args path=x")
    assert "path of nmap's scripts" in reasons_for("--script banner --script-args path=x")


def test_the_scripts_of_sv_and_sc_are_given_the_arguments_too() -> None:
    assert "host of snmp-interfaces" in reasons_for("-sC --script-args host=x")
    assert "known-hosts of ssh-hostkey" in reasons_for("-A --script-args known-hosts")


def test_a_command_on_the_target_is_for_everything_alone() -> None:
    line = "--script distcc-cve2004-2687 --script-args cmd=id"
    assert "policy profile everything allows it" in reasons_for(
        "--script ssh-run --script-args ssh-run.cmd=id", PolicyProfile.INTRUSIVE
    )
    assert written(line) == "cmd=id"


@pytest.mark.parametrize(
    "arguments",
    ["cics-info.commands=x", "cics-info.cemt=CEDA", "cics-info.trans=x", "tn3270-screen.commands=x", "commands=x",
     "http-methods.test-all", "http-methods.retest=1", "test-all=1", "ajp-request.method=DELETE", "method=PUT",
     "http-traceroute.method=delete", "dhcp-discover.dhcptype=DHCPRELEASE", "http-traceroute.method=POST",
     "http-traceroute.method={GET}", "vuzedht.lhost=10.0.0.1"],
)  # fmt: skip
def test_in_safe_no_argument_sends_commands_or_requests_that_may_change_the_target(arguments: str) -> None:
    scripts = "cics-info,tn3270-screen,http-methods,ajp-request,http-traceroute,dhcp-discover,vuze-dht-info"
    assert "--script-args: " in reasons_for(f"--script {scripts} --script-args {arguments}", PolicyProfile.SAFE)


@pytest.mark.parametrize(
    "arguments", ["http-traceroute.method=HEAD", "dhcp-discover.dhcptype=DHCPDISCOVER", "method=get"]
)
def test_a_request_that_only_reads_is_chosen_in_any_profile(arguments: str) -> None:
    scripts = "ajp-request,http-traceroute,dhcp-discover"
    assert written(f"--script {scripts} --script-args {arguments}", PolicyProfile.SAFE) == arguments


def test_a_form_may_be_submitted_where_passwords_may_be_guessed() -> None:
    line = "--script http-form-brute --script-args http-form-brute.method=POST"
    assert written(line, PolicyProfile.INTRUSIVE) == "http-form-brute.method=POST"


def test_arguments_given_twice_are_refused_since_nmap_takes_the_last_alone() -> None:
    assert "--script-args is given 2 times" in reasons_for("--script banner --script-args a --script-args b")


def test_arguments_of_nothing_are_left_out() -> None:
    options = parse_arguments(["--script", "banner", "--script-args", " , "]).check("connect").options
    assert "--script-args" not in options
    assert options[-2:] == ("--script", "banner")
