"""The table on disk: what was written before a crash is there after it, once."""

import json
import shutil
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gadfly.errors import StoreError
from gadfly.runs._store import (
    JUDGEMENTS,
    TRANSCRIPTS,
    judgement_from_row,
    judgement_row,
    transcript_from_row,
    transcript_row,
)
from gadfly.runs._table import SEGMENT_BYTES, SEGMENT_ROWS, Table
from gadfly.transcripts import Case, Judgement, Transcript, Turn, Usage

SCHEMA = pa.schema([pa.field("index", pa.int64()), pa.field("text", pa.string())])

texts = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
)
facts = st.dictionaries(texts, json_values, max_size=4)
usages = st.builds(
    Usage, st.integers(0, 2**40), st.integers(0, 2**40), st.none() | st.floats(0, 1e6, allow_nan=False)
)
transcripts = st.builds(
    Transcript,
    case=st.builds(Case, texts, st.integers(0, 2**40), st.integers(0, 2**31 - 1), facts),
    turns=st.lists(st.builds(Turn, texts, texts, st.sampled_from(["stop", "length"])), max_size=4).map(tuple),
    outcome=st.sampled_from(["completed", "invalid", "failed"]),
    cause=texts,
    usage=st.dictionaries(texts, usages, max_size=3),
    metadata=facts,
)
judgements = st.builds(
    Judgement,
    case_id=texts,
    judge=texts,
    score=st.none() | st.floats(0, 1),
    cause=st.just("no_parse"),
    rationale=texts,
    uncertainty=st.none() | st.floats(0, 1),
    evidence=st.lists(texts, max_size=3).map(tuple),
    metadata=facts,
)


def row(index: int, text: str = "text") -> dict[str, object]:
    return {"index": index, "text": text}


def opened(directory: Path) -> Table:
    table = Table(directory, SCHEMA)
    table.recover()
    return table


def indices(table: Table) -> list[int]:
    return [index for batch in table.batches() for index in batch["index"].to_pylist()]


@given(transcripts)
def test_a_transcript_survives_journal_and_parquet(transcript: Transcript) -> None:
    line = json.loads(json.dumps(transcript_row(transcript)))
    [back] = pa.Table.from_pylist([line], schema=TRANSCRIPTS).to_pylist()
    assert transcript_from_row(back) == transcript


@given(judgements)
def test_a_judgement_survives_journal_and_parquet(judgement: Judgement) -> None:
    with tempfile.TemporaryDirectory() as directory:
        table = Table(Path(directory), JUDGEMENTS)
        table.append([judgement_row(judgement, 0)])
        [unsealed] = next(table.batches()).to_pylist()
        table.seal()
        [sealed] = next(table.batches()).to_pylist()
    assert judgement_from_row(unsealed) == judgement_from_row(sealed) == judgement


@given(st.data())
def test_a_journal_cut_anywhere_gives_back_its_whole_lines(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        table = opened(Path(directory))
        table.append([row(index, "é\n" * index) for index in range(6)])
        journal = Path(directory, "000000.jsonl")
        whole = journal.read_bytes()
        cut = data.draw(st.integers(0, len(whole)))
        journal.write_bytes(whole[:cut])
        again = opened(Path(directory))
        assert indices(again) == list(range(whole[:cut].count(b"\n")))
        again.append([row(9)])
        assert indices(opened(Path(directory)))[-1] == 9


def test_a_full_journal_becomes_a_part(tmp_path: Path) -> None:
    table = opened(tmp_path)
    for index in range(SEGMENT_ROWS + 1):
        table.append([row(index)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000.parquet", "000001.jsonl"]
    assert indices(table) == list(range(SEGMENT_ROWS + 1))


def test_long_texts_are_sealed_before_they_fill_memory(tmp_path: Path) -> None:
    table = opened(tmp_path)
    for index in range(20):
        table.append([row(index, "x" * 1_000_000)])
    assert len(table.parts()) == 20_000_000 // SEGMENT_BYTES
    assert indices(table) == list(range(20))


def test_a_journal_beside_its_sealed_twin_is_not_read_twice(tmp_path: Path) -> None:
    table = opened(tmp_path)
    table.append([row(0), row(1)])
    shutil.copy(tmp_path / "000000.jsonl", tmp_path / "copy")
    table.seal()
    shutil.move(tmp_path / "copy", tmp_path / "000000.jsonl")
    assert indices(Table(tmp_path, SCHEMA)) == [0, 1]
    assert indices(opened(tmp_path)) == [0, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["000000.parquet"]


def test_a_half_written_part_is_cleared_away(tmp_path: Path) -> None:
    table = opened(tmp_path)
    table.append([row(0)])
    (tmp_path / "000000.tmp").write_bytes(b"PAR1 half")
    assert indices(opened(tmp_path)) == [0]
    assert [path.name for path in tmp_path.iterdir()] == ["000000.parquet"]


def test_rows_between_two_indices_are_found_in_any_part(tmp_path: Path) -> None:
    table = opened(tmp_path)
    for indices_of_part in ([0, 3, 9], [4, 1], [2, 8]):
        table.append([row(index) for index in indices_of_part])
        table.seal()
    assert [found["index"] for found in table.between(1, 5)] == [1, 2, 3, 4]


def test_dropped_rows_are_gone_and_an_emptied_part_too(tmp_path: Path) -> None:
    table = opened(tmp_path)
    for text in ("keep", "drop"):
        table.append([row(0, text), row(1, "drop")])
        table.seal()
    dropped = table.drop(lambda rows: pa.array([text == "drop" for text in rows["text"].to_pylist()]))
    assert (dropped, indices(table), len(table.parts())) == (3, [0], 1)


def test_a_corrupt_part_is_named_with_the_way_out(tmp_path: Path) -> None:
    table = opened(tmp_path / "some-run" / "transcripts")
    table.append([row(0)])
    table.seal()
    [part] = table.parts()
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(StoreError, match=r"000000\.parquet is corrupt.*Move it away.*gadfly resume some-run"):
        indices(table)
