"""review, rate and ask-next as a user types them."""

import json
import re
import shutil
import socket
import urllib.error
import urllib.request
from http.cookiejar import CookieJar

import pytest

from forked import GADFLY, Forked
from gadfly.runs import all_runs

ATTACK = ("redteam", "scripted/x", "--focus", "system_prompt")


@pytest.fixture
def run(gadfly, tmp_path, monkeypatch):
    """A finished run of forty cases."""
    monkeypatch.delenv("GADFLY_REVIEW", raising=False)
    assert gadfly(*ATTACK, "--cases", 40).code == 0
    [made] = all_runs(tmp_path / "gadfly-runs")
    return made


@pytest.fixture
def serving(run, tmp_path):
    """`serving(*options)`: the served page of the run as (process, everything printed until it listened)."""
    started = []

    def serve(*options):
        process = Forked(GADFLY, "review", "serve", run.id, "--port", 0, *options, cwd=tmp_path)
        started.append(process)
        return process, process.until("Serving at")

    yield serve
    for process in started:
        process.kill()


def opened(link):
    """The page behind a link, followed to the end with its cookie."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    return opener.open(link, timeout=60).read().decode()


def imported(gadfly, run, tmp_path, said="passes"):
    """A queue of twenty items, each with one label brought in from a file."""
    gadfly("ask-next", run.id, "--n", 20)
    from gadfly.review import Drawing, QueueSpec, Store, draw_into, frame_of

    with Store(f"sqlite:///{tmp_path}/gadfly-review.db") as store:
        from gadfly.judges import policy

        store.create(QueueSpec("q"))
        draw_into(store, "q", frame_of(run, run.info["verdict"]), Drawing(policy("uniform"), 20))
        [drawn] = store.draws("q", run.id)
    lines = [
        {"queue": "q", "run": run.id, "case_id": i.case_id, "rater": "ann", "value": said}
        for i in drawn.items
    ]
    text = "\n".join(map(json.dumps, lines))
    (tmp_path / "labels.jsonl").write_text(text, "utf-8-sig")  # as some editors write
    return gadfly("review", "import", "q", "labels.jsonl")


def test_serve_prints_a_link_for_each_rater_that_opens_the_page_and_the_same_command_goes_on(serving):
    process, said = serving("--raters", 3, "--n", 10)
    links = re.findall(r"http://127.0.0.1:\d+/enter/\S+", said)
    assert len(links) == 4
    assert "10 of 40 cases drawn" in said
    assert "Start" in opened(links[0])
    process.interrupt()
    assert process.wait() in (0, 130)
    _, again = serving("--raters", 3)
    assert "is there already and goes on as it was made" in again
    assert "The links given before still work" in again


def test_links_wait_for_a_port_that_can_be_used(serving):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        _, refused = serving("--n", 5, "--port", taken.getsockname()[1])
    assert "cannot be used" in refused
    _, said = serving()
    assert len(re.findall(r"http://127.0.0.1:\d+/enter/\S+", said)) == 2


def test_new_links_close_the_old_ones(serving):
    first, said = serving("--n", 5)
    [old] = re.findall(r"rater-1  (http\S+)", said)
    first.kill()
    _, again = serving("--new-links")
    [new] = re.findall(r"rater-1  (http\S+)", again)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        opened(new.rsplit("/", 1)[0] + "/" + old.rsplit("/", 1)[1])
    assert "Recorded" not in opened(new)


def test_labels_go_in_a_rate_comes_out_and_they_come_back(gadfly, run, tmp_path):
    assert imported(gadfly, run, tmp_path).out == "Took in 20 labels.\n"
    rated = gadfly("rate", run.id, "--labels", "q")
    assert rated.code == 0
    assert re.search(r"corrected +0\.0% \[0\.0%, \d+\.\d%\], n = 20", rated.out)
    assert "raters are taken to be right" in rated.out
    assert gadfly("review", "export", "q").out.count('"value"') == 20
    assert "as people see it by way of leaks_secret: none seen in 20" in gadfly("show", run.id).out
    assert re.search(r"20 labels; \d+ of 20 items done", gadfly("review", "status").out)


def test_until_width_says_whether_one_may_stop_and_exits_by_it(gadfly, run, tmp_path):
    imported(gadfly, run, tmp_path)
    wide = gadfly("rate", run.id, "--labels", "q", "--until-width", 0.9)
    narrow = gadfly("rate", run.id, "--labels", "q", "--until-width", 0.02)
    assert (wide.code, narrow.code) == (0, 3)
    assert "You may stop" in wide.out
    assert re.search(
        r"Not yet: .* wide after 20 labels, 2\.0% asked for; about [\d,]+ more labels", narrow.out
    )


def test_changed_labels_are_noticed_by_the_report(gadfly, run, tmp_path):
    imported(gadfly, run, tmp_path)
    gadfly("rate", run.id, "--labels", "q")
    line = json.loads((tmp_path / "labels.jsonl").read_text("utf-8-sig").splitlines()[0])
    (tmp_path / "more.jsonl").write_text(json.dumps({**line, "rater": "bob", "value": "fails"}))
    assert gadfly("review", "import", "q", "more.jsonl").code == 0
    said = gadfly("report", run.id)
    assert "the labels of q changed" in said.out
    assert "Estimated anew since" in (tmp_path / "report.html").read_text()


def test_ask_next_lists_what_to_ask_and_why(gadfly, run):
    said = gadfly("ask-next", run.id, "--n", 5, "--policy", "threshold")
    assert said.code == 0
    assert said.out.count("the threshold being") == 5


def test_a_queue_does_not_go_on_with_a_run_it_holds_nothing_of(gadfly, run, tmp_path):
    imported(gadfly, run, tmp_path)
    shutil.copytree(run.path, run.path.with_name("other"))
    said = gadfly("review", "serve", "other", "--queue", "q")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "holds nothing of run other: add it with gadfly ask-next other --add q" in said.err


@pytest.mark.parametrize("place", [".", "labels.jsonl/below"])
def test_labels_cannot_be_exported_to_what_is_no_file(gadfly, run, tmp_path, place):
    imported(gadfly, run, tmp_path)
    said = gadfly("review", "export", "q", "--to", place)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "name another place with --to" in said.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("rate", "RUN", "--labels", "nope"),
            "There are no labels in gadfly-review.db: gadfly review serve RUN makes",
        ),
        (("review", "status"), "There are no labels in gadfly-review.db"),
        (
            ("ask-next", "RUN", "--judge", "refusl"),
            "There is no judge 'refusl'. Did you mean 'refusal'?",
        ),
        (
            ("ask-next", "RUN", "--policy", "threshhold"),
            "There is no policy 'threshhold'. Did you mean 'threshold'?",
        ),
        (("ask-next", "RUN", "--policy", "epistemic"), "states no uncertainty"),
        (("review", "export", "nope"), "There are no labels in gadfly-review.db"),
        (("review", "import", "nope", "x.jsonl"), "There are no labels in gadfly-review.db"),
        (("review", "serve", "RUN", "--guidelines", "g.md"), "g.md"),
        (("review", "serve", "RUN", "--gold", "g.jsonl"), "'g.jsonl' cannot be read"),
        (("review", "serve", "RUN", "--host", "0.0.0.0"), "lets other machines in: say so with --public"),
        (("review", "serve", "RUN", "--store", "mysql://x"), "mysql"),
        (("judge", "fit", "mine", "--labels", "nope"), "There are no labels in gadfly-review.db"),
        (("judge", "history", "mine"), "mine"),
    ],
)
def test_what_cannot_work_is_one_sentence(gadfly, run, tmp_path, words, sentence):
    said = gadfly(*(run.id if word == "RUN" else word for word in words))
    assert said.code == 2
    assert sentence in said.err
    assert said.err.count("\n") == 1


def test_comparing_takes_two_runs(gadfly, run):
    said = gadfly("review", "serve", run.id, "--kind", "compare")
    assert (said.code, said.err) == (2, "gadfly: --kind compare takes two runs; got 1.\n")
    assert "No queue in" in gadfly("review", "status").out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("rate", "RUN", "--labels", "nope"), "There is no queue 'nope'"),
        (("review", "export", "nope"), "There is no queue 'nope'"),
        (("review", "import", "q", "x.jsonl"), "The labels in x.jsonl cannot be read"),
        (("judge", "fit", "mine", "--labels", "nope"), "There is no queue 'nope'"),
        (
            ("review", "serve", "RUN", "--queue", "q", "--votes", "3"),
            "made with another --votes: leave --votes out",
        ),
        (("review", "serve", "RUN", "--queue", "q", "--question", "Eh?"), "made with another --question"),
        (
            ("review", "serve", "RUN", "--queue", "q", "--gold", "g.jsonl"),
            "Gold is mixed in when a queue is made",
        ),
    ],
)
def test_what_cannot_work_with_the_queues_there_are_is_one_sentence(gadfly, run, tmp_path, words, sentence):
    imported(gadfly, run, tmp_path)
    (tmp_path / "g.jsonl").write_text('{"question": "q", "reply": "r", "fails": true}')
    said = gadfly(*(run.id if word == "RUN" else word for word in words))
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert sentence in said.err


def test_the_labels_are_for_their_owners_eyes(gadfly, run, tmp_path):
    imported(gadfly, run, tmp_path)
    assert (tmp_path / "gadfly-review.db").stat().st_mode & 0o077 == 0
