"""`python -m hermes_cron.cli`: the command, where its script is not on the path."""

from hermes_cron.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
