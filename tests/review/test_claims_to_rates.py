"""From a run of the quoting game to a queue of claims, and from what people said of them back to a rate."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gadfly.corpora import Document, in_memory
from gadfly.errors import InputError, StoreError
from gadfly.evidence import Quoting, answers, cases_of, unquoted, wrong
from gadfly.judges import policy
from gadfly.models import System, scripted
from gadfly.report import from_evidence
from gadfly.review import (
    Answer,
    Drawing,
    QueueSpec,
    Store,
    check_kind,
    correct,
    draw_into,
    drawn_by,
    examples_of,
    frame_of,
    read_gold,
)
from gadfly.runs import Run, Settings, corrections, open_run
from gadfly.runs import run as play

QUESTIONS, SAMPLES = 30, 2
TEXT = "The lamp at Ness burns for nine hours on one filling. In winter it is filled twice in a night."
RIGHT = "%<It burns for nine hours.>%(Ness)%[burns for nine hours on one filling]%"
BESIDE = "%<It burns for nine hours.>%(Ness)%[filled twice in a night]%"
MADE_UP = "%<It burns for ever.>%(Ness)%[burns for ever and a day]%"


def reply(messages: Any, seed: int | None) -> str:
    """By its question: the evidence, words beside the point, or none that stand in the document."""
    return (RIGHT, BESIDE, MADE_UP)[sum(map(ord, messages[-1][1])) % 3]


def lamps(directory: Path, answers: Sequence[str] = ()) -> Run:
    """Thirty questions, two answers each. Where `answers` are known, of every second question, another holds of the
    rest, and no quote is made up.
    """
    corpus = in_memory([Document("ness", "Ness", TEXT, "ness.md")])
    game = Quoting(corpus, System(scripted(quoted if answers else reply)), retries=0)
    known = [
        {"answers": answers if n % 2 == 0 else ["nine hours"]} if answers else {} for n in range(QUESTIONS)
    ]
    asked = [
        {"question": f"How long does the lamp number {n} at Ness burn?", **one} for n, one in enumerate(known)
    ]
    judges = [unquoted(), wrong()] if answers else [unquoted()]
    settings = Settings(directory, progress=False)
    return asyncio.run(play(game, cases_of(asked, SAMPLES), judges, settings=settings))


def quoted(messages: Any, seed: int | None) -> str:
    """The same without what is made up."""
    return (RIGHT, BESIDE)[sum(map(ord, messages[-1][1])) % 2]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Questions without known answers."""
    monkeypatch.setenv("GADFLY_RUNS", str(tmp_path / "gadfly-runs"))
    return lamps(tmp_path / "gadfly-runs")


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same, half of which want another answer than the document's."""
    monkeypatch.setenv("GADFLY_RUNS", str(tmp_path / "gadfly-runs"))
    return lamps(tmp_path / "gadfly-runs", ["ten weeks"])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(f"sqlite:///{tmp_path}/labels.db") as made:
        yield made


def judged(store: Store, run: Run, n: int = 40, chosen: str = "") -> Store:
    """A queue of kind supported in which one rater has answered truly."""
    store.create(QueueSpec("s", "supported", double_share=0.0, gold_share=0.0))
    draw_into(store, "s", frame_of(run, "unquoted", chosen), Drawing(policy("uniform"), n))
    rater = store.rater(store.add_rater("s", "ann"))
    while (given := store.next(rater.id)) is not None:
        store.answer(
            given.id, rater.id, Answer("yes" if supported(given.item.payload) else "no", seconds=9.0)
        )
    return store


def supported(payload: Any) -> bool:
    return any("nine" in one["text"][a:b] for one in payload["cited"] for a, b in one["spans"])


def test_labels_of_support_put_a_judge_of_quotes_right(run: Run, store: Store) -> None:
    said = correct(run, "unquoted", judged(store, run), "s").correction
    right = [t for t in run.transcripts() if "burns for nine hours on one" in str(t.metadata["quotes"])]
    truth = 1 - len(right) / (QUESTIONS * SAMPLES)
    assert said.before.point is not None
    assert said.before.point < truth
    assert said.after.low <= truth <= said.after.high
    assert [one.kind for one in corrections(run)] == ["supported"]
    assert said.supported_but_false is None


def test_a_judge_alone_gives_no_verdict_and_labels_of_the_same_answers_do(known: Run, store: Store) -> None:
    known.save(evidence={"choose": ["first"], "supported": "unquoted"})
    before = from_evidence(open_run(known.path))
    assert (before.level, "no person has checked" in before.verdict) == ("warn", True)
    assert "--kind supported --chosen first asks people" in " ".join(before.sections[0].findings)
    said = correct(known, "unquoted", judged(store, known, QUESTIONS, "first"), "s").correction
    picked = [one.transcript for one in answers(known, "first")]
    misled = ["hours on one" in str(t.metadata["quotes"]) and t.case.data["of"] % 2 == 0 for t in picked]
    assert said.supported_but_false.point == pytest.approx(sum(misled) / QUESTIONS)
    assert corrections(known) == [said]
    after = from_evidence(open_run(known.path))
    assert (after.level, after.verdict) == ("fail", "It shows real quotes for false answers, clearly so.")
    [told] = [one for one in after.sections[0].findings if "as people see it" in one]
    assert told.startswith("First sample: supported, as people see it, are ")
    assert correct(known, "unquoted", store, "s").correction.labels == said.labels
    assert len(corrections(known)) == 1


