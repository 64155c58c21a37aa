"""A tournament: who argues best before this judge, and whether the judge is right more often when better ones argue.

Players meet by Swiss pairing, like and like as far as scores tell them apart. A match is both debates on each of its
questions, in which the two players exchange seats, so that each argues for either answer and each is listed first
once; what it scores is the judge's probability. Every match is one run of the wide runner, and the pairing of a round
follows from the rounds before it and is kept: a tournament that was killed goes on with the same call, more rounds
extend it, no debate is played twice, and none is lost where failed ones are played again.

Ratings by Swiss tournament are Khan et al.'s (2024, arXiv 2402.06782, section 3.4 and figure 1).
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from gadfly.debate._chairs import Chair, Referee
from gadfly.debate._debating import Debating
from gadfly.debate._effort import share_mean
from gadfly.debate._payoff import LEARNED_FROM, first_believed, losers, whole
from gadfly.debate._players import seating
from gadfly.debate._protocol import Protocol
from gadfly.debate._sets import question_numbers
from gadfly.errors import GadflyError, InputError, StoreError
from gadfly.models import System
from gadfly.runs import Run, Settings, paired_seed, run
from gadfly.stats import Estimate, Match, Ratings, Round, Slope, preferred, rate, ratings, slope, swiss
from gadfly.transcripts import Case, Judgement, Transcript
from gadfly.words import plural

__all__ = ["Fought", "Standing", "Standings", "Tournament"]


@dataclass(frozen=True, slots=True)
class Fought:
    """One debate of a match: who sat first, and its `score` in [0, 1], the probability of the answer it argued for.

    1 or 0 where a player lost by rule, ½ where both did, None where nobody could tell, and then `cause` says why.
    `right` says whether the verdict is the right answer, ½ for a tie, None where that is not known. `lost` names those
    who lost by rule.
    """

    round: int
    question: int
    first: str
    second: str
    score: float | None
    right: float | None = None
    cause: str = ""
    lost: tuple[str, ...] = ()

    def score_of(self, name: str) -> float | None:
        """The score of either player."""
        return self.score if self.score is None or self.first == name else 1 - self.score


@dataclass(frozen=True, slots=True)
class Standing:
    """How a player did. `score` is its mean score, over questions, and `by_rule` how often it lost by rule;
    `rating` is in points of Elo whose mean over players is 0, None where there is none, and `persuasion` the same of
    the debates that no rule decided.
    """

    name: str
    rating: Estimate | None
    persuasion: Estimate | None
    score: Estimate
    by_rule: Estimate
    byes: int


@dataclass(frozen=True)
class Standings:
    """What a tournament came to. `players`, the best first; `ratings` with their differences and what the first seat is
    worth; `slope`: how the judge's accuracy rises with the mean persuasion of the two who debate, where no rule
    decided, for a rule is broken on either side alike and who breaks none seems to help the truth; `slope_with_rules`:
    how the verdict's rises with their rating, whoever gave it. `clear` are the pairs, the better one first, of whom one
    is better at 95 % for all pairs looked at together (Bonferroni). `problem` says why there are no ratings. `runs` are
    the ids of the matches' runs. `cut`: Ctrl-C ended it before its last round. `both_lost` counts the debates that both
    sides lost by rule, which are ties.
    """

    players: tuple[Standing, ...]
    ratings: Ratings
    slope: Slope
    slope_with_rules: Slope
    rounds: tuple[Round, ...]
    runs: tuple[str, ...] = ()
    problem: str = ""
    cut: bool = False
    both_lost: int = 0
    clear: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values; what is infinite is null."""
        differences = [
            {"player": one, "minus": other, **_plain(found)}
            for (one, other), found in self.ratings.differences.items()
        ]
        return {
            "players": [_plain(one) for one in self.players],
            "differences": differences,
            "clear": [list(pair) for pair in self.clear],
            "side": self.ratings.side and _plain(self.ratings.side),
            "slope": _plain(self.slope),
            "slope_with_rules": _plain(self.slope_with_rules),
            "rounds": [_plain(one) for one in self.rounds],
            "runs": list(self.runs),
            "problem": self.problem,
            "cut": self.cut,
            "both_lost": self.both_lost,
        }


