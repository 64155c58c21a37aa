"""A corpus, in memory and on disk: what is found, what a second build does, and what survives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forked import Forked
from gadfly.corpora import Document, build, corpora, corpus, in_memory, remove
from gadfly.corpora._corpus import Corpus
from gadfly.corpora._index import Index
from gadfly.corpora._vectors import Vectors, fused
from gadfly.errors import InputError, StoreError, UnknownNameError

ANIMALS = (
    Document("a", "Cats", "Cats sleep most of the day. They hunt at night."),
    Document("b", "Dogs", "Dogs bark. Dogs run with people who run."),
    Document("c", "猫", "猫很喜欢睡觉。狗不喜欢。"),
    Document("d", "Cafés", "The naïve café owner keeps one goldfish."),
)
HELD = in_memory(ANIMALS)


class Letters:
    """An embedder whose vectors are the shares of four letters; it knows how often it was asked."""

    name, sha256, texts = "letters", "0", 0

    def embed(self, texts):
        self.texts += len(texts)
        counts = np.array([[text.lower().count(letter) for letter in "abcd"] for text in texts], np.float32)
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)


@pytest.fixture
def docs(tmp_path, monkeypatch):
    monkeypatch.setenv("GADFLY_CORPORA", str(tmp_path / "corpora"))
    folder = tmp_path / "docs"
    folder.mkdir()
    for letter, text in zip("abc", ("cats sleep", "dogs bark", "fish swim"), strict=True):
        (folder / f"{letter}.txt").write_text(text)
    return folder


def titles(found):
    return [one.passage.title for one in found]


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("which cat sleeps?", "Cats"),
        ("RUNNING", "Dogs"),
        ("睡", "猫"),
        ("naive cafe", "Cafés"),
        ("ＣＡＴＳ", "Cats"),
    ],
)
def test_words_are_found_in_other_cases_forms_and_scripts(query, title):
    assert titles(HELD.search(query, 1)) == [title]


@pytest.mark.parametrize("query", ["", "   ", "?!", "\0", "\ud800", "zebra", "\u202e"])
def test_a_query_without_a_known_word_finds_nothing(query):
    assert HELD.search(query) == ()


@given(st.text(st.characters(), max_size=200))
@settings(max_examples=50)
def test_any_text_is_a_query(text):
    HELD.search(text)


@pytest.mark.parametrize(
    "query", ['title:cats AND (NOT "x', "cats^9 +-*~ [a TO b}", "cats " * 5_000, "'); drop"]
)
def test_operators_mean_nothing(query):
    assert titles(HELD.search(query, 1)) == (["Cats"] if "cats" in query else [])


def test_a_query_of_many_words_is_searched_by_its_rarest():
    noise = " ".join(f"word{n}" for n in range(200))
    assert titles(HELD.search(f"{noise} goldfish", 1)) == ["Cafés"]


def test_documents_can_be_left_out():
    assert titles(HELD.search("cats dogs", 4, without={"a"})) == ["Dogs"]


def test_equal_passages_come_in_the_order_of_their_ids():
    same = [Document(f"{n:02}", "t", "one and the same") for n in range(30)]
    forth, back = in_memory(same).search("same", 5), in_memory(same[::-1]).search("same", 5)
    assert [one.passage.document for one in forth] == [one.passage.document for one in back]
    assert [one.passage.document for one in forth] == ["00", "01", "02", "03", "04"]


def test_a_passage_is_the_documents_text_at_its_offsets():
    text = " \n " + "The moon is far. " * 200 + "\n\nMars is red.\n"
    held = in_memory([Document("m", "Moon", text)])
    [found] = held.search("mars", 1)
    assert held.document("m").text == text
    assert text[found.passage.start : found.passage.end] == found.passage.text
    assert found.passage.text.endswith("Mars is red.")


def test_two_documents_with_one_id_are_refused():
    with pytest.raises(InputError, match="'a'"):
        in_memory([ANIMALS[0], ANIMALS[0]])


def test_a_document_that_is_not_there_is_said_so():
    with pytest.raises(InputError, match="no document 'x'"):
        HELD.document("x")


def test_the_hash_is_of_the_content_and_not_of_its_order():
    assert in_memory(ANIMALS[::-1]).sha256 == HELD.sha256 != in_memory(ANIMALS[:2]).sha256


def test_a_second_build_reads_only_what_changed(docs):
    assert build("x", [docs]).added == 3
    (docs / "b.txt").write_text("dogs growl")
    (docs / "c.txt").unlink()
    (docs / "d.txt").write_text("owls hoot")
    built = build("x", [docs])
    assert (built.added, built.changed, built.unchanged, built.removed) == (1, 1, 1, 1)
    opened = corpus("x")
    assert (opened.documents, titles(opened.search("growl hoot"))) == (3, ["b", "d"])
    assert opened.search("bark swim") == ()


def test_a_build_of_nothing_new_leaves_the_generation(docs):
    build("x", [docs])
    before = corpus("x").spec()
    assert build("x", [docs]).unchanged == 3
    assert corpus("x").spec() == before
    assert (docs.parent / "corpora/x/g000001").exists()


def test_what_came_from_elsewhere_stays(docs):
    other = docs.parent / "other"
    other.mkdir()
    (other / "e.txt").write_text("mice squeak")
    build("x", [docs])
    assert build("x", [other]).removed == 0
    assert titles(corpus("x").search("mice cats")) == ["a", "e"]


def test_an_incremental_corpus_has_the_hash_of_one_built_at_once(docs):
    build("x", [docs / "a.txt"])
    build("x", [docs / "b.txt", docs / "c.txt"])
    build("y", [docs / "c.txt", docs / "a.txt", docs / "b.txt"])
    assert corpus("x").sha256 == corpus("y").sha256


def test_files_of_one_name_in_two_folders_are_two_documents(docs):
    for place in ("one", "two"):
        (docs.parent / place / "docs").mkdir(parents=True)
        (docs.parent / place / "docs/a.txt").write_text(f"{place} cats")
    built = build("x", [docs.parent / "one/docs", docs.parent / "two/docs"])
    assert (built.added, built.skipped) == (2, {})


def test_a_corpus_that_is_open_stays_what_it_was(docs):
    build("x", [docs])
    opened = corpus("x")
    (docs / "a.txt").write_text("cats purr")
    build("x", [docs])
    assert titles(opened.search("sleep")) == ["a"]
    assert opened.document("docs/a.txt").text == "cats sleep"
    assert corpus("x").document("docs/a.txt").text == "cats purr"


KILLED = """
import os, sys
from pathlib import Path
from gadfly.corpora import _building as b
b.AT_ONCE, real = 1, b.read
def read(file, *rest):
    if file.path.name == "c.txt":
        os.kill(os.getpid(), 9)
    return real(file, *rest)
