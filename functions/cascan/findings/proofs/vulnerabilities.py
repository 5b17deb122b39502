"""Holes that a script used, or has good reason to suspect, and reports without nmap's vulns library."""

from __future__ import annotations

from functools import partial

from cascan.findings.proofs.proof import HIGH, LOW, MEDIUM, Proof, Rows

hole = partial(Proof, "Vulnerability")

VULNERABILITIES: Rows = {
    "dns-fuzz": hole("DNS Server crashes on malformed Queries", HIGH, r"^Server stopped responding"),
    "dns-random-srcport": hole("DNS Queries from predictable Ports", MEDIUM, r" is POOR: ", "CVE-2008-1447"),
    "dns-random-txid": hole("DNS Queries with predictable Ids", MEDIUM, r" is POOR: ", "CVE-2008-1447"),
    "dns-update": hole("DNS Updates from anyone", HIGH, r"Successfully added the record"),
    "domino-enum-users": hole(
        "Domino ID Files for anyone", HIGH, r"Successfully (?:stored|retrieved)", "CVE-2006-5835"
    ),
    "firewall-bypass": hole("Firewall bypassed through Helper", HIGH, r"Firewall vulnerable to bypass"),
    "http-adobe-coldfusion-apsa1301": hole(
        "ColdFusion Authentication Bypass", HIGH, r"admin_cookie: \S", "CVE-2013-0632"
    ),
    "http-aspnet-debug": hole("ASP.NET Debugging enabled", LOW, r"DEBUG is enabled"),
    "http-awstatstotals-exec": hole("AWStats Totals Command Execution", HIGH, r"^Output for '", "CVE-2008-3922"),
    "http-axis2-dir-traversal": hole(
        "Apache Axis2 Directory Traversal", HIGH, r"Admin credentials found|Axis2 Directory Traversal"
    ),
    "http-barracuda-dir-traversal": hole(
        "Barracuda Directory Traversal", HIGH, r"^\s{0,9}(?:Password: |Users: \d|Vulnerable to directory)"
    ),
    "http-coldfusion-subzero": hole("ColdFusion Directory Traversal", HIGH, r"password_properties: ", "CVE-2013-3336"),
    "http-csrf": hole("Cross-Site Request Forgery possible", MEDIUM, r"^\s{0,9}Found the following (?:possible )?CSRF"),
    "http-dombased-xss": hole(
        "DOM-based Cross-Site Scripting possible", MEDIUM, r"^\s{0,9}Found the following indications"
    ),
    "http-fileupload-exploiter": hole("File Upload executes Code", HIGH, r"Successfully uploaded and executed"),
    "http-form-fuzzer": hole("Form Input causes Server Errors", LOW, r"lengths that caused errors"),
    "http-iis-webdav-vuln": (
        hole(
            "IIS WebDAV Authentication Bypass",
            HIGH,
            r"Vulnerable folders discovered|Folder is vulnerable",
            "CVE-2009-1535",
        ),
        Proof("HTTP", "WebDAV enabled", LOW, r"^WebDAV is ENABLED"),
    ),
    "http-jsonp-detection": hole("JSONP Endpoints", LOW, r"^The following JSONP endpoints"),
    "http-litespeed-sourcecode-download": hole(
        "LiteSpeed Source Code Disclosure", HIGH, r" source code:", "CVE-2010-2333"
    ),
    "http-majordomo2-dir-traversal": hole("Majordomo2 Directory Traversal", HIGH, r"^\S+ was found:", "CVE-2011-0049"),
    "http-open-redirect": hole("Open Redirect", LOW, r"^\s{0,9}https?://"),
    "http-passwd": hole("Directory Traversal", HIGH, r"^Directory traversal found"),
    "http-put": hole("File Upload by PUT", HIGH, r"was successfully created"),
    "http-rfi-spider": hole("Remote File Inclusion possible", HIGH, r"^\s{0,9}Possible RFI"),
    "http-slowloris": hole(
        "Slowloris Denial of Service", MEDIUM, r"^\s{0,9}(?:Probably v|V)ulnerable:", "CVE-2007-6750"
    ),
    "http-sql-injection": hole("SQL Injection possible", HIGH, r"^\s{0,9}Possible sqli"),
    "http-stored-xss": hole("Stored Cross-Site Scripting possible", MEDIUM, r"^\s{0,9}Found the following stored XSS"),
    "http-unsafe-output-escaping": hole(
        "Reflected Cross-Site Scripting possible", MEDIUM, r"^\s{0,9}Characters \[.{1,20}\] reflected"
    ),
    "http-vmware-path-vuln": hole("VMware Path Traversal", HIGH, r"\(CVE-2009-3733\): VULNERABLE", "CVE-2009-3733"),
    "http-vuln-cve2010-0738": hole(
        "JBoss JMX Console without Authentication",
        HIGH,
        r": (?:Vulnerable to CVE|Authentication bypass|Authentication was not)",
        "CVE-2010-0738",
    ),
    "ms-sql-xp-cmdshell": hole("MS SQL executes Commands (xp_cmdshell)", HIGH, r"^\s{0,9}Command: "),
    "puppet-naivesigning": hole("Puppet signs every Certificate Request", HIGH, r"[Nn]aive autosigning enabled"),
    "smb-webexec-exploit": hole(
        "WebExService executes Commands", HIGH, r"^(?:Asked WebExService to run|\s{0,9}Vulnerable: )", "CVE-2018-15442"
    ),
    "smtp-vuln-cve2010-4344": (
        hole("Exim Heap Overflow", HIGH, r"\(CVE-2010-4344\): VULNERABLE", "CVE-2010-4344", about="CVE-2010-4344"),
        hole(
            "Exim Privilege Escalation", HIGH, r"\(CVE-2010-4345\): VULNERABLE", "CVE-2010-4345", about="CVE-2010-4345"
        ),
    ),
    "ssl-known-key": hole("TLS Key that is publicly known", HIGH, r"^Found in "),
    "wdb-version": hole("VxWorks Debug Service", HIGH, r"^\s{0,9}VULNERABLE: ", "CVE-2010-2965"),
}
