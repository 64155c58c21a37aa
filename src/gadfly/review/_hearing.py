"""The page where a person judges, or debates, live: what is said arrives as it is said.

Every person has a run of their own, played in the background for as long as the page is served, and sees nothing of
anybody else's: no address names a person or a debate, the session alone says whose page it is. What happens is sent as
server-sent events. Their ids say how much a page has seen (`Hearing.mark`), so after a connection broke, or the server
was started again, it goes on behind what is there. Without scripts the page is complete and reloads itself.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool as in_thread
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.types import ASGIApp

from gadfly.debate import (
    Chair,
    DebateJudge,
    Debating,
    Decided,
    JudgeChair,
    Protocol,
    Referee,
    Statement,
    cases,
    question_numbers,
)
from gadfly.debate._people import person_in
from gadfly.debate._prompts import ONE_IS_RIGHT, WEIGHING, broken
from gadfly.debate._protocol import JUDGE
from gadfly.debate._rules import checked
from gadfly.errors import InputError
from gadfly.judges import Judge
from gadfly.pages import line
from gadfly.review._app import add_entrance, add_errors, server
from gadfly.review._desk import Desk, Visit
from gadfly.review._forms import field, read_form, seconds_in
from gadfly.review._hearing_journal import Journal, Journalled, JournalledJudge
from gadfly.review._hearing_people import (
    Answered,
    Attended,
    Hearing,
    OfPerson,
    PersonDebater,
    PersonJudge,
    Told,
    Wanted,
)
from gadfly.review._hearing_view import CONFIDENCE, Seen, entries
from gadfly.review._records import DeniedError, QueueSpec, Rater
from gadfly.review._security import Gate, Serving
from gadfly.review._store import Store
from gadfly.runs import Cases, Settings, all_runs, paired_seed, run
from gadfly.words import word_count

__all__ = ["Hall", "Sitting", "hear", "hearing_app", "make_hearing_queue"]

PATIENCE_S, BEAT_S, LIVE_S = 20.0, 15.0, 300.0
"""Seconds a page waits for a run to come back to where it was; between two signs of life of a stream; of one stream,
after which the browser connects again and has to show once more that it may.
"""

LONGEST_STATEMENT = 20_000
JOURNAL = "hearing.jsonl"

_BROKE = (
    "Something broke on the server; what you gave before is stored. Try again in a moment, and if it stays like this "
    "tell whoever sent you the link."
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sitting:
    """What people are asked to hear: the questions of a set, by a protocol, with models in the other chairs.

    `seat` is the person's. Where it is a debater's, `judge` decides. Each person meets each question once, with the
    answers in an order drawn for them. `reveal` shows which answer is right once a debate is over.
    """

    rows: Sequence[Mapping[str, Any]]
    protocol: Protocol
    chairs: Mapping[str, Chair]
    judge: Referee | None = None
    seat: str = JUDGE
    output: Path = Path("gadfly-runs")
    reveal: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.rows:
            raise InputError("The set holds no question: name one that gadfly debate make wrote.")
        if self.seat != JUDGE and self.seat not in self.protocol.own:
            known = ", ".join([JUDGE, *self.protocol.own])
            raise InputError(
                f"Protocol {self.protocol.name} has no seat {self.seat!r} for a person. Known: {known}."
            )
        if any(seat.copy_of == self.seat for seat in self.protocol.seats.values()):
            raise InputError(
                f"Protocol {self.protocol.name} asks a copy of {self.seat!r} without its memory, which no person can "
                "be: take another seat, or another protocol."
            )
        if self.seat != JUDGE and self.judge is None:
            raise InputError("A person debates, so a model judges: name it with --judge.")

    @property
    def rules(self) -> str:
        """What a person who argues loses by, as a sentence; empty for a judge, and where nothing does."""
        if self.seat == JUDGE:
            return ""
        quotes = self.protocol.seats[self.seat].document and any(row.get("document") for row in self.rows)
        return broken(self.protocol, self.seat, quotes).strip()

    def cases_of(self, name: str) -> list[dict[str, Any]]:
        """One case for each question, of the two or more there are, drawn by the person's name."""
        both, drawn = cases(self.rows, self.protocol), int.from_bytes(name.encode()[:64], "big")
        asked: dict[int, list[int]] = {}
        for row, of in enumerate(question_numbers(self.rows)):
            asked.setdefault(of, []).append(row)
        picked = [rows[paired_seed(drawn, -of - 1) % len(rows)] for of, rows in asked.items()]
        return [both[2 * row + paired_seed(drawn, row) % 2] for row in picked]

    def hearing(self, name: str) -> tuple[Hearing, Attended]:
        """A person's debates and their game; the journal lies in the directory of their run."""
        journal = Journal()
        hearing = Hearing(name, self.seat, len(self.cases_of(name)), journal)
        chairs = {seat: Journalled(chair, journal) for seat, chair in self.chairs.items()}
        judge: JudgeChair | None = self.judge
        if self.seat == JUDGE:
            judge = PersonJudge(hearing)
        else:
            chairs[self.seat] = Journalled(PersonDebater(hearing), journal)
        decider = JournalledJudge(judge, journal) if judge else None
        game = Attended(Debating(self.protocol, chairs, decider, hearing.heard), hearing)
        plan = Cases.of(game, self.cases_of(name), self.seed)
        journal.open(self.output / f"{game.name}-{plan.key[:8]}" / JOURNAL)
        return hearing, game

    def judges(self) -> list[Judge]:
        """Who judges what was played, one debate after the other."""
        if self.judge is None or self.seat == JUDGE:
            return [Decided()]
        if isinstance(self.judge, DebateJudge):
            return [replace(self.judge, system=OfPerson.of(self.judge.system))]
        return [self.judge]


