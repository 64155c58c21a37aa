"""A person asks on the page, reads the answer with its quotes, and judges it; without scripts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from claim_samples import CLAIM, QUESTION, QUOTED, Told, answered, passage, tells
from fastapi.testclient import TestClient
from page_samples import BASE, QUEUE, filled

from gadfly.errors import CallError, InputError
from gadfly.review._app import app
from gadfly.review._asked import asked_queue
from gadfly.review._records import EVIDENCE, QueueSpec
from gadfly.review._store import Store

SURE = Told(answered(), confidence=0.83, others=(answered("It burns for ten hours."),))
REFUSAL = Told(
    answered(),
    declined=True,
    why="Confidence 0.21 is below 0.60.",
    alternative="How much oil does the lamp hold?",
    nearest=passage("The lamp holds four litres."),
    confidence=0.21,
)


class Asker:
    """One person's browser without scripts at the page where they ask."""

    def __init__(self, store: Store, ask: Any, name: str = "ann") -> None:
        self.store = store
        self.client = TestClient(app(store, QUEUE, ask=ask), base_url=BASE)
        self.client.__enter__()
        self.client.get(f"/enter/{store.add_rater(QUEUE, name)}")
        self.html = self.client.get("/ask").text

    @property
    def csrf(self) -> str:
        return re.findall(r'name="csrf" value="(\w+)"', self.html)[0]

    def asks(self, question: str = QUESTION, *, waits: bool = True) -> Any:
        """Post a question and, as the page's refresh does, wait for what comes of it."""
        said = self.client.post("/ask", data={"csrf": self.csrf, "question": question})
        self.html, self.place = said.text, said.url.path
        if waits and said.status_code == 200:
            self.html = self.client.get(f"{self.place}?wait=1").text
        return said

    def judges(self, **values: str) -> Any:
        said = self.client.post(self.place, data={"csrf": self.csrf, **values})
        self.html = said.text
        return said

    def labels(self, kind: str) -> list[str]:
        return [label.vote.answer.value for label in self.store.ratings(asked_queue(QUEUE, kind))]


@pytest.fixture
def asker(tmp_path: Path) -> Iterator[Callable[..., Asker]]:
    """`asker(told, …)`: a person at a page whose model says these."""
    made: list[Asker] = []

    def make(*told: Any, ask: Any = None) -> Asker:
        made.append(Asker(filled(tmp_path, 1), ask or tells(*told)))
        return made[-1]

    yield make
    for one in made:
        one.client.__exit__(None, None, None)
        one.store.close()


def test_an_answer_comes_with_its_quote_marked_and_its_confidence(asker: Callable[..., Asker]) -> None:
    ann = asker(SURE)
    ann.asks()
    for words in (
        CLAIM,
        f"<mark>{QUOTED}</mark>",
        "Ness light",
        "Confidence 0.83",
        "It burns for ten hours.",
    ):
        assert words in ann.html
    assert "Chosen among 2 answers" in ann.html


def test_what_is_marked_is_stored_as_a_label_of_each_kind(asker: Callable[..., Asker]) -> None:
    ann = asker(SURE)
    ann.asks()
    ann.judges(plausible="yes", supported="yes", true="no", reason="It is eight.")
    assert [ann.labels(kind) for kind in EVIDENCE] == [["yes"], ["yes"], ["no"]]
    [label] = ann.store.ratings(asked_queue(QUEUE, "true"))
    assert (label.vote.rater, label.run, label.judgement().score) == ("ann", "asked", 1.0)
    assert label.vote.answer.reason == "It is eight."
    assert "Stored." in ann.html


def test_kinds_may_be_judged_one_by_one_and_none_twice(asker: Callable[..., Asker]) -> None:
    ann = asker(SURE)
    ann.asks()
    ann.judges(supported="no")
    ann.judges(true="cannot_tell")
    assert ann.judges(supported="yes").status_code == 400
    assert "You have judged this already." in ann.html
    assert [ann.labels(kind) for kind in EVIDENCE] == [[], ["no"], ["cannot_tell"]]


def test_the_same_answer_is_one_item_whoever_asks_for_it(asker: Callable[..., Asker]) -> None:
    ann = asker(SURE)
    ann.asks()
    ann.judges(true="yes")
    bob = Asker(ann.store, tells(SURE), "bob")
    bob.asks()
    bob.judges(true="no")
    status = ann.store.status(asked_queue(QUEUE, "true"))
    bob.client.__exit__(None, None, None)
    assert (status.items, status.labels, status.conflicts) == (1, 2, 1)


