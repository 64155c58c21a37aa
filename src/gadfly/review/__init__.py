"""The page where people judge, and what is kept of it."""

from gadfly.review._app import app, listen, serve
from gadfly.review._asked import Ask
from gadfly.review._database import address
from gadfly.review._filling import Drawing, ask, check_kind, draw_into, pair_into, pairs_of, read_gold
from gadfly.review._flaws import Flawed, Flaws, flaws
from gadfly.review._frame import Frame, frame_of, judged_by, replies
from gadfly.review._guidelines import read_guidelines
from gadfly.review._hearing import Hall, Sitting, hear, hearing_app, make_hearing_queue
from gadfly.review._hearing_people import PersonDebater, PersonJudge
from gadfly.review._items import ItemType, payload, register
from gadfly.review._learning import examples_of
from gadfly.review._rates import Corrected, correct, drawn_by, preference, ratings_of, re_estimate
from gadfly.review._records import Answer, Label, NewItem, QueueSpec, QueueStatus, Rater, Role, Round
from gadfly.review._security import Serving
from gadfly.review._store import Store

__all__ = [
    "Answer",
    "Ask",
    "Corrected",
    "Drawing",
    "Flawed",
    "Flaws",
    "Frame",
    "Hall",
    "ItemType",
    "Label",
    "NewItem",
    "PersonDebater",
    "PersonJudge",
    "QueueSpec",
    "QueueStatus",
    "Rater",
    "Role",
    "Round",
    "Serving",
    "Sitting",
    "Store",
    "address",
    "app",
    "ask",
    "check_kind",
    "correct",
    "draw_into",
    "drawn_by",
    "examples_of",
    "flaws",
    "frame_of",
    "hear",
    "hearing_app",
    "judged_by",
    "listen",
    "make_hearing_queue",
    "pair_into",
    "pairs_of",
    "payload",
    "preference",
    "ratings_of",
    "re_estimate",
    "read_gold",
    "read_guidelines",
    "register",
    "replies",
    "serve",
]
