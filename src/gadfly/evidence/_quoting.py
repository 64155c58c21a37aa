"""The quoting game: a question, a passage found for it, a short claim and the words of the passage that show it.

After GopherCite (Menick et al. 2022, arXiv 2203.11147): sample n of a question is shown the (n mod K)-th of its K best
passages. A model whose weights we hold decodes under a mask, so that its quotes are words of the passage; any other is
asked, checked, and told of the mismatch. What is not found in the passage is kept, and never as a quote.

Each sample is a case of its own: judges, reviews and rewards see single answers, `chosen` picks among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from inspect_ai.model import GenerateConfig

from gadfly.corpora import CLAIM_END, TITLE_END, Form, Library, Parsed, Passage, Quote, parse_answer
from gadfly.errors import CallError, InputError
from gadfly.evidence._prompts import asked, correction, opened
from gadfly.evidence._verifying import Checked, checked
from gadfly.models import System, inert
from gadfly.transcripts import Case, Outcome, Transcript, Turn, Usage
from gadfly.words import same_words

if TYPE_CHECKING:
    from gadfly.models import LocalModel, LogitsMask, Sample

__all__ = ["SAMPLING", "UNVERIFIED", "Quoting", "answer_text"]

SAMPLING = GenerateConfig(temperature=0.5, top_p=0.95, max_tokens=192)
"""How answers are sampled unless told otherwise: varied enough to choose from, room for claim, title and quote."""

UNVERIFIED = "[no quote could be verified]"
"""What stands in an answer in place of quotes that are not in its documents."""


@dataclass(frozen=True)
class Quoting:
    """Answering from a corpus with evidence.

    `documents` is K, how many passages are found for a question. `form` bounds claim and quotes. With `constrained` a
    local model decodes under the mask; without it, it is asked once and taken at its word, as an experiment. A model
    elsewhere may correct itself `retries` times.
    """

    corpus: Library
    answerer: System
    documents: int = 4
    form: Form = field(default_factory=Form)
    constrained: bool = True
    retries: int = 2

    def __post_init__(self) -> None:
        if self.documents < 1 or self.retries < 0:
            raise InputError(
                f"An answer needs at least one document and no fewer than 0 retries; got {self.documents} and "
                f"{self.retries}."
            )

    @property
    def name(self) -> str:
        """Corpus and model: the readable part of a run's id."""
        return f"quoting-{self.corpus.name}-{self.answerer.slug}"

    @property
    def players(self) -> Mapping[str, System]:
        """The one who answers."""
        return {"target": self.answerer}

    def spec(self) -> dict[str, Any]:
        """All that decides a transcript."""
        return {
            "game": "quoting",
            "corpus": self.corpus.spec(),
            "answerer": self.answerer.fingerprint(),
            "documents": self.documents,
            "form": asdict(self.form),
            "constrained": self.masked,
            "retries": 0 if self.answerer.white_box else self.retries,
        }

    @property
    def masked(self) -> bool:
        """Whether quotes are verbatim by construction."""
        return self.constrained and self.answerer.white_box

    async def play(self, case: Case) -> Transcript:
        """One sample for one question. A call that fails ends it as failed; a fatal `CallError` is raised, and so is
        `InputError` for a claim that no answer can hold.
        """
        question, without = str(case.data["question"]), case.data.get("without", ())
        form = replace(self.form, claim=case.data.get("claim"))
        found = self.corpus.search(question, self.documents, without=frozenset(without))
        if not found:
            return self._told(case, None, _Written("", None, {}, "invalid", "no_documents"))
        place = int(case.data.get("sample", 0)) % len(found)
        passage = _titled(found[place].passage)
        try:
            write = self._decoded if self.answerer.white_box else self._asked
            written = await write(question, passage, case, form)
        except CallError as error:
            if error.fatal:
                raise
            written = _Written("", None, {}, "failed", error.cause)
        return self._told(case, passage, written, int(case.data.get("rank", place + 1)))

    async def _decoded(self, question: str, passage: Passage, case: Case, form: Form) -> _Written:
        """What a local model says after the opening of an answer, or of the evidence for a given claim."""

        def mask(local: LocalModel) -> LogitsMask:
            from gadfly.corpora import verbatim

            return verbatim(local, [passage], form)

        messages = opened(question, passage, form.opening)
        try:
            sample, usage = await self.answerer.sample(
                messages, mask if self.masked else None, seed=case.seed
            )
        except InputError:  # a passage without words
            return _Written("", None, {}, "invalid", "nothing_to_quote")
        raw = form.opening + sample.text
        written = _Written(raw, parse_answer(raw), {"target": usage}, tries=(raw,))
        if written.parsed is None or not written.parsed.quotes:
            return written.because("invalid", "cut" if sample.finish == "length" else "no_parse")
        return written.with_logprob(_logprobs(form.opening, sample))

    async def _asked(self, question: str, passage: Passage, case: Case, form: Form) -> _Written:
        """What a model elsewhere says, after as many corrections as it takes and is allowed: the best of its tries."""
        messages, usage, tries = asked(question, passage, form.claim), Usage(), list[_Try]()
        for attempt in range(self.retries + 1):
            reply = await self.answerer.reply(messages, seed=(case.seed + attempt) % 2**31)
            usage += reply.usage
            tries.append(_Try.read(reply.text, passage, form.claim))
            now = tries[-1]
            if now.repeats and now.checked.flawless:
                break
            again = correction(now.checked, None if now.repeats else form.claim)
            messages = [*messages, ("assistant", reply.text), ("user", again)]
        best = max(reversed(tries), key=_Try.worth)
        raws = tuple(one.raw for one in tries)
        written = _Written(raws[-1], best.parsed, {"target": usage}, tries=raws)
        return written if best.parsed is not None else written.because("invalid", "no_parse")

    def _told(self, case: Case, passage: Passage | None, written: _Written, rank: int = 1) -> Transcript:
        """What was said, as people read it, with what judges need to know; `rank` is the passage's, the best is 1."""
        parsed, shown = written.parsed, [passage] if passage else []
        told = checked((text for _, text in (parsed.quotes if parsed else ())), shown)
        given = case.data.get("claim")
        own = parsed.claim if parsed else ""
        claim = given if given is not None and parsed else own
        said = [Turn("user", str(case.data["question"]))]
        if written.outcome == "completed":
            said.append(Turn("target", answer_text(claim, told.quotes)))
        elif written.raw:
            said.append(Turn("target", written.raw, "length" if written.cause == "cut" else "stop"))
        known = ("question", "answers", "of", "sample", "unanswerable")
        facts = {
            **{key: case.data[key] for key in known if key in case.data},
            "claim": claim,
            "quotes": [quote.to_json() for quote in told.quotes],
            "short": list(told.short),
            "unverified": list(told.unverified),
            "shown": [one.to_json() for one in shown],
            "rank": rank,
            "constrained": self.masked,
            "tries": list(written.tries),
            **({"logprob": written.logprob} if written.logprob else {}),
            **({"given": True} if given is not None else {}),
            **({"own_claim": own} if not same_words(claim, own) else {}),
        }
        return Transcript(case, tuple(said), written.outcome, written.cause, written.usage, facts)


