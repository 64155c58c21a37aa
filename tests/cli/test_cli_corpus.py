"""gadfly corpus: what its verbs print and how they end."""

import pytest


@pytest.fixture
def docs(tmp_path, monkeypatch):
    monkeypatch.setenv("GADFLY_CORPORA", str(tmp_path / "corpora"))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/cats.md").write_text("# Cats\nCats sleep \u202ea lot.")
    (tmp_path / "docs/x.bin").write_bytes(b"\0")
    return tmp_path / "docs"


def test_build_says_what_is_in_and_what_was_left_out(gadfly, docs):
    said = gadfly("corpus", "build", docs, "--name", "pets")
    assert said.code == 0
    assert "1 document in 1 passage (1 added, 0 changed, 0 unchanged, 0 removed)" in said.out
    assert "x.bin: is binary" in said.out


def test_search_shows_where_it_stands_and_nothing_that_acts(gadfly, docs):
    gadfly("corpus", "build", docs, "--name", "pets")
    said = gadfly("corpus", "search", "pets", "does a cat sleep?")
    assert "1. Cats  [docs/cats.md:0-25]" in said.out
    assert "⟦U+202E⟧" in said.out


def test_search_says_when_nothing_matches(gadfly, docs):
    gadfly("corpus", "build", docs, "--name", "pets")
    assert gadfly("corpus", "search", "pets", "zebra").out == "Nothing matches.\n"


def test_list_and_remove(gadfly, docs):
    assert "No corpora in" in gadfly("corpus", "list").out
    gadfly("corpus", "build", docs, "--name", "pets")
    assert "pets  1 documents, 1 passages" in gadfly("corpus", "list").out
    assert gadfly("corpus", "remove", "pets").out == "Removed: pets\n"
    assert "No corpora in" in gadfly("corpus", "list").out


def test_remove_names_what_it_leaves(gadfly, docs, tmp_path):
    gadfly("corpus", "build", docs, "--name", "pets")
    (tmp_path / "corpora/pets/notes.txt").write_text("mine")
    assert "gadfly did not make it: notes.txt" in gadfly("corpus", "remove", "pets").out


def test_a_build_of_nothing_readable_ends_with_1(gadfly, docs):
    assert gadfly("corpus", "build", docs / "x.bin", "--name", "pets").code == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("search", "cats", "x"), "gadfly corpus build"),
        (("build", "nowhere", "--name", "x"), "does not exist"),
        (("build", ".", "--name", "a/b"), "cannot be the name"),
        (("remove", "x"), "There is no corpus"),
    ],
)
def test_what_cannot_work_is_one_sentence(gadfly, docs, words, says):
    said = gadfly("corpus", *words)
    assert (said.code, says in said.err) == (2, True)
