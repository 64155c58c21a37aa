"""What a lead sees of the raters: whether they agree, who errs and which way, who changed, and whether help helped.

`agreement_view` reads a queue's labels once and works out everything; `agreement.html.j2` only lays it out. Gold is
left out of alpha (it was chosen, and everyone sees it) and used wherever somebody's errors are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from markupsafe import Markup

from gadfly.pages import Chart, line, svg
from gadfly.review._agreement_charts import Block, blocks_chart, shares_chart
from gadfly.review._items import failing
from gadfly.review._rates import known_truths
from gadfly.review._records import Conflict, Label, code, score
from gadfly.review._store import Store
from gadfly.stats import (
    Confusion,
    Drift,
    Estimate,
    RaterError,
    Rating,
    alpha,
    dawid_skene,
    drift,
    paired_difference,
    proportion,
    rater_error,
)

__all__ = ["AgreementView", "HelpView", "RaterView", "agreement_view"]

FIRM, TENTATIVE = 0.8, 0.667
"""Krippendorff's own lines (Content Analysis, 2004, §11.5): conclusions, and tentative ones."""
POOR = 0.7
"""A rater is named when even the high end of their sensitivity or specificity lies below this."""
HASTY = 1 / 3
"""A rater is named when their median time is below this share of the median of the others'."""
BLOCKS, LEAST = 10, 5
"""A rater's session is drawn in at most so many blocks, of at least so many items each."""


@dataclass(frozen=True, slots=True)
class RaterView:
    """One row of the table. `number` is what the charts call the rater beside a shortened name.

    `confusion` is None for comparisons, where nothing fails. `seconds` is the median, None if never measured.
    `drifts` says what changed in words, empty where chance could have done it.
    """

    number: int
    name: str
    confusion: Confusion | None
    drift: Drift
    seconds: float | None
    drifts: str

    @property
    def label(self) -> str:
        return f"{self.number}  {line(self.name, 16)}"


