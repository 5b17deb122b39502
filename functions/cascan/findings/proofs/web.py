"""What web servers disclose, most likely by mistake."""

from __future__ import annotations

from functools import partial

from cascan.findings.proofs.proof import HIGH, INFORMATIONAL, LOW, MEDIUM, Proof, Rows

disclosure = partial(Proof, "Information Disclosure")
http = partial(Proof, "HTTP")

WEB: Rows = {
    "ajp-methods": http("Risky AJP Methods", LOW, r"^\s{0,9}Potentially risky methods: \S"),
    "hnap-info": disclosure("HNAP Device readable", LOW, r"(?:Vendor|Device|Firmware|SOAPACTIONS): ?"),
    "http-apache-server-status": disclosure("Apache Server Status readable", LOW, r"Server (?:Version|Built|Uptime): "),
    "http-backup-finder": disclosure("Backup Files readable", MEDIUM, r"^\s{0,9}https?://"),
    "http-bigip-cookie": disclosure("BIG-IP Cookie tells internal Address", LOW, r"^\s{0,9}(?:address|host): ?"),
    "http-config-backup": disclosure("Configuration Backup readable", HIGH, r"^\s{0,9}/\S* HTTP/"),
    "http-cookie-flags": http("Cookies without secure or httponly", LOW, r"flag not set"),
    "http-cors": http("Requests from any Origin", LOW, r"^(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|TRACE|CONNECT|PATCH)\b"),
    "http-drupal-enum": disclosure("Drupal Modules listed", INFORMATIONAL, r"^\s{0,9}(?:Themes|Modules):"),
    "http-enum": http("Known Web Paths found", INFORMATIONAL, r"^\s{0,9}/\S*: "),
    "http-gitweb-projects-enum": disclosure("Git Projects listed", LOW, r"Projects from "),
    "http-hp-ilo-info": disclosure("HP iLO readable", LOW, r"(?:ServerType|ILOType|SerialNo): "),
    "http-internal-ip-disclosure": disclosure("Internal IP Address leaked", LOW, r"Internal IP Leaked: "),
    "http-ls": disclosure("Directory Listing", LOW, r"^\s{0,9}Volume "),
    "http-mcmp": Proof(
        "Unauthenticated Access", "mod_cluster Management open to anyone", HIGH, r"Management Protocol enabled"
    ),
    "http-qnap-nas-info": disclosure("QNAP NAS readable", LOW, r"Device Model: "),
    "http-svn-enum": disclosure("Subversion Authors listed", LOW, r"^\s{0,9}Author[ \t]"),
    "http-svn-info": disclosure("Subversion Repository readable", LOW, r"Repository (?:Root|UUID): "),
    "http-trace": http("TRACE enabled", LOW, r"^TRACE is enabled"),
    "http-vlcstreamer-ls": Proof("Unauthenticated Access", "VLC Streamer lists Files", MEDIUM, r"^\s{0,9}/"),
    "http-webdav-scan": http("WebDAV enabled", LOW, r"(?:WebDAV type|Allowed Methods): "),
    "http-wordpress-enum": disclosure("WordPress Plugins listed", INFORMATIONAL, r"^\s{0,9}(?:plugins|themes)"),
}
