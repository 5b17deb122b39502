"""What scripts say of the host's name: only a name, only where a script runs, and last among the script arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from cascan.model.shard import Shard, TargetSlice
from cascan.nmap.command import build_nmap_command
from cascan.nmap.options.arguments import parse_arguments
from cascan.nmap.scripts.script_hostname import add_script_hostname
from cascan.permissions.scope import Scope
from on_shard_queued.pin_targets import pin_targets
from tests.fakes import FixedResolver
from tests.support.builders import a_shard

NAME = "www.example.test"
OURS = "tls.servername=www.example.test,http.host=www.example.test"
RESOLVER = FixedResolver({NAME: ["10.0.0.1", "10.0.0.2"], "b.example.test": ["10.0.0.1"], "gone.example.test": []})
SCOPE = Scope.of(["10.0.0.0/16"])


@pytest.mark.parametrize(
    ("options", "spoken"),
    [
        ("-sV -p 443", f"-sV -p 443 --script-args {OURS}"),
        ("-sC", f"-sC --script-args {OURS}"),
        ("--script ssl-cert", f"--script ssl-cert --script-args {OURS}"),
        ("-sV --script-args http.useragent=x -n", f"-sV --script-args http.useragent=x,{OURS} -n"),
        ("--script-args a=b --script-args c=d -sC", f"--script-args a=b --script-args c=d,{OURS} -sC"),
        ("--script-args tls.servername=other -sC", f"--script-args tls.servername=other,{OURS} -sC"),
        ("--script-args a=b,, -sC", f"--script-args a=b,{OURS} -sC"),
        ("--script-args , -sC", f"--script-args {OURS} -sC"),
        ("--script --script-args -n", f"--script --script-args -n --script-args {OURS}"),  # a value, not the option
        ("-p 443 -n", "-p 443 -n"),
        ("-sS -O --script-args a=b", "-sS -O --script-args a=b"),
        ("-p -sV", "-p -sV"),  # a value again
    ],
)
def test_the_name_is_said_where_scripts_run_and_after_what_the_request_says(options: str, spoken: str) -> None:
    assert add_script_hostname(options.split(), NAME) == tuple(spoken.split())


@pytest.mark.parametrize(
    "name",
    ["", "a_b.example.test", "-a.example.test", "a-.example.test", "a..test", "a.test.", "a,newtargets", "a=b", 'a"b',
     "a}b", "a b", "A.test", "\u00e9.test", "a" * 64 + ".test", "a.test\n"],
)  # fmt: skip
def test_what_is_no_host_name_never_gets_into_script_arguments(name: str) -> None:
    assert add_script_hostname(("-sV",), name) == ("-sV",)


def test_what_is_said_reads_back_as_one_argument_list_of_nmaps() -> None:
    again = parse_arguments(add_script_hostname(("-sV", "--script-args", "http.useragent=x"), NAME))
    assert (again.errors, again.targets) == ((), ())
    assert [given.value for given in again.options] == [None, f"http.useragent=x,{OURS}"]


def shard(*expressions: str, **fields: object) -> Shard:
    return a_shard(slices=tuple(TargetSlice(text, 0, 4 if "/30" in text else 1) for text in expressions), **fields)


@pytest.mark.parametrize(
    ("expressions", "name"),
    [
        ([NAME], NAME),
        ([NAME, "WWW.Example.Test."], NAME),  # one name, spelled twice
        ([NAME, "gone.example.test"], NAME),  # what has no address takes none
        ([NAME, "b.example.test"], ""),  # one address, two names
        ([NAME, "10.0.0.9"], ""),
        (["10.0.0.1"], ""),
        ([f"{NAME}/30"], ""),  # the neighbours have other names
        (["gone.example.test"], ""),
    ],
)
def test_a_shard_has_a_name_when_all_its_addresses_stand_for_it(expressions: list[str], name: str) -> None:
    assert pin_targets(shard(*expressions), scope=SCOPE, resolver=RESOLVER).name == name
    every = pin_targets(shard(*expressions, arguments=("--resolve-all",)), scope=SCOPE, resolver=RESOLVER)
    assert every.name == name


def test_the_command_line_says_the_name_before_the_options_that_are_ours() -> None:
    argv = build_nmap_command(["nmap"], a_shard(arguments=("-sV",)), Path("/scratch"), NAME)
    assert argv[:5] == ("nmap", "-sV", "--script-args", OURS, "--unprivileged")
