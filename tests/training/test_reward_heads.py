"""Heads of a reward model against known truths: strengths, exact posteriors, and which uncertainty falls with data."""

import numpy as np
import pytest
from scipy import integrate, special

from gadfly.errors import InputError
from gadfly.judges import Scores
from gadfly.training import Row, to_rows
from gadfly.training._reward_heads import bagged, bootstraps, choose_strength, design, folds, laplace, solve

STRENGTHS = np.array([-1.2, -0.4, 0.0, 0.5, 1.1])


def compared(votes, raters, seed=0):
    """Pairs of five things, each judged by that many raters; raters who differ make a tie or something near it."""
    rng = np.random.default_rng(seed)
    rows = []
    for n in range(votes):
        a, b = rng.choice(5, 2, replace=False)
        share = rng.binomial(raters, special.expit(STRENGTHS[a] - STRENGTHS[b])) / raters
        rows.append(Row(f"t{a}", share, f"t{b}", group=str(n)))
    made = to_rows(rows)
    return made, design(np.eye(5)[[int(text[1:]) for text in made.texts]], made)


def flipped(n, seed, dimensions=2, slope=2.0):
    """Labelled points whose label is a coin with a known bias."""
    rng = np.random.default_rng(seed)
    x_N_D = rng.standard_normal((n, dimensions))
    labels = rng.random(n) < special.expit(slope * x_N_D[:, 0])
    rows = to_rows([Row(f"t{i}", float(y)) for i, y in enumerate(labels)])
    return rows, design(x_N_D, rows)


@pytest.mark.parametrize("raters", [1, 2, 5])
def test_bradley_terry_with_ties_and_soft_labels_recovers_known_strengths(raters):
    rows, data = compared(8_000, raters)
    assert (rows.target_R == 0.5).any() == (raters == 2)
    found = solve(data, 1e3).theta_D[:5]
    assert np.allclose(found - found.mean(), STRENGTHS - STRENGTHS.mean(), atol=0.12)


def test_the_optimum_is_the_one_scikit_learn_finds():
    from sklearn.linear_model import LogisticRegression

    _, data = flipped(300, 0, dimensions=6)
    theirs = LogisticRegression(C=0.3, tol=1e-8, max_iter=1000).fit(data.x_R_D[:, :-1], data.target_R)
    ours = solve(data, 0.3).theta_D
    assert np.allclose(ours, np.append(theirs.coef_[0], theirs.intercept_), atol=1e-3)


def test_a_soft_label_is_that_share_of_each_hard_one():
    x_N_1 = np.linspace(-2, 2, 40)[:, None]
    soft = to_rows([Row(f"t{n}", 0.3 if n % 2 else 0.8) for n in range(40)])
    hard = to_rows([Row(f"t{n}", y, weight=w) for n in range(40) for y, w in halves(0.3 if n % 2 else 0.8)])
    first = solve(
        design(x_N_1, soft), 1.0
    ).theta_D  # weights have mean 1, so twice the rows weigh twice as much
    assert np.allclose(first, solve(design(x_N_1, hard), 0.5).theta_D, atol=1e-4)


def halves(p):
    return ((1.0, p), (0.0, 1 - p))


def test_an_intercept_cancels_in_a_pair_and_labels_beside_pairs_have_one():
    rows = [Row("a", 1.0, "b", group=str(n)) for n in range(30)]
    rows += [Row(text, float(text in "ab"), group=f"{text}{n}") for text in "abc" for n in range(10)]
    made = to_rows(rows)
    data = design(np.eye(3), made, label_weight=2.0)
    assert data.x_R_D[0].tolist() == [1, -1, 0, 0] and data.x_R_D[30].tolist() == [1, 0, 0, 1]
    assert data.weights_R[30:].sum() == pytest.approx(2 * data.weights_R[:30].sum())


def test_laplace_is_the_exact_posterior_in_one_dimension():
    _, data = flipped(120, 3, dimensions=1)
    data = type(data)(
        np.column_stack([data.x_R_D[:, 0], np.zeros(120)]), data.target_R, data.weights_R
    )  # no intercept
    grid = np.linspace(0, 5, 4_001)
    fits = data.x_R_D[:, :1] * grid
    logs = -(np.logaddexp(0, fits) - data.target_R[:, None] * fits).sum(0) - grid**2 / 2
    exact = np.exp(logs - logs.max())
    exact /= integrate.trapezoid(exact, grid)
    mean = integrate.trapezoid(grid * exact, grid)
    spread = integrate.trapezoid((grid - mean) ** 2 * exact, grid) ** 0.5
    drawn = laplace(data, 1.0, 20_000, seed=0).coefficients_M_D[:, 0]
    assert drawn.mean() == pytest.approx(mean, rel=0.05)
    assert drawn.std() == pytest.approx(spread, rel=0.08)


@pytest.mark.parametrize("kind", ["bagged", "laplace"])
def test_epistemic_uncertainty_falls_with_data_and_aleatoric_does_not(kind):
    grid = np.random.default_rng(9).standard_normal((500, 2))
    truth = special.expit(2 * grid[:, 0])
    found = []
    for n in (50, 800):
        rows, data = flipped(n, 1)
        heads = (
            laplace(data, 1.0, 60, 0)
            if kind == "laplace"
            else bagged(data, list(bootstraps(rows, 60, 0)), 1.0)
        )
        found.append(Scores(special.expit(heads.logits(grid))))
    few, many = found
    assert many.epistemic_N.mean() < few.epistemic_N.mean() / 5
    assert many.aleatoric_N.mean() == pytest.approx((truth * (1 - truth)).mean(), rel=0.1)


def test_strength_is_chosen_by_what_is_out_of_fold():
    rng = np.random.default_rng(0)
    noise = to_rows([Row(f"t{n}", float(n % 2)) for n in range(100)])
    data = design(rng.standard_normal((100, 50)), noise)
    weak, said = choose_strength(data, folds(noise, 0))
    rows, clear = flipped(100, 0, dimensions=5, slope=8.0)
    strong, _ = choose_strength(clear, folds(rows, 0))
    assert weak < strong and np.isfinite(said).all()


def test_groups_stay_whole_in_folds_and_in_bootstraps():
    rows = to_rows([Row(f"t{n}", 1.0, f"u{n}", group=str(n // 4)) for n in range(60)])
    for train, test in folds(rows, 0):
        assert not set(rows.groups_R[train]) & set(rows.groups_R[test])
    for counts in bootstraps(rows, 5, 0):
        assert all(len(set(counts[rows.groups_R == group])) == 1 for group in set(rows.groups_R))


def test_labels_of_one_group_cannot_be_checked():
    rows = to_rows([Row(f"t{n}", float(n < 10), group="one" if n < 10 else str(n)) for n in range(40)])
    with pytest.raises(InputError, match="All flagged labels are of one question"):
        folds(rows, 0)
