"""The page of a debate without a browser: what is sent to whom, what is refused, what is said where nothing goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hearing_samples import Debater, Served, model_judge, numbered, sitting

from gadfly.debate import protocol


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
        """The form on the page, once it is the one whose key begins like this."""
        while True:
            found = dict(re.findall(r'name="(csrf|case|key|shown)" value="([^"]*)"', self.html))
            if found.get("key", "").startswith(key or "") and "key" in found:
                return found

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


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path, lambda: sitting(tmp_path, Debater(numbered)), ("ann", "ben"))
    yield made
    made.close()


def test_a_mark_says_whose_it_is_and_names_nobody(served: Served) -> None:
    ann, ben = Client(served), Client(served, "ben")
    assert ann.mark.split(".")[0] != ben.mark.split(".")[0]
    assert "ann" not in ann.mark
    assert "event: anew" in ben.events(ann.mark)


@pytest.mark.parametrize(
    "ending", ["\nevent: said\ndata: forged", "\revent: said\rdata: forged", "\x00", "\u2028"]
)
def test_a_mark_that_is_no_line_is_unknown_and_goes_nowhere(served: Served, ending: str) -> None:
    ann = Client(served)
    ann.gives("begin")
    whose, case, _, panel = ann.mark.split(".")
    ann.form("lean")
    got = ann.events(f"{whose}.{case}.0.{panel}{ending}")
    assert "event: anew" in got
    assert "forged" not in got


def test_line_breaks_of_any_kind_in_a_refused_statement_stay_inside_its_event(tmp_path: Path) -> None:
    debates = {"protocol": protocol("debate"), "seat": "first", "judge": model_judge("A")}
    served = Served(tmp_path, lambda: sitting(tmp_path, **debates), ("ann",))
    try:
        ann = Client(served)
        ann.gives("begin")
        ann.gives("say", text="so\revent: said\rdata: forged\u2028" + "so " * 200)
        ann.form("say")
        got = ann.events(re.sub("[^.]*$", "wait", ann.mark))
    finally:
        served.close()
    assert "\ndata: data: forged\u2028so so" in got
    assert "\r" not in got
