"""Putting cases in front of people: drawing from a run into a queue, and the gold that checks raters."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gadfly.corpora import Passage, quoted
from gadfly.documents import json_lines
from gadfly.errors import InputError
from gadfly.judges import Choice, Policy, choose
from gadfly.pressure import FORK_JUDGES
from gadfly.review._debated import debate_payload, holds_a_debate
from gadfly.review._frame import Frame, can_be_judged, opening
from gadfly.review._items import payload
from gadfly.review._quoted import claim_payload, holds_a_claim
from gadfly.review._records import EVIDENCE, FLAW, DrawnRound, NewItem, Round
from gadfly.review._store import Store
from gadfly.runs import Run, open_run
from gadfly.stats import preferred
from gadfly.transcripts import Case, Transcript, Turn

__all__ = ["Drawing", "ask", "check_kind", "draw_into", "pair_into", "pairs_of", "read_gold", "wrong_first"]

NOTED = {"secret": "Planted secret", "premise": "False premise", "detail": "Looked for"}
"""What raters are told of a transcript's metadata, and how it is called."""
GOLD_RUN = "gold"
WRONG_FIRST = "wrong_first"
"""How debates are drawn to look for flaws: those that the judge got wrong, then the others, each in random order."""
_FORK_OF = {judge: fork for fork, judge in FORK_JUDGES.items()}


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
    return choose(
        frame.seen, drawing.policy, drawing.n, seed=drawing.seed + len(before), taken=_taken(frame, before)
    )


def _taken(frame: Frame, before: Sequence[DrawnRound]) -> list[int]:
    """What was drawn before. Raises `InputError` when the run is not what it was then."""
    for earlier in before:
        if earlier.round.chosen != frame.chosen:
            raise InputError(
                f"The items drawn from run {frame.run.id} before are {_those(earlier.round.chosen)}, these "
                f"{_those(frame.chosen)}: draw into another queue, named with --queue."
            )
        if earlier.round.frame_digest != frame.digest:
            raise InputError(
                f"Run {frame.run.id} has changed since items were drawn from it ({earlier.round.frame:,} cases then, "
                f"{len(frame.case_ids):,} now): draw from it into another queue, named with --queue."
            )
    return [item.index for earlier in before for item in earlier.items]


def _those(chosen: str) -> str:
    return f"answers chosen by {chosen}" if chosen else "any of its cases"


def wrong_first(frame: Frame, drawing: Drawing, before: Sequence[DrawnRound] = ()) -> list[Choice]:
    """Debates that were not drawn `before`: those the judge got wrong, those it got right, those it did not decide.

    Within each of the three they are drawn uniformly, so that a rate among those it got wrong is one of all of them.
    The policy of `drawing` does not count. Raises `InputError` as `ask` does.
    """
    rng, taken = random.Random(drawing.seed + len(before)), set(_taken(frame, before))
    ranks: tuple[list[int], list[int], list[int]] = ([], [], [])
    for index, wrong in enumerate(frame.scores):
        if index not in taken:
            ranks[2 if wrong is None or preferred(wrong) == 0.5 else int(wrong < 0.5)].append(index)
    found = []
    words_for = ("the judge got it wrong", "the judge got it right", "the judge did not decide")
    for words, rank in zip(words_for, ranks, strict=True):
        rng.shuffle(rank)
        found += [Choice(index, 1 / (len(rank) - n), 0.0, words) for n, index in enumerate(rank)]
    return found[: drawing.n]


def draw_into(store: Store, queue: str, frame: Frame, drawing: Drawing) -> list[Choice]:
    """Draw cases of a run into a queue as one round; what was chosen, empty when the run has no more.

    A queue that looks for flaws gets its debates as `wrong_first` draws them.
    """
    spec = store.spec(queue)
    if spec.compares:
        raise InputError(
            f"Queue {queue} compares items two by two; draw into one that labels them, or serve another."
        )
    check_kind(frame.run, spec.kind)
    before = store.draws(queue, frame.run.id)
    flaws = spec.kind == FLAW
    if flaws and before and before[0].round.judge != frame.judge:
        raise InputError(
            f"Queue {queue} holds debates that {before[0].round.judge} got wrong; make another queue for {frame.judge}."
        )
    chosen = (wrong_first if flaws else ask)(frame, drawing, before)
    if not chosen:
        return []
    wanted = {frame.case_ids[choice.index] for choice in chosen}
    shown = snapshots(frame.run, wanted, frame.judge, spec.kind)
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
    policy = WRONG_FIRST if flaws else drawing.policy.name
    size, which = len(frame.case_ids), frame.digest
    made = Round(frame.run.id, policy, frame.judge, drawing.seed, size, which, frame.chosen)
    store.add_round(queue, made, items)
    return chosen


