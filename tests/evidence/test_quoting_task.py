"""Quoting as the Inspect task `gadfly/verified_quotes`."""

import pytest
from inspect_ai._util.error import PrerequisiteError

from gadfly._registry import verified_quotes
from gadfly.corpora import build


@pytest.mark.parametrize(
    ("corpus", "search", "says"),
    [
        ("handbook", "fusion", "built without embeddings"),
        ("web:bing", "bm25", "take tavily, exa, google"),
        ("handbok", "bm25", "Did you mean 'handbook'"),
    ],
)
def test_what_cannot_be_searched_is_said_without_a_traceback(tmp_path, monkeypatch, corpus, search, says):
    monkeypatch.setenv("GADFLY_CORPORA", str(tmp_path / "corpora"))
    (tmp_path / "q.jsonl").write_text('{"question": "when does it end?"}')
    (tmp_path / "page.txt").write_text("It ends in May.")
    build("handbook", [tmp_path / "page.txt"])
    with pytest.raises(PrerequisiteError, match=says):
        verified_quotes(corpus=corpus, questions=str(tmp_path / "q.jsonl"), search=search)
