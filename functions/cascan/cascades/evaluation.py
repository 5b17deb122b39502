"""Expressions and findings → answers, from a process with limits on its memory and its processor time.

A batch that ends the process is asked again pair by pair, so that the expression that did it is known: that one is not
asked any more, the others go on in a new process.
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
    """The process ended before it answered."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Evaluation:
    """The expressions of one scan's rules, each by its position. `failures`: why one of them is not asked any more."""

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

    def answers(self, findings: Sequence[Mapping[str, Any]], pairs: Iterable[Pair]) -> dict[Pair, bool | str]:
        """True, false, or a sentence where the expression has no answer; nothing for one that failed."""
        asked = [pair for pair in pairs if pair[1] not in self.failures]
        if not asked:
            return {}
        answers = self._asked(findings, asked)
        if answers is None:
            answers = self._one_by_one(findings, asked)
        return {pair: answer for pair, answer in answers.items() if pair[1] not in self.failures}

    def _one_by_one(self, findings: Sequence[Mapping[str, Any]], pairs: list[Pair]) -> dict[Pair, bool | str]:
        answers: dict[Pair, bool | str] = {}
        for finding, number in pairs:
            if number not in self.failures:
                answer = self._asked([findings[finding]], [(0, number)], is_alone=True)
                if answer is not None:
                    answers[finding, number] = answer[0, number]
        return answers

    def _asked(
        self, findings: Sequence[Mapping[str, Any]], pairs: list[Pair], *, is_alone: bool = False
    ) -> dict[Pair, bool | str] | None:
        """None: the process ended. Of a pair that was asked alone, its expression has failed then."""
        try:
            answers = self._exchange(msgspec.json.encode(Batch(tuple(map(dict, findings)), tuple(pairs))))
        except EvaluatorLost as exc:
            self._note_lost(exc.code, pairs[0][1] if is_alone else None)
            return None
        for number, seconds in answers.seconds.items():
            self._seconds[number] += seconds
            if self._seconds[number] > MAX_RULE_SECONDS:
                self.failures[number] = f"its expression took more than {MAX_RULE_SECONDS:g} s over these findings"
        return dict(zip(pairs, answers.verdicts, strict=True))

    def _note_lost(self, code: int, number: int | None) -> None:
        self._lost += 1
        if number is not None:
            self.failures[number] = (
                f"its expression took more than {MAX_EVALUATION_SECONDS:g} s for one finding"
                if code == OUT_OF_TIME
                else f"its expression needs more than {MAX_EVALUATION_MEMORY_BYTES // 1024**2} MB for one finding"
            )
        if self._lost >= MAX_EVALUATORS_LOST:
            reason = f"expressions of this scan's rules went beyond their limits {self._lost} times"
            self.failures |= {n: reason for n in range(len(self.texts)) if n not in self.failures}

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
        if code > 0:  # not one of its limits: those end it by a signal
            raise GatewayUnavailable(f"expressions: the process that evaluates them ended with exit code {code}")
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
                start_new_session=True,  # Ctrl-C is for the command alone
            )
        except OSError as exc:
            raise GatewayUnavailable(f"expressions: no process to evaluate them: {exc.strerror}") from exc
        return cls(popen, cast("IO[bytes]", popen.stdin), cast("IO[bytes]", popen.stdout))

    def answers_within(self, seconds: float) -> bool:
        return bool(select.select([self.output], [], [], seconds)[0])

    def stop(self) -> int:
        """Its exit code, negative for a signal; it is asked to end, by the end of its input."""
        with suppress(BrokenPipeError):  # it died with something unread
            self.input.close()
        self.output.close()
        return self.popen.wait()
