"""The exported contract suite: is it safe to ship this cron provider?

A map:

- ``requirements.toml``, `catalogue`: the contract as data, 108 requirements with ids for ever
- `target`: find the provider that the user means; `host`: what the kit asks of a host
- `engine`, `probes`: judge it, requirement by requirement; `verdicts`: how the parts add up
- `searching`: the search of profile nightly
- `suites`: the class to subclass with one fixture; `plugin`: the pytest plugin under it
- `cli`, `report`: the command ``hermes-contract``, and what it prints and writes
- `controls`: broken and odd providers that prove that the suite has teeth

Start with `suites` to test a provider of your own, with `engine` to see how a verdict comes about.
This face is lazy, so that the pytest plugin costs nothing where nobody uses it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contract_tests.engine import Judge
    from contract_tests.searched import Search
    from contract_tests.suites import CronSchedulerContract, ProviderHarness

__all__ = ["CronSchedulerContract", "Judge", "ProviderHarness", "Search"]

_HOMES = {
    "CronSchedulerContract": "contract_tests.suites",
    "Judge": "contract_tests.engine",
    "ProviderHarness": "contract_tests.suites",
    "Search": "contract_tests.searched",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is asked for."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
