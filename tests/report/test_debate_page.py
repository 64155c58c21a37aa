"""The debate section: what the page and the terminal say of protocols before one judge."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import StringIO

import pytest
from debates_samples import (
    Leaning,
    Talker,
    _played,
    debates,
    named_report,
    people_report,
    questions,
    report,
)
from playwright.sync_api import Browser
from rich.console import Console

from gadfly.debate import Debating, ScriptedJudge, cases, known_protocols, protocol
from gadfly.errors import CallError
from gadfly.report import from_runs, print_summary, render, write
from gadfly.report._debate import debate_verdict, section_of
from gadfly.report._debated import Debated
from gadfly.runs import Settings, run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return report(tmp_path_factory.mktemp("debates"))


@pytest.fixture(scope="module")
def page(made) -> str:
    return render(made)


def printed(made, width: int) -> str:
    """What the terminal shows."""
    console = Console(file=StringIO(), width=width)
    print_summary(made, console)
    return console.file.getvalue()


def verdict_of(made, naive: bool = True, judged: str = "", **helped: str):
    """The verdict if these protocols had helped so, and the others had made no clear change.

    `judged` is what they did where no rule decided, if not the same.
    """
    table = made.sections[0].debate.table
    lines = [one for one in table.lines if naive or one.name != "naive"]
    did = [helped.get(one.name, "unclear" if one.helped else None) for one in lines]
    heard = [judged or found if one.name in helped else found for one, found in zip(lines, did, strict=True)]
    changed = zip(lines, did, heard, strict=True)
    return debate_verdict(
        replace(
            table, lines=tuple(replace(one, helped=all_, judged_helped=some) for one, all_, some in changed)
        )
    )


def test_one_sentence_says_that_debate_helped(made):
    level, words = verdict_of(made, quoted_debate="better")
    assert (level, words.startswith("Debate helped this judge here.")) == ("pass", True)
    assert "by way of quoted debate" in words


@pytest.mark.parametrize(
    ("helped", "judged", "said"),
    [
        (
            "better",
            "unclear",
            "makes more verdicts right here, but by its rules: whether it helps this judge where",
        ),
        (
            "better",
            "worse",
            "more verdicts right here, but by its rules: where none decided, quoted debate misled",
        ),
        (
            "worse",
            "unclear",
            "makes fewer verdicts right here, but by its rules: whether it helps this judge where",
        ),
        (
            "worse",
            "better",
            "fewer verdicts right here, but by its rules: where none decided, quoted debate helped",
        ),
    ],
)
def test_what_its_rules_did_is_not_said_of_the_judge(made, helped, judged, said):
    level, words = verdict_of(made, judged=judged, quoted_debate=helped)
    assert (level, said in words) == ("warn", True)
    assert "Debate helped" not in words and "Debate misled" not in words


def test_or_that_it_misled(made):
    level, words = verdict_of(made, quoted_debate="worse")
    assert (level, words.startswith("Debate misled this judge here.")) == ("fail", True)
    assert verdict_of(made, debate_red_team="better", quoted_debate="worse")[0] == "warn"


@pytest.mark.parametrize("helped", ["better", "worse"])
def test_what_something_else_did_is_said_and_is_no_level_of_debate(made, helped):
    level, words = verdict_of(made, consultancy=helped)
    assert level == verdict_of(made)[0] == "inconclusive"
    assert "cannot be told from 80 questions" in words and "by way of consultancy" in words


def test_or_that_it_cannot_be_told_and_nothing_speaks_for_it_until_it_can(made):
    level, words = verdict_of(made)
    assert (level, "cannot be told from 80 questions" in words) == ("inconclusive", True)
    assert "nothing speaks for debate here" in words and "useless" not in words


def test_gains_that_are_small_for_certain_make_debate_useless_where_rules_do_not_hide_it(made):
    table = made.sections[0].debate.table
    none = replace(table.lines[1].gains["naive"], point=0.0, low=-0.03, high=0.03)
    few = {"helped": "unclear", "judged_helped": "unclear", "gains": {"naive": none}}
    for heard, found in ((none, "warn"), (replace(none, high=0.3), "inconclusive")):
        lines = [
            replace(one, **few, judged_gains={"naive": heard}) if one.gains else one for one in table.lines
        ]
        level, words = debate_verdict(replace(table, lines=tuple(lines)))
        assert (level, words.startswith("Debate is useless to this judge here")) == (found, found == "warn")


def test_what_only_the_debates_heard_show_is_said_beside_it(made):
    table = made.sections[0].debate.table
    heard = {"quoted_debate": "better"}
    lines = [
        replace(one, helped="unclear", judged_helped=heard.get(one.name, "unclear")) if one.helped else one
        for one in table.lines
    ]
    level, words = debate_verdict(replace(table, lines=tuple(lines)))
    assert (level, "But where none decided, quoted debate helped" in words) == ("inconclusive", True)


def test_a_judge_that_refuses_most_false_advice_is_not_said_to_believe_anybody(made):
    table = made.sections[0].debate.table
    line = table.line("consultancy")
    believing = replace(line.believed, follows=replace(line.accuracy, point=0.64, low=0.59, high=0.7))
    for low, said in ((0.22, False), (0.51, True)):
        misled = replace(line.accuracy, point=low + 0.05, low=low, high=low + 0.1)
        changed = replace(line, believed=replace(believing, misled=misled))
        findings = section_of(Debated(replace(table, lines=(changed,)))).findings
        assert any("right or wrong" in one for one in findings) == said


def test_how_the_judge_was_asked_is_said_as_it_was(made, people):
    def right(report):
        return dict(report.sections[0].methods)["Right"]

    table = made.sections[0].debate.table
    once = replace(
        table, lines=tuple(replace(one, leaning=replace(one.leaning, flips=None)) for one in table.lines)
    )
    assert "asked twice" in right(made) and "A person meets" in right(people)
    assert "asked once about each" in dict(section_of(Debated(once)).methods)["Right"]


def test_where_nobody_debated_debate_is_not_called_useless(made):
    table = made.sections[0].debate.table
    none = replace(table.lines[1].gains["naive"], point=0.0, low=-0.03, high=0.03)
    lines = [
        replace(one, gains={"naive": none} if one.gains else {}, helped="unclear") for one in table.lines
    ]
    alone = [one for one in lines if not one.protocol.contested]
    level, words = debate_verdict(replace(table, lines=tuple(alone)))
    assert len(alone) > 1 and (level, "No debate was tried" in words) == ("inconclusive", True)


def test_where_no_debate_has_a_verdict_it_is_said_why(made):
    table = made.sections[0].debate.table
    none = replace(table.lines[1].gains["naive"], point=None)
    for unread, said in (
        (True, "no debate has a verdict (both sides lost by rule"),
        (False, "verdict both ways"),
    ):
        lines = [
            replace(
                one,
                gains={"naive": none},
                helped="unclear",
                causes={"both_lost": 8},
                accuracy=replace(one.accuracy, point=None if unread else 0.5),
            )
            if one.gains
            else one
            for one in table.lines
        ]
        level, words = debate_verdict(replace(table, lines=tuple(lines)))
        assert level == "inconclusive" and said in words


def test_a_judge_that_cannot_be_read_alone_is_not_said_to_be_left_out(made):
    table = made.sections[0].debate.table
    alone = table.line("naive")
    unread = replace(alone, accuracy=replace(alone.accuracy, point=None), causes={"no_parse": 6})
    lines = tuple(unread if one.name == "naive" else one for one in table.lines)
    level, words = debate_verdict(replace(table, lines=lines))
    assert level == "inconclusive" and "the judge alone has no verdict (verdict could not be read 6)" in words


def test_without_the_judge_alone_nothing_is_claimed(made):
    level, words = verdict_of(made, naive=False)
    assert (level, "it takes the protocol naive" in words) == ("inconclusive", True)


def test_every_protocol_has_its_line_with_what_is_missing_and_why(page):
    for words in ("Naive", "Consultancy", "Quoted debate", "Debate red team"):
        assert f"<bdi>{words}</bdi>" in page
    assert "verdict could not be read" in page
    assert "made-up quotation" in page


def test_statements_stand_under_their_side_with_verified_words_marked(page):
    assert 'class="turn side-a"' in page
    assert "<mark>The mill of Ervik was built in" in page
    assert "loses by rule: quoted words that are not in the document" in page


def test_what_was_noted_on_the_wrong_side_is_said_of_errors_that_the_judge_was_sure_of(page):
    assert "Sure and wrong, although a flaw was there" in page
    assert "Noted on the wrong side" in page


def test_the_verdict_is_shown_both_ways_round(page):
    assert "when A is listed first" in page


def test_charts_say_in_words_what_they_draw(page):
    assert "How often the judge is right, with 95% intervals" in page
    assert "Is it right as often as it says?" in page


def test_hostile_questions_and_answers_are_inert(page):
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "\u202e" not in page


@pytest.mark.parametrize("width", [80, 120, 220])
def test_the_terminal_shows_every_protocol_within_its_width(made, width):
    said, *_ = re.split("To (?:run|see) it again", printed(made, width))
    assert max(map(len, said.splitlines())) <= width
    assert all(
        words in said for words in ("Naive", "Consultancy", "Expert", "Whom the judge", "How sure it is")
    )


def test_line_by_line_too_it_says_which_rules_decided(made):
    said = " ".join(printed(made, 50).split())
    assert re.search(r"decided by rule: [\d.]+% \[[^]]+\], n = \d+ \(\w+", said)


def test_the_terminal_shows_hostile_text_as_text(made):
    said = printed(made, 220)
    assert "\u202e" not in said and "\x1b" not in said


def test_no_share_stands_in_the_terminal_without_an_interval(made):
    lines = [one for one in printed(made, 400).splitlines() if "%" in one]
    assert lines and all("[" in one or "could still be" in one for one in lines)


def test_a_report_of_runs_knows_debates(tmp_path):
    found = from_runs(debates(tmp_path, Leaning(), ("naive", "debate"), n=6))
    assert found.title.startswith("Does debate help")
    assert [section.title for section in found.sections] == ["Debate"]


class Down(Talker):
    """A debater whose service is down every third time."""

    def spec(self):
        return {"talker": 2}

    async def say(self, move):
        if move.seed % 3 == 0:
            raise CallError("It is down.", "server_error")
        return await super().say(move)


def test_what_is_not_there_is_said_with_how_to_go_on(tmp_path):
    rows = questions(12)
    [run, whole] = [asyncio.run(_played(tmp_path, "debate", Leaning(), rows, one)) for one in (Down(), None)]
    failed = sum(one.outcome == "failed" for one in run.transcripts())
    assert 0 < failed < 24
    longer = run.save(cases=run.info["cases"] + 20)
    cut, again, *_ = from_runs([longer, whole]).sections[0].findings
    assert cut == f"Cut short: 24 of 44 cases of {run.id} are here. To go on: gadfly resume {run.id}"
    assert (
        again
        == f"{failed} cases of {run.id} failed. To play them again: gadfly resume {run.id} --retry-failed"
    )
    for part in (whole.path / "judgements").rglob("*.*"):
        part.unlink()
    [waiting, *_] = from_runs([whole]).sections[0].findings
    assert (
        waiting == f"Cut short: 24 cases of {whole.id} are not judged yet. To go on: gadfly resume {whole.id}"
    )


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """The report of a judge that only names answers."""
    return named_report(tmp_path_factory.mktemp("named"))


def test_of_a_judge_without_probabilities_nothing_is_said_of_how_sure_it_is(named):
    shown = render(named)
    assert "The judge gave no probabilities: where the two orders" in shown
    assert not any(words in shown for words in ("Sure and wrong", "% sure", "Gives A", "as it says?"))
    assert "gives no probabilities.</span>" in shown


def test_and_the_terminal_says_so_too(named):
    said = printed(named, 220)
    sure = [one for one in said.splitlines() if one.startswith(("Mean prob", "Brier", "Prefers"))]
    assert len(sure) == 4 and all(one.count("not available") == 2 for one in sure)
    assert "Wrong, to read:" in said and "Sure and wrong" not in said


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """The report of two people's runs."""
    return people_report(tmp_path_factory.mktemp("people"))


