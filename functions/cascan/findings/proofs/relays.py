"""Open relays, proxies and amplifiers, and hosts that forward packets."""

from __future__ import annotations

from functools import partial

from cascan.findings.proofs.proof import LOW, MEDIUM, Proof, Rows

relay = partial(Proof, "Open Relay")

RELAYS: Rows = {
    "dns-recursion": relay("DNS Recursion for anyone", LOW, r"appears to be enabled"),
    "ftp-bounce": relay("FTP Bounce possible", MEDIUM, r"bounce working"),
    "http-open-proxy": relay("Open HTTP Proxy", MEDIUM, r"OPEN proxy"),
    "ip-forwarding": relay("Host forwards Packets", LOW, r"has ip forwarding enabled"),
    "ipidseq": relay("Predictable IP Ids (Idle Scan Zombie)", LOW, r"^(?:Broken incremental|Incremental)!"),
    "nat-pmp-mapport": relay("NAT Port Mapping for anyone", MEDIUM, r"^\s{0,9}Successfully mapped"),
    "ntp-monlist": relay("NTP Monitor List for anyone", MEDIUM),
    "sip-call-spoof": relay("SIP Calls from anyone", MEDIUM, r"^\s{0,9}(?:Target |Ringing)"),
    "smtp-open-relay": relay("Open Mail Relay", MEDIUM, r"is an open relay"),
    "socks-auth-info": relay("SOCKS Proxy without Authentication", MEDIUM, r"^\s{0,9}No authentication"),
    "socks-open-proxy": relay("Open SOCKS Proxy", MEDIUM, r"status: open"),
    "ubiquiti-discovery": relay("Ubiquiti Discovery (Amplifier)", LOW),
}
