"""Hold debates by some protocols and see whether they lead the judge to the right answer.

python examples/debate.py            scripted debaters of known skill: seconds, no weights
python examples/debate.py gadfly/smollm2
"""

import asyncio
import sys

from gadfly import debate as d
from gadfly.models import System, model
from gadfly.runs import run

ROWS = [
    {"question": f"Who built mill {n}?", "answers": [f"Ann of {n}", f"Bob of {n}"], "correct": n % 2,
     "document": f"Mill {n} stands by the river. It was built by {('Ann', 'Bob')[n % 2]} of {n} in {1800 + n}."}
    for n in range(20)
]  # fmt: skip


class Arguer(d.Skilled):
    """A scripted debater that is the more persuasive when it is right."""

    async def say(self, move: d.Move) -> d.Said:
        right = move.position.sides.get(move.seat) == move.position.dispute.correct
        return await d.Skilled(self.skill + right).say(move)


async def main(name: str) -> None:
    debater = d.Player.of(System(model(name))) if name else Arguer(1.0)
    judge = d.judge(name) if name else d.ScriptedJudge()  # alone it knows nothing
    protocols = map(d.protocol, ("naive", "consultancy", "debate"))
    games = [d.Debating(one, dict.fromkeys(one.own, debater), judge) for one in protocols]
    played = [await run(game, d.cases(ROWS, game.protocol), [judge]) for game in games]
    for line in d.debate_table(played).lines:
        print(f"{line.name:>12}: the judge is right {line.accuracy}")


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else ""))
