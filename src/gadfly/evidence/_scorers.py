"""What judges an answer with its evidence: by the known short answer, by its quotes, by its likelihood, by a model.

As everywhere a score of 1 is a failure; how sure an answer is, `confidence`, is one minus it.
"""

from __future__ import annotations

import math

from inspect_ai.model import Model

from gadfly.errors import InputError
from gadfly.evidence._verifying import fully_quoted
from gadfly.judges import Control, Judge, holds_answer, judge, model_judge
from gadfly.judges._base import Finding, PatternJudge
from gadfly.judges._model import Answers
from gadfly.transcripts import Judgement, Transcript

__all__ = [
    "SUPPORTED",
    "confidence",
    "scorer",
    "sure",
    "unlikely",
    "unquoted",
    "unsupported",
    "wrong",
]

SUPPORTED = "The words quoted with “>” are enough to convince a careful reader that the whole answer is true."
"""What a model is asked of an answer (Menick et al. 2022, section 2.2). Asked for the opposite, with a "not", a small
model says the opposite of what people say (docs/log.md).
"""


def confidence(judgement: Judgement | None) -> float | None:
    """How sure a judge is of an answer, in [0, 1]; None where it could not tell."""
    return None if judgement is None or judgement.score is None else 1.0 - judgement.score


def sure(transcript: Transcript, judgement: Judgement | None) -> float | None:
    """How sure an answer is, in [0, 1]: a judge's confidence times 1 / rank² of the passage it was made from among
    those that were found; None where the judge could not tell.

    Judges see an answer with its quotes, and a copied sentence looks as good whichever passage it is copied from.
    Without the passages' own odds, which fall about like that (docs/log.md), the best of eight answers over four
    passages, by likelihood or by a reward model, is right less often than the first.
    """
    known = confidence(judgement)
    return None if known is None else known / int(transcript.metadata.get("rank", 1)) ** 2


def wrong() -> PatternJudge:
    """Answers whose claim holds none of the question's known short answers; *missing* (`no_gold`) without any."""
    return PatternJudge("wrong", 0.5, _wrong, _controls("Paris is the capital.", "Lyon is the capital."))


def unquoted() -> PatternJudge:
    """Answers without a single quote that was found in their documents, or with one that was not or is too short."""
    return PatternJudge("unquoted", 0.5, _unquoted)


def unlikely() -> PatternJudge:
    """1 - exp(mean log-probability of the answer's tokens), with the probabilities that the model gives without a mask;
    *missing* (`no_logprobs`) for models that do not say.
    """
    return PatternJudge("unlikely", 0.5, _unlikely)


def unsupported(model: Answers | Model | str) -> Judge:
    """Answers whose quotes do not show, as a model judges, that the whole claim is true.

    It sees question, claim and quotes, not the document; without a quote nothing is supported.
    """
    return model_judge(SUPPORTED, model, name="unsupported", passing=True)


def _wrong(transcript: Transcript) -> Finding:
    answers = [str(answer) for answer in transcript.metadata.get("answers", ())]
    if not answers:
        return Finding(None, "no_gold")
    claim = str(transcript.metadata["claim"])
    right = holds_answer(claim, answers)
    return Finding(0.0 if right else 1.0, evidence=(claim,))


def _unquoted(transcript: Transcript) -> Finding:
    facts = transcript.metadata
    not_counted = (*facts.get("unverified", ()), *facts.get("short", ()))
    return Finding(0.0 if fully_quoted(facts) else 1.0, evidence=tuple(map(str, not_counted)))


def _unlikely(transcript: Transcript) -> Finding:
    mean = transcript.metadata.get("logprob", {}).get("all")
    if mean is None:
        return Finding(None, "no_logprobs")
    return Finding(1.0 - math.exp(min(0.0, float(mean))))


def _controls(right: str, false: str) -> tuple[Control, ...]:
    return tuple(
        Control(claim, flagged, metadata={"claim": claim, "answers": ["Paris"]})
        for claim, flagged in ((right, False), (false, True), ("Parisian.", True), ("PARIS!", False))
    )


def scorer(name: str, model: Answers | Model | str | None = None) -> Judge:
    """The judge of that name: one of evidence (`wrong`, `unquoted`, `unlikely`, and `unsupported` where a model is
    given), a saved reward model or any other judge of gadfly.
    """
    ours = {"wrong": wrong, "unquoted": unquoted, "unlikely": unlikely}
    if name in ours:
        return ours[name]()
    if name == "unsupported":
        if model is None:
            raise InputError("Whether an answer is supported is for a model to judge: name one.")
        return unsupported(model)
    return judge(name)
