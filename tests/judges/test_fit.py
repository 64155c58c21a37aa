"""A judge from labels: fitted, saved in rounds, found by name, and refused in one sentence when it cannot be."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fit_fakes import KIND, RUDE, examples, transcript, write_embedding_model

from gadfly import judges
from gadfly.errors import InputError, StoreError, UnknownNameError
from gadfly.judges import Example, FitSettings, Fitted, Source, fit, fitted_names, history, load_fitted
from gadfly.report import card_page, write_card
from gadfly.transcripts import Judgement, Transcript


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> FitSettings:
    directory = write_embedding_model(tmp_path_factory.mktemp("embedding") / "tiny")
    return FitSettings(embedding=str(directory), members=10)


@pytest.fixture(scope="module")
def rude(settings: FitSettings) -> Fitted:
    return fit("rude", examples(80), settings=settings, source=Source("insults", ("run-1",)))


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where judges are kept, empty."""
    monkeypatch.setenv("GADFLY_JUDGES", str(tmp_path / "judges"))
    yield tmp_path / "judges"


def judged(judge: judges.Judge, *transcripts: Transcript) -> list[Judgement]:
    return asyncio.run(judge.judge(transcripts))


def test_it_learns_what_people_flag(rude: Fitted) -> None:
    flagged, kind = judged(rude, transcript("you stupid fool"), transcript("thank you, a lovely evening"))
    assert flagged.score is not None and kind.score is not None
    assert flagged.score > 0.5 > kind.score
    assert isinstance(rude, judges.Judge)


def test_uncertainty_is_the_spread_of_the_members(rude: Fitted) -> None:
    said = transcript("you lovely idiot")
    members = asyncio.run(rude._members([said], {}))[0]
    (found,) = judged(rude, said)
    assert (found.score, found.uncertainty) == (members.mean(), members.std())
    assert found.uncertainty is not None and found.uncertainty > 0


def test_what_nobody_could_judge_is_missing(rude: Fitted) -> None:
    found = judged(rude, transcript("", outcome="failed"), transcript("  "), transcript("you fool"))
    assert [(j.score is None, j.cause) for j in found] == [
        (True, "not_valid"),
        (True, "no_reply"),
        (False, ""),
    ]


def test_a_score_does_not_depend_on_its_batch(rude: Fitted) -> None:
    many = [transcript(f"{words} {i}") for i, words in enumerate((*RUDE, *KIND) * 4)]
    assert judged(rude, *many)[7:9] == judged(rude, *many[7:9])


def test_the_same_labels_give_the_same_judge(rude: Fitted, settings: FitSettings) -> None:
    again = fit("rude", examples(80), settings=settings)
    assert again.spec() == rude.spec()
    assert fit("rude", examples(80), settings=replace(settings, seed=1)).spec() != rude.spec()


def test_a_saved_judge_says_the_same(rude: Fitted, shelf: Path) -> None:
    place = rude.save()
    again = load_fitted("rude")
    assert (again.spec(), again.threshold, again.card.round) == (rude.spec(), rude.threshold, 1)
    assert sorted(f.name for f in place.iterdir()) == ["card.json", "heads.safetensors", "judge.json"]
    said = transcript("go away")
    assert judged(again, said)[0].score == judged(rude, said)[0].score


def test_rounds_are_kept_and_the_latest_judges(rude: Fitted, settings: FitSettings, shelf: Path) -> None:
    rude.save()
    better = fit("rude", examples(120), settings=settings)
    better.save()
    assert [(card.round, card.labels.n) for card in history("rude")] == [(1, 80), (2, 120)]
    assert load_fitted("rude").spec() == better.spec() != rude.spec()
    assert load_fitted("rude", 1).spec() == rude.spec()


def test_a_moved_threshold_does_not_make_it_another_judge(rude: Fitted, shelf: Path) -> None:
    rude.save()
    moved = load_fitted("rude", threshold=0.9)
    assert (moved.threshold, moved.spec()) == (0.9, rude.spec())


