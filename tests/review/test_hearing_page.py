"""The page of a debate without a browser: what is sent to whom, what is refused, what is said where nothing goes on."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hearing_samples import Debater, Served, model_judge, numbered, sitting, tolerant

from gadfly.debate import DebateJudge
from gadfly.errors import CallError
from gadfly.models import System, scripted
from gadfly.review._forms import seconds_in
from gadfly.review._hearing_view import Seen
from gadfly.runs import Cases
from gadfly.transcripts import Transcript

PATIENCE_S = 60.0


class Client:
    """Somebody who speaks HTTP: what the page wants of them, and what they send."""

    def __init__(self, served: Served, name: str = "ann") -> None:
        self.http = httpx.Client(base_url=served.origin, timeout=30, headers={"origin": served.origin})
        self.http.get(f"/enter/{served.links[name]}", follow_redirects=True)

    @property
    def html(self) -> str:
        return self.http.get("/").text

    @property
    def mark(self) -> str:
        found = re.search(r'data-mark="([^"]*)"', self.html)
        assert found
        return found[1]

    def form(self, key: str = "") -> dict[str, str]:
        """The form on the page, once it is one whose key begins like this."""
        html = self.until(f'name="key" value="{key}')
        return dict(re.findall(r'name="(csrf|case|key|shown)" value="([^"]*)"', html))

    def until(self, text: str) -> str:
        """The page, once it holds this."""
        soon = time.monotonic() + PATIENCE_S
        while text not in (html := self.html):
            assert time.monotonic() < soon, html
        return html

    def gives(self, key: str, **fields: str) -> httpx.Response:
        return self.http.post("/give", data={**self.form(key), **fields})

    def events(self, mark: str) -> str:
        """What is sent at first to a page that shows `mark`."""
        got = ""
        with self.http.stream("GET", "/live", params={"after": mark}) as reply:
            for piece in reply.iter_text():
                got += piece
                if got.count("\n\n") > 1:
                    break
        return got


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve(debater, people=…, …)`: a served page."""
    made: list[Served] = []

    def start(debater: Debater, people: tuple[str, ...] = ("ann",), **changes: Any) -> Served:
        made.append(Served(tmp_path, lambda: sitting(tmp_path, debater, **changes), people))
        return made[-1]

    yield start
    for served in made:
        served.close()


def test_a_mark_says_whose_it_is_and_names_nobody(serve: Serve) -> None:
    served = serve(Debater(), ("ann", "ben"))
    ann, ben = Client(served), Client(served, "ben")
    assert ann.mark.split(".")[0] != ben.mark.split(".")[0]
    assert "ann" not in ann.mark
    assert "event: anew" in ben.events(ann.mark)


@pytest.mark.parametrize(
    "ending", ["\nevent: said\ndata: forged", "\revent: said\rdata: forged", "\x00", "\u2028"]
)
def test_a_mark_that_is_no_line_is_unknown_and_goes_nowhere(serve: Serve, ending: str) -> None:
    ann = Client(serve(Debater(numbered)))
    ann.gives("begin")
    whose, case, _, panel = ann.mark.split(".")
    ann.form("lean")
    got = ann.events(f"{whose}.{case}.0.{panel}{ending}")
    assert "event: anew" in got
    assert "forged" not in got


def debates(judge: Any = None) -> dict[str, Any]:
    """What makes a person the first debater."""
    return {"protocol": tolerant("debate", "overran"), "seat": "first", "judge": judge or model_judge("A")}


def test_line_breaks_of_any_kind_in_a_refused_statement_stay_inside_its_event(serve: Serve) -> None:
    ann = Client(serve(Debater(), **debates()))
    ann.gives("begin")
    ann.gives("say", text="so\revent: said\rdata: forged\u2028" + "so " * 200)
    ann.form("say")
    got = ann.events(re.sub("[^.]*$", "wait", ann.mark))
    assert "\ndata: data: forged\u2028so so" in got
    assert "\r" not in got


