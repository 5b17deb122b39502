"""Generate nmap reports of any size. The same arguments give the same bytes on every machine.

    python -m benchmarks.generated_reports 10000 mixed > report.xml

Shapes, by what a host element holds on average:

    mixed    7 ports, 2 scripts, some 60 elements, 5 KB: services probed, certificates, keys, OS matches, traces
    ports    8 ports as a plain port scan lists them, no script, 1 KB
    scripts  7 ports, 6 scripts, 13 KB
    alike    as mixed, but only 64 different hosts, repeated with other addresses, names and times
    unlike   as mixed, but no two open ports are alike: each service has its own version and extra text
    network  as a scan with -A -v of a real network writes it: a few services are on most hosts; a third of the
             hosts is down; there are 90 systems, and nmap's own noise: each guess of a system names a closed UDP
             port that nmap chose at random
    syn      as network, but a plain port scan (-sS)

What repeats in a real network (services, states, OS matches) repeats here too. All else is
different for each host: addresses, names, keys, certificates, times, fingerprints, and the TTL,
which depends on the distance of the host.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE nmaprun>
<!-- Nmap 7.93 scan initiated Thu Jan  1 00:00:00 2026 as: nmap -A -&#45;no-stylesheet -oX - 10.0.0.0/8 -->
<nmaprun scanner="nmap" args="nmap -A -&#45;no-stylesheet -oX - 10.0.0.0/8" start="1767225600" \
startstr="Thu Jan  1 00:00:00 2026" version="7.93" xmloutputversion="1.05">
<scaninfo type="syn" protocol="tcp" numservices="1000" services="1-1000"/>
<verbose level="0"/>
<debugging level="0"/>
"""
FOOT = """<runstats><finished time="1767229200" timestr="Thu Jan  1 01:00:00 2026" summary="Nmap done at Thu Jan  1 \
01:00:00 2026; {hosts} IP addresses ({hosts} hosts up) scanned in 3600.00 seconds" elapsed="3600.00" exit="success"/>\
<hosts up="{hosts}" down="0" total="{hosts}"/>
</runstats>
</nmaprun>
"""
SERVICES = (  # port, name, product, version, extra text, tunnel, cpe
    (22, "ssh", "OpenSSH", "9.2p1 Debian 2+deb12u3", "protocol 2.0", "", "cpe:/a:openbsd:openssh:9.2p1"),
    (
        22,
        "ssh",
        "OpenSSH",
        "8.9p1 Ubuntu 3ubuntu0.10",
        "Ubuntu Linux; protocol 2.0",
        "",
        "cpe:/a:openbsd:openssh:8.9p1",
    ),
    (80, "http", "nginx", "1.22.1", "", "", "cpe:/a:igor_sysoev:nginx:1.22.1"),
    (80, "http", "Apache httpd", "2.4.57", "(Debian)", "", "cpe:/a:apache:http_server:2.4.57"),
    (443, "http", "nginx", "1.22.1", "", "ssl", "cpe:/a:igor_sysoev:nginx:1.22.1"),
    (443, "http", "Microsoft IIS httpd", "10.0", "", "ssl", "cpe:/a:microsoft:internet_information_services:10.0"),
    (445, "microsoft-ds", "", "", "", "", ""),
    (3306, "mysql", "MySQL", "8.0.35", "", "", "cpe:/a:mysql:mysql:8.0.35"),
    (5432, "postgresql", "PostgreSQL DB", "9.6.0 or later", "", "", "cpe:/a:postgresql:postgresql"),
    (25, "smtp", "Postfix smtpd", "", "", "", "cpe:/a:postfix:postfix"),
    (53, "domain", "ISC BIND", "9.18.24", "Debian Linux", "", "cpe:/a:isc:bind:9.18.24"),
    (21, "ftp", "vsftpd", "3.0.3", "", "", "cpe:/a:vsftpd:vsftpd:3.0.3"),
    (3389, "ms-wbt-server", "Microsoft Terminal Services", "", "", "", "cpe:/o:microsoft:windows"),
    (8080, "http", "Apache Tomcat", "9.0.83", "", "", "cpe:/a:apache:tomcat:9.0.83"),
    (6379, "redis", "Redis key-value store", "7.0.15", "", "", "cpe:/a:redislabs:redis:7.0.15"),
    (111, "rpcbind", "", "2-4", "RPC #100000", "", ""),
)
OS_NAMES = ("Linux 5.0 - 5.14", "Linux 4.15 - 5.19", "Linux 6.0", "Microsoft Windows 10 1709 - 21H2", "FreeBSD 13.1")
TITLES = (
    "Welcome to nginx!",
    "Apache2 Debian Default Page: It works",
    "Sign in",
    "Dashboard",
    "404 Not Found",
    "Index of /",
)
DIFFERENT_HOSTS = 64  # in the shape alike
DOWN = 0.3  # share of the hosts, in the shapes network and syn
SYSTEMS = 90  # operating systems, in the shape network
NAMED = 0.6  # share of the hosts with a reverse name
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


