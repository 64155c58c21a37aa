"""What a person sees while a run goes on: counts, speed, money, time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any

import pyarrow.compute as pc
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from gadfly.transcripts import Judgement, Transcript

__all__ = ["Aside", "Tally"]


class Aside(Console):
    """A console for what nobody has to read: once it cannot be written (its reader is gone, the disk is full) it is
    quiet, where rich ends the process.
    """

    def on_broken_pipe(self) -> None:
        self.quiet = True

    def __exit__(self, *raised: Any) -> None:  # all that is printed is written here
        try:
            super().__exit__(*raised)
        except OSError:
            self.quiet = True


@dataclass
class Tally:
    """Counts of one running run, shown as a live bar on a terminal and as a line every `every_s` elsewhere.

    What is `done` of `total` are cases played or, where nothing is played (`judging`), judgements. Where a
    judge decides `between_two` answers, what is beyond its threshold is wrong, and a tie is not.
    """

    label: str
    total: int
    thresholds: dict[str, float]
    console: Console = field(default_factory=lambda: Aside(stderr=True))
    shown: bool = True
    every_s: float = 15.0
    judging: bool = False
    between_two: bool = False
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    failed: int = 0
    invalid: int = 0
    verdicts: int = 0
    flagged: int = 0
    missing: int = 0
    cost: float = 0.0
    tokens: int = 0
    sampled: int = 0

    def __enter__(self) -> Tally:
        self._begun = self._last = self.clock()
        self._live = self.console.is_terminal
        self._start, self._tokens = self.done, self.tokens
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[done]}/{task.total}"),
            TextColumn("{task.fields[detail]}"),
            TextColumn("{task.fields[left]}"),
            console=self.console,
            disable=not (self.shown and self._live),
        )
        self._bar.start()
        self._task = self._bar.add_task(self.label, total=self.total, done=self.done, detail="", left="")
        self._refresh()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._refresh()
        self._bar.stop()
        if self.shown and not self._live:
            self._print()

    def sampling(self, tokens: int) -> None:
        """Show that a local model is at work: tokens sampled in this session, whether or not a case has finished."""
        self.sampled = tokens
        self._tick()

    @property
    def progress(self) -> float:
        """Cases done and, by the tokens a case has taken so far, what is begun of others: a local model's cases
        finish a block at a time, and the time left is wanted before that. What was sampled in this session and is not
        of its finished cases is of others.
        """
        if not self.tokens:
            return self.done
        begun = max(self.sampled - (self.tokens - self._tokens), 0) * self.done / self.tokens
        return min(self.done + begun, self.total)

    def already_played(self, outcomes: Any, usage: Any) -> None:
        """Count cases of an earlier session: two Arrow columns of the transcripts table."""
        if self.judging:
            return
        self.done += len(outcomes)
        self.failed += outcomes.to_pylist().count("failed")
        self.invalid += outcomes.to_pylist().count("invalid")
        used = pc.list_flatten(usage)
        self.cost += pc.sum(pc.struct_field(used, "cost")).as_py() or 0.0
        self.tokens += pc.sum(pc.struct_field(used, "output_tokens")).as_py() or 0

    def already_judged(self, judge: str, scores: Any, causes: Any) -> None:
        """Count one judge's judgements of an earlier session: two Arrow columns of the judgements table."""
        for score, cause in zip(scores.to_pylist(), causes.to_pylist(), strict=True):
            self._judgement(judge, score, cause)

    def played(self, transcript: Transcript) -> None:
        """Count one finished case, which is on disk by now."""
        self.done += 1
        self.failed += transcript.outcome == "failed"
        self.invalid += transcript.outcome == "invalid"
        self.cost += sum(usage.cost or 0.0 for usage in transcript.usage.values())
        self.tokens += sum(usage.output_tokens for usage in transcript.usage.values())
        self._tick()

    def judged(self, judgements: Iterable[Judgement]) -> None:
        """Count what a judge made of some cases."""
        for judgement in judgements:
            self._judgement(judgement.judge, judgement.score, judgement.cause)
        if self.judging:
            self._tick()

    def _judgement(self, judge: str, score: float | None, cause: str) -> None:
        """Only judges with a threshold count, and not what they could not judge because there was nothing."""
        self.done += self.judging
        if judge not in self.thresholds:
            return
        if score is None:
            self.missing += cause != "not_valid"
        else:
            self.verdicts += 1
            most = self.thresholds[judge]
            self.flagged += score > most if self.between_two else score >= most

    def _tick(self) -> None:
        now = self.clock()
        if now - self._last >= (0.2 if self._live else self.every_s):
            self._last = now
            self._refresh()
            if self.shown and not self._live:
                self._print()

    def _print(self) -> None:
        left = f" · {self._left} left" if self._left else ""
        self.console.print(f"{self.label} {self.done}/{self.total} {self._detail()}{left}", highlight=False)

    def _refresh(self) -> None:
        left = "-:--:--" if self._left is None else str(self._left)
        self._bar.update(
            self._task, completed=self.progress, done=self.done, detail=self._detail(), left=left
        )

    def _detail(self) -> str:
        parts = [_speed(self._per_s)] if self._per_s else []
        if self.verdicts:
            parts.append(f"{self.flagged} {'wrong' if self.between_two else 'flagged'}")
        parts += [f"{count} {name}" for name, count in self._troubles() if count]
        if self.sampled:
            parts.append(f"{self.sampled:,} tokens sampled")
        if self.cost:
            parts.append(f"${self.cost:.2f}")
        return " · ".join(parts)

    @property
    def _per_s(self) -> float:
        """Cases a second in this session; 0 until one case's worth of work was done in it: a local model reads for
        minutes before it samples, and what is said then of the time left would be days.
        """
        new = self.progress - self._start
        return new / max(self.clock() - self._begun, 1e-9) if new >= 1 else 0.0

    @property
    def _left(self) -> timedelta | None:
        """What the rest takes at the speed so far; None where nothing is known of it: before the first case, and where
        the cases that are begun take longer than those that finished.
        """
        rest = self.total - self.progress
        if not rest:
            return timedelta() if self.done == self.total else None
        return timedelta(seconds=round(rest / self._per_s)) if self._per_s else None

    def _troubles(self) -> list[tuple[str, int]]:
        return [("invalid", self.invalid), ("failed", self.failed), ("missing", self.missing)]


def _speed(per_s: float) -> str:
    """In the unit that leaves a number one can read: a local model's debate takes minutes."""
    for unit, seconds in (("s", 1), ("min", 60)):
        if per_s * seconds >= 1:
            return f"{per_s * seconds:.1f}/{unit}"
    return f"{per_s * 3600:.1f}/h"
