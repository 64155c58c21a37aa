"""What stands behind the page's addresses: who is visiting, what they are shown, what help they get."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar

from fastapi import Request
from fastapi.concurrency import run_in_threadpool as in_thread
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from markupsafe import Markup
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from gadfly.errors import GadflyError, InputError
from gadfly.models import System
from gadfly.pages import environment, tokens
from gadfly.review._agreement import AgreementView, agreement_view
from gadfly.review._asked import LONGEST_QUESTION, Ask, Asked, Asks
from gadfly.review._debated import Debated
from gadfly.review._forms import answer_in, field
from gadfly.review._guidelines import READ, Guidelines, Pick, prose
from gadfly.review._help import Helper
from gadfly.review._items import item_type, words
from gadfly.review._records import (
    EVIDENCE,
    FLAW,
    LONGEST,
    VALUES,
    Answer,
    Assignment,
    DeniedError,
    Item,
    Rater,
)
from gadfly.review._security import Serving, Session, Sessions, same
from gadfly.review._store import Store

__all__ = ["Desk", "Visit", "link_ends"]

SMALL = 500_000
"""Characters of HTML up to which an item is kept ready with 255 others; larger ones are kept with seven."""

LISTED = 25
"""Conflicts a lead is shown at once."""

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Visit:
    """Who sent a request, as the store knows them now, and their session."""

    rater: Rater
    session: Session

    @property
    def leads(self) -> bool:
        return self.rater.role in ("lead", "admin")


@dataclass(frozen=True, slots=True)
class Shown:
    """An item made ready: its HTML, the words that help reads, the rule the search found, and, of a debate, the numbers
    of the statements that can be picked.
    """

    html: Markup
    words: str
    pick: Pick | None
    numbers: tuple[int, ...] = ()


class Recent(Generic[K, V]):
    """The last `size` values put in, by key."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        return self._kept.get(key)

    def put(self, key: K, value: V) -> V:
        self._kept[key] = value
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return value


