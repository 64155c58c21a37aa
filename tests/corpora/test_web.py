"""The web as a corpus: what a provider cites is searched like documents."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from gadfly.corpora import WebCorpus, library, web
from gadfly.errors import CallError, InputError, MissingKeyError, UnknownNameError
from gadfly.evidence import Asking, Quoting, answer, wrong
from gadfly.models import System, scripted


async def provider(query: str):
    cited = [
        ("http://a", "Cats", "Cats sleep."),
        ("http://b", "", "Dogs\ud800 bark."),
        ("http://c", "None", ""),
    ]
    citations = [SimpleNamespace(url=url, title=title, cited_text=text) for url, title, text in cited]
    return SimpleNamespace(text="An answer that no source gave.", citations=citations)


def test_what_is_cited_is_found_and_kept():
    held = WebCorpus(provider, "web-fake")
    [found] = held.search("do dogs bark?", 1)
    assert (found.passage.document, found.passage.title) == ("http://b", "http://b")
    assert held.document("http://a").text == "Cats sleep."
    assert held.documents == 2


def test_when_no_word_is_shared_the_providers_order_stands():
    found = WebCorpus(provider, "web-fake").search("felines", 4, without=["http://a"])
    assert [one.passage.document for one in found] == ["http://b"]


@pytest.mark.anyio
async def test_it_searches_from_inside_an_event_loop():
    assert WebCorpus(provider, "web-fake").search("cats", 1)


class Counting:
    """The provider, which knows what it was asked and from which event loops."""

    def __init__(self):
        self.queries, self.loops = [], set()

    async def __call__(self, query):
        self.queries.append(query)
        self.loops.add(asyncio.get_running_loop())
        return await provider(query)


def test_a_query_is_sent_once_however_often_and_from_wherever_it_comes():
    counting = Counting()
    held = WebCorpus(counting, "web-fake")
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda k: held.search("do dogs bark?", k), [1, 2, 2, 1]))
    assert (counting.queries, [len(one) for one in found]) == (["do dogs bark?"], [1, 1, 1, 1])
    held.search("do cats sleep?")
    assert (len(counting.queries), len(counting.loops)) == (2, 1)


def test_one_question_with_many_samples_is_one_search():
    counting = Counting()
    game = Quoting(WebCorpus(counting, "web-fake"), System(scripted("…")))
    asyncio.run(answer("do dogs bark?", Asking(game, samples=8, judge=wrong())))
    assert counting.queries == ["do dogs bark?"]


def test_a_provider_that_does_not_answer_is_a_failed_call_and_asked_again():
    tries = []

    async def unsure(query):
        tries.append(query)
        if len(tries) == 1:
            raise ConnectionError("refused")
        return await provider(query)

    held = WebCorpus(unsure, "web-fake")
    with pytest.raises(CallError, match="ConnectionError refused"):
        held.search("dogs")
    assert held.search("dogs")


def test_without_the_providers_key_it_is_named(monkeypatch):
    monkeypatch.delenv("TAVILY_API_KEY", raising=False)
    with pytest.raises(MissingKeyError, match="TAVILY_API_KEY"):
        library("web:tavily").search("dogs")


@pytest.mark.parametrize(
    ("name", "how", "error", "says"),
    [
        ("web:tavily", "fusion", InputError, "searched as tavily does"),
        ("web:", "bm25", InputError, "take tavily, exa, google"),
        ("web:tavily", "magic", UnknownNameError, "magic"),
        ("nowhere", "bm25", UnknownNameError, "nowhere"),
    ],
)
def test_a_library_that_there_is_not_is_refused(name, how, error, says):
    with pytest.raises(error, match=says):
        library(name, how)


def test_a_provider_that_needs_its_own_model_is_refused():
    with pytest.raises(InputError, match="tavily"):
        web("openai")