def answer_text(claim: str, quotes: Sequence[Quote]) -> str:
    """An answer as people and judges read it: the claim, then each quote with the title it comes from."""
    shown = [f"> {' '.join(quote.text.split())}\n({quote.title})" for quote in quotes]
    return "\n\n".join([claim, *(shown or [UNVERIFIED])])


def _titled(passage: Passage) -> Passage:
    """The passage under a title that an answer can hold: no marks of the form, nothing invisible, never empty."""
    title = " ".join(inert(passage.title).replace(TITLE_END, " ".join(TITLE_END)).split())
    return replace(passage, title=title or "Untitled")


@dataclass(frozen=True)
class _Try:
    """One reply of a model elsewhere: as it was read, and whether it repeats the claim where one was given."""

    raw: str
    parsed: Parsed | None
    checked: Checked
    repeats: bool

    @classmethod
    def read(cls, raw: str, passage: Passage, claim: str | None) -> _Try:
        parsed = parse_answer(raw) if CLAIM_END in raw else None
        told = checked((text for _, text in (parsed.quotes if parsed else ())), [passage])
        return cls(
            raw, parsed, told, parsed is not None and (claim is None or same_words(parsed.claim, claim))
        )

    def worth(self) -> tuple[bool, bool, int, int]:
        """What is better of two tries: an answer to the claim, with more verified quotes, then with fewer others."""
        others = len(self.checked.unverified) + len(self.checked.short)
        return self.parsed is not None, self.repeats, len(self.checked.quotes), -others


@dataclass(frozen=True)
class _Written:
    """What came back: as it was written, as it was read, what it cost, how the case ended."""

    raw: str
    parsed: Parsed | None
    usage: Mapping[str, Usage]
    outcome: Outcome = "completed"
    cause: str = ""
    tries: tuple[str, ...] = ()
    logprob: Mapping[str, float] = field(default_factory=dict)

    def because(self, outcome: Outcome, cause: str) -> _Written:
        """The same, ended otherwise."""
        return replace(self, outcome=outcome, cause=cause)

    def with_logprob(self, logprob: Mapping[str, float]) -> _Written:
        """The same with how likely it was."""
        return replace(self, logprob=logprob)


def _logprobs(opening: str, sample: Sample) -> dict[str, float]:
    """Mean nats per token of the claim, of what comes after it, and of both, as the unmasked model sees them."""
    parts: dict[str, list[float]] = {"claim": [], "quote": []}
    for part, value in _parts(opening, sample):
        parts[part].append(value)
    parts["all"] = [*parts["claim"], *parts["quote"]]
    return {part: sum(values) / len(values) for part, values in parts.items() if values}


def _parts(opening: str, sample: Sample) -> Iterator[tuple[str, float]]:
    """To which part each token belongs: the claim lasts until its closing mark is begun."""
    text = opening
    for token in sample.logprobs:
        yield ("quote" if CLAIM_END in text else "claim"), token.logprob
        text += token.text
