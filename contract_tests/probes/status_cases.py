"""What gateways can leave in a home, and what the status has to say to each: data for the probes.

The phrases are HOST.md's ("Status lines"); how a host puts the rest is its own affair. What must be
said besides is what the kit itself put there: the name of a job, the text of an error.
"""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from contract_tests.benches.status import NO_PROCESS, StatusBench

__all__ = ["CASES", "GREEN", "MOMENTS", "PROMISE", "Arrange", "Case", "Told"]

PROMISE = "will fire automatically"
_TROUBLE = ("STALLED", "no tick has succeeded", "is not running", "will NOT fire")


@dataclass(frozen=True, slots=True)
class Told:
    """What a status has to say.

    Attributes:
        says: what must stand in it; of alternatives, divided by "|", one.
        never: what must not.
        verdicts: what the verdict may be.
        advises: whether it has to say what to do.
    """

    says: tuple[str, ...] = ()
    never: tuple[str, ...] = (PROMISE,)
    verdicts: tuple[str, ...] = ("unhealthy", "unknown")
    advises: bool = False

    def and_says(self, *words: str) -> "Told":
        """The same, and these words."""
        return replace(self, says=(*self.says, *words))


GREEN = Told((PROMISE,), _TROUBLE, ("healthy",))
STALLED = Told(("STALLED",), verdicts=("unhealthy",), advises=True)
FAILING = Told(("no tick has succeeded",), (PROMISE, "STALLED"), ("unhealthy",))
NOT_RUNNING = Told(("is not running", "will NOT fire"), (PROMISE, "STALLED"), ("unhealthy",))
UNKNOWN = Told((), (PROMISE, *_TROUBLE), ("unknown",))
UNDER_WAY = Told((), (PROMISE, "STALLED"))
NO_PROMISE = Told()
WRONG = Told(verdicts=("unhealthy",))
SAID = Told((), (), ("healthy", "unhealthy", "unknown"))

Arrange = Callable[[StatusBench], object]


@dataclass(frozen=True, slots=True)
class Case:
    """One home: what it is, how it is made so, what the status has to say."""

    when: str
    arrange: Arrange
    told: Told


GATEWAY, OTHER = 4242, 4343
BEATS, CLEAN = "ticker_heartbeat", "ticker_last_success"


def _all(*parts: Arrange) -> Arrange:
    """One after the other."""

    def arrange(bench: StatusBench) -> None:
        for part in parts:
            part(bench)

    return arrange


def _reported(*pids: int) -> Arrange:
    return lambda bench: bench.reported(*pids)


def _old(heartbeat_s: float, success_s: float) -> Arrange:
    """An older host's gateway: two files, this many seconds old, and nothing beside them."""
    return _all(
        _reported(GATEWAY),
        lambda bench: bench.signal(BEATS, bench.ago(heartbeat_s)),
        lambda bench: bench.signal(CLEAN, bench.ago(success_s)),
    )


def _ages(heartbeat: object, success: object) -> Arrange:
    """The functions of HOST.md answer this, as tests of hermes-agent have it."""
    return _all(_reported(GATEWAY), lambda bench: bench.ages(heartbeat=heartbeat, success=success))


def _new(pid: int = GATEWAY, **told: Any) -> Arrange:
    """This host's gateway, with a loop of its own that told this."""
    own = {name: told[name] for name in ("boot", "began_s", "interval_s") if name in told}
    return _all(_gateway(pid, **own), _loop(pid, **told))


def _gateway(pid: int = GATEWAY, **told: Any) -> Arrange:
    return lambda bench: bench.gateway(pid, **told)


def _loop(pid: int = GATEWAY, **told: Any) -> Arrange:
    return lambda bench: bench.loop(pid, **told)


def _job(name: str, **fields: Any) -> Arrange:
    return lambda bench: bench.job(name, **fields)


def _file(path: str, text: str | None) -> Arrange:
    return lambda bench: bench.write(path, text)


def _raises(what: str, error: BaseException) -> Arrange:
    return lambda bench: bench.fail(what, error)


def _one(**told: Any) -> Arrange:
    """One gateway of this host."""
    return _all(_reported(GATEWAY), _new(**told))


def _two(first: Mapping[str, Any], second: Mapping[str, Any]) -> Arrange:
    """Two gateways of this host."""
    return _all(_reported(GATEWAY, OTHER), _new(**first), _new(OTHER, **second))


_NO_TIMES = ("", "garbage", "nan", "inf", "-inf", "-5", "1e400", "99999999999", "\x00\x00")
_NO_AGES = (math.nan, math.inf, -math.inf, -5.0, "soon", None)
_MARK_OF_THE_DEAD = _loop(NO_PROCESS, beat_s=40, clean_s=40)
_NAMED = _file("config.yaml", "cron: {provider: portside}\n")
_WHY = "start raised ModuleNotFoundError: no module named 'timeport'"
_LACKS = (
    "raise ImportError('the queue library is not installed')\n\n\n"
    "def register(ctx):\n    ctx.register_cron_scheduler(None)\n"
)
_DENIED = PermissionError(13, "may not be looked at")

