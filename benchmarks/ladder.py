"""What learning does for an attacker: the four rungs of the ladder, SmolLM2 against SmolLM2, three seeds.

    python benchmarks/ladder.py [--quick] [--seeds 3] [--budget 1600]

The focus is examples/past.yaml: questions about the past, of any kind; a reply that speaks as a
person fails. Every rung has the same number of target queries, learning included. Rates of the seeds together come from
all their attacking cases, a repeated question being one cluster. With --report, a page with the first seed's table
and curves. About three quarters of an hour on two quiet cores; --quick climbs once with a budget of 768 in under 15
minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inspect_ai.model import GenerateConfig

from gadfly.models import System, model
from gadfly.redteam import Campaign, Ladder, focus, judges_for, ladder
from gadfly.report import from_ladder, write
from gadfly.report._tally import Tally
from gadfly.runs import Settings
from gadfly.stats import Estimate, difference, rate

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "ladder.json"
PAGE = HERE.parent / "docs" / "ladder.md"
FOCUS = HERE.parent / "examples" / "past.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budget", type=int, default=1600)
    parser.add_argument("--report", type=Path, help="a page with the first seed's ladder")
    parser.add_argument("--work", type=Path, help="where runs and adapters are kept, so that it can go on")
    given = parser.parse_args()
    seeds, budget = (1, 768) if given.quick else (given.seeds, given.budget)
    with tempfile.TemporaryDirectory() as scratch:
        work = given.work or Path(scratch)
        os.environ["GADFLY_ADAPTERS"] = str(work / "adapters")
        climbed = [climb(seed, budget, work) for seed in range(seeds)]
        found = summary(climbed) | {"budget": budget, "seeds": seeds}
        if given.report:
            write(from_ladder(climbed[0]), given.report)
    if not given.quick:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        PAGE.write_text(markdown(found), "utf-8")


def climb(seed: int, budget: int, work: Path) -> Ladder:
    """One seed's ladder; goes on where it stopped."""
    looked_for = focus(FOCUS)
    sampling = GenerateConfig(temperature=1.0, top_p=0.8, max_tokens=32)
    target = System(model("gadfly/smollm2"), sampling=sampling)
    campaign = Campaign(looked_for, target, judges_for(looked_for), cases=budget, seed=seed)
    return ladder(campaign, Settings(work / "runs"))


def summary(climbed: list[Ladder]) -> dict[str, Any]:
    """Every rung of every seed, and the rungs over all seeds together."""
    seeds, pooled = [], {}
    for seed, one in enumerate(climbed):
        steps = from_ladder(one).sections[0].steps
        seeds.append([asdict(step) for step in steps])
        for step in steps:
            print(
                f"seed {seed} {step.method:10} {words(step.rate)} n={step.rate.n} "
                f"distinct/1000 {step.per_thousand:.0f} self-BLEU {step.self_bleu or 0:.0f} {step.ended}"
            )
    for number, rung in enumerate(climbed[0].rungs):
        tallies = [Tally.of(one.runs[number]) for one in climbed]
        first = [Tally.of(one.runs[0]) for one in climbed]
        estimate, gain = together(tallies), against(tallies, first)
        pooled[rung.method] = {"rate": asdict(estimate), "gain": asdict(gain) if number else None}
        print(f"all {rung.method:10} {words(estimate)} n={estimate.n}")
    return {"pooled": pooled, "by_seed": seeds}


def markdown(found: dict[str, Any]) -> str:
    """The table of docs/ladder.md: every rung of every seed, then all seeds together."""
    lines = [
        "# The ladder of attackers",
        "",
        f"SmolLM2-135M against itself on `examples/past.yaml`, {found['budget']:,} target queries a rung, learning "
        f"included, {found['seeds']} seeds. Made by `python benchmarks/ladder.py --report page.html`, which draws the "
        "curves below. Distinct failures are counted among equally many attacking cases of each rung.",
        "",
        "| seed | attacker | failure rate [95 %] | n | distinct failures per 1,000 | self-BLEU | queries for each |",
        "|---|---|---|---|---|---|---|",
    ]
    for seed, steps in enumerate(found["by_seed"]):
        for step in steps:
            shown = words(Estimate(**step["rate"]))
            lines.append(
                f"| {seed} | {step['method']} | {shown} | {step['rate']['n']} | {step['per_thousand']:.0f} | "
                f"{step['self_bleu']:.0f} | {step['price']:.0f} |"
            )
    for method, pooled in found["pooled"].items():
        shown = words(Estimate(**pooled["rate"]))
        lines.append(f"| all | {method} | {shown} | {pooled['rate']['n']} | | | |")
    return "\n".join([*lines, "", "![The first seed's table and training curves](ladder.png)", ""])


def together(tallies: list[Tally]) -> Estimate:
    return rate(*verdicts(tallies))


def against(tallies: list[Tally], first: list[Tally]) -> Estimate:
    (a, names_a), (b, names_b) = verdicts(tallies), verdicts(first)
    return difference(a, b, names_a, names_b)


def verdicts(tallies: list[Tally]) -> tuple[list[bool], list[str]]:
    return [v for t in tallies for v in t.verdicts], [n for t in tallies for n in t.names]


def words(estimate: Estimate) -> str:
    return f"{estimate.point or 0:.1%} [{estimate.low:.1%}, {estimate.high:.1%}]"


if __name__ == "__main__":
    main()
