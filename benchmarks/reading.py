"""Reading: a report on disk → complete findings as JSON lines, against raw expat and other readers of nmap's XML.

    python -m benchmarks.reading                     # 1,000 and 10,000 hosts, every shape: a few minutes
    python -m benchmarks.reading 65536 alike         # one size and shape; 65,536 hosts are some 300 MB on disk
    python -m benchmarks.reading --command 65536 alike     # `cascan read` itself besides, with its start
    python -m benchmarks.reading --ivre 10000 alike        # IVRE besides, from PyPI, in an environment thrown away

Ratios are to `expat`, the C parser without handlers on the same file in the same run: they hold from machine to machine
and under load, seconds do not. Every figure is the least of ROUNDS processes that do nothing else: processor time, and
wall time for more than one process, which needs that many idle cores; memory is the largest resident set of a process.
What cascan imports is part of its figures, and told by itself; like anything installed, it is compiled once. `alike` is
the shape the aims stand for: hosts with 7 ports, 2.6 scripts and some 60 elements, 10 findings each, whose services
come again, as they do in a network. Peers run where they are installed:

    python-libnmap   of the extra cascan[libnmap]; its objects alone, no findings
    IVRE             pip install ivre==0.9.20, or --ivre; its host documents, no findings
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
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

from benchmarks.generated_reports import SHAPES, generate_report

SIZES, ROUNDS = (1_000, 10_000), 3
MAX_PEER_HOSTS = 10_000  # beyond, libnmap wants more than 3 GB
SEEN_AT = datetime(2026, 1, 1, tzinfo=UTC)
FINDINGS, JOBS, COMMAND = "cascan: findings", "cascan: --jobs 2, wall", "cascan read, the command"
BOTH_CORES = "cascan: --jobs 2, CPU / 2"  # of all processes: what two idle cores would take, also on a busy machine
AIMS = {("alike", FINDINGS): 2.3, ("alike", JOBS): 1.4, ("ports", FINDINGS): 2.7}  # times expat
AIM_MB = 32
BUSY = 1.5  # load beyond what is measured here, of two cores
IVRE = "ivre==0.9.20"
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
    from xml.parsers.expat import ParserCreate  # a process imports what it measures

    parser = ParserCreate()
    with Path(path).open("rb") as stream:
        while chunk := stream.read(65_536):
            parser.Parse(chunk, False)
        parser.Parse(b"", True)


def findings(path: str, jobs: int = 1) -> None:
    from cascan.findings.encoded.lines import encode_finding_lines
    from cascan.nmap.report.read import read_report

    render = partial(encode_finding_lines, scan_id="a" * 16, parsed_at=SEEN_AT)
    with Path(path).open("rb") as stream, Path(os.devnull).open("wb") as out:
        reader = read_report(stream)
        out.writelines(reader.render_hosts(path, render, jobs))
    if not reader.complete:
        raise SystemExit(f"not read to its end: {reader.warnings}")


def imports(_path: str) -> None:
    import cascan.findings.encoded.lines
    import cascan.findings.readers
    import cascan.nmap.report.read  # noqa: F401 - for what importing takes


def command(path: str) -> None:
    words = [sys.executable, "-m", "cascan_cli.main", "read", path]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def hosts(path: str) -> None:
    from cascan.nmap.report.read import read_report

    with Path(path).open("rb") as stream:
        for _ in read_report(stream):
            pass


def libnmap(path: str) -> None:
    from libnmap.parser import NmapParser

    NmapParser.parse_fromfile(path)


def ivre(path: str) -> None:
    from xml.sax import make_parser  # our own file

    from ivre.xmlnmap import Nmap2Txt, NoExtResolver

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
    FINDINGS: findings,
    JOBS: partial(findings, jobs=2),
    BOTH_CORES: partial(findings, jobs=2),
    COMMAND: command,
    "cascan: hosts": hosts,
    "cascan: imports": imports,
    "python-libnmap": libnmap,
    "IVRE": ivre,
    "xml2js": partial(node, "XML2JS"),
    "secureCodeBox": partial(node, "SECURECODEBOX_PARSER"),
}
ELSEWHERE = (COMMAND, "xml2js", "secureCodeBox")  # in a process of the measured one
PEERS = ("python-libnmap", "IVRE", "xml2js", "secureCodeBox")


@dataclass(frozen=True, slots=True)
class Run:
    """What is measured, and with which interpreter IVRE runs; None: it is not installed."""

    folder: Path
    with_command: bool
    ivre: str | None

    def absent(self, name: str, size: int) -> str:
        """Why a contender is not measured; empty: it is."""
        if name in PEERS and size > MAX_PEER_HOSTS:
            return f"not measured beyond {MAX_PEER_HOSTS:,} hosts"
        if name == COMMAND and not self.with_command:
            return "not asked for: --command"
        if name == "IVRE" and self.ivre is None:
            return f"not installed: pip install {IVRE}, or --ivre"
        if name in ("xml2js", "secureCodeBox"):
            variable = "XML2JS" if name == "xml2js" else "SECURECODEBOX_PARSER"
            if not shutil.which("node"):
                return "no node here"
            if variable not in os.environ:
                return f"{variable} is not set: see the head of this file"
        return ""

    def measured(self, name: str, path: str) -> tuple[float, float] | None:
        """Seconds and megabytes of a process of its own; None: it failed."""
        python = self.ivre if name == "IVRE" and self.ivre else sys.executable
        words = [python, "-m", "benchmarks.reading", "--measure", name, path]
        errors = subprocess.DEVNULL if name in PEERS else None
        own = {word: value for word, value in os.environ.items() if word != "PYTHONDONTWRITEBYTECODE"}
        ran = subprocess.run(words, check=name not in PEERS, stdout=subprocess.PIPE, stderr=errors, text=True, env=own)
        if ran.returncode:
            return None
        seconds, megabytes = json.loads(ran.stdout.splitlines()[-1])
        return seconds, megabytes


def measure(name: str, path: str) -> None:
    """Run the contender in this process; print its seconds and megabytes."""
    wall, cpu = time.perf_counter(), time.process_time()
    CONTENDERS[name](path)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    own, children = getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)
    if name in ELSEWHERE:
        cpu, memory = children.ru_utime + children.ru_stime, children.ru_maxrss / 1024
    else:
        memory = max(own.ru_maxrss, children.ru_maxrss) / 1024
    if name == BOTH_CORES:
        cpu = (cpu + children.ru_utime + children.ru_stime) / 2
    print(json.dumps([wall if name.endswith("wall") else cpu, memory]))


def environment_of_ivre(folder: Path) -> str:
    """The interpreter of a new environment that has IVRE and nothing else."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", IVRE], check=True)
    return python


