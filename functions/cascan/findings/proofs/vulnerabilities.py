"""Vulnerabilities that a script exploited or suspects, and reports without nmap's vulns library."""

from __future__ import annotations

from functools import partial

from cascan.findings.proofs.proof import HIGH, LOW, MEDIUM, Proof, Rows

vulnerability = partial(Proof, "Vulnerability")

VULNERABILITIES: Rows = {
    "dns-fuzz": vulnerability("DNS Server crashes on malformed Queries", HIGH, r"^Server stopped responding"),
    "dns-random-srcport": vulnerability("DNS Queries from predictable Ports", MEDIUM, r" is POOR: ", "CVE-2008-1447"),
    "dns-random-txid": vulnerability("DNS Queries with predictable Ids", MEDIUM, r" is POOR: ", "CVE-2008-1447"),
    "dns-update": vulnerability("DNS Updates from anyone", HIGH, r"Successfully added the record"),
    "domino-enum-users": vulnerability(
        "Domino ID Files for anyone", HIGH, r"Successfully (?:stored|retrieved)", "CVE-2006-5835"
    ),
    "firewall-bypass": vulnerability("Firewall bypassed through Helper", HIGH, r"Firewall vulnerable to bypass"),
    "http-adobe-coldfusion-apsa1301": vulnerability(
        "ColdFusion Authentication Bypass", HIGH, r"admin_cookie: \S", "CVE-2013-0632"
    ),
    "http-aspnet-debug": vulnerability("ASP.NET Debugging enabled", LOW, r"DEBUG is enabled"),
    "http-awstatstotals-exec": vulnerability(
        "AWStats Totals Command Execution", HIGH, r"^Output for '", "CVE-2008-3922"
    ),
    "http-axis2-dir-traversal": vulnerability(
        "Apache Axis2 Directory Traversal", HIGH, r"Admin credentials found|Axis2 Directory Traversal"
    ),
    "http-barracuda-dir-traversal": vulnerability(
        "Barracuda Directory Traversal", HIGH, r"^\s{0,9}(?:Password: |Users: \d|Vulnerable to directory)"
    ),
    "http-coldfusion-subzero": vulnerability(
        "ColdFusion Directory Traversal", HIGH, r"password_properties: ", "CVE-2013-3336"
    ),
    "http-csrf": vulnerability(
        "Cross-Site Request Forgery possible", MEDIUM, r"^\s{0,9}Found the following (?:possible )?CSRF"
    ),
    "http-dombased-xss": vulnerability(
        "DOM-based Cross-Site Scripting possible", MEDIUM, r"^\s{0,9}Found the following indications"
    ),
    "http-fileupload-exploiter": vulnerability(
        "File Upload executes Code", HIGH, r"Successfully uploaded and executed"
    ),
    "http-form-fuzzer": vulnerability("Form Input causes Server Errors", LOW, r"lengths that caused errors"),
    "http-iis-webdav-vuln": (
        vulnerability(
            "IIS WebDAV Authentication Bypass",
            HIGH,
            r"Vulnerable folders discovered|Folder is vulnerable",
            "CVE-2009-1535",
        ),
        Proof("HTTP", "WebDAV enabled", LOW, r"^WebDAV is ENABLED"),
    ),
    "http-jsonp-detection": vulnerability("JSONP Endpoints", LOW, r"^The following JSONP endpoints"),
    "http-litespeed-sourcecode-download": vulnerability(
        "LiteSpeed Source Code Disclosure", HIGH, r" source code:", "CVE-2010-2333"
    ),
    "http-majordomo2-dir-traversal": vulnerability(
        "Majordomo2 Directory Traversal", HIGH, r"^\S+ was found:", "CVE-2011-0049"
    ),
    "http-open-redirect": vulnerability("Open Redirect", LOW, r"^\s{0,9}https?://"),
    "http-passwd": vulnerability("Directory Traversal", HIGH, r"^Directory traversal found"),
    "http-put": vulnerability("File Upload by PUT", HIGH, r"was successfully created"),
    "http-rfi-spider": vulnerability("Remote File Inclusion possible", HIGH, r"^\s{0,9}Possible RFI"),
    "http-slowloris": vulnerability(
        "Slowloris Denial of Service", MEDIUM, r"^\s{0,9}(?:Probably v|V)ulnerable:", "CVE-2007-6750"
    ),
    "http-sql-injection": vulnerability("SQL Injection possible", HIGH, r"^\s{0,9}Possible sqli"),
    "http-stored-xss": vulnerability(
        "Stored Cross-Site Scripting possible", MEDIUM, r"^\s{0,9}Found the following stored XSS"
    ),
    "http-unsafe-output-escaping": vulnerability(
        "Reflected Cross-Site Scripting possible", MEDIUM, r"^\s{0,9}Characters \[.{1,20}\] reflected"
    ),
    "http-vmware-path-vuln": vulnerability(
        "VMware Path Traversal", HIGH, r"\(CVE-2009-3733\): VULNERABLE", "CVE-2009-3733"
    ),
    "http-vuln-cve2010-0738": vulnerability(
        "JBoss JMX Console without Authentication",
        HIGH,
        r": (?:Vulnerable to CVE|Authentication bypass|Authentication was not)",
        "CVE-2010-0738",
    ),
    "ms-sql-xp-cmdshell": vulnerability("MS SQL executes Commands (xp_cmdshell)", HIGH, r"^\s{0,9}Command: "),
    "puppet-naivesigning": vulnerability(
        "Puppet signs every Certificate Request", HIGH, r"[Nn]aive autosigning enabled"
    ),
    "smb-webexec-exploit": vulnerability(
        "WebExService executes Commands", HIGH, r"^(?:Asked WebExService to run|\s{0,9}Vulnerable: )", "CVE-2018-15442"
    ),
    "smtp-vuln-cve2010-4344": (
        vulnerability(
            "Exim Heap Overflow", HIGH, r"\(CVE-2010-4344\): VULNERABLE", "CVE-2010-4344", about="CVE-2010-4344"
        ),
        vulnerability(
            "Exim Privilege Escalation", HIGH, r"\(CVE-2010-4345\): VULNERABLE", "CVE-2010-4345", about="CVE-2010-4345"
        ),
    ),
    "ssl-known-key": vulnerability("TLS Key that is publicly known", HIGH, r"^Found in "),
    "wdb-version": vulnerability("VxWorks Debug Service", HIGH, r"^\s{0,9}VULNERABLE: ", "CVE-2010-2965"),
}
