"""gadfly debate: two models argue, a judge who knows less decides, and it is measured whether that helps."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gadfly.cli import _options as o
from gadfly.cli._reward import Members

if TYPE_CHECKING:
    from rich.text import Text

    from gadfly.corpora import Library
    from gadfly.debate import Briefing, Debating, Loss, Position, Protocol, Referee, Statement
    from gadfly.runs import Run

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Do arguments lead a judge who knows less to the right answer?",
)

SET = Annotated[
    Path,
    typer.Argument(
        help='A .jsonl, as gadfly debate make writes it: {"question": "…", "answers": ["…", "…"], "correct": 0, '
        '"document": "…"} a line; or sample, a dozen questions that ship.'
    ),
]
PROTOCOL = Annotated[str, typer.Option(help="A name (gadfly debate protocols) or your own .yaml.")]
DEBATERS = Annotated[
    str,
    typer.Option(
        help="Who argues: MODEL, best_of:N:MODEL or refining:MODEL; two with a comma: the second argues for the second "
        "answer, the first sits in every other seat, a critic's too."
    ),
]
JUDGE = Annotated[
    str,
    typer.Option(
        help="Who decides: a model, or what debate calibrate or debate learn made: calibrated:NAME, reward:NAME."
    ),
]
AT_EASE = o.Playing()
MADE_OF = Members(reads="dialogue")


@dataclass(frozen=True)
class Setting:
    """How long a debate is, and how a model judge is asked."""

    rounds: Annotated[int | None, typer.Option(min=1, help="Rounds. Default: the protocol's own.")] = None
    words: Annotated[
        int | None,
        typer.Option(
            min=5, help="Words of a statement, and of a question or quotation. Default: the protocol's."
        ),
    ] = None
    orders: Annotated[
        int, typer.Option(min=1, max=2, help="2: the judge is asked with the answers listed both ways round.")
    ] = 2

    def protocol(self, name: str) -> Protocol:
        """The protocol, changed as asked."""
        from gadfly import debate as d

        return d.protocol(name).resized(self.rounds, self.words)

    def words_given(self) -> list[str]:
        """What of it was given, as words of a command."""
        given = (("--rounds", self.rounds, None), ("--words", self.words, None), ("--orders", self.orders, 2))
        return [word for option, value, usual in given if value != usual for word in (option, str(value))]


@dataclass(frozen=True)
class Finding:
    """Where questions without a document find one."""

    corpus: Annotated[
        str,
        typer.Option(
            help="Where a question has no document: the passage found first in this; make takes web:tavily too."
        ),
    ] = ""
    search: o.SEARCH = "bm25"

    def at_hand(self) -> Library | None:
        """Where to look before anything is played. Raises `InputError` for a search engine, which would say something
        else tomorrow, so that the same command would not go on.
        """
        from gadfly.errors import InputError

        if self.corpus.startswith("web:"):
            raise InputError(
                "What the web says changes: find the documents once, with gadfly debate make --corpus "
                f"{self.corpus}, and play the set that it writes."
            )
        return self.library()

    def library(self) -> Library | None:
        """Where to look; None for nowhere."""
        return o.library(self.corpus, self.search)


FOUND = Finding()
USUAL = Setting()


@app.command("play")
@o.spread
def play(
    question: Annotated[str, typer.Argument(help="What is argued about.")],
    answers: Annotated[
        list[str],
        typer.Option(help="The two answers, A,B; or given twice, an answer each, for one with a comma."),
    ],
    debaters: DEBATERS,
    judge: JUDGE,
    protocol: PROTOCOL = "debate",
    document: Annotated[
        Path | None, typer.Option(help="A text that the debaters see and the judge does not.")
    ] = None,
    corpus: Annotated[
        str,
        typer.Option(help="Or a corpus, or web:tavily: they see the passage found first for the question."),
    ] = "",
    search: o.SEARCH = "bm25",
    assigned: Annotated[
        int | None,
        typer.Option(min=1, max=2, help="Which answer a lone consultant argues for. Default: the first."),
    ] = None,
    setting: Setting = USUAL,
    seed: o.SEED = 0,
) -> None:
    """Watch one debate as it goes, and what the judge makes of it."""
    from rich.console import Console

    from gadfly import debate as d
    from gadfly.errors import InputError
    from gadfly.runs import Cases

    found = setting.protocol(protocol)
    if not question.strip():
        raise InputError("There is no question: give one in quotation marks.")
    if not found.seats and (setting.rounds or setting.words):
        raise InputError(f"Nobody speaks in protocol {found.name}: leave out --rounds and --words.")
    if document is not None and corpus:
        raise InputError("Name the document or where to look for one, not both: --document or --corpus.")
    if assigned and not found.assigns:
        raise InputError(f"Nobody is told a side by protocol {found.name}: leave out --assigned.")
    row = _row(question, answers, document)
    row |= d.document_for(row, o.library(corpus, search))
    case = {**row, "swapped": False, **({"assigned": (assigned or 1) - 1} if found.assigns else {})}
    console, decider = Console(), d.judge(judge, setting.orders)

    def watch(position: Position, what: Statement | Loss) -> None:
        for part in _shown(position, what):
            console.print(part, highlight=False, soft_wrap=True)

    chairs = d.seating(found, o.listed(debaters, "--debaters"), decider)
    game = d.Debating(found, chairs, decider, watch)
    [only] = Cases.of(game, [case], seed)
    with console.status("The next words are being thought of …") as status:
        transcript = asyncio.run(game.play(only))
        status.update("The judge decides …")
        [judged] = asyncio.run(decider.judge([transcript]))
    for part in _decided(d.Position.of(transcript), transcript.cause, judged.metadata, judged.cause):
        console.print(part, highlight=False, soft_wrap=True)


@app.command("eval")
@o.spread
def evaluate(
    questions: SET,
    debaters: DEBATERS,
    judge: JUDGE,
    protocols: Annotated[
        str, typer.Option(help="With commas: names (gadfly debate protocols) or your own .yaml files.")
    ] = "naive,consultancy,debate,expert",
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Only the first so many questions; another number is another run."),
    ] = None,
    setting: Setting = USUAL,
    finding: Finding = FOUND,
    playing: o.Playing = AT_EASE,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Also write the report here.")] = None,
) -> None:
    """Play every question by every protocol, both ways round, and say which of them helps the judge."""
    from rich.console import Console

    from gadfly import debate as d
    from gadfly import runs
    from gadfly.errors import InputError
    from gadfly.report import from_runs, print_summary, write

    names = dict.fromkeys(o.listed(protocols, "--protocols"))
    if not names:
        raise InputError("--protocols is empty: name one (gadfly debate protocols lists them).")
    if output:
        o.check_output(output, questions, *names)
    rows = questions_in(questions, limit, finding.at_hand())
    decider = d.judge(judge, setting.orders)
    games = _games([setting.protocol(name) for name in names], debaters, decider)
    made: list[Run] = []
    for game in games:
        cases = d.cases(rows, game.protocol)
        made.append(
            asyncio.run(runs.run(game, cases, [decider], seed=playing.seed, settings=playing.settings()))
        )
        if made[-1].cut:
            break
    report = from_runs(made, [game.protocol.name for game in games[len(made) :]])
    if output:
        write(report, output)
    print_summary(report, Console())
    if output:
        typer.echo(f"The whole report: {output}")
    o.interrupted(made)


@app.command("make")
@o.spread
def make(
    questions: Annotated[
        Path,
        typer.Argument(
            help='A .jsonl: {"question": "…", "answers": ["right", "also right", …], "document": "…"} a line; with '
            '"correct", the number of the right one, the others are wrong; "wrong" holds wrong ones.'
        ),
    ],
    model: Annotated[str, typer.Option(help="Who invents the wrong answers.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the set goes.")] = Path("set.jsonl"),
    finding: Finding = FOUND,
    sampling: o.Sampling = o.Sampling(temperature=0.8, top_p=0.95, max_tokens=48),  # noqa: B008
    playing: o.Playing = AT_EASE,
) -> None:
    """Make a set from questions with known answers: a model writes a wrong answer to each that has none. The same
    command goes on.
    """
    from gadfly import debate as d
    from gadfly import runs
    from gadfly.errors import InputError

    o.check_output(output, questions)
    rows = d.read_answered(str(questions))
    game = d.Inventing(sampling.system(model), library=finding.library())
    made = asyncio.run(runs.run(game, rows, seed=playing.seed, settings=playing.settings()))
    found = d.made_set(made)
    outcomes = Counter(one.outcome for one in made.transcripts())
    known = sum("wrong" in row for row in rows)
    left = [
        f"{known:,} had a wrong answer already" if known else "",
        f'{outcomes["invalid"]:,} left out, for want of a usable wrong answer (give one under "wrong", or take another '
        "--model)"
        if outcomes["invalid"]
        else "",
        f"{outcomes['failed']:,} failed (--retry-failed asks again)" if outcomes["failed"] else "",
    ]
    told = "".join(f"; {one}" for one in left if one)
    if not found and not made.cut:
        raise InputError(f"No question of {len(rows):,} got a wrong answer{told}. {output} is as it was.")
    if made.cut and output.exists():
        typer.echo(f"{output} is as it was; the same command goes on.")
    elif found:
        o.put(output, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found))
        typer.echo(f"{len(found):,} of {len(rows):,} questions in {output}{told}.")
        chairs = ("--debaters", model, "--judge", model)
        typer.echo(f"Next: {shlex.join(['gadfly', 'debate', 'eval', str(output), *chairs])}")
    o.interrupted([made])


@app.command("learn")
@o.spread
def learn(
    runs: Annotated[
        list[str], typer.Argument(help="Runs of debates, by id: of gadfly debate serve or eval.")
    ],
    name: Annotated[str, typer.Option(help="What the judge is called; then --judge reward:NAME.")],
    verdicts: Annotated[str, typer.Option(help="Whose verdicts. Default: those that decided each run.")] = "",
    made_of: Members = MADE_OF,
) -> None:
    """Train a reward model on verdicts, a person's above all; it sees the whole interaction and decides debates."""
    from gadfly import debate as d
    from gadfly.cli._reward import keep
    from gadfly.debate._people import decided_by, judge_called
    from gadfly.errors import InputError
    from gadfly.judges import Source
    from gadfly.runs import open_run
    from gadfly.training import to_rows, train_reward
    from gadfly.words import enumerated

    opened = [open_run(run).as_judged_by(verdicts) for run in runs]
    rows = [row for run in opened for row in d.verdict_rows(run)]
    if not rows:
        raise InputError(
            "No verdict in these runs can be learned from: name runs of debates that somebody judged."
        )
    whose = dict.fromkeys(decided_by(run) or judge_called(run) for run in opened)
    typer.echo(
        f"Learning from {len(rows):,} verdicts of {enumerated(list(whose))}. What it is off by is measured against "
        "these, not against the right answers."
    )
    source = Source("", tuple(run.id for run in opened))
    keep(train_reward(name, to_rows(rows, source), made_of.settings()))
    typer.echo(
        f"To have it decide, about other questions: gadfly debate eval SET --judge reward:{name} --debaters MODEL"
    )


