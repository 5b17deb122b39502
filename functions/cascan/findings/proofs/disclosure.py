"""What services disclose: files, networks, versions, names that help an attacker."""

from __future__ import annotations

from functools import partial

from cascan.findings.proofs.proof import HIGH, INFORMATIONAL, LOW, MEDIUM, Proof, Rows

disclosure = partial(Proof, "Information Disclosure")

DISCLOSURES: Rows = {
    "auth-owners": disclosure("Owner of Service told by Ident", LOW),
    "dns-cache-snoop": disclosure("DNS Cache readable", LOW, r"^[1-9]\d* of \d+ tested domains are cached"),
    "dns-check-zone": disclosure("DNS Zone against good Practice", LOW, r"^\s{0,9}FAIL - "),
    "dns-nsec-enum": disclosure("DNS Names enumerated by NSEC", LOW, r"^\s{0,9}[\w-]+(?:\.[\w-]+)+$"),
    "dns-nsec3-enum": disclosure("DNS Hashes enumerated by NSEC3", LOW, r"nexthash "),
    "dns-service-discovery": disclosure("Services listed by mDNS", LOW, r"^\s{0,9}\d+/(?:tcp|udp) "),
    "flume-master-info": disclosure("Flume Master readable", LOW, r"(?:Version|ServerID|Flume nodes): ?"),
    "ganglia-info": disclosure("Ganglia readable", LOW, r"Ganglia Version: |Cluster \d"),
    "gkrellm-info": disclosure("GKrellM readable", LOW, r"(?:Hostname|Uptime|Memory): "),
    "gpsd-info": disclosure("GPS Position readable", LOW, r"Coordinates: "),
    "hadoop-datanode-info": disclosure("Hadoop DataNode readable", MEDIUM, r"Logs: "),
    "hadoop-jobtracker-info": disclosure("Hadoop JobTracker readable", MEDIUM, r"(?:State|Started|Version): "),
    "hadoop-namenode-info": disclosure("Hadoop NameNode readable", MEDIUM, r"(?:Started|Version|Filesystem): "),
    "hadoop-secondary-namenode-info": disclosure(
        "Hadoop Secondary NameNode readable", MEDIUM, r"(?:Start|Version|namenode): "
    ),
    "hadoop-tasktracker-info": disclosure("Hadoop TaskTracker readable", MEDIUM, r"(?:Version|Logs): "),
    "hbase-master-info": disclosure("HBase Master readable", MEDIUM, r"Hbase Version: "),
    "hbase-region-info": disclosure("HBase Region Server readable", MEDIUM, r"Hbase Version: "),
    "hddtemp-info": disclosure("Hard Disks listed", LOW, r"^\s{0,9}/dev/"),
    "ike-version": disclosure("IKE Service (VPN)", INFORMATIONAL, r"vendor_id: |^\s{0,9}attributes:"),
    "lexmark-config": disclosure("Printer Configuration readable", LOW, r"[A-Z]: \S"),
    "maxdb-info": disclosure("MaxDB Service readable", LOW, r"(?:Version|Instroot): "),
    "mysql-audit": disclosure("MySQL Audit failed", MEDIUM, r" => FAIL"),
    "ncp-serverinfo": disclosure("NetWare Server readable", LOW, r"(?:Server name|Tree Name): "),
    "openlookup-info": disclosure("OpenLookup readable", LOW, r"(?:version|name): "),
    "riak-http-info": disclosure("Riak Statistics readable", MEDIUM, r"^\s{0,9}Node name[ \t]"),
    "servicetags": disclosure("Sun Service Tags readable", LOW, r"(?:System|Hostname): "),
    "smb-enum-processes": disclosure("Windows Processes listed by SMB", MEDIUM, r"\b(?:smss|System|Idle)\b"),
    "smb-enum-services": disclosure("Windows Services listed by SMB", MEDIUM, r"SERVICE_"),
    "smb-mbenum": disclosure("Windows Hosts listed by SMB", LOW),
    "smb-os-discovery": disclosure("Windows Host Names", INFORMATIONAL, r"^\s{0,9}(?:OS|Computer name|FQDN): "),
    "smb-server-stats": disclosure("SMB Statistics readable", LOW, r"[Ss]erver statistics collected since"),
    "smb-system-info": disclosure("Windows System readable by SMB", MEDIUM, r"OS Details|Systemroot: "),
    "snmp-interfaces": disclosure("Network Interfaces listed by SNMP", MEDIUM, r"(?:IP address|MAC address|Type): "),
    "snmp-ios-config": disclosure(
        "Router Configuration copied by SNMP", HIGH, r"^\s{0,9}(?:version \d|hostname |Configuration saved)"
    ),
    "snmp-netstat": disclosure("Connections listed by SNMP", MEDIUM, r"^\s{0,9}(?:TCP|UDP)[ \t]"),
    "snmp-processes": disclosure("Processes listed by SNMP", MEDIUM, r"Name: \S"),
    "snmp-win32-services": disclosure("Windows Services listed by SNMP", MEDIUM),
    "snmp-win32-shares": disclosure("Windows Shares listed by SNMP", MEDIUM),
    "snmp-win32-software": disclosure("Windows Software listed by SNMP", MEDIUM),
    "ssl-cert-intaddr": disclosure("Private Addresses in Certificate", LOW),
    "telnet-encryption": (
        Proof("Clear Text", "Telnet without Encryption", MEDIUM, r"does not support encryption"),
        Proof("Clear Text", "Telnet offers Encryption", INFORMATIONAL, r"server supports encryption", about="offered"),
    ),
    "unusual-port": disclosure("Service on unusual Port", INFORMATIONAL, r" unexpected on port "),
    "upnp-info": disclosure("UPnP open to anyone", LOW),
    "uptime-agent-info": disclosure("Uptime Agent readable", LOW, r"(?:SYSNAME|OSVER)="),
    "weblogic-t3-info": disclosure("WebLogic T3 open to anyone", LOW, r"^T3 protocol in use"),
    "wsdd-discover": disclosure("Devices listed by WS-Discovery", LOW, r"(?:Message id|Address): "),
}
