"""Parameters: what is refused and why, what is passed on and how it is spelled."""

import os
import shlex
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascan.errors import RequestRefused
from cascan.model.policy_profile import PolicyProfile
from cascan.nmap.options.arguments import CheckedArguments, Profile, parse_arguments
from cascan.nmap.options.getopt import read_words
from cascan.nmap.options.table import Decision, Takes, option_table
from cascan.nmap.scripts.judge_scripts import judge_scripts
from cascan.nmap.scripts.select_scripts import select_category

needs_nmap = pytest.mark.skipif(not shutil.which("nmap"), reason="nmap is not installed")

# every spelling here is one that nmap takes; what it would have done stands behind it
REFUSED = [
    # files that nmap would write
    ("-oN /tmp/x", "writes a file"),
    ("-oX /tmp/x", "writes a file"),
    ("-oX=/tmp/x", "writes a file"),
    ("--oX /tmp/x", "writes a file"),
    ("--oX=/tmp/x", "writes a file"),
    ("-oX -", "writes a file"),
    ("-oG /tmp/x", "writes a file"),
    ("-oM /tmp/x", "writes a file"),
    ("-oS /tmp/x", "writes a file"),
    ("-oA /tmp/x", "writes files"),
    ("-oH /tmp/x", "never had"),
    ("-o /tmp/x", "writes a file"),
    ("-o/tmp/x", "writes a file"),
    ("-m /tmp/x", "writes a file"),
    ("-no/tmp/x", "(-o) is refused: it writes a file"),  # a cluster: -n -o /tmp/x
    ("-nm/tmp/x", "(-m) is refused: it writes a file"),
    ("-rFno /tmp/x", "(-o) is refused: it writes a file"),
    ("--append-output", "writes several reports"),
    ("--append", "--append-output"),  # abbreviated
    ("-ap", "--append-output"),  # abbreviated, one dash
    ("--script-updatedb", "rewrites"),
    ("--script-u", "rewrites"),
    ("--resume /etc/passwd", "damages that file"),
    ("-resu /etc/passwd", "damages that file"),
    # files that nmap would read
    ("-iL /etc/passwd", "reads targets from a file"),
    ("-iLfile", "-iLfile is refused: it reads targets"),  # -i with the value Lfile
    ("--iL=/etc/passwd", "reads targets from a file"),
    ("-i /etc/passwd", "reads targets from a file"),
    ("-Fi/etc/passwd", "(-i) is refused: it reads targets"),
    ("-iR 100", "random addresses"),
    ("--iR=0", "random addresses"),
    ("--excludefile /etc/passwd", "reads a file"),
    ("--excludef=/etc/passwd", "reads a file"),
    ("--servicedb /etc/passwd", "reads a file"),
    ("--serv=/etc/passwd", "reads a file"),
    ("--versiondb /etc/passwd", "reads a file"),
    ("--script-args-file /etc/passwd", "reads script arguments from a file"),
    ("--script-args-=/etc/passwd", "reads script arguments from a file"),
    # code
    ("--datadir /tmp", "script code"),
    ("-datad /tmp", "script code"),
    ("--script /tmp/x.nse", "never a file"),
    ("--script ./x", "never a file"),
    ("--script ../../tmp/x", "never a file"),
    ("--script=banner,/tmp/", "never a file"),
    ("-script x.nse", "never a file"),
    (r"--script 'a\b'", "never a file"),
    ("--script-help default", "loads scripts"),
    ("--script-h default", "loads scripts"),
    ("--script http-enum --script-args fingerprints=/tmp/x.lua", "runs code"),
    ("--script-args http-enum.fingerprintfile=x", "runs code"),
    ("--script-args userdb=users.txt", "reads files"),
    ("--script-args 'a={passdb=x}'", "reads files"),
    ("--script-args http-put.file=x", "reads files"),
    ("--script-args http-fetch.destination=x", "writes files"),
    ("--script-args x.outfile=x", "writes files"),
    ("--script-args cics-enum.path=x", "writes files"),
    ("--script-args some.newkeys=x", "reads or writes files"),
    ("--script-args new=/etc/passwd", "path of the worker"),
    ("--script-args new=../x", "path of the worker"),
    ("--script-args 'new=\"~/x\"'", "path of the worker"),
    ("--script-args newtargets", "adds targets"),
    ("--script-args x=newtargets", "adds targets"),
    ("--script-args newtargets=false", "adds targets"),  # any value switches it on
    ("--script-args 'a=b},newtargets'", "closing brace too many"),  # nmap drops what follows
    ("--script-args 'a={b'", "opening brace is not closed"),
    ("--script-args 'a=\"b'", "quote is not closed"),
    ("--script-args 'a={\"newtargets\"}'", "adds targets"),
    ("--script-args ssh-run.cmd=id", "runs a command"),
    ("--script-args whois.whois_server=192.0.2.1", "hosts of the caller's choice"),
    ("--script-args 'proxy={x=1}'", "hosts of the caller's choice"),
    ("--stylesheet http://192.0.2.1/x.xsl", "browser would load"),
    ("--webxml", "browser would load"),
    ("-w", "browser would load"),
    # output and information
    ("-V", "version"),
    ("-nV", "version"),
    ("--version", "version"),
    ("-h", "summary"),
    ("--he", "summary"),
    ("-Fh", "summary"),
    ("--iflist", "interfaces"),
    ("-if", "interfaces"),
    ("--route-dst 127.0.0.1", "routes"),
    ("--packet-trace", "every packet"),
    ("--version-trace", "every step"),
    ("--script-trace", "all traffic"),
    ("-d", "floods"),
    ("-d9", "floods"),
    ("--debug=3", "floods"),
    ("--thc", "greeting"),
    ("--yoloscan", "write -A"),
    ("-y", "write -A"),
    ("--deprecated-xml-osclass", "given up"),
    # scope and worker
    ("--dns-servers 192.0.2.1", "outside the scope"),
    ("-dn 192.0.2.1", "outside the scope"),
    ("-e eth1", "operator's to choose"),
    ("-ne eth1", "operator's to choose"),
    ("--send-eth", "packet filter"),
    ("--nogcc", "congestion control"),
    # what the operator would have to allow
    ("-D 192.0.2.1,ME", "the operator does not allow"),
    ("-nD192.0.2.1", "the operator does not allow"),
    ("-S 192.0.2.1", "needs the worker's interface"),
    ("-AS192.0.2.1", "needs the worker's interface"),
    ("-sI 192.0.2.1", "whom no scope covers"),
    ("-b ftp.example.org", "whom no scope covers"),
    ("--spoof-mac 0", "the operator does not allow"),
    ("-sp 0", "the operator does not allow"),
    ("-f", "the operator does not allow"),
    ("-ff", "the operator does not allow"),
    ("--mtu 8", "the operator does not allow"),
    ("--ttl 3", "the operator does not allow"),
    ("--badsum", "the operator does not allow"),
    ("--data 0x00", "the operator does not allow"),
    ("--data-string x", "the operator does not allow"),
    ("--data-length 9", "the operator does not allow"),
    ("--scanflags SYN", "the operator does not allow"),
    ("--ip-options R", "the operator does not allow"),
    ("--proxies http://192.0.2.1:1", "whom no scope covers"),
    ("--proxy http://192.0.2.1:1", "whom no scope covers"),
    ("--allports", "the operator does not allow"),
    # together
    ("-sT -sN", "one kind of TCP scan"),
    ("-sTA", "one kind of TCP scan"),
    ("-sn -sU", "scans no port"),
    ("-sn -p 22", "scans no port"),
    ("-F -p 22", "-F chooses the ports"),
    ("-p 22 -p 80", "-p is given 2 times"),
    ("-sO -sU", "no other scan beside it"),
    ("-6 -PP", "IPv6 does not have"),
    ("-6 -PM", "IPv6 does not have"),
    ("--defeat-rst-ratelimit -sT", "works with -sS alone"),
    ("--defeat-rst-ratelimit -sU", "works with -sS alone"),
    ("--defeat-rst-ratelimit -sn", "works with -sS alone"),
    ("--defeat-icmp-ratelimit", "works with -sU alone"),
    ("--defeat-icmp-ratelimit -sS", "works with -sU alone"),
    ("-sO -sV", "nmap ignores -sV"),
    ("-sn -sV", "-sn scans no port, so nmap would ask none for its version"),
    ("-sR -sP", "ask none for its version"),
    ("-sL -sV", "ask none for its version"),
    ("-sL -sC", "-sL sends nothing, so nmap would leave -sC undone"),
    ("-sL --script address-info", "leave --script undone"),
    ("-sL --traceroute", "leave --traceroute undone"),
    ("-sn --script banner", "banner runs against a port, and -sn scans none"),
    ("-sn --script banner,address-info", "banner runs against a port, and -sn scans none"),
    ("-sn --script 'http-* and safe'", "no script would run"),
    ("-sn --top-ports 3", "--top-ports has no effect"),
    ("-sn --port-ratio 0.5", "--port-ratio has no effect"),
    ("-sL --exclude-ports 80", "--exclude-ports has no effect"),
    ("-F --top-ports 3", "each chooses the ports"),
    ("--top-ports 3 --port-ratio 0.5", "each chooses the ports"),
    ("-n -R", "choose one"),
    ("-p U:53", "U: is for -sU, and none is given"),
    ("-p T:80,U:53", "U: is for -sU, and none is given"),
    ("-sU -p T:80", "T: is for a TCP scan, and none is given"),
    ("-sS -sU -p T:80", "-sU has no port in it"),
    ("-sS -p S:80", "S: is for -sY or -sZ"),
    ("-sV -p P:6", "P: is for -sO"),
    ("-sO -p T:6", "-sO has no port in it"),
    ("--scan-delay 1s --max-parallelism 3", "nmap ignores it beside --scan-delay"),
    ("--scan-delay 1s -M3", "nmap ignores it beside --scan-delay"),
    ("-sn -O", "takes no -O beside it"),
    ("-sL -A", "takes no -A beside it"),
    ("-sT -g 53", "nmap would ignore it"),
    ("-sT --ttl 9 -D 192.0.2.1", "-D: -sT connects"),
    ("--min-rate 100 --max-rate 10", "--min-rate is more than --max-rate"),
    ("--max-parallelism 5 --min-parallelism 10", "is more than"),
    ("--min-hostgroup 10 --max-hostgroup 5", "is more than"),
    ("--min-rtt-timeout 2 --max-rtt-timeout 1999ms", "is more than"),
    ("--scan-delay 1m --max-scan-delay 59s", "is more than"),
    ("-4 -6", "Cannot use both -4 and -6"),
    ("-6 -4 -6", "Cannot use both -4 and -6"),
    ("--unprivileged", "use scanType nmap"),
    # values
    ("-T 6", "a digit from 0 to 5"),
    ("-T4x", "a digit from 0 to 5"),
    ("-O2", "takes no value"),
    ("--host-timeout nan", "a number and ms"),
    ("--script-timeout inf", "a number and ms"),
    ("--max-rate 0", "from 0.001 to 100,000"),
    ("--max-rate 0.0001", "a number"),
    ("--min-rate 1e30", "a number"),
    ("--min-rate 100001", "from 0.001 to 100,000"),
    ("--max-hostgroup -1", "a whole number"),
    ("--max-hostgroup 65537", "from 1 to 65,536"),
    ("--max-parallelism 0", "from 1 to 900"),
    ("-M 901", "from 1 to 900"),
    ("--max-retries 51", "from 0 to 50"),
    ("--max-rtt-timeout 4ms", "from 5ms to 60,000ms"),
    ("--initial-rtt-timeout 61", "from 5ms to 60,000ms"),
    ("--scan-delay 61m", "from 0ms to 3,600,000ms"),
    ("--host-timeout 12.1h", "from 0ms to 43,200,000ms"),
    ("--script-timeout 721m", "from 0ms to 43,200,000ms"),
    ("--top-ports 65536", "from 1 to 65,535"),
    ("--max-retries 0x10", "a whole number"),
    ("-p http*", "wildcards"),
    ("-p ''", "ports, as in"),
    ("-p 99999", "between 0 and 65535"),
    ("-p 5-3", "backwards"),
    ("-p X:80", "Unknown protocol specifier 'X'"),
    ("-PS70000", "between 0 and 65535"),
    ("-PST:80", "illegal"),
    ("-PO300", "between 0 and 255"),
    ("--exclude-ports ,80", "illegal"),
    ("-sO -p 300", "between 0 and 255"),
    ("--top-ports 0", "from 1 to 65,535"),
    ("--port-ratio 1.5", "a number from 0"),
    ("--port-ratio 0.5", "from 0 to 0.484"),
    ("-p 22 --exclude-ports 22", "--exclude-ports leaves the TCP scan no port"),
    ("-p 22-80,443 --exclude-ports T:20-90,443", "--exclude-ports leaves the TCP scan no port"),
    ("-sS -sU -p T:22,U:53 --exclude-ports U:50-60", "--exclude-ports leaves -sU no port"),
    ("--exclude-ports -", "--exclude-ports leaves the TCP scan no port"),
    ("-PS22,23 --exclude-ports 22-25", "-PS: --exclude-ports leaves it no port"),
    ("-PA --exclude-ports 80", "-PA: --exclude-ports leaves it no port"),
    ("-sU -PU --exclude-ports 40125", "-PU: --exclude-ports leaves it no port"),
    ("--version-intensity 10", "a digit from 0 to 9"),
    ("--nsock-engine kqueue", "epoll"),
    ("-PEx", "takes no value"),
    ("-Pn22", "takes no value"),
]

