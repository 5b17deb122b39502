"""Hosts that an attacker already controls: backdoors, worms, signs of a break-in."""

from __future__ import annotations

from functools import partial

from cascan.findings.proofs.proof import HIGH, LOW, MEDIUM, Proof, Rows

backdoor = partial(Proof, "Backdoor")
suspicion = partial(Proof, "Suspicious Host")

BACKDOORS: Rows = {
    "auth-spoof": backdoor("Ident Server answers before it is asked", MEDIUM, r"^Spoofed reply: "),
    "backorifice-info": backdoor("Back Orifice Trojan", HIGH),
    "ftp-proftpd-backdoor": backdoor("ProFTPD Backdoor", HIGH, r"^\s{0,9}This installation has been backdoored"),
    "http-google-malware": suspicion("Listed as distributing Malware", HIGH, r"known for distributing malware"),
    "http-malware-host": backdoor("Infected Web Server", HIGH, r"Host appears to be infected"),
    "irc-botnet-channels": backdoor("Botnet Channels on IRC Server", HIGH, r"^\s{0,9}[#&]\S"),
    "irc-unrealircd-backdoor": backdoor("UnrealIRCd Backdoor", HIGH, r"^Looks like trojaned version", "CVE-2010-2075"),
    "netbus-auth-bypass": backdoor(
        "NetBus without Password", HIGH, r"^(?:Vulnerable|Not vulnerable, but password is empty)"
    ),
    "netbus-info": backdoor("NetBus Trojan", HIGH),
    "p2p-conficker": backdoor("Conficker Worm", HIGH, r"Host is likely INFECTED"),
    "sniffer-detect": suspicion("Network Card in promiscuous Mode", MEDIUM, r"^Likely in promiscuous mode"),
    "smtp-strangeport": suspicion("Mail Server on unusual Port", LOW, r"^Mail server on unusual port"),
    "stuxnet-detect": backdoor("Stuxnet Worm", HIGH, r"^INFECTED"),
    "dns-blacklist": suspicion("Listed on DNS Blacklist", LOW, r"^\s{0,9}\S+ - (?!FAIL)[A-Z]"),
    "dns-zeustracker": suspicion(
        "Listed as Zeus Botnet Host", HIGH, r"^\s{0,9}\S+[ \t]+[\d.]+[ \t]+SBL\d|\b(?:online|offline)\b"
    ),
    "tor-consensus-checker": suspicion("Tor Node", LOW, r" is a Tor node"),
}
