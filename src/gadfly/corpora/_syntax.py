"""How an answer with its evidence is written: `%<claim>%(title)%[quote]%`, then `(title)%[quote]%` for further quotes.

The claim cannot contain `>%` or `%<`, a title `)%[`, a quote `]%`: each part ends at the first of its closing marks,
so that an answer is read in one way only, whatever the documents contain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gadfly.errors import InputError

__all__ = ["CLAIM_END", "OPENING", "TITLE_END", "Form", "Parsed", "parse_answer"]

OPENING = "%<"
CLAIM_END, TITLE_END, QUOTE_END = ">%", ")%[", "]%"


@dataclass(frozen=True)
class Form:
    """What an answer may look like.

    `claim` None: the model writes the claim, of so many characters (fewest, most); else evidence is made for that
    claim. `quotes` is the most quotes, at least one is given. `quote_chars`: the fewest characters of a span (where a
    passage has so many) and the most of a whole quote, marks of what is left out included.
    """

    claim: str | None = None
    quotes: int = 1
    claim_chars: tuple[int, int] = (1, 300)
    quote_chars: tuple[int, int] = (10, 300)

    def __post_init__(self) -> None:
        if self.quotes < 1:
            raise InputError(f"quotes must be at least 1, got {self.quotes}.")
        for name, (least, most) in (("claim_chars", self.claim_chars), ("quote_chars", self.quote_chars)):
            if not 1 <= least <= most:
                raise InputError(f"{name} must be (fewest, most) from 1 on, got {(least, most)}.")
        if self.claim is not None and (CLAIM_END in self.claim or not self.claim.strip()):
            raise InputError(f"A claim cannot be blank or contain {CLAIM_END!r}, got {self.claim!r}.")

    @property
    def opening(self) -> str:
        """What the prompt ends with: the marks that open an answer, and the claim where it is given."""
        return OPENING if self.claim is None else f"{OPENING}{self.claim}{CLAIM_END}("


@dataclass(frozen=True)
class Parsed:
    """What an answer says: its claim, and (title, quote) pairs that nobody has verified.

    `whole` is False for an answer that was cut before its end or goes on after it in another way; what was read up to
    there is kept, a half-written quote is not.
    """

    claim: str
    quotes: tuple[tuple[str, str], ...]
    whole: bool


def parse_answer(text: str, claim: str | None = None) -> Parsed | None:
    """Reads an answer that begins just after `%<`, or has that and anything before it; None if there is no claim.

    With a `claim` the text begins after `%<claim>%(` (these marks may be there too). White space between the parts,
    and a doubled `%` between quotes, are forgiven.
    """
    if claim is None:
        head, mark, rest = text.partition(CLAIM_END)
        claim = head.rpartition(OPENING)[2].strip()
        if not claim:
            return None
        if not mark:
            return Parsed(claim, (), False)
    else:
        rest = "(" + text.removeprefix(f"{OPENING}{claim}{CLAIM_END}(")
    quotes: list[tuple[str, str]] = []
    while begun := re.match(r"\s*%?\(", rest):
        title, mark, after = rest[begun.end() :].partition(TITLE_END)
        quote, end, after = after.partition(QUOTE_END)
        if not mark or not end:
            return Parsed(claim, tuple(quotes), False)
        quotes.append((title, quote))
        rest = after
    return Parsed(claim, tuple(quotes), bool(quotes) and not rest.strip())
