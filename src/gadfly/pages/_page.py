"""What every HTML page of gadfly stands on: a jinja environment in which no text acts, and hashes for its policy."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from gadfly.pages._chart import svg
from gadfly.pages._inert import highlighted, line, said, visible

__all__ = ["csp_hash", "environment", "tokens"]


def environment(package: str) -> Environment:
    """The templates under `package`/templates: autoescape on, every string through `visible`, unknown names
    an error; filters `highlighted`, `line`, `said` and `svg`.
    """
    env = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    env.filters |= {"highlighted": highlighted, "line": line, "said": said, "svg": svg}
    return env


@cache
def tokens() -> str:
    """The colours and the type that all pages share, as CSS custom properties, for dark and light."""
    return (Path(__file__).parent / "tokens.css").read_text(encoding="utf-8")


def csp_hash(text: str) -> str:
    """`sha256-…`, what a content security policy allows one inline style or script by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