@app.command("calibrate")
def calibrate(
    run: Annotated[str, typer.Argument(help="A run of debates that a model judged, by id.")],
    name: Annotated[str, typer.Option(help="What the judge is called; then --judge calibrated:NAME.")],
    judge: Annotated[str, typer.Option(help="Whose verdicts. Default: those that decided the run.")] = "",
) -> None:
    """Make a model judge's probabilities come true: it decides as before and is as sure as it is often right."""
    from gadfly import debate as d
    from gadfly.runs import open_run

    scale = d.scale_of(open_run(run).as_judged_by(judge))
    if int(d.keep_scale(name, scale).name) > 1:
        typer.echo(f"{name} was calibrated before; this takes its place from now on.")
    low, high = scale.interval
    becomes = [
        f"{p:.0%} becomes {min(scale.of(p), 0.99):.0%}{' or more' * (scale.of(p) > 0.99)}" for p in (0.6, 0.9)
    ]
    typer.echo(
        f"By {scale.verdicts:,} verdicts on {scale.questions:,} questions its log-odds are multiplied by "
        f"{scale.slope:.2f} [{low:.2f}, {high:.2f}]: {', '.join(becomes)}."
    )
    if scale.loose:
        typer.echo(
            "That is hardly known: calibrate on more questions, or on verdicts that are further from one half."
        )
    typer.echo(
        f"To have it decide, about other questions: gadfly debate eval SET --judge calibrated:{name} --debaters MODEL"
    )


