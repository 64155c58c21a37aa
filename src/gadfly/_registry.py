"""What Inspect finds through its entry point: our model providers and our tasks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspect_ai import Task, task
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.model import GenerateConfig, get_model
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, accuracy, metric, scorer, stderr
from inspect_ai.solver import TaskState
from rich.markup import escape

from gadfly.errors import GadflyError, InputError
from gadfly.models import System, _providers
from gadfly.runs._inspect import correctness, mean_of, score_of

if TYPE_CHECKING:
    from gadfly.debate import Player, Referee

__all__ = [
    "SCENARIOS",
    "_providers",
    "by_rule",
    "debate",
    "pressure",
    "redteam",
    "verdict",
    "verified_quotes",
]


@task
def redteam(
    focus: str = "general", cases: int = 100, turns: int = 1, seed: int = 0, max_tokens: int = 128
) -> Task:
    """Red teaming as an Inspect task: `inspect eval gadfly/redteam --model MODEL -T focus=persona`.

    The model under evaluation is the target. The attacker is the model role `attacker`
    (`--model-role attacker=gadfly/smollm2`), and the target itself without one.
    """
    from gadfly.redteam import Attacker, Questioning, attacker_system, judges_for
    from gadfly.redteam import focus as named
    from gadfly.runs import as_task

    looked_for = named(focus)
    if looked_for.unresolved:
        raise InputError(
            f"A model has yet to propose the rows of {focus}: use gadfly redteam, or a .yaml with seeds."
        )
    target = System(get_model(), sampling=GenerateConfig(temperature=1.0, top_p=0.8, max_tokens=max_tokens))
    attacker = System(get_model(role="attacker", default=get_model()))
    game = Questioning(looked_for, Attacker(attacker_system(attacker)), target, turns)
    return as_task(game, cases, judges_for(looked_for), seed=seed)


@task
def verified_quotes(
    corpus: str,
    questions: str,
    samples: int = 1,
    documents: int = 4,
    search: str = "bm25",
    seed: int = 0,
    grader: str = "",
) -> Task:
    """Answers with quotes as an Inspect task: `inspect eval gadfly/verified_quotes -T corpus=C -T questions=q.jsonl`.

    The model under evaluation answers; a local one decodes under the mask. `search` is bm25, embeddings or fusion;
    `grader` is a model that judges whether the quotes support the claim. A sample's metadata has under "of" the number
    of its question, the same for repeats.
    """
    from gadfly import corpora, evidence
    from gadfly.runs import as_task

    try:
        asked = evidence.as_one(evidence.cases_of(evidence.read_questions(questions), samples))
        judges = [evidence.unquoted(), evidence.wrong(), *([evidence.unsupported(grader)] if grader else [])]
        documents_of = corpora.library(corpus, search)
    except GadflyError as error:  # this one Inspect prints without a traceback
        raise PrerequisiteError(escape(str(error))) from error
    answerer = get_model()
    system = System(answerer, sampling=evidence.SAMPLING.merge(answerer.config))
    return as_task(evidence.Quoting(documents_of, system, documents), asked, judges, seed=seed)


@metric(scores="unreduced")
def by_rule() -> Metric:
    """The share of scored debates that a broken rule decided, and not the judge, of all epochs; NaN for none. Debates
    that both sides lost by rule are not scored and not among them.
    """

    def compute(scores: list[SampleScore]) -> float:
        return mean_of([float(bool((one.score.metadata or {}).get("by_rule"))) for one in scores])

    return compute


@scorer(metrics=[accuracy(), stderr(cluster="of"), by_rule()])
def verdict(judge: str = "", orders: int = 2) -> Scorer:
    """Whether a judge gives the right answer of a debate, one half for a tie, of a log already written too:
    `inspect score LOG --scorer gadfly/verdict -S judge=MODEL`. Its probabilities stand in a score's metadata.

    `judge` is a model, calibrated:NAME or reward:NAME, by default the model role `judge`, else the model under
    evaluation.
    """

    @functools.cache
    def decider() -> Referee:  # the role's model is known when scoring begins
        return _decider(judge, orders)

    async def score(state: TaskState, target: Target) -> Score:
        found = correctness(await score_of(decider(), state))
        return found.model_copy(update={"explanation": _why(found.metadata or {})})

    return score


def _why(facts: Mapping[str, Any]) -> str:
    """How a verdict was come by, in words."""
    if facts.get("by_rule"):
        lost = (f"{one['seat']} loses by rule: {one['what']}" for one in facts.get("lost", ()))
        return "; ".join(lost)
    p = facts.get("p")
    return "no verdict" if p is None else f"A {p:.0%}, B {1 - p:.0%}"


def _decider(judge: str, orders: int) -> Referee:
    """The judge of that name, or of Inspect's role."""
    from gadfly import debate as d

    if judge:
        return d.judge(judge, orders)
    return d.DebateJudge.of(System(get_model(role="judge", default=get_model())), orders)


