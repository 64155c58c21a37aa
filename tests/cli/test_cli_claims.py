"""review serve on claims and on documents to ask, as a user types it."""

import asyncio
import re
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

import pytest

from forked import GADFLY, Forked
from gadfly.corpora import Document, build, in_memory
from gadfly.evidence import Quoting, cases_of, unquoted
from gadfly.models import System, scripted
from gadfly.runs import Settings
from gadfly.runs import run as play

TEXT = "The lamp at Ness burns for nine hours on one filling. In winter it is filled twice in a night."
ANSWER = "%<Nine hours.>%(Ness)%[burns for nine hours on one filling]%"


@pytest.fixture
def claims(tmp_path, monkeypatch):
    """A run of four answers."""
    monkeypatch.delenv("GADFLY_REVIEW", raising=False)
    corpus = in_memory([Document("ness", "Ness", TEXT, "ness.md")])
    game = Quoting(corpus, System(scripted(ANSWER)))
    cases = cases_of([{"question": f"How long does lamp {n} burn?"} for n in range(4)], 1)
    settings = Settings(tmp_path / "gadfly-runs", progress=False)
    return asyncio.run(play(game, cases, [unquoted()], settings=settings))


@pytest.fixture
def served(tmp_path):
    """`served(*options)`: a browser at the page of `gadfly review serve`, signed in as the first rater."""
    started = []

    def serve(*options):
        process = Forked(GADFLY, "review", "serve", *options, "--port", 0, cwd=tmp_path)
        started.append(process)
        return Browser(re.findall(r"http://\S+/enter/\S+", process.until("Serving at"))[0])

    yield serve
    for process in started:
        process.kill()


class Browser:
    """Follows links and sends forms, with its cookies."""

    def __init__(self, link):
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.origin = link.partition("/enter/")[0]
        self.html = self.get(link)

    def get(self, place, **form):
        data = urllib.parse.urlencode(form).encode() if form else None
        answer = self.opener.open(urllib.parse.urljoin(self.origin, place), data, timeout=60)
        self.place, self.html = answer.url, answer.read().decode()
        return self.html


def test_claims_of_a_run_are_judged_as_supported(claims, served):
    page = served(claims.id, "--kind", "supported", "--judge", "unquoted")
    shown = page.get("/")
    assert "Do the highlighted words show that the whole claim is true?" in shown
    assert "<mark>burns for nine hours on one filling</mark>" in shown


def test_only_the_answers_that_are_chosen_are_asked_about_and_put_right(claims, served, gadfly, tmp_path):
    asked = (claims.id, "--kind", "supported", "--judge", "unquoted", "--queue", "q")
    page = served(*asked, "--chosen", "first", "--n", "3")
    csrf = re.findall(r'name="csrf" value="(\w+)"', page.get("/"))[0]
    assignment = re.findall(r'name="assignment" value="(\w+)"', page.html)[0]
    page.get("/answer", csrf=csrf, assignment=assignment, value="yes")
    said = gadfly("rate", claims.id, "--labels", "q")
    assert "unquoted alone, on every case chosen by first" in said.out
    refused = gadfly("review", "serve", *asked, "--chosen", "unquoted")
    assert "was made with another --chosen" in refused.err
    assert gadfly("ask-next", claims.id, "--judge", "unquoted", "--add", "q").out.endswith(
        "added to queue q.\n"
    )
    gadfly("report", claims.id, "--output", "report.html")
    assert (
        "First sample: queue q holds too few labels yet to say what people see."
        in (tmp_path / "report.html").read_text()
    )


def test_documents_are_asked_and_the_answer_judged(served, tmp_path, monkeypatch, gadfly):
    monkeypatch.delenv("GADFLY_REVIEW", raising=False)
    (tmp_path / "ness.md").write_text(TEXT)
    build("ness", [tmp_path / "ness.md"], progress=False)
    page = served("--corpus", "ness", "--model", "scripted/x")
    csrf = re.findall(r'name="csrf" value="(\w+)"', page.get("/ask"))[0]
    page.get("/ask", csrf=csrf, question="How long does the lamp at Ness burn?")
    page.get(f"{page.place}?wait=1")
    assert "No answer" in page.html
    assert gadfly("review", "export", "ask-ness-asked-true").out == ""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--corpus", "ness"), "Who shall answer from the documents? Name a model with --model."),
        (("--model", "scripted/x"), "--model and --decline are for questions to documents"),
        ((), "There is nothing to judge: name a run, or documents to ask with --corpus."),
        (("--corpus", "nope", "--model", "scripted/x"), "nope"),
        (("--corpus", "web:tavily", "--search", "fusion", "--model", "scripted/x"), "as tavily does"),
        (
            ("RUN", "--kind", "supportd"),
            "A queue's kind is one of label, compare, plausible, supported, true",
        ),
    ],
)
def test_what_cannot_be_served_is_one_sentence(gadfly, claims, words, sentence):
    said = gadfly("review", "serve", *(claims.id if word == "RUN" else word for word in words))
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert sentence in said.err
