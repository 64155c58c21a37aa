"""A clock that only tests move, and a store with one queue and people at it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from gadfly.review._records import Answer, NewItem, Rater
from gadfly.review._store import Store


@dataclass
class Clock:
    """Stands still until told how many seconds have passed."""

    now: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Desk:
    """A store with one queue in it, and short words for what raters do there."""

    store: Store
    queue: str = "claims"
    names: dict[str, Rater] = field(default_factory=dict)

    def rater(self, name: str, role: str = "rater") -> Rater:
        if name not in self.names:
            self.names[name] = self.store.rater(self.store.add_rater(self.queue, name, role))
        return self.names[name]

    def shown(self, name: str) -> str | None:
        """The case that a rater is given."""
        assignment = self.store.next(self.rater(name).id)
        return assignment and assignment.item.case_id

    def says(self, name: str, value: str = "passes", **said: object) -> str:
        """A rater answers what they are given; its case."""
        assignment = self.store.next(self.rater(name).id)
        assert assignment is not None
        self.store.answer(assignment.id, self.rater(name).id, Answer(value, **said))
        return assignment.item.case_id


def drawn(cases: int, first: int = 0) -> list[NewItem]:
    return [NewItem("run", f"c{n}", {"turns": []}, index=n) for n in range(first, first + cases)]


def gold(cases: int) -> list[NewItem]:
    return [NewItem("gold", f"g{n}", {"turns": []}, gold=n % 2 == 0) for n in range(cases)]
