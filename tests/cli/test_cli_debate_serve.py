"""gadfly debate serve as a user types it: what is refused before a page opens."""

import json

import pytest

ROW = {"question": "When was it lit?", "answers": ["1874", "1901"], "correct": 0, "document": "Lit in 1874."}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--debate-as", "first"], "name it with --judge"),
        (["--debate-as", "third"], "has no seat 'third'"),
        (["--people", "ann,,ben"], "has an empty entry"),
        (["--debaters", "scripted/a,scripted/b,scripted/c"], "one player or two"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(gadfly, tmp_path, options, sentence):
    (tmp_path / "set.jsonl").write_text(json.dumps(ROW) + "\n")
    said = gadfly("debate", "serve", "set.jsonl", "--debaters", "scripted/x", *options)
    assert said.code == 2
    assert sentence in said.err
