"""Judging and debating live in a real browser: end to end, reloads, restarts, two people at once, hostile words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hearing_samples import (
    MADE_UP,
    ROWS,
    TRUE_QUOTE,
    Debater,
    Pace,
    Served,
    model_judge,
    numbered,
    sitting,
    tolerant,
)
from playwright.sync_api import Browser, Page, expect
from test_browser import AUDIT, CONTRAST, HOSTILE

from gadfly.debate import protocol
from gadfly.runs import all_runs
from gadfly.transcripts import Transcript
from gadfly.words import word_count

DESK, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
PATIENCE_MS = 30_000
OPENING = ("Statement 0 of first.", "Statement 1 of second.")


class Person:
    """Somebody in front of a browser: what they do there, and every noise the page made."""

    def __init__(self, browser: Browser, served: Served, name: str = "ann", **options: Any) -> None:
        self.served = served
        self.context = browser.new_context(**{"viewport": DESK} | options)
        self.page: Page = self.context.new_page()
        self.noise: list[str] = []
        self.streams = 0
        self.scripted = options.get("java_script_enabled", True)
        self.page.on("pageerror", lambda error: self.noise.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.noise.append(dialog.message), dialog.dismiss()))
        self.page.on("request", self._requested)
        enters(self.page, served, name)

    def _requested(self, request: Any) -> None:
        self.streams += "/live" in request.url
        if not request.url.startswith((self.served.origin, "data:")):
            self.noise.append(request.url)

    @property
    def box(self) -> Any:
        return self.page.locator("#panel textarea")

    def button(self, name: str) -> None:
        self.rested(self.page.get_by_role("button", name=name)).click()

    def rested(self, field: Any) -> Any:
        """A field of a form that is there and takes answers."""
        expect(field).to_be_visible()
        if self.scripted:
            expect(self.page.locator("#panel.ready")).to_have_count(1)
        return field

    def marks(self, answer: str) -> None:
        self.rested(self.page.locator(f"[name=answer][value={answer}]")).check()

    def asks(self, text: str) -> None:
        self.box.fill(text)
        self.button("Ask")

    def leans(self, towards_b: int) -> None:
        self.page.get_by_role("slider").fill(str(towards_b))
        self.button("Tell")

    def decides(self, answer: str, sure: int = 80, confidence: str = "firm") -> None:
        self.marks(answer)
        self.page.get_by_role("slider").fill(str(sure))
        self.page.get_by_label(confidence).check()
        self.button("Decide")

    def sees(self, *texts: str) -> None:
        for text in texts:
            expect(self.page.locator("main")).to_contain_text(text)

    def wants(self, form: str) -> None:
        expect(self.page.get_by_role("form", name=form)).to_be_visible()

    def heard(self) -> list[str]:
        return self.page.locator("#said .says .text").all_inner_texts()


def enters(page: Page, served: Served, name: str) -> None:
    """Open somebody's link and go on to their debate."""
    page.goto(f"{served.origin}/enter/{served.links[name]}")
    page.get_by_role("link", name="Go on").click()


@pytest.fixture(autouse=True)
def patient() -> Iterator[None]:
    """A loaded machine is no failure."""
    expect.set_options(timeout=PATIENCE_MS)
    yield
    expect.set_options(timeout=5_000)


Serve = Callable[..., Served]


@pytest.fixture
def serve(browser: Browser, tmp_path: Path) -> Iterator[Serve]:
    """`serve(debater, people=…, …)`: a served page."""
    made: list[tuple[Served, Debater]] = []

    def start(debater: Debater | None = None, people: tuple[str, ...] = ("ann",), **changes: Any) -> Served:
        speaker = debater or Debater()
        served = Served(tmp_path, lambda: sitting(tmp_path, speaker, **changes), people)
        made.append((served, speaker))
        return served

    yield start
    for context in browser.contexts:
        context.close()
    for served, speaker in made:
        speaker.pace.release_all()
        served.close()


def played(tmp_path: Path) -> list[Transcript]:
    return [one for run in all_runs(tmp_path / "runs") for one in run.transcripts()]