NEEDS_RAW = ["-sS", "-sU", "-sA", "-sW", "-sM", "-sN", "-sF", "-sX", "-sO", "-sY", "-sZ", "-O", "-nO", "--traceroute",
             "-tr", "-PE", "-PP", "-PM", "-PR", "-PU", "-PY", "-PO", "-PB", "--osscan-guess", "--fuzzy",
             "--defeat-rst-ratelimit", "--send-ip", "-sVS", "-sT -O"]  # fmt: skip

DEFAULT_SCRIPTS = "-n --script " + ",".join(
    one.script.name for one in judge_scripts(select_category("default"), PolicyProfile.SAFE).allowed
)
NO_PRINTERS = "--exclude-ports T:9100-9107"
ACCEPTED = [
    ("-sV -p 22,443", "connect", "-sV -p 22,443 -n"),
    ("-p22,80", "connect", "-p 22,80"),
    ("-p-", "connect", "-p -"),
    ("-sSU -p T:1-100,U:53", "raw", "-sS -sU -p T:1-100,U:53"),
    ("-sVC", "connect", f"-sV {DEFAULT_SCRIPTS}"),
    ("-sR", "connect", "-sV -n"),
    ("-sP -PS22", "connect", "-sn -PS22"),
    ("-A", "connect", f"-sV {DEFAULT_SCRIPTS}"),
    ("-A", "raw", f"-sV -O --traceroute {DEFAULT_SCRIPTS}"),
    ("-A -sV -O", "raw", f"-sV -O --traceroute {DEFAULT_SCRIPTS}"),
    ("-nFA", "connect", f"-n -F -sV {DEFAULT_SCRIPTS.removeprefix('-n ')}"),
    ("-Pn -T4", "connect", "-Pn -T4"),
    ("-P0 -T aggressive", "connect", "-Pn -T4"),
    ("--timing Paranoid", "connect", "-T0"),
    ("-timing=3", "connect", "-T3"),
    ("-PS22,80 -PA", "connect", "-PS22,80 -PA"),
    ("-PT80", "connect", "-PA80"),
    ("-PI", "raw", "-PE"),
    ("-M5", "connect", "--max-parallelism 5"),
    ("--max-p 7", "connect", "--max-parallelism 7"),
    ("-script banner", "connect", f"{NO_PRINTERS} --script banner"),
    ("-script banner -sV", "connect", "-sV -n --script banner"),
    ("-script banner --exclude-ports U:53", "connect", "--exclude-ports U:53,T:9100-9107 --script banner"),
    ("-script banner -sU", "raw", "-sU --script banner"),
    ("-script address-info", "connect", "--script address-info"),
    (
        "--script='smb-* and not (intrusive or smb-vuln*)'",
        "connect",
        "--script smb-ls,smb-mbenum,smb-os-discovery,smb-protocols,smb-security-mode",
    ),
    ("--script ssl-cert.nse --script banner", "connect", f"{NO_PRINTERS} --script banner,ssl-cert"),
    ("--script-args http.useragent=probe", "connect", "--script-args http.useragent=probe"),
    ("--script-args 'http-enum.basepath=/cgi/'", "connect", "--script-args http-enum.basepath=/cgi/"),
    ("-rH", "connect", "--randomize-hosts"),
    ("--fuzzy -O", "raw", "--osscan-guess -O"),
    ("--open --host-timeout 30m", "connect", "--open --host-timeout 30m"),
    ("-op --top-p=50", "connect", "--open --top-ports 50"),
    ("-sSU -p 53", "raw", "-sS -sU -p 53"),
    ("--privileged -O", "raw", "-O"),  # secureCodeBox's example of an OS scan
    ("--min-rate 0.5 --max-retries 0", "connect", "--min-rate 0.5 --max-retries 0"),
    ("--resolve-all --unique -R", "connect", "--resolve-all --unique -R"),
    ("--defeat-rst-ratelimit", "raw", "--defeat-rst-ratelimit"),  # -sS is the default there
    ("--defeat-icmp-ratelimit -sSU", "raw", "--defeat-icmp-ratelimit -sS -sU"),
    ("--min-rtt-timeout 500ms --max-rtt-timeout 1", "connect", "--min-rtt-timeout 500ms --max-rtt-timeout 1"),
    ("-Pn --exclude-ports 80,443", "connect", "-Pn --exclude-ports 80,443"),
    ("--exclude-ports 80,443", "raw", "--exclude-ports 80,443"),  # there nmap looks for hosts with ICMP as well
    ("-sY -PS --exclude-ports 80", "raw", "-sY -PS --exclude-ports 80"),  # no TCP scan: there -PS keeps its port
    ("-PU53 --exclude-ports 53", "raw", "-PU53 --exclude-ports 53"),
    ("-PS22 --exclude-ports 80,443", "connect", "-PS22 --exclude-ports 80,443"),
    ("-p 22,ssh --exclude-ports 22,443", "connect", "-p 22,ssh --exclude-ports 22,443"),  # a name may be anything
    ("-p 22 --exclude-ports U:22", "connect", "-p 22 --exclude-ports U:22"),
    ("--port-ratio .484", "connect", "--port-ratio .484"),
    ("--max-rate 100000 --script-timeout 0", "connect", "--max-rate 100000 --script-timeout 0"),
    ("-v -vv --reason --no-stylesheet --stats-every 5s", "connect", ""),
]