@dataclass(frozen=True)
class Tournament:
    """Who meets whom about what. `players` by name; `rows` are a set's (`read_set`), of which every round takes
    `questions` others, in an order drawn by `seed`, and begins anew where they are used up.

    Raises `InputError` where it cannot be played: fewer than two players, no rounds, fewer rows than questions, or a
    protocol in which anybody sits but the two who argue, the first for the answer listed first.
    """

    players: Mapping[str, Chair]
    judge: Referee
    protocol: Protocol
    rows: Sequence[Mapping[str, Any]]
    rounds: int = 5
    questions: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.players) < 2:
            raise InputError(f"A tournament takes two players or more; got {len(self.players)}.")
        if self.rounds < 1 or self.questions < 1:
            raise InputError("A tournament takes at least one round of one question.")
        if sorted(seat.side for seat in self.protocol.own.values()) != ["first", "second"]:
            raise InputError(
                f"A tournament is of two who argue for one answer each, and {self.protocol.name} seats others; "
                "use debate."
            )
        if len(self.rows) < self.questions:
            raise InputError(f"The set has {len(self.rows):,} questions; ask for no more with --questions.")

    async def play(
        self,
        settings: Settings | None = None,
        told: Callable[[int, Round], None] = lambda number, pairs: None,
    ) -> Standings:
        """Play every round, or what is left of them. `told` hears each round's number, from 1, before it begins.

        Raises what `gadfly.runs.run` raises, and `StoreError` where the rounds drawn cannot be kept. Cut by Ctrl-C, the
        standings are those of the finished matches.
        """
        settings = settings or Settings()
        drawn = _Drawn(settings.directory / f"tournament-{self._key()}.json")
        noise = 0.5 / math.sqrt(self.questions)  # of a mean over questions, at most
        rounds, bouts, runs, scored = list[Round](), list[Fought](), list[Run](), list[Match]()
        for number in range(self.rounds):
            pairs = drawn.round(number, lambda: swiss(self.players, scored, self.seed, noise=noise))
            told(number + 1, pairs)
            rounds.append(pairs)
            cases = self._cases(number)
            for pair in pairs.pairs:
                made = await self._match(number, pair, cases, settings)
                if made.cut:
                    return self._standings(rounds, bouts, runs, cut=True)
                fought = list(self._bouts(number, pair, made))
                scored.append(_match(pair, fought))
                runs.append(made)
                bouts += fought
        return self._standings(rounds, bouts, runs)

    def _key(self) -> str:
        """What tells tournaments apart, but for how many rounds they have."""
        content = {
            "players": {name: chair.spec() for name, chair in self.players.items()},
            "judge": [self.judge.name, self.judge.spec()],
            "protocol": self.protocol.spec(),
            "rows": [dict(row) for row in self.rows],
            "plan": [self.questions, self.seed],
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]

    async def _match(
        self, number: int, pair: tuple[str, str], cases: Sequence[dict[str, Any]], settings: Settings
    ) -> Run:
        chairs = [self.players[name] for name in pair]
        game = _Exchanging(
            *(
                Debating(self.protocol, seating(self.protocol, two), self.judge)
                for two in (chairs, chairs[::-1])
            )
        )
        return await run(game, cases, [self.judge], seed=paired_seed(self.seed, number), settings=settings)

    def _cases(self, number: int) -> list[dict[str, Any]]:
        """Both debates on each of the round's questions; every other question is listed the other way round."""
        order = list(range(len(self.rows)))
        random.Random(self.seed).shuffle(order)
        begin = number * self.questions
        asked = [order[(begin + n) % len(order)] for n in range(self.questions)]
        numbers = question_numbers(self.rows)
        return [
            {**self.rows[at], "of": numbers[at], "swapped": bool(n % 2), "exchanged": exchanged}
            for n, at in enumerate(asked)
            for exchanged in (False, True)
        ]

    def _bouts(self, number: int, pair: tuple[str, str], made: Run) -> Iterator[Fought]:
        for transcript, given in made.judged():
            judgement = next(one for one in given if one.judge == self.judge.name)
            yield _bout(number, pair, transcript, judgement)

    def _standings(
        self, rounds: Sequence[Round], bouts: Sequence[Fought], runs: Sequence[Run], *, cut: bool = False
    ) -> Standings:
        rated, problem = _rated(bouts)
        points = {one.name: one.rating for one in rated.players}
        scored = _scored(bouts)
        argued = _argued(scored)
        persuasion = _persuasion(argued)
        byes = Counter(one.bye for one in rounds)
        players = [
            _standing(name, points.get(name), persuasion.get(name), bouts, byes[name])
            for name in self.players
        ]
        players.sort(key=lambda one: (-_point(one.rating), -_point(one.score), one.name))
        return Standings(
            players=tuple(players),
            ratings=rated,
            slope=_slope(argued, persuasion),
            slope_with_rules=_slope(scored, points),
            rounds=tuple(rounds),
            runs=tuple(one.id for one in runs),
            problem=problem,
            cut=cut,
            both_lost=sum(len(one.lost) == 2 for one in bouts),
            clear=_clear(scored, rated),
        )