@dataclass(frozen=True, slots=True)
class HelpView:
    """First answers against those after help: `changed` is over all items answered twice, the rest over gold."""

    changed: Estimate
    before: Estimate
    after: Estimate
    gained: Estimate


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart as the page holds it: drawing one takes a quarter of a second, so a kept view keeps it drawn."""

    title: str
    svg: Markup


@dataclass(frozen=True, slots=True)
class AgreementView:
    """The page's content; `reading` is alpha in a sentence, `findings` what stands out, one sentence each. `failing`
    is the answer that says an item fails, as its button says it; empty for comparisons.
    """

    queue: str
    labels: int
    alpha: Estimate
    reading: str
    findings: tuple[str, ...]
    raters: tuple[RaterView, ...]
    error: RaterError | None
    help: HelpView | None
    conflicts: tuple[Conflict, ...]
    accuracy: tuple[Drawing, ...]
    session: tuple[Drawing, ...]
    failing: str = ""


def agreement_view(store: Store, queue: str) -> AgreementView:
    """Everything the page shows of one queue; takes two or three seconds, so keep it while `store.version` stands.

    Raises what `store.spec` raises for an unknown queue. A queue without labels gives a page that says so.
    """
    labels = store.ratings(queue)
    votes = [label for label in labels if not label.resolves]
    gold, resolved = known_truths(labels)
    fails = failing(store.spec(queue).kind)
    ratings = [_rating(label) for label in votes]
    found = alpha(rating for rating in ratings if rating.item not in gold)
    raters = _raters(ratings, dawid_skene(ratings, gold, resolved) if fails else {}, gold)
    return AgreementView(
        queue,
        len(votes),
        found,
        _reading(found),
        tuple(_findings(raters, [rating for rating in ratings if rating.item not in gold])),
        raters,
        rater_error(ratings, gold, resolved) if fails else None,
        _help(votes),
        tuple(store.conflicts(queue)),
        _drawn(_accuracy_charts(raters)),
        _drawn(_session_charts(raters, ratings, fails)),
        fails,
    )


def _rating(label: Label) -> Rating:
    """The standing answer, with the time of the first look at the item."""
    vote = label.vote
    seconds = (vote.first or vote.answer).seconds
    return Rating(str(label.item), vote.rater, code(vote.answer.value), seconds, vote.at)


def _reading(found: Estimate) -> str:
    """Alpha in plain words: what may be concluded from labels that agree this much."""
    if found.point is None:
        return f"Agreement cannot be stated yet: {found.correction}."
    if found.low >= FIRM:
        return "People agree: what one says, another would say."
    if found.high < TENTATIVE:
        return "People do not agree enough: look at the conflicts, and make the rules say which way they go."
    if found.low >= TENTATIVE:
        return "People agree well enough for tentative conclusions, and perhaps for firm ones."
    side = "probably enough" if found.point >= TENTATIVE else "probably not enough"
    return f"Not settled: {side} for tentative conclusions, but too few items were rated twice to be sure."


# --- raters -----------------------------------------------------------------------------------------------


def _raters(
    ratings: Sequence[Rating], confusions: Mapping[str, Confusion], gold: Mapping[str, bool]
) -> tuple[RaterView, ...]:
    """A row for each rater, by name. Drift is named at 95 % for all of them at once (Bonferroni, two tests each)."""
    shown = drift(ratings, gold)
    certain = drift(ratings, gold, level=1 - 0.05 / (2 * max(len(shown), 1)))
    times: dict[str, list[float]] = {}
    for rating in ratings:
        if rating.seconds > 0:
            times.setdefault(rating.rater, []).append(rating.seconds)
    return tuple(
        RaterView(
            number,
            name,
            confusions.get(name),
            shown[name],
            median(times[name]) if name in times else None,
            _drifts(shown[name], certain[name], flags=bool(confusions)),
        )
        for number, name in enumerate(shown, start=1)
    )


def _drifts(shown: Drift, certain: Drift, *, flags: bool) -> str:
    """What changed, with its interval; `flags` is whether an answer can flag at all (no comparison does)."""
    changes = [(shown.agreed_change, certain.agreed_change, "agrees less", "agrees more")]
    if flags:
        changes.append((shown.flagged_change, certain.flagged_change, "flags less", "flags more"))
    said = []
    for change, sure, less, more in changes:
        if change.point is not None and (sure.high < 0 or sure.low > 0):
            word = less if change.point < 0 else more
            ends = f"{100 * change.low:+.0f} to {100 * change.high:+.0f}"
            said.append(f"{word} ({100 * change.point:+.0f} points, {ends})".replace("-", "−"))
    return "; ".join(said)


def _findings(raters: Sequence[RaterView], drawn: Sequence[Rating]) -> Iterable[str]:
    """What a lead should look at, rater by rater; names shortened. `drawn` are the ratings without gold."""
    times = {row.name: row.seconds for row in raters if row.seconds is not None}
    for row in raters:
        name = line(row.name, 40)
        poor = [(e, what) for e, what in _errors(row) if e.point is not None and e.high < POOR]
        for estimate, what in poor:
            yield f"{name} {what} {_share(estimate)}."
        without = alpha(rating for rating in drawn if rating.rater != row.name) if poor else None
        if without and without.point is not None:
            ends = f"{without.low:.2f} to {without.high:.2f}".replace("-", "−")
            yield f"Without {name} alpha would be {without.point:.2f} ({ends}).".replace("be -", "be −")
        others = [seconds for other, seconds in times.items() if other != row.name]
        if row.seconds is not None and others and row.seconds < HASTY * median(others):
            yield (
                f"{name} takes {row.seconds:.1f} s for an item, the others {median(others):.1f} s (medians)."
            )
        if row.drifts:
            yield f"{name} changed between the first and the second half of their items: {row.drifts}."


def _errors(row: RaterView) -> Iterable[tuple[Estimate, str]]:
    if row.confusion is not None:
        yield row.confusion.sensitivity, "finds few of the failures:"
        yield row.confusion.specificity, "flags much that passes; of what passes they pass"


def _share(estimate: Estimate) -> str:
    return f"{100 * (estimate.point or 0):.0f}% ({100 * estimate.low:.0f} to {100 * estimate.high:.0f}%)"


# --- help -------------------------------------------------------------------------------------------------


def _help(votes: Iterable[Label]) -> HelpView | None:
    """Of the items a rater answered twice: how many changed, and gold right before and after. None without any.

    Gold on which either answer was "cannot tell" is left out of the comparison and counted as missing.
    """
    twice = [(label, label.vote.first) for label in votes if label.vote.first is not None]
    if not twice:
        return None
    changed = sum(first.value != label.vote.answer.value for label, first in twice)
    on_gold = [(label, first) for label, first in twice if label.gold is not None]
    before = [_right(label, score(first.value)) for label, first in on_gold]
    after = [_right(label, score(label.vote.answer.value)) for label, _ in on_gold]
    items = [label.item for label, _ in on_gold]
    gained = paired_difference(after, before, items)
    return HelpView(proportion(changed, len(twice)), _counted(before), _counted(after), gained)


def _right(label: Label, said: float | None) -> bool | None:
    return None if said is None else (said == 1.0) == label.gold


def _counted(right: Sequence[bool | None]) -> Estimate:
    told = [one for one in right if one is not None]
    return proportion(sum(told), len(told), missing=len(right) - len(told))


# --- charts -----------------------------------------------------------------------------------------------


def _drawn(charts: Iterable[Chart]) -> tuple[Drawing, ...]:
    return tuple(Drawing(chart.title, svg(chart)) for chart in charts)


def _accuracy_charts(raters: Sequence[RaterView]) -> Iterable[Chart]:
    """Sensitivity and specificity of every rater who has them; gold alone where nobody has."""
    rows = [(row.label, row.confusion) for row in raters if row.confusion and row.confusion.n]
    if rows:
        yield shares_chart("Failures they find", [(label, both.sensitivity) for label, both in rows])
        yield shares_chart("Passes they leave alone", [(label, both.specificity) for label, both in rows])
    elif any(row.drift.gold.n for row in raters):
        yield shares_chart("Gold answered right", [(row.label, row.drift.gold) for row in raters])


def _session_charts(raters: Sequence[RaterView], ratings: Iterable[Rating], fails: str) -> Iterable[Chart]:
    """Time per item and share flagged, block by block through each rater's session."""
    labels = {row.name: row.label for row in raters}
    by_rater: dict[str, list[Rating]] = {row.name: [] for row in raters}
    for rating in sorted(ratings, key=lambda rating: (rating.at is not None, rating.at)):
        by_rater[rating.rater].append(rating)
    if any(row.seconds is not None for row in raters):
        yield blocks_chart(
            "Time for an item, median seconds", "Seconds", _blocks(by_rater, labels, _time), ".0f"
        )
    flagged = _blocks(by_rater, labels, _flagged) if fails else []
    if flagged:
        yield blocks_chart(f"Share of answers “{fails.lower()}”", "Share", flagged, ".0%")


def _blocks(
    by_rater: Mapping[str, Sequence[Rating]],
    labels: Mapping[str, str],
    measure: Callable[[Sequence[Rating]], float | None],
) -> list[Block]:
    """Each rater's session in equal blocks, each with its value; blocks without a value are left out."""
    found = []
    for name, mine in by_rater.items():
        count = min(BLOCKS, max(len(mine) // LEAST, 1))
        ends = [len(mine) * n // count for n in range(count + 1)]
        for start, end in pairwise(ends):
            value = measure(mine[start:end])
            if value is not None:
                found.append(Block(labels[name], (start + end) / 2, value))
    return found


def _time(ratings: Sequence[Rating]) -> float | None:
    measured = [rating.seconds for rating in ratings if rating.seconds > 0]
    return median(measured) if measured else None


def _flagged(ratings: Sequence[Rating]) -> float | None:
    told = [rating.score for rating in ratings if rating.score is not None]
    return sum(told) / len(told) if told else None