b.read = read
b.build("x", [Path(sys.argv[1])])
"""


def test_a_build_that_is_killed_leaves_the_old_corpus_and_goes_on(docs):
    build("x", [docs / "a.txt"])
    before = corpus("x").spec()
    assert (Forked(KILLED, docs).ended()[0], corpus("x").spec()) == (-9, before)
    journal = (docs.parent / "corpora/x/building/sources.jsonl").read_text()
    assert '"origin"' in journal and "b.txt" in journal
    assert build("x", [docs]).added == 2
    assert [titles(corpus("x").search(word)) for word in ("sleep", "bark", "swim")] == [["a"], ["b"], ["c"]]
    assert corpus("x").passages == 3


def test_what_another_process_builds_is_not_touched(docs):
    from gadfly.corpora._corpus import corpora_home, locked

    with locked(corpora_home() / "x"), pytest.raises(StoreError, match="another process"):
        build("x", [docs])


def test_a_corpus_that_is_not_there_names_the_nearest_and_how_to_make_one(docs):
    build("handbook", [docs])
    with pytest.raises(UnknownNameError, match=r"'handbook'.*gadfly corpus build"):
        corpus("handbok")


def test_a_broken_corpus_is_said_to_be_one(docs):
    build("x", [docs])
    (docs.parent / "corpora/x/g000001/index/meta.json").write_text("{")
    with pytest.raises(StoreError, match="corpus remove x"):
        corpus("x")


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 101, "n\nn"])
def test_a_name_that_is_no_folders_is_refused(docs, name):
    with pytest.raises(InputError):
        build(name, [docs])


def test_a_corpus_can_be_removed(docs):
    build("x", [docs])
    remove("x")
    assert corpora() == ()
    assert (docs / "a.txt").exists()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A directory with a corpus.json and folders that are not gadfly's."""
    monkeypatch.chdir(tmp_path)
    for place in ("src", "g2_notes", "building"):
        (tmp_path / "proj" / place).mkdir(parents=True)
        (tmp_path / "proj" / place / "thesis.tex").write_text("precious")
    (tmp_path / "proj/corpus.json").write_text('{"my": "corpus"}')
    return tmp_path / "proj"


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("home", ["elsewhere", "."])
@pytest.mark.parametrize("text", ['{"my": "corpus"}', '{"format": 1}', "[]", "{", ""])
def test_a_directory_that_gadfly_did_not_make_is_no_corpus_and_stays(project, monkeypatch, home, text):
    monkeypatch.setenv("GADFLY_CORPORA", home)
    (project / "corpus.json").write_text(text)
    before = tree(project)
    with pytest.raises(UnknownNameError, match="no corpus"):
        remove("proj")
    with pytest.raises(InputError, match="other things"):
        build("proj", [project / "src"], folder=project.parent)
    assert (tree(project), corpora()) == (before, ())


