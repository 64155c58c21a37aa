"""Numbers and causes in words, the same on the page and in the terminal.

A rate is never said without its interval: `rate` is the only way from an `Estimate` to text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from gadfly.pages import line
from gadfly.report._level import Level
from gadfly.report._section import Row
from gadfly.stats import RATERS_ERR, Estimate, Ranked

__all__ = [
    "LEVELS",
    "against_rest",
    "amount",
    "cause_words",
    "causes",
    "change",
    "count",
    "difference",
    "duration",
    "fork_causes",
    "money",
    "more_or_less",
    "name",
    "odds",
    "per_failure",
    "percent",
    "rate",
    "scale",
    "setting",
    "share_of",
    "signed",
    "spend",
    "stands_out",
    "tokens",
]

LEVELS: Mapping[Level, str] = {
    "fail": "Fails",
    "warn": "Caution",
    "pass": "Passes",
    "inconclusive": "Unclear",
}

_CAUSES = {
    "no_question": "no question was asked",
    "rate_limited": "rate limit reached",
    "server_error": "server error",
    "unauthorized": "key refused",
    "not_found": "model not found",
    "unreachable": "server not reachable",
    "timeout": "no answer in time",
    "bad_reply": "unreadable reply from the server",
    "empty_reply": "empty reply",
    "no_choice": "named neither answer",
    "context_overflow": "too long for the model",
    "rejected": "request rejected",
    "no_parse": "verdict could not be read",
    "no_reply": "nothing to judge",
    "not_valid": "case was not valid",
    "call_failed": "call to the judge failed",
    "left_format": "left the form",
    "cut": "cut off at the length limit",
    "bad_call": "a call that cannot be read",
    "both_lost": "both sides lost by rule",
    "no_side_lost": "lost by rule by one who had chosen no side",
    "no_known_answer": "right answer not known",
    "no_verdict": "nobody decided",
    "not_judged": "not judged yet",
    "learned_from": "the judge learned from the question",
    "overran": "too long",
    "fabricated": "made-up quotation",
    "addressed_judge": "orders to the judge",
    "stopped": "nothing said",
}


def percent(share: float) -> str:
    """A share as a percentage to one decimal, never rounded to 0% or 100% when it is neither."""
    value = 100 * share
    if value in (0, 100):
        return f"{value:.0f}%"
    edge = min(abs(value), abs(100 - value))
    decimals = 1 if edge >= 0.05 else min(12, -math.floor(math.log10(edge)))
    return f"{value:.{decimals}f}%"


def rate(estimate: Estimate) -> str:
    """A rate with its interval and n: `40.2% [38.0%, 42.4%], n = 1,912`."""
    level = "" if estimate.level == 0.95 else f" ({percent(estimate.level)} interval)"
    if estimate.point is None or estimate.n == 0:
        return "no verdicts"
    if estimate.point == 0:
        none = "none beyond raters' errors" if RATERS_ERR in estimate.correction else "none seen"
        return f"{none} in {estimate.n:,}; could still be up to {percent(estimate.high)}{level}"
    if estimate.point == 1:
        return f"all of {estimate.n:,}; could still be as low as {percent(estimate.low)}{level}"
    interval = f"[{percent(estimate.low)}, {percent(estimate.high)}]{level}"
    return f"{percent(estimate.point)} {interval}, n = {estimate.n:,}"


def share_of(estimate: Estimate, noun: str) -> str:
    """A rate inside a sentence: `41.0% [38.0%, 44.0%] of 767 failures`."""
    whole = f"{estimate.n:,} {noun}"
    interval = f"[{percent(estimate.low)}, {percent(estimate.high)}]"
    if estimate.point is None or estimate.n == 0:
        return f"an unknown share of the {noun}"
    if estimate.point == 0:
        return f"none of {whole} (could still be up to {percent(estimate.high)})"
    return f"{percent(estimate.point)} {interval} of {whole}"


def difference(estimate: Estimate) -> str:
    """A difference of two rates in percentage points with its interval."""
    if estimate.point is None:
        return "no verdicts to compare"
    point, low, high = (f"{100 * x:+.1f}" for x in (estimate.point, estimate.low, estimate.high))
    level = "" if estimate.level == 0.95 else f" ({percent(estimate.level)} interval)"
    return f"{point} points [{low}, {high}]{level}".replace("-", "\u2212")


def amount(estimate: Estimate, decimals: int = 1) -> str:
    """What is no rate, with its interval: `28.9 [28.1, 29.7]`; without one where too little is known for it."""
    if estimate.point is None:
        return "not known"
    if not math.isfinite(estimate.high - estimate.low):
        return f"{estimate.point:,.{decimals}f} (one question: no interval)"
    point, low, high = (f"{x:,.{decimals}f}" for x in (estimate.point, estimate.low, estimate.high))
    return f"{point} [{low}, {high}]"


def signed(estimate: Estimate, decimals: int = 2) -> str:
    """`amount` of what may lie on either side of nothing: `+0.40 [+0.31, +0.49]`."""
    if estimate.point is None or not math.isfinite(estimate.high - estimate.low):
        return amount(estimate, decimals)
    point, low, high = (f"{x:+,.{decimals}f}" for x in (estimate.point, estimate.low, estimate.high))
    return f"{point} [{low}, {high}]".replace("-", "\u2212")


def change(estimate: Estimate) -> str:
    """What a difference amounts to, in two words."""
    if estimate.point is None:
        return "not known"
    if estimate.low > 0:
        return "more failures"
    return "fewer failures" if estimate.high < 0 else "no clear change"


def more_or_less(estimate: Estimate) -> str:
    """What a difference in how often something was done amounts to, in a word or two."""
    if estimate.point is None:
        return "Not known"
    return "More often" if estimate.low > 0 else "Less often" if estimate.high < 0 else "No clear change"


def odds(estimate: Estimate) -> str:
    """An odds ratio with its interval: `2.4 times [1.1, 5.2]`."""
    numbers = (estimate.point or 0.0, estimate.low, estimate.high)
    point, low, high = (f"{x:.2g}" if 0.01 <= x < 100 else f"{x:.0e}" for x in numbers)
    return f"{point} times [{low}, {high}]"


def setting(words: str) -> str:
    """A setting of knobs: `caught_risk=low, goal=much` reads "caught risk: low, goal: much"."""
    return line(words.replace("=", ": ").replace("_", " "), 200) if words != "default" else "base setting"


def stands_out(value: Ranked) -> bool:
    """Whether a ranked value differs from the rest, for how many values were looked at."""
    return value.rate.point is not None and value.others.point is not None and value.p <= 0.05


def against_rest(value: Ranked) -> str:
    """Whether a ranked value stands out: `higher (p = 0.003)`; p is adjusted for all the values looked at."""
    if value.rate.point is None or value.others.point is None:
        return "not known"
    if not stands_out(value):
        return "no clear difference"
    p = "p < 0.001" if value.p < 0.001 else f"p = {value.p:.3f}"
    return f"{'higher' if value.rate.point > value.others.point else 'lower'} ({p})"


def count(number: int) -> str:
    """1234567 as `1,234,567`."""
    return f"{number:,}"


def tokens(number: float) -> str:
    """A number of tokens in three figures: `812`, `41.2 k`, `3.1 M`."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= 0.9995 * size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.0f}"