def checked(line: str, profile: Profile = "connect") -> CheckedArguments:
    return parse_arguments(shlex.split(line)).check(profile)


def reasons_for(line: str, profile: Profile = "connect") -> str:
    with pytest.raises(RequestRefused) as refused:
        checked(line, profile)
    return "\n".join(refused.value.reasons)


@pytest.mark.parametrize(("line", "why"), REFUSED)
def test_what_could_do_more_than_scan_is_refused_with_the_reason(line: str, why: str) -> None:
    assert why in reasons_for(line, "raw")


def test_printers_get_nothing_from_scripts_unless_who_may_asks_for_all_ports() -> None:
    assert "printers print what scripts send" in reasons_for("-p 9100-9103 --script banner")
    assert "printers print what scripts send" in reasons_for("-PS9100 --script banner")
    assert any("9100-9107 are not scanned" in note for note in checked("-p 80,9100 --script banner").notes)
    allowed = parse_arguments(["-p", "9100", "--script", "banner", "--allports"])
    assert "--exclude-ports" not in allowed.check("connect", PolicyProfile.INTRUSIVE).options
    assert checked("-p 9100").options == ("-p", "9100")


def test_hosts_that_would_only_seem_down_are_not_scanned_in_vain() -> None:
    """Who connects looks for hosts at two ports alone."""
    assert "each would seem down" in reasons_for("-p 22 --exclude-ports 80,443")
    assert "each would seem down" in reasons_for("-sn --exclude-ports T:1-1024")


