"""Every benchmark in turn: `make bench`. Each prints its figures and writes benchmarks/results/NAME.json.

Figures are ratios of things measured side by side in one run; absolute ones are this machine's. About forty minutes on
two cores; `--quick` takes about eight and is coarser. debate_protocols takes many hours: it runs only where it is named
or with `--quick`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

NAMES = (
    "engine",
    "transport",
    "runner",
    "kill",
    "coverage",
    "judges",
    "correction",
    "raters",
    "learning",
    "review",
    "reward",
    "reinforce",
    "ladder",
    "pressure_coverage",
    "pressure_search",
    "declining",
    "corpus",
    "verbatim",
    "debate_ratings",
    "digits",
    "quantised",
)
LONG = ("debate_protocols",)
QUICK = {"coverage": ["--draws", "300"], "correction": ["--draws", "100"], "judges": ["--no-model"]}


def main() -> int:
    """Run the named benchmarks, all by default; returns how many failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(NAMES + LONG)}")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    failed = 0
    for name in arguments.names or (NAMES + LONG if arguments.quick else NAMES):
        print(f"\n== {name}", flush=True)
        options = QUICK.get(name, ["--quick"]) if arguments.quick else []
        script = Path(__file__).parent / f"{name}.py"
        failed += subprocess.run([sys.executable, script, *options], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
