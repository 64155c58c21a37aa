"""A reward model as a learner: what it says is what training it on those labels would say."""

import numpy as np
import pytest
from fit_fakes import KIND, RUDE, write_embedding_model

from gadfly.errors import InputError
from gadfly.judges import CurveSettings, learning_curves
from gadfly.training import RewardSettings, Row, reward_learner, to_rows, train_reward


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    directory = write_embedding_model(tmp_path_factory.mktemp("embedding") / "tiny")
    return RewardSettings(trunks=(str(directory),))


def labelled(n):
    words = [(RUDE, 1.0), (KIND, 0.0)]
    return to_rows([Row(f"{words[i % 2][0][i % 5]} {i}", words[i % 2][1]) for i in range(n)])


def pairs(n):
    return to_rows([Row(f"{KIND[i % 5]} {i}", 1.0, f"{RUDE[i % 4]} {i}") for i in range(n)])


def test_it_says_what_a_reward_model_of_the_same_labels_says(settings):
    rows = labelled(60)
    learner, items = reward_learner(rows, settings)
    told = learner.learn(np.arange(60), items.labels_N, 0)
    known = train_reward("same", rows, settings).score(rows.texts)
    assert told.scores(np.arange(60)) == pytest.approx(known.mean_N)
    assert told.uncertainty(np.arange(60)) ** 2 == pytest.approx(known.epistemic_N)


def test_pairs_are_turned_round_by_halves_and_their_preference_with_them(settings):
    learner, items = reward_learner(pairs(80), settings)
    assert 0.3 < items.labels_N.mean() < 0.7 and set(items.labels_N) == {0.0, 1.0}
    told = learner.learn(np.arange(60), items.labels_N[:60], 0)
    rest = np.arange(60, 80)
    assert ((told.scores(rest) > 0.5) == (items.labels_N[rest] > 0.5)).mean() > 0.8


@pytest.mark.parametrize("make", [labelled, pairs])
def test_its_curves_are_drawn(settings, make):
    learner, items = reward_learner(make(120), settings)
    drawn = CurveSettings(seeds=2, start=20, step=10, end=30)
    curves = learning_curves(learner, items, ["epistemic!"], drawn)
    assert curves.policies == ("uniform", "epistemic!")
    assert curves.values["uniform"]["AUROC"].min() > 0.6


def test_the_learner_of_other_settings_is_another(settings):
    from dataclasses import replace

    learner, _ = reward_learner(labelled(40), settings)
    assert learner.spec() != replace(learner, settings=replace(settings, members=7)).spec()


def test_pairs_and_labels_together_have_no_curve(settings):
    mixed = [Row(f"{KIND[0]} {i}", 1.0, f"{RUDE[0]} {i}") for i in range(30)]
    mixed += [Row(f"{KIND[1]} {i}", float(i % 2)) for i in range(30)]
    with pytest.raises(InputError, match="only one kind"):
        reward_learner(to_rows(mixed), settings)
