"""The process that evaluates expressions: `python -m cascan.cascades.evaluator`, started by cascan.cascades.evaluation.

What an evaluation takes cannot be counted from outside the library, so it runs where the kernel bounds it: in a process
with a limit on its memory, a timer on its processor time, and none of the function's environment. When a limit ends it,
the function goes on.

Reads and writes frames (8 bytes of length, then JSON): first the texts of the expressions, then one Batch after the
other.
"""

from __future__ import annotations

import os
import resource
import signal
import struct
import sys
import time
from pathlib import Path
from typing import IO, Any

import msgspec

from cascan.cascades.expression import Expression, ExpressionError, compile_expression, to_cel_context
from cascan.limits import MAX_EVALUATION_MEMORY_BYTES, MAX_EVALUATION_SECONDS

LENGTH = struct.Struct(">Q")
OUT_OF_TIME = -signal.SIGPROF  # the exit code; without memory the library, which is in Rust, ends by SIGABRT


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """Findings as expressions see them, and which expression is asked about which of them."""

    findings: tuple[dict[str, Any], ...]
    pairs: tuple[tuple[int, int], ...]  # of the finding, of the expression


class Answers(msgspec.Struct, frozen=True, array_like=True):
    """For each pair true, false, or why there is no answer; and what each expression took of the processor."""

    verdicts: tuple[bool | str, ...]
    seconds: dict[int, float]


def main() -> None:
    """Answer until the input ends. A limit that is reached ends the process, by a signal."""
    texts = msgspec.json.decode(read_frame(sys.stdin.buffer), type=list[str])
    expressions = [compile_expression(text) for text in texts]
    _limit_memory()
    while data := read_frame(sys.stdin.buffer):
        batch = msgspec.json.decode(data, type=Batch)
        signal.setitimer(signal.ITIMER_PROF, MAX_EVALUATION_SECONDS)
        answers = _answer(batch, expressions)
        signal.setitimer(signal.ITIMER_PROF, 0)
        write_frame(sys.stdout.buffer, msgspec.json.encode(answers))


def _answer(batch: Batch, expressions: list[Expression]) -> Answers:
    facts = [to_cel_context(finding) for finding in batch.findings]
    seconds = dict.fromkeys((number for _, number in batch.pairs), 0.0)
    verdicts: list[bool | str] = []
    for finding, number in batch.pairs:
        started = time.process_time()
        verdicts.append(_verdict(expressions[number], facts[finding]))
        seconds[number] += time.process_time() - started
    return Answers(tuple(verdicts), seconds)


def _verdict(expression: Expression, facts: Any) -> bool | str:
    try:
        return expression.holds(facts)
    except ExpressionError as exc:
        return str(exc)
    except MemoryError:
        os.abort()  # as the library's own allocations end


def _limit_memory() -> None:
    """What the process has already, and as much beyond it as expressions may take."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + MAX_EVALUATION_MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def write_frame(stream: IO[bytes], data: bytes) -> None:
    stream.write(LENGTH.pack(len(data)) + data)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes:
    """Empty where the other end is closed, or died within a frame."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return b""
    (length,) = LENGTH.unpack(head)
    data = stream.read(length)
    return data if len(data) == length else b""


if __name__ == "__main__":
    main()
