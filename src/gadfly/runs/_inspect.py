"""The deep runner and the way out: a game as an Inspect `Task`, a run's cases as an Inspect `.eval` log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import (
    EvalConfig,
    EvalDataset,
    EvalLog,
    EvalMetric,
    EvalResults,
    EvalRevision,
    EvalSample,
    EvalScore,
    EvalSpec,
    EvalStats,
    write_eval_log,
)
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    ModelOutput,
    ModelUsage,
)
from inspect_ai.scorer import (
    Metric,
    SampleScore,
    Score,
    Scorer,
    Target,
    Value,
    mean,
    metric,
    scorer,
    stderr,
)
from inspect_ai.solver import Generate, Solver, TaskState, solver

from gadfly.errors import CallError, InputError, StoreError
from gadfly.models import as_material
from gadfly.models._tools import calls_in, inspect_calls
from gadfly.runs._game import Cases, Game, paired_seed
from gadfly.runs._store import Run, transcript_from_row, transcript_row
from gadfly.stats import preferred
from gadfly.transcripts import Case, Judgement, Transcript, Turn, Usage

if TYPE_CHECKING:
    from gadfly.judges import Judge

__all__ = ["as_task", "export"]

KEY = "gadfly_transcript"
"""Where a sample's store keeps its transcript, as a row: JSON, so that scoring a log again finds it too."""

Keep = Callable[[Transcript, Sequence[Judgement]], bool]


def as_task(
    game: Game,
    cases: int | Sequence[Mapping[str, Any]],
    judges: Sequence[Judge | Scorer] = (),
    *,
    seed: int = 0,
) -> Task:
    """The same game as an Inspect `Task`: one sample per case, one scorer per judge. Among the judges may be scorers of
    Inspect's. A game that has `asks(case)` says by it what a sample's input and target are; a second epoch plays other
    cases, as a longer run does, with the same data.

    Where every case says which question it is `of`, the standard error is that of questions, not of cases. Cases have
    the ids and seeds that `run` would give them, and the game calls its own players: the model
    given to `inspect eval` changes nothing. A missing judgement is an unscored sample, never 0; a call that
    would fail for every case is the sample's error.
    """
    plan = Cases.of(game, cases, seed)
    asks = getattr(game, "asks", lambda case: (f"case {case.index}", ""))
    samples = [
        Sample(input=question, target=target, id=case.id, metadata=_place(case))
        for case in plan
        for question, target in [asks(case)]
    ]
    by_question = all("of" in case.data for case in plan)
    target = game.players.get("target")
    return Task(
        dataset=MemoryDataset(samples, name=game.name),
        solver=_play(game, plan),
        scorer=[one if isinstance(one, Scorer) else _scorer(one, by_question) for one in judges] or None,
        model=target.model if target else None,
        name=game.name,
        metadata={"spec": game.spec(), "seed": seed},
    )


def _place(case: Case) -> dict[str, Any]:
    """Where a case stands, and what clusters it: `of`, the number of its question where it has one."""
    return {"index": case.index, **({"of": case.data["of"]} if "of" in case.data else {})}


@solver
def _play(game: Game, plan: Cases) -> Solver:
    target = game.players.get("target")
    prompt = target.system_prompt if target else None

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        case = plan.case(state.metadata["index"])
        if state.epoch > 1:
            later = plan.count * (state.epoch - 1)
            case = replace(case, index=case.index + later, seed=paired_seed(case.seed, -state.epoch))
        try:
            transcript = await game.play(case)
        except CallError as error:
            if error.fatal:
                raise
            transcript = Transcript(case, (), "failed", error.cause)
        state.store.set(KEY, transcript_row(transcript))
        state.messages = messages(transcript, prompt)
        state.output = _last_reply(transcript, str(state.model))
        state.metadata = {**state.metadata, **_facts(transcript)}
        return state

    return solve


def _scorer(judge: Judge, by_question: bool) -> Scorer:
    """The judge as an Inspect scorer of the same name."""
    spread = stderr(cluster="of") if by_question else stderr()

    failing = failure_rate(judge.threshold, getattr(judge, "tie", 1.0))

    @scorer(metrics=[failing, mean(), spread], name=judge.name)
    def factory() -> Scorer:
        async def score(state: TaskState, target: Target) -> Score:
            return await score_of(judge, state)

        return score

    return factory()


async def score_of(judge: Judge, state: TaskState) -> Score:
    """What a judge makes of the transcript that a sample's store keeps."""
    row = state.store.get(KEY)
    if row is None:
        return Score.unscored(reason="not_played")
    [judgement] = await judge.judge([transcript_from_row(row)])
    return as_score(judgement)