@pytest.mark.parametrize("line", NEEDS_RAW)
def test_raw_sockets_are_refused_on_connect_workers_with_the_scan_type_that_has_them(line: str) -> None:
    assert "needs scanType nmap-privileged" in reasons_for(line)
    checked(line, "raw")


@pytest.mark.parametrize(("line", "profile", "canonical"), ACCEPTED)
def test_what_is_accepted_is_written_anew_in_one_spelling(line: str, profile: Profile, canonical: str) -> None:
    assert list(checked(line, profile).options) == shlex.split(canonical)


@pytest.mark.parametrize(("line", "profile", "canonical"), ACCEPTED)
def test_the_one_spelling_is_read_back_as_itself(line: str, profile: Profile, canonical: str) -> None:
    again = checked(canonical, profile)
    assert (list(again.options), again.targets) == (shlex.split(canonical), ())


def test_n1_n2_targets_stand_anywhere_among_the_parameters() -> None:
    arguments = checked("10.0.0.1 -p 22 host.example -sV -- -odd 10.0.0.0/24")
    assert arguments.targets == ("10.0.0.1", "host.example", "-odd", "10.0.0.0/24")


def test_a_required_value_takes_the_next_word_whatever_it_is() -> None:
    read = read_words(["--exclude", "--", "-p", "-oX", "x"])
    assert [(given.option.name, given.value) for given in read.options] == [("--exclude", "--"), ("-p", "-oX")]
    assert read.targets == ["x"]


