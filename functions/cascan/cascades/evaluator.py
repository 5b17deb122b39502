"""The process that evaluates expressions: `python -m cascan.cascades.evaluator`, started by
cascan.cascades.evaluation.

The library does not count what an evaluation uses. It runs where the kernel limits it: in a process
with a limit on its memory, a timer on its processor time, and nothing of the function's
environment. When a limit ends that process, the function goes on.

Reads and writes frames (8 bytes of length, then JSON): first the texts of the expressions, then one
Batch after another.
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

from cascan.cascades.expression import (
    Expression,
    ExpressionError,
    compile_expression,
    to_cel_context,
)
from cascan.limits import MAX_EVALUATION_MEMORY_BYTES, MAX_EVALUATION_SECONDS

LENGTH = struct.Struct(">Q")
OUT_OF_TIME = -signal.SIGPROF  # the exit code; out of memory, the library aborts, as Rust does


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """Findings as expressions see them, and the pairs to evaluate."""

    findings: tuple[dict[str, Any], ...]
    pairs: tuple[tuple[int, int], ...]  # the positions of a finding and of an expression


class Answers(msgspec.Struct, frozen=True, array_like=True):
    """For each pair true, false, or why there is no answer; and the processor time of each
    expression.
    """

    verdicts: tuple[bool | str, ...]
    seconds: dict[int, float]


def main() -> None:
    """Evaluate batches until the input ends. Reaching a limit ends the process by a signal."""
    texts = msgspec.json.decode(read_frame(sys.stdin.buffer), type=list[str])
    expressions = [compile_expression(text) for text in texts]
    _limit_memory()
    while data := read_frame(sys.stdin.buffer):
        batch = msgspec.json.decode(data, type=Batch)
        signal.setitimer(signal.ITIMER_PROF, MAX_EVALUATION_SECONDS)
        answers = _evaluate(batch, expressions)
        signal.setitimer(signal.ITIMER_PROF, 0)
        write_frame(sys.stdout.buffer, msgspec.json.encode(answers))


def _evaluate(batch: Batch, expressions: list[Expression]) -> Answers:
    contexts = [to_cel_context(finding) for finding in batch.findings]
    seconds = dict.fromkeys((number for _, number in batch.pairs), 0.0)
    verdicts: list[bool | str] = []
    for finding, number in batch.pairs:
        started = time.process_time()
        verdicts.append(_evaluate_one(expressions[number], contexts[finding]))
        seconds[number] += time.process_time() - started
    return Answers(tuple(verdicts), seconds)


def _evaluate_one(expression: Expression, context: Any) -> bool | str:
    try:
        return expression.holds(context)
    except ExpressionError as exc:
        return str(exc)
    except MemoryError:
        os.abort()  # as the library does when its own allocations fail


def _limit_memory() -> None:
    """Allow MAX_EVALUATION_MEMORY_BYTES beyond what the process has now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + MAX_EVALUATION_MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def write_frame(stream: IO[bytes], data: bytes) -> None:
    stream.write(LENGTH.pack(len(data)) + data)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes:
    """The data of one frame. Empty: the other end is closed, or ended within a frame."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return b""
    (length,) = LENGTH.unpack(head)
    data = stream.read(length)
    return data if len(data) == length else b""


if __name__ == "__main__":
    main()
