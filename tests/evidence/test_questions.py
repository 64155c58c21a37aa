"""The questions of a run: read strictly, and made into cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gadfly.errors import InputError
from gadfly.evidence import cases_of, read_questions


def questions(tmp_path: Path, *lines: str) -> list[dict[str, Any]]:
    """What is read of these lines."""
    (tmp_path / "q.jsonl").write_text("\n".join(lines) + "\n")
    return read_questions(tmp_path / "q.jsonl")


def test_questions_are_read_from_lines(tmp_path: Path):
    whole = {"question": "Who?", "answers": ["I"], "claim": "I.", "without": ["d"], "unanswerable": True}
    assert questions(tmp_path, '{"question": "Who?"}', "", json.dumps(whole)) == [{"question": "Who?"}, whole]


def test_numbers_are_read_as_they_are_written(tmp_path: Path):
    line = '{"question": 5, "answers": [30, 1.5, "thirty"], "claim": 5, "without": [1]}'
    (row,) = questions(tmp_path, line)
    assert row == {"question": "5", "answers": ["30", "1.5", "thirty"], "claim": "5", "without": ["1"]}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "Line 2 of .* is not JSON"),
        ('{"query": "a"}', "line 2: unknown key 'query'"),
        ('{"answers": ["a"]}', "line 2: the key 'question' is missing"),
        ('{"question": "a?", "answer": ["b"]}', "line 2: unknown key 'answer'. Did you mean 'answers'"),
        ('{"question": "a?", "answers": "b"}', "line 2: answers: input should be a valid list"),
        ('{"question": "a?", "answers": [null, ""]}', r"line 2: answers\.0: input should be a valid string"),
        ('{"question": "a?", "answers": [" "]}', r"line 2: answers\.0: there are no words"),
        ('{"question": "a?", "answers": [true]}', r"line 2: answers\.0: input should be a valid string"),
        ('{"question": "a?", "claim": "b>%"}', "line 2: claim: a claim cannot be blank or contain"),
        (
            '{"question": "a?", "unanswerable": "false"}',
            "line 2: unanswerable: input should be a valid boolean",
        ),
        ('{"question": " "}', "line 2: question: there are no words"),
    ],
)
def test_a_bad_line_is_named_and_what_is_wrong_with_it(tmp_path: Path, line: str, said: str):
    with pytest.raises(InputError, match=said):
        questions(tmp_path, '{"question": "Who?"}', line)


def test_a_file_without_a_question_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="holds no question"):
        questions(tmp_path)


def test_cases_are_questions_times_samples():
    cases = cases_of([{"question": "a?"}, {"question": "b?", "without": ["d"]}], 2)
    assert [(c["of"], c["sample"], c.get("without")) for c in cases] == [
        (0, 0, None),
        (0, 1, None),
        (1, 0, ["d"]),
        (1, 1, ["d"]),
    ]


def test_a_question_without_words_is_named_by_its_number():
    with pytest.raises(InputError, match="Question 2 has no words"):
        cases_of([{"question": "a?"}, {"question": " "}], 1)
