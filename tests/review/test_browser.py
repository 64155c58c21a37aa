"""The page in a real browser: thirty items by keyboard, hostile text inert, a phone, no scripts, a screen reader."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from claim_samples import CLAIM, QUESTION, QUOTED, Told, answered, claims, passage, quote_of, tells
from page_samples import QUEUE, filled, shows
from playwright.sync_api import Browser, BrowserContext, Page, expect

from gadfly.models import System, scripted
from gadfly.review._app import app, listen, server
from gadfly.review._asked import asked_queue
from gadfly.review._quoted import claim_payload
from gadfly.review._security import Serving
from gadfly.review._store import Store

RESTED_MS = 300  # the page takes no answer for an item that has only just appeared
DESK, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}

HOSTILE = (
    "<script>alert(1); document.title='owned'</script><img src=x onerror=alert(2)><style>*{display:none}</style>\n"
    "<a href='javascript:alert(3)'>click</a> <iframe srcdoc='<script>parent.alert(4)</script>'></iframe>\n"
    "</div></article></main><h1>owned</h1><form action='https://evil.example'><input autofocus></form>\n"
    "<div hx-get='https://evil.example/' hx-trigger='load' hx-on::load='alert(5)'>hx</div><base href=//evil.example>\n"
    "{{ 7 * 7 }} {% include 'secret' %} ${7*7} <%= 7 %> #{7}\n"
    "\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x07link\x1b]8;;\x07 \x00 \x07\n"
    "safe \u202egnp.exe\u202c \u2066mixed\u2069 zero\u200bwidth a" + "\u0301" * 400 + "\n"
) + "A" * 200_000


class Seat:
    """A rater in front of a browser: what they see, and every noise the page made."""

    def __init__(self, context: BrowserContext, origin: str, link: str) -> None:
        self.context, self.origin = context, origin
        self.page: Page = context.new_page()
        self.noise: list[str] = []
        self.page.on("console", lambda message: self.noise.append(message.text))
        self.page.on("pageerror", lambda error: self.noise.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.noise.append(dialog.message), dialog.dismiss()))
        self.page.on(
            "request", lambda r: None if r.url.startswith((origin, "data:")) else self.noise.append(r.url)
        )
        self.page.goto(link)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def answered(self, key: str) -> None:
        """Press an answer's key once the item rests, and wait for the next page."""
        count = self.page.locator(".count").inner_text()
        self.page.wait_for_timeout(RESTED_MS)
        self.press(key)
        expect(self.page.locator(".count", has_text=re.compile(f"^{count}$"))).to_have_count(0)

    def wider_than_the_window(self) -> int:
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))


Sit = Callable[..., Seat]


