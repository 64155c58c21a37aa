"""Whose runs they are: everybody who judges or debates has runs of their own, which are also looked at together.

A question is met once by each person, so one person's run holds one verdict on it and several people's hold several.
Runs are put together where nothing but the person differs.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gadfly.debate._verdict import Decided
from gadfly.runs import Run

__all__ = ["Group", "argued_by", "decided_by", "grouped", "judge_of", "person_in"]


@dataclass(frozen=True)
class Group:
    """Runs that are one line. `within` names the line that holds this person's run together with others'."""

    runs: tuple[Run, ...]
    within: str = ""

    @property
    def people(self) -> tuple[str, ...]:
        """Who takes part in them; none where all chairs are models'."""
        return tuple(dict.fromkeys(name for run in self.runs if (name := person_in(run))))


def person_in(run: Run) -> str:
    """The person in one of a run's chairs; empty for none."""
    spec = run.info.get("spec", {})
    chairs = [spec.get("judge"), *(spec.get("chairs") or {}).values()]
    return next((str(chair["person"]) for chair in chairs if chair and "person" in chair), "")


def decided_by(run: Run) -> str:
    """The person whose verdicts count; empty where they are no person's."""
    chair = run.info.get("spec", {}).get("judge") or {}
    decided = run.info.get("verdict", "") == Decided.name
    return str(chair.get("person", "")) if decided else ""


def argued_by(run: Run) -> tuple[str, ...]:
    """Those who argue, as `--debaters` names them; people by their names. None where nobody does."""
    chairs, players = run.info["spec"].get("chairs") or {}, run.info.get("players", {})
    called = (_called(chair) or players.get(seat, {}).get("model", "") for seat, chair in chairs.items())
    return tuple(dict.fromkeys(filter(None, called)))


def _called(chair: Any) -> str:
    match chair:
        case {"person": str(name)} | {"player": {"model": str(name)}}:
            return name
        case {"best_of": int(count), "chair": inner}:
            return f"best_of:{count}:{_called(inner)}"
        case {"refining": int(), "player": inner}:
            return f"refining:{_called(inner)}"
    return ""


def judge_of(run: Run) -> tuple[str, str]:
    """What tells one judge from another: its name, and its model, wherever that is served, with how it is asked. The
    same for all people.
    """
    name = str(run.info.get("verdict", ""))
    spec = dict(run.info.get("judges", {}).get(name, {}).get("spec", {}))
    if isinstance(model := spec.get("judge"), dict):
        spec["judge"] = {key: value for key, value in model.items() if key != "base_url"}
    return name, json.dumps(spec, sort_keys=True)


def judge_called(run: Run) -> str:
    """A judge as readers know it: its model, and where it was calibrated that it was; the name of any other."""
    name = str(run.info["verdict"])
    spec = run.info.get("judges", {}).get(name, {}).get("spec", {})
    if not isinstance(model := spec.get("judge"), dict):
        return name
    return f"{model['model']}{', calibrated' if 'slope' in spec else ''}"


def grouped(runs: Sequence[Run]) -> dict[str, Group]:
    """The lines of a comparison by name: a run's protocol, with what tells it from others of the same protocol.

    Runs of several people that differ in nothing else are a line together, which each person's own line follows; of one
    person's only the first is among them.
    """
    alike: dict[str, list[Run]] = {}
    for run in {run.id: run for run in runs}.values():
        key, person = _but_for_the_person(run) if person_in(run) else run.id, person_in(run)
        again = any(person_in(one) == person for one in alike.get(key, ()))  # of more questions, say
        alike.setdefault(run.id if again else key, []).append(run)
    protocols = Counter(_protocol(members[0]) for members in alike.values())
    players = Counter(_with_players(members[0]) for members in alike.values())
    found: dict[str, Group] = {}
    for members in alike.values():
        called, told = _protocol(members[0]), _with_players(members[0])
        only = protocols[called] == 1
        own = told if players[told] == 1 and told != called else f"{called} ({members[0].id})"
        name = called if only else own
        found[name] = Group(tuple(members))
        if len(members) > 1:
            for run in members:
                part = person_in(run) if only else f"{run.id}, {person_in(run)}"
                found[f"{called} ({part})"] = Group((run,), name)
    return found


def _with_players(run: Run) -> str:
    """A run's protocol with those who argue, where models do."""
    players = () if person_in(run) else argued_by(run)
    brief = (re.sub(r"\+\S*/", "+", one) for one in players)  # an adapter by its directory's last part
    return f"{_protocol(run)} ({' and '.join(brief)})" if players else _protocol(run)


def _protocol(run: Run) -> str:
    return str(run.info.get("spec", {}).get("protocol", {}).get("name", run.id))


def _but_for_the_person(run: Run) -> str:
    spec = run.info["spec"]
    chairs = {seat: _anybody(chair) for seat, chair in (spec.get("chairs") or {}).items()}
    alike = {**spec, "chairs": chairs, "judge": _anybody(spec.get("judge")), "seed": run.info.get("seed")}
    return json.dumps(alike, sort_keys=True)


def _anybody(chair: Any) -> Any:
    return {**chair, "person": ""} if chair and "person" in chair else chair
