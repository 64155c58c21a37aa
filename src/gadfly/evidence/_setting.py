"""What a threshold was set with: where another model, corpus or judge answers, nobody has seen what it keeps."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Setting"]

LONG = 60
"""From so many characters on a value is not shown: a prompt, a hash."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The game's spec (`Quoting.spec`), where `documents` are the passages of one search, the `samples` drawn from
    them, and the spec of the judge, all as JSON values.
    """

    game: Mapping[str, Any]
    samples: int
    judge: Mapping[str, Any]

    @classmethod
    def of(cls, game: Mapping[str, Any], samples: int, judge: Mapping[str, Any]) -> Setting:
        """As it is once it has been kept as JSON, so that tuples are lists."""
        return cls(json.loads(json.dumps(game)), samples, json.loads(json.dumps(judge)))

    def differences(self, now: Setting) -> Iterator[str]:
        """What is another one now, in a few words each."""
        before, after = self._parts(), now._parts()
        differing = [part for part in {**before, **after} if before.get(part) != after.get(part)]
        hidden = {named for part in differing for named in _FOLLOWS.get(part, ())}
        for part in differing:
            was, is_ = before.get(part), after.get(part)
            if part not in hidden:
                shown = _short(was) and _short(is_)
                yield f"{part} {was} (now {is_})" if shown else f"another {part}"

    def _parts(self) -> dict[str, Any]:
        """Its parts by what they are called."""
        answerer, corpus = self.game["answerer"], self.game["corpus"]
        sampling = {name.replace("_", " "): value for name, value in answerer["sampling"].items()}
        return {
            "model": answerer["model"],
            "provider": answerer["provider"],
            "server": answerer["base_url"],
            "weights": [answerer["weights_sha256"]],
            "system prompt": [answerer["system_prompt"]],
            **sampling,
            "corpus": corpus["name"],
            "state of the corpus": [corpus],
            "number of passages": self.game["documents"],
            "number of answers": self.samples,
            "form of an answer": [self.game["form"]],
            "mask": self.game["constrained"],
            "number of retries": self.game["retries"],
            "state of the judge": [self.judge],
        }


_FOLLOWS = {
    "model": ("provider", "server", "weights", "number of retries"),
    "corpus": ("state of the corpus",),
}
"""What goes without saying where a part is another one."""


def _short(value: Any) -> bool:
    return not isinstance(value, list | dict) and len(str(value)) < LONG
