"""Exploration: scenarios drawn by Hypothesis, judged, and what is violated made small.

    from simulator.explore import explore

    found = explore("my_pkg:MyProvider", examples=500, seed=7)
    found.verdict                      # "violated", "held" or "unknown"
    found.findings[0].shrunk.scenario  # a plain scenario that replays without Hypothesis

In the order in which things happen:

- `drawing`: example `index` of `seed`, the same wherever it is drawn; one in twenty is a rare one
- `looking`: run one, judge it, keep what a report needs
- `workers`: many of them, in their order, on one core or several
- `reach`: what was really tried, and whether that is enough to say "nothing found"
- `shrinking`: the smallest scenario that violates the same requirement
- `writing`: a scenario file and a test to paste
- `search`: all of it

This face is lazy: only drawing needs Hypothesis, an extra; who shrinks does without.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.explore.reach import Floor, Reach
    from simulator.explore.search import Exploration, Found, explore
    from simulator.explore.shrinking import Shrunk, shrink
    from simulator.explore.workers import ExploreError
    from simulator.explore.writing import pasteable_test, scenario_to_keep, write_findings

__all__ = [
    "Exploration",
    "ExploreError",
    "Floor",
    "Found",
    "Reach",
    "Shrunk",
    "explore",
    "pasteable_test",
    "scenario_to_keep",
    "shrink",
    "write_findings",
]

_HOMES = {
    "Exploration": "search",
    "ExploreError": "workers",
    "Floor": "reach",
    "Found": "search",
    "Reach": "reach",
    "Shrunk": "shrinking",
    "explore": "search",
    "pasteable_test": "writing",
    "scenario_to_keep": "writing",
    "shrink": "shrinking",
    "write_findings": "writing",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is asked for."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"simulator.explore.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
