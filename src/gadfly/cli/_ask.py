"""gadfly ask: a question answered from a corpus, with the words that show it, or declined."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gadfly.cli import _options as o

if TYPE_CHECKING:
    from rich.text import Text

    from gadfly.evidence import Answered, Asking, Quoting
    from gadfly.judges import Judge
    from gadfly.transcripts import Judgement

CORPUS = Annotated[
    str,
    typer.Option(
        help="The documents: the name given to gadfly corpus build; or web:tavily, web:exa, web:google, which the "
        "question is sent to."
    ),
]
ANSWERER = Annotated[str, typer.Option(help="Who answers: gadfly/smollm2, openai/gpt-4.1-mini, …")]
DOCUMENTS = Annotated[int, typer.Option(min=1, help="Passages that they are made from.")]
WRITES = o.Sampling(temperature=0.5, top_p=0.95, max_tokens=192)


@dataclass(frozen=True)
class Choosing:
    """How many answers there are to a question, and what picks one of them."""

    samples: Annotated[int, typer.Option(min=1, help="Answers to choose from.")] = 8
    documents: DOCUMENTS = 4
    judge: Annotated[
        str, typer.Option(help="Whose confidence chooses: a reward model or a judge. Default: likelihood.")
    ] = "unlikely"
    decline: Annotated[
        Path | None, typer.Option(help="A threshold (gadfly evidence tune): below it, there is no answer.")
    ] = None
    searches: Annotated[
        int, typer.Option(min=0, help="Further searches before declining, while they are worth their cost.")
    ] = 2
    against: Annotated[
        str, typer.Option(help="A model that looks for quotes against the answer, and judges both sides.")
    ] = ""
    saliency: Annotated[
        bool, typer.Option("--saliency", help="Whether the quote is what a local model went by.")
    ] = False

    def asking(self, game: Quoting, seed: int) -> Asking:
        """Checked and ready."""
        from gadfly.evidence import Asking, load_decline, scorer

        decline = load_decline(self.decline) if self.decline else None
        judge = scorer(decline.judge if decline and self.judge == "unlikely" else self.judge)
        checks = tuple(checks_of(game, self.against, self.saliency))
        return Asking(game, self.samples, judge, decline, self.searches, checks=checks, seed=seed)


def checks_of(game: Quoting, against: str, saliency: bool) -> Iterator[Judge]:
    """The judges that look at an answer from the other side."""
    from gadfly.evidence import contradicted, unused
    from gadfly.models import System, model

    if against:
        adversary = System(model(against))
        yield contradicted(game.corpus, adversary, adversary)
    if saliency:
        yield unused(game.answerer)


USUAL = Choosing()


@o.spread
def ask(
    question: Annotated[str, typer.Argument(help="What to ask.")],
    corpus: CORPUS,
    model: ANSWERER,
    claim: Annotated[str, typer.Option(help="Look for the evidence for this claim instead.")] = "",
    search: o.SEARCH = "bm25",
    choosing: Choosing = USUAL,
    sampling: o.Sampling = WRITES,
    seed: o.SEED = 0,
) -> None:
    """Answer from the documents: a claim, the words that show it, where they stand and how sure it is; or decline.

    Ends with status 1 where it declines.
    """
    from rich.console import Console

    from gadfly import corpora, evidence

    game = evidence.Quoting(corpora.library(corpus, search), sampling.system(model), choosing.documents)
    answered = asyncio.run(evidence.answer(question, choosing.asking(game, seed), claim or None))
    for part in _shown(answered, choosing.judge):
        Console().print(part, highlight=False, soft_wrap=True)
    if answered.declined:
        raise typer.Exit(1)


def _shown(answered: Answered, judge: str) -> Iterator[Text]:
    """What was found, or why nothing is said and what there is instead."""
    from rich.text import Text

    from gadfly.pages import line, visible

    if answered.declined or answered.chosen is None:
        yield Text(f"No answer. {answered.why}", style="yellow")
        if answered.nearest is not None:
            place = f"{line(answered.nearest.title)} ({_where(answered.nearest.source)})"
            yield Text(f"\nThe passage that comes nearest is in {place}:")
            yield Text(visible(answered.nearest.text), style="dim")
        if answered.alternative:
            yield Text(f"\nIt may answer: {line(answered.alternative, 200)}")
        return
    facts = answered.chosen.metadata
    if facts.get("given"):
        yield Text("For the claim you gave:")
    yield Text(visible(str(facts["claim"])), style="bold")
    if facts.get("own_claim"):
        yield Text(f"The model did not keep to it and wrote: {line(facts['own_claim'], 300)}", style="yellow")
    yield from _quoted(facts)
    for judgement in answered.checked:
        yield from _checked(judgement)
    yield Text(f"\nChosen among {len(answered.others) + 1} answers from {answered.searched} passages.")
    yield Text(_how_sure(answered, judge))


def _quoted(facts: Mapping[str, Any]) -> Iterator[Text]:
    """The quotes and where they stand, then what was given as one and does not count."""
    from rich.text import Text

    from gadfly.corpora import MIN_WORDS
    from gadfly.pages import line, visible

    for quote in facts["quotes"]:
        yield Text(f"\n“{visible(quote['text'])}”", style="green")
        spans = ", ".join(f"{start:,}–{end:,}" for start, end in quote["spans"])
        yield Text(f"  {line(quote['title'])}, characters {spans} of {_where(quote['source'])}", style="dim")
    for text in facts["unverified"]:
        yield Text(f"\nGiven as a quote but found in none of the documents: {line(text, 300)}", style="red")
    for text in facts["short"]:
        yield Text(
            f"\nIn the documents, but with fewer than {MIN_WORDS} words too short to be a quote: {line(text, 300)}",
            style="yellow",
        )
    if facts["quotes"]:
        return
    given = facts["unverified"] or facts["short"]
    none = "No quote could be verified" if given else "No quote was given"
    yield Text(f"\n{none}: nothing here shows that it is true.", style="red")


def _how_sure(answered: Answered, judge: str) -> str:
    """The confidence, and what it is in; for a claim that was given it says nothing of the claim."""
    if answered.confidence is None:
        return "Nothing says how sure it is: verified quotes, then the best passage, chose it."
    facts = answered.chosen.metadata if answered.chosen is not None else {}
    if facts.get("given"):
        return f"Confidence in the quote, not in the claim, {answered.confidence:.2f} by {judge}."
    return f"Confidence {answered.confidence:.2f} by {judge}."


def _checked(judgement: Judgement) -> Iterator[Text]:
    """What speaks against the answer, and what it stands on."""
    from rich.text import Text

    from gadfly.pages import line, visible

    against = judgement.metadata.get("against")
    if against is not None:
        for quote in against["quotes"]:
            yield Text(f"\nAgainst it: “{visible(quote['text'])}” ({line(quote['title'])})", style="yellow")
        sure = "could not be judged" if judgement.score is None else f"{judgement.score:.2f} contradicted"
        yield Text(f"\nSearched for what speaks against it: {len(against['quotes'])} quotes, {sure}.")
    elif judgement.rationale:
        yield Text(f"\n{judgement.rationale}")
    else:
        yield Text(f"\n{judgement.judge.capitalize()} could not be told ({judgement.cause}).")


def _where(source: str) -> str:
    from gadfly.pages import line

    return line(source) or "the corpus"
