"""The wide runner: any game, any number of cases, constant memory, resumable to the case.

Cases are played by a fixed set of workers, so a slow model slows the feed and nothing piles up. Every
finished case is appended to disk, then counted, then handed to the judges (`_judging`). Where every player runs on
weights we hold, cases are played in the judges' blocks; a run killed in the middle of a block plays that block again
and keeps what it already had.
"""

from __future__ import annotations

import asyncio
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gadfly.errors import CallError, StoreError
from gadfly.runs._game import Cases, Game
from gadfly.runs._judging import Queues, Session, between_two, described, forget_changed, refuse_namesakes
from gadfly.runs._progress import Tally
from gadfly.runs._provenance import provenance
from gadfly.runs._recovery import forget_failed
from gadfly.runs._store import FORMAT, Run, home, open_run, transcript_row
from gadfly.transcripts import Case, Transcript
from gadfly.words import enumerated

if TYPE_CHECKING:  # some judges load a classifier
    from gadfly.judges import Judge

__all__ = ["HOPELESS", "Settings", "run"]

HOPELESS = 100
"""Failed cases in a row after which a run stops."""


@dataclass(frozen=True)
class Settings:
    """How to run, as opposed to what: none of this changes a row.

    `concurrency` is the number of cases in flight against remote models (default 64, or the model's own
    max_connections). `retry_failed` plays again the cases whose calls failed.
    """

    directory: Path = field(default_factory=home)
    concurrency: int | None = None
    retry_failed: bool = False
    progress: bool = True


async def run(
    game: Game,
    cases: int | Sequence[Mapping[str, Any]],
    judges: Sequence[Judge] = (),
    *,
    seed: int = 0,
    settings: Settings | None = None,
) -> Run:
    """Play `cases` cases of `game`, have every judge judge them, and keep all of it under
    `settings.directory`.

    The same call again goes on where it stopped, extends the run when a number of `cases` has grown (other data make
    another run), and judges what is there when a judge is new. The run that returns has every case asked for, played
    and judged, unless it is `cut`: Ctrl-C finishes what is in flight and returns. Raises the `CallError` that makes
    every further case pointless, `StoreError` when the disk fails and whatever a faulty game or judge raised (status
    `stopped`); what was in flight is finished first, and nothing that was finished is lost.
    """
    settings = settings or Settings()
    refuse_namesakes(judges)
    plan = Cases.of(game, cases, seed)
    record = Run(settings.directory / f"{game.name}-{plan.key[:8]}", {})
    lock = record.lock()
    try:
        record = _open(record.path, game, plan, judges, seed)
        return await _Wide(game, plan, judges, record, settings).go()
    finally:
        lock.release()


def _open(path: Path, game: Game, plan: Cases, judges: Sequence[Judge], seed: int) -> Run:
    if (path / "run.json").exists():
        record = open_run(path)
    else:
        players = {role: system.fingerprint() for role, system in game.players.items()}
        info = {
            "format": FORMAT,
            "id": path.name,
            "game": game.name,
            "spec": game.spec(),
            "seed": seed,
            "judges": {},
            "players": players,
            "reproducible": all(system.reproducible for system in game.players.values()),
            "wall_s": 0.0,
            **provenance(),
        }
        record = Run(path, info)
    forget_changed(record, judges)
    return record.save(
        judges={**record.info["judges"], **{judge.name: described(judge) for judge in judges}},
        verdict=record.info.get("verdict") or (judges[0].name if judges else ""),
        cases=max(plan.count, record.info.get("cases", 0)),
        command=sys.argv,
        directory=str(Path.cwd()),
        status="running",
    )