@dataclass(frozen=True, slots=True)
class Shape:
    probed: bool  # services as detected by -sV
    scripts: float  # probability of each script on a port
    os: float  # probability of OS matches, sequences and a trace
    unlike: bool = False
    alike: bool = False
    noisy: bool = False  # with down hosts, many systems, and services that are frequent or rare


SHAPES = {
    "mixed": Shape(probed=True, scripts=0.5, os=0.35),
    "ports": Shape(probed=False, scripts=0, os=0),
    "scripts": Shape(probed=True, scripts=1.3, os=0.35),
    "alike": Shape(probed=True, scripts=0.5, os=0.35, alike=True),
    "unlike": Shape(probed=True, scripts=0.5, os=0.35, unlike=True),
    "network": Shape(probed=True, scripts=0.5, os=0.9, noisy=True),
    "syn": Shape(probed=False, scripts=0, os=0, noisy=True),
}


def generate_report(hosts: int, shape: str) -> Iterator[bytes]:
    """The report, a host at a time."""
    random = Random(shape)  # noqa: S311 (made-up data, no secret)
    yield HEAD.encode()
    for number in range(hosts):
        source = Random(number % DIFFERENT_HOSTS) if SHAPES[shape].alike else random  # noqa: S311 (as above)
        yield generate_host(number, SHAPES[shape], source).encode()
    yield FOOT.format(hosts=hosts).encode()


def generate_host(number: int, shape: Shape, random: Random) -> str:
    """One host element."""
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    if shape.noisy and random.random() < DOWN:
        return (
            '<host><status state="down" reason="no-response" reason_ttl="0"/>\n'
            f'<address addr="{address}" addrtype="ipv4"/>\n</host>\n'
        )
    started, distance = 1_767_225_600 + number // 8, random.randint(0, 12)
    ttl = random.choice((64, 128, 64, 255)) - distance
    name = f'<hostname name="host-{number:x}.example" type="PTR"/>\n' if random.random() < NAMED else ""
    mac_address = f"02:00:5E:{number >> 16 & 255:02X}:{number >> 8 & 255:02X}:{number & 255:02X}"
    mac = f'<address addr="{mac_address}" addrtype="mac"/>\n' if distance == 0 else ""
    drawn = draw_services(shape, random)
    picked = sorted({service[0]: service for service in drawn}.values())  # nmap lists a port once
    ports = "".join(generate_port(service, ttl, shape, random) for service in picked)
    closed = 1000 - len(picked)
    os_elements = generate_os(distance, shape, random) if random.random() < shape.os else ""
    return (
        f'<host starttime="{started}" endtime="{started + random.randint(2, 90)}">'
        f'<status state="up" reason="echo-reply" reason_ttl="{ttl}"/>\n'
        f'<address addr="{address}" addrtype="ipv4"/>\n{mac}<hostnames>\n{name}</hostnames>\n'
        f'<ports><extraports state="closed" count="{closed}">\n'
        f'<extrareasons reason="reset" count="{closed}" proto="tcp"/>\n'
        f"</extraports>\n{ports}</ports>\n{os_elements}"
        f'<times srtt="{random.randint(50, 90_000)}" rttvar="{random.randint(5, 9_000)}" to="100000"/>\n</host>\n'
    )


def draw_services(shape: Shape, random: Random) -> list[tuple[int, str, str, str, str, str, str]]:
    """Services of a host: each as likely as the others, or a few on most hosts and the others on few."""
    count = random.randint(5, 11)
    if not shape.noisy:
        return random.sample(SERVICES, count)
    weights = [1 / rank for rank in range(1, len(SERVICES) + 1)]
    return random.choices(SERVICES, weights, k=count)


