"""The sparse-pixel debate on 8×8 digits: does debate make a weak judge better, and does self-play find the optimum?

Run `python benchmarks/digits.py [--pixels 4] [--quick]`; it prints the figures and writes
benchmarks/results/digits.json, where a number of pixels that was not run keeps the entry it had.

Irving, Christiano & Amodei 2018 (arXiv 1805.00899, section 3.1) on MNIST: the judge alone names the label in 48.2 % at
four random pixels and 59.4 % at six; with debate 85.2 % and 88.9 %. Here: 1,197 images for the judge and for self-play,
600 held out for every figure. The value of the game is exact (backward induction over all sets of pixels), on the first
of the held-out images; what a learned debater makes sure of against the best answers is exact too, on fewer. Two
to five minutes for each number of pixels, on one free core.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from gadfly.debate._digits import Images, PixelJudge, images, judge_of
from gadfly.debate._digits_figures import learned_figures, optimal_figures, optimal_plays
from gadfly.debate._digits_play import PixelPlayer, RandomPlayer, pairings, play
from gadfly.debate._digits_selfplay import LearnedPlayer, SelfPlay, learn
from gadfly.stats import Estimate, rate

RESULTS = Path(__file__).parent / "results" / "digits.json"
SIZES = {4: (600, 100, 60), 6: (60, 10, 30)}
"""Images measured on, images played with best answers, and rounds of self-play, by the number of pixels."""
PAPER = {4: {"judge alone": 0.482, "debate": 0.852}, 6: {"judge alone": 0.594, "debate": 0.889}}


def figures(k: int, measured: int, answered: int, rounds: int) -> dict[str, object]:
    """Everything for one number of pixels, with the seconds of processor time each part took."""
    data, held_out = images()
    seconds: dict[str, float] = {}
    start, how = time.process_time(), SelfPlay(rounds)

    def lap(name: str) -> None:
        nonlocal start
        seconds[name], start = round(time.process_time() - start, 1), time.process_time()

    judge = judge_of(data, k)
    lap("judge")
    measure = held_out[:measured]
    plays = optimal_plays(judge, measure)
    best = optimal_figures(measure, plays)
    lap("optimal play")
    shown({**best.rates, **best.differences})
    curve: list[dict[str, object]] = []

    def on_round(done: int, player: LearnedPlayer) -> None:
        if done % 10 == 0:
            now = glimpse(judge, measure, player)
            print(
                f"after {done} rounds:", *(f"{name} {one}" for name, one in now.items()), sep="  ", flush=True
            )
            curve.append({"round": done, **{name: asdict(one) for name, one in now.items()}})

    player = learn(data, judge, how, on_round=on_round)
    lap("self-play")
    learned = learned_figures(judge, measure, plays, player, answered)
    lap("its figures")
    shown({**learned.rates, **learned.differences})
    estimates = {**best.rates, **best.differences, **learned.rates, **learned.differences}
    return {
        "images": {"learn": len(data), "measured": measured, "answered": answered},
        "self_play": asdict(how),
        "seconds": seconds,
        "paper": PAPER.get(k),
        "curve": curve,
        "estimates": {name: asdict(estimate) for name, estimate in estimates.items()},
    }


def glimpse(judge: PixelJudge, data: Images, player: LearnedPlayer) -> dict[str, Estimate]:
    """How the learner does so far, an image against one wrong claim in both orders."""
    games, chance = pairings(data, "random", np.random.default_rng(1)), RandomPlayer()
    pairs: dict[str, tuple[PixelPlayer, PixelPlayer]] = {
        "both learned": (player, player),
        "honest only": (player, chance),
        "liar only": (chance, player),
    }
    clusters = np.repeat(np.arange(len(data)), 2).tolist()
    rng = np.random.default_rng(2)
    return {name: rate(play(games, judge, pair, rng).tolist(), clusters) for name, pair in pairs.items()}


def shown(estimates: Mapping[str, Estimate]) -> None:
    """Print them, one a line."""
    for name, estimate in estimates.items():
        print(f"{name:46} {estimate}  ({estimate.clusters} images)", flush=True)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pixels", type=int, action="append", choices=sorted(SIZES))
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    for k in given.pixels or sorted(SIZES):
        print(f"{k} pixels")
        found = figures(k, *((30, 5, 5) if given.quick else SIZES[k]))
        if not given.quick:
            kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            RESULTS.write_text(json.dumps({**kept, str(k): found}, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
