"""Who may open the page and what the page may do: where it listens, sessions, CSRF, limits, headers.

A rater's link holds a token; opening it exchanges the token for a session cookie, signed with the store's own
secret, so that sessions outlive a restart and nothing about them is kept. The CSRF token is an HMAC of that
cookie. `Gate` stands before the application: it checks the Host, the size of the body and the pace, and puts
the security headers on every answer, errors included.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gadfly.errors import InputError

__all__ = ["MAX_BODY", "Gate", "Limiter", "Serving", "Session", "Sessions"]

MAX_BODY = 64 * 1024
"""Bytes of one request's body: an answer with its reason needs a tenth of that."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

# Referrer: `no-referrer` would make browsers send `Origin: null` with our own forms, and then the Origin could not be
# checked. `same-origin` tells other sites as little. /enter, whose address holds a token, says no-referrer itself.
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Serving:
    """Where the page listens and how raters reach it.

    Port 0 takes a free one. Beyond the loopback interface `public` must be set, and either `certificate` and `key`
    (PEM files) be given or `behind_proxy`, the https:// address at which a proxy that ends TLS serves it. `name` is the
    host name in raters' links; needed with a certificate when `host` is a wildcard. `per_minute` is how
    many requests one rater may make in a minute.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    public: bool = False
    certificate: Path | None = None
    key: Path | None = None
    behind_proxy: str = ""
    name: str = ""
    per_minute: int = 240

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise InputError("TLS needs both a certificate and its key: give the two PEM files, or neither.")
        for file in (self.certificate, self.key):
            if file is not None and not file.is_file():
                raise InputError(
                    f"There is no file {file}: name the PEM file of the certificate and of its key."
                )
        self._check_proxy()
        if not is_loopback(self.host):
            self._check_public()
        elif self.public and not self.behind_proxy:
            raise InputError(
                f"{self.host} is reached from this machine alone: to let others in say where to listen, --host 0.0.0.0."
            )
        if self.certificate and self.key:
            _check_pair(self.certificate, self.key)

    def _check_proxy(self) -> None:
        if not self.behind_proxy:
            return
        parts = urlsplit(self.behind_proxy)
        bare = parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc
        if parts.scheme != "https" or not parts.hostname or not bare:
            raise InputError(
                f"A proxy is stated as the https:// address it serves, without a path; got {self.behind_proxy!r}."
            )

    def _check_public(self) -> None:
        if not self.public:
            raise InputError(
                f"Listening on {self.host} lets other machines in: say so with --public, or stay on 127.0.0.1."
            )
        if not (self.certificate or self.behind_proxy):
            raise InputError(
                f"Listening on {self.host} needs TLS, or links and labels cross the network in the clear: give a "
                "certificate and its key, or state the proxy that ends TLS as its https:// address."
            )
        if not (self.name or self.behind_proxy) and is_wildcard(self.host):
            raise InputError(
                f"Raters cannot open {self.host}: say with --name which host name the links shall have."
            )

    @property
    def secure(self) -> bool:
        """Whether browsers reach the page over TLS."""
        return bool(self.certificate or self.behind_proxy)

    def origin(self, port: int) -> str:
        """`scheme://host[:port]` as browsers see it, given the port that is listened on."""
        if self.behind_proxy:
            parts = urlsplit(self.behind_proxy)
            return f"https://{parts.netloc.lower().removesuffix(':443')}"
        scheme, usual = ("https", 443) if self.certificate else ("http", 80)
        host = self.name or self.host
        shown = f"[{host}]" if ":" in host else host
        return f"{scheme}://{shown.lower()}" + ("" if port == usual else f":{port}")

    def hosts(self) -> frozenset[str]:
        """The host names a request may be addressed to, without ports: against DNS rebinding."""
        names = {self.name, self.host, urlsplit(self.behind_proxy).hostname or ""}
        if is_loopback(self.host):
            names |= {"127.0.0.1", "localhost", "::1"}
        return frozenset(name.lower() for name in names if name and not is_wildcard(name))


def _check_pair(certificate: Path, key: Path) -> None:
    """Raises `InputError` where these are no certificate and its key, before there is a page that nobody can open."""
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise InputError(
            f"{certificate} and {key} do not serve as a certificate and its key ({error}): give a PEM file each, "
            "the key without a passphrase."
        ) from error


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_wildcard(host: str) -> bool:
    """Whether that address stands for every interface."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host == ""


# --- sessions ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Session:
    """A signed cookie that was read: whose it is, when their link ran out as it was issued (seconds since 1970),
    and the CSRF token that goes with it.
    """

    rater: int
    expires: int
    csrf: str