def test_what_gadfly_did_not_make_stays_when_a_corpus_goes(docs):
    build("x", [docs])
    where = docs.parent / "corpora/x"
    for place in ("g000007", "g2_notes", "building"):
        (where / place).mkdir()
        (where / place / "thesis.tex").write_text("precious")
    assert remove("x") == ("building", "g000007", "g2_notes")
    assert len(tree(where)) == 6


def test_a_later_build_deletes_no_folder_that_is_called_much_like_a_generation(docs):
    build("x", [docs / "a.txt"])
    (docs.parent / "corpora/x/g2_notes").mkdir()
    build("x", [docs])
    assert (docs.parent / "corpora/x/g2_notes").exists()


@pytest.mark.parametrize("broken", ["corpus.json", "g000001/index/meta.json"])
def test_a_broken_corpus_can_be_removed_by_its_directory(docs, broken):
    build("x", [docs])
    where = docs.parent / "corpora/x"
    (where / broken).write_text("{")
    assert remove(str(where)) == ()
    assert not where.exists()


def by_letters(how, path=None):
    index = Index()
    for number, document in enumerate(ANIMALS):
        index.add(document, "", number)
    index.commit()
    vectors = Vectors(Letters(), path)
    vectors.add(list(index.numbered(index.numbers()).items()))
    info = {
        "name": "x",
        "documents": 4,
        "passages": 4,
        "sha256": "",
        "size": 1_000,
        "embedding": {"name": "letters"},
    }
    return Corpus(info, index, how, vectors)


def test_meaning_finds_what_shares_no_word():
    assert titles(by_letters("embeddings").search("bbdd", 1)) == ["Dogs"]
    assert by_letters("embeddings").search("zzz") == ()
    assert "Dogs" not in titles(by_letters("embeddings").search("bbdd", 4, without=["b"]))


def test_fusion_joins_both_rankings():
    assert titles(by_letters("fusion").search("goldfish bbdd", 2)) == ["Cafés", "Dogs"]


def test_what_is_searched_otherwise_is_another_corpus_to_a_run():
    specs = [by_letters(how).spec() for how in ("bm25", "embeddings", "fusion")]
    assert [one["search"] for one in specs] == ["bm25", "embeddings", "fusion"]
    assert specs[2]["embedding"] == {"name": "letters"}


def test_fused_ranks_add_up():
    assert fused([[1, 2], [2, 3]])[0] == (2, 1 / 61 + 1 / 62)


def test_vectors_are_kept_and_not_made_twice(tmp_path):
    by_letters("embeddings", tmp_path / "v")
    again = Vectors(Letters(), tmp_path / "v")
    assert again.known() == {0, 1, 2, 3}
    assert next(number for number, _ in again.nearest("bbdd")) == 1


@given(st.integers(1, 400), st.integers(0, 3))
@settings(max_examples=25)
def test_nearest_gives_every_passage_once_in_order(count, seed):
    vectors = Vectors(Letters())
    rows = np.random.default_rng(seed).integers(0, 3, (count, 4)).astype(np.float32)
    vectors._numbers, vectors._vectors = [np.arange(count)], [rows]
    found = list(vectors.nearest("abcd"))
    assert sorted(number for number, _ in found) == list(range(count))
    assert found == sorted(found, key=lambda one: (-one[1], one[0]))


def test_embeddings_that_were_not_made_are_said_how_to_make(docs):
    build("x", [docs])
    with pytest.raises(InputError, match="--embeddings"):
        corpus("x", "fusion")


def test_in_a_large_corpus_the_commonest_words_count_only_alone(monkeypatch):
    monkeypatch.setattr("gadfly.corpora._index.LARGE", 3)
    held = in_memory([Document(f"{n}", "t", "the rare word" if n == 7 else "the") for n in range(8)])
    assert [one.passage.document for one in held.search("the rare", 8)] == ["7"]
    assert len(held.search("the zebra", 8)) == 8
