"""The documentation is executed: fences run, verbs and options exist, the reference is what the program says."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from forked import Forked
from gadfly.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [
    part.split("#")[0].strip()
    for line in re.findall(r"^gadfly .*$", README, re.MULTILINE)
    for part in line.split(" · ")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_in_the_readme_names_a_verb_and_options_that_exist(command):
    known, words = get_command(app), shlex.split(command)[1:]
    while hasattr(known, "commands"):
        known = known.commands[words.pop(0)]
    options = {name for parameter in known.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_the_readmes_python_runs(tmp_path, tiny_agent_dir):
    """On random weights, which take seconds: `make demo` audits the real ones."""
    [code] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert "gadfly/smollm2" in code
    code = code.replace("gadfly/smollm2", f"gadfly/{tiny_agent_dir}")
    ended, said = Forked(code, cwd=tmp_path).ended()
    assert ended == 0, said
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_the_command_reference_is_what_the_program_says(tmp_path):
    made = tmp_path / "cli.md"
    typer = Path(sys.executable).with_name("typer")
    arguments = ["gadfly.cli", "utils", "docs", "--name", "gadfly", "--output", str(made)]
    subprocess.run([typer, *arguments], check=True, capture_output=True)
    assert made.read_text() == (ROOT / "docs/cli.md").read_text(), "run: make docs"


def test_every_file_the_readme_points_to_exists():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []
