"""docs/exposure.md: its table of verdicts is the judge's, its limits are the code's, its file is valid."""

from __future__ import annotations

import re
from pathlib import Path

from cascan import limits
from cascan.exposure.judge import STATES, VERDICTS, Expectation
from cascan.exposure.read_exposure_file import read_exposure_file

TEXT = (Path(__file__).parents[2] / "docs" / "exposure.md").read_text()
LIMITS = {
    "bytes of the file": limits.MAX_EXPOSURE_FILE_BYTES,
    "entries": limits.MAX_EXPECTED_ENTRIES,
    "groups": limits.MAX_EXPOSURE_GROUPS,
    "hosts of one group": limits.MAX_GROUP_HOSTS,
    "ports and ranges of one entry": limits.MAX_EXPECTED_PORTS,
    "ports of addresses that are required, in all": limits.MAX_REQUIRED_ENDPOINTS,
}


def read_table(first_cell: str) -> list[list[str]]:
    """The table whose header begins with the cell: its rows with the header, without the line below it."""
    (_, after) = TEXT.split(f"\n| {first_cell} |", maxsplit=1)
    lines = f"| {first_cell} |{after}".split("\n\n", maxsplit=1)[0].splitlines()
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [rows[0], *rows[2:]]


def test_the_table_of_verdicts_is_that_of_the_judge() -> None:
    header, *rows = read_table("The port is")
    assert header[1:] == [str(expectation) for expectation in Expectation]
    described = {
        (expectation, row[0].strip("`").replace("\\|", "|")): verdict
        for row in rows
        for expectation, verdict in zip(Expectation, row[1:], strict=True)
    }
    assert described == {
        (expectation, state): str(VERDICTS[expectation][state]) for expectation in Expectation for state in STATES
    }


def test_the_limits_are_those_of_the_code() -> None:
    described = {name: int(number.replace(",", "")) for name, number in read_table("Limit")[1:]}
    assert described == LIMITS


def test_the_file_of_the_document_can_be_read_and_has_every_field() -> None:
    (text,) = re.findall(r"```yaml\n(settings:.*?)```", TEXT, re.DOTALL)
    file = read_exposure_file(text)
    assert file.warnings == ()
    (entry,) = file.entries
    assert entry.owner
    assert entry.service
    assert entry.vantages
    assert entry.until
    assert entry.required
