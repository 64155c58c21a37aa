"""Focuses as data: the rules of a question, the files that ship, and files that cannot be used."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redteam_fakes import FOCUS, case, written

from gadfly.errors import InputError, UnknownNameError
from gadfly.judges import known
from gadfly.redteam import Focus, focus, known_focuses
from gadfly.redteam._focus import Attack, secret

OPEN = {"title": "t", "failure": "f", "judge": "refusal", "attack": {"head": "Ask:\n", "follow_up": "On."}}


def made(**changes):
    return Focus.model_validate({"name": "own", **OPEN, **changes})


def refused(tmp_path, text):
    """The sentence with which a focus file is refused; it names the file."""
    path = written(tmp_path, text)
    with pytest.raises(InputError) as caught:
        focus(path)
    said = str(caught.value)
    assert str(path) in said
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    ("said", "question"),
    [
        (' "Who are you? And why?', "Who are you?"),
        ("Tell me more.", None),
        ("?", None),
        ("", None),
        ("Is {0.__class__} a slot?", "Is {0.__class__} a slot?"),
    ],
)
def test_a_question_ends_at_its_first_question_mark(said, question):
    assert made().question(said, {}) == question


@pytest.mark.parametrize(
    ("said", "valid"), [("Why so?", True), ("'why' so?", True), ("Is it?", False), ("…?", False)]
)
def test_a_question_starts_with_one_of_the_words_asked_for(said, valid):
    assert (made(must_start=("Why", "how")).question(said, {}) is not None) is valid


@pytest.mark.parametrize(
    ("said", "valid"), [("Is the MOON made of Brie?", True), ("Is the moon big?", False)]
)
def test_a_question_mentions_every_term_or_one_that_stands_for_it(said, valid):
    row = {"terms": ["moon", "cheese|brie"]}
    assert (made(must_mention="terms").question(said, row) is not None) is valid


def test_a_term_may_stand_alone():
    assert made(must_mention="terms").question("Is it on?", {"terms": "moon"}) is None


def test_without_a_rule_any_words_are_a_question_and_none_are_not():
    free = made(must_contain="")
    assert (free.question(" Say it ", {}), free.question(" \n", {})) == ("Say it", None)
    assert made(must_contain="", must_start=("why",)).question("", {}) is None


@pytest.mark.parametrize("name", known_focuses())
def test_every_shipped_focus_has_its_slots_its_judge_and_valid_examples(name):
    found = focus(name)
    assert found.judge in known()
    proposed = {found.propose.slot: "nurses"} if found.unresolved else {}
    for index in range(max(1, len(found.seeds))):
        row = found.row(case(index, **proposed))
        text = found.attack.text(row)
        assert not re.search(r"[{}]", text + found.attack.resumed(row) + found.planted(row))
        for line in text.splitlines()[1:-1]:
            question = line.partition(". ")[2]
            assert found.question(question, row) == question


def test_rows_take_turns_and_a_case_may_bring_its_own():
    found = made(seeds=({"x": "a"}, {"x": "b"}))
    assert [found.row(case(index))["x"] for index in range(3)] == ["a", "b", "a"]
    assert found.row(case(0, x="mine")) == {"x": "mine"}


def test_a_case_that_brings_too_little_is_told_what_is_missing():
    with pytest.raises(InputError, match=r"no value for \{detail\}"):
        focus("contact_details").attack.text({"other": "data"})


def test_every_case_has_a_secret_of_its_own_and_always_the_same():
    found = focus("system_prompt")
    secrets = {found.row(case(seed=seed))["secret"] for seed in range(50)}
    assert len(secrets) == 50
    assert found.row(case(seed=3))["secret"] == secret(3)
    assert secret(3) in found.planted(found.row(case(seed=3)))


@given(st.text())
def test_what_is_put_into_a_slot_is_never_read_for_slots_again(value):
    attack = Attack(
        head="{a}{b}", follow_up="{a}", item="{n} {a} ", examples=({"question": "{b}", "a": value},)
    )
    text = attack.text({"a": value, "b": "{a}"}, [({"a": value}, value)])
    assert text == f"{value}{{a}}1 {value} {{a}}\n2 {value} {value}\n3 {value} ".rstrip()


def test_doubled_braces_stand_for_themselves():
    assert Attack(head='{{"a": 1}} {x}', follow_up="f").text({"x": "{{}}"}) == '{"a": 1} {{}}\n1.'.replace(
        "\n", ""
    )


def test_an_unknown_focus_names_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'persona'"):
        focus("person")


def test_a_focus_is_named_after_its_file(tmp_path):
    assert focus(written(tmp_path, name="Does it bark? (2).yaml")).name == "Does_it_bark_2_"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("title:", "titel:"), "unknown key 'titel'. Did you mean 'title'?"),
        (("head:", "haed:"), "unknown key 'attack.haed'. Did you mean 'head'?"),
        (("judge: claims_person", ""), "the key 'judge' is missing"),
        (("judge: claims_person", "judge: [1]"), "judge: input should be a valid string"),
        (("judge: claims_person", "judge: refusal\njudge: offensive"), "the key 'judge' occurs twice"),
        (
            ("judge: claims_person", "judge: refusal\nthreshold: 2"),
            "threshold: input should be less than or equal to 1",
        ),
        (("judge: claims_person", "judge: refusal\nname: ../../x"), "name is no key here"),
        (("judge: claims_person", "judge: leaks_secret"), "target.system_prompt must plant a {secret}"),
        (("judge: claims_person", "judge: refusal\nmust_mention: terms"), "must_mention names 'terms'"),
        (("Ask a dog", "Ask {0.__class__}"), "attack.head: a slot is a name in braces"),
        (("Ask a dog", "Ask {x!r}"), "attack.head: a slot is a name in braces"),
        (("Ask a dog", "Ask {x:>999999999}"), "attack.head: a slot is a name in braces"),
        (("Ask a dog", "Ask {"), "attack.head: a slot is a name in braces"),
        (("Ask a dog", "Ask {dog}"), "attack.head needs {dog}, which seeds.0 has no value for"),
        (("Ask a dog", "Ask {n}"), "attack.head needs {n}"),
        (("Ask a dog", "Say {secret}"), "the attacker must not know it"),
        (("judge:", "target: {system_prompt: 'You are {who}'}\njudge:"), "target.system_prompt needs {who}"),
        (("judge:", "seeds: [{secret: x}]\njudge:"), "seeds.0.secret is a value that gadfly gives itself"),
        (("judge:", "seeds: [{year: 0123}]\njudge:"), "put 83 in quotes"),
        (("judge:", "seeds: [{a: 2020-99-99}]\njudge:"), "cannot be read as YAML"),
        (("judge:", "seeds: [&a {x: y}, *a]\njudge:"), "aliases such as *name are not allowed"),
        (("judge:", "seeds: &a [*a]\njudge:"), "aliases such as *name are not allowed"),
        (("follow_up", "examples: [{q: w}], follow_up"), "attack.examples.0 has no 'question'"),
        (
            ("follow_up", "examples: [{question: '{a.b}'}], follow_up"),
            "attack.examples.0.question: a slot is a name",
        ),
        (("title", "!!python/object/apply:os.system [ls]\ntitle"), "cannot be read as YAML"),
        ((FOCUS, "[" * 5_000), "nested too deeply"),
        ((FOCUS, "just words"), "must hold keys such as title"),
        ((FOCUS, "a: [unclosed"), "cannot be read as YAML"),
        ((FOCUS, "x" * 1_000_001), "has more than 1,000,000 bytes"),
    ],
)
def test_a_focus_file_that_cannot_be_used_is_refused_in_one_sentence(tmp_path, change, words):
    assert words in refused(tmp_path, FOCUS.replace(*change))


def test_what_is_wrong_with_a_focus_is_named_with_its_line(tmp_path):
    for change, line in (
        (("title:", "titel:"), 2),
        (("Ask a dog", "Ask {dog}"), 4),
        (("judge: claims_person", "seeds: [{secret: x}]\njudge: refusal"), 5),
        (("judge: claims_person", "judge: leaks_secret"), 5),
        (("judge: claims_person", "judge: refusal\njudge: offensive"), 6),
    ):
        assert f"own.yaml, line {line}: " in refused(tmp_path, FOCUS.replace(*change))


def test_a_focus_file_that_cannot_be_read_says_so(tmp_path):
    (tmp_path / "latin.yaml").write_bytes(b"title: \xe9\xff")
    (tmp_path / "folder.yaml").mkdir()
    for name, words in (
        ("latin", "not text in UTF-8"),
        ("folder", "cannot be read"),
        ("none", "There is no file"),
    ):
        with pytest.raises(InputError, match=words):
            focus(tmp_path / f"{name}.yaml")
