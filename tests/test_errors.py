"""What can go wrong, as a user meets it: the sentence, what is kept, and that the same again goes on.

First what is wrong before anything runs, at the command line; then what a model's service does, through `redteam`, with
the service a stub; then what the disk does.
"""

import json
import textwrap

import pytest
from inspect_ai.model import GenerateConfig

from forked import Forked
from gadfly.errors import CallError, GadflyError, UnknownNameError
from gadfly.models import Retry, System, model, scripted
from gadfly.redteam import Attack, Campaign, focus, judges_for, redteam
from gadfly.report import from_runs
from gadfly.runs import Settings, all_runs, open_run
from stub_server import Stub

ATTACK = ("redteam", "scripted/x", "--focus", "system_prompt")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("audit", "smolm2"), "There is no model 'smolm2'. Did you mean 'smollm2'?"),
        (("audit", "opnai/gpt"), "There is no model provider 'opnai'. Did you mean 'openai'?"),
        (("audit", "openai/gpt-4.1-mini"), "openai/gpt-4.1-mini needs a key: set OPENAI_API_KEY."),
        (
            ("audit", "scripted/x", "--focus", "persnoa"),
            "There is no focus 'persnoa'. Did you mean 'persona'?",
        ),
        (("audit", "scripted/x", "--focus", "x.yaml"), "There is no file x.yaml."),
        (
            ("audit", "scripted/x", "--attacker", "fewshot"),
            "no attack method 'fewshot'. Did you mean 'few_shot'?",
        ),
        (
            ("redteam", "scripted/x", "--judge", "refusl"),
            "There is no judge 'refusl'. Did you mean 'refusal'?",
        ),
        (("redteam", "scripted/x", "--then", "model_judge"), "write model_judge:provider/name"),
        (("redteam", "scripted/x", "--judge", "no_such:thing"), "cannot be imported"),
        (("redteam", "scripted/x", "--attacker", "few_shot", "--cases", "3"), "give it 4 or more"),
        (("redteam", "scripted/x", "--system-prompt", "@x.txt"), "There is no file x.txt"),
        (("redteam", "scripted/x", "--pool", "nope"), "There is no run 'nope'."),
        (("show", "nope"), "There is no run 'nope'."),
        (("resume", "nope"), "There is no run 'nope'."),
    ],
)
def test_a_name_that_cannot_work_is_one_sentence_before_anything_runs(
    gadfly, tmp_path, monkeypatch, words, sentence
):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    said = gadfly(*words)
    assert said.code == 2
    assert sentence in said.err
    assert said.err.startswith("gadfly: ")
    assert said.err.count("\n") == 1
    assert not (tmp_path / "gadfly-runs").exists()


def test_of_many_names_the_nearest_are_listed_and_the_others_counted():
    said = str(UnknownNameError("run", "debate-naiv", [f"audit-{n}" for n in range(40)] + ["debate-naive"]))
    assert said.startswith(
        "There is no run 'debate-naiv'. Did you mean 'debate-naive'? Known: debate-naive, "
    )
    assert said.endswith(" and 21 more.")
    assert said.count("audit-") == 19


def remote(stub, **settings):
    api = model("openai-api/stub/m", base_url=stub.url, api_key="k", memoize=False)
    return System(
        api, sampling=GenerateConfig(**settings), retry=Retry(attempts=2, first_delay=0.001, timeout=2)
    )


async def attacked(directory, stub, cases=6, **settings):
    """A campaign whose attacker is scripted and whose target is the stub."""
    looked_for = focus("persona")
    attack = Attack("zero_shot", System(scripted(lambda messages, seed: f"Who is {seed}?")))
    campaign = Campaign(looked_for, remote(stub, **settings), judges_for(looked_for), [attack], cases)
    [run] = await redteam(campaign, Settings(directory, concurrency=1, progress=False))
    return run