def _rated(bouts: Sequence[Fought]) -> tuple[Ratings, str]:
    """The players' ratings, and why there are none where there are none."""
    none, known = Ratings((), None, {}), _scored(bouts)
    if not known:
        return none, "No question has a verdict on both its debates; --retry-failed plays again what failed."
    if all(len(one.lost) == 2 for one in known):
        return none, "Both sides lost by rule in every debate, which tells nobody apart."
    try:
        return ratings(_matches(known)), ""
    except InputError:
        return none, _problem(bouts, len(bouts) - len(known))
    except GadflyError as error:
        return none, str(error)


def _clear(scored: Sequence[Fought], rated: Ratings) -> tuple[tuple[str, str], ...]:
    """The pairs whose difference is clear for all of them together."""
    if not rated.differences:
        return ()
    strict = ratings(_matches(scored), level=1 - 0.05 / len(rated.differences))
    return tuple(pair for pair, one in strict.differences.items() if one.low > 0)


@dataclass(frozen=True)
class _Drawn:
    """The rounds as they were drawn, in a file. What failed and is played again changes scores, not who has met."""

    path: Path

    def round(self, number: int, draw: Callable[[], Round]) -> Round:
        """The one of that number, from 0, drawn where it is new."""
        rounds = self._read()
        if number < len(rounds):
            return rounds[number]
        rounds.append(draw())
        draft = self.path.with_suffix(".tmp")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps([asdict(one) for one in rounds], indent=1), "utf-8")
            draft.replace(self.path)
        except OSError as error:
            raise StoreError(f"Who meets whom cannot be kept in {self.path}: {error.strerror}.") from error
        return rounds[-1]

    def _read(self) -> list[Round]:
        if not self.path.exists():
            return []
        try:
            found = json.loads(self.path.read_text("utf-8"))
            return [Round(tuple((one, other) for one, other in row["pairs"]), row["bye"]) for row in found]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"Who met whom cannot be read from {self.path} ({error}); without that file the rounds are drawn anew."
            ) from error


@dataclass(frozen=True)
class _Exchanging:
    """A match as one game: where a case says `exchanged`, the two players have exchanged seats."""

    one: Debating
    other: Debating = field(compare=False)

    @property
    def name(self) -> str:
        return self.one.name

    @property
    def players(self) -> Mapping[str, System]:
        return self.one.players

    def spec(self) -> dict[str, Any]:
        return {**self.one.spec(), "seats": "exchanged where the case says so"}

    async def play(self, case: Case) -> Transcript:
        return await (self.other if case.data["exchanged"] else self.one).play(case)


