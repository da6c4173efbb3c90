"""STAT: the status tells what is so. Judges the host, by its words.

Each row is judged twice: in homes as gateways leave them (`status_cases`), where the truth is what
was put there, and over virtual time, where it is known from the history.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contract_tests.benches.status import StatusBench, StatusReading
from contract_tests.engine import Context, Outcome, held, probe, unknown, violated
from contract_tests.probes.status_cases import CASES, GREEN, MOMENTS, PROMISE, Arrange, Told
from contract_tests.probes.virtual import Watched, watch
from contract_tests.surroundings import Answer, ask, captured_logs, home, watched
from simulator.checkers import CHECKERS
from simulator.durations import parse_duration
from simulator.hosts import reference_host
from simulator.target import Target, from_class

__all__: list[str] = []  # probes are found by their ids

READ_WAIT_S = 20.0  # of a busy machine; milliseconds, else
LOCKED_WAIT_S = 8.0  # so too, and shorter than a host's own patience with a lock
EXIT_CODES = {"healthy": 0, "unhealthy": 1, "unknown": 3}
# Whoever tells an operator what to do uses one of these; a mere fact has none of them.
ADVICE = re.compile(
    r"\b(re)?start (it|the gateway|again)\b|\b(look|run|make|stop|check) ", re.IGNORECASE
)


# -- homes


@contextmanager
def _bench(context: Context, label: str) -> Iterator[StatusBench]:
    folder = context.folder / "status" / label / "home"
    with home(folder), captured_logs(), context.host.status_bench() as bench:
        yield bench


def _reading(context: Context, requirement: str, number: int) -> Answer:
    """What the status said in one of the homes; asked once for all rows that look at it."""
    readings: dict[tuple[str, int], Answer] = context.shared.setdefault("status readings", {})
    key = (requirement, number)
    if key not in readings:
        with _bench(context, f"{requirement}-{number}") as bench:
            CASES[requirement][number].arrange(bench)
            readings[key] = ask(bench.read, wait_s=READ_WAIT_S)
    return readings[key]


def _case_problem(context: Context, requirement: str, number: int) -> str | None:
    answer = _reading(context, requirement, number)
    if answer.error is not None or answer.late:
        return f"the status {answer}"
    reading: StatusReading = answer.value
    return _differs(CASES[requirement][number].told, reading.text, _verdict_of(reading.data))


def _verdict_of(data: Any) -> str | None:
    verdict = data.get("verdict") if isinstance(data, dict) else None
    return verdict if verdict in EXIT_CODES else None


def _differs(told: Told, text: str, verdict: str | None) -> str | None:
    """How a status differs from what it has to say. That there is a verdict is STAT-13's affair."""
    words = " ".join(text.split())
    for wanted in told.says:
        if not any(one in words for one in wanted.split("|")):
            return f"it does not say '{wanted}'; it says: {_first(text)}"
    for unwanted in told.never:
        if unwanted in words:
            return f"it says '{unwanted}': {_first(text)}"
    if verdict is not None and verdict not in told.verdicts:
        return f"the verdict is {verdict}, not {' or '.join(told.verdicts)}: {_first(text)}"
    if told.advises and not ADVICE.search(words):
        return f"it does not say what to do: {_first(text)}"
    return None


def _first(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "nothing")[:160]


# -- moments


def _own(capability: str) -> Target:
    """The host's own provider of this kind: what is judged here is the host."""
    targets = reference_host().bundled().values()
    return next(target for target in targets if capability in target.capabilities)


def _that_cannot_start(context: Context) -> Target:
    """A provider that was configured and whose start raises."""

    def start(_: Any, __: Any, **___: Any) -> None:
        raise ConnectionRefusedError("the queue answers nobody")

    members = {"name": "portside", "start": start}
    return from_class(type("Portside", (context.host.interface(),), members), "portside")


def _watched(context: Context, scenario: str) -> Watched:
    if scenario == "status-fallback":
        return watch(context, scenario, _that_cannot_start(context))
    return watch(context, scenario, _own("external" if "registry" in scenario else "blocking"))


def _moment_problem(watched: Watched, moments: Mapping[str, Told]) -> str | None:
    """What was wrong at the moments at which somebody looked; the world looks at others too."""
    for at, told in moments.items():
        said = [s for s in watched.history.of("status") if watched.since(s) == parse_duration(at)]
        assert said, f"{watched.run.scenario.name} asks for the status at {at}"
        text = watched.history.text(said[-1].n) or ""
        if problem := _differs(told, text, said[-1].data.get("verdict")):
            return f"{at} into {watched.run.scenario.name}: {problem}"
    return None


def _over_time(context: Context, requirement: str) -> Outcome:
    """By the moments of the row, then by the simulator's own checker."""
    looked = 0
    for scenario, moments in MOMENTS[requirement].items():
        watched = _watched(context, scenario)
        if trouble := watched.trouble():
            return trouble
        if problem := _moment_problem(watched, moments):
            return violated(problem)
        if objection := watched.objection(requirement):
            return objection
        finding = CHECKERS[requirement](watched.history, watched.run.scenario)
        if finding.verdict != "held":
            return unknown(f"in {scenario}: {finding.reason}")
        looked += len(moments)
    return held(f"{looked} moments in {', '.join(MOMENTS[requirement])}")


# -- rows


def _in_homes(context: Context, requirement: str) -> Outcome:
    cases = CASES.get(requirement, ())
    for number, case in enumerate(cases):
        if problem := _case_problem(context, requirement, number):
            return violated(f"{case.when}: {problem}")
    return held(f"{len(cases)} homes")