def compare(size: int, shape: str, run: Run) -> None:
    path = run.folder / f"{shape}-{size}.xml"
    with path.open("wb") as out:
        out.writelines(generate_report(size, shape))
    print(f"\n{size:,} hosts, {shape}, {path.stat().st_size / 1e6:.0f} MB: seconds, times expat, MB resident")
    best: dict[str, tuple[float, float]] = {}
    for round_ in range(ROUNDS):
        for name in CONTENDERS:
            if run.absent(name, size) or (name in PEERS and round_):  # once is enough for what takes ten times as long
                continue
            if found := run.measured(name, str(path)):
                best[name] = min(best.get(name, found), found)
    for name in CONTENDERS:
        if name not in best:
            print(f"  {name:26}{run.absent(name, size) or 'failed'}")
            continue
        seconds, megabytes = best[name]
        times = seconds / best["expat"][0]
        print(f"  {name:26}{seconds:8.3f}{times:8.2f}{megabytes:8.0f}{_verdict(shape, name, times, megabytes)}")
    print(f"  load of the machine: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    path.unlink()


def _verdict(shape: str, name: str, times: float, megabytes: float) -> str:
    """Whether the aim was met; memory has one for every shape."""
    if name not in (FINDINGS, JOBS):
        return ""
    memory = f"{AIM_MB} MB {'met' if round(megabytes) <= AIM_MB else 'missed'}"
    aim = AIMS.get((shape, name))
    if aim is None:
        return f"   aim {memory}"
    met = "met" if times <= aim else "missed"
    busy = ", on a busy machine" if name == JOBS and os.getloadavg()[0] > BUSY else ""
    return f"   aim {aim} times {met}{busy}, {memory}"


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == ["--measure"]:
        measure(*words[1:])
        return
    flags = {word for word in words if word.startswith("--")}
    words = [word for word in words if word not in flags]
    sizes = [int(word) for word in words if word.isdigit()] or SIZES
    shapes = [word for word in words if not word.isdigit()] or list(SHAPES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        here = sys.executable if importlib.util.find_spec("ivre") else None
        ivre_python = environment_of_ivre(folder / "ivre") if "--ivre" in flags else here
        run = Run(folder, "--command" in flags, ivre_python)
        for size in sizes:
            for shape in shapes:
                compare(size, shape, run)


if __name__ == "__main__":
    main()
