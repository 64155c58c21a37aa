"""Answers picked for made-up questions, with what judges said of them."""

from __future__ import annotations

import random
from collections.abc import Mapping

from gadfly.corpora import Passage, Quote
from gadfly.evidence import Chosen
from gadfly.evidence._quoting import answer_text
from gadfly.transcripts import Case, Judgement, Transcript, Turn

PAGE = "The Halden Bridge was opened in 1911. It is 300 metres long. A ferry crossed before it."


def picked(of: int, sure: float | None = 0.5, unanswerable: bool = False, **scores: float | None) -> Chosen:
    """The answer to question `of`; `wrong=1.0` is a judge's score, None a judge that could not tell."""
    facts = {
        "question": f"when was bridge {of} opened?",
        "claim": "It opened in 1911.",
        "answers": ["1911"],
        "of": of,
        "sample": 0,
        "quotes": [Quote("bridge", "Halden Bridge", PAGE[:37], ((0, 37),)).to_json()],
        "unverified": [],
        "shown": [Passage("bridge", "Halden Bridge", PAGE, 0, len(PAGE)).to_json()],
        **({"unanswerable": True} if unanswerable else {}),
    }
    said = answer_text("It opened in 1911.", [Quote.from_json(facts["quotes"][0])])
    turns = (Turn("user", str(facts["question"])), Turn("target", said))
    transcript = Transcript(Case(f"c{of}", of, 0), turns, metadata=facts)
    return Chosen(of, transcript, judged(f"c{of}", scores), sure)


def judged(case: str, scores: Mapping[str, float | None]) -> dict[str, Judgement]:
    """Judgements by these scores."""
    return {
        name: Judgement.missing(case, name, "no_parse") if score is None else Judgement(case, name, score)
        for name, score in scores.items()
    }


def sample(n: int, skill: float, seed: int = 0, unanswerable: int = 0) -> list[Chosen]:
    """n questions answered; with `skill` in [0, 1] confidence tells right from wrong."""
    drawn = random.Random(seed)
    found = []
    for of in range(n + unanswerable):
        sure = drawn.random()
        wrong = drawn.random() < 0.6 - 0.55 * skill * sure
        unsupported = drawn.random() < (0.7 if wrong else 0.15)
        hidden = of >= n
        scores = {"unquoted": float(drawn.random() < 0.04), "unsupported": float(unsupported)}
        scores |= {} if hidden else {"wrong": float(wrong)}
        found.append(picked(of, sure * (0.6 if hidden else 1.0), hidden, **scores))
    return found