def test_an_optional_value_is_attached_or_absent() -> None:
    read = read_words(["-v", "2", "-v2", "--debug", "3"])
    assert [given.value for given in read.options] == [None, "2", None]
    assert read.targets == ["2", "3"]


def test_excludes_are_collected_and_never_passed_on() -> None:
    arguments = checked("--exclude 10.0.0.1,10.0.0.2 --exclude=10.0.0.9 10.0.0.0/24")
    assert arguments.exclude == ("10.0.0.1,10.0.0.2", "10.0.0.9")
    assert arguments.options == ()


def test_the_family_follows_from_the_parameters() -> None:
    assert (checked("-6 ::1").family, checked("-F6").family, checked("-4").family, checked("").family) == (6, 6, 4, 4)


def test_a_on_connect_workers_says_what_it_leaves_out() -> None:
    assert "OS detection and traceroute" in checked("-A").notes[0]
    assert not any("OS detection" in note for note in checked("-A", "raw").notes)


def test_what_has_no_effect_is_said_once() -> None:
    notes = checked("-v -v --privileged --noninteractive").notes
    assert [note.partition(" has no effect")[0] for note in notes] == ["-v", "--privileged", "--noninteractive"]


def test_every_reason_is_told_at_once_with_its_place() -> None:
    reasons = reasons_for("-sV --foo -oX x --re -sS -p").split("\n")
    assert len(reasons) == 5
    assert reasons[0] == "parameter 2: unrecognized option '--foo'"
    assert reasons[1].startswith("parameter 5: option '--re' is ambiguous; possibilities: '--release-memory'")
    assert reasons[2] == "parameter 7: option requires an argument -- 'p'"