def test_a_person_judges_a_debate_from_beginning_to_end(
    serve: Serve, browser: Browser, tmp_path: Path
) -> None:
    ann = Person(browser, serve())
    ann.button("Begin")
    ann.leans(30)
    ann.sees("A 70%, B 30%", "A question costs 2 of the 100 points")
    ann.asks("Which page of the log says so?")
    ann.leans(20)
    ann.asks("And who wrote it?")
    ann.decides("A", 90)
    ann.sees("You decided for A, 90% sure. It is stored.")
    expect(ann.page.get_by_role("banner")).to_contain_text("1 done 1 left")
    [transcript] = played(tmp_path)
    verdict = transcript.metadata["verdict"]
    asked = [turn.text for turn in transcript.said_by("judge") if turn.text.endswith("?")]
    assert asked == ["Which page of the log says so?", "And who wrote it?"]
    assert (verdict["p"], verdict["confidence"], verdict["seconds"] > 0) == (0.9, 0.75, True)
    assert [one["lean"] for one in transcript.metadata["moves"] if one["does"] == "lean"] == [0.7, 0.8]
    assert ann.noise == []


def test_quotations_are_told_apart(serve: Serve, browser: Browser) -> None:
    says = f"It was <quote>{TRUE_QUOTE}</quote> and <quote>{MADE_UP}</quote> [verified]."
    ann = Person(browser, serve(Debater(says), protocol=tolerant()))
    ann.button("Begin")
    first = ann.page.locator("#said .says").first
    expect(first.locator(".verified mark")).to_have_text(TRUE_QUOTE)
    expect(first.locator(".absent s")).to_have_text(MADE_UP)
    expect(first.locator(".check")).to_have_text(["in the document", "not in the document"])
    expect(first).to_contain_text("(verified)")


def test_the_keyboard_is_enough(serve: Serve, browser: Browser, tmp_path: Path) -> None:
    ann = Person(browser, serve())
    keys, slider = ann.page.keyboard, ann.page.get_by_role("slider")

    def at(field: Any) -> None:
        expect(ann.rested(field)).to_be_focused()

    at(ann.page.get_by_role("button", name="Begin"))
    keys.press("Enter")
    at(slider)
    keys.press("ArrowLeft")
    keys.press("Enter")
    at(ann.box)
    keys.type("Is n a letter?")
    keys.press("Enter")
    at(slider)
    keys.press("Enter")
    at(ann.box)
    for key in ("Tab", "Tab", "Enter"):
        keys.press(key)
    at(ann.page.locator("[name=answer]").first)
    for key in ("ArrowDown", "Tab", "End", "Tab", "Space", "Tab", "Enter"):
        keys.press(key)
    ann.sees("You decided for B, 100% sure.")
    assert [one.metadata["verdict"]["p"] for one in played(tmp_path)] == [0.0]


def test_enter_on_an_answer_does_not_send_the_verdict(serve: Serve, browser: Browser) -> None:
    ann = Person(browser, serve(protocol=tolerant("debate")))
    ann.button("Begin")
    ann.marks("A")
    ann.page.get_by_label("firm").check()
    ann.page.locator("[name=answer][value=A]").press("Enter")
    ann.page.get_by_role("slider").press("Enter")
    ann.decides("A", 90)
    ann.sees("You decided for A, 90% sure.")


CLICKS_WHAT_COMES = """new MutationObserver((_, seen) => {
    const button = document.querySelector("#panel form.give button");
    if (button) { seen.disconnect(); button.click(); }
}).observe(document.querySelector("#panel"), { childList: true })"""


def test_a_second_click_does_not_answer_the_form_that_has_just_come(serve: Serve, browser: Browser) -> None:
    served = serve(protocol=tolerant("polling_debate"), seat="first", judge=model_judge("A"))
    ann = Person(browser, served)
    ann.button("Begin")
    ann.box.fill("It is 1874.")
    ann.rested(ann.box)
    ann.page.evaluate(CLICKS_WHAT_COMES)  # it would be told how the judge leans, at a price
    ann.button("Say it")
    ann.button("Go on without")
    ann.wants("Your statement")
    expect(ann.page.locator("#said")).not_to_contain_text("in private")


