"""gadfly train: make an attacker better at its game."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gadfly.cli import _options as o

if TYPE_CHECKING:
    from gadfly.redteam import Campaign, Student
    from gadfly.runs import Run
    from gadfly.training import Trained

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Train attackers, debaters and reward models."
)

METHODS = ("sft", "dpo", "rl")


@dataclass(frozen=True)
class Task:
    """What the attacker is to become good at."""

    target: Annotated[str, typer.Option(help="rl: whom to attack. Default: the attacker's own model.")] = ""
    focus: Annotated[
        list[str] | None, typer.Option(help="rl: what to look for (default: general); may be repeated.")
    ] = None
    judge: Annotated[str, typer.Option(help="rl: who scores. Default: the focus's own judge.")] = ""
    instructed: Annotated[
        bool,
        typer.Option("--instructed", help="Tell the attacker the focus, so that it can be told another."),
    ] = False

    def campaigns(self, attacker: str, sampling: o.Sampling) -> list[Campaign]:
        """One for each focus."""
        from gadfly import redteam as rt

        target = sampling.system(self.target or attacker.partition("+")[0])
        looked_for = [rt.focus(name) for name in self.focus or ["general"]]
        return [rt.Campaign(one, target, rt.judges_for(one, self.judge)) for one in looked_for]


@dataclass(frozen=True)
class Strength:
    """How hard to train."""

    steps: Annotated[int, typer.Option(min=1, help="rl: steps; more of them go on where fewer ended.")] = 200
    epochs: Annotated[int, typer.Option(min=1, help="sft, dpo: passes over the questions.")] = 3
    batch: Annotated[int, typer.Option(min=1, help="rl: cases a step.")] = 32
    learning_rate: Annotated[
        float | None, typer.Option(min=0.0, help="Of Adam. Default: what suits the method.")
    ] = None
    kl: Annotated[float, typer.Option(min=0.0, help="rl: weight of the divergence from the start.")] = 0.4
    novelty: Annotated[
        float, typer.Option(min=0.0, help="rl: reward for being unlike the step's other cases.")
    ] = 0.0
    seed: o.SEED = 0

    def supervised(self, learner: Student, runs: list[Run], output: Path) -> Trained:
        """Learn from what failed."""
        from gadfly.redteam import learn_from_failures
        from gadfly.training import Supervision

        settings = Supervision(epochs=self.epochs, seed=self.seed, **self._rate())
        return learn_from_failures(learner, runs, output, settings)

    def preferred(self, learner: Student, runs: list[Run], output: Path) -> Trained:
        """Learn from pairs of questions."""
        from gadfly.redteam import learn_from_pairs
        from gadfly.training import Preferring

        settings = Preferring(epochs=self.epochs, seed=self.seed, **self._rate())
        return learn_from_pairs(learner, runs, output, settings)

    def reinforced(self, learner: Student, campaigns: list[Campaign], output: Path) -> Trained:
        """Learn by attacking."""
        from gadfly.redteam import learn_by_attacking
        from gadfly.training import Reinforcement

        settings = Reinforcement(
            steps=self.steps,
            batch=self.batch,
            group=self.batch,
            kl=self.kl,
            seed=self.seed,
            **self._rate(),
        )
        return learn_by_attacking(learner, campaigns, output, settings, self.novelty)

    def _rate(self) -> dict[str, Any]:
        return {} if self.learning_rate is None else {"learning_rate": self.learning_rate}


ANY, USUAL, ANSWERS = Task(), Strength(), o.Sampling(max_tokens=64)


@app.command("attacker")
@o.spread
def attacker(
    method: Annotated[
        str, typer.Option(help="sft (from what failed), dpo (from pairs of questions) or rl (by attacking).")
    ] = "sft",
    runs: Annotated[
        list[str] | None,
        typer.Option("--from", help="Runs to learn from; for rl a warm start. May be repeated."),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            help="The attacker: a local model, gadfly/smollm2, or one with an adapter to go on from."
        ),
    ] = "",
    task: Task = ANY,
    strength: Strength = USUAL,
    sampling: o.Sampling = ANSWERS,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where the adapter goes.  [default: ./gadfly-adapters/…]"),
    ] = None,
) -> None:
    """Train an attacker. The same command again goes on where it stopped; Ctrl-C ends after a step, saved."""
    from gadfly.errors import InputError, UnknownNameError
    from gadfly.models import System
    from gadfly.models import model as load
    from gadfly.redteam import student
    from gadfly.runs import open_run

    if method not in METHODS:
        raise UnknownNameError("training method", method, METHODS)
    earlier = [open_run(name) for name in runs or ()]
    if method != "rl" and not earlier:
        raise InputError(f"{method} learns from runs: name one with --from RUN (gadfly runs lists them).")
    name = model or (earlier[0].info["players"]["attacker"]["model"] if earlier else "gadfly/smollm2")
    campaigns = task.campaigns(name, sampling) if method == "rl" else []
    learner = student(System(load(name)), task.instructed)
    where = output or _place(method, earlier, campaigns)
    if method == "sft":
        trained = strength.supervised(learner, earlier, where)
    elif method == "dpo":
        trained = strength.preferred(learner, earlier, where)
    else:
        if earlier:
            warm = where.with_name(f"{where.name}-start")
            learner = replace(learner, start=strength.supervised(learner, earlier, warm).path)
        trained = strength.reinforced(learner, campaigns, where)
    _say(trained, name)


def _place(method: str, runs: list[Run], campaigns: list[Campaign]) -> Path:
    """A directory named after what is learned from."""
    from gadfly.training import adapters_home

    if method != "rl":
        return adapters_home() / f"{method}-{runs[0].id.removeprefix('redteam-')}"
    focuses = "-".join(campaign.focus.name for campaign in campaigns)
    target = campaigns[0].target.name.rpartition("/")[2].lower()
    return adapters_home() / f"rl-{focuses}-{target}"


def _say(trained: Trained, model: str) -> None:
    base = model.partition("+")[0]
    if trained.ended:
        typer.echo(f"Training {trained.ended}.")
    typer.echo(
        f"Kept in {trained.path}. To attack with it: gadfly redteam MODEL --attacker {base}+{trained.path}"
    )
