"""Files into documents: what is taken from each kind, and that a hostile one is named and stops none of the others."""

import asyncio
import gzip
import json
import zlib
from pathlib import Path

import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gadfly.corpora import build, corpus, in_memory
from gadfly.corpora._apart import Apart, ApartError
from gadfly.corpora._splitting import passages, pieces
from gadfly.corpora._types import Document
from gadfly.evidence import Quoting
from gadfly.judges._calibration import Platt
from gadfly.judges._record import Reading, Saved, to_json
from gadfly.judges._reward_record import SavedReward
from gadfly.judges._rounds import keep_round
from gadfly.models import System, scripted
from gadfly.pressure._regress import _write
from gadfly.runs import Settings, run
from gadfly.training._folder import Folder


def pdf(path: Path, content: bytes, also: bytes = b"") -> None:
    """A PDF of one page with this content stream."""
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), also, content),
        font,
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(b"%010d 00000 n \n" % len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"xref\n0 6\n0000000000 65535 f \n" + b"".join(places)
    tail = b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % len(out)
    path.write_bytes(out + table + tail)


def encrypted(path: Path) -> None:
    writer = pypdf.PdfWriter()
    writer.add_blank_page(9, 9)
    writer.encrypt("secret")
    writer.write(path)


def text(raw: bytes):
    return lambda path: path.write_bytes(raw)


BOMB = zlib.compress(b"BT (x) Tj ET " * 8_000_000, 9)
HOSTILE = {
    "binary.txt": (text(b"\x7fELF\0\0"), "binary"),
    "latin.txt": (text("é à ü".encode("latin-1")), "UTF-8"),
    "empty.md": (text(b" \n "), "no text"),
    "broken.pdf": (text(b"%PDF-1.7 garbage"), "cannot be read"),
    "locked.pdf": (encrypted, "encrypted"),
    "bomb.pdf": (lambda path: pdf(path, BOMB, b"/Filter /FlateDecode"), "no text"),
    "blank.html": (text(b"<script>x</script>"), "no text"),
    "bad.jsonl": (text(b"no json\n" + b"[" * 100_000), "no line that holds"),
    "cut.jsonl.gz": (text(gzip.compress(b'{"text": "x"}\n' * 9_000)[:60]), "cut off"),
    "loop.txt": (lambda path: path.symlink_to(path), "leads nowhere"),
}
READ = {
    "heading.md": (text(b"# Penguins #\nThey swim."), ("Penguins", "swim")),
    "marked.txt": (text("\ufeffcranes fly".encode()), ("marked", "cranes")),
    "sixteen.txt": (text("zebras".encode("utf-16")), ("sixteen", "zebras")),
    "page.html": (text(b"<title>A &amp; B</title><p>Bats<!-- not this --> hang"), ("A & B", "bats")),
    "deep.html": (text(b"<h1>Deep</h1>" + b"<div>" * 30_000 + b"elephants"), ("Deep", "elephants")),
    "page.pdf": (lambda path: pdf(path, b"BT /F1 2 Tf 1 1 Td (Moles dig) Tj ET"), ("page", "moles")),
    "nul.txt": (text(b"x" * 9_000 + b" \0\x1b[31m worms crawl"), ("nul", "worms")),
    "one-bad.txt": (text(b"ants march on and on. " * 100 + b"\xff"), ("one-bad", "ants")),
    "right.txt": (text("lions \u202e roar".encode()), ("right", "roar")),
}


def kept_by_gadfly(folder: Path) -> list[str]:
    """One of everything that gadfly keeps, each in a directory of `folder`; their names."""
    library = in_memory([Document("a", "A", "Cats sleep.")])
    game = Quoting(library, System(scripted("Cats dance.")))
    cases = [{"question": "do cats sleep?"}]
    played = asyncio.run(run(game, cases, settings=Settings(folder, progress=False)))
    _write(folder / "rerun", format=1, suite="s", target={}, plan="p")
    Folder.open(folder / "training", {})
    build("x", [folder.parent / "a.txt"], folder=folder)
    (folder / "half").mkdir()
    (folder / "half/building.json").write_text('{"of": 0, "size": 1000}')
    heads = Saved(1, "j", 0.5, Platt(1.0, 0.0), Reading("e", "0", False), "0")
    keep_round("judge", lambda number: {"judge.json": to_json(heads)}, folder)
    weights = SavedReward(1, "r", 0.5, "labels", "dialogue", (), "0")
    keep_round("reward", lambda number: {"reward.json": to_json(weights)}, folder)
    return [played.id, "rerun", "training", "x", "half", "judge/0001", "reward/0001"]


def test_what_gadfly_keeps_is_left_out_and_named(tmp_path):
    (tmp_path / "a.txt").write_text("Cats sleep.")
    own = kept_by_gadfly(tmp_path / "kept")
    built = build("y", [tmp_path], folder=tmp_path / "kept")
    assert built.skipped.keys() == {str(tmp_path / "kept" / name) for name in own}
    assert built.added == 1
    before = corpus(tmp_path / "kept/y").spec()
    assert build("y", [tmp_path], folder=tmp_path / "kept").unchanged == 1
    assert corpus(tmp_path / "kept/y").spec() == before


def test_a_file_called_like_one_of_gadflys_is_a_document_like_any_other(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/run.json").write_text('{"runs": "marathon"}')
    built = build("y", [tmp_path / "docs"], folder=tmp_path)
    assert (built.added, built.skipped) == (1, {})


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Every file above in one folder, built once."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "docs").mkdir()
    for name, (make, _) in {**HOSTILE, **READ}.items():
        make(folder / "docs" / name)
    (folder / "docs" / "round").symlink_to(folder / "docs", target_is_directory=True)
    done = build("x", [folder / "docs"], folder=folder, progress=False)
    return done, corpus(folder / "x")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_named_with_the_reason(built, name):
    done, _ = built
    [why] = [why for where, why in done.skipped.items() if where.endswith(name)]
    assert HOSTILE[name][1] in why


@pytest.mark.parametrize("name", READ)
def test_a_readable_file_is_found_beside_them(built, name):
    _, opened = built
    title, word = READ[name][1]
    [found] = opened.search(word, 1)
    assert (found.passage.title, found.passage.document) == (title, f"docs/{name}")


def test_control_characters_are_gone_from_what_is_kept(built):
    _, opened = built
    assert opened.document("docs/nul.txt").text == "x" * 9_000 + "   [31m worms crawl"


def test_what_html_says_is_kept_in_lines_and_paragraphs(tmp_path):
    page = "<body><h1>Head</h1><p>First<br>line  \n two</p><ul><li>one<li>two</ul><pre>a\n  b</pre>"
    (tmp_path / "p.html").write_text(page)
    with Apart() as apart:
        said, _, _ = apart.read(tmp_path / "p.html", "html")
    assert said == "Head\n\nFirst\nline two\n\none\ntwo\n\na\n  b"


def test_a_file_that_takes_too_long_ends_its_reader_and_not_the_next(tmp_path):
    (tmp_path / "p.html").write_text("<p>bees")
    with Apart(patience_s=0.0) as apart:
        with pytest.raises(ApartError, match="more than 0 s"):
            apart.read(tmp_path / "p.html", "html")
        apart._patience_s = 60.0
        assert apart.read(tmp_path / "p.html", "html")[0] == "bees"


def test_lines_of_jsonl_are_documents_and_bad_ones_are_named(tmp_path):
    rows = [
        {"text": "one", "id": 7, "title": "T"},
        {"passage": "two"},
        {"content": "lone \ud800"},
        {"text": "x", "id": 7},
    ]
    lines = [*map(json.dumps, rows), "nonsense", "", '{"text": 5}']
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    done = build("x", [tmp_path / "rows.jsonl"], folder=tmp_path, progress=False)
    opened = corpus(tmp_path / "x")
    assert (done.added, sorted(where[-1] for where in done.skipped)) == (3, ["4", "5", "7"])
    assert opened.document("7").title == "T"
    assert opened.document("rows.jsonl:3").text == "lone \ufffd"


def test_a_file_of_bad_lines_names_some_and_counts_the_rest(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"text": "one"}\n' + "bad\n" * 1_000)
    done = build("x", [tmp_path / "rows.jsonl"], folder=tmp_path, progress=False)
    assert len(done.skipped) == 21
    assert "980 further lines were left out" in done.skipped.values()


# --- passages ---


@given(st.text(st.sampled_from("ab .\n。é\u0301猫\u2003"), max_size=400), st.integers(50, 90))
@settings(max_examples=200)
def test_pieces_tile_the_text_and_passages_stand_in_it(said, size):
    cuts = list(pieces(said, size))
    assert "".join(said[a:b] for a, b in cuts) == (said if said.strip() else "")
    for passage in passages(Document("d", "t", said), size):
        assert passage.text == said[passage.start : passage.end] == passage.text.strip() != ""
        assert len(passage.text) <= size


def test_passages_end_where_a_paragraph_or_a_sentence_does():
    said = "First paragraph here. It goes on for a while.\n\n" + "A sentence. " * 20
    texts = [passage.text for passage in passages(Document("d", "t", said), 60)]
    assert texts[0] == "First paragraph here. It goes on for a while."
    assert all(text.endswith(".") for text in texts)


def test_a_text_without_spaces_is_cut_but_no_accent_is_parted_from_its_letter():
    texts = [passage.text for passage in passages(Document("d", "t", "e\u0301" * 500), 51)]
    assert all(text.startswith("e") for text in texts)


def test_white_space_without_end_costs_no_passage():
    assert len(list(passages(Document("d", "t", "one" + " " * 1_000_000 + "two"), 100))) == 2
