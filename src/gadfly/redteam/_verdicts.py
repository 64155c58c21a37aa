"""Which judges decide a focus, and what a run's numbers count as a failure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from gadfly.judges import Judge, funnel, refusal
from gadfly.judges import judge as named_judge
from gadfly.models import System, model
from gadfly.redteam._focus import Focus
from gadfly.runs import Run
from gadfly.transcripts import Judgement, Transcript

__all__ = ["is_failure", "judges_for", "verdict_of"]

MODEL_JUDGE = "model_judge"


def judges_for(focus: Focus, judge: str = "", threshold: float | None = None, then: str = "") -> list[Judge]:
    """The judge that decides and, after it, `refusal`, which only describes.

    `judge` and `then` are names, `model_judge:MODEL` for a model asked whether the focus's sentence is true of the
    reply, or a model's own name. With `then` the first judge becomes a filter at `threshold`.
    """
    first = _build(judge or focus.judge, focus)
    first = replace(first, threshold=focus.threshold if threshold is None else threshold)  # type: ignore[type-var]
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


def _build(name: str, focus: Focus) -> Judge:
    kind, colon, rest = name.partition(":")
    if kind == MODEL_JUDGE or "/" in name.partition(":")[0]:
        system = System(model(rest if colon and kind == MODEL_JUDGE else name))
        return named_judge(MODEL_JUDGE, rubric=focus.failure, model=system)
    return named_judge(name)