@app.command("protocols")
def protocols(
    show: Annotated[str, typer.Option(help="Print one as YAML, to begin your own with.")] = "",
) -> None:
    """List the protocols that ship."""
    from rich.console import Console
    from rich.table import Table

    from gadfly import debate as d

    if show:
        typer.echo(d.protocol_text(show), nl=False)
        return
    table = Table("Protocol", "What happens", box=None)
    for name in d.known_protocols():
        table.add_row(name, d.protocol(name).about)
    Console().print(table)


@app.command("check")
def check(
    protocol: Annotated[str, typer.Argument(help="Your .yaml, or a name (gadfly debate protocols).")],
    show: Annotated[bool, typer.Option("--show", help="What everybody is told, move by move.")] = False,
) -> None:
    """What is wrong with a protocol, and on which line; what it takes. No model is asked."""
    from gadfly import debate as d
    from gadfly.words import plural

    found = d.protocol(protocol)
    told = asyncio.run(d.briefings(found))
    if show:
        _show(told)
    said = [step for step in found.steps for seat in step.who if seat in found.seats]
    words = sum(step.words for step in said if step.does not in ("choose", "poll"))
    typer.echo(
        f"{found.name} can be played. A debate takes {plural(len(told), 'move')}, the verdict among them"
        + f", and up to {words:,} words from its players" * bool(words)
        + "."
    )


