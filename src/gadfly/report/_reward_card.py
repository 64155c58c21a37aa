"""The card of a reward model, as one HTML file: what it is worth, whether its uncertainty says where it errs, what it
makes of texts from elsewhere, and what its members cost.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from gadfly.errors import InputError
from gadfly.judges import RewardCard
from gadfly.pages import Chart, csp_hash, tokens
from gadfly.report._card import reliability, with_intervals
from gadfly.report._html import asset, page_environment, put
from gadfly.report._level import Level
from gadfly.report._section import Example

__all__ = ["reward_page", "write_reward_card"]

PUBLISHED = 0.36
"""The highest Spearman(epistemic, error) that Gleave & Irving report."""
_SHARES = {
    "trunk": "the whole trunk; each has a head of its own",
    "layers": "all but the top layers, which each adapts for itself",
    "none": "nothing; each stands on a pretrained model of its own",
}


def reward_page(cards: Sequence[RewardCard]) -> str:
    """The page for the last of a reward model's cards; the ones before it are its history."""
    if not cards:
        raise InputError("A reward model without a saved round has no card; train it first.")
    card = cards[-1]
    style = tokens() + asset("style.css")
    return (
        page_environment()
        .get_template("reward.html.j2")
        .render(
            card=card,
            verdict=_verdict(card),
            worth=_worth(card),
            unsure=_unsure(card),
            costs=_costs(card),
            reliability=reliability(card.worth.curve, _people(card)),
            fifths=_fifths(card),
            mistakes=[_mistake(card, m) for m in card.mistakes],
            cards=tuple(reversed(cards)),
            made=_made(card),
            style=Markup(style),  # noqa: S704 - our own file
            style_hash=csp_hash(style),
        )
    )


def write_reward_card(cards: Sequence[RewardCard], path: str | os.PathLike[str]) -> Path:
    """`reward_page` into `path`, all or nothing; returns the path."""
    return put(reward_page(cards), Path(path))


def _people(card: RewardCard) -> str:
    return "People who flag it" if card.kind == "labels" else "People who prefer it"


def _verdict(card: RewardCard) -> tuple[Level, str]:
    """What its uncertainty is good for, in a sentence, by where the interval lies."""
    found, beyond = card.unsure.epistemic, card.unsure.beyond
    if found.point is None:
        return (
            "inconclusive",
            "Whether it errs more where it is unsure is not known: there is too little to tell by.",
        )
    if found.low <= 0:
        return "warn", "Its epistemic uncertainty does not say where it errs: do not decline or ask by it."
    told = "It errs more where its members part"
    if beyond.point is not None and beyond.low > 0:
        return "pass", f"{told}, and that tells more than how near one half its score is."
    return "warn", f"{told}, but that tells no more than how near one half its score is."


def _worth(card: RewardCard) -> tuple[tuple[str, str, Any, str], ...]:
    """(what, in other words, estimate, how to show it) for the table of the mean prediction."""
    found = card.worth
    right = (
        "pairs whose preferred text scores higher"
        if card.kind != "labels"
        else "texts on the side of one half that people are on"
    )
    return (
        ("Right", right, found.accuracy, "rate"),
        ("Ranking (AUROC)", "0.5 is guessing", found.auroc, "number"),
        (
            "Calibration error",
            "how far a score is from what people do, on average",
            found.calibration,
            "rate",
        ),
        ("Brier score", "mean squared error; 0 is perfect", found.brier, "number"),
    )


def _unsure(card: RewardCard) -> tuple[tuple[str, str, Any], ...]:
    """(what, in other words, estimate in [-1, 1]) for the table of rank correlations."""
    found = card.unsure
    rows: list[tuple[str, str, Any]] = [
        ("Epistemic, with the error", f"Gleave & Irving (2022) report {PUBLISHED} at most", found.epistemic),
        ("p(1 - p), with the error", "needs no ensemble: how near one half the score is", found.total),
        ("Epistemic, with the error, p(1 - p) held fixed", "what the members add to that", found.beyond),
    ]
    if found.disagreement is not None:
        rows.append(
            ("Aleatoric, with people's disagreement", "how split their votes are", found.disagreement)
        )
    return tuple(rows)


def _costs(card: RewardCard) -> tuple[tuple[str, str, str, float], ...]:
    """(what, all members, one member, ratio)."""
    cost = card.cost
    rows = [
        ("Time to train", cost.train_s, _seconds),
        ("Time to score", cost.score_s, _seconds),
        ("Memory to train", cost.train_bytes, _megabytes),
        ("Memory to score", cost.score_bytes, _megabytes),
    ]
    return tuple((what, shown(all_), shown(one), all_ / one) for what, (all_, one), shown in rows)


def _seconds(value: float) -> str:
    return f"{value:,.1f} s"


def _megabytes(value: float) -> str:
    return f"{value / 1e6:,.1f} MB"


def _fifths(card: RewardCard) -> Chart:
    """The mean error of each fifth of the examples by epistemic standard deviation."""
    data = [
        {"said": b.said, "seen": b.seen.point, "low": b.seen.low, "high": b.seen.high}
        for b in card.unsure.curve
    ]
    words = "; ".join(f"spread {d['said']:.3f}: error {d['seen']:.2f}" for d in data)
    axis = {"type": "quantitative", "scale": {"zero": True, "nice": True}}
    x = {**axis, "field": "said", "title": "How far the members part (standard deviation)"}
    y = {**axis, "title": "Error of their mean"}
    return Chart("Does it err more where it is unsure?", words, {"layer": with_intervals(data, x, y)})


def _mistake(card: RewardCard, mistake: Any) -> Example:
    people = "flag it" if card.kind == "labels" else "prefer the first"
    metadata = {"people": f"{mistake.label:.0%} {people}", "uncertainty": f"±{mistake.uncertainty:.2f}"}
    return Example(
        mistake.case_id, mistake.turns, mistake.score, f"{card.name}, out of fold", metadata=metadata
    )


def _made(card: RewardCard) -> dict[str, str]:
    """Where the reward model comes from, as (term, text)."""
    made, labels = card.made, card.labels
    kind = "pairs and labels" if card.kind == "both" else card.kind
    adapted = f", {made.layers} adapted" if made.layers else ""
    rows = {
        "Trained": card.created.strftime("%-d %B %Y, %H:%M UTC"),
        "Queue": labels.source.queue,
        "Runs": ", ".join(labels.source.runs),
        "Learned from": f"{labels.n:,} {kind}, sha256 {labels.digest[:12]}",
        "Reads": f"the {card.reads} of a transcript",
        "Members": f"{made.members} heads ({made.head}), seed {made.seed}",
        "Members share": _SHARES[made.share] + adapted,
        "Trunks": "; ".join(f"{name} (sha256 {digest[:12]})" for name, digest in made.trunks),
        "Strength": ", ".join(f"C = {value:g}" for value in made.strength),
        "Versions": ", ".join(f"{name} {version}" for name, version in sorted(made.versions.items())),
    }
    return {term: text for term, text in rows.items() if text}