CASES: dict[str, tuple[Case, ...]] = {
    "STAT-1": (
        Case("both files of an older host are fresh", _old(10, 10), GREEN),
        Case("both ages are ten seconds", _ages(10.0, 10.0), GREEN),
        Case("both ages are just not stale", _ages(199.0, 199.0), GREEN),
        Case("the gateway's own loop beats and ticks", _one(), GREEN),
        Case("two gateways beat and tick", _two({}, {"beat_s": 50, "clean_s": 50}), GREEN),
    ),
    "STAT-2": (
        Case("both files are a quarter of an hour old", _old(900, 900), STALLED),
        Case("both ages are fifteen hours", _ages(55_800.0, 55_800.0), STALLED),
        Case("the heartbeat alone is stale", _ages(201.0, 100.0), STALLED),
        Case("its loop has not beaten for five minutes", _one(beat_s=300, clean_s=300), STALLED),
        Case("one of two is stale", _two({}, {"beat_s": 300, "clean_s": 300}), STALLED),
        Case("a tick has lasted 8 min", _one(beat_s=480, clean_s=480, tick_s=480), UNDER_WAY),
        Case("a tick has lasted 11 min", _one(beat_s=660, clean_s=660, tick_s=660), STALLED),
    ),
    "STAT-3": (
        Case("a fresh and a stale file", _old(10, 900), FAILING),
        Case("a fresh and a stale age", _ages(10.0, 900.0), FAILING),
        Case("its ticks fail", _one(clean_s=900, error=OSError(5, "no input")), FAILING),
        Case("those of one of two fail", _two({}, {"clean_s": 900, "error": OSError(5)}), FAILING),
    ),
    "STAT-4": (
        Case("the home was never used", _all(), NOT_RUNNING),
        Case("both files are fresh, and no gateway runs", _all(_one(), _reported()), NOT_RUNNING),
        Case("the gateway was killed", _new(NO_PROCESS), NOT_RUNNING),
        Case("its pid was given out again", _new(os.getpid(), boot="earlier"), NOT_RUNNING),
    ),
    "STAT-5": (
        Case("a gateway, and nothing else", _reported(GATEWAY), UNKNOWN),
        Case("a gateway that told of itself", _all(_reported(GATEWAY), _gateway()), UNKNOWN),
        Case("both ages are None", _ages(None, None), UNKNOWN),
    ),
    "STAT-6": (
        *(
            Case(
                f"{name} holds {text!r}",
                _all(_old(10, 10), _file(f"cron/{name}", text)),
                NO_PROMISE,
            )
            for name in (BEATS, CLEAN)
            for text in _NO_TIMES
        ),
        *(
            Case(f"the heartbeat's age is {age!r}", _ages(age, 10.0), NO_PROMISE)
            for age in _NO_AGES
        ),
        *(Case(f"the success's age is {age!r}", _ages(10.0, age), NO_PROMISE) for age in _NO_AGES),
        Case("its own signals are of tomorrow", _one(beat_s=-86_400, clean_s=-86_400), NO_PROMISE),
        Case(
            "nobody can look for gateways",
            _all(_one(), _raises("find_gateway_pids", _DENIED)),
            NO_PROMISE,
        ),
    ),
    "STAT-7": (
        Case(
            "no clean tick in 15 min, and an earlier boot's mark",
            _all(_MARK_OF_THE_DEAD, _one(began_s=900, clean_s=None)),
            FAILING,
        ),
        Case(
            "the first tick failed, and an earlier boot's mark is fresh",
            _all(_MARK_OF_THE_DEAD, _one(began_s=30, beat_s=25, clean_s=None, error=OSError(5))),
            NO_PROMISE,
        ),
        Case(
            "started just now, and an earlier boot's mark is fresh",
            _all(_MARK_OF_THE_DEAD, _one(began_s=30, beat_s=30, clean_s=None)),
            NO_PROMISE,
        ),
    ),
    "STAT-8": (
        Case(
            "the heartbeat is that of another process",
            _all(_reported(GATEWAY), _gateway(), _loop(OTHER)),
            NO_PROMISE,
        ),
        Case(
            "that of another process, and the gateway tells nothing",
            _all(_reported(GATEWAY), _loop(OTHER)),
            NO_PROMISE,
        ),
        Case(
            "that of an earlier process with the same pid",
            _all(_reported(GATEWAY), _loop(boot="first"), _gateway(boot="second", began_s=100)),
            NO_PROMISE,
        ),
        Case(
            "older than the gateway",
            _all(_old(60, 60), _gateway(began_s=5)),
            NO_PROMISE,
        ),
        Case("another one's beside its own", _all(_one(), _loop(OTHER)), GREEN),
    ),
    "STAT-9": (
        Case("15 min at an interval of 10", _one(interval_s=600, beat_s=900, clean_s=900), GREEN),
        Case("40 s at an interval of 5", _one(interval_s=5, beat_s=40, clean_s=40), STALLED),
        Case(
            "a quick loop is stale beside a slow one",
            _two({"interval_s": 5, "beat_s": 300, "clean_s": 300}, {"interval_s": 600}),
            STALLED,
        ),
        Case(
            "a slow loop beside a quick one",
            _two(
                {"interval_s": 5, "beat_s": 4, "clean_s": 4},
                {"interval_s": 600, "beat_s": 500, "clean_s": 500},
            ),
            GREEN,
        ),
        Case(
            "40 s, where 5 is usual and no loop says another",
            _all(_old(40, 40), lambda bench: bench.usual_interval(5)),
            STALLED,
        ),
    ),
    "STAT-10": (
        Case(
            "a provider is configured that is not there",
            _all(_old(10, 10), _NAMED),
            SAID.and_says("portside"),
        ),
        Case(
            "one that cannot be imported",
            _all(_old(10, 10), _NAMED, _file("plugins/portside/__init__.py", _LACKS)),
            SAID.and_says("portside", "the queue library is not installed"),
        ),
        Case(
            "the gateway told that it fell back",
            _all(
                _reported(GATEWAY),
                _gateway(fallback={"configured": "portside", "reason": _WHY}),
                _loop(),
            ),
            SAID.and_says("portside", "no module named 'timeport'"),
        ),
        Case(
            "it fell back, and stalled",
            _all(_old(900, 900), _NAMED, _file("plugins/portside/__init__.py", _LACKS)),
            STALLED.and_says("portside", "the queue library is not installed"),
        ),
    ),
    "STAT-12": (
        Case(
            "a job is overdue", _all(_one(), _job("backup", due_s=-400)), WRONG.and_says("backup")
        ),
        Case(
            "a job is in error",
            _all(_one(), _job("backup", state="error", next_run_at=None, last_error="no such day")),
            WRONG.and_says("backup", "no such day"),
        ),
        Case(
            "a job's last run failed",
            _all(_one(), _job("backup", last_status="error", last_error="exit status 7")),
            SAID.and_says("backup", "exit status 7"),
        ),
        Case(
            "the jobs file is cut off",
            _all(_one(), _job("backup"), _file("cron/jobs.json", '{"jobs": [')),
            NO_PROMISE.and_says("jobs"),
        ),
        Case(
            "something else stands in its place",
            _all(_one(), _file("cron/jobs.json", None)),
            NO_PROMISE.and_says("jobs"),
        ),
        Case(
            "nobody may read it",
            _all(_one(), _raises("list_jobs", _DENIED)),
            NO_PROMISE.and_says("may not be looked at"),
        ),
        Case(
            "the gateway drains",
            _all(_reported(GATEWAY), _gateway(state="draining"), _loop()),
            NO_PROMISE.and_says("drain|shutting down|stopping|leaving"),
        ),
    ),
}
"""The homes of each row."""

