"""Expressions and findings → answers, from a process with limits on its memory and its processor
time.

A batch that ends the process is evaluated again pair by pair, which shows the expression that
exceeds the limits. That one is not evaluated any more; the others go on in a new process.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any, NamedTuple, cast

import msgspec

from cascan.cascades.evaluator import OUT_OF_TIME, Answers, Batch, read_frame, write_frame
from cascan.errors import GatewayUnavailable
from cascan.limits import (
    MAX_EVALUATION_MEMORY_BYTES,
    MAX_EVALUATION_SECONDS,
    MAX_EVALUATION_WAIT_S,
    MAX_EVALUATORS_LOST,
    MAX_RULE_SECONDS,
)

COMMAND = (sys.executable, "-m", "cascan.cascades.evaluator")
INHERITED = ("LD_LIBRARY_PATH", "PYTHONHOME")  # what the interpreter needs to start; no credentials
Pair = tuple[int, int]  # the position of a finding, that of an expression


class EvaluatorLost(Exception):
    """The process ended before it answered. `code`: its exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Evaluation:
    """The expressions of one scan's rules, each by its position.

    `failures`: by position, why an expression is not evaluated any more.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = tuple(texts)
        self.failures: dict[int, str] = {}
        self._seconds = dict.fromkeys(range(len(self.texts)), 0.0)
        self._lost = 0
        self._process: _Process | None = None

    def __enter__(self) -> Evaluation:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def evaluate(
        self,
        findings: Sequence[Mapping[str, Any]],
        pairs: Iterable[Pair],
    ) -> dict[Pair, bool | str]:
        """By pair true, false, or a sentence where the expression has no answer.

        One that failed has no entry.

        Raises: GatewayUnavailable: the process cannot start, or ended with an error.
        """
        pairs = [pair for pair in pairs if pair[1] not in self.failures]
        if not pairs:
            return {}
        answers = self._evaluate_batch(findings, pairs)
        if answers is None:
            answers = self._evaluate_one_by_one(findings, pairs)
        return {pair: answer for pair, answer in answers.items() if pair[1] not in self.failures}

    def _evaluate_one_by_one(
        self,
        findings: Sequence[Mapping[str, Any]],
        pairs: list[Pair],
    ) -> dict[Pair, bool | str]:
        answers: dict[Pair, bool | str] = {}
        for finding, number in pairs:
            if number not in self.failures:
                batch = self._evaluate_batch([findings[finding]], [(0, number)], is_alone=True)
                if batch is not None:
                    answers[finding, number] = batch[0, number]
        return answers

    def _evaluate_batch(
        self, findings: Sequence[Mapping[str, Any]], pairs: list[Pair], *, is_alone: bool = False
    ) -> dict[Pair, bool | str] | None:
        """None: the process ended.

        Where the pair is alone, that is the failure of its expression.
        """
        try:
            batch = Batch(tuple(map(dict, findings)), tuple(pairs))
            answers = self._exchange(msgspec.json.encode(batch))
        except EvaluatorLost as exc:
            self._count_lost(exc.code, pairs[0][1] if is_alone else None)
            return None
        for number, seconds in answers.seconds.items():
            self._seconds[number] += seconds
            if self._seconds[number] > MAX_RULE_SECONDS:
                limit = f"more than {MAX_RULE_SECONDS:g} s"
                self.failures[number] = f"its expression took {limit} over these findings"
        return dict(zip(pairs, answers.verdicts, strict=True))

    def _count_lost(self, code: int, number: int | None) -> None:
        self._lost += 1
        if number is not None:
            need = f"needs more than {MAX_EVALUATION_MEMORY_BYTES // 1024**2} MB"
            if code == OUT_OF_TIME:
                need = f"took more than {MAX_EVALUATION_SECONDS:g} s"
            self.failures[number] = f"its expression {need} for one finding"
        if self._lost >= MAX_EVALUATORS_LOST:
            reason = f"expressions of this scan's rules went beyond their limits {self._lost} times"
            for position in range(len(self.texts)):
                self.failures.setdefault(position, reason)

    def _exchange(self, data: bytes) -> Answers:
        process = self._process or self._start()
        answer = b""
        with suppress(BrokenPipeError):
            write_frame(process.input, data)
            if not process.answers_within(MAX_EVALUATION_WAIT_S):
                process.popen.kill()
            answer = read_frame(process.output)
        if answer:
            return msgspec.json.decode(answer, type=Answers)
        code = self._stop()
        if code > 0:  # none of its limits, which end it by a signal
            problem = f"the process that evaluates them ended with exit code {code}"
            raise GatewayUnavailable(f"expressions: {problem}")
        raise EvaluatorLost(code)

    def _start(self) -> _Process:
        self._process = _Process.start()
        with suppress(BrokenPipeError):
            write_frame(self._process.input, msgspec.json.encode(self.texts))
        return self._process

    def _stop(self) -> int:
        process, self._process = self._process, None
        return process.stop() if process else 0


class _Process(NamedTuple):
    """The evaluator, and its two pipes."""

    popen: subprocess.Popen[bytes]
    input: IO[bytes]
    output: IO[bytes]

    @classmethod
    def start(cls) -> _Process:
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        try:
            popen = subprocess.Popen(  # noqa: S603  a fixed command
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,  # Ctrl-C ends the command, not this process
            )
        except OSError as exc:
            problem = f"no process to evaluate them: {exc.strerror}"
            raise GatewayUnavailable(f"expressions: {problem}") from exc
        return cls(popen, cast("IO[bytes]", popen.stdin), cast("IO[bytes]", popen.stdout))

    def answers_within(self, seconds: float) -> bool:
        return bool(select.select([self.output], [], [], seconds)[0])

    def stop(self) -> int:
        """End the process by closing its input. Returns its exit code, negative for a signal."""
        with suppress(BrokenPipeError):  # it ended before it read everything
            self.input.close()
        self.output.close()
        return self.popen.wait()
