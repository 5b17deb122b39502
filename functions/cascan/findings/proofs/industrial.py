"""Industrial controllers and building automation: protocols without authentication, so that any answer is a finding."""

from __future__ import annotations

from functools import partial

from cascan.findings.proofs.proof import MEDIUM, Proof, Rows

controller = partial(Proof, "Industrial Control")

INDUSTRIAL: Rows = {
    "bacnet-info": controller("BACnet Device open to anyone", MEDIUM, r"(?:Vendor ID|Object-identifier): "),
    "enip-info": controller("EtherNet/IP Device open to anyone", MEDIUM, r"(?:vendor|productName): "),
    "fox-info": controller("Niagara Fox open to anyone", MEDIUM, r"fox\.version: "),
    "http-trane-info": controller("Trane Tracer open to anyone", MEDIUM, r"(?:serverName|productName): "),
    "iec-identify": controller("IEC 60870-5-104 Station open to anyone", MEDIUM, r"ASDU address: "),
    "knx-gateway-info": controller("KNX Gateway open to anyone", MEDIUM, r"DIB_DEV_INFO"),
    "modbus-discover": controller("Modbus Device open to anyone", MEDIUM, r"^\s{0,9}sid 0x"),
    "omron-info": controller("Omron Controller open to anyone", MEDIUM, r"Controller Model: "),
    "openwebnet-discovery": controller(
        "OpenWebNet Gateway open to anyone", MEDIUM, r"(?:Device Type|Firmware Version): "
    ),
    "pcworx-info": controller("PC Worx Controller open to anyone", MEDIUM, r"PLC Type: "),
    "s7-info": controller("Siemens S7 Controller open to anyone", MEDIUM, r"(?:Module|Version|System Name): "),
}