@pytest.mark.parametrize("word", ["-p\x0022", "--script\n", "a\tb", "h\u00e9", "\u2010sV", "\x7f", "\u202e"])
def test_a_character_that_is_not_printable_ascii_is_refused(word: str) -> None:
    with pytest.raises(RequestRefused, match="parameter 2 holds a character"):
        parse_arguments(["-sV", word]).check("connect")


@needs_nmap
@pytest.mark.parametrize(
    "line",
    ["--foo", "-wx", "-j", "--re", "-re", "-s", "-sQ", "-sVQ", "-p=80", "-e=lo", "-i=f", "--sL", "--open=3", "-open=3",
     "-p", "--exclude", "-T", "-:", "-nj", "-F:", "--", "-", "-ver", "--min", "-max-r", "-PZ", "-sSI",
     "-sB", "-vvv", "-v3", "-r -n", "-nrF", "-rH -uni", "-4 -T3", "-Pn", "--top-p 5 -sU", "-nZ", "-sLC -n"],
)  # fmt: skip
def test_nmap_itself_refuses_and_accepts_the_same_words(line: str) -> None:
    words = shlex.split(line)
    run = subprocess.run(
        ["nmap", "-n", "-sL", "127.0.0.1", *words], capture_output=True, text=True, timeout=250, check=False
    )
    errors = [error.sentence for error in read_words(words).errors]
    said = run.stderr.splitlines()[0].removeprefix("nmap: ") if run.stderr else ""
    if errors and "needs a letter" not in errors[0] and "-sB" not in line:
        assert said in errors[0]
    assert bool(errors) == (run.returncode == 255 or said.startswith(("Illegal Argument", "No scan type")))