_ARMED = GREEN.and_says("managed scheduler", "2 of 2", "last arm", "last fire")
_REFUSED = Told(
    ("managed scheduler", "hourly", "1 of 2", "403"), (PROMISE, "STALLED"), ("unhealthy",)
)

MOMENTS: dict[str, dict[str, dict[str, Told]]] = {
    "STAT-1": {"status-loop": {"20m": GREEN, "1h50m": GREEN, "3h10m": GREEN}},
    "STAT-2": {"status-loop": {"2h6m": UNDER_WAY, "2h12m": STALLED, "2h50m": STALLED}},
    "STAT-3": {"status-loop": {"1h10m": FAILING}},
    "STAT-4": {"status-loop": {"3h50m": NOT_RUNNING, "4h25m": NOT_RUNNING}},
    "STAT-5": {"status-loop": {"2m": UNKNOWN}},
    "STAT-6": {"status-loop": {"2m": NO_PROMISE}},
    "STAT-7": {"status-loop": {"41m30s": NO_PROMISE, "1h10m": FAILING}},
    "STAT-8": {"status-loop": {"3h22m": NO_PROMISE}},
    "STAT-9": {
        "status-slow-loop": {"1h9m": GREEN, "3h10m": GREEN, "3h30m": STALLED},
        "status-quick-loop": {"1m3s": GREEN, "3m": STALLED},
    },
    "STAT-10": {"status-fallback": {"12m": SAID.and_says("portside", "the queue answers nobody")}},
    "STAT-11": {"status-registry": {"30m": _ARMED, "1h20m": _REFUSED, "1h50m": _ARMED}},
    "STAT-12": {
        "status-loop": {
            "1h10m": NO_PROMISE.and_says("report"),
            "4h20m10s": NO_PROMISE.and_says("drain|shutting down|stopping|leaving"),
        }
    },
    "STAT-13": {"status-loop": {"20m": GREEN}, "status-registry": {"30m": _ARMED}},
}
"""The moments of each row: scenario, instant since its start, what has to be said then."""