class Hall(Desk):
    """The page of one sitting: everybody's debates, and what is shown of them to whom.

    People are those whom the queue holds, and `invited`, who will get their links once it is served.
    """

    unit = "debate"

    def __init__(
        self, store: Store, queue: str, sitting: Sitting, serving: Serving, invited: Sequence[str] = ()
    ) -> None:
        super().__init__(store, queue, serving, None)
        self.sitting = sitting
        people = [rater.name for rater in store.raters(queue) if rater.role == "rater"]
        made = {name: sitting.hearing(name) for name in dict.fromkeys([*people, *invited])}
        self.games = {name: game for name, (_, game) in made.items()}
        self.hearings = {name: hearing for name, (hearing, _) in made.items()}
        self._cuts = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._env.globals |= {"hall": self, "confidence": CONFIDENCE}

    @property
    def runs(self) -> list[Path]:
        """Where everybody's run lies."""
        return [hearing.journal.path.parent for hearing in self.hearings.values()]

    def elsewhere(self) -> dict[str, Path]:
        """Who has begun debates by this protocol in another run, and none in theirs: what is asked has changed."""
        found = {}
        for other in all_runs(self.sitting.output):
            mine = self.hearings.get(name := person_in(other))
            same = other.info["spec"].get("protocol", {}).get("name") == self.sitting.protocol.name
            if (
                mine
                and same
                and mine.fresh
                and (other.path / JOURNAL).exists()
                and other.path not in self.runs
            ):
                found[name] = other.path
        return found

    # --- the debates, in the background

    @asynccontextmanager
    async def under_way(self) -> AsyncIterator[None]:
        """Everybody's run, for as long as this lasts; what is in the middle of a case goes on there the next time."""
        self._loop = asyncio.get_running_loop()
        tasks = [asyncio.create_task(self._heard(name)) for name in self.hearings]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for hearing in self.hearings.values():
                hearing.journal.close()

    async def _heard(self, name: str) -> None:
        """One person's run. What stops it is said on their page, and touches nobody else's."""
        hearing, sitting = self.hearings[name], self.sitting
        settings = Settings(sitting.output, concurrency=1, retry_failed=True, progress=False)
        try:
            await run(
                self.games[name],
                sitting.cases_of(name),
                [Told(one, hearing) for one in sitting.judges()],
                seed=sitting.seed,
                settings=settings,
            )
            hearing.over = True
        except Exception as error:
            hearing.stop(error)
        finally:
            hearing.journal.caught_up.set()
            hearing.changed()

    def cut(self) -> None:
        """End every stream, so that a server can stop; from any thread. A browser that still can connects again."""
        self._cuts += 1
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for hearing in self.hearings.values():
            hearing.changed()

    # --- the page

    def mine(self, visit: Visit) -> Hearing:
        """The debates of who is visiting. Raises `DeniedError` for one who has none."""
        found = self.hearings.get(visit.rater.name)
        if found is None:
            raise DeniedError("There are no debates for you here: ask whoever sent you the link.")
        return found

    def refusal(self, status: int, sentence: str, htmx: bool) -> Response:
        """An error as one sentence, with the way back to the debate; one of the operator's goes to the log."""
        if status == 503:
            _log.error("%s", line(sentence, 2_000))
            sentence = _BROKE
        return super().refusal(status, sentence, htmx)

    def fresh(self, rater: Rater) -> bool:
        """Whether they have begun no debate."""
        hearing = self.hearings.get(rater.name)
        return hearing is None or hearing.fresh

    def debate(self, visit: Visit) -> HTMLResponse:
        """The whole page."""
        return self.page("hearing.html.j2", visit, title="Debate", **self._values(self.mine(visit)))

    def _values(self, hearing: Hearing) -> dict[str, Any]:
        seen = Seen(hearing, self.sitting.reveal)
        return {"hearing": hearing, "seen": seen, "wanted": hearing.wanted}

    def part(self, template: str, visit: Visit, hearing: Hearing, **values: Any) -> str:
        """A piece of the page as HTML on one line."""
        shown = self.page(template, visit, **self._values(hearing), **values)
        return bytes(shown.body).decode()

    async def live(self, visit: Visit, mark: str) -> AsyncIterator[str]:
        """What happens from `mark` on, as server-sent events."""
        hearing, until, cuts = self.mine(visit), time.monotonic() + LIVE_S, self._cuts
        yield "retry: 1000\n\n"
        while cuts == self._cuts and time.monotonic() < until:
            news = hearing.news
            for event, identity, data in self._since(visit, hearing, mark):
                yield _event(event, identity, data)
                mark = identity
            with suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), BEAT_S)
                continue
            yield ": still here\n\n"

    def _since(self, visit: Visit, hearing: Hearing, mark: str) -> list[tuple[str, str, str]]:
        """(event, id, HTML) of all that a page which shows `mark` has not got; "anew" where it shows another debate, or
        another person's, or where nobody can tell what it shows.
        """
        whose, place, known, panel = _read(mark)
        if (whose, place) != (hearing.whose, hearing.place):
            return [("anew", hearing.mark, "")]
        if any(isinstance(one, Statement) and one.does == "choose" for one in hearing.entries[known:]):
            return [("anew", hearing.mark, "")]  # who argues for what stands in the page's head
        found = []
        for n, entry in enumerate(entries(hearing, hearing.entries[known:]), known + 1):
            html = self.part("hearing_entry.html.j2", visit, hearing, entry=entry)
            found.append(("said", f"{whose}.{place}.{n}.{panel}", html))
        if panel != hearing.below:
            found.append(("panel", hearing.mark, self.part("hearing_panel.html.j2", visit, hearing)))
        return found