@needs_nmap
def test_nmap_finds_the_same_abbreviations_ambiguous() -> None:
    prefixes = sorted({row.name[2:end] for row in option_table().long for end in range(3, len(row.name))})
    ambiguous = [prefix for prefix in prefixes if len(option_table().begin(prefix)) > 1]
    for prefix in ambiguous[::3]:
        run = subprocess.run(["nmap", f"--{prefix}"], capture_output=True, text=True, timeout=250, check=False)
        assert run.stderr.splitlines()[0] == "nmap: " + read_words([f"--{prefix}"]).errors[0].sentence.removeprefix(
            "parameter 1: "
        )


PIECES = [row.name for row in option_table().rows()] + [
    "-no/tmp/x",
    "-Fi/x",
    "--",
    "-",
    "x",
    "80",
    "-p80",
    "-sVS",
    "--s",
]


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text("-=sopiAFnv/x.,{}", max_size=6)), max_size=8))
def test_no_command_line_yields_an_option_that_is_refused(words: list[str]) -> None:
    for profile in ("connect", "raw"):
        try:
            options = parse_arguments(words).check(profile).options
        except RequestRefused:
            continue
        again = read_words(options)
        allowed = {Decision.ALLOW} | ({Decision.RAW} if profile == "raw" else set())
        assert {given.option.decision for given in again.options} <= allowed
        assert (again.errors, again.targets) == ([], [])


def test_abbreviations_of_every_refused_option_are_refused_as_well() -> None:
    for row in option_table().long:
        if row.decision not in (Decision.REFUSE, Decision.OPT_IN):
            continue
        for end in range(1, len(row.name) - 1):
            name = row.name[2 : 2 + end]
            if option_table().begin(name) == (row,):
                value = "" if row.takes is Takes.NONE else "=x"
                for dashes in ("--", "-"):
                    given_ = read_words([f"{dashes}{name}{value}"]).options
                    if dashes == "--" or end > 1:
                        assert [one.option for one in given_] == [row], (dashes, name)


@needs_nmap
@pytest.mark.parametrize(
    "line",
    ["--defeat-rst-ratelimit -sT", "--defeat-rst-ratelimit -sU", "--defeat-icmp-ratelimit -sS", "-6 -PP", "-6 -PM",
     "-sn -O", "--min-rate 100 --max-rate 10", "--min-parallelism 10 --max-parallelism 5", "--max-rtt-timeout 4ms"],
)  # fmt: skip
def test_nmap_itself_would_not_start_with_what_is_refused_up_front(line: str) -> None:
    target = "::1" if "-6" in line else "127.0.0.1"
    command = ["nmap", "--privileged", "-n", *shlex.split(line), target]
    run = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert (run.returncode, "QUITTING!" in run.stderr) == (1, True)
    assert reasons_for(line, "raw")


