"""A scenario to start from: a commented file that works as it stands."""

from __future__ import annotations

import uuid
from importlib import resources
from pathlib import Path

from gadfly.errors import InputError

__all__ = ["new_scenario"]


def new_scenario(path: Path | str) -> Path:
    """Write the commented scenario to `path`, with a canary of its own; a name without an ending gets `.yaml`.

    Raises `InputError` where there is something already.
    """
    path = Path(path)
    path = path if path.suffix in (".yaml", ".yml") else path.with_name(f"{path.name}.yaml")
    text = (resources.files("gadfly.pressure") / "template.yaml").read_text("utf-8")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text.replace("CANARY", f"gadfly-scenario-{uuid.uuid4()}", 1))
    except FileExistsError as error:
        raise InputError(f"{path} is there already; choose another name.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}).") from error
    return path
