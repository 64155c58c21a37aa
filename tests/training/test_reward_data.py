"""What a reward model learns from, and the sentence for what it cannot learn from."""

import gzip
import json

import numpy as np
import pytest

from gadfly.errors import InputError
from gadfly.training import Row, read_rows, to_rows

GOOD = '{"chosen": "a", "rejected": "b"}'


def labels(n=20):
    return [Row(f"t{i}", float(i % 2)) for i in range(n)]


def test_pairs_ties_and_labels_are_read(tmp_path):
    lines = [
        GOOD,
        '{"chosen": "c", "rejected": "d", "p": 0.5}',
        "",
        '{"text": "e", "label": true, "weight": 2}',
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    assert read_rows(tmp_path / "rows.jsonl") == [
        Row("a", 1.0, "b"),
        Row("c", 0.5, "d"),
        Row("e", 1.0, weight=2.0),
    ]


def test_a_packed_file_is_read(tmp_path):
    with gzip.open(tmp_path / "rows.jsonl.gz", "wt") as file:
        file.write(GOOD)
    assert read_rows(tmp_path / "rows.jsonl.gz") == [Row("a", 1.0, "b")]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", "Line 2 of .* is not JSON"),
        ("[]", "Line 2 of .* must be an object, got list"),
        ('{"chosen": "a"}', 'Line 2 has no "rejected"'),
        ('{"label": 1}', 'Line 2 has no "text"'),
        ('{"text": "a"}', 'Line 2 has no "label"'),
        ('{"text": "", "label": 1}', 'Line 2: "text" must be a text that is not empty'),
        ('{"text": "a", "label": NaN}', "Line 2: \"label\" must be a number, 0 or more, got 'nan'"),
        ('{"text": "a", "label": "yes"}', 'Line 2: "label" must be a number'),
        ('{"text": "a", "label": 7}', r'Line 2: "label" lies in \[0, 1\], got 7'),
        ('{"chosen": "a", "rejected": "b", "p": -1}', 'Line 2: "p" must be a number, 0 or more'),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, sentence):
    (tmp_path / "rows.jsonl").write_text(f"{GOOD}\n{line}\n")
    with pytest.raises(InputError, match=sentence):
        read_rows(tmp_path / "rows.jsonl")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none.jsonl' cannot be read \(No such file"):
        read_rows(tmp_path / "none.jsonl")
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not text in UTF-8"):
        read_rows(tmp_path / "bytes.jsonl")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(GOOD.encode())[:-9])
    with pytest.raises(InputError, match="cannot be read"):
        read_rows(tmp_path / "cut.jsonl.gz")


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "0 examples are too few to learn from; give at least 20"),
        ([Row(f"t{i}", 1.0) for i in range(30)], "All 30 labels are flagged"),
        ([Row(f"t{i}", 0.2) for i in range(30)], "All 30 labels are not flagged"),
        ([Row(f"t{i}", 0.5, f"u{i}") for i in range(30)], "All 30 pairs are ties"),
        ([*labels(), Row("x", float("nan"))], "example 21 has nan"),
        ([*labels(), Row("x", 1.0, weight=float("inf"))], "example 21 has inf"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(rows, sentence):
    with pytest.raises(InputError, match=sentence):
        to_rows(rows)


def test_pairs_on_one_question_are_one_group():
    asked = "Human: how do I do it?\n\nAssistant: "
    pairs = [Row(f"{asked}one {i}", 1.0, f"{asked}two {i}") for i in range(10)]
    others = [Row(f"yes {i}", 1.0, f"no {i}") for i in range(10)]
    groups = to_rows([*pairs, *others]).groups_R
    assert len(np.unique(groups[:10])) == 1 and len(np.unique(groups[10:])) == 10


def test_the_same_text_twice_is_read_once():
    rows = to_rows([Row("a", 1.0, "b"), Row("b", 1.0, "c"), *labels()])
    assert len(rows.texts) == 23 and rows.right_R[0] == rows.left_R[1]


def test_the_digest_tells_other_labels_apart():
    assert to_rows(labels()).digest == to_rows(labels()).digest
    assert to_rows(labels()).digest != to_rows([*labels()[:-1], Row("t19", 0.9)]).digest


def test_a_line_that_json_wrote_comes_back(tmp_path):
    hostile = "\u202e</script>\x1b[31m" + "x" * 10
    (tmp_path / "rows.jsonl").write_text(json.dumps({"text": hostile, "label": 0.25}))
    assert read_rows(tmp_path / "rows.jsonl") == [Row(hostile, 0.25)]
