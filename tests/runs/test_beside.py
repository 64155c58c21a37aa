"""What is kept beside a run: read and written whole, by one at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from gadfly.errors import StoreError
from gadfly.runs import Beside, Run


@dataclass(frozen=True)
class Note:
    text: str


NOTES = Beside("notes.json", "gadfly note", lambda one: Note(**one))


def run_in(tmp_path: Path) -> Run:
    return Run(tmp_path, {})


def add(run: Run, text: str) -> None:
    while True:
        try:
            return NOTES.change(run, lambda kept: [*kept, Note(text)])
        except StoreError as error:
            assert "being run by another process" in str(error)


def test_nothing_is_there_until_something_is_kept_and_then_it_is_in_order(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    assert NOTES.all(run) == []
    add(run, "one")
    add(run, "zwölf")
    NOTES.change(run, lambda kept: None)
    assert NOTES.all(run) == [Note("one"), Note("zwölf")]


def test_of_many_who_write_at_once_none_takes_away_what_another_wrote(tmp_path: Path) -> None:
    texts = [str(number) for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda text: add(run_in(tmp_path), text), texts))
    assert sorted(one.text for one in NOTES.all(run_in(tmp_path))) == sorted(texts)


def test_who_may_not_write_is_told_why_and_what_was_there_stays(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    add(run, "one")
    lock = run.lock()
    with pytest.raises(StoreError, match="being run by another process"):
        NOTES.change(run, lambda kept: [])
    lock.release()
    (tmp_path / "notes.json.tmp").mkdir()
    with pytest.raises(StoreError, match=r"notes\.json could not be written .* give `gadfly note` again"):
        NOTES.change(run, lambda kept: [])
    assert NOTES.all(run) == [Note("one")]


def test_a_broken_file_says_how_it_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text('[{"other": 1}]')
    with pytest.raises(StoreError, match=r"notes\.json cannot be read .* `gadfly note` again"):
        NOTES.all(run_in(tmp_path))