def outcomes(run):
    return sorted((t.outcome, t.cause) for t in run.transcripts())


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("401", "refused the key (HTTP 401: Incorrect API key provided.). Check STUB_API_KEY."),
        (
            "404",
            "does not know the model 'm' (HTTP 404: The model does not exist.). It serves: stub-large, stub-small.",
        ),
        ("quota", "The account's quota is used up: add credit."),
    ],
)
async def test_what_every_case_would_meet_stops_the_run_keeps_its_rows_and_is_resumed(
    tmp_path, fault, sentence
):
    async with Stub(faults=["", "", "", fault]) as stub:
        with pytest.raises(CallError) as caught:
            await attacked(tmp_path, stub)
        [cut] = all_runs(tmp_path)
        kept = outcomes(cut)
        assert sentence in str(caught.value)
        assert (cut.status, kept) == ("stopped", [("completed", "")] * 3)
        stub.faults.clear()
        assert outcomes(await attacked(tmp_path, stub)) == [("completed", "")] * 6
        assert stub.count == 7


@pytest.mark.anyio
async def test_a_server_that_is_down_stops_the_run_and_is_named(tmp_path):
    async with Stub() as stub:
        pass
    with pytest.raises(
        CallError, match=r"Nothing answers at http://127.* Start the server, or correct its address"
    ):
        await attacked(tmp_path, stub)


def test_a_stopped_command_says_what_happened_what_is_kept_and_what_to_do(gadfly, monkeypatch):
    monkeypatch.setenv("STUB_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("STUB_API_KEY", "k")
    said = gadfly(
        "redteam", "openai-api/stub/m", "--attacker", "scripted/x", "--focus", "system_prompt", "--cases", 2
    )
    assert said.code == 2
    assert "Nothing answers at http://127.0.0.1:9/v1" in said.err
    assert said.err.endswith("What the run has finished is kept; then give the same command again.\n")


def test_nothing_is_said_to_be_kept_where_nothing_is(gadfly, monkeypatch):
    monkeypatch.setenv("STUB_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("STUB_API_KEY", "k")
    who = ("--debaters", "openai-api/stub/m", "--judge", "openai-api/stub/m")
    said = gadfly("debate", "play", "Which?", "--answers", "yes,no", *who)
    assert said.code == 2
    assert "cannot be reached" in said.err and "kept" not in said.err


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("429", "rate_limited"),
        ("500", "server_error"),
        ("garbage", "bad_reply"),
        ("no_choices", "bad_reply"),
        ("empty", "empty_reply"),
        ("overflow", "context_overflow"),
        ("400", "rejected"),
    ],
)
async def test_what_one_case_meets_is_a_row_with_its_cause_and_never_a_pass(tmp_path, fault, cause):
    async with Stub(faults=[fault] * 2) as stub:
        run = await attacked(tmp_path, stub)
    failed = [row for row in outcomes(run) if row[0] == "failed"]
    [row] = from_runs([run]).sections[0].rows
    assert run.info["status"] == "complete"
    assert set(failed) == {("failed", cause)}
    assert row.counts.failed == {cause: len(failed)}
    assert row.rate.n == 6 - len(failed)


@pytest.mark.anyio
async def test_failed_cases_are_played_again_when_asked_for(tmp_path):
    async with Stub(always="overflow") as stub:
        run = await attacked(tmp_path, stub, cases=3)
        assert outcomes(run) == [("failed", "context_overflow")] * 3
        stub.always = ""
        looked_for = run.info["spec"]["focus"]["name"]
        campaign = Campaign(
            focus(looked_for),
            remote(stub),
            judges_for(focus(looked_for)),
            [Attack("zero_shot", System(scripted(lambda messages, seed: f"Who is {seed}?")))],
            3,
        )
        [again] = await redteam(campaign, Settings(tmp_path, retry_failed=True, progress=False))
    assert (again.id, outcomes(again)) == (run.id, [("completed", "")] * 3)


