"""From names, as they are typed, to who plays: a player's chair, who sits where, the judge.

MODEL               a model, gadfly/smollm2, with an adapter gadfly/smollm2+DIR
best_of:N:PLAYER    the draft of N that the judge finds most convincing
refining:MODEL      a model that names the weakest point of its draft and writes it anew

A judge is a model too, calibrated:NAME, one whose probabilities come true, or reward:NAME, what learned from verdicts.
"""

from __future__ import annotations

from collections.abc import Sequence

from gadfly.debate._calibrated import calibrated
from gadfly.debate._chairs import BestOf, Chair, JudgeChair, Player, Referee, Refining
from gadfly.debate._learned_judge import RewardJudge
from gadfly.debate._protocol import Protocol
from gadfly.debate._verdict import DebateJudge
from gadfly.errors import InputError
from gadfly.judges import load_reward
from gadfly.models import System, model

__all__ = ["judge", "seated", "seating"]

_FORMS = "A player is MODEL, best_of:N:PLAYER or refining:MODEL, as in best_of:4:gadfly/smollm2"


def judge(name: str, orders: int = 2) -> Referee:
    """The judge of that name: a model, asked with the answers listed in so many `orders`, reward:NAME, or
    calibrated:NAME, which is asked as it was when it was calibrated.

    Raises `InputError` for one order where the name says how it is asked, and what `gadfly.models.model`,
    `load_reward`, `calibrated`, `DebateJudge` and `RewardJudge` raise.
    """
    kind, _, learned = name.partition(":")
    if kind in ("reward", "calibrated") and learned and orders != 2:
        raise InputError(f"{name} is asked as it was when it learned: leave out --orders.")
    if kind == "reward" and learned:
        return RewardJudge(load_reward(learned))
    if kind == "calibrated" and learned:
        return calibrated(learned)
    return DebateJudge.of(System(model(name)), orders)


def seating(
    protocol: Protocol, players: Sequence[str | Chair], judge: JudgeChair | None = None
) -> dict[str, Chair]:
    """Who sits in each seat that is no copy: the first player, but of two the second in those that argue for the second
    answer, or for the one that was left over. Players are chairs, or names as `seated` reads them.

    Raises `InputError` for none or more than two, and for a second one where nobody argues against the first.
    """
    if not 1 <= len(players) <= 2:
        raise InputError(f"Name one player or two, one for each side; got {len(players)} debaters.")
    if len(players) == 2 and not protocol.seats_two:
        raise InputError(
            f"In protocol {protocol.name} there is no seat for a second player: name one debater, or another protocol."
        )
    chairs = [seated(one, judge) if isinstance(one, str) else one for one in players]
    return {
        name: chairs[-1 if seat.side in ("second", "other") else 0] for name, seat in protocol.own.items()
    }


def seated(spec: str, judge: JudgeChair | None = None) -> Chair:
    """The chair that `spec` names. `judge` is whom a `best_of` consults.

    Raises `InputError` for a spec of no known form and for a `best_of` without a judge, and what
    `gadfly.models.model` raises for a model that is not there. A local model's weights are found here, and loaded when
    it first speaks.
    """
    word, colon, rest = spec.strip().partition(":")
    if word == "best_of" and colon:
        return _best_of(spec, rest, judge)
    if word == "refining" and colon:
        return Refining(_player(spec, rest))
    return _player(spec, spec)


def _best_of(spec: str, rest: str, judge: JudgeChair | None) -> BestOf:
    count, colon, player = rest.partition(":")
    if not (colon and count.strip().isdecimal()):
        raise InputError(f"{_FORMS}; {spec!r} does not say how many drafts of which player.")
    if judge is None:
        raise InputError(f"{spec!r} needs a judge that chooses among its drafts; name one with --judge.")
    return BestOf(seated(player, judge), int(count), judge)


def _player(spec: str, name: str) -> Player:
    """The model alone. Where a provider's name has a colon before its slash, it is a form that nobody knows."""
    if not name.strip() or ":" in name.partition("/")[0]:
        raise InputError(f"{_FORMS}; got {spec!r}.")
    return Player.of(System(model(name.strip())))
