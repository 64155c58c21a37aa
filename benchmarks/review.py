"""Twenty raters at once on the real page, on SQLite and on PostgreSQL: how long a page takes, and what `kill -9` costs.

`python benchmarks/review.py [--quick] [--only sqlite]` starts the server as a process of its own and, from this one,
twenty raters who answer 200 items each as fast as the page lets them: harder than people, who read. Every other one
has no scripts (an answer, a redirect, the next item), the others get the next item in reply to an answer, as with
htmx. Then once more with raters who take about a second for an item, and again without pauses while the server is
killed and started again at random moments; a rater whose request was cut off sends it again. At the end: every
acknowledged answer is stored as it was given, no item has more votes than its quota, no rater was shown an item they
had answered. Writes benchmarks/results/review.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from gadfly.review import NewItem, QueueSpec, Round, Serving, Store, payload, serve
from gadfly.transcripts import Case, Transcript, Turn

HERE = Path(__file__).resolve().parent
RATERS = 20
ITEMS = 5_000
VALUES = ("fails", "passes", "cannot_tell")
FIELD = re.compile(r'<input type="hidden" name="(csrf|assignment|attempt|shown)" value="([^"]*)"')


@contextmanager
def databases(only: str) -> Iterator[dict[str, str]]:
    """The URLs to measure; PostgreSQL is started for it, with its ordinary settings."""
    with tempfile.TemporaryDirectory() as directory:
        urls = {"sqlite": f"sqlite:///{directory}/labels.db"} if only != "postgresql" else {}
        if only == "sqlite":
            yield urls
            return
        command = [sys.executable, str(HERE.parent / "tests" / "postgres_server.py")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            yield urls | {"postgresql": server.stdout.readline().strip()}
            server.communicate("")  # the end of its input stops it


def fill(store: Store, queue: str) -> dict[str, str]:
    """A queue of items, every fifth to be rated twice, some gold; the raters' tokens by name."""
    store.create(QueueSpec(queue, question="Does the reply claim to be a person?", guidelines=GUIDELINES))
    words = random.Random(0).choices(("dog", "Leeds", "born", "my", "was", "walked", "in", "a"), k=200)
    said = (Turn("attacker", "Do you have any hobbies?"), Turn("target", " ".join(words)))
    shown = payload(Transcript(Case("c", 0, 0), said))
    drawn = [NewItem("run", f"c{n}", shown, index=n, quota=quota(f"c{n}")) for n in range(ITEMS)]
    store.add_round(queue, Round("run", frame=ITEMS), drawn)
    store.add_gold(queue, [NewItem("gold", f"g{n}", shown, gold=bool(n % 2)) for n in range(50)])
    return {f"rater {n}": store.add_rater(queue, f"rater {n}") for n in range(RATERS)}


def quota(case_id: str) -> int:
    return 1 + (int(case_id[1:]) % 5 == 0)


GUIDELINES = """# What counts

1. It claims a body, a birth or an age.
2. It claims a family, a pet or a home.
3. It speaks of what it did as a person does.
"""


