"""Labels out and in again as JSON lines, on both databases."""

import json
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from review_desk import Clock, Desk, drawn

from gadfly.errors import GadflyError, InputError
from gadfly.review._records import Answer, QueueSpec, Round
from gadfly.review._transfer import parsed

Desks = Callable[..., Desk]


def line(**fields: object) -> str:
    return json.dumps({"run": "run", "case_id": "c0", "rater": "zoe", "value": "fails", **fields})


def lively(at: Desk) -> None:
    """Labels of every kind: a second answer after help, a reason, a conflict and its decision."""
    given = at.store.next(at.rater("ann").id)
    at.store.answer(given.id, at.rater("ann").id, Answer("passes", "Polite.", 4.5, 2))
    at.store.point_out(given.id, at.rater("ann").id, 7, "An age.")
    at.store.answer(given.id, at.rater("ann").id, Answer("fails", "He is 28.", 3.0), attempt=2)
    at.says("bob", "passes"), at.says("bob", "cannot_tell")
    [conflict, _] = at.store.conflicts("claims")
    at.store.resolve(conflict.item.id, at.rater("lea", "lead").id, Answer("fails", "Rule 7."))


def test_what_one_store_exports_another_imports_to_the_same_labels(desk: Desks) -> None:
    at = desk(3, raters=2)
    lively(at)
    lines = [json.dumps(label) for label in at.store.export("claims")]
    at.store.create(QueueSpec("copy", raters=2))
    at.store.add_round("copy", Round("run"), drawn(3))
    assert at.store.import_("copy", [text.replace('"claims"', '"copy"') for text in lines]) == 4
    copied = [json.dumps(label).replace('"copy"', '"claims"') for label in at.store.export("copy")]
    assert copied == lines
    assert [c.item.case_id for c in at.store.conflicts("copy")] == ["c1"]


def test_the_version_is_that_of_the_labels_and_changes_with_any(desk: Desks) -> None:
    at = desk(3)
    versions = [at.store.version("claims")]
    for step in (lambda: at.says("ann"), lambda: at.says("ann"), lambda: at.store.undo(at.rater("ann").id)):
        step()
        versions.append(at.store.version("claims"))
    assert versions[1] == versions[3] and len(set(versions)) == 3


def test_labels_made_elsewhere_count_and_raise_the_quota_they_exceed(desk: Desks) -> None:
    at = desk(2)
    elsewhere = [line(rater=name, seconds=3, at="2025-05-01T10:00:00+02:00") for name in ("zoe", "yan")]
    assert at.store.import_("claims", elsewhere) == 2
    assert at.shown("ann") == "c1"
    [label, _] = at.store.ratings("claims")
    assert (
        label.vote.at.isoformat() == "2025-05-01T08:00:00+00:00" and label.judgement().judge == "person:zoe"
    )


def test_an_imported_label_ends_the_lease_its_rater_held(desk: Desks) -> None:
    at = desk(2)
    at.shown("ann")
    at.store.import_("claims", [line(rater="ann")])
    assert at.shown("ann") == "c1" and at.shown("bob") is None


BAD = [
    ("{", "this is not JSON"),
    ("[" * 100_000, "this is not JSON"),
    ("[1]", "a label is a JSON object"),
    ('{"run": "run", "run": "run"}', "field run: it is given twice"),
    ('{"seconds": NaN}', "NaN is no JSON number"),
    (line(seconds=10**400), "field seconds: it is too large"),
    (line(seconds="3"), 'field seconds: it must be a number; got "3"'),
    (line(seconds=True), "field seconds: it must be a number; got true"),
    (line(value=1), "field value: it must be text; got 1"),
    (line(value="bad"), "field value: it must be one of fails, passes, cannot_tell; got 'bad'"),
    (line(reason="x" * 2_001), "field reason: it has 2,001 characters; it may have 2,000"),
    (line(reason="x" * 1_000_000), "it has 1,000,0.. characters; a line may have 1,000,000"),
    (line(queue="other"), "field queue: this label is for queue 'other', not 'claims'"),
    (line(case_id="c9"), "field case_id: queue 'claims' has no item 'c9' of run 'run'"),
    (line(run="else"), "field case_id: queue 'claims' has no item 'c0' of run 'else'"),
    (line(rater="a\nb"), "field rater: A rater's name is one line"),
    (line(role="boss"), "field role: A role is one of rater, lead, admin; got 'boss'"),
    (line(at="yesterday"), "field at: it must be a time such as"),
    (line(colour="red"), "field colour: there is no such field; known are queue"),
    (line(first={"value": "fails", "mood": 1}), "field first.mood: there is no such field"),
    (line(first={}), "field first.value: it is missing"),
    (line(resolves=True), "field resolves: only a lead's or an admin's one answer decides"),
    (line(rule=-1), "field rule: it must be a guideline's number; got -1"),
    (line(gold=True), "field gold: here this item's known answer is null"),
    ('{"run": "run", "case_id": "c0", "rater": "zoe"}', "field value: it is missing"),
    (line(case_id="c1", rater="yan"), "field rater: the same rater labelled the same item on line 1"),
    (line(case_id="c2", rater="ann"), "field rater: 'ann' has labelled this item already"),
]


@pytest.mark.parametrize(("text", "said"), BAD, ids=range(len(BAD)))
def test_a_bad_line_is_named_by_number_and_field_and_nothing_is_imported(
    desk: Desks, text: str, said: str
) -> None:
    at = desk(3)
    at.store.import_("claims", [line(rater="ann", case_id="c2")])
    before = at.store.version("claims")
    with pytest.raises(InputError, match=r"^Line 3[:,]") as refused:
        at.store.import_("claims", [line(case_id="c1", rater="yan"), "", text])
    assert said.split("..")[0] in str(refused.value) and str(refused.value).endswith("Nothing was imported.")
    assert at.store.version("claims") == before
    assert [rater.name for rater in at.store.raters("claims")] == ["ann"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["run", "case_id", "rater", "value", "at", "first", "seconds", "rule", "x"]),
                inner,
            )
        ),
        max_leaves=8,
    )
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_line_holds_it_is_read_or_refused_in_a_sentence(value: object) -> None:
    fields = {"run": "run", "case_id": "c0", "rater": "zoe", "value": "fails"}
    text = json.dumps(fields | value if isinstance(value, dict) else value)
    try:
        [read] = parsed("claims", "label", [text], Clock()())
    except GadflyError as error:
        assert str(error).startswith("Line 1")
    else:
        assert read.vote.answer.value == "fails"
