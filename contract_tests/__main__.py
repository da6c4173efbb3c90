"""``python -m contract_tests``: the command, where its script is not installed."""

from contract_tests.cli import main

if __name__ == "__main__":
    main()