Pair = tuple[Transcript, Transcript]


def pairs_of(one: Run, other: Run) -> list[Pair]:
    """Replies to one opening question, one of each run. Raises `InputError` when the runs share no question."""
    if one.id == other.id:
        raise InputError(f"Run {one.id} cannot be compared with itself: name two runs.")
    ours, theirs = _by_question(one), _by_question(other)
    found = [
        pair
        for question in sorted(ours.keys() & theirs.keys())
        for pair in zip(ours[question], theirs[question], strict=False)
    ]
    if not found:
        raise InputError(
            f"Runs {one.id} and {other.id} share no question, so no two replies can be compared: play both with the "
            "same attacker and seed."
        )
    return found


def pair_into(
    store: Store, queue: str, runs: tuple[Run, Run], pairs: Sequence[Pair], drawing: Drawing
) -> int:
    """Put up to `drawing.n` of the pairs, drawn uniformly, into a queue that compares; how many.

    Which of the two stands first is drawn for each pair. The run an item names is the one that stands first, and its
    case is both cases' ids.
    """
    rng = random.Random(drawing.seed)
    sides: tuple[list[NewItem], list[NewItem]] = ([], [])
    for pair in rng.sample(pairs, min(drawing.n, len(pairs))):
        side = rng.randrange(2)
        first, second = pair[side], pair[1 - side]
        shown = {"first": snapshot(first), "second": snapshot(second)}
        sides[side].append(NewItem(runs[side].id, f"{first.case.id} {second.case.id}", shown))
    for run, items in zip(runs, sides, strict=True):
        store.add_round(queue, Round(run.id, "pairs", seed=drawing.seed, frame=len(pairs)), items)
    return sum(map(len, sides))


def _by_question(run: Run) -> dict[str, list[Transcript]]:
    """A run's judgeable cases by their opening question, in order."""
    found: dict[str, list[Transcript]] = defaultdict(list)
    for transcript in run.transcripts():
        if can_be_judged(transcript):
            found[opening(transcript)].append(transcript)
    return found


def check_kind(run: Run, kind: str) -> None:
    """Refuse to ask of a run's cases what cannot be asked of them: only a claim with its quotes is supported or not,
    and only a debate has a flaw that decided it.
    """
    debates = run.info["spec"].get("game") == "debating"
    if kind == FLAW and not debates:
        raise InputError(
            f"Run {run.id} is no debate, so nobody can say where its flaw is: name a run of gadfly debate."
        )
    if kind == FLAW and not any(map(holds_a_debate, run.transcripts())):
        raise InputError(
            f"In run {run.id} nothing can hold a flaw that decided: it takes debates that came to an end, that no rule "
            "decided, in which somebody argued, and whose right answer is known."
        )
    if kind != FLAW and debates:
        raise InputError(
            f"Run {run.id} holds debates: --kind flaw asks which statement of each holds the decisive flaw."
        )
    if kind in EVIDENCE and not any(holds_a_claim(t) for t in run.transcripts() if can_be_judged(t)):
        raise InputError(
            f"Run {run.id} holds no claims with quotes, so nobody can say whether one is {kind}: name a run of gadfly "
            "evidence, or ask with --kind label whether a reply fails."
        )


def snapshots(run: Run, wanted: set[str], judge: str = "", kind: str = "label") -> dict[str, dict[str, Any]]:
    """What raters are shown of these cases for what this judge is about, by case id."""
    return {t.case.id: snapshot(t, judge, kind) for t in run.transcripts() if t.case.id in wanted}


def snapshot(transcript: Transcript, judge: str = "", kind: str = "label") -> dict[str, Any]:
    """What raters are shown of a case: its dialogue and what was planted in it, or its claim with the quotes, or its
    debate, where that is what is asked about. Of an agent in a scenario also what it was told first, and nothing after
    the fork that this judge reads.
    """
    if kind == FLAW:
        return debate_payload(transcript)
    if kind in EVIDENCE:
        return claim_payload(transcript)
    facts = transcript.metadata
    told = [(words, str(facts[key])) for key, words in NOTED.items() if facts.get(key)]
    if forks := facts.get("forks"):
        told.append(("Told first", str(facts["system_prompt"])))
        if fork := forks.get(_FORK_OF.get(judge)):
            transcript = replace(transcript, turns=transcript.turns[: fork["turn"] + 1])
    return payload(transcript, notes=told)


def read_gold(path: Path, drawn_from: Sequence[Run] = (), kind: str = "label") -> list[NewItem]:
    """Gold for a queue of this kind, from JSON lines: `{"run": …, "case_id": …, "fails": true}`, or with a text of its
    own `{"question": …, "reply": …, "fails": false}`. Of a claim `{"run": …, "case_id": …, "supported": true}`, with
    the kind's own name, or `{"question": …, "claim": …, "title": …, "passage": …, "quote": …, "supported": false}`.

    Raises `InputError`, which names the line and the field; so it does for a case of a run in `drawn_from`, which would
    be drawn with a probability of its own.
    """
    given = [(n, _named(n, entry)) for n, entry in json_lines(path)]
    runs: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {}
    for name in {entry["run"] for _, entry in given if "run" in entry}:
        run = open_run(name)
        wanted = {entry.get("case_id", "") for _, entry in given if entry.get("run") == name}
        runs[name] = run.id, snapshots(run, wanted, kind=kind)
    found = [_gold(n, entry, runs, kind) for n, entry in given]
    for (n, _), item in zip(given, found, strict=True):
        if item.run in {run.id for run in drawn_from}:
            raise InputError(
                f"Line {n} of the gold items is of run {item.run}, which is drawn from: give it as "
                f"{_OWN.get(kind, _CLAIM)}, or take gold from another run."
            )
    return found


_OWN = {"label": '"question" and "reply"'}
_CLAIM = '"question", "claim", "title", "passage" and "quote"'


def _gold(
    n: int,
    entry: Mapping[str, Any],
    runs: Mapping[str, tuple[str, Mapping[str, dict[str, Any]]]],
    kind: str,
) -> NewItem:
    """One line as an item. A claim's field says that it passes, a reply's that it fails."""
    where, name = f"Line {n} of the gold items", kind if kind in EVIDENCE else "fails"
    if not isinstance(entry.get(name), bool):
        raise InputError(f'{where}: "{name}" must be true or false.')
    gold = entry[name] == (name == "fails")
    if "run" in entry:
        run_id, snapshots_of_run = runs[entry["run"]]
        shown = snapshots_of_run.get(entry.get("case_id", ""))
        if shown is None:
            raise InputError(f'{where}: run {entry["run"]} has no case "case_id": {entry.get("case_id")!r}.')
        return NewItem(run_id, entry["case_id"], shown, gold=gold)
    fields = ("question", "reply") if name == "fails" else ("question", "claim", "title", "passage", "quote")
    if not all(isinstance(entry.get(field), str) for field in fields):
        raise InputError(f'{where} needs "run" and "case_id", or {_OWN.get(kind, _CLAIM)}.')
    shown = _exchange(entry) if name == "fails" else _claim(entry, where)
    return NewItem(GOLD_RUN, f"line-{n}", shown, gold=gold)


def _exchange(entry: Mapping[str, str]) -> dict[str, Any]:
    turns = (Turn("attacker", entry["question"]), Turn("target", entry["reply"]))
    return payload(Transcript(Case("gold", 0, 0), turns))


def _claim(entry: Mapping[str, str], where: str) -> dict[str, Any]:
    passage = Passage("gold", entry["title"], entry["passage"], 0, len(entry["passage"]))
    quote = quoted(entry["quote"], [passage]) if entry["quote"] else None
    if entry["quote"] and quote is None:
        raise InputError(f'{where}: "quote" does not stand in "passage".')
    facts = {"question": entry["question"], "claim": entry["claim"], "shown": [passage.to_json()]}
    quotes = [quote.to_json()] if quote else []
    return claim_payload(Transcript(Case("gold", 0, 0), (), metadata={**facts, "quotes": quotes}))


def _named(n: int, entry: dict[str, Any]) -> dict[str, Any]:
    for name in ("run", "case_id"):
        if not isinstance(entry.get(name, ""), str):
            raise InputError(f'Line {n} of the gold items: "{name}" must be text, got {entry[name]!r}.')
    return entry
