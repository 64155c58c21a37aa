"""The page of plots: the lazy and the tired rater are named, gold is kept apart, hostile names stay text."""

from __future__ import annotations

import json
from importlib.resources import files
from types import SimpleNamespace

import pytest
from agreement_samples import CAREFUL, LAZY, TIRED, queue

from gadfly.errors import InputError
from gadfly.pages import environment, tokens
from gadfly.review._agreement import agreement_view
from gadfly.review._records import NewItem, QueueSpec, Round
from gadfly.review._store import Store

STATIC = files("gadfly.review") / "static"
HOSTILE = [
    '<script>alert("x")</script>',
    "{{ 7 * 7 }}",
    "datum.value = 1",
    "</title><img src=x onerror=y>",
    "w" * 100,
]


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    with Store(f"sqlite:///{tmp_path_factory.mktemp('agreement') / 'labels.db'}") as store:
        queue(store, items=900)
        yield store


@pytest.fixture(scope="module")
def view(people):
    return agreement_view(people, "people")


@pytest.fixture
def store(tmp_path):
    with Store(f"sqlite:///{tmp_path / 'labels.db'}") as store:
        yield store


def said(case, rater, value, **more):
    return {"run": "run", "case_id": case, "rater": rater, "value": value, **more}


def filled(store, lines, kind="label", gold=None):
    """The view of a queue "q" that holds these labels; `gold` maps cases to their truth."""
    gold = gold or {}
    store.create(QueueSpec("q", kind=kind, double_share=0.0))
    cases = dict.fromkeys(line["case_id"] for line in lines if line["case_id"] not in gold)
    store.add_round("q", Round("run"), [NewItem("run", case, {}) for case in cases])
    store.add_gold("q", [NewItem("run", case, {}, gold=truth) for case, truth in gold.items()])
    store.import_("q", [json.dumps(line) for line in lines])
    return agreement_view(store, "q")


def page(view):
    """The page as a lead gets it, in a frame of stand-ins."""
    env = environment("gadfly.review")
    spec = SimpleNamespace(name=view.queue)
    env.globals |= {"desk": SimpleNamespace(spec=spec, guidelines=None, asks=None)}
    env.globals |= {"asset": lambda name: f"/static/{name}"}
    visit = SimpleNamespace(leads=True, rater=SimpleNamespace(name="lea"))
    return env.get_template("agreement.html.j2").render(visit=visit, view=view, title="Agreement")


def styled(html):
    """The page with its styles inside, as nothing serves it here."""
    sheets = [tokens(), *((STATIC / name).read_text() for name in ("review.css", "agreement.css"))]
    return html.replace("</head>", f"<style>{' '.join(sheets)}</style></head>")


def test_the_rater_who_hardly_looks_is_named_for_what_they_miss_and_for_their_haste(view):
    about = [finding for finding in view.findings if finding.startswith(LAZY)]
    assert "finds few of the failures" in about[0] and "for an item, the others" in about[1]
    assert any(finding.startswith(f"Without {LAZY} alpha would be") for finding in view.findings)


def test_the_rater_who_tires_is_named_and_the_careful_ones_are_not(view):
    assert any(
        finding.startswith(f"{TIRED} changed") and "agrees less" in finding for finding in view.findings
    )
    assert not any(finding.startswith(CAREFUL) for finding in view.findings)


def test_the_table_has_a_row_for_each_rater_with_all_its_figures(view):
    assert [row.name for row in view.raters] == ["ann", "bob", "cid", "dan", "eve"]
    assert all(row.confusion and row.confusion.sensitivity.n > 20 and row.seconds for row in view.raters)
    assert all(27 <= row.drift.gold.n <= 30 for row in view.raters)


def test_what_help_changed_is_counted_on_answers_and_on_gold(view):
    assert view.help.changed.n > 100 and 0 < view.help.changed.point < 0.2
    assert view.help.before.n == view.help.after.n == view.help.gained.n > 10


def test_the_page_links_every_conflict_and_shows_every_chart(people, view):
    html = page(view)
    assert all(
        f'href="/lead#item-{conflict.item.id}"' in html for conflict in people.conflicts("people")[:500]
    )
    assert html.count("<figure") == 4 and html.count('class="chart-narrow"') == 4
    assert "{{" not in html and "None" not in html


