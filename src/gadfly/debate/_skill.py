"""Does the judge do better where debaters are better? What the case for debate rests on."""

from __future__ import annotations

from collections.abc import Sequence

from gadfly.debate._judged import decided, heard, judged_cases, protocol_of, same_questions
from gadfly.debate._people import judge_of
from gadfly.errors import InputError
from gadfly.runs import Run
from gadfly.stats import Slope, slope

__all__ = ["skill_slope"]


def skill_slope(runs: Sequence[tuple[float, Run]], *, rules: bool = False) -> Slope:
    """The judge's accuracy against the skill of those who argue, over runs of one set with debaters of different skill.

    Each run comes with its debaters' skill: a rating, or any number that grows with it. Accuracy is the verdict's, a
    tie one half, and a question is one cluster over all runs. Only questions that count in every run do, and those
    on which a rule decided a debate only with `rules`: who breaks none would seem to help the truth. Raises
    `InputError` for fewer than two skills, for a run that comes twice, and for runs that are of different questions,
    protocols or judges, in which nobody argues, or that were not judged. (Khan et al. 2024, arXiv 2402.06782,
    figure 1.)
    """
    levels = {skill for skill, _ in runs}
    if len(levels) < 2:
        raise InputError(
            f"A slope takes runs with debaters of at least two skills; all have {next(iter(levels)):g}."
            if levels
            else "A slope takes runs with debaters of at least two skills; none was named."
        )
    if len({judge_of(run) for _, run in runs}) > 1:
        raise InputError(
            "These runs were judged by different judges; name one that has judged them all with --judge."
        )
    if len({run.id for _, run in runs}) < len(runs):
        raise InputError("A run was named twice; its debaters have one skill.")
    found = [protocol_of(run) for _, run in runs]
    if any(one != found[0] for one in found):
        raise InputError("These runs are of different protocols, which would pass for a difference in skill.")
    if any(not one.seats for one in found):
        raise InputError(f"Nobody argues in protocol {found[0].name}, so there is no skill to compare.")
    played = [(skill, judged_cases(run)) for skill, run in runs]
    if not all(same_questions(played[0][1], cases) for _, cases in played):
        raise InputError("These runs were played on different questions; compare runs of one set.")
    count = [(skill, (decided if rules else heard)(cases)) for skill, cases in played]
    shared = set.intersection(*({one.of for one in cases} for _, cases in count))
    each = [(one.right, skill, one.of) for skill, cases in count for one in cases if one.of in shared]
    right, skills, asked = zip(*each, strict=True) if each else ((), (), ())
    return slope(list(right), list(skills), list(asked))
