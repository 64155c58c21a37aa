"""A scenario that cannot be used is one sentence that says what is wrong and on which line."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scenario_fakes import SMALL, changed, line_of, loaded

from gadfly.documents import read
from gadfly.errors import GadflyError, InputError
from gadfly.pressure._scenario import SHELF


def complaint(tmp_path, text):
    """What is said about a scenario with this text, without the file's name."""
    with pytest.raises(InputError) as raised:
        loaded(tmp_path, text)
    said = str(raised.value)
    assert "\n" not in said and said.endswith((".", "?"))
    return said.replace(str(tmp_path / "own.yaml"), "own.yaml")


def cut(start, end):
    """The small scenario without what stands from `start` up to `end`."""
    return SMALL[: SMALL.index(start)] + SMALL[SMALL.index(end) :]


DENIALS = SMALL[SMALL.index('      - {reply: "Message: Yes.') : SMALL.index("knobs:")]

WRONG = {
    "a missing fork": (cut("  deny:", "knobs:"), "forks:", "the key 'forks.deny' is missing"),
    "an unknown knob in a message": (
        changed("when: {mood: stern}", "when: {weather: fine}"),
        "when:",
        "there is no knob 'weather'; there are form, scratchpad, mood",
    ),
    "an unknown level in a message": (
        changed("when: {mood: stern}", "when: {mood: grim}"),
        "when:",
        "mood has no level 'grim'",
    ),
    "an unknown knob in a control": (
        changed("negative: {mood: mild}", "negative: {temper: mild}"),
        "negative:",
        "There is no knob of own 'temper'. Known: form, mood",
    ),
    "an unknown level in a control": (
        changed("negative: {mood: mild}", "negative: {mood: wild}"),
        "negative:",
        "'wild'",
    ),
    "a missing control": (
        changed("  negative: {mood: mild}\n", ""),
        "controls:\n  positive",
        "needs a negative one",
    ),
    "a slot without a value": (
        changed("{guidance}", "{counsel}"),
        "system:",
        "{counsel} has a value nowhere",
    ),
    "a slot without a value in a tool": (
        changed("{letter} has", "{parcel} has"),
        '- text: "{parcel}',
        "{parcel} has a value nowhere",
    ),
    "a slot without a value at one level": (
        changed("{guidance: Obey., urge: Decide.}", "{guidance: Obey.}"),
        'text: "{urge}"',
        "{urge} has a value not at every level of its knob",
    ),
    "a grader without controls": (
        changed(f"    controls:\n{DENIALS}", ""),
        "deny:",
        "the key 'forks.deny.controls' is missing",
    ),
    "a grader with no controls": (
        changed(f"controls:\n{DENIALS}", "controls: []\n"),
        "controls: []",
        "forks.deny.controls: ",
    ),
    "controls at one end alone": (
        changed('      - {reply: "Message: All is well.", level: concealed}\n', ""),
        'controls:\n      - {reply: "Message: I opened',
        "no control has the level 'concealed'",
    ),
    "a control of no level": (
        changed('Hm.", level: evasive', 'Hm.", level: vague'),
        "Hm.",
        "no level 'vague'",
    ),
    "a pattern that does not compile": (
        changed('["opened"]', '["ope(ned"]'),
        "ope(ned",
        "'ope(ned' is no regular",
    ),
    "a pattern that repeats too often": (
        changed('["opened"]', '["a{99999999999}"]'),
        "a{9",
        "is no regular expression",
    ),
    "a pattern of no level": (changed("implied: [", "hidden: ["), "patterns:", "there is no level 'hidden'"),
    "a level without a sentence": (
        changed("implied: It hints., ", ""),
        "rubric: {explicit",
        "the level 'implied' is missing",
    ),
    "an unknown key": (changed("honest: Leave", "onest: Leave"), "onest:", "Did you mean 'honest'?"),
    "an unknown key far inside": (
        changed("letter: text, times: number}", "letter: text, times: number}\n    amount: {}"),
        "amount:",
        "unknown key 'tools.0.amount'. Did you mean 'amounts'?",
    ),
    "a speaker who is not there": (
        changed("  boss: Ada\n", ""),
        "- from: boss",
        "'boss' is not in the cast: agent",
    ),
    "a scenario without an agent": (
        changed("  agent: Robin", "  robin: Robin"),
        "cast:",
        "the cast needs an agent",
    ),
    "a tool that does not exist": (
        changed("acts: [{tool: open}]", "acts: [{tool: tear}]"),
        "acts:",
        "no tool 'tear'",
    ),
    "an argument that does not exist": (
        changed("acts: [{tool: open}]", "acts: [{tool: open, where: {page: 1}}]"),
        "acts:",
        "the tool open takes no 'page'",
    ),
    "an amount of nothing": (
        changed("[times, 2]", "[pages, 2]"),
        "amounts:",
        "'pages' is no number that the tool takes",
    ),
    "a brace that is no slot": (
        changed("You are {agent}.", "You are {agent."),
        "system:",
        "a brace itself is doubled",
    ),
    "a default that is no level": (
        changed("default: stern", "default: sour"),
        "default:",
        "mood has no level 'sour'",
    ),
    "a knob that gadfly gives": (changed("  mood:\n", "  form:\n"), "  form:", "choose another name"),
    "a value that is no text": (changed("urge: Decide.}", "urge: 12:30}"), "stern:", "put 750 in quotes"),
    "a name in the file": (f"name: own\n{SMALL}", "name:", "name is no key here"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_its_line(tmp_path, case):
    text, at, words = WRONG[case]
    said = complaint(tmp_path, text)
    assert words in said
    assert said.startswith(f"own.yaml, line {line_of(at, text)}: ")


def test_an_alias_is_refused(tmp_path):
    text = changed("agent: Robin\n  boss: Ada", "agent: &one Robin\n  boss: *one")
    said = complaint(tmp_path, text)
    assert said.startswith(f"own.yaml, line {line_of('*one', text)}: ")
    assert "aliases such as *name are not allowed" in said


def test_a_key_twice_is_refused_with_its_line(tmp_path):
    said = complaint(tmp_path, changed("honest: Leave it closed.", "honest: Leave it.\nhonest: Open it."))
    assert "the key 'honest' occurs twice" in said
    assert said.startswith("own.yaml, line 5: ")


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words", "12"])
def test_what_holds_no_keys_is_told_which_it_needs(tmp_path, text):
    assert "must hold keys such as title, about" in complaint(tmp_path, text)


def test_broken_yaml_is_one_sentence(tmp_path):
    assert "cannot be read as YAML" in complaint(tmp_path, "title: [unclosed")
    assert "nested too deeply" in complaint(tmp_path, "[" * 5_000)


def test_the_small_scenario_is_fine_as_it_stands(tmp_path):
    assert loaded(tmp_path).name == "own"


YAMLISH = st.text(st.sampled_from("ab:{}[]-&*!%@|>'\"\\#?, \n\t01.~é\x00\x85\ud800"), max_size=60)


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=80), YAMLISH))
def test_no_text_makes_reading_fail_in_another_way(text):
    try:
        SHELF.checked(read(text, "a text"), "own")
    except GadflyError as error:
        assert str(error)


LINES = SMALL.splitlines()


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(LINES) - 1), st.integers(0, 80), st.one_of(st.text(max_size=12), YAMLISH))
def test_no_slip_of_the_pen_makes_a_scenario_fail_in_another_way(line, column, typed):
    row = LINES[line]
    slipped = [*LINES[:line], row[:column] + typed + row[column + len(typed) :], *LINES[line + 1 :]]
    try:
        SHELF.checked(read("\n".join(slipped), "a text"), "own")
    except GadflyError as error:
        assert str(error)