class _Wide(Session):
    """One call of `run`."""

    def __init__(
        self, game: Game, plan: Cases, judges: Sequence[Judge], record: Run, settings: Settings
    ) -> None:
        thresholds = {judge.name: judge.threshold for judge in judges[:1]}  # the others only describe
        tally = Tally(
            game.name, plan.count, thresholds, shown=settings.progress, between_two=between_two(judges)
        )
        super().__init__(record, judges, plan.count, tally)
        self.game, self.plan, self.settings = game, plan, settings
        self.systems = game.players.values()
        self.go_on = f"gadfly resume {shlex.quote(record.found_by)}"
        self.failures_in_a_row = 0
        self.began = time.monotonic()

    async def go(self) -> Run:
        others = list[str]()
        if self.settings.retry_failed:
            own = [judge.name for judge in self.judges]
            others = forget_failed(self.transcripts, self.judgements, own)
        made = await super().go()
        if others and self.settings.progress:
            self.tally.console.print(
                f"The cases played again wait for {enumerated(others)} too: give the command with that judge again.",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
        return made

    def _left(self) -> bool:
        return not self.done.all()

    def _close(self) -> None:
        wall_s = self.record.info["wall_s"] + time.monotonic() - self.began
        facts = {"status": self._status(), "wall_s": round(wall_s, 1)}
        if self.judges and self.done.judged[self.judges[0].name].any():  # one that failed decides nothing
            facts["verdict"] = self.judges[0].name
        with suppress(StoreError):
            self.record = self.record.save(**facts)

    def _status(self) -> str:
        """Of the run, be it longer than this call asked."""
        if self.error:
            return "stopped"
        return "complete" if self.whole.all() else "interrupted"

    async def _feed(self, queues: Queues) -> None:
        """First what an earlier session left unjudged, then every case as it is played."""
        await self._catch_up(queues)
        feed = (case for case in self.plan if not self.done.played[case.index])
        async with asyncio.TaskGroup() as playing:
            for _ in range(self._concurrency()):
                playing.create_task(self._worker(feed, queues))

    async def _worker(self, feed: Iterator[Case], queues: Queues) -> None:
        while not (self.stopping or self.error) and (case := next(feed, None)):
            if transcript := await self._play(case):
                await self._hand_over(transcript, queues)
            await asyncio.sleep(0)  # a model that answers at once must not keep Ctrl-C and the judges waiting

    async def _block(self, span: slice) -> list[Transcript]:
        """Play a block whole unless all of it is there, and keep the cases that were not."""
        kept = await super()._block(span)
        if len(kept) == span.stop - span.start:
            return kept
        played = await asyncio.gather(
            *(self._play(case) for case in map(self.plan.case, range(span.start, span.stop)))
        )
        return sorted([*kept, *filter(None, played)], key=lambda transcript: transcript.case.index)

    async def _play(self, case: Case) -> Transcript | None:
        """Play one case and keep it; None when that did not work or when it had been kept before."""
        try:
            transcript = await self.game.play(case)
        except CallError as error:
            if error.fatal:
                self._stop_for(error)
                return None
            transcript = Transcript(case, (), "failed", error.cause)
        except Exception as bug:
            self._stop_for(bug)
            return None
        if self.done.played[case.index]:
            return None
        self._watch(transcript)
        return transcript if self._keep(transcript) else None

    def _watch(self, transcript: Transcript) -> None:
        """Stop a run in which nothing works any more."""
        self.failures_in_a_row = self.failures_in_a_row + 1 if transcript.outcome == "failed" else 0
        if self.failures_in_a_row >= HOPELESS:
            failed = f"The last {HOPELESS} cases all failed ({transcript.cause}): mend that."
            error = CallError(failed, transcript.cause, fatal=True)
            if not self.settings.retry_failed:
                error.add_note(f"What the run has finished is kept; then `{self.go_on} --retry-failed`.")
            self._stop_for(error)

    def _keep(self, transcript: Transcript) -> bool:
        """Put a transcript on disk, then count it; False when that did not work."""
        try:
            self.transcripts.append([transcript_row(transcript)])
        except Exception as error:
            self._stop_for(error)
            return False
        self.done.played[transcript.case.index] = True
        self.tally.played(transcript)
        return True

    def _concurrency(self) -> int:
        own = [system.model.config.max_connections for system in self.game.players.values()]
        known = [count for count in own if count]
        return max(1, self.settings.concurrency or (min(known) if known else 64))
