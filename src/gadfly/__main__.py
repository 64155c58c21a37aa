"""`python -m gadfly`, where the command itself is not on the path."""

from gadfly.cli import main

if __name__ == "__main__":
    main()