def test_two_who_save_at_once_get_a_round_each(rude: Fitted, shelf: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        places = list(threads.map(lambda _: rude.save(), range(8)))
    assert sorted(p.name for p in places) == [f"{n:04}" for n in range(1, 9)]
    assert len(history("rude")) == 8


def test_a_save_that_was_killed_leaves_nothing_that_counts(rude: Fitted, shelf: Path) -> None:
    half = shelf / "rude" / ".saving-dead" / "round"
    half.mkdir(parents=True)
    (half / "judge.json").write_text("{")
    assert fitted_names() == []
    assert rude.save().name == "0001"


def test_a_fitted_judge_is_found_by_name(rude: Fitted, shelf: Path) -> None:
    rude.save()
    assert fitted_names() == ["rude"]
    assert judges.judge("rude", threshold=0.25).threshold == 0.25
    with pytest.raises(UnknownNameError, match=r"There is no judge 'rood'. Did you mean 'rude'"):
        judges.judge("rood")
    with pytest.raises(InputError, match="Judge 'rude' cannot be made so"):
        judges.judge("rude", rubric="x")


def test_a_round_that_is_not_there_names_those_that_are(rude: Fitted, shelf: Path) -> None:
    rude.save()
    with pytest.raises(UnknownNameError, match=r"There is no round of 'rude' numbered '7'. Known: 1"):
        load_fitted("rude", 7)


@pytest.mark.parametrize(
    ("file", "spoil"),
    [
        ("heads.safetensors", lambda b: b[:-1] + bytes([b[-1] ^ 1])),
        ("heads.safetensors", lambda b: b[:40]),
        ("judge.json", lambda b: b[:-9]),
        ("judge.json", lambda b: b.replace(b'"threshold"', b'"treshold"')),
        ("card.json", lambda b: b"[]"),
        ("card.json", None),
    ],
)
def test_a_damaged_file_is_named_with_the_fix(
    rude: Fitted, shelf: Path, file: str, spoil: Callable[[bytes], bytes] | None
) -> None:
    target = rude.save() / file
    content = target.read_bytes()
    target.unlink() if spoil is None else target.write_bytes(spoil(content))
    with pytest.raises(InputError, match=rf"0001/{file}' cannot be used \(.+\); fit the judge again"):
        load_fitted("rude")


def test_another_embedding_model_under_the_same_name_is_refused(rude: Fitted, shelf: Path) -> None:
    file = rude.save() / "judge.json"
    saved = json.loads(file.read_text())
    saved["reading"]["sha256"] = "0" * 64
    file.write_text(json.dumps(saved))
    with pytest.raises(InputError, match="is not the one this judge was fitted on"):
        load_fitted("rude")


def test_an_embedding_model_that_is_gone_is_named(rude: Fitted, shelf: Path) -> None:
    file = rude.save() / "judge.json"
    saved = json.loads(file.read_text())
    saved["reading"]["embedding"] = "/nowhere/at-all"
    file.write_text(json.dumps(saved))
    with pytest.raises(InputError, match="There is no model directory '/nowhere/at-all'"):
        load_fitted("rude")


def test_a_file_cannot_have_a_module_imported(rude: Fitted, shelf: Path) -> None:
    file = rude.save() / "judge.json"
    file.write_text(file.read_text().replace('"base": ""', '"base": "antigravity:fly"'))
    with pytest.raises(UnknownNameError, match="built-in judge to build on 'antigravity:fly'"):
        load_fitted("rude")
    assert "antigravity" not in sys.modules


ONE_SIDED = [replace(e, label=1.0) for e in examples(30)]
UNJUDGEABLE = [*examples(30), Example(transcript(""), 1.0)]


@pytest.mark.parametrize(
    ("name", "rows", "sentence"),
    [
        ("offensive", examples(), "'offensive' is a built-in judge"),
        ("../up", examples(), "A judge's name is made of letters"),
        ("", examples(), "A judge's name is made of letters"),
        ("rude", examples(19), "19 labels are too few to learn from; label at least 20"),
        ("rude", ONE_SIDED, "All 30 labels are flagged; a judge needs examples of both kinds"),
        ("rude", UNJUDGEABLE, r"Example 31 has nothing to judge \(no_reply\)"),
        ("rude", [*examples(), replace(examples()[0], label=1.2)], "example 41 has 1.2"),
        ("rude", [*examples(), replace(examples()[0], weight=0.0)], "example 41 has 0.0"),
    ],
)
def test_what_cannot_be_fitted_is_refused(name: str, rows: list[Example], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        fit(name, rows, settings=FitSettings(embedding="/must/not/be/opened"))


@pytest.mark.parametrize("wrong", [{"recall": 1.0}, {"confidence": 0.2}, {"members": 1}])
def test_settings_that_promise_nonsense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        FitSettings(**wrong)  # type: ignore[arg-type]


def test_the_question_is_read_where_there_is_one(settings: FitSettings) -> None:
    asked = [
        Example(transcript("yes", words, i), float(words in RUDE))
        for i, words in enumerate((*RUDE, *KIND) * 4)
    ]
    found = fit("asked", asked, settings=settings)
    assert found.reading.question
    rude, kind = judged(found, transcript("yes", "you stupid idiot"), transcript("yes", "please come in"))
    assert rude.score is not None and kind.score is not None and rude.score > kind.score
    assert not fit("unasked", asked, settings=replace(settings, question=False)).reading.question


def test_a_question_that_says_nothing_is_left_out(settings: FitSettings) -> None:
    rng = np.random.default_rng(0)
    asked = [
        replace(e, transcript=transcript(e.transcript.turns[0].text, rng.bytes(20).hex(), i))
        for i, e in enumerate(examples(80))
    ]
    assert not fit("plain", asked, settings=settings).reading.question
    assert fit("plain", asked, settings=replace(settings, question=True)).reading.question


def test_a_built_in_judge_can_be_built_on(settings: FitSettings, shelf: Path) -> None:
    found = fit("stacked", examples(), settings=replace(settings, base="refusal"))
    assert found.heads.coefficients_M_D.shape == (10, 33)
    found.save()
    said = transcript("I can't help with that, you fool")
    assert judged(load_fitted("stacked"), said)[0].score == judged(found, said)[0].score
    with pytest.raises(UnknownNameError, match="no built-in judge to build on 'stacked'"):
        fit("again", examples(), settings=replace(settings, base="stacked"))


def test_a_card_says_where_its_labels_came_from(rude: Fitted) -> None:
    labels = rude.card.labels
    assert (labels.n, labels.flagged, labels.groups, labels.source.queue) == (80, 40, 80, "insults")
    assert sum(no + yes for no, yes in rude.card.histogram) == 80
    assert rude.card.errors.auroc.point is not None and rude.card.errors.auroc.point > 0.9


def test_split_votes_count_by_their_share(settings: FitSettings) -> None:
    rows = [*examples(60), *(Example(transcript(f"maybe {i}", number=100 + i), 0.5) for i in range(20))]
    score = judged(fit("torn", rows, settings=settings), transcript("maybe 7"))[0].score
    assert score == pytest.approx(0.5, abs=0.2)


def test_repeated_questions_are_one_fact_on_the_card(settings: FitSettings) -> None:
    rows = [
        replace(e, group=f"g{i // 4}") for i, e in enumerate(examples(80, replies=(*RUDE[:4], *KIND[:4])))
    ]
    card = fit("repeated", rows, settings=settings).card
    assert card.labels.groups == 20
    assert "worth 10 independent ones" in card.promise.sentence


def test_a_hostile_example_is_inert_on_the_card(settings: FitSettings, tmp_path: Path) -> None:
    evil = "</div><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>\u202e"
    wrong = [Example(transcript(f"{words} {evil}", evil, 90 + i), 1.0) for i, words in enumerate(KIND)]
    found = fit("rude", [*examples(60), *wrong], settings=settings, source=Source(evil, (evil,)))
    page = write_card([found.card], tmp_path / "card.html").read_text("utf-8")
    assert evil[:20] not in page
    assert "<img" not in page and "<script" not in page and "\u202e" not in page
    assert "⟦U+202E⟧" in page


def test_the_page_shows_how_rounds_moved(rude: Fitted) -> None:
    cards = [replace(rude.card, round=n) for n in (1, 2)]
    assert "How each round moved it" in card_page(cards)
    assert "How each round moved it" not in card_page(cards[:1])
    assert rude.card.promise.sentence.split(";")[0] in card_page(cards)


def test_a_judge_that_cannot_be_kept_says_why(rude: Fitted, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="set GADFLY_JUDGES"):
        rude.save(tmp_path / "file")


def test_thousands_stream_through_in_slices(rude: Fitted) -> None:
    many = [transcript(f"{(*RUDE, *KIND)[i % 10]}", number=i) for i in range(2_000)]
    found = judged(rude, *many)
    assert [j.case_id for j in found] == [t.case.id for t in many]
    assert len(np.unique([j.score for j in found])) == 10
