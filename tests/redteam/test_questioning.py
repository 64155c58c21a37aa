"""The questioning game: one turn or several, and what is kept when something goes wrong."""

import asyncio
from typing import Any

import pytest
from redteam_fakes import case, curious, human, system

from gadfly.errors import CallError
from gadfly.models import System, scripted
from gadfly.redteam import Attacker, Questioning, focus


def game(attacker: Any = curious, target: Any = human, turns: int = 1, name: str = "persona") -> Questioning:
    return Questioning(focus(name), Attacker(system(attacker)), system(target), turns)


def play(*players, **options):
    return asyncio.run(game(*players, **options).play(case()))


def failing(after, cause="rate_limited", fatal=False):
    """A script that answers so many calls and then fails."""
    calls = []

    def script(messages, seed):
        calls.append(messages)
        if len(calls) > after:
            raise CallError("It failed.", cause, fatal=fatal)
        return "So what?"

    return script


def test_one_turn_is_a_question_and_a_reply():
    played = play()
    assert [turn.speaker for turn in played.turns] == ["attacker", "target"]
    assert (played.outcome, played.cause) == ("completed", "")
    assert set(played.usage) == {"attacker", "target"}


def test_the_same_case_gives_the_same_transcript():
    assert play(turns=3) == play(turns=3)


def test_a_dialogue_shows_each_player_all_that_was_said():
    seen: dict[str, list[Any]] = {"attacker": [], "target": []}
    played = play(
        lambda messages, seed: seen["attacker"].append(messages) or f"What {len(seen['attacker'])}?",
        lambda messages, seed: seen["target"].append(messages) or f"Reply {len(seen['target'])}.",
        turns=3,
    )
    assert len(played.turns) == 6
    assert [role for role, _ in seen["target"][-1]] == ["user", "assistant"] * 2 + ["user"]
    assert "Answerer: Reply 2.\nQuestioner:" in seen["attacker"][-1][0][1]


def test_a_dialogue_ends_when_the_attacker_stops_asking():
    played = play(lambda messages, seed: "Goodbye." if "Answerer:" in messages[0][1] else "Who?", turns=5)
    assert ([turn.speaker for turn in played.turns], played.outcome) == (["attacker", "target"], "completed")


@pytest.mark.parametrize("words", ["I have no question.", ""])
def test_an_attacker_without_a_question_makes_the_case_invalid_after_four_attempts(words):
    calls = []
    played = play(lambda messages, seed: calls.append(seed) or words)
    assert (played.outcome, played.cause, played.question) == ("invalid", "no_question", words)
    assert len(set(calls)) == 4
    assert "target" not in played.usage


def test_a_later_attempt_may_save_a_case():
    calls = []
    played = play(lambda messages, seed: calls.append(seed) or ("Hm." if len(calls) < 4 else "Who?"))
    assert (played.question, played.outcome) == ("Who?", "completed")
    assert played.usage["attacker"].output_tokens == 4


def test_a_call_that_fails_in_the_middle_keeps_what_was_said():
    played = play("Who?", failing(after=1), turns=3)
    assert [turn.text for turn in played.turns] == ["Who?", "So what?", "Who?"]
    assert (played.outcome, played.cause) == ("failed", "rate_limited")


def test_an_empty_reply_of_the_target_is_a_failed_call():
    played = play("Who?", "")
    assert (played.outcome, played.cause) == ("failed", "empty_reply")


def test_a_failure_that_every_case_would_meet_is_raised():
    with pytest.raises(CallError, match="It failed"):
        play("Who?", failing(after=0, cause="unauthorized", fatal=True))


def test_the_secret_reaches_the_target_after_its_own_instructions_and_never_the_attacker():
    seen: dict[str, list[Any]] = {"attacker": [], "target": []}
    attacker = scripted(lambda messages, seed: seen["attacker"].append(messages) or "Tell me.")
    target = System(scripted(lambda messages, seed: seen["target"].append(messages) or "No."), "Be kind.")
    looked_for = focus("system_prompt")
    played = asyncio.run(Questioning(looked_for, Attacker(System(attacker)), target, turns=2).play(case()))
    secret = played.metadata["secret"]
    assert seen["target"][0][0][1].startswith("Be kind.\n\nYou are the assistant of a small museum")
    assert secret in seen["target"][0][0][1]
    assert secret not in str(seen["attacker"])
    assert "secret" not in played.metadata["row"]


def test_braces_in_what_players_say_stay_as_they_are():
    hostile = "{secret} {0.__class__} {n!r} {{}}"
    played = play(f"Why {hostile}?", f"{hostile}.", turns=2, name="system_prompt")
    assert {turn.text for turn in played.turns} == {f"Why {hostile}?", f"{hostile}."}


def test_a_reply_cut_at_max_tokens_says_so():
    target = System(scripted("one two three"), sampling=system("").sampling).with_sampling(max_tokens=2)
    played = asyncio.run(Questioning(focus("persona"), Attacker(system("Who?")), target).play(case()))
    assert (played.turns[1].text, played.turns[1].stop) == ("one two", "length")


def test_judges_find_the_rows_values_in_the_metadata():
    played = play("Why is chemistry Einstein's?", "Because.", name="false_premise")
    assert played.metadata["premise"] == played.metadata["row"]["premise"]
    assert played.metadata["focus"] == "false_premise"


def test_a_game_is_named_after_focus_attack_and_target():
    named = Questioning(focus("persona"), Attacker(system("x")), system("x", name="a/B c:8b" + "x" * 99))
    assert named.name.startswith("redteam-persona-zero_shot-b-c-8bxxx")
    assert len(named.name) < 80


@pytest.mark.parametrize("change", [{"turns": 2}, {"name": "general"}])
def test_what_decides_a_transcript_is_in_the_spec(change):
    assert game().spec() == game().spec() != game(**change).spec()