@pytest.mark.anyio
async def test_a_reply_cut_at_max_tokens_is_kept_as_such_and_judged(tmp_path):
    async with Stub() as stub:
        run = await attacked(tmp_path, stub, cases=2, max_tokens=3)
    assert {t.turns[-1].stop for t in run.transcripts()} == {"length"}
    assert all(j.score is not None for j in run.judgements("claims_person"))


@pytest.fixture
def run(gadfly, tmp_path):
    """A finished run of twenty cases."""
    assert gadfly(*ATTACK, "--cases", 20).code == 0
    [made] = all_runs(tmp_path / "gadfly-runs")
    return made


@pytest.mark.parametrize("verb", ["show", "report", "sql", "export", "resume"])
def test_a_run_written_by_a_newer_version_asks_for_an_upgrade(gadfly, run, verb):
    info = {**run.info, "format": 99}
    (run.path / "run.json").write_text(json.dumps(info))
    rest = {"sql": ["select 1"], "export": ["--to", "x.eval"]}.get(verb, [])
    said = gadfly(verb, run.id, *rest)
    assert said.code == 2
    assert "pip install -U gadfly" in said.err
    assert json.loads((run.path / "run.json").read_text()) == info


@pytest.mark.parametrize("verb", ["show", "resume", "sql", "export"])
def test_a_corrupt_part_is_named_and_only_what_it_held_is_made_again(gadfly, run, verb):
    [part] = (run.path / "transcripts").glob("*.parquet")
    part.write_bytes(part.read_bytes()[:100])
    rest = {"sql": ["select * from cases"], "export": ["--to", "x.eval"]}.get(verb, [])
    said = gadfly(verb, run.id, *rest)
    assert (said.code, "Traceback" in said.err) == (2, False)
    assert f"{part.name} is corrupt" in said.err
    assert f"`gadfly resume {run.id}`" in said.err
    part.unlink()
    assert gadfly("resume", run.id).code == 0
    assert len(list(open_run(run.path).transcripts())) == 20


FULL = """
    import resource, sys
    from gadfly.cli import main
    sys.argv = ["gadfly", *"redteam scripted/x --focus system_prompt --cases 400".split()]
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
    main()
"""


def test_a_full_disk_stops_the_run_in_one_sentence_and_it_goes_on(gadfly, tmp_path):
    ended, said = Forked(textwrap.dedent(FULL), cwd=tmp_path).ended()
    [cut] = all_runs(tmp_path / "gadfly-runs")
    kept = len(list(cut.transcripts()))
    assert (ended, "Traceback" in said) == (2, False)
    assert "The disk is full" in said
    assert f"`gadfly resume {cut.id}`" in said
    assert gadfly("redteam", "scripted/x", "--focus", "system_prompt", "--cases", 400).code == 0
    assert 0 < kept < len(list(open_run(cut.path).transcripts())) == 400


def test_a_report_that_cannot_be_written_says_where_and_keeps_the_run(gadfly, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert gadfly(*ATTACK, "--cases", 2).code == 0
    [run] = all_runs(tmp_path / "gadfly-runs")
    said = gadfly("report", run.id, "-o", "file/page.html")
    assert said.code == 2
    assert "could not be written to file/page.html" in said.err
    assert open_run(run.path).status == "complete"


def test_a_report_path_that_cannot_be_written_is_refused_before_anything_runs(gadfly, tmp_path):
    (tmp_path / "file").write_text("in the way")
    said = gadfly(*ATTACK, "--cases", 2, "-o", "file/page.html")
    assert said.code == 2
    assert "name another place with --output" in said.err
    assert not (tmp_path / "gadfly-runs").exists()


@pytest.mark.parametrize("kind", GadflyError.__subclasses__())
def test_every_kind_of_failure_has_a_parent_in_the_standard_library(kind):
    assert len(kind.__mro__) > len(GadflyError.__mro__) + 1