def test_several_people_are_spoken_of_as_several(people):
    assert "these judges" in people.verdict and "this judge" not in people.verdict


def test_a_report_of_people_names_them(people):
    assert people.title == "Does debate help ann and ben?"
    assert people.target.startswith("judges ann and ben")
    assert "were put to ann and ben in 2 ways" in people.sections[0].summary


def test_people_together_and_one_by_one_stand_in_the_page_and_the_terminal(people):
    shown, said = render(people), printed(people, 220)
    for words in ("Debate (people, 2 of them)", "Debate (ann)", "Debate (ben)"):
        assert f"<bdi>{words}</bdi>" in shown and words in said
    assert "Decides for what is listed first" in shown
    assert "judge verdict" not in said


@pytest.mark.parametrize("width", [390, 800, 1200])
def test_nothing_is_wider_than_the_window(
    made, browser: Browser, tmp_path, width
):  # what is made runs a loop of its own
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(write(made, tmp_path / "debates.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.close()


@pytest.fixture(scope="module")
def of_all(tmp_path_factory):
    """A report of every protocol that ships, on a few questions."""
    judge = Leaning(bias=3.0, sway=0.7, name="judge:smollm2")
    return from_runs(aside(tmp_path_factory.mktemp("all"), judge, known_protocols(), n=4))


def aside(*given, **named):
    """Debates played in another thread: a browser that has begun leaves a running loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(debates, *given, **named).result()


def test_however_many_protocols_what_a_figure_is_can_be_read(of_all, browser: Browser, tmp_path):
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    page.goto(write(of_all, tmp_path / "all.html").as_uri())
    widths = page.locator(".figures tbody th").evaluate_all("all => all.map(e => e.offsetWidth)")
    assert len(widths) > 10 and min(widths) > 150
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.close()


def test_a_person_who_argues_is_named_and_nothing_plays_them_again(tmp_path):
    class Ann(Talker):
        def spec(self):
            return {"person": "ann"}

    def play():
        found = protocol("debate")
        game = Debating(found, {"first": Ann(), "second": Talker()}, ScriptedJudge())
        settings = Settings(tmp_path, progress=False)
        return asyncio.run(
            run(game, cases(questions(2), found)[::2], [Leaning(name="judge:m")], settings=settings)
        )

    with ThreadPoolExecutor(1) as thread:
        found = from_runs([thread.submit(play).result()])
    assert "argued by ann" in found.target
    assert found.provenance.reproducible == "A person took part: nothing plays them again."
    assert "A person meets each question once" in dict(found.sections[0].methods)["Right"]


def test_where_nobody_argued_it_is_said_what_the_judge_saw(tmp_path):
    judge = Leaning(name="judge:smollm2")
    alone, expert = aside(tmp_path, judge, ("naive", "expert"), n=3)
    said = [from_runs(runs).verdict for runs in ([alone], [expert], [alone, expert])]
    assert [one.partition("alone")[2] for one in said] == [
        ".",
        " with the document before it.",
        ", without the document and with it.",
    ]


def test_what_holds_of_many_protocols_is_said_once(of_all):
    [section] = of_all.sections
    [flips] = [
        one for one in section.findings if one.startswith("The order of listing the answers alone changes")
    ]
    assert "; Naive (" in flips and "; Debate (" in flips