@dataclass(frozen=True)
class Sessions:
    """Makes and reads session cookies: `rater.expires.nonce.signature`. Whether the rater is still welcome is the
    store's to say, on every request.
    """

    secret: bytes = field(repr=False)
    secure: bool = False
    queue: str = ""

    @property
    def cookie(self) -> str:
        """Its name, one per queue: browsers do not tell two ports of one machine apart. Under TLS the prefix makes
        them hold it to this host, to `/` and to Secure.
        """
        name = f"gadfly-{hashlib.sha256(self.queue.encode()).hexdigest()[:8]}"
        return f"__Host-{name}" if self.secure else name

    def issue(self, rater: int, expires: float) -> str:
        """A cookie for a rater, good until `expires` (seconds since 1970)."""
        body = f"{rater}.{int(expires)}.{secrets.token_urlsafe(9)}"
        return f"{body}.{self._sign('session', body)}"

    def read(self, cookie: str | None) -> Session | None:
        """The session of a cookie; None when it is absent, forged, or past its time."""
        body, _, signature = (cookie or "").rpartition(".")
        if not body or not hmac.compare_digest(signature.encode(), self._sign("session", body).encode()):
            return None
        rater, expires, _nonce = body.split(".", 2)
        if int(expires) <= time.time():
            return None
        return Session(int(rater), int(expires), self._sign("csrf", body))

    def of(self, headers: Headers) -> Session | None:
        """The session of a request."""
        return self.read(cookie_parser(headers.get("cookie", "")).get(self.cookie))

    def _sign(self, purpose: str, body: str) -> str:
        return hmac.new(self.secret, f"{purpose}:{body}".encode(), hashlib.sha256).hexdigest()


def same(given: str, expected: str) -> bool:
    """Whether two secrets are one, in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


# --- pace -------------------------------------------------------------------------------------------------


@dataclass
class Limiter:
    """A bucket of `per_minute` requests for each key, refilled steadily. It remembers the last 4,096 keys."""

    per_minute: int
    now: Callable[[], float] = time.monotonic
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict, repr=False)

    def wait(self, key: str) -> float:
        """Takes one request from the key's bucket: 0 when there was one, else the seconds until there is."""
        now, pace = self.now(), self.per_minute / 60
        held, since = self._buckets.pop(key, (float(self.per_minute), now))
        held = min(self.per_minute, held + (now - since) * pace)
        self._buckets[key] = (held - 1 if held >= 1 else held, now)
        while len(self._buckets) > 4_096:
            self._buckets.popitem(last=False)
        return 0.0 if held >= 1 else (1 - held) / pace


# --- the gate ---------------------------------------------------------------------------------------------

Refuse = Callable[[int, str, bool], Response]
"""(status, sentence, whether htmx asked) -> the answer."""


class Gate:
    """See the top of this file."""

    def __init__(self, inner: ASGIApp, serving: Serving, sessions: Sessions, refuse: Refuse) -> None:
        self.inner = inner
        self.hosts = serving.hosts()
        self.sessions = sessions
        self.limiter = Limiter(serving.per_minute)
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.inner(scope, receive, send)
        elif scope["type"] == "http":
            refusal = self._refusal(scope, Headers(scope=scope))
            await (refusal or self.inner)(scope, _bounded(receive), _guarded(send))

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        htmx = "hx-request" in headers
        if _hostname(headers.get("host", "")) not in self.hosts:
            return self.refuse(
                421, "This address is not where the page lives: open the link you were sent.", htmx
            )
        size = headers.get("content-length", "0")
        if not (size.isascii() and size.isdecimal()):
            return self.refuse(
                400, "The request does not say how long it is: reload the page and try again.", htmx
            )
        if int(size[:12]) > MAX_BODY:
            return self.refuse(413, _TOO_LARGE, htmx)
        if scope["path"].startswith("/static/"):
            return None
        if wait := self.limiter.wait(self._key(scope, headers)):
            refusal = self.refuse(429, f"That was too fast: wait {int(wait) + 1} s and go on.", htmx)
            refusal.headers["retry-after"] = str(int(wait) + 1)
            return refusal
        return None

    def _key(self, scope: Scope, headers: Headers) -> str:
        session = self.sessions.of(headers)
        return f"rater {session.rater}" if session else f"from {(scope.get('client') or ('',))[0]}"


_TOO_LARGE = (
    f"That is larger than {MAX_BODY // 1024} kB, which no answer needs: shorten it and send it again."
)


def _hostname(host: str) -> str:
    """`[::1]:8000` and `LOCALHOST:8000` without their ports, in lower case."""
    host = host.lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _bounded(receive: Receive) -> Receive:
    """The body in its pieces, refused (413) once they add up to more than `MAX_BODY`: a chunked body has no length."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MAX_BODY:
            raise HTTPException(413, _TOO_LARGE)
        return message

    return bounded


def _guarded(send: Send) -> Send:
    """Answers with `HEADERS`, each unless the answer says otherwise."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return guarded
