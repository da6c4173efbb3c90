"""`python -m simulator.cli`: the command, where its script is not on the path."""

from simulator.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
