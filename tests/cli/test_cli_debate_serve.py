"""gadfly debate serve as a user types it: what is refused, and kill -9 in the middle of a debate."""

import json
import os
import re
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
import yaml

from forked import GADFLY, Forked
from gadfly.cli._debate_serve import _called
from gadfly.debate import protocol
from gadfly.review import Store
from gadfly.runs import all_runs

ROW = {"question": "When was it lit?", "answers": ["1874", "1901"], "correct": 0, "document": "Lit in 1874."}


@pytest.fixture
def questions(tmp_path):
    """A set of one question."""
    (tmp_path / "set.jsonl").write_text(json.dumps(ROW) + "\n")
    return "set.jsonl"


@pytest.fixture
def serving(tmp_path, questions, tiny_agent_dir):
    """`serving()`: the process and what it printed until it listened. Its debaters babble and lose nothing by it."""
    patient = protocol("interactive_debate").model_dump(mode="json", by_alias=True, exclude={"name"})
    patient["rules"]["loses"] = []
    (tmp_path / "patient.yaml").write_text(yaml.safe_dump(patient))
    options = ["--protocol", "patient.yaml", "--debaters", f"gadfly/{tiny_agent_dir}", "--port", "0"]
    words = ["debate", "serve", questions, *options, "--people", "ann,ben"]
    environment = {name: value for name, value in os.environ.items() if name != "GADFLY_RUNS"}
    environment["GADFLY_REVIEW"] = f"sqlite:///{tmp_path}/labels.db"
    started = []

    def start():
        process = Forked(GADFLY, *words, cwd=tmp_path, env=environment)
        started.append(process)
        said = process.until("Serving at")
        assert "Serving at" in said, said
        return process, said

    yield start
    for process in started:
        process.kill()


class Reader:
    """One person without scripts, who reads the stream to know when something has happened."""

    def __init__(self, link):
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.opener.open(link, timeout=60).close()
        self.origin = link.partition("/enter/")[0]

    def waits_for(self, *words):
        """Until the page has all of them; the stream of a page that shows nothing sends all there is."""
        missing = set(words)
        with self.opener.open(f"{self.origin}/", timeout=60) as page:
            whose, place, _ = re.findall(r'data-mark="([^"]*)"', page.read().decode())[0].split(".", 2)
        with self.opener.open(f"{self.origin}/live?after={whose}.{place}.0.none", timeout=60) as stream:
            for line in stream:
                missing -= {word for word in missing if word in line.decode()}
                if not missing:
                    return
        raise AssertionError(f"the stream ended without {missing}")

    def gives(self, **values):
        with self.opener.open(f"{self.origin}/", timeout=60) as page:
            hidden = dict(
                re.findall(r'type="hidden" name="(csrf|case|key)" value="([^"]*)"', page.read().decode())
            )
        data = urllib.parse.urlencode({**hidden, **values}).encode()
        asked = urllib.request.Request(f"{self.origin}/give", data, {"Origin": self.origin})
        self.opener.open(asked, timeout=60).close()


def test_the_people_of_debates_are_told_of_where_labels_are(gadfly, serving, tmp_path):
    serving()
    told = gadfly("review", "status", "--store", f"sqlite:///{tmp_path}/labels.db")
    assert "Nothing to label yet, for ann, ben." in told.out, told.err


def test_after_kill_9_in_the_middle_the_same_command_goes_on_in_the_same_case(serving, tmp_path):
    process, said = serving()
    links = dict(re.findall(r"(\w+)  (http://\S+/enter/\S+)", said))
    assert set(links) == {"ann", "ben"}
    ann = Reader(links["ann"])
    ann.gives()
    ann.waits_for('name="towards_b"')
    ann.gives(towards_b=30)
    ann.waits_for('name="pass"')
    process.kill()
    _, said = serving()
    assert "The links given before still work" in said
    origin = re.findall(r"Serving at (http://[^\s;,]+)", said)[0].rstrip("/")
    again = Reader(f"{origin}/enter/{links['ann'].rpartition('/')[2]}")
    again.waits_for('name="pass"', "A 70%, B 30%")
    again.gives(text="Why?")
    again.waits_for('name="towards_b"', "Why?")
    assert [run.info["cases"] for run in all_runs(tmp_path / "gadfly-runs")] == [1, 1]  # one a person


def test_a_link_is_made_once_nothing_can_fail_any_more(gadfly, questions, tmp_path):
    words = [
        "debate",
        "serve",
        questions,
        "--debaters",
        "scripted/x",
        "--port",
        "0",
        "--store",
        f"sqlite:///{tmp_path}/l.db",
    ]
    (tmp_path / "file").touch()
    said = gadfly(*words, "-o", "file/runs")
    assert said.code == 2 and "cannot be written" in said.err
    with Store(f"sqlite:///{tmp_path}/l.db") as store:
        [queue] = store.queues()
        assert store.raters(queue) == []


def test_two_sets_of_one_name_are_two_queues(tmp_path):
    for name in ("a/set.jsonl", "b/set.jsonl", "a/set.test.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    called = [_called(tmp_path / name) for name in ("a/set.jsonl", "b/set.jsonl", "a/set.test.jsonl")]
    assert len(set(called)) == 3 and called[2].startswith("set.test-")
    assert _called(tmp_path / "a" / ".." / "b" / "set.jsonl") == called[1]
    assert _called(Path("sample")) == "sample"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--debate-as", "first"], "name it with --judge"),
        (["--debate-as", "third"], "has no seat 'third'"),
        (["--people", "ann,,ben"], "has an empty entry"),
        (["--people", "ann", "--raters", "2"], "not both: --people or --raters"),
        (["--debaters", "scripted/a,scripted/b,scripted/c"], "one player or two"),
        (["--debaters", ""], "Nobody sits in first and second: name a model with --debaters"),
        (["--protocol", "naive"], "No seat of protocol naive is left for a model: leave out --debaters"),
        (["--judge", "scripted/j"], "People judge, so nobody would ask --judge"),
        (["--orders", "1"], "leave it out, or name one with --judge"),
        (
            ["--debate-as", "second", "--judge", "scripted/j", "--debaters", "scripted/a,scripted/b"],
            "so one player is left to name",
        ),
        (["--tls", "set.jsonl", "set.jsonl"], "do not serve as a certificate and its key"),
        (["--debate-as", "first", "--judge", "scripted/j", "--rounds", "21"], "less than or equal to 20"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(gadfly, questions, options, sentence):
    said = gadfly("debate", "serve", questions, "--debaters", "scripted/x", *options)
    assert said.code == 2
    assert sentence in said.err
