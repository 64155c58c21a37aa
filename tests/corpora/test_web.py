"""The web as a corpus: what a provider cites is searched like documents."""

from types import SimpleNamespace

import pytest

from gadfly.corpora import WebCorpus, web
from gadfly.errors import InputError


async def provider(query: str):
    cited = [
        ("http://a", "Cats", "Cats sleep."),
        ("http://b", "", "Dogs\ud800 bark."),
        ("http://c", "None", ""),
    ]
    citations = [SimpleNamespace(url=url, title=title, cited_text=text) for url, title, text in cited]
    return SimpleNamespace(text="An answer that no source gave.", citations=citations)


def test_what_is_cited_is_found_and_kept():
    held = WebCorpus(provider, "web:fake")
    [found] = held.search("do dogs bark?", 1)
    assert (found.passage.document, found.passage.title) == ("http://b", "http://b")
    assert held.document("http://a").text == "Cats sleep."
    assert held.documents == 2


def test_when_no_word_is_shared_the_providers_order_stands():
    found = WebCorpus(provider, "web:fake").search("felines", 4, without=["http://a"])
    assert [one.passage.document for one in found] == ["http://b"]


@pytest.mark.anyio
async def test_it_searches_from_inside_an_event_loop():
    assert WebCorpus(provider, "web:fake").search("cats", 1)


def test_a_provider_that_needs_its_own_model_is_refused():
    with pytest.raises(InputError, match="tavily"):
        web("openai")