def generate_port(service: tuple[int, str, str, str, str, str, str], ttl: int, shape: Shape, random: Random) -> str:
    number, name, product, version, extra, tunnel, cpe = service
    state, reason, shown_ttl = random.choices(
        (("open", "syn-ack", ttl), ("filtered", "no-response", 0), ("closed", "reset", ttl)), (80, 8, 12)
    )[0]
    start = (
        f'<port protocol="tcp" portid="{number}"><state state="{state}" reason="{reason}" reason_ttl="{shown_ttl}"/>'
    )
    if state != "open" or not shape.probed:
        return f'{start}<service name="{name}" method="table" conf="3"/></port>\n'
    if shape.unlike:
        version, extra = f"{version}.{random.getrandbits(24)}", f"build {random.getrandbits(32):x}"
    values = (("product", product), ("version", version), ("extrainfo", extra), ("tunnel", tunnel))
    attributes = "".join(f' {key}="{value}"' for key, value in values if value)
    cpes = f"<cpe>{cpe}</cpe>" if cpe else ""
    scripts = generate_scripts(name, tunnel, shape.scripts, random)
    return f'{start}<service name="{name}"{attributes} method="probed" conf="10">{cpes}</service>{scripts}</port>\n'


def generate_scripts(name: str, tunnel: str, probability: float, random: Random) -> str:
    """The output of default scripts for such a service."""
    scripts = []
    if name == "ssh" and random.random() < probability:
        scripts.append(generate_host_key(random))
    if name == "http":
        scripts += generate_http_scripts(probability, random)
    if tunnel and random.random() < probability - 0.1:
        scripts.append(generate_certificate(random))
    if name in ("ftp", "smtp", "mysql") and random.random() < probability:
        scripts.append(f'<script id="banner" output="220 {random.getrandbits(32):x}.example ready"/>')
    if probability > 1 and name in ("mysql", "domain", "rpcbind", "redis"):
        rows = "".join(f'<elem key="key{row}">{random.getrandbits(64):x}</elem>\n' for row in range(12))
        scripts.append(f'<script id="{name}-info" output="&#xa;  {random.getrandbits(512):x}">{rows}</script>')
    return "".join(scripts)


def generate_http_scripts(probability: float, random: Random) -> Iterator[str]:
    if random.random() < probability:
        title = random.choice(TITLES)
        yield f'<script id="http-title" output="{title}"><elem key="title">{title}</elem>\n</script>'
    if random.random() < probability - 0.3:
        stamp = f"{random.randint(0, 23):02}:{random.randint(0, 59):02}:{random.randint(0, 59):02}"
        yield (
            '<script id="http-headers" output="&#xa;  Server: nginx/1.22.1&#xa;'
            f"  Date: Thu, 01 Jan 2026 {stamp} GMT&#xa;  Content-Type: text/html&#xa;  Content-Length: "
            f'{random.randint(100, 99_999)}&#xa;  Connection: close&#xa;  &#xa;  (Request type: HEAD)&#xa;"/>'
        )


def generate_host_key(random: Random) -> str:
    rows, lines = [], []
    for kind, bits, chars in (("ssh-rsa", 3072, 372), ("ecdsa-sha2-nistp256", 256, 140), ("ssh-ed25519", 256, 68)):
        fingerprint, key = f"{random.getrandbits(128):032x}", "".join(random.choices(BASE64, k=chars))
        rows.append(
            f'<table>\n<elem key="type">{kind}</elem>\n<elem key="bits">{bits}</elem>\n'
            f'<elem key="key">{key}</elem>\n<elem key="fingerprint">{fingerprint}</elem>\n</table>\n'
        )
        octets = ":".join(fingerprint[start : start + 2] for start in range(0, 32, 2))
        lines.append(f"&#xa;  {bits} {octets} ({kind})")
    return f'<script id="ssh-hostkey" output="{"".join(lines)}">{"".join(rows)}</script>'