def _bout(number: int, pair: tuple[str, str], transcript: Transcript, judgement: Judgement) -> Fought:
    """What a debate came to for whoever argued for the answer listed first."""
    data = transcript.case.data
    first, second = reversed(pair) if data["exchanged"] else pair
    lost = [side for side in (0, 1) if side in losers(transcript)]
    believed = None if judgement.cause == LEARNED_FROM else first_believed(transcript, judgement)
    p = 0.5 if len(lost) == 2 and judgement.cause != LEARNED_FROM else believed
    return Fought(
        number + 1,
        int(data["of"]),
        first,
        second,
        p,
        None if judgement.score is None else preferred(1 - judgement.score),
        judgement.cause if p is None else "",
        tuple((first, second)[side] for side in lost),
    )


def _match(pair: tuple[str, str], bouts: Sequence[Fought]) -> Match:
    """A match's mean score, of the one whom the pairing names first; None where no debate of it counts."""
    known = [score for one in _scored(bouts) if (score := one.score_of(pair[0])) is not None]
    return Match(*pair, sum(known) / len(known) if known else None)


def _matches(bouts: Sequence[Fought]) -> list[Match]:
    return [Match(one.first, one.second, one.score, one.question) for one in bouts]


def _problem(bouts: Sequence[Fought], unknown: int) -> str:
    """Why players cannot be rated and what helps: more rounds, or verdicts for the debates that have none, without
    which `unknown` do not count.
    """
    matches = _matches(bouts)
    try:
        ratings([replace(one, score=0.5 if one.score is None else one.score) for one in matches])
    except InputError as error:
        return f"{error} More --rounds go on from here."
    return (
        f"{unknown} of {plural(len(matches), 'debate')} have no verdict, or not with seats exchanged, and the others "
        "do not join all players; --retry-failed plays again what failed."
    )


def _scored(bouts: Sequence[Fought]) -> list[Fought]:
    """The debates with a score, and so the same with seats exchanged."""
    return whole(bouts, lambda one: one.score is None, _exchange)


def _argued(scored: Sequence[Fought]) -> list[Fought]:
    """Those among them that no rule decided, nor the same with seats exchanged."""
    return whole(scored, lambda one: one.lost, _exchange)


def _exchange(one: Fought) -> tuple[int, int, frozenset[str]]:
    return one.round, one.question, frozenset((one.first, one.second))


def _persuasion(argued: Sequence[Fought]) -> dict[str, Estimate]:
    """Ratings by debates that no rule decided; empty where these connect too few players."""
    try:
        return {one.name: one.rating for one in ratings(_matches(argued)).players}
    except GadflyError:
        return {}


def _standing(
    name: str, rating: Estimate | None, persuasion: Estimate | None, bouts: Sequence[Fought], byes: int
) -> Standing:
    own = [one for one in bouts if name in (one.first, one.second)]
    known = [(one.question, one.score_of(name)) for one in _scored(own)]
    score = replace(share_mean(known), missing=len(own) - len(known))
    broke = [None if one.cause == "not_valid" else name in one.lost for one in own]
    by_rule = rate(broke, [one.question for one in own])
    return Standing(name, rating, persuasion, score, by_rule, byes)


def _slope(bouts: Sequence[Fought], points: Mapping[str, Estimate]) -> Slope:
    """The accuracy of the verdict on the mean of what the two who debate are rated, which is the same whoever is
    honest.
    """
    known = [one for one in bouts if one.first in points and one.second in points]
    skills = [(_point(points[one.first]) + _point(points[one.second])) / 2 for one in known]
    return slope([one.right for one in known], skills, [one.question for one in known])


def _point(estimate: Estimate | None) -> float:
    return -math.inf if estimate is None or estimate.point is None else estimate.point


def _plain(record: Any) -> dict[str, Any]:
    """A dataclass as JSON values."""

    def finite(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: finite(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [finite(one) for one in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    found: dict[str, Any] = finite(asdict(record))
    return found
