"""`cascan read`: turn nmap reports into findings, hosts, CSV or XML, without a stack."""

from __future__ import annotations

import sys
from argparse import Namespace
from contextlib import ExitStack
from typing import TYPE_CHECKING

from cascan.errors import ReadingProcessDied, UnreadableReport
from cascan.nmap.report.join_sections import join_sections
from cascan.nmap.report.read import read_report
from cascan_cli.errors import EXIT_REFUSED, BadInput, CliError
from cascan_cli.input.report_file import open_report
from cascan_cli.output.text import discard_output, print_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cascan.model.finding import Finding
    from cascan.model.host import Host
    from cascan.nmap.report.read import ReportReader
    from cascan.rules.severity import RuleSet

    Render = Callable[[Host], bytes]

EXIT_DAMAGED = 1
MASSCAN = "masscan"
WITH_FINDINGS = ("findings", "csv")


def run(args: Namespace) -> int:
    """Exit code 0: all reports are complete. 1: one is damaged. 2: one is not an nmap report."""
    if args.severity and args.form not in WITH_FINDINGS:
        raise BadInput(f"--severity works with {' and '.join(WITH_FINDINGS)}; --as {args.form} has no findings")
    if args.form == "xml" and len(args.files) > 1:
        return _merge(args.files)
    rule_set = _load_rules(args.severity) if args.severity else None
    if args.form == "csv":
        _print_header()
    return max([_read(name, args.form, rule_set, args.jobs) for name in args.files])


def _read(name: str, form: str, rule_set: RuleSet | None, jobs: int) -> int:
    with open_report(name) as file:
        try:
            report = read_report(file.stream)
        except UnreadableReport as exc:
            print_message(f"{name}: {' '.join([str(exc), *file.remarks])}")
            return EXIT_REFUSED
        try:
            if form == "xml":
                _print(_repair(report))
            else:
                render = _build_renderer(form, report, rule_set)
                _print(_render_hosts(report, render, file.path, jobs))
        except ReadingProcessDied as exc:
            raise CliError(f"{name}: {exc}") from exc
        remarks = (*report.warnings, *file.remarks)
    for remark in remarks:
        print_message(f"{name}: {remark}")
    return 0 if report.complete and not file.remarks else EXIT_DAMAGED


def _repair(report: ReportReader) -> Iterator[bytes]:
    from cascan_cli.output.repair_report import repair_report

    return repair_report(report)


def _render_hosts(report: ReportReader, render: Render, path: str | None, jobs: int) -> Iterable[bytes]:
    """Render in report order; in several processes if the report is a file with one element per host."""
    if report.scanner == MASSCAN:  # it writes a host element for every port and banner
        return map(render, join_sections(report))
    if path and jobs > 1:
        return report.render_hosts(path, render, jobs)
    return map(render, report)


def _load_rules(name: str) -> RuleSet:
    """Raises: BadInput: the file does not hold valid severity rules."""
    from cascan.rules.severity import RuleSet
    from cascan_cli.input.rules_file import read_rules

    return RuleSet(read_rules(name))


def _build_renderer(form: str, report: ReportReader, rule_set: RuleSet | None) -> Render:
    """The function that renders a host.

    Ids and dates depend only on the report, so the output is always the same.
    """
    import msgspec  # each form imports only what it needs

    encode = msgspec.json.Encoder().encode
    if form == "hosts":
        return lambda host: encode(host) + b"\n"
    from cascan.clock import utc_now
    from cascan.findings import build_findings
    from cascan.ids import derive_scan_id

    scan_id = derive_scan_id(f"{report.args} {report.head.start}")
    started_at = report.started_at or utc_now()

    def findings_of(host: Host) -> Iterable[Finding]:
        findings = build_findings(host, scan_id, started_at)
        return map(rule_set.apply, findings) if rule_set else findings

    if form == "csv":
        from cascan_cli.output.findings_csv import render_rows

        return lambda host: render_rows(findings_of(host))
    if rule_set:
        return lambda host: b"".join([encode(finding) + b"\n" for finding in findings_of(host)])
    from cascan.findings.encoded.lines import encode_finding_lines

    return lambda host: encode_finding_lines(host, scan_id, started_at)


def _merge(names: list[str]) -> int:
    """Print the hosts of all files as one report. Returns the exit code."""
    from cascan.nmap.report.merge import MergeInput, ReportMerge

    merge = ReportMerge(comment=f"{len(names)} reports, merged by cascan")
    remarks: list[str] = []
    damaged: list[str] = []  # remarks on what is wrong around the reports
    with ExitStack() as files:

        def read_inputs() -> Iterator[MergeInput]:
            for name in names:
                file = files.enter_context(open_report(name))
                yield MergeInput(file.stream)
                remarks.extend(f"{name}: {warning}" for warning in merge.warnings)
                damaged.extend(file.remarks)
                remarks.extend(f"{name}: {remark}" for remark in file.remarks)

        _print(merge.chunks(read_inputs()))
    for remark in remarks:
        print_message(remark)
    if not merge.began:
        print_message("none of the files is an nmap report")
        return EXIT_REFUSED
    if merge.flaws:
        print_message(
            f"{merge.flaws} of {len(names)} files are damaged, are not nmap reports, or are from a run that failed"
        )
    return EXIT_DAMAGED if merge.flaws or damaged else 0


def _print_header() -> None:
    from cascan_cli.output.findings_csv import render_header

    _print([render_header()])


def _print(chunks: Iterable[bytes]) -> None:
    """Write to standard output.

    In a terminal, non-ASCII is escaped, since some of it moves the cursor.
    """
    if sys.stdout.isatty():
        chunks = map(_escape, chunks)
    try:
        sys.stdout.buffer.writelines(chunks)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as exc:
        discard_output()
        raise CliError(f"reading or writing failed: {exc.strerror}") from exc


def _escape(text: bytes) -> bytes:
    """Replace non-ASCII characters by JSON escapes such as \\u00e9."""
    import re  # only output to a terminal needs it

    def to_escapes(match: re.Match[str]) -> str:
        data = match[0].encode("utf-16-be", "surrogatepass")
        return "".join(f"\\u{data[i] << 8 | data[i + 1]:04x}" for i in range(0, len(data), 2))

    return re.sub(r"[^\x00-\x7f]", to_escapes, text.decode("utf-8", "replace")).encode("ascii")