def generate_certificate(random: Random) -> str:
    name, md5, sha1 = f"w{random.getrandbits(32):x}.example", random.getrandbits(128), random.getrandbits(160)
    pem = "&#xa;".join("".join(random.choices(BASE64, k=64)) for _ in range(18))
    names = "".join(
        f'<table key="{key}">\n<elem key="commonName">{name}</elem>\n</table>\n' for key in ("subject", "issuer")
    )
    extensions = "".join(
        f'<table>\n<elem key="name">X509v3 {kind}</elem>\n'
        f'<elem key="value">{random.getrandbits(160):X}</elem>\n</table>\n'
        for kind in ("Subject Key Identifier", "Authority Key Identifier", "Subject Alternative Name")
    )
    return (
        f'<script id="ssl-cert" output="Subject: commonName={name}&#xa;Issuer: commonName={name}'
        "&#xa;Public Key type: rsa&#xa;Public Key bits: 2048&#xa;Signature Algorithm: sha256WithRSAEncryption"
        "&#xa;Not valid before: 2025-12-01T00:00:00"
        f'&#xa;Not valid after:  2026-03-01T00:00:00&#xa;MD5:   {md5:032x}&#xa;SHA-1: {sha1:040x}">{names}'
        '<table key="pubkey">\n<elem key="type">rsa</elem>\n<elem key="bits">2048</elem>\n'
        f'<elem key="modulus">{random.getrandbits(2048):X}</elem>\n<elem key="exponent">65537</elem>\n</table>\n'
        f'<table key="extensions">\n{extensions}</table>\n<elem key="sig_algo">sha256WithRSAEncryption</elem>\n'
        '<table key="validity">\n<elem key="notBefore">2025-12-01T00:00:00</elem>\n'
        f'<elem key="notAfter">2026-03-01T00:00:00</elem>\n</table>\n<elem key="md5">{md5:032x}</elem>\n'
        f'<elem key="sha1">{sha1:040x}</elem>\n'
        f'<elem key="pem">-&#45;&#45;&#45;&#45;BEGIN CERTIFICATE-&#45;&#45;&#45;&#45;&#xa;{pem}'
        "&#xa;-&#45;&#45;&#45;&#45;END CERTIFICATE-&#45;&#45;&#45;&#45;&#xa;</elem>\n</script>"
    )


def generate_os(distance: int, shape: Shape, random: Random) -> str:
    """OS matches, uptime, sequences and a trace."""
    used = '<portused state="open" proto="tcp" portid="22"/>\n'
    names = random.sample(OS_NAMES, 3)
    if shape.noisy:
        used += '<portused state="closed" proto="tcp" portid="1"/>\n'
        used += f'<portused state="closed" proto="udp" portid="{random.randint(30_000, 44_999)}"/>\n'
        system = random.randrange(SYSTEMS)
        names = [f"Linux {system // 10}.{system % 10 + place} - {system // 10}.{system % 10 + 9}" for place in range(3)]
    matches = "".join(
        f'<osmatch name="{name}" accuracy="{100 - place}" line="{68_000 + place}">\n<osclass type="general purpose" '
        f'vendor="Linux" osfamily="Linux" osgen="5.X" accuracy="{100 - place}"><cpe>cpe:/o:linux:linux_kernel:5</cpe>'
        "</osclass>\n</osmatch>\n"
        for place, name in enumerate(names)
    )
    sequences = ",".join(f"{random.getrandbits(32):X}" for _ in range(6))
    hops = "".join(
        f'<hop ttl="{hop}" ipaddr="10.{hop}.0.1" rtt="{random.random() * hop:.2f}"/>\n'
        for hop in range(1, distance + 1)
    )
    return (
        f"<os>{used}{matches}</os>\n"
        f'<uptime seconds="{random.randint(1, 9_999_999)}" lastboot="Mon Dec  1 00:00:00 2025"/>\n'
        f'<distance value="{distance}"/>\n<tcpsequence index="{random.randint(200, 264)}" difficulty="Good luck!" '
        f'values="{sequences}"/>\n<ipidsequence class="All zeros" values="0,0,0,0,0,0"/>\n'
        f'<tcptssequence class="1000HZ" values="{sequences}"/>\n<trace port="80" proto="tcp">\n{hops}</trace>\n'
    )


def main() -> None:
    hosts, shape = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "mixed"  # noqa: PLR2004 (an optional word)
    sys.stdout.buffer.writelines(generate_report(hosts, shape))


if __name__ == "__main__":
    main()