STOPPED = "Something stopped these debates; all that you said is kept"
WHERE = "https://ann:hunter2@10.1.2.3/v1"


def down(*_: Any) -> str:
    """A provider that tells more than a person is to read."""
    raise CallError(f"{WHERE} refuses the key sk-proj-abc", "unauthorized", fatal=True)


def test_what_stops_a_debate_is_told_in_the_log_and_not_to_the_person(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    ann = Client(serve(Debater(down)))
    ann.gives("begin")
    html = ann.until(STOPPED)
    assert "10.1.2.3" not in html and "sk-proj" not in html
    assert [WHERE in one.getMessage() for one in caplog.records if "stopped" in one.getMessage()] == [True]


def test_who_debates_is_told_at_once_that_the_judge_failed_for_good(serve: Serve) -> None:
    judge = DebateJudge.of(System(scripted(down, name="judge")))
    ann = Client(serve(Debater("So it is."), **debates(judge)))
    form = ann.form()
    for key in ("begin", "say-0", "say-2"):
        ann.gives(key, text="It is 1874.")
    html = ann.until(STOPPED)
    assert "It is not decided yet." in html
    assert 'name="key"' not in html
    assert ann.http.post("/give", data={**form, "case": "0", "key": "begin-1"}).status_code == 400


def test_a_page_without_scripts_does_not_wait_for_a_judge_that_failed(tmp_path: Path) -> None:
    hearing, game = sitting(tmp_path, **debates()).hearing("ann")
    case = next(iter(Cases.of(game, sitting(tmp_path, **debates()).cases_of("ann"), 0)))
    facts = {"lost": [], "verdict": None}
    hearing.transcript = Transcript(case, (), "completed", "", {}, facts)
    assert Seen(hearing).waits
    hearing.stop(CallError("No.", "unauthorized", fatal=True))
    assert not Seen(hearing).waits


def test_what_cannot_be_stored_is_told_without_its_path(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    ann = Client(serve(Debater()))
    form = ann.form("begin")
    monkeypatch.setattr("os.write", full)
    answer = ann.http.post("/give", data=form, headers={"hx-request": "true"})
    monkeypatch.undo()
    assert (answer.status_code, "hearing.jsonl" in answer.text) == (503, False)
    assert "Try again in a moment" in answer.text
    assert "hearing.jsonl" in caplog.text
    assert ann.gives("begin").status_code == 303


@pytest.mark.parametrize("text", ["???", "…", "<quote>—</quote>"])
def test_a_question_without_a_word_is_refused_and_no_question_is_not(serve: Serve, text: str) -> None:
    ann = Client(serve(Debater(numbered)))
    ann.gives("begin")
    ann.gives("lean", towards_b="50")
    answer = ann.gives("ask", text=text)
    assert (answer.status_code, "no word in that" in answer.text) == (400, True)
    form = ann.form("ask")
    assert ann.http.post("/give", data={**form, "text": text, "pass": "1"}).status_code == 303


def test_after_a_restart_who_has_decided_a_debate_begins_the_next_one(serve: Serve) -> None:
    served = serve(Debater(numbered), protocol=tolerant("debate"))
    ann = Client(served)
    assert "The first debate begins" in ann.html
    ann.gives("begin")
    ann.gives("verdict", answer="A", sure="80", confidence="0.5")
    ann.until("You decided for A")
    served.stop()
    served.start()
    html = ann.until('value="begin-1"')
    assert "The next debate begins" in html and "The first" not in html


@pytest.mark.parametrize(
    ("shown", "seconds", "looked"),
    [
        (-41, "40", 40),
        (-41, "", 41),
        (-41, "90", 41),
        (3600, "40", 40),
        (3600, "", None),
        (3600, "1e9", None),
    ],
)
def test_a_clock_that_was_set_back_is_no_time_of_nothing(
    shown: float, seconds: str, looked: float | None
) -> None:
    found = seconds_in({"shown": str(time.time() + shown), "seconds": seconds})
    assert found == (looked if looked is None else pytest.approx(looked, abs=0.5))