def _show(told: Sequence[Briefing]) -> None:
    """Each message once: what a seat was told before is not repeated."""
    from gadfly.pages import visible

    shown = set[tuple[str, str]]()
    for one in told:
        typer.secho(f"\n{one.who}: {one.does}", bold=True)
        for role, text in one.messages:
            if (one.who, text) in shown:
                typer.echo(f"  {role}: as before")
                continue
            shown.add((one.who, text))
            typer.echo(f"  {role}:\n{indent(visible(text), '    ')}")
    typer.echo()


# --- what is played


def questions_in(
    path: Path, limit: int | None = None, library: Library | None = None
) -> list[dict[str, Any]]:
    """The first questions of a set, with the documents that are found for those that have none. Says how many have no
    known answer.
    """
    from gadfly import debate as d

    return d.read_set(path, lambda sentence: typer.echo(sentence, err=True), limit, library)


def _games(protocols: Sequence[Protocol], debaters: str, decider: Referee) -> list[Debating]:
    """A game for each protocol, checked before any is played. Says where the second debater has no seat."""
    from gadfly import debate as d

    players = o.listed(debaters, "--debaters")
    together = any(one.seats_two for one in protocols)
    lone = [one.name for one in protocols if one.seats and not one.seats_two]
    if together and lone and len(players) == 2:
        typer.echo(
            f"{players[1]} has no seat in {', '.join(lone)}: there {players[0]} argues alone.", err=True
        )
    games = []
    for one in protocols:
        taken = players[:1] if together and not one.seats_two and len(players) == 2 else players
        games.append(d.Debating(one, d.seating(one, taken, decider), decider))
    return games


def _row(question: str, answers: list[str], document: Path | None) -> dict[str, Any]:
    from gadfly.debate._sets import alike
    from gadfly.documents import text_in
    from gadfly.errors import InputError

    two = o.listed(answers[0], "--answers") if len(answers) == 1 else [one.strip() for one in answers]
    if len(two) != 2 or not all(two) or alike(*two):
        raise InputError(
            "--answers takes two different answers with a comma between them, A,B; where one has a comma itself, give "
            f'it twice: --answers "Paris, France" --answers "Rome, Italy". Got {", ".join(map(repr, two))}.'
        )
    row: dict[str, Any] = {"question": question, "answers": two}
    if document is not None:
        row |= {"document": text_in(document), "title": document.stem}
    return row


# --- what is seen


def _shown(position: Position, what: Statement | Loss) -> Iterator[Text]:
    """One thing said, under who said it."""
    from rich.text import Text

    from gadfly.debate import Loss
    from gadfly.debate._prompts import called, label
    from gadfly.pages import line, visible

    if isinstance(what, Loss):
        yield Text(f"\n{called(position, what.seat)} loses by rule: {line(what.what, 300)}.", style="red")
        return
    if what.does in ("lean", "poll"):
        who = "The judge leans" if what.does == "lean" else "Told in private how the judge leans"
        lean = "it cannot say" if what.lean is None else f"A {what.lean:.0%}, B {1 - what.lean:.0%}"
        yield Text(f"\n{who}: {lean}", style="cyan")
        return
    yield Text(f"\n{label(position, what)}", style="bold")
    yield Text(indent(visible(what.text), "| ", lambda _: True))


def _decided(position: Position, failed: str, facts: Mapping[str, Any], cause: str) -> Iterator[Text]:
    """The verdict, and how it was come by."""
    from rich.text import Text

    from gadfly.debate._payoff import LEARNED_FROM
    from gadfly.pages import line
    from gadfly.report._words import cause_words

    one, two = (line(answer) for answer in position.dispute.answers)
    p = facts.get("p")
    if cause == LEARNED_FROM:
        yield Text(
            "\nThe judge learned from this question: what it decides here says nothing of others.",
            style="yellow",
        )
    if failed or p is None:
        yield Text(f"\nNo verdict: {cause_words(failed or cause)}.", style="yellow")
        return
    how = " by rule" if facts.get("by_rule") else " for neither" if p == 0.5 else ""
    if not facts.get("probabilities", True):
        named = "neither" if p == 0.5 else f"A. {one}" if p > 0.5 else f"B. {two}"
        yield Text(f"\nThe judge decides for {named}; it gave no probabilities.", style="bold green")
        return
    yield Text(f"\nThe judge decides{how}: A. {one} {p:.0%}, B. {two} {1 - p:.0%}", style="bold green")
    if "bias" in facts:
        first, second = facts["orders"]
        yield Text(
            f"A was given {first:.0%} when listed first and {second:.0%} when listed second.", style="dim"
        )
