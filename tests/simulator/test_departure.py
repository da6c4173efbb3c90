"""Where a failing run departs from the nearest passing one, and how the timeline marks it."""

import re
from io import StringIO

import explored_providers
import pytest
from histories import Build
from rich.console import Console

from simulator.departure import departure_of, find_departure
from simulator.hosts import reference_host
from simulator.runner import select
from simulator.target import Target, from_class
from simulator.timeline import show_timeline
from simulator.verdict import judge
from simulator.world import simulate

HOST = reference_host()


def _departure(incident, make, capability):
    ((_, scenario),) = select([incident])
    target = Target("theirs", make, frozenset({capability}))
    run = simulate(scenario, target, host=HOST)
    return run, target, find_departure(run, target, HOST)


def _shown(history, departure=None):
    out = StringIO()
    show_timeline(history, Console(file=out, width=200), departure=departure)
    return out.getvalue()


def test_the_first_difference_is_marked_where_it_is():
    """The reference survives the same tick, so what differs is the provider's own doing."""
    run, _, found = _departure(
        "tick-raises-systemexit", explored_providers.CatchesExceptions, "blocking"
    )
    assert ("a", "start raised SystemExit") in found.here
    assert found.passing == "the run of builtin"
    text = _shown(run.history, found)
    assert re.search(r"^≠ 09:00:00 +raise at tick", text, re.MULTILINE)
    last = text.splitlines()[-1]
    assert last.startswith(
        "≠ Mon 09:00:00: departs from the run of builtin. There nothing. Here a:"
    )


def test_what_only_the_passing_run_has_is_said_to_be_there():
    """A second that the failing run passes in silence gets a row of its own."""
    passing = Build().up().run("j", "1h", 2).run("j", "2h", 2).history()
    failing = Build().up().run("j", "1h", 2).add("3h", "crash").history()
    found = departure_of(failing, passing, "the other")
    assert found.there == (("a", "run 2 j"),)
    assert found.here == ()
    text = _shown(failing, found)
    marked = text.index("≠ 10:00:00")
    assert text.index("09:00:02") < marked < text.index("11:00:00")
    assert "there: run 2 j" in text


def test_it_is_shown_when_nothing_comes_after_it():
    passing = Build().up().run("j", "1h", 2).run("j", "2h", 2).history()
    failing = Build().up().run("j", "1h", 2).history()
    text = _shown(failing, departure_of(failing, passing, "the other"))
    assert re.search(r"^≠ 10:00:00 +there: run 2 j", text, re.MULTILINE)


def test_routine_counts_when_the_runs_are_told_alike():
    """A claim that was won is told nowhere, and is all that is left out here."""
    failing = Build().up().run("j", "1h", 2).history()
    passing = Build().up().add("1h", "claim", job="j", won=True).run("j", "1h", 2).history()
    found = departure_of(failing, passing, "the other")
    assert (found.there, found.here) == ((("a", "claim j"),), ())


def test_alike_is_no_departure():
    history = Build().up().run("j", "1h", 2).history()
    other = Build().up().run("j", "1h", 2).add("90m", "log", level="ERROR", error="X").history()
    assert departure_of(history, other, "the other") is None, "what is logged is its own affair"


def test_a_provider_of_the_host_itself_is_compared_with_its_run_without_faults():
    """Its sabotage stands for an edit of the reference; there is no other of its kind."""
    ((_, scenario),) = select(["tick-raises-systemexit"])
    target = Target("builtin", explored_providers.CatchesExceptions, frozenset({"blocking"}))
    run = simulate(scenario, target, host=HOST)
    found = find_departure(run, target, HOST)
    assert found.passing == "the run without its faults"
    assert ("a", "tick raised SystemExit") in found.here


@pytest.mark.parametrize("faults", [True, False])
def test_no_passing_run_no_departure(faults):
    """One that never works has nothing to depart from."""
    ((_, scenario),) = select(["tick-raises-systemexit"])
    if not faults:
        scenario = scenario.model_copy(update={"faults": ()})
    target = from_class(explored_providers.LeavesAtOnce, "builtin")
    target = Target(target.label, target.make, frozenset({"blocking"}))
    run = simulate(scenario, target, host=HOST)
    assert judge(run.history, scenario).verdict == "violated"
    assert find_departure(run, target, HOST) is None
