"""The page where people judge: one item at a time, from the store, to the store.

Every address answers with a whole page, so everything works without scripts; htmx sends the same forms and swaps
the part called `#desk`. What the page shows of an item is rendered once and kept. Nothing here speaks SQL, and
nothing here knows the answers: gold never leaves the store.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool as in_thread
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from gadfly.errors import GadflyError, InputError
from gadfly.models import System
from gadfly.review._asked import Ask, Asks
from gadfly.review._desk import Desk, Visit, link_ends
from gadfly.review._forms import answer_in, field, number_in, read_form
from gadfly.review._records import DeniedError, RefusedError
from gadfly.review._security import Gate, Serving
from gadfly.review._store import Store

__all__ = ["add_entrance", "add_errors", "app", "listen", "serve", "server"]


def serve(
    store: Store,
    queue: str,
    serving: Serving | None = None,
    *,
    helper: System | None = None,
    ask: Ask | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve one queue until interrupted.

    `ready` is called with the page's address once it listens: a rater's link is that and `/enter/TOKEN`. `helper` is
    the model that picks and points out rules; without one the rules are searched and nothing is pointed out. With `ask`
    people may ask questions of documents there and judge the answers.
    """
    serving = serving or Serving()
    listener = listen(serving.host, serving.port)
    page = server(app(store, queue, serving, helper=helper, ask=ask), serving)
    if ready is not None:
        ready(serving.origin(listener.getsockname()[1]))
    page.run(sockets=[listener])


def server(page: ASGIApp, serving: Serving) -> uvicorn.Server:
    """The server of a page, not running yet; it writes no access log, which would keep the tokens in the links."""
    return uvicorn.Server(
        uvicorn.Config(
            page,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=5,
            ssl_certfile=serving.certificate,
            ssl_keyfile=serving.key,
        )
    )


THREADS = 4
"""Requests worked on at once; the others wait their turn. With anyio's 40 they fight over the interpreter."""


PATIENCE_S = 20.0
"""Seconds a browser waits for an answer to a question before it asks for it again."""


