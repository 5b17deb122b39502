"""Read a report into findings as JSON lines, compared with raw expat and with other readers of nmap's XML.

    python -m benchmarks.reading                     # 1,000 and 10,000 hosts, every shape: a few minutes
    python -m benchmarks.reading 65536 alike         # one size and shape; 65,536 hosts are some 300 MB on disk
    python -m benchmarks.reading --command 65536 alike     # also `cascan read` itself, with its start
    python -m benchmarks.reading --ivre 10000 alike        # also IVRE from PyPI, in a temporary environment

Ratios are to `expat`, the C parser without handlers on the same file in the same run. They are comparable between
machines and under load; seconds are not. Every figure is the minimum of ROUNDS separate processes: processor
time; or wall time for more than one process, which needs that many idle cores. Memory is the largest resident set of a
process. The figures include cascan's imports, also shown separately; byte code is compiled beforehand. The aims are
for the shapes `network` and `ports`, and for `alike`: hosts with 7 ports, 2.6 scripts and some 60 elements, 10 findings
each, with services that repeat as in a real network. Other readers run if they are installed:

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
from itertools import product
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

from benchmarks.generated_reports import SHAPES, generate_report

SIZES, ROUNDS = (1_000, 10_000), 3
MAX_PEER_HOSTS = 10_000  # beyond that, libnmap needs more than 3 GB
SEEN_AT = datetime(2026, 1, 1, tzinfo=UTC)
FINDINGS, JOBS, COMMAND = "cascan: findings", "cascan: --jobs 2, wall", "cascan read, the command"
BOTH_CORES = "cascan: --jobs 2, CPU / 2"  # of all processes: the time on two idle cores, even if the machine is busy
AIMS = {  # times expat
    ("alike", FINDINGS): 2.3,
    ("alike", JOBS): 1.4,
    ("ports", FINDINGS): 2.7,
    ("network", FINDINGS): 6.5,
}
AIM_MB = 32
BUSY = 1.5  # load of the machine above which wall times are marked
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
    from xml.parsers.expat import ParserCreate  # each process imports only what it measures

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
    argv = [sys.executable, "-m", "cascan_cli.main", "read", path]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


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
            pass  # the host is complete at this point

    parser = make_parser()  # noqa: S317 (our own file)
    parser.setContentHandler(Counted(path, None, filehash="0"))
    parser.setEntityResolver(NoExtResolver())
    parser.parse(path)


def node(variable: str, path: str) -> None:
    subprocess.run(["node", "--max-old-space-size=8000", "-e", NODE, os.environ[variable], path], check=True)


NODE_VARIABLES = {"xml2js": "XML2JS", "secureCodeBox": "SECURECODEBOX_PARSER"}
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
    **{name: partial(node, variable) for name, variable in NODE_VARIABLES.items()},
}
IN_CHILD = (COMMAND, "xml2js", "secureCodeBox")  # run in a child of the measured process
PEERS = ("python-libnmap", "IVRE", "xml2js", "secureCodeBox")


@dataclass(frozen=True, slots=True)
class Run:
    """What is measured. `ivre` is the interpreter for IVRE; None if it is not installed."""

    folder: Path
    with_command: bool
    ivre: str | None

    def why_skipped(self, name: str, size: int) -> str:
        """Why a contender is not measured; empty if it is."""
        if name in PEERS and size > MAX_PEER_HOSTS:
            return f"not measured beyond {MAX_PEER_HOSTS:,} hosts"
        if name == COMMAND and not self.with_command:
            return "only with --command"
        if name == "IVRE" and self.ivre is None:
            return f"not installed: pip install {IVRE}, or --ivre"
        if name in NODE_VARIABLES:
            return _why_node_is_skipped(NODE_VARIABLES[name])
        return ""

    def measure_process(self, name: str, path: str) -> tuple[float, float] | None:
        """Seconds and megabytes of a separate process; None if it failed."""
        python = self.ivre if name == "IVRE" and self.ivre else sys.executable
        argv = [python, "-m", "benchmarks.reading", "--measure", name, path]
        errors = subprocess.DEVNULL if name in PEERS else None
        environment = dict(os.environ)
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        ran = subprocess.run(
            argv, check=name not in PEERS, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        )
        if ran.returncode:
            return None
        seconds, megabytes = json.loads(ran.stdout.splitlines()[-1])
        return seconds, megabytes


def measure(name: str, path: str) -> None:
    """Run the contender in this process, and print its seconds and megabytes."""
    wall, cpu = time.perf_counter(), time.process_time()
    CONTENDERS[name](path)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    this_process, children = getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)
    if name in IN_CHILD:
        cpu, memory = children.ru_utime + children.ru_stime, children.ru_maxrss / 1024
    else:
        memory = max(this_process.ru_maxrss, children.ru_maxrss) / 1024
    if name == BOTH_CORES:
        cpu = (cpu + children.ru_utime + children.ru_stime) / 2
    print(json.dumps([wall if name.endswith("wall") else cpu, memory]))


def install_ivre(folder: Path) -> str:
    """Install IVRE in a new environment. Returns its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", IVRE], check=True)
    return python


def _why_node_is_skipped(variable: str) -> str:
    if not shutil.which("node"):
        return "node is not installed"
    return "" if variable in os.environ else f"{variable} is not set: see the docstring of this file"


def compare(size: int, shape: str, run: Run) -> None:
    path = run.folder / f"{shape}-{size}.xml"
    with path.open("wb") as out:
        out.writelines(generate_report(size, shape))
    print(f"\n{size:,} hosts, {shape}, {path.stat().st_size / 1e6:.0f} MB: seconds, times expat, MB resident")
    best: dict[str, tuple[float, float]] = {}
    for round_ in range(ROUNDS):
        for name in CONTENDERS:
            if run.why_skipped(name, size) or (name in PEERS and round_):  # one round is enough for slow readers
                continue
            result = run.measure_process(name, str(path))
            if result:
                best[name] = min(best.get(name, result), result)
    for name in CONTENDERS:
        if name not in best:
            print(f"  {name:26}{run.why_skipped(name, size) or 'failed'}")
            continue
        seconds, megabytes = best[name]
        times = seconds / best["expat"][0]
        print(f"  {name:26}{seconds:8.3f}{times:8.2f}{megabytes:8.0f}{_verdict(shape, name, times, megabytes)}")
    print(f"  load of the machine: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    path.unlink()


def _verdict(shape: str, name: str, times: float, megabytes: float) -> str:
    """Whether the aims were met. The aim for memory is the same for every shape."""
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
    arguments = sys.argv[1:]
    if arguments[:1] == ["--measure"]:
        measure(*arguments[1:])
        return
    flags = {argument for argument in arguments if argument.startswith("--")}
    numbers = [argument for argument in arguments if argument.isdigit()]
    shapes = [argument for argument in arguments if argument not in (*flags, *numbers)]
    sizes = list(map(int, numbers)) or SIZES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = Run(folder, "--command" in flags, _find_ivre(folder, install="--ivre" in flags))
        for size, shape in product(sizes, shapes or SHAPES):
            compare(size, shape, run)


def _find_ivre(folder: Path, *, install: bool) -> str | None:
    """An interpreter that has IVRE; None if there is none."""
    if install:
        return install_ivre(folder / "ivre")
    return sys.executable if importlib.util.find_spec("ivre") else None


if __name__ == "__main__":
    main()
