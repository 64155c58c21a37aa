"""A game with a known optimum: one byte, worth 0.9 when it is even and 0.1 when it is odd."""

from inspect_ai.model import GenerateConfig

from gadfly.models import System
from gadfly.training import Match, Reinforcement
from gadfly.transcripts import Judgement, Transcript, Turn

PROMPT = "Say a byte:"
SAMPLING = GenerateConfig(temperature=0.8, max_tokens=3)


class SayOneByte:
    """The player continues a fixed prompt."""

    name = "say-one-byte"

    def __init__(self, player):
        self.player = player

    @property
    def players(self):
        return {"player": self.player}

    def spec(self):
        return {"game": self.name}

    async def play(self, case):
        reply = await self.player.complete(PROMPT, seed=case.seed)
        return Transcript(case, (Turn("player", reply.text), Turn("target", reply.text)))


def even(text):
    """The score of a text: by the first character's code."""
    return 0.9 if ord(text[0]) % 2 == 0 else 0.1


class Even:
    name, threshold = "even", 0.5

    async def judge(self, transcripts):
        return [Judgement(t.case.id, self.name, even(t.turns[0].text)) for t in transcripts]


class Says:
    """A judge that says the same of everything."""

    name, threshold = "says", 0.5

    def __init__(self, score):
        self.score = score

    async def judge(self, transcripts):
        cause = "" if self.score is not None else "no_parse"
        return [Judgement(t.case.id, self.name, self.score, cause) for t in transcripts]


def match(judge=None, game=SayOneByte, **changes):
    return Match(game, judge or Even(), **{"sampling": SAMPLING, **changes})


def settings(**changes):
    usual = {"steps": 12, "batch": 16, "group": 16, "learning_rate": 2e-2, "kl": 0.02, "save_every": 4}
    return Reinforcement(**{**usual, **changes})


__all__ = ["PROMPT", "SAMPLING", "Even", "SayOneByte", "Says", "System", "even", "match", "settings"]
