"""Accounts without a password or with a leaked one, and user names that a service discloses."""

from __future__ import annotations

from functools import partial

from cascan.findings.proofs.proof import HIGH, LOW, MEDIUM, Proof, Rows

account = partial(Proof, "Default Account")
names = partial(Proof, "User Enumeration")
secrets = partial(Proof, "Credentials Disclosure")

USERS: Rows = {
    "cics-enum": names("CICS Transactions enumerated", LOW, r" - CICS Transaction ID"),
    "cics-user-enum": names("CICS Users enumerated", LOW, r" - CICS User ID"),
    "cvs-brute-repository": names("CVS Repositories guessed", LOW, r"^\s{0,9}Repositories"),
    "finger": names("Users listed by Finger", LOW),
    "http-domino-enum-passwords": secrets(
        "Domino Password Hashes readable", HIGH, r"^\s{0,9}Internet hashes|has ID File available|has been downloaded"
    ),
    "http-drupal-enum-users": names("Drupal Users enumerated", LOW),
    "http-userdir-enum": names("Web Users enumerated", LOW, r"^Potential Users: "),
    "http-wordpress-users": names("WordPress Users enumerated", LOW, r"^Username found: "),
    "impress-remote-discover": account("Impress Remote accepts known PIN", MEDIUM, r"Remote PIN: \S"),
    "ipmi-version": account(
        "IPMI without Password", HIGH, r"PassAuth: .{0,80}\b(?:null|anonymous)_user\b|UserAuth: .{0,80}\bnull\b"
    ),
    "krb5-enum-users": names("Kerberos Users enumerated", LOW, r"^\s{0,9}Discovered Kerberos principals"),
    "ldap-novell-getpass": secrets("Password readable in Directory", HIGH, r"^\s{0,9}Password: \S"),
    "lu-enum": names("TN3270 Logical Units enumerated", LOW, r"^\s{0,9}LU:"),
    "ms-sql-dump-hashes": secrets("MS SQL Password Hashes readable", HIGH, r":0x[0-9A-Fa-f]{4}"),
    "ms-sql-empty-password": account("MS SQL Account without Password", HIGH, r"Login Success"),
    "mysql-dump-hashes": secrets("MySQL Password Hashes readable", HIGH, r":\*?[0-9A-F]{16}"),
    "mysql-empty-password": account("MySQL Account without Password", HIGH, r"has empty password"),
    "mysql-enum": names("MySQL Users enumerated", LOW, r" - Valid credentials"),
    "mysql-users": names("MySQL Users listed", LOW),
    "ncp-enum-users": names("NetWare Users enumerated", LOW, r"^\s{0,9}CN="),
    "oracle-brute-stealth": secrets("Oracle Password Hashes leaked", HIGH, r"\$o5logon\$", "CVE-2012-3137"),
    "oracle-sid-brute": names("Oracle Databases guessed", LOW),
    "oracle-enum-users": names("Oracle Users enumerated", LOW, r" is a valid user account"),
    "rusers": names("Users listed by rusers", LOW),
    "sip-enum-users": names("SIP Extensions enumerated", LOW, r"^\s{0,9}\S+: (?:Auth required|No auth)"),
    "smb-enum-domains": names("SMB Domains and Users listed", LOW, r"^\s{0,9}(?:Users|Passwords): "),
    "smb-enum-groups": names("SMB Groups listed", LOW, r" \(RID: \d"),
    "smb-enum-sessions": names("SMB Sessions listed", LOW, r" since \d{4}-| is connected from "),
    "smb-enum-users": names("SMB Users listed", LOW, r"Users: \S|\(RID: \d"),
    "smtp-enum-users": names("Mail Users enumerated", LOW, r"^\s{0,9}(?:(?:RCPT|VRFY|EXPN), \S|[\w.@-]+$)"),
    "snmp-hh3c-logins": secrets("Passwords readable by SNMP", HIGH, r"password: \S|level:? \d"),
    "snmp-win32-users": names("Windows Users listed by SNMP", MEDIUM),
    "ssh-publickey-acceptance": account("SSH Key accepted", HIGH, r" accepted for user "),
    "tso-enum": names("TSO Users enumerated", LOW, r"Valid User ID"),
    "vtam-enum": names("VTAM Applications enumerated", LOW, r"applid:"),
}
