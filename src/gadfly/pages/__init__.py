"""How gadfly shows what models and people wrote: hostile text made inert, charts, and the frame of a page."""

from gadfly.pages._chart import ACCENT, FAINT, INK, Chart, svg
from gadfly.pages._inert import CLIP, KEEP, highlighted, line, said, visible
from gadfly.pages._page import csp_hash, environment, tokens

__all__ = [
    "ACCENT",
    "CLIP",
    "FAINT",
    "INK",
    "KEEP",
    "Chart",
    "csp_hash",
    "environment",
    "highlighted",
    "line",
    "said",
    "svg",
    "tokens",
    "visible",
]
