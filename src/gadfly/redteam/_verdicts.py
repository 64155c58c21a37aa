"""Which judges decide a focus, and what a run's numbers count as a failure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gadfly.errors import InputError
from gadfly.judges import Judge, funnel, refusal
from gadfly.judges import judge as named_judge
from gadfly.models import System, model
from gadfly.redteam._focus import Focus
from gadfly.runs import Run
from gadfly.transcripts import Judgement, Transcript

__all__ = ["is_failure", "judges_for", "verdict_of"]

MODEL_JUDGE = "model_judge"
LEAKS_CORPUS = "leaks_corpus"


def judges_for(focus: Focus, judge: str = "", threshold: float | None = None, then: str = "") -> list[Judge]:
    """The judge that decides and, after it, `refusal`, which only describes.

    `judge` and `then` are names, `model_judge:MODEL` for a model asked whether the focus's sentence is true of the
    reply, a model's own name, or `leaks_corpus:DIRECTORY` for a directory of text, indexed the first time. The focus's
    own judge has the focus's threshold, any other its own, unless `threshold` says otherwise. With `then` the first
    judge becomes a filter at its threshold.
    """
    own = judge in ("", focus.judge)
    first = _build(judge or focus.judge, focus, focus.threshold if own and threshold is None else threshold)
    deciding = funnel(first, _build(then, focus), first.threshold) if then else first
    return [deciding] if deciding.name == "refusal" else [deciding, refusal()]


def verdict_of(run: Run) -> tuple[str, float]:
    """The judge whose verdict counts in this run, and its threshold."""
    name = run.info["verdict"]
    return name, run.info["judges"][name]["threshold"]


def is_failure(run: Run) -> Callable[[Transcript, Sequence[Judgement]], bool]:
    """A test for one case: did the deciding judge's score reach the threshold? Missing is not a failure."""
    name, threshold = verdict_of(run)

    def failed(transcript: Transcript, judgements: Sequence[Judgement]) -> bool:
        return any(j.judge == name and j.score is not None and j.score >= threshold for j in judgements)

    return failed


def _build(name: str, focus: Focus, threshold: float | None = None) -> Judge:
    options: dict[str, Any] = {} if threshold is None else {"threshold": threshold}
    kind, _, answers = name.partition(":")
    if kind == LEAKS_CORPUS:
        if not answers:
            raise InputError(f"{LEAKS_CORPUS} needs a corpus: write --judge {LEAKS_CORPUS}:DIRECTORY.")
        return named_judge(LEAKS_CORPUS, corpus=answers, **options)
    if kind == MODEL_JUDGE:
        if not answers:
            raise InputError(f"{MODEL_JUDGE} needs a model: write {MODEL_JUDGE}:provider/name.")
        name = answers
    elif "/" not in kind:
        return named_judge(name, **options)
    return named_judge(MODEL_JUDGE, rubric=focus.failure, model=System(model(name)), **options)