def _read(mark: str) -> tuple[str, str, int, str]:
    """What a `Hearing.mark` says: whose, which case, how many entries, which panel. A browser may send anything."""
    parts = mark.split(".", 3) if mark.isprintable() else []
    if len(parts) != 4:
        return "", "", 0, ""
    whose, place, count, panel = parts
    return whose, place, int(count) if count.isascii() and count.isdecimal() and len(count) < 6 else 0, panel


def _event(event: str, identity: str, data: str) -> str:
    lines = "".join(
        f"data: {line}\n" for line in re.split("\r\n?|\n", data)
    )  # what ends a line of such a stream
    return f"event: {event}\nid: {identity}\n{lines}\n"


def hearing_app(hall: Hall) -> ASGIApp:
    """The page as an ASGI application. The debates go on between its start and its end."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with hall.under_way():
            yield

    api = FastAPI(
        title="gadfly debate",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    add_entrance(api, hall)
    _add_hearing(api, hall)
    add_errors(api, hall)
    return Gate(api, hall.serving, hall.sessions, hall.refusal)


def _add_hearing(api: FastAPI, hall: Hall) -> None:
    @api.get("/start")
    async def start(request: Request) -> Response:
        visit = await in_thread(hall.visit, request)
        told: dict[str, Any] = {"one_is_right": ONE_IS_RIGHT, "weighing": WEIGHING}
        told |= {"seen": Seen(hall.mine(visit)), "rules": hall.sitting.rules}
        return hall.page("hearing_start.html.j2", visit, title="Before you start", **told)

    @api.get("/")
    async def debate(request: Request) -> Response:
        visit = await in_thread(hall.visit, request)
        await _caught_up(hall.mine(visit))
        return hall.debate(visit)

    @api.get("/live")
    async def live(request: Request, after: str = "") -> Response:
        visit = await in_thread(hall.visit, request)
        await _caught_up(hall.mine(visit))
        mark = request.headers.get("last-event-id", after)
        quick = {"x-accel-buffering": "no"}
        return StreamingResponse(hall.live(visit, mark), media_type="text/event-stream", headers=quick)

    @api.post("/give")
    async def give(request: Request) -> Response:
        form = await read_form(request)
        visit = await in_thread(hall.checked, request, form)
        hearing = hall.mine(visit)
        await _caught_up(hearing)
        wanted = hearing.asked(field(form, "case"), field(form, "key"))
        await hearing.give(wanted, _answer(wanted, form))
        if "hx-request" in request.headers:
            return Response(status_code=204)
        return RedirectResponse("/", 303)


async def _caught_up(hearing: Hearing) -> None:
    """Wait until a run that was started again is where it was."""
    with suppress(TimeoutError):
        await asyncio.wait_for(hearing.journal.caught_up.wait(), PATIENCE_S)


# --- what a form gives


def _answer(wanted: Wanted, form: Mapping[str, str]) -> Answered:
    """What a form says of what is wanted now. Raises `InputError`, which says what is missing."""
    seconds = seconds_in(form)
    if wanted.kind == "begin":
        return Answered(seconds=seconds)
    if wanted.kind == "lean":
        return Answered(p=round(1 - _percent(form, "towards_b", 0) / 100, 2), seconds=seconds)
    if wanted.kind == "verdict":
        return _verdict(form, seconds)
    if wanted.kind == "choose":
        if field(form, "side") not in ("0", "1"):
            raise InputError("No answer was chosen: choose the one you will argue for.")
        return Answered(field(form, "side"), seconds=seconds)
    if wanted.kind == "poll":
        if field(form, "poll") not in ("0", "1"):
            raise InputError("Nothing was chosen: say whether you want to be told.")
        return Answered(field(form, "poll"), seconds=seconds)
    return Answered(_words(wanted, form), seconds=seconds)


def _words(wanted: Wanted, form: Mapping[str, str]) -> str:
    text = "" if field(form, "pass") else form.get("text", "").replace("\r\n", "\n").strip()
    if len(text) > LONGEST_STATEMENT:
        raise InputError(f"That is longer than {LONGEST_STATEMENT:,} characters: shorten it.")
    if not text and not (wanted.kind == "ask" and field(form, "pass")):
        raise InputError("There is nothing written yet: write it, then send it.")
    if text and not _is_heard(wanted, text):
        raise InputError("There is no word in that, so nobody would hear it: say it in words, then send it.")
    return text


def _is_heard(wanted: Wanted, text: str) -> bool:
    """Whether anything is left of what a judge says; a debater is told by the rules that nothing is."""
    move = wanted.move
    if move is None or move.seat != JUDGE:
        return True
    return word_count(checked(text, move.step.words, move.position.protocol.rules).text) > 0


def _verdict(form: Mapping[str, str], seconds: float | None) -> Answered:
    side, confidence = field(form, "answer"), field(form, "confidence")
    if side not in ("A", "B"):
        raise InputError("No answer was chosen: choose A or B, then decide.")
    if confidence not in {f"{value:g}" for value, _ in CONFIDENCE}:
        raise InputError("Say how well founded your verdict is, then decide.")
    sure = _percent(form, "sure", 51) / 100
    return Answered(
        p=sure if side == "A" else round(1 - sure, 2), confidence=float(confidence), seconds=seconds
    )


def _percent(form: Mapping[str, str], name: str, least: int) -> int:
    text = field(form, name)
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and least <= int(text) <= 100):
        raise InputError(f"The slider goes from {least} to 100: move it, then send it.")
    return int(text)


# --- serving


def hear(hall: Hall, listener: socket.socket, ready: Callable[[str], None] | None = None) -> None:
    """Serve a hall until interrupted; another one of the same sitting goes on.

    `listener` is a socket that listens at its address already (`listen`). `ready` is called with the page's address
    once it is served. The server runs beside the main thread: a run would take Ctrl-C for itself there. Raises what
    ended the server.
    """
    page = server(hearing_app(hall), hall.serving)
    with ThreadPoolExecutor(1, "gadfly-hearing") as beside:
        serving = beside.submit(page.run, sockets=[listener])
        try:
            while not (page.started or serving.done()):
                wait([serving], timeout=0.02)
            if page.started and ready is not None:
                ready(hall.serving.origin(listener.getsockname()[1]))
            serving.result()
        finally:
            hall.cut()
            page.should_exit = True


def make_hearing_queue(store: Store, name: str) -> None:
    """A queue for the people of a sitting, where there is none: it holds their links, and no items."""
    if name not in store.queues():
        store.create(QueueSpec(name, question="Which answer is right?", double_share=0.0, gold_share=0.0))