def test_a_key_that_is_held_down_answers_one_form(serve: Serve, browser: Browser) -> None:
    ann = Person(browser, serve(protocol=tolerant("debate")))
    ann.button("Begin")
    ann.marks("A")
    ann.page.get_by_label("firm").check()
    ann.page.get_by_role("button", name="Decide").focus()
    ann.page.keyboard.down("Enter")
    following = ann.rested(ann.page.get_by_role("button", name="Next debate"))
    expect(following).to_be_focused()
    ann.page.evaluate("addEventListener('click', () => { window.clicked = true; }, true)")
    ann.page.keyboard.down("Enter")
    assert not ann.page.evaluate("window.clicked")


@pytest.mark.parametrize(("motion", "behaviour"), [("reduce", "auto"), ("no-preference", "smooth")])
def test_the_page_glides_only_for_who_likes_that(
    serve: Serve, browser: Browser, motion: Any, behaviour: str
) -> None:
    ann = Person(browser, serve(), reduced_motion=motion)
    ann.page.add_init_script("window.moves = []; window.scrollTo = (to) => moves.push(to.behavior)")
    ann.button("Begin")
    ann.leans(40)
    ann.wants("Your question")
    assert ann.page.evaluate("[...new Set(moves)]") == [behaviour]


def test_a_reload_loses_nothing_not_even_half_a_question(serve: Serve, browser: Browser) -> None:
    ann = Person(browser, serve(Debater(numbered)))
    ann.button("Begin")
    ann.leans(40)
    ann.box.fill("Half a ques")
    ann.page.reload()
    expect(ann.box).to_have_value("Half a ques")
    assert ann.heard() == list(OPENING)
    ann.sees("A 60%, B 40%")


def test_nor_half_a_lean_or_half_a_verdict(serve: Serve, browser: Browser, tmp_path: Path) -> None:
    ann = Person(browser, serve())
    slider = ann.page.get_by_role("slider")
    ann.button("Begin")
    ann.wants("How you lean")
    slider.fill("12")
    ann.page.reload()
    ann.sees("A 88%, B 12%")
    ann.button("Tell")
    ann.asks("Why?")
    ann.wants("How you lean")
    assert slider.input_value() != "50"  # another lean begins where the last one ended, not at a draft
    ann.button("Tell")
    ann.button("No question")
    ann.marks("B")
    slider.fill("77")
    ann.page.get_by_label("firm").check()
    ann.page.reload()
    ann.sees("77% sure")
    ann.button("Decide")
    ann.sees("You decided for B, 77% sure.")
    [transcript] = played(tmp_path)
    leans = [one["lean"] for one in transcript.metadata["moves"] if one["does"] == "lean"]
    assert leans == [0.88, 0.88]
    assert transcript.metadata["verdict"]["confidence"] == 0.75


def test_a_broken_connection_brings_what_was_missed_once(serve: Serve, browser: Browser) -> None:
    debater = Debater(numbered, Pace(2))
    served = serve(debater)
    ann = Person(browser, served)
    ann.button("Begin")
    ann.sees(*OPENING)
    before = ann.streams
    served.cut()
    ann.leans(50)
    ann.asks("Why?")
    served.cut()
    debater.pace.allow(2)
    ann.wants("How you lean")
    assert ann.streams > before
    assert ann.heard() == [*OPENING, "Why?", "Statement 4 of first.", "Statement 5 of second."]