def app(
    store: Store,
    queue: str,
    serving: Serving | None = None,
    *,
    helper: System | None = None,
    ask: Ask | None = None,
) -> ASGIApp:
    """The page of one queue as an ASGI application. Raises what `store.spec(queue)` raises for an unknown one."""
    serving = serving or Serving()
    desk = Desk(store, queue, serving, helper, ask)

    @asynccontextmanager
    async def few_threads(_: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        yield
        if desk.asks:
            desk.asks.close()

    api = FastAPI(
        title="gadfly review",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=few_threads,
    )
    add_entrance(api, desk)
    _add_rules(api, desk)
    _add_work(api, desk)
    _add_lead(api, desk)
    if desk.asks:
        _add_asking(api, desk, desk.asks)
    add_errors(api, desk)
    return Gate(api, serving, desk.sessions, desk.refusal)


# --- coming and going -------------------------------------------------------------------------------------


def add_entrance(api: FastAPI, desk: Desk) -> None:
    """How raters come and go, and the files that pages load."""

    @api.get("/enter/{token}")
    def enter(token: str) -> Response:
        rater = desk.welcome(token)
        answer = RedirectResponse(
            "/start" if desk.fresh(rater) else "/", 303, {"referrer-policy": "no-referrer"}
        )
        expires = link_ends(rater)
        answer.set_cookie(
            desk.sessions.cookie,
            desk.sessions.issue(rater.id, expires),
            max_age=max(0, int(expires - time.time())),
            secure=desk.sessions.secure,
            httponly=True,
            samesite="lax",  # strict would not travel with the redirect from a link in an e-mail
        )
        return answer

    @api.post("/leave")
    async def leave(request: Request) -> Response:
        await in_thread(desk.checked, request, await read_form(request))
        answer = desk.page("left.html.j2", None, title="You have left")
        answer.delete_cookie(desk.sessions.cookie, secure=desk.sessions.secure, httponly=True, samesite="lax")
        return answer

    @api.get("/static/{name}")
    def static(name: str, request: Request) -> Response:
        return desk.assets.answer(name, request.headers)


# --- one item after the other -----------------------------------------------------------------------------


def _add_work(api: FastAPI, desk: Desk) -> None:
    @api.get("/")
    def work(request: Request, after: str = "") -> Response:
        return desk.work(desk.visit(request), desk.note_after(after))

    @api.post("/answer")
    async def answer(request: Request) -> Response:
        form = await read_form(request)
        if desk.helper is None:
            return await in_thread(answer_and_go_on, request, form)
        visit = await in_thread(desk.checked, request, form)
        given = desk.known(answer_in(form, needs_reason=desk.needs_reason))
        assignment, attempt = number_in(form, "assignment"), 2 if field(form, "attempt") == "2" else 1
        try:
            await in_thread(desk.store.answer, assignment, visit.rater.id, given, attempt)
        except RefusedError as refusal:
            return await in_thread(desk.work, visit, str(refusal), 409)
        if attempt == 1:
            await desk.help_with(assignment, visit, given)
        return await in_thread(_onward, request, desk, visit, given.value)

    def answer_and_go_on(request: Request, form: Mapping[str, str]) -> Response:
        """Without a model to wait for: one thread, and one transaction for the answer and the next item."""
        visit = desk.checked(request, form)
        given = desk.known(answer_in(form, needs_reason=desk.needs_reason))
        attempt = 2 if field(form, "attempt") == "2" else 1
        try:
            found = desk.store.answer_and_next(number_in(form, "assignment"), visit.rater.id, given, attempt)
        except RefusedError as refusal:
            return desk.work(visit, str(refusal), 409)
        if "hx-request" in request.headers:
            return desk.item(visit, found, desk.note_after(given.value))
        return _redirected(given.value)

    @api.post("/undo")
    async def undo(request: Request) -> Response:
        form = await read_form(request)
        return await in_thread(take_back, request, form)

    def take_back(request: Request, form: Mapping[str, str]) -> Response:
        visit = desk.checked(request, form)
        taken_back = desk.store.undo(visit.rater.id)
        return _onward(request, desk, visit, "nothing" if taken_back is None else "undone")


def _onward(request: Request, desk: Desk, visit: Visit, after: str) -> Response:
    """The next item: at once for htmx, by way of `/` for a plain form, so that reloading sends nothing again."""
    if "hx-request" in request.headers:
        return desk.work(visit, desk.note_after(after))
    return _redirected(after)


def _redirected(after: str) -> Response:
    return RedirectResponse(f"/?after={after}", 303)


# --- the rules --------------------------------------------------------------------------------------------


def _add_rules(api: FastAPI, desk: Desk) -> None:
    @api.get("/start")
    def start(request: Request) -> Response:
        return desk.page("start.html.j2", desk.visit(request), title="Before you start")

    @api.get("/rule/{assignment}")
    async def rule(request: Request, assignment: int) -> Response:
        visit = await in_thread(desk.visit, request)
        pick = await desk.better_rule(assignment, visit)
        return desk.page("rule.html.j2", visit, pick=pick)

    @api.get("/guidelines")
    def guidelines(request: Request) -> Response:
        return desk.page("guidelines.html.j2", desk.visit(request), title="The rules")


# --- asking questions ---------------------------------------------------------------------------------------


def _add_asking(api: FastAPI, desk: Desk, asks: Asks) -> None:
    @api.get("/ask")
    def ask_page(request: Request) -> Response:
        return desk.asked(desk.visit(request))

    @api.post("/ask")
    async def ask(request: Request) -> Response:
        form = await read_form(request)
        visit = await in_thread(desk.checked, request, form)
        asked = asks.begin(visit.rater, " ".join(field(form, "question").split()))
        return RedirectResponse(f"/ask/{asked.id}", 303)

    @api.get("/ask/{name}")
    async def answered(request: Request, name: str, wait: str = "") -> Response:
        """At once; with `wait`, when there is an answer, or when a browser should be told that there is none yet."""
        visit = await in_thread(desk.visit, request)
        asked = asks.get(name, visit.rater)
        if wait:
            await asyncio.wait([asked.task], timeout=PATIENCE_S)
        return await in_thread(desk.asked, visit, asked)

    @api.post("/ask/{name}")
    async def judge(request: Request, name: str) -> Response:
        form = await read_form(request)
        visit = await in_thread(desk.checked, request, form)
        asked = asks.get(name, visit.rater)
        await in_thread(desk.judge, asks, asked, visit, form)
        return RedirectResponse(f"/ask/{asked.id}#judged", 303)


# --- the lead ---------------------------------------------------------------------------------------------


def _add_lead(api: FastAPI, desk: Desk) -> None:
    slow = CapacityLimiter(1)  # seconds of work keep no thread from the raters

    @api.get("/lead")
    def lead(request: Request) -> Response:
        return desk.lead(desk.visit(request, leads=True))

    @api.post("/lead/resolve")
    async def resolve(request: Request) -> Response:
        form = await read_form(request)
        visit = await in_thread(desk.checked, request, form, leads=True)
        given = answer_in(form, needs_reason=False)
        await in_thread(desk.resolve, number_in(form, "item"), visit, given)
        return RedirectResponse("/lead", 303)

    @api.get("/lead/agreement")
    async def agreement(request: Request) -> Response:
        visit = await in_thread(desk.visit, request, leads=True)
        return await to_thread.run_sync(desk.agreement, visit, limiter=slow)


# --- errors: one sentence each ----------------------------------------------------------------------------

_SENTENCES = {
    404: "There is no such page here: go back to the item.",
    405: "This address does not take that kind of request: go back to the item.",
}


def add_errors(api: FastAPI, desk: Desk) -> None:
    """What is answered where something went wrong: one sentence."""

    def on_gadfly(request: Request, error: Any) -> Response:
        status = (
            403
            if isinstance(error, DeniedError)
            else 400
            if isinstance(error, InputError | RefusedError)
            else 503
        )
        return desk.refusal(status, str(error), "hx-request" in request.headers)

    def on_http(request: Request, error: Any) -> Response:
        sentence = _SENTENCES.get(error.status_code, str(error.detail))
        return desk.refusal(error.status_code, sentence, "hx-request" in request.headers)

    def on_invalid(request: Request, error: Any) -> Response:
        return desk.refusal(404, _SENTENCES[404], "hx-request" in request.headers)

    def on_bug(request: Request, error: Any) -> Response:
        sentence = (
            "Something broke on the server; what you answered before is stored. Reload the page, and if it stays "
            "like this tell whoever sent you the link."
        )
        return desk.refusal(500, sentence, "hx-request" in request.headers)

    handlers: dict[type[Exception], Any] = {
        GadflyError: on_gadfly,
        HTTPException: on_http,
        RequestValidationError: on_invalid,
        Exception: on_bug,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)


def listen(host: str, port: int) -> socket.socket:
    """Bound and listening: a taken port is said at once, and links can be opened as soon as they are printed."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2_048)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise InputError(
            f"Port {port} on {host} cannot be used ({reason}): choose another, or stop what is using it."
        ) from error
    return listener