def correctness(score: Score) -> Score:
    """The score of a verdict between two answers, the probability of the wrong one, as how right it is: 1, 0, or one
    half for a tie. What is unscored stays so.
    """
    wrong = score.as_float()
    return score if isnan(wrong) else score.model_copy(update={"value": preferred(1 - wrong)})


def mean_of(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


@metric
def failure_rate(threshold: float, tie: float = 1.0) -> Metric:
    """The share of scored samples that reach the judge's threshold; NaN for none. Unscored samples do not count, and
    one that is there counts `tie`: one half where a judge decides between two (`gadfly.stats.preferred`).
    """

    def compute(scores: list[SampleScore]) -> Value:
        values = [sample.score.as_float() for sample in scores]
        if tie == 1.0:
            return mean_of([float(value >= threshold) for value in values])
        sides = [preferred(0.5 + value - threshold) for value in values]
        return mean_of([tie if side == 0.5 else side for side in sides])

    return compute


def as_score(judgement: Judgement) -> Score:
    """A judgement as an Inspect score; missing becomes unscored, with its cause as the reason."""
    said = {"evidence": list(judgement.evidence), "uncertainty": judgement.uncertainty, **judgement.metadata}
    why = judgement.rationale or None
    if judgement.score is None:
        return Score.unscored(reason=judgement.cause, explanation=why, metadata=said)
    return Score(
        value=judgement.score, answer=judgement.metadata.get("answer"), explanation=why, metadata=said
    )


def messages(transcript: Transcript, system_prompt: str | None) -> list[ChatMessage]:
    """The turns as chat messages: the target is the assistant, and so are the agent's scripted words; everyone else is
    the user, under their name where there are several.

    What the target was told comes first: the system's own prompt, then what the case planted. Native tool calls are
    tool calls here too.
    """
    told = "\n\n".join(filter(None, [system_prompt, transcript.metadata.get("system_prompt")]))
    said: list[ChatMessage] = [ChatMessageSystem(content=told)] if told else []
    native = transcript.metadata.get("form") == "tools"
    names = _names(transcript)
    for turn in transcript.turns:
        if turn.speaker in names and turn.speaker not in ("user", "rules"):  # what nobody else is to pose as
            turn = replace(turn, text=as_material(turn.text))
        said.append(_message(replace(turn, speaker=names.get(turn.speaker, turn.speaker)), said, native))
    return said


def _names(transcript: Transcript) -> dict[str, str]:
    """What the seats of a debate are called, each with the letter of the answer argued for; nothing elsewhere."""
    seats = transcript.metadata.get("protocol", {}).get("seats")
    if seats is None:
        return {}
    sides = transcript.metadata.get("sides", {})
    letters = {seat: " for " + "AB"[side] for seat, side in sides.items() if side is not None}
    titles = {seat: f"{one['title']}{letters.get(seat, '')}" for seat, one in seats.items()}
    return {"user": "Question", "judge": "Judge", "rules": "Rules", **titles}


def _message(turn: Turn, before: Sequence[ChatMessage], native: bool) -> ChatMessage:
    if turn.speaker in ("target", "agent"):
        words, calls = calls_in(turn.text) if native else (turn.text, ())
        return ChatMessageAssistant(
            content=words,
            tool_calls=inspect_calls(calls, before),
            source="generate" if turn.speaker == "target" else "input",
        )
    last = before[-1] if before else None
    if native and turn.speaker == "tool" and isinstance(last, ChatMessageAssistant) and last.tool_calls:
        call = last.tool_calls[0]
        return ChatMessageTool(content=turn.text, tool_call_id=call.id, function=call.function)
    between = "\n" if turn.text.startswith("| ") else " "
    text = turn.text if turn.speaker in ("attacker", "tool") else f"{turn.speaker}:{between}{turn.text}"
    return ChatMessageUser(content=text, metadata={"speaker": turn.speaker})


def export(run: Run, path: str | Path, keep: Keep | None = None) -> int:
    """Write the cases of `run` that `keep` accepts (all, by default) to an Inspect `.eval` log; returns how
    many.

    One sample per case, by index, with its messages, metadata and every judge's score. Inspect wants the
    samples of a log all at once: about 20 kB of memory each. Raises `InputError` when nothing is left to
    write or `path` does not end in `.eval`.
    """
    path = Path(path)
    if path.suffix != ".eval":
        raise InputError(f"{path} must end in .eval: that is the log format Inspect opens.")
    samples = list(_samples(run, keep))
    if not samples:
        raise InputError(f"Run {run.id} has no case of that kind; nothing was written to {path}.")
    temporary = path.with_name(f".{path.name}.partial.eval")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_eval_log(_log(run, samples), temporary)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(f"{path} cannot be written ({error.strerror or error}).") from error
    return len(samples)


def _samples(run: Run, keep: Keep | None) -> Iterator[EvalSample]:
    for transcript, judgements in run.judged():
        if keep is None or keep(transcript, judgements):
            yield _sample(transcript, judgements, run.info["players"])


def _sample(
    transcript: Transcript, judgements: Iterable[Judgement], players: Mapping[str, Any]
) -> EvalSample:
    target = players.get("target", {})
    roles = {role: _usage(usage) for role, usage in transcript.usage.items()}
    models: dict[str, ModelUsage] = {}
    for role, usage in roles.items():
        name = players.get(role, {}).get("model", role)
        models[name] = models[name] + usage if name in models else usage
    return EvalSample(
        id=transcript.case.id,
        epoch=1,
        input=transcript.question or f"case {transcript.case.index}",
        target={0: "A", 1: "B"}.get(transcript.metadata.get("correct", ""), ""),
        messages=messages(transcript, target.get("system_prompt")),
        output=_last_reply(transcript, target.get("model", "unknown")),
        scores={judgement.judge: as_score(judgement) for judgement in judgements},
        metadata={"index": transcript.case.index, "seed": transcript.case.seed, **_facts(transcript)},
        model_usage=models,
        role_usage=roles,
    )


def _usage(usage: Usage) -> ModelUsage:
    total = usage.input_tokens + usage.output_tokens
    return ModelUsage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=total,
        total_cost=usage.cost,
    )