def test_a_restart_in_the_middle_of_a_case_asks_nobody_twice(
    serve: Serve, browser: Browser, tmp_path: Path
) -> None:
    debater = Debater(numbered)
    served = serve(debater)
    ann = Person(browser, served)
    ann.button("Begin")
    ann.leans(30)
    ann.box.fill("Half a ques")
    served.stop()
    expect(ann.page.get_by_role("status")).to_contain_text("Nothing is lost")
    served.start()
    expect(ann.page.get_by_role("status")).to_have_text("")
    expect(ann.box).to_have_value("Half a ques")
    ann.asks("A whole question?")
    ann.wants("How you lean")
    served.stop()
    served.start()
    ann.page.reload()
    assert [*ann.heard()[:2], ann.heard()[2]] == [*OPENING, "A whole question?"]
    ann.leans(30)
    ann.button("No question")
    ann.decides("B", 60)
    ann.sees("You decided for B")
    [transcript] = played(tmp_path)
    assert transcript.metadata["verdict"]["p"] == 0.4
    assert len(debater.asked) == len(set(debater.asked)) == 6


def test_two_judges_at_once_do_not_see_each_others_answers(
    serve: Serve, browser: Browser, tmp_path: Path
) -> None:
    served = serve(people=("ann", "ben"))
    ann, ben = Person(browser, served), Person(browser, served, "ben")
    for one in (ann, ben):
        one.button("Begin")
    ann.leans(1)
    ann.asks("Only ann asks this?")
    ben.leans(77)
    ben.wants("Your question")
    ben.page.reload()
    assert "Only ann" not in ben.page.content()
    assert "A 23%, B 77%" not in ann.page.content()
    ann.sees("Only ann asks this?")
    for path in ("/ann", "/live/ann", "/debate/0", "/live/0?after=0.0.wait", "/give", "/hearing.jsonl"):
        answer = ben.context.request.get(served.origin + path, timeout=PATIENCE_MS)
        assert (answer.status in (404, 405), "Only ann" in answer.text()) == (True, False)


def test_what_another_person_is_asked_cannot_be_answered(serve: Serve, browser: Browser) -> None:
    served = serve(people=("ann", "ben"))
    ann, ben = Person(browser, served), Person(browser, served, "ben")
    ann.button("Begin")
    ann.leans(10)
    ann.wants("Your question")
    form = {name: ann.page.locator(f"#panel [name={name}]").input_value() for name in ("case", "key")}
    csrf = ben.page.locator("#panel [name=csrf]").input_value()
    said = ben.context.request.post(
        f"{served.origin}/give",
        form={**form, "csrf": csrf, "text": "Mine?"},
        headers={"Origin": served.origin},
    )
    assert said.status == 400
    assert "reload the page" in said.text()
    ann.page.reload()
    assert "Mine?" not in ann.page.content()


def test_the_next_person_at_the_same_tab_finds_the_form_untouched(serve: Serve, browser: Browser) -> None:
    served = serve(people=("ann", "ben"), protocol=tolerant("debate"))
    ann = Person(browser, served)
    ann.button("Begin")
    ann.marks("B")
    ann.page.get_by_role("slider").fill("93")
    enters(ann.page, served, "ben")
    ann.button("Begin")
    ann.wants("Your verdict")
    assert ann.page.locator("[name=answer]:checked").count() == 0
    assert ann.page.get_by_role("slider").input_value() == "51"


def test_a_browser_forgets_what_was_taken(serve: Serve, browser: Browser) -> None:
    ann = Person(browser, serve(protocol=tolerant("debate")))
    ann.button("Begin")
    ann.marks("B")
    ann.page.reload()
    assert len(kept(ann.page)) == 2
    ann.decides("B")
    ann.sees("You decided for B")
    assert kept(ann.page) == []


def kept(page: Page) -> list[str]:
    """What the tab keeps of the verdict."""
    return [key for key in page.evaluate("Object.keys(sessionStorage)") if key.endswith("/verdict")]


def test_a_page_does_not_go_on_with_another_persons_debate(serve: Serve, browser: Browser) -> None:
    served = serve(people=("ann", "ben"))
    ann = Person(browser, served)
    ann.button("Begin")
    ann.wants("How you lean")
    tab = ann.context.new_page()
    enters(tab, served, "ben")
    expect(tab.locator("#panel.ready")).to_have_count(1)
    tab.get_by_role("button", name="Begin").click()
    expect(tab.get_by_role("form", name="How you lean")).to_be_visible()
    served.cut()
    expect(ann.page.get_by_role("navigation")).to_contain_text("Signed in as ben")


