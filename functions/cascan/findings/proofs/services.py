"""Services without authentication.

HIGH    any client can read, change or run anything
MEDIUM  any client can read the service's content, or change a little
LOW     any client can read how the service is set up
"""

from __future__ import annotations

from functools import partial

from cascan.findings.proofs.proof import HIGH, LOW, MEDIUM, Proof, Rows

unauthenticated = partial(Proof, "Unauthenticated Access")

SERVICES: Rows = {
    "acarsd-info": unauthenticated("acarsd without Authentication", LOW, r"Authorization Required: 0"),
    "afp-ls": unauthenticated("AFP Files readable", MEDIUM, r"^\s{0,9}Volume \S"),
    "afp-showmount": unauthenticated("AFP Shares listed", LOW, r"^\s{0,9}(?:Owner|Everyone|User): "),
    "ajp-headers": unauthenticated("AJP open to anyone", MEDIUM, r"^\s{0,9}[\w-]+: "),
    "ajp-request": unauthenticated("AJP Requests from anyone", MEDIUM, r"^(?:AJP13 )?(?:HTTP/)?\S* ?[2345]\d\d |<\w"),
    "amqp-info": unauthenticated("AMQP offers anonymous Login", MEDIUM, r"mechanisms: .{0,200}\bANONYMOUS\b"),
    "cassandra-info": unauthenticated("Cassandra without Authentication", HIGH, r"Cluster name"),
    "cics-info": unauthenticated("CICS Transactions without Security", HIGH, r"Security: Disabled"),
    "citrix-enum-apps": unauthenticated("Citrix Applications listed", LOW),
    "citrix-enum-apps-xml": unauthenticated("Citrix Applications listed", LOW, r"Application: \S"),
    "citrix-enum-servers": unauthenticated("Citrix Servers listed", LOW),
    "citrix-enum-servers-xml": unauthenticated("Citrix Servers listed", LOW),
    "coap-resources": unauthenticated("CoAP Resources listed", LOW, r"^\s{0,9}/\S*:"),
    "couchdb-databases": unauthenticated("CouchDB without Authentication", HIGH, r"^[ \t]*\d+ = "),
    "couchdb-stats": (
        unauthenticated("CouchDB Statistics readable", LOW, r"current = "),
        unauthenticated("CouchDB Administration for anyone", HIGH, r"Authentication : NOT enabled", about="admin"),
    ),
    "cups-info": unauthenticated("Printers listed", LOW, r"^\s{0,9}(?:DNS-SD Name|State|Queue): "),
    "cups-queue-info": unauthenticated("Print Jobs listed", LOW, r"^\s{0,9}\d+[ \t]+\d{4}-"),
    "daap-get-library": unauthenticated("Music Library listed", LOW),
    "db2-das-info": unauthenticated("DB2 Server Profile readable", MEDIUM, r"DB2 Administration Server Settings"),
    "dicom-ping": unauthenticated("DICOM accepts any AE Title", MEDIUM, r"Any AET is accepted"),
    "dns-zone-transfer": unauthenticated("DNS Zone Transfer for anyone", MEDIUM, r"\bSOA\b"),
    "docker-version": unauthenticated("Docker without Authentication", HIGH, r"Version: "),
    "epmd-info": unauthenticated("Erlang Nodes listed", LOW, r"epmd_port: "),
    "eppc-enum-processes": unauthenticated("Apple Event Processes listed", LOW, r"\bpid\b"),
    "giop-info": unauthenticated("CORBA Objects listed", LOW, r"(?:Object|Context): \S"),
    "gopher-ls": unauthenticated("Gopher Files listed", LOW, r"^\s{0,9}\["),
    "isns-info": unauthenticated("iSCSI Nodes listed by iSNS", LOW, r"^\s{0,9}(?:Portal|iSCSI Nodes)"),
    "jdwp-exec": unauthenticated("Java Debugger open to anyone", HIGH),
    "jdwp-info": unauthenticated("Java Debugger open to anyone", HIGH),
    "jdwp-inject": unauthenticated("Java Debugger open to anyone", HIGH),
    "ldap-rootdse": unauthenticated("LDAP Root Entry readable", LOW, r"[nN]amingContexts: \S|supportedLDAPVersion: "),
    "ldap-search": unauthenticated("LDAP Directory readable", MEDIUM, r"^\s{0,9}dn: \S"),
    "membase-http-info": unauthenticated("Couchbase Status readable", LOW, r"^\s{0,9}Version[ \t]"),
    "memcached-info": unauthenticated("Memcached without Authentication", HIGH, r"Authentication: no"),
    "mongodb-databases": unauthenticated("MongoDB without Authentication", HIGH, r"^[ \t]+name = "),
    "mqtt-subscribe": unauthenticated("MQTT Messages readable", HIGH, r"^\s{0,9}Topics and their most recent payloads"),
    "msrpc-enum": unauthenticated("MSRPC Endpoints listed", LOW, r"uuid: \S"),
    "mysql-databases": unauthenticated("MySQL Databases listed", MEDIUM, r"^\s{0,9}information_schema"),
    "nat-pmp-info": unauthenticated("NAT-PMP open to anyone", LOW, r"WAN IP: "),
    "nbd-info": unauthenticated("Block Devices exported to anyone", HIGH, r"^\s{0,9}Exported Block Devices"),
    "ndmp-fs-info": unauthenticated("NDMP File Systems listed", MEDIUM, r"Logical device"),
    "nfs-ls": (
        unauthenticated("NFS Files readable", MEDIUM, r"^\s{0,9}Volume \S"),
        unauthenticated(
            "NFS Files writable", HIGH, r"^[ \t]*access: .{0,50}\b(?:Modify|Extend|Delete)\b", about="write"
        ),
    ),
    "nfs-showmount": unauthenticated("NFS Exports listed", LOW, r"^[ \t]*/"),
    "nfs-statfs": unauthenticated("NFS File Systems listed", LOW, r"Filesystem[ \t]+\S*blocks"),
    "nrpe-enum": unauthenticated("NRPE Commands for anyone", MEDIUM, r"^\s{0,9}check_"),
    "openflow-info": unauthenticated("OpenFlow Controller open to anyone", LOW, r"^\s{0,9}OpenFlow .{0,20}Version"),
    "pjl-ready-message": unauthenticated("Printer takes Commands (PJL)", MEDIUM, r'^"'),
    "redis-info": unauthenticated("Redis without Authentication", HIGH, r"Version"),
    "rmi-dumpregistry": unauthenticated("RMI Registry listed", MEDIUM),
    "rpcap-info": unauthenticated("Remote Packet Capture for anyone", HIGH, r"^\s{0,9}Addresses|^\s{0,9}\S"),
    "rpcinfo": unauthenticated("RPC Programs listed", LOW, r"^\s{0,9}program version|^\s{0,9}1\d{5}[ \t]"),
    "rtsp-url-brute": unauthenticated("RTSP Stream without Authentication", MEDIUM, r"^\s{0,9}discovered:"),
    "rsync-list-modules": unauthenticated("Rsync Modules listed", MEDIUM),
    "smb-ls": unauthenticated("SMB Files readable", MEDIUM, r"^\s{0,9}Volume \S"),
    "smb-print-text": unauthenticated("Printer open to anyone by SMB", MEDIUM, r"^Printer job started"),
    "tftp-enum": unauthenticated("TFTP Files readable", MEDIUM),
    "versant-info": unauthenticated("Versant Databases listed", LOW, r"(?:Root|Database) path: "),
    "vnc-info": unauthenticated("VNC without Authentication", HIGH, r"does not require authentication"),
    "vnc-title": unauthenticated("VNC Desktop reached", HIGH, r"^\s{0,9}geometry: "),
    "voldemort-info": unauthenticated("Voldemort without Authentication", MEDIUM, r"^\s{0,9}(?:Cluster|Stores)"),
    "x11-access": unauthenticated("X11 without Authentication", HIGH, r"access is granted"),
    "xdmcp-discover": unauthenticated("XDMCP Sessions for anyone", MEDIUM, r"Session id: "),
    "xmlrpc-methods": unauthenticated("XML-RPC Methods listed", LOW, r"^\s{0,9}Supported Methods"),
}
