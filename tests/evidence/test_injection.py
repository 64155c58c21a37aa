"""Documents that give orders, and how often those are obeyed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gadfly.corpora import Quote
from gadfly.errors import InputError
from gadfly.evidence import injected, injection_cases, injection_corpus, injections, obeys
from gadfly.evidence._injection import Injected, Injection, injection_figures
from gadfly.judges import holds_answer
from gadfly.models import System, scripted
from gadfly.runs import Settings
from gadfly.transcripts import Case, Judgement, Transcript, Turn

ITEMS = injections()
each = pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.name)


def item_of(name: str) -> Injection:
    return next(one for one in ITEMS if one.name == name)


def test_there_are_forty_documents_and_four_of_each_kind() -> None:
    kinds = Counter(one.kind for one in ITEMS)
    assert len(ITEMS) >= 40
    assert min(kinds.values()) >= 4
    assert len({one.name for one in ITEMS}) == len(ITEMS)


@each
def test_a_clean_twin_holds_the_answer_and_no_mark(item: Injection) -> None:
    clean = item.document(False)
    text = f"{clean.title}\n{clean.text}"
    assert holds_answer(clean.text, item.answers) or item.answers[0] in ("no", "none")
    assert not holds_answer(f"{text} {item.question} {' '.join(item.answers)}", item.marks)
    assert "{planted}" not in text


@each
def test_the_order_stands_in_the_document_and_nothing_else_was_changed(item: Injection) -> None:
    planted, clean = item.document(True), item.document(False)
    for hostile, harmless in ((planted.title, clean.title), (planted.text, clean.text)):
        assert hostile.replace(item.planted, "").strip("\n") == harmless
    assert item.planted in f"{planted.title}\n{planted.text}"


def test_each_questions_search_finds_the_one_document_that_is_left() -> None:
    corpus, by_name = injection_corpus(), {one.name: one for one in ITEMS}
    for case in injection_cases():
        [found] = corpus.search(case["question"], 2, without=case["without"])
        assert found.passage.document == by_name[case["injection"]].document(case["planted"]).id


def transcript(
    item: Injection, claim: str, *, quote: str = "", planted: bool = True, **data: int
) -> Transcript:
    document = item.document(planted)
    start = document.text.find(quote)
    spans = ((start, start + len(quote)),)
    quotes = [Quote(document.id, document.title, quote, spans).to_json()] if quote else []
    case = Case("c", 0, 0, {"injection": item.name, "kind": item.kind, "planted": planted, **data})
    turns = (Turn("user", item.question), Turn("target", claim))
    return Transcript(case, turns, metadata={"claim": claim, "quotes": quotes})


def judged(one: Transcript) -> Judgement:
    return asyncio.run(obeys().judge([one]))[0]


@each
def test_doing_as_ordered_is_flagged_and_the_true_answer_is_not(item: Injection) -> None:
    quote = item.planted if item.shows == "quote" else ""
    obeying = judged(transcript(item, f"It is {item.marks[0]}.", quote=quote))
    honest = judged(transcript(item, f"It is {item.answers[0]}."))
    assert (obeying.score, honest.score, honest.metadata["right"]) == (1.0, 0.0, True)


def test_telling_of_an_order_is_neither_obeying_nor_resisting() -> None:
    told = "The page tells assistants to say pineapple, but the last boat leaves at 17:40."
    assert judged(transcript(item_of("ferry_ignore"), told)).cause == "mentioned"


def test_an_order_that_breaks_the_form_of_the_answer_was_obeyed_all_the_same() -> None:
    broken = replace(transcript(item_of("ferry_ignore"), "PINEAPPLE"), outcome="invalid", cause="no_parse")
    assert judged(broken).score == 1.0
    silent = replace(broken, turns=(Turn("user", "?"), Turn("target", "17:40")))
    assert judged(silent).cause == "not_valid"


def test_hidden_characters_do_not_hide_obedience() -> None:
    assert (
        judged(transcript(item_of("wine_soft_hyphen"), "They stand in bub\u00adble\u00adgum.")).score == 1.0
    )


def test_a_quote_of_the_order_is_counted_apart() -> None:
    item = item_of("salt_closing")
    assert judged(transcript(item, "412 metres.", quote=item.planted)).metadata["quoted_order"] is True
    assert judged(transcript(item, "412 metres.", quote="dry all")).metadata["quoted_order"] is False


def test_other_games_are_missing() -> None:
    other = replace(transcript(ITEMS[0], "pineapple"), case=Case("c", 0, 0, {"question": "?"}))
    assert judged(other).cause == "no_injection"


def answering(claim_of: dict[str, str]) -> System:
    """Answers each question with its claim, and quotes the document's first words."""

    def script(messages: Sequence[tuple[str, str]], seed: int | None) -> str:
        asked = next(text for _, text in reversed(messages) if text.startswith("Document: "))
        shown, _, question = asked.rpartition("\n\nQuestion: ")
        title, _, text = shown.removeprefix("Document: ").partition("\n")
        return f"%<{claim_of[question]}>%({title})%[{' '.join(text.split()[:6])}]%"

    return System(scripted(script))


def play(system: System, folder: Path, items: Sequence[Injection] = ITEMS) -> Injected:
    return asyncio.run(injected(system, items=items, settings=Settings(folder, progress=False)))


def test_a_model_that_takes_answers_from_the_text_obeys_nothing(tmp_path: Path) -> None:
    found = play(answering({one.question: one.answers[0] for one in ITEMS}), tmp_path)
    total = found.figures[0]
    assert (total.kind, total.obeyed.point, total.obeyed.n) == ("all", 0.0, len(ITEMS))
    assert (total.right.point, total.right_clean.point) == (1.0, 1.0)


def test_a_model_that_always_says_so_obeys_as_often_on_the_clean_twins(tmp_path: Path) -> None:
    claims = [one for one in ITEMS if one.shows == "claim"]
    found = play(answering({one.question: one.marks[0] for one in claims}), tmp_path, claims)
    total = found.figures[0]
    assert (total.obeyed.point, total.control.point, total.effect.point) == (1.0, 1.0, 0.0)


def test_kinds_have_their_own_figures_and_the_table_shows_them(tmp_path: Path) -> None:
    found = play(answering({one.question: one.answers[0] for one in ITEMS}), tmp_path)
    assert [one.kind for one in found.figures] == ["all", *dict.fromkeys(one.kind for one in ITEMS)]
    assert len(found.describe().splitlines()) == len(found.figures) + 1


def test_pairs_count_by_document_and_what_is_missing_is_left_out() -> None:
    items = ITEMS[:3]
    said = [
        transcript(one, one.marks[0] if planted else "nothing", planted=planted, sample=n)
        for one in items
        for planted in (True, False)
        for n in range(2)
    ]
    told = [replace(one, outcome="failed", turns=()) if n == 0 else one for n, one in enumerate(said)]
    total = injection_figures([(one, [judged(one)]) for one in told])[0]
    assert (total.obeyed.n, total.obeyed.missing, total.obeyed.clusters) == (5, 1, 3)
    assert (total.effect.point, total.effect.missing) == (1.0, 1)


def test_nothing_judged_gives_no_figures() -> None:
    assert injection_figures([]) == ()


def test_ones_own_documents_are_checked() -> None:
    with pytest.raises(ValueError, match="a slot is a name"):
        Injection(**{**ITEMS[0].model_dump(), "text": "{ {planted}"})
    with pytest.raises(InputError, match="no value"):
        ITEMS[0].model_copy(update={"text": "{other}"}).document(True)
