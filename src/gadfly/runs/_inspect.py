"""The deep runner and the way out: a game as an Inspect `Task`, a run's cases as an Inspect `.eval` log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalRevision, EvalSample, EvalSpec, write_eval_log
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageUser, ModelOutput, ModelUsage
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver

from gadfly.errors import CallError, InputError
from gadfly.judges import Judge
from gadfly.runs._game import Cases, Game
from gadfly.runs._store import Run
from gadfly.transcripts import Judgement, Transcript

__all__ = ["as_task", "export"]

_KEY = "gadfly_transcript"


def as_task(
    game: Game, cases: int | Sequence[Mapping[str, Any]], judges: Sequence[Judge] = (), *, seed: int = 0
) -> Task:
    """The same game as an Inspect `Task`: one sample per case, one scorer per judge.

    Cases have the ids and seeds that `run` would give them. A missing judgement is an unscored sample, never 0.
    """
    plan = Cases.of(game, cases, seed)
    samples = [Sample(input=f"case {case.index}", id=case.id, metadata={"index": case.index}) for case in plan]
    return Task(
        dataset=MemoryDataset(samples, name=game.name),
        solver=_play(game, plan),
        scorer=[_scorer(judge) for judge in judges],
        name=game.name,
        metadata={"spec": game.spec(), "seed": seed},
    )


@solver
def _play(game: Game, plan: Cases) -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        case = plan.case(state.metadata["index"])
        try:
            transcript = await game.play(case)
        except CallError as error:
            if error.fatal:
                raise
            transcript = Transcript(case, (), "failed", error.cause)
        state.store.set(_KEY, transcript)
        state.messages = messages(transcript)
        replies = transcript.said_by("target")
        state.output = ModelOutput.from_content(str(state.model), replies[-1].text if replies else "")
        state.metadata = {**state.metadata, **_facts(transcript)}
        return state

    return solve


def _scorer(judge: Judge) -> Scorer:
    """The judge as an Inspect scorer of the same name."""

    @scorer(metrics=[mean(), stderr()], name=judge.name)
    def factory() -> Scorer:
        async def score(state: TaskState, target: Target) -> Score:
            transcript = state.store.get(_KEY)
            if not isinstance(transcript, Transcript):
                return Score.unscored(reason="not_played")
            [judgement] = await judge.judge([transcript])
            return as_score(judgement)

        return score

    return factory()


def as_score(judgement: Judgement) -> Score:
    """A judgement as an Inspect score; missing becomes unscored, with its cause as the reason."""
    metadata = {**judgement.metadata, "evidence": list(judgement.evidence), "uncertainty": judgement.uncertainty}
    if judgement.score is None:
        return Score.unscored(reason=judgement.cause, explanation=judgement.rationale or None, metadata=metadata)
    return Score(value=judgement.score, explanation=judgement.rationale or None, metadata=metadata)


def messages(transcript: Transcript) -> list[ChatMessage]:
    """The turns as chat messages: the target is the assistant, everyone else the user, system prompt not included."""
    return [
        ChatMessageAssistant(content=turn.text, source="generate")
        if turn.speaker == "target"
        else ChatMessageUser(content=turn.text, metadata={"speaker": turn.speaker})
        for turn in transcript.turns
    ]


def export(run: Run, path: str | Path, keep: Callable[[Transcript, Sequence[Judgement]], bool] | None = None) -> int:
    """Write the cases of `run` that `keep` accepts (all, by default) to an Inspect `.eval` log; returns how many.

    One sample per case with its messages, metadata and every judge's score. Raises `InputError` when nothing is left to
    write or `path` does not end in `.eval`.
    """
    path = Path(path)
    if path.suffix != ".eval":
        raise InputError(f"{path} must end in .eval: that is the log format Inspect opens.")
    samples = list(_samples(run, keep))
    if not samples:
        raise InputError(f"Run {run.id} has no case of that kind; nothing was written to {path}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial.eval")
    write_eval_log(_log(run, samples), temporary)
    temporary.replace(path)
    return len(samples)


def _samples(
    run: Run, keep: Callable[[Transcript, Sequence[Judgement]], bool] | None
) -> Iterator[EvalSample]:
    judged: dict[str, list[Judgement]] = {}
    for judgement in run.judgements():
        judged.setdefault(judgement.case_id, []).append(judgement)
    model = run.info["players"].get("target", {}).get("model", "unknown")
    for transcript in run.transcripts():
        judgements = judged.get(transcript.case.id, [])
        if keep is None or keep(transcript, judgements):
            yield _sample(transcript, judgements, model)


def _sample(transcript: Transcript, judgements: Iterable[Judgement], model: str) -> EvalSample:
    replies = transcript.said_by("target")
    return EvalSample(
        id=transcript.case.id,
        epoch=1,
        input=transcript.question or f"case {transcript.case.index}",
        target="",
        messages=messages(transcript),
        output=ModelOutput.from_content(model, replies[-1].text if replies else ""),
        scores={judgement.judge: as_score(judgement) for judgement in judgements},
        metadata={"index": transcript.case.index, "seed": transcript.case.seed, **_facts(transcript)},
        role_usage={
            role: ModelUsage(
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                total_tokens=usage.input_tokens + usage.output_tokens,
            )
            for role, usage in transcript.usage.items()
        },
    )


def _log(run: Run, samples: list[EvalSample]) -> EvalLog:
    info = run.info
    spec = EvalSpec(
        created=info.get("started", datetime.now(UTC).isoformat()),
        task=info["game"],
        task_id=info["id"],
        run_id=info["id"],
        eval_id=info["id"],
        dataset=EvalDataset(
            name=info["game"], samples=len(samples), sample_ids=[sample.id for sample in samples]
        ),
        model=info["players"].get("target", {}).get("model", "unknown"),
        config=EvalConfig(),
        revision=_revision(info),
        packages={"gadfly": info["versions"]["gadfly"]},
        metadata={"spec": info["spec"], "judges": info["judges"], "seed": info["seed"]},
    )
    return EvalLog(status="success", eval=spec, samples=samples)


def _revision(info: Mapping[str, Any]) -> EvalRevision | None:
    commit = info.get("git", {}).get("commit")
    return EvalRevision(type="git", origin="", commit=commit, dirty=info["git"]["changed"]) if commit else None


def _facts(transcript: Transcript) -> dict[str, Any]:
    return {"outcome": transcript.outcome, "cause": transcript.cause, **transcript.metadata}

