"""Reading: a report on disk → complete findings as JSON lines, against raw expat and other readers of nmap's XML.

    python -m benchmarks.reading                     # 1,000 and 10,000 hosts, every shape: a few minutes
    python -m benchmarks.reading 65536 alike         # one size and shape; 65,536 hosts are some 300 MB on disk

Ratios are to `expat`, the C parser without handlers on the same file in the same run: they hold from machine to machine
and under load, seconds do not. Every figure is the least of ROUNDS processes that do nothing else: processor time, and
wall time for more than one process; memory is the largest resident set. Peers run where they are installed:

    python-libnmap   a dependency of cascan; its objects alone, no findings
    IVRE             pip install ivre==0.9.20; its host documents, no findings
    xml2js           npm install --prefix DIR xml2js, and XML2JS=DIR/node_modules/xml2js; secureCodeBox's parser uses it
    secureCodeBox    SECURECODEBOX_PARSER=…/scanners/nmap/parser/parser.js, from its repository, npm install done there
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

from benchmarks.generated_reports import SHAPES, report

SIZES, ROUNDS = (1_000, 10_000), 3
MAX_PEER_HOSTS = 10_000  # beyond, libnmap wants more than 3 GB
SEEN_AT = datetime(2026, 1, 1, tzinfo=UTC)
AIMS = {"cascan: findings": 2.3, "cascan: --jobs 2, wall": 1.4}
AIM_PORTS, AIM_MB = 2.7, 32
NODE = """
const load = async (p) => { const m = await import(p); return m.default ?? m };
const text = require("fs").readFileSync(process.argv[2], "utf8");
(async () => {
  const found = process.argv[1].endsWith("xml2js")
    ? await new Promise((done) => require(process.argv[1]).parseString(text, (_, value) => done(value)))
    : await (await import(process.argv[1])).parse(text);
  if (!found) process.exit(1);
})();
"""


def expat(path: str) -> None:
    from xml.parsers.expat import ParserCreate  # noqa: PLC0415 (a process imports what it measures)

    parser = ParserCreate()
    with Path(path).open("rb") as stream:
        while chunk := stream.read(65_536):
            parser.Parse(chunk, False)
        parser.Parse(b"", True)


def findings(path: str, jobs: int = 1) -> None:
    from cascan.findings.lines import finding_lines  # noqa: PLC0415 (as above)
    from cascan.nmap.report import read_report  # noqa: PLC0415

    render = partial(finding_lines, scan_id="a" * 16, parsed_at=SEEN_AT)
    with Path(path).open("rb") as stream, Path(os.devnull).open("wb") as out:
        reader = read_report(stream)
        out.writelines(reader.rendered(path, render, jobs))
    if not reader.complete:
        raise SystemExit(f"not read to its end: {reader.warnings}")


def hosts(path: str) -> None:
    from cascan.nmap.report import read_report  # noqa: PLC0415

    with Path(path).open("rb") as stream:
        for _ in read_report(stream):
            pass


def libnmap(path: str) -> None:
    from libnmap.parser import NmapParser  # noqa: PLC0415

    NmapParser.parse_fromfile(path)


def ivre(path: str) -> None:
    from xml.sax import make_parser  # noqa: PLC0415 (our own file)

    from ivre.xmlnmap import Nmap2Txt, NoExtResolver  # noqa: PLC0415

    class Counted(Nmap2Txt):  # type: ignore[misc]  # IVRE has no types
        def _addhost(self) -> None:
            pass  # the host is made by then

    parser = make_parser()  # noqa: S317 (our own file)
    parser.setContentHandler(Counted(path, None, filehash="0"))
    parser.setEntityResolver(NoExtResolver())
    parser.parse(path)


def node(variable: str, path: str) -> None:
    subprocess.run(["node", "--max-old-space-size=8000", "-e", NODE, os.environ[variable], path], check=True)


CONTENDERS: dict[str, Callable[[str], None]] = {
    "expat": expat,
    "cascan: findings": findings,
    "cascan: --jobs 2, wall": partial(findings, jobs=2),
    "cascan: hosts": hosts,
    "python-libnmap": libnmap,
    "IVRE": ivre,
    "xml2js": partial(node, "XML2JS"),
    "secureCodeBox": partial(node, "SECURECODEBOX_PARSER"),
}
PEERS = ("python-libnmap", "IVRE", "xml2js", "secureCodeBox")


def absent(name: str, size: int) -> str:
    """Why a contender is not measured; empty: it is."""
    if name in PEERS and size > MAX_PEER_HOSTS:
        return f"not measured beyond {MAX_PEER_HOSTS:,} hosts"
    if name == "IVRE" and importlib.util.find_spec("ivre") is None:
        return "not installed: pip install ivre==0.9.20"
    if name in ("xml2js", "secureCodeBox"):
        variable = "XML2JS" if name == "xml2js" else "SECURECODEBOX_PARSER"
        if not shutil.which("node"):
            return "no node here"
        if variable not in os.environ:
            return f"{variable} is not set: see the head of this file"
    return ""


def measure(name: str, path: str) -> None:
    """Run the contender in this process; print its seconds and megabytes."""
    wall, cpu = time.perf_counter(), time.process_time()
    CONTENDERS[name](path)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    children = getrusage(RUSAGE_CHILDREN)
    memory = max(getrusage(RUSAGE_SELF).ru_maxrss, children.ru_maxrss) / 1024
    if name in ("xml2js", "secureCodeBox"):
        cpu = children.ru_utime + children.ru_stime
    print(json.dumps([wall if name.endswith("wall") else cpu, memory]))


def measured(name: str, path: str) -> tuple[float, float] | None:
    """Seconds and megabytes of a process of its own; None: it failed."""
    command = [sys.executable, "-m", "benchmarks.reading", "--measure", name, path]
    errors = subprocess.DEVNULL if name in PEERS else None
    ran = subprocess.run(command, check=name not in PEERS, stdout=subprocess.PIPE, stderr=errors, text=True)
    if ran.returncode:
        return None
    seconds, megabytes = json.loads(ran.stdout.splitlines()[-1])
    return seconds, megabytes


def compare(size: int, shape: str, folder: Path) -> None:
    path = folder / f"{shape}-{size}.xml"
    with path.open("wb") as out:
        out.writelines(report(size, shape))
    print(f"\n{size:,} hosts, {shape}, {path.stat().st_size / 1e6:.0f} MB: seconds, times expat, MB resident")
    best: dict[str, tuple[float, float]] = {}
    for round_ in range(ROUNDS):
        for name in CONTENDERS:
            if absent(name, size) or (name in PEERS and round_):  # once is enough for what takes ten times as long
                continue
            if found := measured(name, str(path)):
                best[name] = min(best.get(name, found), found)
    for name in CONTENDERS:
        if name not in best:
            print(f"  {name:24} {absent(name, size) or 'failed'}")
            continue
        seconds, megabytes = best[name]
        aim = AIM_PORTS if shape == "ports" and name == "cascan: findings" else AIMS.get(name)
        told = f"   aim {aim} times, {AIM_MB} MB" if aim else ""
        print(f"  {name:24}{seconds:8.3f}{seconds / best['expat'][0]:8.2f}{megabytes:8.0f}{told}")
    path.unlink()


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == ["--measure"]:
        measure(*words[1:])
        return
    sizes = [int(word) for word in words if word.isdigit()] or SIZES
    shapes = [word for word in words if not word.isdigit()] or list(SHAPES)
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            for shape in shapes:
                compare(size, shape, Path(folder))


if __name__ == "__main__":
    main()