@pytest.fixture
def sit(browser: Browser, tmp_path: Path) -> Iterator[Sit]:
    """`sit(payloads, …)`: a server with those items, and a browser that opened ann's link to it and began."""
    running: list[tuple[Any, threading.Thread, Store, BrowserContext]] = []

    def seated(
        payloads: Sequence[Mapping[str, Any]] | int = 3,
        *,
        helper: System | None = None,
        ask: Any = None,
        name: str = "ann",
        role: Any = "rater",
        begin: bool = True,
        spec: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Seat:
        store = filled(tmp_path, payloads, **{"double_share": 0, "gold_share": 0} | dict(spec or {}))
        serving = Serving(port=0)
        listener = listen(serving.host, 0)
        page = server(app(store, QUEUE, serving, helper=helper, ask=ask), serving)
        thread = threading.Thread(target=page.run, kwargs={"sockets": [listener]})
        thread.start()
        origin = serving.origin(listener.getsockname()[1])
        context = browser.new_context(**{"viewport": DESK} | options)
        running.append((page, thread, store, context))
        seat = Seat(context, origin, f"{origin}/enter/{store.add_rater(QUEUE, name, role)}")
        seat.store = store  # type: ignore[attr-defined]
        if begin:
            seat.page.goto(f"{origin}/")
        return seat

    yield seated
    for page, thread, store, context in running:
        context.close()
        page.should_exit = True
        thread.join(20)
        store.close()


def votes(seat: Seat) -> list[Any]:
    return [label.vote for label in seat.store.ratings(QUEUE)]  # type: ignore[attr-defined]


def test_a_rater_labels_thirty_items_by_keyboard_alone(sit: Sit) -> None:
    seat = sit(30, begin=False)
    seat.press("Enter")
    for n in range(30):
        expect(seat.page.locator(".count")).to_have_text(f"Item {n + 1}")
        if n % 10 == 0:
            seat.press("r")
            seat.page.keyboard.type("It names 1 job.")
            seat.press("Escape")
        seat.answered("1f2d3c"[n % 6])
    expect(seat.page.get_by_role("heading", name="All done, thank you")).to_be_focused()
    values = [vote.answer.value for vote in votes(seat)]
    assert values == ["fails", "fails", "passes", "passes", "cannot_tell", "cannot_tell"] * 5
    assert [vote.answer.reason for vote in votes(seat)].count("It names 1 job.") == 3
    assert seat.noise == []


def test_a_hostile_transcript_is_inert_and_readable(sit: Sit) -> None:
    seat = sit([shows(HOSTILE, HOSTILE), shows("?", "!")])
    seat.press("o")
    said = seat.page.locator("#item").text_content() or ""
    assert "<script>alert(1)" in said
    assert "{{ 7 * 7 }}" in said
    assert "⟦U+202E⟧" in said
    assert "\u202e" not in said
    assert said.count("A") == 400_000
    assert (
        seat.page.locator("#item :is(script, img, iframe, style, form, input, a, base, h1, [hx-get])").count()
        == 0
    )
    seat.answered("1")
    assert seat.page.title().startswith("Item 2")
    assert seat.noise == []


@pytest.mark.parametrize("viewport", [PHONE, {"width": 320, "height": 640}, DESK])
def test_nothing_is_wider_than_the_window(sit: Sit, viewport: dict[str, int]) -> None:
    two = {"first": shows(HOSTILE, HOSTILE), "second": shows("?", HOSTILE)}
    seat = sit([two], spec={"kind": "compare"}, viewport=viewport, role="lead")
    seat.press("o")
    assert seat.wider_than_the_window() <= 0
    for path in ("/guidelines", "/start", "/lead", "/lead/agreement", "/nowhere"):
        seat.page.goto(seat.origin + path)
        assert seat.wider_than_the_window() <= 0, path


def test_hostile_names_reasons_and_rules_stay_text(sit: Sit) -> None:
    name = "<script>alert(1)</script>"
    rules = "1. **<img src=x onerror=alert(1)>** [a](javascript:alert(2)) <b>bold</b> nurse {{ 7*7 }}"
    seat = sit([shows("nurse?", "nurse")], name=name, spec={"guidelines": rules, "question": HOSTILE[:900]})
    seat.press("g")
    expect(seat.page.locator("#rules ol")).to_contain_text("<b>bold</b>")
    assert seat.page.locator("body img, body script").count() == 0
    assert seat.noise == []


CLAIMS = {"kind": "supported", "question": "", "guidelines": ""}


def test_claims_are_judged_by_keyboard_with_the_quote_in_sight(sit: Sit) -> None:
    seat = sit(claims(3), spec=CLAIMS)
    for key in "yn3":
        expect(seat.page.locator("mark")).to_have_text(QUOTED)
        expect(seat.page.locator("mark")).to_be_in_viewport()
        seat.answered(key)
    assert [vote.answer.value for vote in votes(seat)] == ["yes", "no", "cannot_tell"]
    assert seat.noise == []


def test_a_hostile_claim_and_its_passage_are_inert(sit: Sit) -> None:
    hostile = passage(HOSTILE, title=HOSTILE[:300], source=HOSTILE[:300])
    quote = quote_of(hostile, "{{ 7 * 7 }} {% include 'secret' %}", "<h1>owned</h1><form", "safe \u202egnp")
    seat = sit([claim_payload(answered(HOSTILE, [quote], [hostile], HOSTILE))], spec=CLAIMS)
    seat.press("o")
    assert seat.page.locator("#item .cited mark").all_inner_texts() == [
        "<h1>owned</h1><form",
        "{{ 7 * 7 }} {% include 'secret' %}",
        "safe ⟦U+202E⟧gnp",
    ]
    assert seat.page.locator("#item :is(script, img, iframe, style, form, input, a, base, h1)").count() == 0
    assert seat.page.title().startswith("Item 1")
    assert seat.noise == []


ASKED = Told(answered(), confidence=0.83, others=(answered("It burns for ten hours."),))


@pytest.mark.parametrize("scripts", [True, False])
def test_a_person_asks_reads_and_judges_on_a_phone(sit: Sit, scripts: bool) -> None:
    phone = {"viewport": PHONE, "has_touch": True, "java_script_enabled": scripts}
    seat = sit(1, ask=tells(ASKED), **phone)
    seat.page.get_by_role("link", name="Ask", exact=True).tap()
    seat.page.get_by_label("Question", exact=True).fill(QUESTION)
    seat.page.get_by_role("button", name="Ask", exact=True).tap()
    expect(seat.page.locator(".judged")).to_contain_text(CLAIM)
    expect(seat.page.locator("mark").first).to_have_text(QUOTED)
    for choice in ("Plausible", "Supported", "Not true"):
        seat.page.get_by_label(choice, exact=True).tap()
    seat.page.get_by_role("button", name="Store what I chose").tap()
    expect(seat.page.locator(".stored")).to_be_visible()
    said = [seat.store.ratings(asked_queue(QUEUE, kind)) for kind in ("plausible", "supported", "true")]  # type: ignore[attr-defined]
    assert [label.vote.answer.value for [label] in said] == ["yes", "yes", "no"]
    assert seat.noise == []


def test_enter_in_the_question_box_asks(sit: Sit) -> None:
    seat = sit(1, ask=tells(ASKED))
    seat.page.goto(f"{seat.origin}/ask")
    seat.page.get_by_label("Question", exact=True).fill(QUESTION)
    seat.page.get_by_label("Question", exact=True).press("Enter")
    expect(seat.page.locator(".judged")).to_contain_text(CLAIM)


REFUSED = Told(
    answered(HOSTILE, [], []), True, HOSTILE[:900], HOSTILE[:900], passage(HOSTILE), 0.2, (answered(HOSTILE),)
)


@pytest.mark.parametrize("told", [ASKED, REFUSED], ids=["answered", "refused"])
@pytest.mark.parametrize("viewport", [PHONE, {"width": 320, "height": 640}, DESK])
def test_what_was_asked_fits_its_window_is_named_and_can_be_touched(
    sit: Sit, told: Told, viewport: dict[str, int]
) -> None:
    seat = sit(1, ask=tells(told), viewport=viewport)
    seat.page.goto(f"{seat.origin}/ask")
    seat.page.get_by_label("Question", exact=True).fill(HOSTILE[:900])
    seat.page.get_by_role("button", name="Ask", exact=True).click()
    expect(seat.page.locator("#came")).to_be_visible()
    seat.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert seat.wider_than_the_window() <= 0
    assert seat.page.evaluate(AUDIT) == []
    thumbed = "main :is(button, label:has(input[type=radio]), summary, input[type=text])"
    small = f"[...document.querySelectorAll('{thumbed}')]"
    assert seat.page.evaluate(f"{small}.filter((e) => e.getBoundingClientRect().height < 44).length") == 0
    assert {k: v for k, v in seat.page.evaluate(CONTRAST).items() if v < 4.5} == {}
    assert seat.noise == []


def test_undo_by_key_brings_the_item_back(sit: Sit) -> None:
    seat = sit(3)
    seat.answered("2")
    seat.answered("u")
    expect(seat.page.locator(".count")).to_have_text("Item 1")
    expect(seat.page.get_by_role("status")).to_have_text("Taken back. Answer it again. Item 1")
    assert votes(seat) == []


def test_a_key_meant_for_the_last_item_does_not_answer_the_next(sit: Sit) -> None:
    seat = sit(3)
    expect(seat.page.locator("form[data-htmx-powered]").first).to_be_visible()  # until then the page is left
    seat.page.wait_for_timeout(RESTED_MS)
    seat.page.evaluate(
        "stopped => { performance.now = () => stopped }", seat.page.evaluate("performance.now()")
    )
    seat.press("1")
    expect(seat.page.locator(".count")).to_have_text("Item 2")
    seat.press("1", "1", "1")
    expect(seat.page.locator(".count")).to_have_text("Item 2")
    assert len(votes(seat)) == 1


def test_letters_in_the_reason_answer_nothing_and_enter_sends_nothing(sit: Sit) -> None:
    seat = sit(3)
    seat.page.wait_for_timeout(RESTED_MS)
    seat.press("r")
    seat.page.keyboard.type("fdc123u?g")
    seat.press("Enter")
    expect(seat.page.get_by_label("Why, in one sentence")).to_have_value("fdc123u?g")
    expect(seat.page.get_by_label("Why, in one sentence")).not_to_be_focused()
    assert votes(seat) == []


def test_the_keys_and_the_rules_are_one_key_away(sit: Sit) -> None:
    seat = sit(3)
    seat.press("?")
    expect(seat.page.get_by_role("dialog", name="Keys")).to_be_visible()
    seat.press("1", "?")
    expect(seat.page.get_by_role("dialog", name="Keys")).to_be_hidden()
    seat.press("g")
    expect(seat.page.get_by_role("dialog", name="All rules")).to_contain_text("Figures of speech")
    seat.press("Escape")
    expect(seat.page.get_by_role("dialog", name="All rules")).to_be_hidden()
    assert votes(seat) == []


def test_the_models_rule_takes_the_place_of_the_searchs(sit: Sit) -> None:
    seat = sit(3, helper=System(scripted("4. Nobody can know.")))
    expect(seat.page.get_by_role("complementary")).to_contain_text("Nobody can know.")
    seat.answered("1")
    assert votes(seat)[0].answer.rule == 4


def test_a_second_look_is_kept_by_one_key(sit: Sit) -> None:
    seat = sit(3, helper=System(scripted("3. Is it meant literally?")))
    seat.press("r")
    seat.page.keyboard.type("A job.")
    seat.press("Escape")
    seat.answered("1")
    expect(seat.page.locator(".stored")).to_have_text(
        "You answered fails, and that is stored. Does rule 3 change it?"
    )
    seat.answered("k")
    expect(seat.page.locator(".count")).to_have_text("Item 2")
    assert votes(seat)[0].pointed_out == 3
    assert seat.noise == []


def test_a_lost_connection_is_said_and_loses_nothing(sit: Sit) -> None:
    seat = sit(3)
    seat.press("r")
    seat.page.keyboard.type("My reason")
    seat.press("Escape")
    seat.page.wait_for_timeout(RESTED_MS)
    seat.context.set_offline(True)
    seat.press("1")
    expect(seat.page.get_by_role("status")).to_contain_text("the server cannot be reached")
    expect(seat.page.get_by_label("Why, in one sentence")).to_have_value("My reason")
    seat.context.set_offline(False)
    seat.answered("1")
    assert votes(seat)[0].answer.reason == "My reason"


def test_a_refusal_is_said_in_the_status_and_the_form_stays(sit: Sit) -> None:
    seat = sit(3)
    seat.page.wait_for_timeout(RESTED_MS)
    seat.store.revoke(QUEUE, "ann")  # type: ignore[attr-defined]
    seat.press("1")
    expect(seat.page.get_by_role("status")).to_contain_text("withdrawn")
    expect(seat.page.get_by_role("button", name="Fails", exact=True)).to_be_visible()


def test_without_scripts_everything_works(sit: Sit) -> None:
    seat = sit(2, java_script_enabled=False)
    assert not seat.page.get_by_role("button", name="Keys").is_visible()
    seat.page.get_by_label("Why, in one sentence").fill("A job.")
    seat.page.get_by_label("Why, in one sentence").press("Enter")
    assert votes(seat) == []
    seat.page.get_by_role("button", name="Fails", exact=True).click()
    expect(seat.page.get_by_text("Recorded: fails.")).to_be_visible()
    seat.page.get_by_role("button", name="Undo").click()
    expect(seat.page.get_by_text("Taken back.")).to_be_visible()
    seat.page.get_by_role("link", name="Rules").click()
    expect(seat.page.get_by_role("heading", name="The rules")).to_be_visible()


def test_a_thumb_reaches_everything_on_a_phone(sit: Sit) -> None:
    seat = sit([shows("?", "A long reply. " * 400)] * 2, viewport=PHONE, has_touch=True)
    boxes = [c.bounding_box() for c in seat.page.locator("button:visible, a:visible, input:visible").all()]
    small = [box for box in boxes if box and box["x"] >= 0 and (box["height"] < 44 or box["width"] < 24)]
    assert small == []
    fails = seat.page.get_by_role("button", name="Fails", exact=True)
    expect(fails).to_be_in_viewport(ratio=1)
    seat.page.wait_for_timeout(RESTED_MS)
    fails.tap()
    expect(seat.page.locator(".count")).to_have_text("Item 2")


# --- a screen reader --------------------------------------------------------------------------------------


def test_a_screen_reader_finds_landmarks_headings_and_names(sit: Sit) -> None:
    seat = sit(3)
    tree = seat.page.locator("body").aria_snapshot()
    for part in (
        "- banner:", "- main:", '- navigation "Page":', '- progressbar "Items done"', '- heading "Does the reply',
        '- article "What was said":', '- heading "Questioner" [level=3]', "the reply to judge", "- status",
        '- complementary "The rule for this item":', '- form "Your answer":', '- group "Answer":', '- button "Fails"',
        '- textbox "Why, in one sentence (optional)"',
    ):  # fmt: skip
        assert part in tree, f"{part} is not in:\n{tree}"


def test_after_an_answer_focus_and_voice_are_at_the_new_item(sit: Sit) -> None:
    seat = sit(3)
    seat.answered("1")
    expect(seat.page.get_by_role("heading", level=1)).to_be_focused()
    expect(seat.page.get_by_role("status")).to_have_text("Recorded: fails. Item 2")


@pytest.mark.parametrize("path", ["/", "/start", "/guidelines", "/lead", "/lead/agreement", "/nowhere"])
def test_every_page_has_one_title_one_main_one_first_heading_and_named_controls(sit: Sit, path: str) -> None:
    seat = sit(3, role="lead")
    seat.page.goto(seat.origin + path)
    faults = seat.page.evaluate(AUDIT)
    assert faults == []
    assert seat.noise == [] or path == "/nowhere"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_by_aa_contrast(sit: Sit, scheme: str) -> None:
    seat = sit([shows("sleep?", "I sleep. \u202e <b>"), shows("?", "!")], color_scheme=scheme)
    seat.press("?")
    assert {k: v for k, v in seat.page.evaluate(CONTRAST).items() if v < 4.5} == {}


AUDIT = """() => {
  const faults = [];
  const one = (q) => { const n = document.querySelectorAll(q).length; if (n !== 1) faults.push(`${n} × ${q}`); };
  ["title", "main", "main h1", "html[lang]"].forEach(one);
  const name = (e) => (e.getAttribute("aria-label") || e.labels?.[0]?.textContent || e.textContent || "").trim();
  for (const e of document.querySelectorAll("button, a, input:not([type=hidden]), summary, progress, dialog"))
    if (!e.hidden && !name(e)) faults.push(`no name: ${e.outerHTML.slice(0, 80)}`);
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push(`twice: #${id}`);
  let level = 0;
  for (const h of document.querySelectorAll("main :is(h1, h2, h3, h4)")) {
    const next = Number(h.tagName[1]);
    if (level && next > level + 1 && !h.closest("article")) faults.push(`h${level} then h${next}`);
    level = next;
  }
  for (const e of document.querySelectorAll("[style], [onclick], style")) faults.push(`inline: ${e.tagName}`);
  for (const e of document.querySelectorAll("[tabindex]")) if (e.tabIndex > 0) faults.push("a positive tabindex");
  return faults;
}"""

CONTRAST = """() => {
  const light = (c) => {
    const [r, g, b] = c.match(/[0-9.]+/g).map((v) => v / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if (!c.startsWith("rgba(0, 0, 0, 0")) return light(c);
    }
    return light("rgb(255,255,255)");
  };
  const out = {};
  for (const e of document.querySelectorAll("#desk *, #keys *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (own && e.checkVisibility())
      out[`${e.tagName}.${e.className}`] = ratio(behind(e), light(getComputedStyle(e).color));
  }
  return out;
}"""
