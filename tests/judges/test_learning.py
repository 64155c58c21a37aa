"""Learning curves: that they show what choosing is worth where it is known, never more, and survive a kill."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from learning_fakes import AnotherUniform, Counting, coin_flips, plain, rare_regions

from forked import Forked
from gadfly.errors import InputError, StoreError, UnknownNameError
from gadfly.judges import AUROC, LOG_LOSS, Curves, CurveSettings, Items, Metric, acquisition, learning_curves
from gadfly.judges._learning import first, split

SHORT = CurveSettings(seeds=8, start=20, step=20, end=200)
QUICK = CurveSettings(seeds=3, start=10, step=20, end=50)


def drawn(world, *policies, settings=SHORT, **changed):
    return learning_curves(Counting(world.region_N), world.items, policies, replace(settings, **changed))


def verdicts(curves, metric=AUROC):
    return {one.policy: one.better for one in curves.compared(metric)}


def some_seeds(curves, seeds):
    values = {p: {m: v[list(seeds)] for m, v in by.items()} for p, by in curves.values.items()}
    return Curves(curves.setup, curves.metrics, values)


# --- what choosing is worth


def test_choosing_is_seen_to_help_where_uniform_misses_the_rare_regions():
    curves = drawn(rare_regions(), "epistemic!", "bald!", "top-epistemic")
    assert verdicts(curves) == dict.fromkeys(("epistemic!", "bald!", "top-epistemic"), True)
    epistemic = curves.compared(LOG_LOSS)[0].labels[0]
    assert epistemic.difference.high < 0 and epistemic.labels < epistemic.uniform / 1.5


def test_asking_where_a_coin_is_flipped_is_seen_to_waste_labels():
    curves = drawn(coin_flips(), "epistemic!", "aleatoric!", "top-aleatoric", seeds=15)
    assert verdicts(curves) == {"epistemic!": True, "aleatoric!": False, "top-aleatoric": False}
    assert verdicts(curves, LOG_LOSS)["top-aleatoric"] is False


def test_two_ways_to_draw_uniformly_differ_in_one_interval_in_twenty():
    groups = []
    for seed in range(20):
        curves = drawn(plain(seed), AnotherUniform(), settings=QUICK, seeds=100, metrics=(LOG_LOSS,))
        groups += [some_seeds(curves, range(i, i + 5)).compared(LOG_LOSS)[0] for i in range(0, 100, 5)]
    for figure in (lambda c: c.over_curve, lambda c: c.last, lambda c: c.labels[1].difference):
        wrong = np.mean([not figure(c).low <= 0 <= figure(c).high for c in groups])
        assert (
            0.005 <= wrong < 0.085
        )  # of 400; labels to a goal are a few whole steps, and so err on the safe side


def test_intervals_hold_what_more_seeds_would_tell():
    curves = drawn(plain(0), "top-epistemic", settings=QUICK, seeds=600, metrics=(LOG_LOSS,))
    truth = curves.compared(LOG_LOSS)[0]
    rng, held = np.random.default_rng(0), []
    for _ in range(500):
        [few] = some_seeds(curves, rng.choice(600, 10, replace=False)).compared(LOG_LOSS)
        pairs = [(few.over_curve, truth.over_curve), (few.last, truth.last)]
        held.append([one.low <= whole.point <= one.high for one, whole in pairs])
    assert (np.mean(held, axis=0) > 0.91).all() and (np.mean(held, axis=0) < 0.98).all()


def test_many_policies_are_not_many_chances_to_find_one():
    others = [AnotherUniform(f"another {i}") for i in range(5)]
    curves = drawn(plain(1), *others, settings=QUICK)
    alone = [some_policies(curves, one.name).compared(LOG_LOSS)[0].p for one in others]
    together = [one.p for one in curves.compared(LOG_LOSS)]
    assert min(together) == pytest.approx(min(1.0, 5 * min(alone)))


def some_policies(curves, name):
    return Curves(curves.setup, curves.metrics, {k: curves.values[k] for k in ("uniform", name)})


# --- what is drawn


def test_uniform_is_always_among_the_policies():
    assert drawn(plain(0), "total!", settings=QUICK).policies == ("uniform", "total!")
    assert drawn(plain(0), "total!", "uniform", settings=QUICK).policies == ("uniform", "total!")
    assert drawn(plain(0), settings=QUICK).compared(AUROC) == ()


def test_the_same_seeds_give_the_same_curves_in_one_process_or_two():
    one = drawn(plain(0), "epistemic!", settings=QUICK)
    two = drawn(plain(0), "epistemic!", settings=QUICK, jobs=2)
    assert one.values["epistemic!"]["AUROC"].tolist() == two.values["epistemic!"]["AUROC"].tolist()
    assert len(np.unique(one.values["uniform"]["log loss"][:, 0])) == QUICK.seeds


def test_every_policy_starts_from_the_same_labels():
    curves = drawn(plain(0), "top-total", AnotherUniform(), settings=QUICK)
    starts = [curves.values[name]["log loss"][:, 0].tolist() for name in curves.policies]
    assert starts[0] == starts[1] == starts[2]
    assert curves.gaps("top-total", LOG_LOSS)[0].point == 0


def test_a_policy_of_ones_own_chooses():
    class Last:
        name = "the last ones"

        def choose(self, seen, n, *, taken, seed):
            assert np.isfinite(seen.uncertainty_N).all()
            return sorted(set(range(len(seen.scores_N))) - set(taken))[-n:]

    assert drawn(plain(0), Last(), settings=QUICK).policies[1] == "the last ones"


def test_a_metric_of_ones_own_is_measured_and_a_loss_is_better_when_lower():
    brier = Metric("Brier", lambda p, y: float(((p - y) ** 2).mean()), higher_is_better=False)
    curves = drawn(rare_regions(), "epistemic!", metrics=(brier,))
    assert curves.metrics == (brier,) and verdicts(curves, brier) == {"epistemic!": True}


def test_a_curve_that_never_gets_there_is_counted_as_such():
    values = {
        "uniform": {"AUROC": np.array([[0.5, 0.7, 0.9], [0.5, 0.8, 0.8]])},
        "x": {"AUROC": np.array([[0.5, 0.5, 0.6], [0.5, 0.9, 0.9]])},
    }
    setup = drawn(plain(0), settings=QUICK).setup
    [reached] = Curves(setup, (AUROC,), values).compared(AUROC, goals=(1.0,))[0].labels
    assert setup.counts == (10, 30, 50)
    assert (reached.labels, reached.uniform, reached.short) == ((70 + 30) / 2, (50 + 70) / 2, (1, 1))


def test_top_asks_for_the_most_weight_and_draws_leave_something_to_chance():
    world = coin_flips()
    belief = Counting(world.region_N).learn(np.arange(0, 1_200, 3), world.items.labels_N[::3], 0)
    from gadfly.judges import Seen

    rows = np.arange(1_200)
    seen = Seen(belief.scores(rows), belief.uncertainty(rows), 0.5)
    top = acquisition("top-epistemic").choose(seen, 50, taken=range(0, 1_200, 3), seed=0)
    open_ = np.setdiff1d(rows, range(0, 1_200, 3))
    assert min(seen.uncertainty_N[top]) >= np.sort(seen.uncertainty_N[open_])[-50]
    assert set(acquisition("epistemic!").choose(seen, 50, taken=(), seed=0)) != set(top)


def test_a_group_is_never_on_both_sides_and_both_sides_have_flagged_items():
    items = Items(np.repeat([1.0, 0, 0, 0, 0], 20), np.repeat(np.arange(25), 4))
    for seed in range(20):
        pool, test = split(items, 1 / 3, seed)
        assert sorted([*pool, *test]) == list(range(100))
        assert not set(items.groups_N[pool]) & set(items.groups_N[test])
        assert items.flagged[test].sum() == 8


def test_of_the_first_labels_two_are_of_each_kind():
    labels_N = np.r_[np.zeros(997), np.ones(3)]
    assert all(labels_N[first(labels_N, 10, seed)].sum() == 2 for seed in range(20))


# --- kept on disk

CHILD = """
import sys
from pathlib import Path
from learning_fakes import Counting, plain
from gadfly.judges import CurveSettings, learning_curves
world, kept = plain(0), Path(sys.argv[1])
settings = CurveSettings(seeds=200, start=10, step=5, end=100, kept=kept)
learning_curves(Counting(world.region_N), world.items, ["total!"], settings, lambda done, of: print(done, flush=True))
"""


def test_after_a_kill_the_same_command_goes_on(tmp_path):
    kept = tmp_path / "curves.jsonl"
    child = Forked(CHILD, kept)
    said = list(itertools.islice(child.out, 7))
    child.kill()
    there = kept.read_text().count("\n")
    assert said[-1] == "7\n" and 7 <= there < 400

    settings, heard = CurveSettings(seeds=6, start=10, step=5, end=100), []
    world = plain(0)
    learner = Counting(world.region_N)
    again = replace(settings, seeds=6, kept=kept)
    curves = learning_curves(learner, world.items, ["total!"], again, lambda *at: heard.append(at))
    whole = learning_curves(learner, world.items, ["total!"], settings)
    assert curves.values["total!"]["AUROC"].tolist() == whole.values["total!"]["AUROC"].tolist()
    assert len(heard) == max(0, 12 - there) and kept.read_text().count("\n") == max(12, there)


def test_a_line_cut_short_is_drawn_again_and_other_curves_stay(tmp_path):
    kept = tmp_path / "curves.jsonl"
    whole = drawn(plain(0), settings=QUICK, kept=kept)
    lines = kept.read_text().splitlines()
    kept.write_text('{"key": "another"}\nnonsense\n' + "\n".join(lines)[:-40])
    again = drawn(plain(0), settings=QUICK, kept=kept)
    assert again.values["uniform"]["AUROC"].tolist() == whole.values["uniform"]["AUROC"].tolist()
    assert kept.read_text().splitlines()[:2] == ['{"key": "another"}', "nonsense"]
    assert json.loads(kept.read_text().splitlines()[-1]) == json.loads(lines[-1])


def test_curves_of_other_items_or_settings_are_not_taken_for_these(tmp_path):
    kept = tmp_path / "curves.jsonl"
    drawn(plain(0), settings=QUICK, kept=kept)
    drawn(plain(1), settings=QUICK, kept=kept)
    drawn(plain(0), settings=QUICK, end=70, kept=kept)
    assert kept.read_text().count("\n") == 9
    drawn(plain(0), settings=QUICK, seeds=4, kept=kept)
    assert kept.read_text().count("\n") == 10


def test_two_commands_do_not_draw_into_one_file(tmp_path):
    class Meddling(Counting):
        def learn(self, *labels):
            drawn(plain(1), settings=QUICK, kept=tmp_path / "kept")

    with pytest.raises(StoreError, match="Another command is drawing"):
        learning_curves(
            Meddling(plain(0).region_N), plain(0).items, [], replace(QUICK, kept=tmp_path / "kept")
        )


# --- what cannot work


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"seeds": 1}, "two seeds or more"),
        ({"end": 500}, "a pool of 266, which cannot give 500; end at 133"),
        ({"start": 60, "end": 50}, "must end later than at 50"),
        ({"test": 1.0}, "between 0 and 1"),
        ({"jobs": 0}, "in one process or more"),
    ],
)
def test_settings_that_cannot_be_are_refused(changed, said):
    with pytest.raises(InputError, match=said):
        drawn(plain(0), settings=QUICK, **changed)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([0.0] * 100, "0 of 100 labels are flagged; curves need at least 6"),
        ([1.0] * 95 + [0.0] * 5, "5 of 100 labels are not flagged"),
        ([0.0, 1.0] * 15, "30 labels leave a pool of 20"),
        ([2.0] * 50, "lies in"),
    ],
)
def test_labels_that_cannot_tell_are_refused(labels, said):
    with pytest.raises(InputError, match=said):
        learning_curves(Counting(np.zeros(len(labels), int)), Items(np.array(labels)), [])


def test_flagged_items_of_one_question_cannot_be_split():
    items = Items(np.r_[np.ones(20), np.zeros(180)], np.r_[np.zeros(20, int), np.arange(1, 181)])
    with pytest.raises(InputError, match="flagged labels come from too few questions"):
        learning_curves(Counting(np.zeros(200, int)), items, [])


def test_an_unknown_policy_names_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'epistemic'"):
        drawn(plain(0), "top-epistemc")


def test_two_policies_of_one_name_are_refused():
    with pytest.raises(InputError, match="Two policies are called 'uniform'"):
        drawn(plain(0), AnotherUniform("uniform"))


@pytest.mark.parametrize("choice", [[0, 0], [0], [10_000, 1]])
def test_a_policy_that_does_not_choose_what_was_asked_is_refused(choice):
    class Bad(AnotherUniform):
        def choose(self, seen, n, *, taken, seed):
            return choice

    with pytest.raises(InputError, match="'another uniform' did not choose 2 items"):
        drawn(plain(0), Bad(), settings=QUICK, step=2)


def test_a_learner_that_gives_no_scores_is_refused():
    class Bad(Counting):
        def learn(self, *labels):
            told = super().learn(*labels)
            return replace(told, yes_R=told.yes_R * np.nan)

    with pytest.raises(InputError, match="After 10 labels the learner's answers"):
        learning_curves(Bad(plain(0).region_N), plain(0).items, [], QUICK)
