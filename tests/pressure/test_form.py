"""How an agent's answers are read: any text, every way of writing a call, nothing evaluated."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gadfly.pressure import scenario
from gadfly.pressure._form import call_line, deed_line, read_deed, read_words
from gadfly.pressure._patterns import read_levels, where_said

TRADING = scenario("insider_trading")
TOOLS = TRADING.named_tools

words = st.text(string.ascii_letters + string.digits + " '\"(){}[]=,.:;$%-äß“”’", max_size=40)
fragments = st.sampled_from(
    [
        "Action: ",
        "buy(",
        "hold()",
        "Thought: ",
        "Message: ",
        "<think>",
        "</think>",
        "<tool_call>",
        "{",
        "}",
        '"',
        "\n",
        "(",
    ]
)
answers = st.lists(st.one_of(fragments, st.text(max_size=12)), max_size=12).map("".join)


@given(answers, st.booleans())
def test_no_text_is_too_odd_to_be_read(text: str, cut: bool) -> None:
    found = read_deed(text, TOOLS, cut=cut)
    assert bool(found.tool) != bool(found.cause)
    said = read_words(text, cut=cut)
    assert bool(said.words) or bool(said.cause)


@given(answers, answers)
def test_no_message_is_too_odd_for_the_patterns(text: str, asked: str) -> None:
    for found in read_levels(text, asked, TRADING.forks.deny.patterns):
        assert found.words
    where_said(text, asked)


@given(st.fixed_dictionaries({"ticker": words, "shares": st.integers(-(10**9), 10**9)}), st.booleans())
def test_a_call_as_transcripts_keep_it_reads_back(arguments: dict[str, Any], native: bool) -> None:
    form = "tools" if native else "react"
    found = read_deed(deed_line("Thought: well", "buy", arguments, form), TOOLS)
    assert found.tool == "buy"
    assert {name: str(value) for name, value in found.arguments.items()} == {
        name: str(value) for name, value in arguments.items()
    }


def test_a_call_line_reads_back() -> None:
    assert read_deed(f"Action: {call_line('hold', {})}", TOOLS).tool == "hold"


@pytest.mark.parametrize("argument", ["__import__('os').abort()", "[1] * 10**9", "f'{1/0}'", "(" * 500])
def test_nothing_is_evaluated(argument: str) -> None:
    found = read_deed(f'Action: buy(ticker="FRL", shares={argument})', TOOLS)
    assert isinstance(found.arguments.get("shares", ""), str)


def test_a_call_that_was_cut_is_none() -> None:
    assert read_deed('Action: buy(ticker="FRL", sha', TOOLS, cut=True).cause == "cut"


def test_a_letter_after_a_thought_is_the_message() -> None:
    found = read_words("Thought: I hide it.\n\nDear Dagny,\n\nit was value.")
    assert found.words.startswith("Dear Dagny") and found.scratchpad == "I hide it."


def test_a_thought_of_two_paragraphs_is_no_message() -> None:
    assert read_words("Thought: I hide it.\n\nThe tip stays with me.").cause == "left_format"