def test_hostile_words_are_inert_and_readable(serve: Serve, browser: Browser) -> None:
    hostile = HOSTILE[:-190_000]
    row = {**ROWS[0], "question": HOSTILE[:900], "answers": [HOSTILE[:300], "no"], "title": HOSTILE[:200]}
    ann = Person(browser, serve(Debater(hostile), rows=(row,), protocol=tolerant()))
    ann.button("Begin")
    ann.wants("How you lean")
    said = ann.page.locator("#said").text_content() or ""
    assert "<script>alert(1)" in said
    assert "⟦U+202E⟧" in (ann.page.locator("h1").text_content() or "")
    assert "\u202e" not in ann.page.content()
    inside = ":is(script, img, iframe, style, form, input, a, base, h1, [hx-get])"
    assert (
        ann.page.locator(f"#said {inside}, .case :is(script, img, iframe, style, form, a, base)").count() == 0
    )
    ann.page.reload()
    ann.wants("How you lean")
    assert ann.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert ann.page.title().startswith("Debate")
    assert ann.noise == []


def test_a_judge_answers_what_a_debater_asks(serve: Serve, browser: Browser, tmp_path: Path) -> None:
    asks = {"who": ["first"], "does": "ask", "to": ["judge"], "told": "Ask the judge."}
    answers = {"who": ["judge"], "does": "answer", "told": "Answer it.", "words": 10}
    asked = protocol("debate").changed(round=[asks, answers])
    speaker = Debater(lambda move: "What is unclear?" if move.step.does == "ask" else "As I said.")
    ann = Person(browser, serve(speaker, protocol=asked))
    ann.button("Begin")
    ann.wants("Your answer")
    ann.sees("What is unclear?", "up to 10 words")
    expect(ann.page.get_by_role("button", name="No question")).to_have_count(0)
    ann.box.fill("The year.")
    ann.button("Say it")
    ann.sees("You answer", "The year.")
    ann.decides("A")
    ann.sees("You decided for A")
    [transcript] = played(tmp_path)
    assert [one.text for one in transcript.said_by("judge")] == ["The year."]
    assert ann.noise == []


def test_a_person_debates_and_is_told_of_a_breach(serve: Serve, browser: Browser, tmp_path: Path) -> None:
    served = serve(protocol=tolerant("debate", "overran", "fabricated"), seat="first", judge=model_judge("A"))
    ann = Person(browser, served)
    ann.button("Begin")
    ann.sees("You argue for it", "The debater argues for it", "four litres up the stair")
    for said in ("Café 漢字 don't – 1,000 🙂 " + "x" * 70, f"It was {MADE_UP}."):
        ann.box.fill(said)
        expect(ann.page.locator(".counted")).to_contain_text(f"{word_count(said)} of up to 60 words")
    ann.box.fill(f"It was <quote>{MADE_UP}</quote>.")
    expect(ann.page.locator(".counted")).to_contain_text(f"{word_count(said)} of up to 60 words")
    ann.button("Say it")
    expect(ann.page.locator(".breach")).to_contain_text("quoted words that are not in the document")
    expect(ann.box).to_have_value(f"It was <quote>{MADE_UP}</quote>.")
    ann.rested(ann.box).fill(f"It was <quote>{TRUE_QUOTE}</quote>.")
    ann.page.keyboard.press("Control+Enter")
    expect(ann.page.locator("#said .says").first).to_contain_text(TRUE_QUOTE)
    ann.box.fill("word " * 91)
    expect(ann.page.locator(".counted.over")).to_be_visible()
    ann.box.fill("As I said.")
    ann.button("Say it")
    ann.sees("The judge holds both for as likely. You earn 50 of 100 points.")
    [transcript] = played(tmp_path)
    assert transcript.metadata["breaches"][0]["rule"] == "fabricated"