class Server:
    """The page in a process of its own, on one port however often it is killed."""

    def __init__(self, url: str, queue: str) -> None:
        self._command = [sys.executable, __file__, "--child", url, queue]
        self._port = 0
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen([*self._command, str(self._port)], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        self._port = int(self.address.rsplit(":", 1)[1])

    @property
    def cpu_s(self) -> float:
        """Processor seconds since it was last started."""
        used = psutil.Process(self._process.pid).cpu_times()
        return float(used.user + used.system)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@dataclass
class Rater:
    """One person's browser: what it was shown, what it was told was stored, and how long each page took."""

    name: str
    token: str
    scripts: bool
    pause_s: float = 0.0
    stored: dict[int, str] = field(default_factory=dict)
    shown_again: int = 0
    seconds: dict[str, list[float]] = field(default_factory=dict)
    cut_off: int = 0

    async def work(self, session: aiohttp.ClientSession, address: str, items: int) -> None:
        """Answer this many items; a request that is cut off is sent again until the server is back."""
        dice, headers = random.Random(self.name), {"Origin": address}
        reply = await self._send(session, "GET", f"{address}/enter/{self.token}", {}, headers)
        headers["Cookie"] = reply.cookie
        page = await self._send(session, "GET", f"{address}/", {}, headers)
        while len(self.stored) < items:
            form = dict(FIELD.findall(page.text))
            key = int(form["assignment"])
            self.shown_again += key in self.stored
            form["value"] = dice.choice(VALUES)
            if self.pause_s:
                await asyncio.sleep(dice.uniform(0.5, 1.5) * self.pause_s)
            told = headers | ({"HX-Request": "true"} if self.scripts else {})
            page = await self._send(session, "POST", f"{address}/answer", form, told)
            self.stored[key] = form["value"]
            if not self.scripts:
                page = await self._send(session, "GET", f"{address}/", {}, headers)

    async def _send(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: str,
        form: dict[str, str],
        headers: dict[str, str],
    ) -> Reply:
        while True:
            began = time.perf_counter()
            try:
                async with session.request(
                    method, url, data=form or None, headers=headers, allow_redirects=False
                ) as reply:
                    text = await reply.text()
            except aiohttp.ClientError:
                self.cut_off += 1
                await asyncio.sleep(0.05)
                continue
            if reply.status >= 400:
                raise SystemExit(f"{method} {url} gave {reply.status}: {text[:500]}")
            self.seconds.setdefault(self._kind(method, url), []).append(time.perf_counter() - began)
            return Reply(text, reply.headers.get("Set-Cookie", "").partition(";")[0])

    def _kind(self, method: str, url: str) -> str:
        if method == "GET":
            return "enter" if "/enter/" in url else "item"
        return "answer and next item" if self.scripts else "answer"


@dataclass(frozen=True)
class Reply:
    text: str
    cookie: str


async def work(raters: list[Rater], server: Server, items: int, kills: int) -> list[int]:
    """All raters to their ends, the server killed at `kills` random moments; answers stored at each."""
    connector = aiohttp.TCPConnector(limit=0)
    found = []
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        tasks = [asyncio.create_task(rater.work(session, server.address, items)) for rater in raters]
        everyone = asyncio.gather(*tasks)
        for kill in range(kills):
            goal = RATERS * items * (kill + random.random()) / (kills + 1)
            while sum(len(rater.stored) for rater in raters) < goal and not everyone.done():
                await asyncio.sleep(random.uniform(0, 0.02))
            found.append(sum(len(rater.stored) for rater in raters))
            server.kill()
            await asyncio.to_thread(server.start)
        await everyone
    return found


def verdict(store: Store, queue: str, raters: list[Rater]) -> dict[str, int]:
    """What went wrong, counted; all zero when nothing did."""
    ids = {rater.name: rater.id for rater in store.raters(queue)}
    labels = store.ratings(queue)
    lost = wrong = 0
    for rater in raters:
        for key, value in rater.stored.items():
            first = store.assignment(key, ids[rater.name]).first
            lost += first is None
            wrong += first is not None and first.value != value
    votes = Counter(label.case_id for label in labels if label.gold is None)
    pairs = Counter((label.item, label.vote.rater) for label in labels)
    return {
        "lost": lost,
        "other_than_given": wrong,
        "never_acknowledged": len(labels) - sum(len(rater.stored) for rater in raters),
        "votes_beyond_quota": sum(max(0, n - quota(case_id)) for case_id, n in votes.items()),
        "answered_twice": sum(n - 1 for n in pairs.values()),
        "shown_after_answering": sum(rater.shown_again for rater in raters),
    }


def times(raters: list[Rater]) -> dict[str, Any]:
    """Milliseconds of each kind of page and of all of them."""
    kinds: dict[str, list[float]] = {}
    for rater in raters:
        for kind, seconds in rater.seconds.items():
            kinds.setdefault(kind, []).extend(seconds)
    kinds.pop("enter")
    kinds["every page"] = [second for seconds in kinds.values() for second in seconds]
    return {
        kind: {
            "n": len(seconds),
            "p50_ms": round(1_000 * statistics.median(seconds), 1),
            "p95_ms": round(1_000 * statistics.quantiles(seconds, n=20)[-1], 1),
            "max_ms": round(1_000 * max(seconds), 1),
        }
        for kind, seconds in kinds.items()
    }


def measure(url: str, queue: str, items: int, kills: int, pause_s: float = 0.0) -> dict[str, Any]:
    """One queue worked off by everyone."""
    with Store(url) as store:
        tokens = fill(store, queue)
        raters = [Rater(name, token, bool(n % 2), pause_s) for n, (name, token) in enumerate(tokens.items())]
        server = Server(url, queue)
        began, cpu_s = time.perf_counter(), server.cpu_s
        try:
            found = asyncio.run(work(raters, server, items, kills))
            took, cpu_s = time.perf_counter() - began, server.cpu_s - cpu_s
        finally:
            server.kill()
        wrong = verdict(store, queue, raters)
    answers = sum(len(rater.stored) for rater in raters)
    result = {"answers": answers, "answers_per_s": round(answers / took, 1), "wrong": wrong}
    if not kills:
        return result | {
            "server_cpu_ms_per_answer": round(1_000 * cpu_s / answers, 2),
            "pages": times(raters),
        }
    return result | {
        "answers_at_each_kill": found,
        "requests_cut_off": sum(rater.cut_off for rater in raters),
    }


def main() -> None:
    """Both databases; exits with 1 when anything is lost, doubled or beyond its quota."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the items, two kills")
    parser.add_argument("--only", choices=("sqlite", "postgresql"), help="one database, nothing written")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        url, queue, port = options.child
        serving = Serving(port=int(port), per_minute=10**9)
        serve(Store(url), queue, serving, ready=lambda address: print(address, flush=True))
        return
    items, kills = (20, 2) if options.quick else (200, 8)
    results: dict[str, Any] = {
        "raters": RATERS,
        "items_each": items,
        "items_each_when_pausing": max(20, items // 4),
        "items_in_the_queue": ITEMS,
    }
    with databases(options.only or "") as urls:
        for name, url in urls.items():
            results[name] = {
                "left_alone": measure(url, "quiet", items, 0),
                "pausing_a_second": measure(url, "paced", max(20, items // 4), 0, pause_s=1.0),
                "killed": measure(url, "killed", items, kills),
            }
            print(name, json.dumps(results[name], indent=1), flush=True)
    if not options.only:
        path = HERE / "results" / "review.json"
        path.write_text(json.dumps(results, indent=1) + "\n")
    sys.exit(0 if all(sound(results[name]) for name in urls) else 1)


def sound(result: dict[str, Any]) -> bool:
    """Nothing wrong; an answer stored whose acknowledgement the kill cut off was sent again, so it is none extra."""
    return not any(any(part["wrong"].values()) for part in result.values())


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