def test_labels_of_the_answers_that_are_chosen_put_their_rate_right(run: Run, store: Store) -> None:
    said = correct(run, "unquoted", judged(store, run, 20, "unquoted"), "s").correction
    picked = [one.transcript for one in answers(run, "unquoted")]
    truth = 1 - sum("burns for nine hours on one" in str(t.metadata["quotes"]) for t in picked) / QUESTIONS
    assert (said.before.n, said.chosen) == (QUESTIONS, "unquoted")
    assert said.after.low <= truth <= said.after.high
    assert [(one.queue, one.chosen) for one in corrections(run)] == [("s", "unquoted")]
    drawn = {item.case_id for drawing in store.draws("s", run.id) for item in drawing.items}
    assert drawn < {transcript.case.id for transcript in picked}
    assert drawn_by(store, "s", run) == "unquoted"


def test_a_queue_of_chosen_answers_takes_no_others(run: Run, store: Store) -> None:
    judged(store, run, 5, "first")
    with pytest.raises(InputError, match="are answers chosen by first, these any of its cases"):
        draw_into(store, "s", frame_of(run, "unquoted"), Drawing(policy("uniform"), 5))
    with pytest.raises(InputError, match="'unlikely' has not judged run"):
        frame_of(run, "unquoted", "likelihood")


def test_the_answers_to_one_question_are_one_cluster(run: Run) -> None:
    assert len(set(frame_of(run, "unquoted").questions)) == QUESTIONS


def test_labels_of_claims_are_examples_to_fit_on(run: Run, store: Store) -> None:
    examples, runs = examples_of(judged(store, run), "s")
    assert (len(examples), runs) == (40, (run.id,))
    assert {example.label for example in examples} == {0.0, 1.0}


def test_gold_claims_come_from_a_run_or_from_words_of_their_own(run: Run, tmp_path: Path) -> None:
    case = next(iter(run.transcripts())).case.id
    own = {"question": "Q?", "claim": "Nine.", "title": "T", "passage": TEXT, "quote": "burns for nine hours"}
    lines = [{"run": run.id, "case_id": case, "supported": True}, {**own, "supported": False}]
    (tmp_path / "gold.jsonl").write_text("\n".join(map(json.dumps, lines)))
    known, made = read_gold(tmp_path / "gold.jsonl", kind="supported")
    assert (known.case_id, known.gold, made.gold) == (case, False, True)
    assert [made.payload["cited"][0]["text"][a:b] for a, b in made.payload["cited"][0]["spans"]] == [
        "burns for nine hours"
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"question": "Q?", "claim": "C", "fails": True}, '"supported" must be true or false'),
        ({"question": "Q?", "claim": "C", "supported": True}, '"title", "passage" and "quote"'),
        (
            {"question": "Q", "claim": "C", "title": "", "passage": TEXT, "quote": "ten", "supported": True},
            '"quote" does not stand in "passage"',
        ),
    ],
)
def test_a_gold_claim_that_is_none_is_said_by_its_line(
    tmp_path: Path, line: dict[str, Any], said: str
) -> None:
    (tmp_path / "gold.jsonl").write_text(json.dumps(line))
    with pytest.raises(InputError, match=said) as error:
        read_gold(tmp_path / "gold.jsonl", kind="supported")
    assert "Line 1 of the gold items" in str(error.value)


def test_a_run_without_claims_is_not_drawn_from(run: Run) -> None:
    check_kind(run, "true")
    talked = asyncio.run(play(Talking(), 1, settings=Settings(run.path.parent, progress=False)))
    with pytest.raises(InputError, match="holds no claims with quotes"):
        check_kind(talked, "true")
    check_kind(talked, "label")


class Talking:
    """A game of one reply."""

    name = "talking"
    players: dict[str, System] = {}  # noqa: RUF012

    def spec(self) -> dict[str, Any]:
        return {"game": "talking"}

    async def play(self, case: Any) -> Any:
        from gadfly.transcripts import Transcript, Turn

        return Transcript(case, (Turn("attacker", "Well?"), Turn("target", "Well.")))


@pytest.mark.parametrize("kept", ['["x"]', '{"a": 1}', '[{"judge": "j", "before": null}]', "[1"])
def test_corrections_that_cannot_be_read_are_said_so(run: Run, kept: str) -> None:
    (run.path / "corrections.json").write_text(kept)
    with pytest.raises(StoreError, match="Move it away and give `gadfly rate` again"):
        corrections(run)