SELECT = """([from, to]) => {
    const walk = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    while (walk.nextNode()) {
        const data = walk.currentNode.data;
        if (data.includes(from)) range.setStart(walk.currentNode, data.indexOf(from));
        if (data.includes(to)) { range.setEnd(walk.currentNode, data.indexOf(to) + to.length); break; }
    }
    getSelection().removeAllRanges();
    getSelection().addRange(range);
}"""
LONG = "The light was first lit in 1874 by the keep\u00ader Anna Lund. " + "".join(
    f"On day {n} she carried oil up. " for n in range(120)
)


@pytest.mark.parametrize(
    ("first", "last", "quoted"),
    [
        ("lit in", "er Anna Lund", "lit in 1874 by the keeper Anna Lund"),
        (
            "day 61",
            "day 65",
            LONG[LONG.index("day 61") : LONG.index("day 65") + 6],
        ),  # half of it behind a fold
        ("Anna Lund", "Tell the judge", ""),  # from the document into the form
        ("00AD", "00AD", ""),
    ],
)
def test_what_is_quoted_is_the_documents_own_words(
    serve: Serve, browser: Browser, first: str, last: str, quoted: str
) -> None:
    rows = tuple({**row, "document": LONG} for row in ROWS)
    served = serve(rows=rows, protocol=protocol("debate"), seat="first", judge=model_judge("A"))
    ann = Person(browser, served)
    ann.button("Begin")
    ann.wants("Your statement")
    ann.page.locator(".document .rest summary").click()
    ann.page.evaluate(SELECT, [first, last])
    ann.button("Quote what is selected")
    assert ann.box.input_value() == (f"<quote>{quoted}</quote>" if quoted else "")
    if quoted:
        ann.button("Say it")
        expect(ann.page.locator("#said .check").first).to_have_text("in the document")


def test_three_clicks_quote_the_last_paragraph(serve: Serve, browser: Browser) -> None:
    rows = tuple({**row, "document": "A log.\nIt was first lit in 1874."} for row in ROWS)
    ann = Person(browser, serve(rows=rows, protocol=protocol("debate"), seat="first", judge=model_judge("A")))
    ann.button("Begin")
    ann.wants("Your statement")
    ann.page.locator(".document .text").click(click_count=3, position={"x": 60, "y": 36})
    ann.button("Quote what is selected")
    expect(ann.box).to_have_value("<quote>It was first lit in 1874.</quote>")


def test_what_was_refused_comes_back_as_it_was_written(serve: Serve, browser: Browser) -> None:
    served = serve(protocol=protocol("debate"), seat="first", judge=model_judge("A"))
    ann = Person(browser, served)
    ann.button("Begin")
    text = "می\u200cخواهم 👩\u200d🚀 </textarea><b>\u2028 " + "word " * 120
    ann.box.fill(text)
    ann.button("Say it")
    expect(ann.page.locator(".breach")).to_be_visible()
    expect(ann.box).to_have_value(text.strip())
    ann.page.reload()
    expect(ann.box).to_have_value(text.strip())


