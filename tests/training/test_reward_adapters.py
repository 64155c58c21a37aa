"""Adapters of K members trained at once are K trainings."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gadfly.judges._heads import Heads
from gadfly.judges._reward_tops import Tops
from gadfly.judges._trunk import LanguageTrunk
from gadfly.training import AdapterTraining, Row, to_rows
from gadfly.training._reward_adapters import Members, Problem, adapted_logits, batch_of, step, train_adapters
from tiny_models import tiny_model

HOW = AdapterTraining(rank=2, epochs=2, batch=8, lr=1e-2, head_lr=1e-2)
PAIRS = to_rows([Row(f"good {n}", 1.0 - (n % 3) / 4, f"bad {n}", group=str(n)) for n in range(24)])


@pytest.fixture(scope="module")
def problem():
    trunk = LanguageTrunk(tiny_model())
    found = trunk.read(PAIRS.texts, top=1)
    frozen = (found.features_N_D - found.features_N_D.mean(0)) / found.features_N_D.std(0)
    weights = np.ones(len(PAIRS))
    return Problem(Tops(trunk, 1), found.stems, frozen, torch.zeros(32), torch.ones(32), PAIRS, weights, 0.1)


def start(members):
    rng = np.random.default_rng(0)
    return Heads(rng.normal(0, 0.1, (members, 96)), np.zeros(members))


def counts(members):
    return np.random.default_rng(1).poisson(1.0, (members, len(PAIRS))).astype(float)


def one_of(heads, n):
    return Heads(heads.coefficients_M_D[n : n + 1], heads.intercepts_M[n : n + 1])


def test_a_step_of_all_members_is_a_step_of_each(problem):
    picked, weights = np.arange(8), counts(3)
    together = Members.start(problem.tops, start(3), 64, HOW)
    step(problem, together, batch_of(problem, picked, weights), optimiser(together))
    for n in range(3):
        alone = Members.start(problem.tops, one_of(start(3), n), 64, replace(HOW, seed=0))
        for name, tensor in alone.adapters.items():
            tensor.data = (
                Members.start(problem.tops, start(3), 64, HOW).adapters[name].data[n : n + 1].clone()
            )
        step(problem, alone, batch_of(problem, picked, weights[n : n + 1]), optimiser(alone))
        for name, tensor in alone.adapters.items():
            assert torch.allclose(together.adapters[name][n], tensor[0], atol=1e-5)
        assert torch.allclose(together.last_K_W[n], alone.last_K_W[0], atol=1e-5)


def optimiser(members):
    return torch.optim.Adam([*members.adapters.values(), *members.heads], lr=1e-2)


def test_members_start_as_their_heads_are(problem):
    members = Members.start(problem.tops, start(2), 64, HOW)
    batch = batch_of(problem, np.arange(len(PAIRS)), np.ones((2, len(PAIRS))))
    last = problem.tops(problem.stems)[0].numpy()
    features = np.hstack([problem.frozen_N_D, last]) @ start(2).coefficients_M_D.T
    expected = (features[PAIRS.left_R] - features[PAIRS.right_R]).T
    assert np.allclose(adapted_logits(problem, members, batch).detach().numpy(), expected, atol=1e-4)


def test_training_lowers_the_loss_and_members_go_apart(problem):
    batch = batch_of(problem, np.arange(len(PAIRS)), np.ones((3, len(PAIRS))))
    members = Members.start(problem.tops, start(3), 64, HOW)
    before = step(problem, members, batch, torch.optim.SGD(members.heads, lr=0.0))
    heads, adapters = train_adapters(problem, start(3), counts(3), replace(HOW, epochs=6))
    members.adapters = dict(adapters)
    members.frozen_K_D.data = torch.from_numpy(heads.coefficients_M_D[:, :64]).float()
    members.last_K_W.data = torch.from_numpy(heads.coefficients_M_D[:, 64:]).float()
    assert step(problem, members, batch, torch.optim.SGD(members.heads, lr=0.0)) < before
    assert all(tensor.std(0).mean() > 0 for tensor in adapters.values())


def test_the_same_seed_gives_the_same_members(problem):
    first, again = (train_adapters(problem, start(2), counts(2), HOW)[1] for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
