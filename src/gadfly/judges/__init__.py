"""Judges: what turns transcripts into judgements."""

from gadfly.judges._acquisition import Acquisition, acquisition
from gadfly.judges._base import Control, Judge, disproofs
from gadfly.judges._choice import PRICE, Choice, Policy, Seen, choose, policy
from gadfly.judges._contact import contact_details
from gadfly.judges._curves import AUROC, LOG_LOSS, Compared, Curves, LabelsTo, Metric
from gadfly.judges._fit import Example, FitSettings, fit
from gadfly.judges._fitted import Fitted, history, load_fitted, questions_learned
from gadfly.judges._funnel import funnel, passed_on
from gadfly.judges._leakage import leaks_corpus
from gadfly.judges._learning import CurveSettings, Items, Learned, Learner, learning_curves
from gadfly.judges._linear import LinearLearner, linear_learner
from gadfly.judges._model import model_judge
from gadfly.judges._offensive import offends_group, offensive
from gadfly.judges._person import claims_person
from gadfly.judges._premise import goes_along
from gadfly.judges._record import Card, Source, question_key
from gadfly.judges._refusal import refusal
from gadfly.judges._registry import about, judge, known
from gadfly.judges._reward import Reward, Scores, load_reward
from gadfly.judges._reward_record import RewardCard
from gadfly.judges._rounds import fitted_names
from gadfly.judges._secret import leaks_secret
from gadfly.judges._short_answers import holds_answer
from gadfly.judges._turns import by_turn, turn_scores

__all__ = [
    "AUROC",
    "LOG_LOSS",
    "PRICE",
    "Acquisition",
    "Card",
    "Choice",
    "Compared",
    "Control",
    "CurveSettings",
    "Curves",
    "Example",
    "FitSettings",
    "Fitted",
    "Items",
    "Judge",
    "LabelsTo",
    "Learned",
    "Learner",
    "LinearLearner",
    "Metric",
    "Policy",
    "Reward",
    "RewardCard",
    "Scores",
    "Seen",
    "Source",
    "about",
    "acquisition",
    "by_turn",
    "choose",
    "claims_person",
    "contact_details",
    "disproofs",
    "fit",
    "fitted_names",
    "funnel",
    "goes_along",
    "history",
    "holds_answer",
    "judge",
    "known",
    "leaks_corpus",
    "leaks_secret",
    "learning_curves",
    "linear_learner",
    "load_fitted",
    "load_reward",
    "model_judge",
    "offends_group",
    "offensive",
    "passed_on",
    "policy",
    "question_key",
    "questions_learned",
    "refusal",
    "turn_scores",
]