@needs_nmap
@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("--data 0x00 --data-length 5", "choose one"),
        ("--data-string x --data-string y", "choose one"),
        ("-6 -f", "no fragments of IPv6"),
        ("-6 --mtu 24", "no fragments of IPv6"),
        ("-sL --ff", "nothing that is sent comes in fragments"),
        ("-6 -D 192.0.2.1,ME", "address of the other family"),
        ("-D 2001:db8::1,RND:2", "address of the other family"),
        ("-6 -D RND:2", "IPv4 addresses alone"),
        ("-sO -O", "nmap ignores -O"),
        ("-sO -A", "nmap ignores -A"),
        ("--ip-options R -O", "OS detection, which"),
        (r"--ip-options \x01\x01", "or four"),
    ],
)
def test_crafted_packets_that_nmap_does_not_make_are_refused_as_nmap_refuses_or_warns(line: str, why: str) -> None:
    target = "::1" if "-6" in line else "127.0.0.1"
    command = ["nmap", "--privileged", "-n", "-Pn", "--max-retries", "0", *shlex.split(line), target]
    command += [] if "-sL" in line else ["-p", "1"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False).stderr
    if os.geteuid() == 0:
        assert "QUITTING!" in said or "WARNING" in said
    with pytest.raises(RequestRefused) as refused:
        parse_arguments(shlex.split(line)).check("raw", PolicyProfile.EVERYTHING)
    assert any(why in reason for reason in refused.value.reasons), refused.value.reasons


OPT_INS = [
    ("--scanflags SYNFIN", PolicyProfile.INTRUSIVE),
    ("--data 0xdeadbeef", PolicyProfile.INTRUSIVE),
    ("--data-string hello", PolicyProfile.INTRUSIVE),
    ("--data-length 25", PolicyProfile.INTRUSIVE),
    ("-f", PolicyProfile.INTRUSIVE),
    ("--mtu 16", PolicyProfile.INTRUSIVE),
    ("--badsum", PolicyProfile.INTRUSIVE),
    ("--ttl 64", PolicyProfile.INTRUSIVE),
    ("-D 192.0.2.1,ME,RND:3", PolicyProfile.EVERYTHING),
    ("--spoof-mac 0", PolicyProfile.EVERYTHING),
    ("--spoof-mac Apple", PolicyProfile.EVERYTHING),
]


@pytest.mark.parametrize(("words", "policy"), OPT_INS)
def test_an_opt_in_is_passed_on_under_the_profile_that_allows_it_and_no_lesser_one(
    words: str, policy: PolicyProfile
) -> None:
    given = parse_arguments(words.split())
    assert given.check("raw", policy).options == tuple(words.split())
    lesser = list(PolicyProfile)[policy.rank - 1]
    with pytest.raises(RequestRefused, match=f"needs policy profile {policy}"):
        given.check("raw", lesser)
    with pytest.raises(RequestRefused, match="needs scanType nmap-privileged"):
        given.check("connect", policy)


@pytest.mark.parametrize(
    "words",
    [
        *("-D host.example.org", "-S x", "--mtu 9", "--mtu 9000", "--ttl 256", "--data-length 1500", "--data zz"),
        *("--scanflags 256", "--scanflags NONE", "--spoof-mac App/le", "-g 0", "-g 65536", "-g 53x"),
    ],
)
def test_a_value_of_an_opt_in_is_checked_in_every_profile(words: str) -> None:
    with pytest.raises(RequestRefused):
        parse_arguments(words.split()).check("raw", PolicyProfile.EVERYTHING)


@pytest.mark.parametrize("words", ["-sI 192.0.2.1", "-b ftp.example.org", "--proxies http://192.0.2.1:1"])
def test_what_contacts_hosts_outside_any_scope_is_refused_in_every_profile(words: str) -> None:
    with pytest.raises(RequestRefused, match="whom no scope covers"):
        parse_arguments(words.split()).check("raw", PolicyProfile.EVERYTHING)


def test_a_source_port_needs_raw_sockets_and_no_permission() -> None:
    assert parse_arguments(["-g", "53"]).check("raw").options == ("--source-port", "53")
    with pytest.raises(RequestRefused, match="needs scanType nmap-privileged"):
        parse_arguments(["-g", "53"]).check("connect")
