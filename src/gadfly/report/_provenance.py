"""What was run and how to run it again, and the system under audit in words."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from gadfly.debate._people import decided_by, person_in
from gadfly.report._section import Provenance, RunRef
from gadfly.runs import Run

__all__ = ["described", "provenance"]


def described(run: Run) -> str:
    """The system under audit in words: model, sampling, system prompt."""
    player = run.info["players"]["target"]
    sampling = player["sampling"]
    shown = [words.format(sampling[key]) for key, words in _SAMPLING.items() if key in sampling]
    prompt = (
        f"system prompt “{player['system_prompt']}”" if player.get("system_prompt") else "no system prompt"
    )
    return ", ".join([player["model"], *shown, prompt])


_SAMPLING = {"temperature": "temperature {}", "top_p": "top-p {}", "max_tokens": "at most {} tokens"}


def provenance(runs: Sequence[Run]) -> Provenance:
    """Of all these runs together."""
    first = runs[0].info
    git = first["git"]
    models: dict[str, dict[str, None]] = defaultdict(dict)
    for run in runs:
        for role, player in run.info["players"].items():
            weights = str(player.get("weights_sha256") or "")[:16]
            models[role][f"{player['model']} {weights}".strip()] = None
        for name, judge in _asked(run):
            weights = str(judge.get("weights_sha256") or "")[:16]
            models.setdefault(name, {})[f"{judge['model']} {weights}".strip()] = None
    changed = " with uncommitted changes" if git["changed"] else ""
    return Provenance(
        commands=tuple(dict.fromkeys(filter(None, (_command(run.info["command"]) for run in runs)))),
        runs=tuple(RunRef(run.id, str(run.path)) for run in runs),
        look=_look(runs),
        models={role: ", ".join(names) for role, names in models.items()},
        seeds=tuple(dict.fromkeys(run.info["seed"] for run in runs)),
        versions=first["versions"],
        git=f"{git['commit'][:12]}{changed}" if git["commit"] else "",
        started=min(datetime.fromisoformat(run.info["started"]) for run in runs),
        wall_seconds=sum(run.info["wall_s"] for run in runs),
        reproducible=(
            "A person took part: nothing plays them again."
            if any(map(person_in, runs))
            else "The same seed gives the same rows on the same machine and weights."
            if all(run.info["reproducible"] for run in runs)
            else "A remote model answered: running this again gives other replies, and rates that agree within their "
            "intervals."
        ),
    )


def _look(runs: Sequence[Run]) -> str:
    """What to type to see it again; runs told by several judges that were asked for are seen by their own. Another
    judge of debates may become a run's own later, so a model that decides them is named.
    """
    asked = {run.by or (run.info.get("verdict", "") if _by_a_model(run) else "") for run in runs}
    by = ["--judge", *asked] if len(asked) == 1 and asked != {""} else []
    verb = "show" if len(runs) == 1 else "report"
    return shlex.join(["gadfly", verb, *(run.found_by for run in runs), *by])


def _by_a_model(run: Run) -> bool:
    return run.info["spec"].get("game") == "debating" and not decided_by(run)


def _asked(run: Run) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The models that judged and had no part in the game, by the judges' names."""
    for name, judge in run.info.get("judges", {}).items():
        asked = judge.get("spec", {}).get("judge")
        if isinstance(asked, Mapping) and "model" in asked and "judge" not in run.info["players"]:
            yield name, asked


def _command(argv: Sequence[str]) -> str:
    """What to type to run it again; empty where it was not started by a command."""
    if not argv or argv[0] in ("", "-", "-c", "-m"):
        return ""
    if argv[0].endswith(".py"):
        return shlex.join(["python", *argv])
    return shlex.join([Path(argv[0]).name, *argv[1:]])
