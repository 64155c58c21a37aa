"""Putting cases in front of people: drawing from a run into a queue, and the gold that checks raters."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gadfly.errors import InputError
from gadfly.judges import Choice, Policy, choose
from gadfly.review._frame import Frame
from gadfly.review._items import payload
from gadfly.review._records import DrawnRound, NewItem, Round
from gadfly.review._store import Store
from gadfly.runs import Run, open_run
from gadfly.transcripts import Case, Transcript, Turn

__all__ = ["Drawing", "ask", "draw_into", "read_gold"]

NOTED = {"secret": "Planted secret", "premise": "False premise", "detail": "Looked for"}
"""What raters are told of a transcript's metadata, and how it is called."""
GOLD_RUN = "gold"


@dataclass(frozen=True, slots=True)
class Drawing:
    """How to choose: by which policy, how many, from which seed."""

    policy: Policy
    n: int
    seed: int = 0


def ask(frame: Frame, drawing: Drawing, before: Sequence[DrawnRound] = ()) -> list[Choice]:
    """The cases of a run most worth a person's time that were not drawn `before`, in the order to ask.

    Raises `InputError` when the run is not what it was when those were drawn: their probabilities would not hold.
    """
    for earlier in before:
        if earlier.round.frame_digest != frame.digest:
            raise InputError(
                f"Run {frame.run.id} has changed since items were drawn from it ({earlier.round.frame:,} cases then, "
                f"{len(frame.case_ids):,} now): draw from it into another queue, named with --queue."
            )
    taken = [item.index for earlier in before for item in earlier.items]
    return choose(frame.seen, drawing.policy, drawing.n, seed=drawing.seed + len(before), taken=taken)


def draw_into(store: Store, queue: str, frame: Frame, drawing: Drawing) -> list[Choice]:
    """Draw cases of a run into a queue as one round; what was chosen, empty when the run has no more."""
    before = store.draws(queue, frame.run.id)
    chosen = ask(frame, drawing, before)
    if not chosen:
        return []
    shown = snapshots(frame.run, {frame.case_ids[choice.index] for choice in chosen})
    first = sum(len(earlier.items) for earlier in before)
    items = [
        NewItem(
            frame.run.id,
            frame.case_ids[choice.index],
            shown[frame.case_ids[choice.index]],
            index=choice.index,
            draw=first + n,
            probability=choice.probability,
            lowest=choice.lowest,
            why=choice.why,
        )
        for n, choice in enumerate(chosen)
    ]
    made = Round(
        frame.run.id, drawing.policy.name, frame.judge, drawing.seed, len(frame.case_ids), frame.digest
    )
    store.add_round(queue, made, items)
    return chosen


def snapshots(run: Run, wanted: set[str]) -> dict[str, dict[str, Any]]:
    """What raters are shown of these cases, by case id."""
    return {t.case.id: snapshot(t) for t in run.transcripts() if t.case.id in wanted}


def snapshot(transcript: Transcript) -> dict[str, Any]:
    """What raters are shown of a case: its dialogue and what was planted in it."""
    told = [
        (words, str(transcript.metadata[key])) for key, words in NOTED.items() if transcript.metadata.get(key)
    ]
    return payload(transcript, notes=told)


def read_gold(path: Path) -> list[NewItem]:
    """Gold from JSON lines: `{"run": …, "case_id": …, "fails": true}`, or with a text of its own
    `{"question": …, "reply": …, "fails": false}`. Raises `InputError`, which names the line and the field.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The gold items in {path} cannot be read ({error}).") from error
    given = [(n, _object(n, line)) for n, line in enumerate(lines, start=1) if line.strip()]
    runs: dict[str, dict[str, dict[str, Any]]] = {}
    for name in {entry["run"] for _, entry in given if "run" in entry}:
        run = open_run(name)
        runs[name] = snapshots(
            run, {entry.get("case_id", "") for _, entry in given if entry.get("run") == name}
        )
    return list(_gold(given, runs))


def _gold(
    given: Iterable[tuple[int, Mapping[str, Any]]], runs: Mapping[str, Mapping[str, dict[str, Any]]]
) -> Iterator[NewItem]:
    for n, entry in given:
        if not isinstance(entry.get("fails"), bool):
            raise InputError(f'Line {n} of the gold items: "fails" must be true or false.')
        if "run" in entry:
            shown = runs[entry["run"]].get(entry.get("case_id", ""))
            if shown is None:
                raise InputError(
                    f'Line {n} of the gold items: run {entry["run"]} has no case "case_id": {entry.get("case_id")!r}.'
                )
            yield NewItem(open_run(entry["run"]).id, entry["case_id"], shown, gold=entry["fails"])
            continue
        said = [entry.get(name) for name in ("question", "reply")]
        if not all(isinstance(text, str) for text in said):
            raise InputError(
                f'Line {n} of the gold items needs "run" and "case_id", or "question" and "reply".'
            )
        turns = (Turn("attacker", str(said[0])), Turn("target", str(said[1])))
        name = f"line-{n}"
        yield NewItem(GOLD_RUN, name, payload(Transcript(Case(name, n, 0), turns)), gold=entry["fails"])


def _object(n: int, line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise InputError(f"Line {n} of the gold items is not JSON ({error}).") from error
    if not isinstance(entry, dict):
        raise InputError(f"Line {n} of the gold items must be an object, got {type(entry).__name__}.")
    return entry