def test_nothing_marked_is_said_and_nothing_is_stored(asker: Callable[..., Asker]) -> None:
    ann = asker(SURE)
    ann.asks()
    assert ann.judges(reason="Hm.").status_code == 400
    assert "Nothing was marked" in ann.html
    assert ann.store.ratings(asked_queue(QUEUE, "supported")) == []


def test_a_refusal_says_why_and_what_there_is_instead(asker: Callable[..., Asker]) -> None:
    ann = asker(REFUSAL)
    ann.asks()
    before, _, withheld = ann.html.partition('<details class="withheld">')
    for words in ("No answer", "Confidence 0.21 is below 0.60.", "The lamp holds four litres."):
        assert words in before
    assert '<input type="hidden" name="question" value="How much oil does the lamp hold?">' in before
    assert CLAIM not in before
    assert CLAIM in withheld


def test_the_page_says_where_the_stated_risk_is_not_promised(asker: Callable[..., Asker]) -> None:
    ann = asker(replace(REFUSAL, unpromised="No risk is promised here."))
    ann.asks()
    assert "No risk is promised here." in ann.html.partition('<details class="withheld">')[0]


def test_a_refusal_without_anything_found_has_nothing_to_judge(asker: Callable[..., Asker]) -> None:
    ann = asker(Told(declined=True, why="Nothing in the documents shares a word with the question."))
    ann.asks()
    assert "shares a word with the question" in ann.html
    assert 'class="judge"' not in ann.html
    assert ann.judges(true="yes").status_code == 400


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (CallError("The model is not there.", "x"), "The model is not there."),
        (ValueError("s3cret"), "broke on"),
    ],
)
def test_a_question_that_fails_says_so(asker: Callable[..., Asker], error: Exception, said: str) -> None:
    ann = asker(error)
    ann.asks()
    assert said in ann.html
    assert "s3cret" not in ann.html


def test_while_the_model_thinks_the_page_asks_again_by_itself(asker: Callable[..., Asker]) -> None:
    ready = asyncio.Event()

    async def ask(question: str) -> Told:
        await ready.wait()
        return SURE

    ann = asker(ask=ask)
    ann.asks(waits=False)
    assert f'http-equiv="refresh" content="1; url={ann.place}?wait=1"' in ann.html
    assert ann.client.post("/ask", data={"csrf": ann.csrf, "question": "And?"}).status_code == 400
    ann.client.portal.call(ready.set)
    assert CLAIM in ann.client.get(f"{ann.place}?wait=1").text


@pytest.mark.parametrize(
    ("question", "said"), [("  ", "There is no question"), ("a" * 1_001, "may have 1,000")]
)
def test_a_question_without_words_or_too_long_is_refused(
    asker: Callable[..., Asker], question: str, said: str
) -> None:
    ann = asker(SURE)
    assert ann.asks(question).status_code == 400
    assert said in ann.html


def test_nobody_reads_another_persons_question(asker: Callable[..., Asker]) -> None:
    ann = asker(SURE)
    ann.asks("Where is my letter?")
    bob = Asker(ann.store, tells(SURE), "bob")
    ann.client.get(f"/enter/{ann.store.add_rater(QUEUE, 'eve')}")
    seen = ann.client.get(ann.place)
    bob.client.__exit__(None, None, None)
    assert seen.status_code == 400
    assert "Where is my letter?" not in seen.text + ann.client.get("/ask").text


def test_a_form_from_elsewhere_asks_nothing(asker: Callable[..., Asker]) -> None:
    ann = asker(SURE)
    assert ann.client.post("/ask", data={"csrf": "0" * 64, "question": "x"}).status_code == 403


def test_without_documents_there_is_no_such_page(tmp_path: Path) -> None:
    store = filled(tmp_path, 1)
    client = TestClient(app(store, QUEUE), base_url=BASE)
    client.get(f"/enter/{store.add_rater(QUEUE, 'ann')}")
    assert client.get("/ask").status_code == 404
    assert 'href="/ask"' not in client.get("/").text


def test_a_queue_name_too_long_for_its_labels_is_said_before_the_page_opens(tmp_path: Path) -> None:
    store = filled(tmp_path, 1)
    store.create(QueueSpec("q" * 95))
    with pytest.raises(InputError, match="queue's name"):
        app(store, "q" * 95, ask=tells(SURE))