class Desk:
    """One queue's page. Its methods may be called from several threads at once."""

    unit = "item"
    """What people judge, as the way back to it is called."""

    def __init__(
        self, store: Store, queue: str, serving: Serving, helper: System | None, ask: Ask | None = None
    ) -> None:
        self.store = store
        self.spec = store.spec(queue)
        self.kind = item_type(self.spec.kind)
        self.question = self.spec.question or self.kind.question
        self.guidelines = Guidelines.parse(
            self.spec.guidelines or self.kind.guidelines, f"the guidelines of {queue}"
        )
        self.searches = bool(self.spec.guidelines)  # a kind's own rules speak of every item alike
        self.names_rule = self.spec.kind == FLAW  # an answer comes with the rule that says what it is
        self.needs_reason = self.spec.explain
        self.serving = serving
        self.sessions = Sessions(store.secret(), serving.secure, queue)
        self.helper = Helper(self.guidelines, helper, self.question) if helper and self.guidelines else None
        self.asks = Asks(store, queue, ask) if ask else None
        self.assets = Assets()
        self._shown: Recent[int, Shown] = Recent(256)
        self._large: Recent[int, Shown] = Recent(8)
        self._at_hand: Recent[tuple[int, int], Shown] = Recent(4_096)
        self._agreed: Recent[str, AgreementView] = Recent(1)
        self._counting = Lock()
        self._env = environment("gadfly.review")
        self._env.filters |= {"prose": prose, "duration": _duration}
        self._env.globals |= {"desk": self, "asset": self.assets.url, "longest": LONGEST["reason"]}
        self._env.globals["kinds"] = [item_type(kind) for kind in EVIDENCE]
        self._env.globals["longest_question"] = LONGEST_QUESTION

    # --- who ---

    def welcome(self, token: str) -> Rater:
        """The rater a link belongs to. Raises `DeniedError`."""
        return self._ours(self.store.rater(token))

    def visit(self, request: Request, *, leads: bool = False) -> Visit:
        """Who sent the request. Raises `DeniedError` without a session, or when `leads` and they do not."""
        session = self.sessions.of(request.headers)
        if session is None:
            raise DeniedError(_NOT_SIGNED_IN)
        visit = Visit(self._ours(self.store.rater_by_id(session.rater)), session)
        if session.expires != link_ends(visit.rater):  # a new link ends the sessions of the old one
            raise DeniedError(_NOT_SIGNED_IN)
        if leads and not visit.leads:
            raise DeniedError(
                "Only a lead may see this page: ask whoever sent you the link for a lead's link."
            )
        return visit

    def checked(self, request: Request, form: Mapping[str, str], *, leads: bool = False) -> Visit:
        """Who sent a form, after making sure that it was one of this page's own and sent by them."""
        visit = self.visit(request, leads=leads)
        if not self._from_here(request.headers) or not same(field(form, "csrf"), visit.session.csrf):
            raise HTTPException(403, "That form was not sent from this page: reload it and answer again.")
        return visit

    def _ours(self, rater: Rater) -> Rater:
        if rater.queue != self.spec.name:
            raise DeniedError("That link belongs to another queue: open the link you were sent for this one.")
        return rater

    def _from_here(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site", "same-origin") == "same-origin"
        if self.serving.behind_proxy:
            return origin == self.serving.origin(0)
        scheme = "https" if self.serving.certificate else "http"
        return origin == f"{scheme}://{headers.get('host', '').lower()}"

    def fresh(self, rater: Rater) -> bool:
        """Whether they have judged nothing yet."""
        return self.store.progress(rater.id).done == 0

    # --- what ---

    def work(self, visit: Visit, note: str = "", status: int = 200) -> HTMLResponse:
        """The item in the rater's hands, or the page that says that all is done."""
        return self.item(visit, self.store.next(visit.rater.id), note, status)

    def item(
        self, visit: Visit, assignment: Assignment | None, note: str = "", status: int = 200
    ) -> HTMLResponse:
        """The page of what the store gave a rater; for nothing, the page that says that all is done."""
        progress = self.store.progress(visit.rater.id)
        if assignment is None:
            return self.page("done.html.j2", visit, status, title="All done", progress=progress, note=note)
        shown = self.shown(assignment.item)
        self._at_hand.put((visit.rater.id, assignment.id), replace(shown, html=Markup()))
        return self.page(
            "item.html.j2",
            visit,
            status,
            title=f"Item {progress.done + 1}",
            progress=progress,
            assignment=assignment,
            shown=shown,
            pick=self._pick(assignment, shown),
            note=note,
            now=round(time.time(), 2),
        )

    def shown(self, item: Item) -> Shown:
        """The item as the page shows it; rendered once."""
        kept = self._shown.get(item.id) or self._large.get(item.id)
        if kept is not None:
            return kept
        views = self.kind.view(item.payload)
        html = Markup(self._env.get_template(self.kind.template).render(views=views))  # noqa: S704 - autoescaped
        said = words(views)[:READ]
        numbers = views[0].numbers if isinstance(views[0], Debated) else ()
        shown = Shown(html, said, self.guidelines.pick(said) if self.searches else None, numbers)
        return (self._shown if len(html) <= SMALL else self._large).put(item.id, shown)

    def _pick(self, assignment: Assignment, shown: Shown) -> Pick | None:
        """The rule to show beside an item: the one pointed out, else the one the search found."""
        rule = self.guidelines.rule(assignment.pointed_out)
        return Pick(rule, assignment.why) if rule else shown.pick

    def note_after(self, after: str) -> str:
        """What to say after an answer or an undo, from the word in the address; nothing for any other word."""
        says = {choice.value: f"Recorded: {choice.says.lower()}." for choice in self.kind.choices}
        says |= {"undone": "Taken back. Answer it again.", "nothing": "There is nothing to take back."}
        if self.names_rule and after in VALUES[FLAW]:
            says |= {after: f"Recorded: {self.says(after).lower()}."}
        return says.get(after, "")

    def known(self, given: Answer) -> Answer:
        """The answer without a rule that these guidelines do not have."""
        return given if self.guidelines.rule(given.rule) else replace(given, rule=None)

    def says(self, value: str) -> str:
        """An answer as its button says it."""
        other = f"Statement {value}" if self.names_rule else value
        return next((choice.says for choice in self.kind.choices if choice.value == value), other)

    def named(self, answer: Answer) -> str:
        """What kind of flaw an answer names; empty for none."""
        rule = self.guidelines.rule(answer.rule) if self.names_rule and answer.value.isdecimal() else None
        return rule.title.rstrip(".") if rule else ""

    @cached_property
    def rule_keys(self) -> Mapping[int, str]:
        """A key for each rule that an answer can name: the first letter of its title that nothing else has, if any."""
        taken = {*"rukog?", *(key for choice in self.kind.choices for key in choice.keys)}
        found: dict[int, str] = {}
        for rule in self.guidelines.rules:
            free = [c for c in rule.title.lower() if c.isascii() and c.isalpha() and c not in taken]
            found[rule.number] = free[0] if free else ""
            taken.update(free[:1])
        return found

    def page(self, template: str, visit: Visit | None, status: int = 200, **values: Any) -> HTMLResponse:
        """A template rendered for a visitor."""
        return HTMLResponse(self._env.get_template(template).render(visit=visit, **values), status)

    def refusal(self, status: int, sentence: str, htmx: bool) -> Response:
        """An error as one sentence: a page, or for htmx the bare sentence, which leaves the form as it is."""
        sentence = sentence.replace("go back to the item", f"go back to the {self.unit}")
        if htmx:
            return PlainTextResponse(sentence, status, {"hx-reswap": "none"})
        return self.page("refused.html.j2", None, status, title="That did not work", sentence=sentence)

    # --- help ---

    async def better_rule(self, assignment: int, visit: Visit) -> Pick | None:
        """The rule a model picks for an item at hand; the search's where it has none to offer in time."""
        shown = self._at_hand.get((visit.rater.id, assignment))
        if shown is None:
            return None
        return (await self.helper.pick(shown.words) if self.helper else None) or shown.pick

    async def help_with(self, assignment: int, visit: Visit, given: Answer) -> None:
        """After a first answer is stored: let the model point out a rule that its explanation missed."""
        shown = self._at_hand.get((visit.rater.id, assignment))
        if self.helper is None or shown is None or not given.reason:
            return
        pick = await self.helper.missed(shown.words, self.says(given.value), given.reason)
        if pick is not None:
            with suppress(GadflyError):  # the answer may have been taken back meanwhile
                await in_thread(self.store.point_out, assignment, visit.rater.id, pick.rule.number, pick.why)

    # --- asking ---

    def asked(self, visit: Visit, asked: Asked | None = None, status: int = 200) -> HTMLResponse:
        """The page where a person asks, with what came of a question of theirs."""
        mine = self.asks.of(visit.rater) if self.asks else []
        shown = round(time.time(), 2)
        return self.page("ask.html.j2", visit, status, title="Ask", asked=asked, mine=mine, now=shown)

    def judge(self, asks: Asks, asked: Asked, visit: Visit, form: Mapping[str, str]) -> None:
        """Keep what a form says of an answer: whichever of its three questions it holds."""
        given = {
            kind: answer_in(form, needs_reason=False, name=kind) for kind in EVIDENCE if field(form, kind)
        }
        if not given:
            raise InputError("Nothing was marked: choose at least one answer, then store it.")
        each = {
            kind: replace(said, seconds=round(said.seconds / len(given), 2)) for kind, said in given.items()
        }
        asks.judge(asked, visit.rater, each)

    # --- lead ---

    def lead(self, visit: Visit) -> HTMLResponse:
        """Progress of every rater, and the items they disagree about."""
        name = self.spec.name
        waiting = self.store.conflicts(name)
        conflicts = [(conflict, self.shown(conflict.item)) for conflict in waiting[:LISTED]]
        more = len(waiting) - len(conflicts)
        status = self.store.status(name)
        return self.page("lead.html.j2", visit, title="Lead", state=status, conflicts=conflicts, more=more)

    def resolve(self, item: int, visit: Visit, given: Answer) -> None:
        """A lead's decision on an item of this queue that is in conflict."""
        self.store.resolve(item, visit.rater.id, given)

    def agreement(self, visit: Visit) -> HTMLResponse:
        """The page of plots; worked out again only when a label has changed, and once for all who ask meanwhile."""
        name = self.spec.name
        with self._counting:
            version = self.store.version(name)
            view = self._agreed.get(version) or self._agreed.put(version, agreement_view(self.store, name))
        return self.page("agreement.html.j2", visit, title="Agreement", view=view)


_NOT_SIGNED_IN = (
    "You are not signed in here, or not any more: open the link you were sent again. If you just did, your browser "
    "keeps no cookies: allow them for this page."
)


def link_ends(rater: Rater) -> int:
    """When a rater's link runs out, in seconds since 1970; 0 for one who has none."""
    return int(rater.expires.timestamp()) if rater.expires else 0


class Assets:
    """The files the page loads, read once: only names known here are answered."""

    def __init__(self) -> None:
        here = Path(__file__).parent / "static"
        read = {file.name: file.read_bytes() for file in here.iterdir() if file.suffix in _KINDS}
        read["review.css"] = tokens().encode() + read["review.css"]
        self._files = {name: (data, hashlib.sha256(data).hexdigest()[:16]) for name, data in read.items()}

    def url(self, name: str) -> str:
        """The address of a file, which changes with what is in it."""
        return f"/static/{name}?v={self._files[name][1]}"

    def answer(self, name: str, headers: Headers) -> Response:
        """The file, or 304 when the browser has it."""
        if name not in self._files:
            raise HTTPException(404)
        data, digest = self._files[name]
        kept = {"cache-control": "public, max-age=31536000, immutable", "etag": f'"{digest}"'}
        if headers.get("if-none-match") == kept["etag"]:
            return Response(status_code=304, headers=kept)
        return Response(data, headers=kept, media_type=_KINDS[Path(name).suffix])


_KINDS = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


def _duration(seconds: float | None) -> str:
    """`8 s`, `2 min 5 s`; a dash for none."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
