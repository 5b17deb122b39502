"""What a finding means and what to do about it, by its category and, where it matters, its name.

The sentences are general: they say nothing of the host. A category without an entry has the advice of
its severity.
"""

from __future__ import annotations

from typing import NamedTuple

from cascan.model.finding import Finding, Severity


class Advice(NamedTuple):
    meaning: str
    action: str


BY_NAME = {
    "Expired Certificate": Advice(
        "The certificate is past its end. Clients that check it refuse the connection; those that do not are open "
        "to a man in the middle.",
        "Renew the certificate, and let it be renewed automatically before it ends.",
    ),
    "Certificate expires soon": Advice(
        "The certificate ends within weeks. From then on clients refuse the connection.",
        "Renew it now, and check why it was not renewed automatically.",
    ),
    "Self-Signed Certificate": Advice(
        "The service signed its certificate itself, so a client cannot tell it from one that an attacker made.",
        "Install a certificate of an authority that the clients trust, your own or a public one.",
    ),
    "Weak Certificate Key": Advice(
        "The key of the certificate is so short that it can be computed, or soon will be.",
        "Make a new key of at least 2,048 bits (RSA) or 256 bits (EC), and a new certificate for it.",
    ),
    "Weak Certificate Signature": Advice(
        "The certificate is signed with a digest for which two texts with the same value can be made.",
        "Have the certificate issued again with SHA-256 or better.",
    ),
    "Git Repository exposed": Advice(
        "The web server hands out its .git folder: the source code with its whole past, and passwords in it.",
        "Remove the folder from the web root or deny access to it, and change every secret that was ever committed.",
    ),
}
BY_CATEGORY = {
    "Open Port": Advice(
        "A service accepts connections on this port. That alone is no weakness: the question is whether it should "
        "be reachable from where the scan ran.",
        "If nobody needs it from there, stop the service, bind it to another address, or close the port in the "
        "firewall. If it is intended, write it into the file of expected exposure (cascan exposure init).",
    ),
    "Open or Filtered Port": Advice(
        "The port gave no answer. It is open, or a firewall drops the probes; the scan cannot tell which.",
        "Scan the port with service detection (-sV), or look at the host itself.",
    ),
    "Filtered Port": Advice(
        "A firewall drops or rejects the probes. The port cannot be reached from where the scan ran.",
        "Nothing, if that is intended.",
    ),
    "Unfiltered Port": Advice(
        "The port can be reached; this kind of scan does not tell whether it is open.",
        "Scan it with -sS or -sT.",
    ),
    "Closed or Filtered Port": Advice(
        "The idle scan cannot tell whether the port is closed or filtered.",
        "Nothing, if the port is not needed; else scan it directly.",
    ),
    "Host": Advice(
        "The host answered. The finding holds what nmap learned of it besides its ports.",
        "Check that the host is known and has an owner.",
    ),
    "Reachability": Advice(
        "The port is open from one vantage and not from another: what separates them treats it differently.",
        "Compare with what the firewall between the vantages is meant to allow (cascan reach ADDRESS).",
    ),
    "Backdoor": Advice(
        "The host answers as a backdoor does: somebody may already control it.",
        "Take it off the network, keep its disk and memory for an investigation, and set it up anew.",
    ),
    "Suspicious Host": Advice(
        "There are signs that somebody else controls the host.",
        "Investigate it as after a break-in, before anything else is changed on it.",
    ),
    "Vulnerability": Advice(
        "A script found a known vulnerability, or a version that has one. The evidence says how certain that is.",
        "Install the version that fixes it. Until then, close the port for everybody who does not need it.",
    ),
    "Default Account": Advice(
        "An account works whose password is known to everybody, or easily guessed.",
        "Change the password, and look for logins that were not yours. Disable the account if nobody needs it.",
    ),
    "Credentials Disclosure": Advice(
        "Anybody can read passwords, or hashes from which passwords can be computed.",
        "Close the access, and change every password that could be read.",
    ),
    "Unauthenticated Access": Advice(
        "The service lets anybody in without a password.",
        "Require a login, or make the service reachable only for those who need it.",
    ),
    "Industrial Control": Advice(
        "A controller answers any client. Such protocols know no login: who reaches it can command it.",
        "Move it to a network of its own, and let only its control station reach it.",
    ),
    "Open Relay": Advice(
        "The service forwards or answers for strangers, who can use it to send spam or to attack others.",
        "Allow only your own networks to use it.",
    ),
    "User Enumeration": Advice(
        "Anybody can learn the names of users, and then guess passwords for them.",
        "Turn the query off, or allow it only after a login.",
    ),
    "Information Disclosure": Advice(
        "The service tells strangers more than they need: it helps to prepare an attack.",
        "Turn off what is not needed, or allow it only after a login.",
    ),
    "Clear Text": Advice(
        "Passwords or content cross the network unencrypted: anybody on the way can read and change them.",
        "Use the encrypted variant of the protocol, and turn this one off.",
    ),
    "Invalid Certificate": Advice(
        "The certificate does not prove who the service is, so a man in the middle stays unnoticed.",
        "Install a valid certificate for the name under which clients connect.",
    ),
    "Invalid Hostname": Advice(
        "The certificate is for other names than the one that was scanned; clients refuse it.",
        "Have the name added to the certificate, or let clients use a name that it has.",
    ),
    "TLS Certificate": Advice(
        "The certificate that the service presents, with its names and its end.",
        "Check its names and renew it in time.",
    ),
    "Weak TLS Cipher": Advice(
        "The service accepts ciphers that can be broken, so recorded or live connections can be read.",
        "Allow only TLS 1.2 and 1.3 with AEAD ciphers (AES-GCM, ChaCha20).",
    ),
    "Outdated TLS Version": Advice(
        "The service accepts versions of SSL or TLS with known attacks.",
        "Turn off everything below TLS 1.2.",
    ),
    "SSH Policy Violation": Advice(
        "The SSH server accepts algorithms or logins that are no longer considered safe.",
        "Restrict KexAlgorithms, Ciphers, MACs and HostKeyAlgorithms to current ones; allow keys only.",
    ),
    "SMB": Advice(
        "The file service has an outdated or open setting.",
        "Turn off SMB 1, require signing, and remove shares that anybody may use.",
    ),
    "RDP": Advice(
        "The remote desktop accepts weak encryption, or shows its login screen to anybody.",
        "Require Network Level Authentication and TLS, and put it behind a VPN.",
    ),
    "SNMP": Advice(
        "The device answers SNMP queries: with its setup, and with a guessed community also to changes.",
        "Use SNMP 3, change the community, and allow only the monitoring to ask.",
    ),
    "FTP": Advice(
        "The FTP server says what it is, or lets anybody in. FTP sends passwords in the clear.",
        "Replace it by SFTP or FTPS, and turn anonymous access off unless it is meant.",
    ),
    "HTTP": Advice(
        "What the web server says of itself, or a weakness of its configuration.",
        "Send the missing security headers, allow only the methods in use, and hide versions.",
    ),
}
BY_SEVERITY = {
    Severity.HIGH: Advice(
        "Anybody who reaches the service can run commands, read secrets or change things.",
        "Act at once: close the port for everybody who does not need it, then mend the cause.",
    ),
    Severity.MEDIUM: Advice(
        "Anybody who reaches the service can read its content, change a little, or abuse it against others.",
        "Plan to mend it, and check until then who can reach the service.",
    ),
    Severity.LOW: Advice(
        "It helps to prepare an attack, and is none by itself.",
        "Mend it with the next change of the service.",
    ),
    Severity.INFORMATIONAL: Advice(
        "A fact about the service, without a known weakness.",
        "Nothing, if it is as you expect.",
    ),
}


def find_advice(finding: Finding) -> Advice:
    """By its name, else its category, else its severity without severity rules."""
    if finding.name in BY_NAME:
        return BY_NAME[finding.name]
    return BY_CATEGORY.get(finding.category) or BY_SEVERITY[finding.severity]
