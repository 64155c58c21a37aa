"""The `gadfly` command as a process of its own, for what ends it from outside."""

import sys

GADFLY = [sys.executable, "-c", "import sys; sys.argv[0] = 'gadfly'; from gadfly.cli import main; main()"]
"""What stands before its words."""
