"""A pinned set on every version of a model, and what moved since the last: differences beyond noise, of all that were
looked at.

The runs of one rerun lie in one directory under where runs live, `standard-MODEL-3`, beside a small `suite.json` that
names them in order. A rerun that is not through is gone on with; one that is through is never added to, because the
same name may be another model tomorrow.

What is compared is the pinned set itself, word for word the same, so a difference beyond the noise of sampling is the
model's. Cases with the same random numbers are compared in pairs.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from gadfly.errors import InputError, StoreError, UnknownNameError
from gadfly.models import System
from gadfly.pressure._outcomes import sample
from gadfly.pressure._suite import Item, Suite
from gadfly.runs import Run, Settings, home, open_run, run
from gadfly.stats import Estimate, difference, holm, paired_difference, rate

__all__ = ["READABLE", "Moved", "compared", "moved", "pinned", "pinned_runs", "pinned_sets"]

MANIFEST = "suite.json"
READABLE = "readable"
"""The outcome that is a finding of its own: whether an answer could be read and judged at all."""

ALPHA = 0.05


@dataclass(frozen=True)
class Moved:
    """One comparison: how often an outcome came about in the baseline, now, and now minus then, with a 95 % interval.

    `p` is adjusted by Holm's rule for all comparisons of the rerun, `moved` where it is 0.05 or less: one or more
    false ones among all of them come up 5 times in 100. `note` says why nothing can be compared, or what limits it.
    """

    item: str
    outcome: str
    before: Estimate
    now: Estimate
    difference: Estimate
    p: float = 1.0
    moved: bool = False
    paired: bool = False
    note: str = ""

    @property
    def sentence(self) -> str:
        """The comparison in words."""
        what = "answers that can be read" if self.outcome == READABLE else self.outcome
        if self.difference.point is None:
            return f"{self.item}: {what} cannot be compared. {self.note}".strip()
        went = (
            f"{self.item}: {what} {self.before} before, {self.now} now; difference {_points(self.difference)}"
        )
        return f"{went} (p = {self.p:.2g} after correction). {self.note}".strip()


async def pinned(
    suite: Suite,
    target: System,
    *,
    model: Any = None,
    seed: int = 0,
    settings: Settings | None = None,
) -> list[Run]:
    """Play a suite on this target; the runs in its order. They lie in `runs[0].path.parent`, whose name is what
    `pinned_runs` takes as a baseline.

    Resumable: the same call goes on with a rerun that is not through. Ctrl-C ends the list with a run that is `cut`.
    """
    settings = settings or Settings()
    items = suite.items(target, model, seed)
    place = _place(settings.directory, suite, items, target)
    inside = replace(settings, directory=place)
    found: list[Run] = []
    for number, (game, judges, samples) in enumerate(items, start=1):
        if settings.progress:
            words = f"{place.name}: {number} of {len(items)}, {label(game.spec())}"
            Console(stderr=True).print(words, style="dim", markup=False, highlight=False)
        found.append(await run(game, samples, judges, seed=seed, settings=inside))
        _write(place, runs=[one.id for one in found])
        if found[-1].cut:
            return found
    _write(place, complete=True)
    return found


def pinned_sets(directory: Path | None = None) -> list[str]:
    """The names of the reruns there are, by name."""
    return sorted(path.parent.name for path in (directory or home()).glob(f"*/{MANIFEST}"))


def pinned_runs(name: str | Path, directory: Path | None = None) -> list[Run]:
    """The runs of a rerun, by its name, the start of it, or its directory.

    Raises `UnknownNameError` where there is none, `InputError` where the name could be several.
    """
    place = Path(name)
    if not (place / MANIFEST).is_file():
        known = pinned_sets(directory)
        among = [one for one in known if one == str(name)] or [
            one for one in known if one.startswith(str(name))
        ]
        if len(among) > 1:
            raise InputError(f"{str(name)!r} could be {', '.join(among)}. Type more of it.")
        if not among:
            hint = "Make one first: gadfly pressure regress --model MODEL without --baseline."
            raise UnknownNameError("rerun of a suite", str(name), known, hint)
        place = (directory or home()) / among[0]
    return [open_run(place / one) for one in _read(place)["runs"]]


def moved(baseline: Sequence[Run], now: Sequence[Run]) -> list[Moved]:
    """What moved between two reruns: every comparison, those that moved first, the surest of them first.

    An item that only one of them has, or whose words are no longer the same, is there with a note and is not counted.
    Whether answers can be read is compared for itself. A case that could be read in one of the two only is left out of
    the other comparisons, and where readability moved these carry a note.
    """
    before, after = ({label(one.info["spec"]): one for one in runs} for runs in (baseline, now))
    found: list[Moved] = []
    for item in dict.fromkeys([*before, *after]):
        found += compared(item, before.get(item), after.get(item))
    tested = [place for place, one in enumerate(found) if one.difference.point is not None]
    if tested:
        adjusted = holm([found[place].p for place in tested])
        for place, p in zip(tested, adjusted, strict=True):
            found[place] = replace(found[place], p=p, moved=p <= ALPHA)
    unreadable = {one.item for one in found if one.outcome == READABLE and one.moved}
    found = [_limited(one) if one.item in unreadable and one.outcome != READABLE else one for one in found]
    return sorted(found, key=lambda one: (not one.moved, one.p if one.moved else 0.0))


def compared(item: str, before: Run | None, now: Run | None) -> list[Moved]:
    """The comparisons of one item, each for itself: `p` is not adjusted yet."""
    if before is None or now is None:
        only = "now" if before is None else "in the baseline"
        return [_not_compared(item, f"It is only there {only}.")]
    if _asked(before) != _asked(now):
        return [_not_compared(item, "Its words are not what they were, so nothing can be said of the model.")]
    one, other = verdicts(before), verdicts(now)
    paired = before.info["spec"]["pairing"] == now.info["spec"]["pairing"]
    return [_difference(item, outcome, one[outcome], other[outcome], paired) for outcome in one]


def label(spec: Mapping[str, Any]) -> str:
    """What a run of a suite is of: `insider_trading (date=later)`."""
    what = spec["scenario"]["name"] if spec["game"] == "pressing" else spec["prompt"]["name"]
    return f"{what} ({spec['setting']})"


Verdicts = dict[int, float | None]
"""By case; None where it could not be told."""


def verdicts(played: Run) -> dict[str, Verdicts]:
    """What came of every case, by outcome; a case whose call failed is missing in all of them."""
    spec = played.info["spec"]
    found = _pressed(played) if spec["game"] == "pressing" else {spec["prompt"]["outcome"]: _answered(played)}
    last = list(found)[-1]
    failed = {one.case.index for one in played.transcripts() if one.outcome == "failed"}
    read = {index: None if index in failed else float(v is not None) for index, v in found[last].items()}
    return {**found, READABLE: read}


def _pressed(played: Run) -> dict[str, Verdicts]:
    cases = sample(played).cases
    return {
        "act": {one.index: one.act for one in cases},
        "deceives": {one.index: one.deceives for one in cases},
    }


def _answered(played: Run) -> Verdicts:
    name = played.info["verdict"]
    threshold = float(played.info["judges"][name]["threshold"])
    wanted = played.info["spec"]["prompt"]["counts"] == "flagged"
    found: Verdicts = {}
    for transcript, judgements in played.judged():
        score = next((one.score for one in judgements if one.judge == name), None)
        found[transcript.case.index] = None if score is None else float((score >= threshold) == wanted)
    return found


def _difference(item: str, outcome: str, before: Verdicts, now: Verdicts, paired: bool) -> Moved:
    """Now minus then."""
    one, other = list(before.values()), list(now.values())
    if paired:
        both = sorted(before.keys() & now.keys())
        later, earlier = [now[index] for index in both], [before[index] for index in both]

    def at(level: float) -> Estimate:
        if paired:
            return paired_difference(later, earlier, level=level)
        return difference(other, one, level=level)

    return Moved(item, outcome, rate(one), rate(other), at(0.95), p_value(at), paired=paired)


def p_value(at: Callable[[float], Estimate]) -> float:
    """The p-value that an interval implies: 1 minus the highest level at which it still leaves out 0.

    1 where it never does; no smaller than 1e-12.
    """

    def excluded(p: float) -> bool:
        found = at(1 - p)
        return found.point is not None and not found.low <= 0.0 <= found.high

    low, high = 1e-12, 1 - 1e-9
    if excluded(low) or not excluded(high):
        return low if excluded(low) else 1.0
    for _ in range(16):  # to within a thousandth of itself
        middle = (low * high) ** 0.5
        low, high = (low, middle) if excluded(middle) else (middle, high)
    return high


def _asked(played: Run) -> dict[str, Any]:
    """What of a run decides its cases, the model and the random numbers aside."""
    return {key: value for key, value in played.info["spec"].items() if key not in ("target", "pairing")}


def _limited(one: Moved) -> Moved:
    note = "How many answers can be read moved too, so this is of those that can be read in both."
    return replace(one, note=note)


def _not_compared(item: str, why: str) -> Moved:
    nothing = Estimate(None, 0.0, 1.0, 0, 0)
    return Moved(item, "", nothing, nothing, Estimate(None, -1.0, 1.0, 0, 0), note=why)


def _points(found: Estimate) -> str:
    assert found.point is not None
    point, low, high = (f"{100 * one:+.1f}" for one in (found.point, found.low, found.high))
    return f"{point} points [{low}, {high}]"


# --- where a rerun lies


def _place(directory: Path, suite: Suite, items: Sequence[Item], target: System) -> Path:
    """The directory of this rerun: the last one where that is not through and of the same, else a new one."""
    model = re.sub(r"[^a-z0-9]+", "-", target.name.rpartition("/")[2].lower()).strip("-")[:40] or "model"
    stem = f"{suite.name}-{model}-"
    plan = {"format": 1, "suite": suite.name, "target": target.fingerprint(), "plan": _plan(items)}
    there = [path for path in directory.glob(f"{stem}*") if path.name.removeprefix(stem).isdigit()]
    last = max((int(path.name.removeprefix(stem)) for path in there), default=0)
    if last:
        held = _read(directory / f"{stem}{last}")
        if held["plan"] == plan["plan"] and not held["complete"]:
            return directory / f"{stem}{last}"
    place = directory / f"{stem}{last + 1}"
    _write(place, **plan, runs=[], complete=False)
    return place


def _plan(items: Sequence[Item]) -> str:
    """What decides a rerun, as one word: another plan is another rerun."""
    content = [(game.spec(), samples) for game, _, samples in items]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _read(place: Path) -> dict[str, Any]:
    try:
        found = json.loads((place / MANIFEST).read_bytes())
        return {"runs": [], "complete": False, "plan": "", **found}
    except FileNotFoundError:
        return {"runs": [], "complete": True, "plan": ""}
    except (ValueError, TypeError, OSError) as error:
        raise StoreError(f"{place / MANIFEST} cannot be read ({error}); move {place} away.") from error


def _write(place: Path, **changes: Any) -> None:
    """Write the manifest anew, whole or not at all."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        temporary = place / f"{MANIFEST}.tmp"
        temporary.write_text(json.dumps({**_read(place), **changes}, indent=1))
        temporary.replace(place / MANIFEST)
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(f"Nothing can be written in {place} ({error.strerror}).") from error
