"""`cascan read`: turn nmap reports into findings, hosts, CSV or XML, without a stack."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from cascan.errors import ReadingProcessDied, UnreadableReport
from cascan.formats.registry import FORMATS
from cascan.nmap.report.join_sections import join_sections
from cascan.nmap.report.read import read_report
from cascan_cli.errors import EXIT_REFUSED, BadInput, CliError
from cascan_cli.input.report_file import open_report
from cascan_cli.output.export_file import write_document
from cascan_cli.output.text import print_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from cascan.formats.records import Record
    from cascan.model.host import Host
    from cascan.nmap.report.read import ReportReader
    from cascan.rules.severity import RuleSet

    Render = Callable[[Host], bytes]

EXIT_DAMAGED = 1
MASSCAN = "masscan"
WITHOUT_FINDINGS = ("hosts", "xml")
WITH_EVERYTHING = ("findings", "hosts", "xml")  # what they read is written as it is


def run(args: Namespace) -> int:
    """Exit code 0: all reports are complete. 1: one is damaged. 2: one is not an nmap report."""
    if args.severity and args.form in WITHOUT_FINDINGS:
        raise BadInput(f"--severity changes findings, and --as {args.form} has no findings")
    if args.with_secrets and args.form in WITH_EVERYTHING:
        raise BadInput(f"--as {args.form} leaves nothing out; leave out --with-secrets")
    codes: list[int] = []
    write_document(_render(args, codes), args.output)
    return max(codes)


def _render(args: Namespace, codes: list[int]) -> Iterator[bytes]:
    """The whole output. The exit codes of the files are appended to `codes`."""
    if args.form == "xml" and len(args.files) > 1:
        yield from _merge(args.files, codes)
    else:
        yield from _render_files(args, _load_rules(args.severity) if args.severity else None, codes)
    if args.output and min(codes) == EXIT_REFUSED:
        raise CliError(f"{args.output} is not written", EXIT_REFUSED)


def _render_files(args: Namespace, rule_set: RuleSet | None, codes: list[int]) -> Iterator[bytes]:
    if args.form in FORMATS and args.form != "csv":
        from cascan_cli.commands.export_findings import render_export  # imports what a stack needs

        records = chain.from_iterable(_read_records(name, rule_set, codes) for name in args.files)
        yield from render_export(records, args, title=", ".join(Path(name).name for name in args.files))
        return
    if args.form == "csv":
        from cascan.formats.csv_lines import render_header

        yield render_header()
    for name in args.files:
        yield from _read(name, args, rule_set, codes)


def _read(name: str, args: Namespace, rule_set: RuleSet | None, codes: list[int]) -> Iterator[bytes]:
    with _open(name, codes) as (report, path):
        if report is None:
            return
        if args.form == "xml":
            yield from _repair(report)
        else:
            render = _build_renderer(args, report, rule_set)
            yield from _render_hosts(report, render, path, args.jobs)


@contextmanager
def _open(name: str, codes: list[int]) -> Iterator[tuple[ReportReader | None, str | None]]:
    """The report and the path of its file; no report: it is not one of nmap. Says at the end what is wrong with it."""
    with open_report(name) as file:
        try:
            report = read_report(file.stream)
        except UnreadableReport as exc:
            print_message(f"{name}: {' '.join([str(exc), *file.remarks])}")
            codes.append(EXIT_REFUSED)
            yield None, None
            return
        try:
            yield report, file.path
        except ReadingProcessDied as exc:
            raise CliError(f"{name}: {exc}") from exc
        remarks = (*report.warnings, *file.remarks)
    for remark in remarks:
        print_message(f"{name}: {remark}")
    codes.append(0 if report.complete and not file.remarks else EXIT_DAMAGED)


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


def _build_renderer(args: Namespace, report: ReportReader, rule_set: RuleSet | None) -> Render:
    """The function that renders a host.

    Ids and dates depend only on the report, so the output is always the same.
    """
    import msgspec  # each form imports only what it needs

    encode = msgspec.json.Encoder().encode
    if args.form == "hosts":
        return lambda host: encode(host) + b"\n"
    scan_id, started_at = _identify(report)
    if args.form == "csv":
        from cascan.formats.csv_lines import render_row
        from cascan.formats.redact_record import redact_record

        def render_rows(host: Host) -> bytes:
            records = _build_records(host, scan_id, started_at, rule_set)
            return b"".join(map(render_row, records if args.with_secrets else map(redact_record, records)))

        return render_rows
    if rule_set:
        return lambda host: b"".join(
            [encode(record.finding) + b"\n" for record in _build_records(host, scan_id, started_at, rule_set)]
        )
    from cascan.findings.encoded.lines import encode_finding_lines

    return lambda host: encode_finding_lines(host, scan_id, started_at)


def _read_records(name: str, rule_set: RuleSet | None, codes: list[int]) -> Iterator[Record]:
    """The findings of a report, as records."""
    with _open(name, codes) as (report, _):
        if report is None:
            return
        scan_id, started_at = _identify(report)
        for host in join_sections(report) if report.scanner == MASSCAN else report:
            yield from _build_records(host, scan_id, started_at, rule_set)


def _identify(report: ReportReader) -> tuple[str, datetime]:
    """The scan's id and its time, which depend on the report alone."""
    from cascan.clock import utc_now
    from cascan.ids import derive_scan_id

    return derive_scan_id(f"{report.args} {report.head.start}"), report.started_at or utc_now()


def _build_records(host: Host, scan_id: str, started_at: datetime, rule_set: RuleSet | None) -> Iterator[Record]:
    from cascan.findings import build_findings
    from cascan.formats.records import Record, find_status

    for finding in build_findings(host, scan_id, started_at):
        judged = rule_set.apply(finding) if rule_set else finding
        yield Record(finding=judged, status=find_status(judged))


def _merge(names: list[str], codes: list[int]) -> Iterator[bytes]:
    """The hosts of all files as one report. One exit code is appended to `codes`."""
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

        yield from merge.chunks(read_inputs())
    for remark in remarks:
        print_message(remark)
    if not merge.began:
        print_message("none of the files is an nmap report")
        codes.append(EXIT_REFUSED)
        return
    if merge.flaws:
        print_message(
            f"{merge.flaws} of {len(names)} files are damaged, are not nmap reports, or are from a run that failed"
        )
    codes.append(EXIT_DAMAGED if merge.flaws or damaged else 0)