def _log(run: Run, samples: list[EvalSample]) -> EvalLog:
    info = run.info
    spec = EvalSpec(
        created=info["started"],
        task=info["game"],
        task_id=info["id"],
        run_id=info["id"],
        eval_id=info["id"],
        dataset=EvalDataset(
            name=info["game"], samples=len(samples), sample_ids=[sample.id for sample in samples]
        ),
        model=_models(info["players"]),
        config=EvalConfig(),
        revision=_revision(info),
        packages={"gadfly": info["versions"]["gadfly"]},
        metadata={"spec": info["spec"], "judges": info["judges"], "seed": info["seed"]},
    )
    ended = datetime.fromisoformat(info["started"]) + timedelta(seconds=info["wall_s"])
    stats = EvalStats(started_at=info["started"], completed_at=ended.isoformat())
    results = EvalResults(
        total_samples=len(samples), completed_samples=len(samples), scores=list(_results(samples, info))
    )
    return EvalLog(status="success", eval=spec, stats=stats, samples=samples, results=results)


def _models(players: Mapping[str, Any]) -> str:
    """The target's; without a target, everybody's."""
    told = [players["target"]] if "target" in players else players.values()
    return ", ".join(dict.fromkeys(one["model"] for one in told if "model" in one)) or "none"


def _results(samples: Sequence[EvalSample], info: Mapping[str, Any]) -> Iterator[EvalScore]:
    """Each judge's mean score and failure rate, of debates accuracy, over what it scored."""
    for name, judge in info["judges"].items():
        scores = [score for sample in samples if (score := (sample.scores or {}).get(name)) is not None]
        known = [SampleScore(score=score) for score in scores if not isnan(score.as_float())]
        values = [one.score.as_float() for one in known]
        failing: Any = failure_rate(judge["threshold"])
        metrics = {"failure_rate": failing(known), "mean": mean_of(values)}
        if info["spec"].get("game") == "debating":
            metrics = {
                "accuracy": mean_of([preferred(1 - wrong) for wrong in values]),
                "mean": mean_of(values),
            }
        yield EvalScore(
            name=name,
            scorer=name,
            scored_samples=len(known),
            unscored_samples=len(scores) - len(known),
            metrics={key: EvalMetric(name=key, value=value) for key, value in metrics.items()},
        )


def _revision(info: Mapping[str, Any]) -> EvalRevision | None:
    commit = info["git"]["commit"]
    return (
        EvalRevision(type="git", origin="", commit=commit, dirty=info["git"]["changed"]) if commit else None
    )


def _last_reply(transcript: Transcript, model: str) -> ModelOutput:
    replies = transcript.said_by("target")
    return ModelOutput.from_content(model, replies[-1].text if replies else "")


def _facts(transcript: Transcript) -> dict[str, Any]:
    return {**transcript.metadata, "outcome": transcript.outcome, "cause": transcript.cause}