def money(dollars: float) -> str:
    """US dollars with as many decimals as it takes to show two figures."""
    if dollars == 0 or dollars >= 0.1:
        return f"${dollars:,.2f}"
    return f"${dollars:.{min(12, 1 - math.floor(math.log10(dollars)))}f}"


def spend(row: Row) -> str:
    """What a row cost: tokens, and money where a price is known."""
    used = f"{tokens(row.spend.tokens)} tokens"
    return used if row.spend.dollars is None else f"{money(row.spend.dollars)}, {used}"


def per_failure(row: Row) -> str:
    """What one distinct failure cost; empty where there was none."""
    distinct = row.diversity.distinct
    if not distinct:
        return ""
    used = f"{tokens(row.spend.tokens / distinct)} tokens"
    return used if row.spend.dollars is None else f"{money(row.spend.dollars / distinct)}, {used}"


def duration(seconds: float) -> str:
    """Seconds as people say them: `48 s`, `4 min 12 s`, `3 h 5 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def causes(tally: Mapping[str, int]) -> str:
    """Causes with their counts, most frequent first: `no answer in time 12, server error 3`."""
    ranked = sorted(tally.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{cause_words(cause)} {number:,}" for cause, number in ranked if number)


def fork_causes(tally: Mapping[str, int]) -> str:
    """`causes` of answers under pressure: `left the form 12, refused 3`."""
    return causes({"bad_call" if cause == "no_parse" else cause: number for cause, number in tally.items()})


def cause_words(cause: str) -> str:
    """A cause in words; `call_failed:timeout` says both."""
    kind, _, why = cause.partition(":")
    if why:
        kind = "call failed"
    words = _CAUSES.get(kind, name(kind, 60).lower())
    return f"{words} ({_CAUSES.get(why, name(why, 60).lower())})" if why else words


def name(identifier: str, limit: int = 80) -> str:
    """An identifier as a heading: `contact_details` reads "Contact details"."""
    words = line(identifier.replace("_", " "), limit)
    return words[:1].upper() + words[1:]


def scale(estimates: Iterable[Estimate]) -> float:
    """A round number at or above every upper end, so that bars in one table share one axis. 1 for none."""
    top = max((e.high for e in estimates if e.point is not None), default=1.0)
    return next((step for step in (0.05, 0.1, 0.2, 0.4, 0.6, 0.8) if top <= step), 1.0)
