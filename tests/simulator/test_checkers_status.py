"""What a status has to know and to name, each with a history that holds, is violated, says nothing."""

import pytest
from histories import START, Build, iso, us

from contract_tests.scenarios import scenario
from hermes_cron import CronScheduler
from simulator.checkers import check
from simulator.hosts import reference_host
from simulator.hosts.reference import ReferenceHost
from simulator.scenario import Scenario
from simulator.target import from_class
from simulator.world import simulate

GREEN = {"verdict": "healthy", "promises": True}


def every(interval_s: int, *, last: str) -> Build:
    """A loop that keeps this interval, until `last`."""
    build = Build(f"interval: {interval_s}\n").up().beat(0)
    for second in range(0, us(last) // 1_000_000, interval_s):
        build.tick(second)
    return build


def fell_back() -> Build:
    """The configured provider raised, and the built-in ticks in its place."""
    build = Build().add(0, "boot", incarnation=1).add(0, "up")
    build.add(0, "provider.start", name="portside", interval_s=60, kwargs=[])
    build.add(0, "provider.raised", error="ConnectionError")
    return build.add(0, "provider.start", name="builtin", interval_s=60, kwargs=[]).loop()


def overdue(**record) -> Build:
    """What was due at 1h has not run; the store still waits for it."""
    return Build().up().loop().store(1, "j", **{"next_run_at": iso("1h"), **record})


def leaving() -> Build:
    return Build().up().loop(last="1h").add("1h", "stop.requested").add("1h2m", "stopped")


def ahead(seconds: float) -> Build:
    """The machine's clock is ahead of the reader's: its last signals are of the future."""
    build = Build("machines: {a: {skew: 10s}}\n").up().loop(last="2h").runs("j", "1h", "2h")
    for name in ("ticker_heartbeat", "ticker_last_success"):
        stated = START.timestamp() + 2.5 * 3600 + seconds
        build.add("2h29m59s", "signal", name=name, content=str(stated))
    return build


def stepped() -> Build:
    """The only machine's clock jumps an hour ahead, and its reader's with it."""
    more = "steps: [{at: 2h, do: set-clock, machine: a, by: 1h}]\n"
    build = Build(more).up().loop(last="2h")
    build.add("2h", "op", "operator", do="set-clock", step=0)
    build.add("2h", "op.end", "operator", do="set-clock", error=None)
    stated = START.timestamp() + 3.5 * 3600
    return build.add("2h29m59s", "signal", name="ticker_heartbeat", content=str(stated))


CASES = [
    # 20 min without a heartbeat are nothing at an interval of 10
    ("STAT-9", "held", every(600, last="1h").status("1h10m", **GREEN)),
    ("STAT-9", "violated", every(600, last="1h").status("1h10m", "STALLED")),
    ("STAT-9", "held", every(600, last="1h").status("1h10m", verdict="unhealthy")),  # of another matter
    # 60 s are twelve ticks at an interval of 5
    ("STAT-9", "held", every(5, last="1h").status("1h1m", "STALLED")),
    ("STAT-9", "violated", every(5, last="1h").status("1h1m", **GREEN)),
    ("STAT-9", "unknown", every(60, last="1h").status("1h2m", **GREEN)),  # the usual one says the same
    ("STAT-9", "unknown", every(600, last="1h").status("2h", "STALLED")),
    ("STAT-10", "held", fell_back().status("2h", names=["portside", "ConnectionError"], **GREEN)),
    ("STAT-10", "violated", fell_back().status("2h", names=["ConnectionError"], **GREEN)),
    ("STAT-10", "violated", fell_back().status("2h", names=["portside"], **GREEN)),
    ("STAT-10", "unknown", Build().up().loop().status("2h", **GREEN)),
    ("STAT-10", "unknown", fell_back().status(0, names=["portside"], **GREEN)),
    ("STAT-12", "held", overdue().status("1h30m", names=["j"])),
    ("STAT-12", "violated", overdue().status("1h30m")),
    ("STAT-12", "violated", overdue().status("1h30m", names=["j"], **GREEN)),
    ("STAT-12", "unknown", overdue().status("1h2m", **GREEN)),  # not for long enough
    ("STAT-12", "unknown", overdue().run("j", "1h", "2h").status("1h30m", **GREEN)),  # it runs
    ("STAT-12", "unknown", overdue(next_run_at=iso("2h")).status("1h30m", **GREEN)),  # the store moved on
    ("STAT-12", "unknown", overdue(fire_claim={"at": iso("1h"), "by": "a:1"}).status("1h30m", **GREEN)),
    ("STAT-12", "held", overdue(state="error", next_run_at=None).status("1h30m", names=["j"])),
    ("STAT-12", "violated", overdue(state="error", next_run_at=None).status("1h30m", names=["j"], **GREEN)),
    ("STAT-12", "held", leaving().status("1h1m", verdict="unhealthy")),
    ("STAT-12", "violated", leaving().status("1h1m", **GREEN)),
    ("STAT-12", "unknown", leaving().status("1h3m")),  # it has left; that is another row's matter
    ("STAT-1", "unknown", ahead(2).status("2h30m", verdict="unknown")),  # what is ahead may be unknown
    ("STAT-1", "held", ahead(-1).status("2h30m", **GREEN)),
    ("STAT-6", "violated", ahead(9).status("2h30m", **GREEN)),
    ("STAT-6", "unknown", stepped().status("2h30m", **GREEN)),
    ("STAT-6", "held", ahead(9).status("2h30m", verdict="unknown")),
    ("STAT-6", "unknown", ahead(1).status("2h30m", **GREEN)),  # two readings of a clock differ
]  # fmt: skip


@pytest.mark.parametrize(("requirement", "verdict", "build"), CASES)
def test_the_status_against_what_was_so(requirement, verdict, build):
    finding = build.judge(requirement)
    assert (finding.id, finding.verdict) == (requirement, verdict), finding.reason
    if verdict == "violated":
        assert finding.lines


def read_failed(*, promises: bool) -> Build:
    build = Build().up().loop()
    build.add("1h30m", "fault", "operator", index=-1, seam="store.read", does="raise", job=None)
    how = GREEN if promises else {}
    return build.status("1h30m", **how)


@pytest.mark.parametrize(("promises", "verdict"), [(False, "held"), (True, "violated")])
def test_a_store_that_the_status_cannot_read(promises, verdict):
    assert read_failed(promises=promises).judge("STAT-12").verdict == verdict


def test_a_history_says_what_the_status_names():
    class Portside(CronScheduler):
        name = "portside"

        def start(self, stop_event, *, adapters=None, loop=None, interval=60):
            raise ConnectionRefusedError("nobody answers")

    run = simulate(scenario("status-fallback"), from_class(Portside, "portside"))
    said = run.history.of("status")[-1].data["names"]
    assert {"portside", "ConnectionRefusedError"} <= set(said)
    assert "report" in said  # the job that comes next


def test_a_status_that_raises_is_in_the_history():
    class Raising(ReferenceHost):
        def status(self):
            raise KeyError("a field that nobody wrote")

    base = scenario("status-fallback")
    run = simulate(base, reference_host().bundled()["builtin"], host=Raising())
    found = {finding.id: finding for finding in check(run.history, base)}
    assert found["STAT-13"].verdict == "violated"
    assert "KeyError" in found["STAT-13"].reason


@pytest.mark.parametrize("skew", ["-2s", "-1s", "1s", "2s", "5s"])
def test_two_seconds_of_skew_make_no_liar_of_an_honest_host(skew):
    base = scenario("status-loop").plain()
    base |= {"machines": {"a": {"skew": skew}}, "lasts": "39m", "expect": {}}
    base["steps"] = [{"at": f"{at}s", "do": "status"} for at in range(1500, 1562, 1)]
    base["faults"] = []
    target = reference_host().bundled()["builtin"]
    skewed = Scenario.model_validate(base)
    run = simulate(skewed, target)
    assert not [f for f in check(run.history, skewed) if f.verdict == "violated"]
