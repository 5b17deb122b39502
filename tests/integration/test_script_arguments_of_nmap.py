"""The table of script arguments, held against the scripts that are installed.

What is named after a command, a file, a host or a request is either harmful in the table, or was looked at, and stands
below with what it is. The names are read from the scripts while the test runs; none of their text is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cascan.nmap.nmap_data import find_data_folder
from cascan.nmap.scripts.table import Script, script_table

SCRIPTS = (find_data_folder() or Path("/nonexistent")) / "scripts"
pytestmark = pytest.mark.skipif(not SCRIPTS.is_dir(), reason="nmap is not installed")

DOCUMENTED = re.compile(r"--\s*@args?\s+([A-Za-z0-9_.-]*[A-Za-z0-9_-])")
READ = re.compile(r"get_script_args\s*\(?(.*?)\)", re.DOTALL)
OWN = re.compile(r"SCRIPT_NAME\s*\.\.\s*[\"']\.?([\w.-]+)[\"']")
QUOTED = re.compile(r"[\"']([A-Za-z][\w.-]*)[\"']")
REGISTRY = re.compile(r"registry\.args(?:\.([A-Za-z_]\w*)|\[\s*[\"']([\w.-]+)[\"']\s*\])")

# what a name suggests → arguments that the name suggests it of, and that do something else
SUSPICIOUS = {
    "commands": r"cmd|command|exec|keys|macro|payload|shell|code$|transaction|trans$|cemt|query$",
    "files": r"file|(^|[-_.])(db|dir|destination|list|save\w*|out|prefix)$",
    "hosts": r"host$|server|(^|[-_])(ip|address|proxy|target)$",
    "requests": r"method$|force$|unsafe|invasive|retest|test-all|lockout|kill|exploit$|logon$",
}
LOOKED_AT = {
    "commands": {
        "vtam-enum.macros": "whether names are sent as they are; the names come from a file, which is refused"
    },
    "files": {
        "dns-blacklist.list": "lists the services it has",
        "dns-ip6-arpa-scan.prefix": "a network; the script needs one, and is for profile intrusive",
        "ftp-anon.maxlist": "a number",
        "gopher-ls.maxfiles": "a number",
        "http-axis2-dir-traversal.file": "on the target",
        "http-majordomo2-dir-traversal.rfile": "on the target",
        "http-phpmyadmin-dir-traversal.dir": "on the target",
        "http-phpmyadmin-dir-traversal.file": "on the target",
        "http-tplink-dir-traversal.rfile": "on the target",
        "http-vlcstreamer-ls.dir": "on the target",
        "http-vuln-cve2006-3392.file": "on the target",
        "http-vuln-cve2009-3960.readfile": "on the target",
        "http-vuln-cve2011-3368.prefix": "of an address on the target",
        "http-fetch.files": "on the target",
        "ldap.savetype": "chooses a form, and the file's name is refused",
        "mongodb-brute.db": "a database of the target",
        "mongodb-info.db": "a database of the target",
    },
    "hosts": {
        "dns-client-subnet-scan.address": "a client that the question is about; the server asked is refused",
        "hostname": "goes into the Host header",
        "iscsi-brute.target": "the name of a disk",
        "nje-node-brute.ohost": "a node's name in a greeting",
        "nje-pass-brute.ohost": "a node's name in a greeting",
        "nje-pass-brute.rhost": "a node's name in a greeting",
        "smtp-open-relay.ip": "an address in a test mail, which stays with the target",
        "xmpp-brute.servername": "a name in a greeting",
        "xmpp-info.server_name": "a name in a greeting",
        "xmpp-info.alt_server_name": "a name in a greeting",
    },
    "requests": {
        "imap-brute.auth": "a mechanism",
        "impress-remote-discover.bruteforce": "whether it guesses; the script is for profile intrusive",
        "pop3loginmethod": "a mechanism",
        "sip-brute.force": "guesses though the server seems not to ask for passwords",
        "svn-brute.force": "guesses though the server seems not to ask for passwords",
    },
}


def _scripts() -> Iterator[tuple[Script, str]]:
    for script in script_table().scripts:
        path = SCRIPTS / f"{script.name}.nse"
        if path.is_file():
            yield script, path.read_text(encoding="latin-1")


def _arguments(script: Script, source: str) -> set[str]:
    """Those that it documents, and those that its code names."""
    found = set(DOCUMENTED.findall(source))
    for call in READ.findall(source):
        found |= {f"{script.name}.{name}" for name in OWN.findall(call)}
        found |= set(QUOTED.findall(OWN.sub("", call)))
    found |= {name or other for name, other in REGISTRY.findall(source)}
    return found


def _judged(script: Script) -> tuple[set[str], set[str]]:
    harmless: set[str] = set()
    harmful: set[str] = set()
    for names in script.argument_names():
        harmless |= names.harmless
        harmful |= set(names.harmful)
    return harmless, harmful


def _last(name: str) -> str:
    return name.rpartition(".")[2].lower()


@pytest.mark.parametrize("kind", SUSPICIOUS)
def test_what_sounds_like_harm_does_harm_or_was_looked_at(kind: str) -> None:
    table = script_table()
    harmful = {_last(name) for script in table.scripts for name in script.harmful}
    harmful |= {_last(name) for names in table.libraries.values() for name in names.harmful}
    unjudged = set()
    for script, source in _scripts():
        own_harmless, own_harmful = _judged(script)
        for argument in _arguments(script, source):
            is_harmful = argument in own_harmful or (argument not in own_harmless and _last(argument) in harmful)
            reviewed = LOOKED_AT[kind].keys() & {argument, _last(argument)}
            if re.search(SUSPICIOUS[kind], _last(argument)) and not is_harmful and not reviewed:
                unjudged.add((script.name, argument))
    assert sorted(unjudged) == []


def test_the_arguments_of_every_installed_script_are_found() -> None:
    found = {script.name: _arguments(script, source) for script, source in _scripts()}
    assert "tn3270-screen.commands" in found["tn3270-screen"]
    assert "http-methods.test-all" in found["http-methods"]
    assert sum(map(len, found.values())) > 500


def test_nothing_was_looked_at_that_no_script_has() -> None:
    known = {argument for script, source in _scripts() for argument in _arguments(script, source)}
    names = known | {_last(argument) for argument in known}
    assert sorted({name for kind in LOOKED_AT.values() for name in kind} - names) == []