def _judged(context: Context, requirement: str) -> Outcome:
    """A row that is nothing but its cases and its moments."""
    there = _in_homes(context, requirement)
    if there.holds is False:
        return there
    then = _over_time(context, requirement)
    return held(*there.evidence, *then.evidence) if then.holds else then


for _id in (f"STAT-{_number}" for _number in (*range(1, 11), 12)):
    probe(_id)(functools.partial(_judged, requirement=_id))


@probe("STAT-11")
def green_by_what_is_armed(context: Context) -> Outcome:
    """A registry outside: told what is armed, refused an arm; and one that nobody has told of."""
    with _bench(context, "untold") as bench:
        context.host.furnish(bench.home, _own("external").label)
        bench.reported(4242)
        bench.ages(heartbeat=10.0, success=10.0)
        answer = ask(bench.read, wait_s=READ_WAIT_S)
    if answer.error is not None or answer.late:
        return violated(f"the status {answer}")
    reading: StatusReading = answer.value
    blind = Told(("managed scheduler",), (PROMISE, "STALLED"))
    if problem := _differs(blind, reading.text, _verdict_of(reading.data)):
        return violated(f"nobody has told what is armed: {problem}")
    then = _over_time(context, "STAT-11")
    return held("no green without evidence", *then.evidence) if then.holds else then


@probe("STAT-13")
def reads_only(context: Context) -> Outcome:
    """In every home of the other rows, then in homes that cannot be read, or are locked."""
    asked = 0
    for requirement, cases in CASES.items():
        for number, case in enumerate(cases):
            if problem := _disagrees(_reading(context, requirement, number)):
                return violated(f"{case.when}: {problem}")
            asked += 1
    problem = _in_strange_homes(context) or _beside_a_lock(context) or _changes(context)
    if problem:
        return violated(problem)
    then = _over_time(context, "STAT-13")
    words = (
        f"in {asked} homes, words, JSON and exit codes agree; nothing written, no lock waited for"
    )
    return held(words, *then.evidence) if then.holds else then


def _disagrees(answer: Answer) -> str | None:
    """Whether the ways to the status say different things."""
    if answer.error is not None or answer.late:
        return f"the status {answer}"
    reading: StatusReading = answer.value
    if reading.error is not None:
        return f"it raised {type(reading.error).__name__}: {reading.error}"
    verdict = _verdict_of(reading.data)
    if verdict is None:
        return f"--json gives no verdict: {str(reading.data)[:80]}"
    codes = {reading.exit_code, reading.json_exit_code}
    if codes != {EXIT_CODES[verdict]}:
        return f"the verdict is {verdict} and the exit code {sorted(codes)}"
    promises = {PROMISE in words for words in (reading.text, reading.printed)}
    if promises != {verdict == "healthy"}:
        return f"the verdict is {verdict}, and the words are: {_first(reading.text)}"
    return None


def _in_strange_homes(context: Context) -> str | None:
    """Whether it raises where nothing can be read, or where what it asks raises."""
    places = ("config.yaml", "auth.json", "cron", "cron/jobs.json", "cron/ticker_heartbeat")
    strange: dict[str, Arrange] = {
        f"{path} is {what}": functools.partial(_put, path=path, text=text)
        for path in places
        for what, text in (("garbage", "{\x00[: -"), ("a folder", None))
    }
    functions = ("find_gateway_pids", "get_ticker_heartbeat_age", "get_ticker_success_age")
    for what in (*functions, "list_jobs", "load_config"):
        for error in (OSError(5, "no input"), SystemExit(3)):
            words = f"{what} raises {type(error).__name__}"
            strange[words] = functools.partial(_break, what=what, error=error)
    for number, (what, arrange) in enumerate(strange.items()):
        with _bench(context, f"strange-{number}") as bench:
            bench.reported(4242)
            arrange(bench)
            if problem := _disagrees(ask(bench.read, wait_s=READ_WAIT_S)):
                return f"{what}: {problem}"
    return None


def _put(bench: StatusBench, path: str, text: str | None) -> None:
    bench.write(path, text)


def _break(bench: StatusBench, what: str, error: BaseException) -> None:
    bench.fail(what, error)


def _beside_a_lock(context: Context) -> str | None:
    with _bench(context, "locked") as bench:
        CASES["STAT-1"][3].arrange(bench)
        with bench.locked():
            answer = ask(bench.read, wait_s=LOCKED_WAIT_S)
    if problem := _disagrees(answer):
        return f"while somebody else holds the locks: {problem}"
    problem = _differs(GREEN, answer.value.text, _verdict_of(answer.value.data))
    return f"while somebody else holds the locks: {problem}" if problem else None


def _changes(context: Context) -> str | None:
    """What asking changes on disk, if anything."""
    homes = {"STAT-1": (3,), "STAT-4": (0, 2), "STAT-10": (1,), "STAT-12": (0, 1, 3, 6)}
    for requirement, numbers in homes.items():
        for number in numbers:
            case = CASES[requirement][number]
            with _bench(context, f"watched-{requirement}-{number}") as bench:
                case.arrange(bench)
                before = _disk(bench.home)
                with watched() as seen:
                    ask(bench.read, wait_s=READ_WAIT_S)
                if seen.writes or _disk(bench.home) != before:
                    what = ", ".join(seen.writes[:3]) or "a file changed"
                    return f"{case.when}: to ask for the status is to write: {what}"
    return None


def _disk(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file with its mode, its time and what it holds; the caches of Python are its own.

    A folder without its time: that tells of such a cache, too, and what is in it is looked at.
    """
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mode,
            path.stat().st_mtime_ns if path.is_file() else 0,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
        if "__pycache__" not in path.parts
    }
