"""gadfly train debater: make a model better at convincing a judge, by debating itself."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gadfly.cli import _options as o
from gadfly.cli._debate import PROTOCOL, SET, USUAL, Setting, questions_in
from gadfly.words import enumerated

if TYPE_CHECKING:
    from gadfly.debate import Practice
    from gadfly.models import LocalModel
    from gadfly.training import Trained

METHODS = {"dpo": ("iterations", "branches", "rollouts"), "rl": ("steps", "batch", "kl")}
"""The methods with the options that are theirs alone."""


@dataclass(frozen=True)
class Drill:
    """How hard to train."""

    opponent: Annotated[str, typer.Option(help="Whom it debates: self, or frozen (itself at the start).")] = (
        "self"
    )
    iterations: Annotated[
        int, typer.Option(min=1, help="dpo: times it debates as it is by then, and learns from that.")
    ] = 2
    branches: Annotated[
        int, typer.Option(min=1, help="dpo: statements of a seat and question to try others for.")
    ] = 1
    rollouts: Annotated[int, typer.Option(min=1, help="dpo: times each branch is played on.")] = 1
    steps: Annotated[int, typer.Option(min=1, help="rl: steps; more of them go on where fewer ended.")] = 100
    batch: Annotated[int, typer.Option(min=4, help="rl: debates a step, in two groups, one a seat.")] = 32
    kl: Annotated[float, typer.Option(min=0.0, help="rl: weight of the divergence from the start.")] = 0.05
    learning_rate: Annotated[
        float | None, typer.Option(min=0.0, help="Of Adam. Default: what suits the method.")
    ] = None
    held_out: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=0.9,
            help="Share of the questions to measure on: whole documents, from the set's end.",
        ),
    ] = 0.25
    seed: o.SEED = 0

    def check(self, method: str) -> None:
        """`InputError` for an unknown method, for options of another one, and for an odd batch."""
        from gadfly.errors import InputError, UnknownNameError

        if method not in METHODS:
            raise UnknownNameError("training method", method, METHODS)
        for other, options in METHODS.items():
            given = [f"--{name}" for name in options if getattr(self, name) != getattr(HARD, name)]
            if other != method and given:
                raise InputError(f"{enumerated(given)}: only for --method {other}; this is {method}.")
        if self.batch % 2:
            raise InputError(
                f"A step's debates are two groups of one size: --batch is even; got {self.batch}."
            )

    def trained(self, method: str, base: LocalModel, start: Path | None, task: Practice, to: Path) -> Trained:
        """Learn by the method."""
        from gadfly import debate as d
        from gadfly.training import Preferring, Reinforcement

        rate: dict[str, Any] = {} if self.learning_rate is None else {"learning_rate": self.learning_rate}
        if method == "dpo":
            how = d.Branches(
                self.iterations,
                self.branches,
                rollouts=self.rollouts,
                preferring=Preferring(seed=self.seed, **rate),
            )
            return d.learn_from_branches(base, task, to, how, start=start)
        settings = Reinforcement(self.steps, self.batch, self.batch // 2, kl=self.kl, seed=self.seed, **rate)
        return d.learn_by_debating(base, task, to, settings, start=start)


HARD = Drill()


@o.spread
def debater(
    questions: SET,
    model: Annotated[
        str, typer.Option(help="The debater: a local model, or one with an adapter to go on from.")
    ] = "gadfly/smollm2",
    method: Annotated[
        str, typer.Option(help="dpo (from branches of its own debates) or rl (from what debates earn).")
    ] = "dpo",
    protocol: PROTOCOL = "debate",
    judge: Annotated[
        str,
        typer.Option(
            help="Who is to be convinced: a model, calibrated:NAME or reward:NAME. Default: the debater's, as it is."
        ),
    ] = "",
    setting: Setting = USUAL,
    drill: Drill = HARD,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where the adapter goes.  [default: ./gadfly-adapters/…]"),
    ] = None,
) -> None:
    """Train a debater by self-play. The same command again goes on where it stopped; Ctrl-C ends saved.

    What it earns is the judge's probability of its side, or, where it estimates how likely an answer is, by what is
    true. How often it wins against what it was at the start is measured
    on questions held out, with sides swapped.
    """
    from gadfly import debate as d
    from gadfly.models import LocalModel, System
    from gadfly.models import model as load
    from gadfly.training import adapters_home, learner_of

    drill.check(method)
    name, adapter = learner_of(System(load(model)))
    learned, held_out = _parted(questions_in(questions), drill.held_out, adapter)
    decider_name = judge or f"gadfly/{name}"
    decider = d.judge(decider_name, setting.orders)
    task = d.Practice(learned, setting.protocol(protocol), decider, drill.opponent, held_out)  # type: ignore[arg-type]
    where = output or adapters_home() / f"debater-{method}-{questions.name.partition('.')[0]}"
    if not task.measured:
        why = (
            "no question is held out (--held-out takes a share of them)"
            if not held_out
            else "nobody argues against it in this protocol"
        )
        typer.echo(f"How often it wins against its start will not be measured: {why}.", err=True)
    trained = drill.trained(method, LocalModel.load(name), adapter, task, where)
    chairs = ["--debaters", f"gadfly/{name}+{where}", "--judge", decider_name]
    settled = ["--protocols", protocol, *setting.words_given()]
    _say(trained, [*chairs, *settled], held_out)


def _parted(
    rows: Sequence[Mapping[str, Any]], share: float, start: Path | None
) -> tuple[list[Any], list[Any]]:
    """What to learn from, and what to measure on: nothing that the adapter to go on from has learned."""
    from gadfly import debate as d
    from gadfly.judges import question_key

    learned, held_out = d.split(rows, share)
    before = d.learned_before(start)
    fresh = [row for row in held_out if question_key(row["question"]) not in before]
    if known := len(held_out) - len(fresh):
        typer.echo(
            f"{known:,} of {len(held_out):,} questions held out were learned from before, and are left out.",
            err=True,
        )
    return learned, fresh


def _say(trained: Trained, chairs: Sequence[str], held_out: Sequence[Mapping[str, Any]]) -> None:
    if trained.ended:
        typer.echo(f"Training {trained.ended}.")
    for line in _wins(trained.path):
        typer.echo(line)
    fresh = "SET"
    if held_out:
        fresh = str(trained.path / "held-out.jsonl")
        rows = (json.dumps(dict(row), ensure_ascii=False) + "\n" for row in held_out)
        o.put(Path(fresh), "".join(rows))
    typer.echo(
        f"Kept in {trained.path}. To debate with it, about what it has not learned from: "
        f"{shlex.join(['gadfly', 'debate', 'eval', fresh, *chairs])}"
    )


def _wins(path: Path) -> list[str]:
    """A line for each time it was measured."""
    from gadfly.report._words import rate
    from gadfly.stats import Estimate
    from gadfly.training import Folder

    unit = "iteration" if (path / "iteration-1").exists() else "step"
    return [
        f"After {unit} {row['step']}, against itself at the start, it wins {rate(Estimate(**row['wins']))}; where no "
        f"rule decided, {rate(Estimate(**row['argued']))}."
        for row in {one["step"]: one for one in Folder(path).read("wins")}.values()
        if row["wins"]["point"] is not None
    ]