def test_gold_does_not_count_as_agreement(store):
    lines = [
        said(f"g{n}", rater, "fails" if n % 2 else "passes") for n in range(20) for rater in ("ann", "bob")
    ]
    found = filled(store, lines, gold={f"g{n}": bool(n % 2) for n in range(20)})
    assert found.alpha.point is None
    assert found.reading == "Agreement cannot be stated yet: no item was answered by two people."
    assert [row.drift.gold.point for row in found.raters] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("bob", "reading"),
    [
        ("0011" * 40, "People agree:"),
        ("0110" * 40, "People do not agree enough"),
        ("0011" * 2, "Not settled"),
    ],
)
def test_alpha_is_read_in_plain_words(store, bob, reading):
    says = {"0": "passes", "1": "fails"}
    lines = [said(f"c{n}", "bob", says[c]) for n, c in enumerate(bob)]
    lines += [said(f"c{n}", "ann", says[c]) for n, c in enumerate(("0011" * 40)[: len(bob)])]
    assert filled(store, lines).reading.startswith(reading)


def test_an_empty_queue_gives_a_page_that_says_so(store):
    store.create(QueueSpec("q"))
    found = agreement_view(store, "q")
    assert (found.labels, found.raters, found.error, found.help) == (0, (), None, None)
    assert "Agreement cannot be stated yet" in page(found)


def test_an_unknown_queue_is_refused(store):
    with pytest.raises((InputError, LookupError), match="nowhere"):
        agreement_view(store, "nowhere")


def test_one_rater_alone_gives_a_page(store):
    found = filled(store, [said("c1", "ann", "fails"), said("c2", "ann", "cannot_tell")])
    assert found.raters[0].confusion.sensitivity.point is None and found.error is None
    assert "none yet" in page(found)


def test_comparisons_have_agreement_but_no_sensitivity(store):
    lines = [said(f"c{n}", r, ("first", "second", "tie")[n % 3]) for n in range(30) for r in ("ann", "bob")]
    found = filled(store, lines, kind="compare")
    assert found.alpha.point == 1.0 and found.raters[0].confusion is None and found.error is None
    assert "not asked" in page(found)


def test_a_help_that_corrects_gold_is_seen_to(store):
    first = {"value": "passes", "seconds": 5, "at": "2026-01-05T09:00:00+00:00"}
    lines = [said(f"g{n}", "ann", "fails", first=first) for n in range(12)]
    found = filled(store, lines, gold={f"g{n}": True for n in range(12)}).help
    assert (found.changed.point, found.before.point, found.after.point, found.gained.point) == (1, 0, 1, 1)


def test_a_comparers_turn_to_the_second_is_not_called_flagging_less(store):
    lines = [said(f"c{n}", "ann", "first" if n < 60 else "second") for n in range(120)]
    assert filled(store, lines, kind="compare").findings == ()


def test_for_claims_a_failure_is_the_answer_no(store):
    lines = [said(f"c{n}", who, ("yes", "no")[n % 2]) for n in range(20) for who in ("ann", "bob")]
    view = filled(store, lines, kind="supported")
    assert view.failing == "Not supported"
    assert view.raters[0].confusion is not None
    assert "A failure is an item whose answer is “not supported”." in page(view)


def test_names_of_raters_are_text(store):
    lines = [said(f"c{n}", name, "fails" if n % 3 else "passes") for n in range(24) for name in HOSTILE]
    html = page(filled(store, lines))
    assert "<script>alert" not in html and "<img" not in html
    assert "&lt;script&gt;alert" in html and "{{ 7 * 7 }}" in html


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_page_fits_its_window_and_says_nothing_to_the_console(store, browser, width):
    lines = [
        said(f"c{n}", name, "fails" if n % 3 else "passes", seconds=9) for n in range(24) for name in HOSTILE
    ]
    tab, noise = browser.new_page(viewport={"width": width, "height": 800}), []
    tab.on("console", lambda message: noise.append(message.text))
    tab.on("dialog", lambda dialog: noise.append(dialog.message))
    tab.set_content(styled(page(filled(store, lines))))
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert [message for message in noise if "ERR_" not in message] == []
    tab.close()