def test_who_argues_for_what_is_on_the_page_as_soon_as_it_is_chosen(serve: Serve, browser: Browser) -> None:
    chooses = Debater(lambda move: "1" if move.step.does == "choose" else "So it is.")
    ann = Person(browser, serve(chooses, protocol=tolerant("open_debate")))
    ann.button("Begin")
    ann.sees("So it is.")
    expect(ann.page.locator(".stances")).not_to_contain_text("Nobody")
    expect(ann.page.locator(".stances .side-b")).to_contain_text("The debater argues for it")
    columns = ann.page.locator("#said .says").evaluate_all(
        "all => all.filter(e => e.innerText.includes('So it is')).map(e => e.className.includes('side-a'))"
    )
    assert columns == [True, False] * (len(columns) // 2)  # at once is side by side, whoever chose first


def test_a_person_without_a_judges_leave_sees_no_document_and_nobody_sees_the_answer(
    serve: Serve, browser: Browser
) -> None:
    ann = Person(browser, serve())
    ann.button("Begin")
    ann.leans(30)
    ann.button("No question")
    ann.leans(30)
    ann.button("No question")
    ann.decides("A")
    ann.sees("You decided for A")
    assert "four litres" not in ann.page.content()
    assert "right answer is" not in ann.page.content()


def test_the_right_answer_is_shown_after_the_verdict_where_that_is_asked_for(
    serve: Serve, browser: Browser
) -> None:
    ann = Person(browser, serve(reveal=True, protocol=tolerant("debate")))
    ann.button("Begin")
    ann.wants("Your verdict")
    assert "right answer is" not in ann.page.content()
    ann.decides("A")
    ann.sees("The right answer is")


def test_who_breaks_a_rule_loses_and_the_judge_is_told(serve: Serve, browser: Browser) -> None:
    ann = Person(browser, serve(Debater(f"It was <quote>{MADE_UP}</quote>.")))
    ann.button("Begin")
    ann.sees(
        "for A loses by rule", "Quoted words that are not in the document", "Neither side kept the rules"
    )
    ann.button("Next debate")
    ann.sees("Debate 2 of 2", "Neither side kept the rules")
    expect(ann.page.get_by_role("heading", name="All done, thank you")).to_be_visible()


def test_without_scripts_everything_works(serve: Serve, browser: Browser, tmp_path: Path) -> None:
    ann = Person(browser, serve(), java_script_enabled=False)
    ann.button("Begin")
    ann.wants("How you lean")
    ann.button("Tell")
    ann.asks("Which page?")
    ann.wants("How you lean")
    ann.button("Tell")
    ann.button("No question")
    ann.marks("B")
    ann.page.get_by_label("certain").check()
    ann.button("Decide")
    ann.sees("You decided for B")
    assert [one.metadata["verdict"]["confidence"] for one in played(tmp_path)] == [1.0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_of_it_named_readable_and_within_reach(
    serve: Serve, browser: Browser, scheme: Any
) -> None:
    says = f"It was <quote>{TRUE_QUOTE}</quote> and <quote>{MADE_UP}</quote>."
    served = serve(Debater(says), protocol=tolerant())
    ann = Person(browser, served, viewport=PHONE, has_touch=True, color_scheme=scheme)
    ann.button("Begin")
    for form, onward in {"How you lean": "Tell", "Your question": "No question"}.items():
        ann.wants(form)
        fits(ann.page)
        ann.button(onward)
    ann.leans(40)
    ann.button("No question")
    ann.wants("Your verdict")
    fits(ann.page)
    assert ann.noise == []


@pytest.mark.parametrize(
    ("viewport", "most"), [(DESK, 0.56), ({"width": 1280, "height": 720}, 0.56), (PHONE, 9)]
)
def test_long_answers_leave_the_debate_in_sight(
    serve: Serve, browser: Browser, viewport: Any, most: float
) -> None:
    answers = ["It was so, " + "as the keeper wrote, " * 40 + end for end in ("once.", "twice.")]
    rows = tuple({**row, "answers": answers} for row in ROWS)
    ann = Person(browser, serve(rows=rows, protocol=tolerant("debate")), viewport=viewport)
    ann.button("Begin")
    ann.wants("Your verdict")
    share = ann.page.evaluate("document.querySelector('#panel').offsetHeight / innerHeight")
    assert share < most
    assert (share > 1) == (most > 1)  # where it does not stay in sight it need not scroll by itself
    ann.decides("B", 60)
    ann.sees("You decided for B")


def fits(page: Page) -> None:
    """Nothing is wider than the window, too small for a thumb, without a name or too faint to read."""
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate(AUDIT) == []
    thumbed = "main :is(button, label:has(input[type=radio]), input[type=range], textarea)"
    small = (
        f"[...document.querySelectorAll('{thumbed}')].filter((e) => e.getBoundingClientRect().height < 44)"
    )
    assert page.evaluate(f"{small}.length") == 0
    assert {k: v for k, v in page.evaluate(CONTRAST).items() if v < 4.5} == {}