@task
def debate(
    set: str = "sample",  # noqa: A002 - what a user types: -T set=s.jsonl
    judge: str = "",
    protocol: str = "debate",
    debaters: str | list[str] = "",
    rounds: int | None = None,
    words: int | None = None,
    orders: int = 2,
    seed: int = 0,
) -> Task:
    """A protocol of debate as an Inspect task: `inspect eval gadfly/debate --model MODEL -T protocol=debate`.

    The model under evaluation argues in every seat, unless `debaters` names others, and judges, unless `judge` or the
    model role of that name (`--model-role judge=MODEL`) says who does. `set` is a .jsonl, by default a dozen questions
    that ship. `rounds`, `words` and `orders` are as in `gadfly debate eval`; Inspect makes a list of names with commas.
    A sample's score is whether the judge gives the right answer (`verdict`).
    """
    from gadfly import debate as d
    from gadfly.runs import as_task

    named = debaters.split(",") if isinstance(debaters, str) else debaters
    try:
        found, rows = d.protocol(protocol).resized(rounds, words), d.read_set(set)
        decider = _decider(judge, orders)
        players = [name for name in named if name.strip()]
        chairs = d.seating(found, players or [_itself()], decider)
    except GadflyError as error:  # this one Inspect prints without a traceback
        raise PrerequisiteError(escape(str(error))) from error
    game = d.Debating(found, chairs, decider)
    return as_task(game, d.cases(rows, found), [verdict(judge, orders)], seed=seed)


def _itself() -> Player:
    """The model under evaluation as a debater."""
    from gadfly import debate as d

    argues = get_model()
    return d.Player.of(System(argues, sampling=d.SAMPLING.merge(argues.config)))


@task
def pressure(
    scenario: str = "insider_trading",
    samples: int = 100,
    seed: int = 0,
    wordings: int = 8,
    grader: str = "",
    **knobs: Any,
) -> Task:
    """A scenario as an Inspect task: `inspect eval gadfly/pressure --model MODEL -T scenario=FILE -T pressure=none`.

    The model under evaluation is the agent, sampled as by `gadfly pressure run` except where `--temperature` and the
    like say otherwise; the same seed gives the rows that it would give. Every knob is a parameter.
    """
    return _pressed(scenario, samples, seed, wordings, grader, knobs)


def _shipped(name: str) -> Callable[..., Task]:
    """The task of a scenario that ships: `inspect eval gadfly/insider_trading --model MODEL -T pressure=none`."""

    @task(name=name)
    def shipped(samples: int = 100, seed: int = 0, wordings: int = 8, grader: str = "", **knobs: Any) -> Task:
        return _pressed(name, samples, seed, wordings, grader, knobs)

    return shipped


def _pressed(
    scenario: str, samples: int, seed: int, wordings: int, grader: str, knobs: Mapping[str, Any]
) -> Task:
    from gadfly import pressure as p
    from gadfly.runs import as_task

    try:
        setting = p.Setting.of(p.scenario(scenario), knobs)
        judges = p.graders(setting.scenario, grader or None)
    except GadflyError as error:  # this one Inspect prints without a traceback
        raise PrerequisiteError(escape(str(error))) from error
    agent = get_model()
    target = System(agent, sampling=p.SAMPLING.merge(agent.config))
    return as_task(p.Pressing(setting, target, seed, wordings), samples, judges, seed=seed)


SCENARIOS = {
    file.stem: _shipped(file.stem)
    for file in sorted((Path(__file__).parent / "pressure/scenarios").glob("*.yaml"))
}
"""A task for each scenario that ships."""
