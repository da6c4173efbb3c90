"""Virtual time as code sees it; what freezegun alone gets wrong does not come through."""

# Naive and local times are the subject, under the names that code uses.
# ruff: noqa: DTZ001, DTZ002, DTZ003, DTZ004, DTZ005, DTZ006, DTZ007, DTZ011, DTZ901, ICN001, PTH116, PTH204

import copy
import datetime as module
import json
import os
import pickle
import random
import secrets
import subprocess
import sys
import tempfile
import time
import types
import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from simulator.kernel import Kernel, dates
from simulator.kernel.patches import install
from simulator.kernel.tasks import MachineClock

REAL = datetime
BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3_600_000_000


def us(text):
    return int(REAL.fromisoformat(text).timestamp()) * 1_000_000


def inside(body, *, start="2026-03-02T08:00:00+00:00", zone="UTC", own_clock=None):
    """What `body` returns when it runs as a task of a machine."""
    kernel = Kernel(start_us=us(start))
    results, errors = [], []
    kernel.on_task_error = lambda _task, error: errors.append(error)
    with install(kernel, adopt=[body], zone=zone):
        machine = kernel.boot("a", clock=own_clock and own_clock(kernel.start_us))
        kernel.spawn(lambda: results.append(body()), name="x", machine=machine)
        kernel.run(kernel.start_us + 1000 * HOUR)
    if errors:
        raise errors[0]
    return results[0]


@dataclass
class Stamped:
    at: object = field(default_factory=datetime.now)


def now_by_default(now=time.time, *, also=datetime.now):
    return now(), also()


class Holder:
    clock = staticmethod(time.monotonic)
    pair = (time.time, "x")
    kind = datetime


def test_every_way_to_read_the_clock_is_virtual():
    def body():
        return {
            "time": time.time(),
            "time_ns": time.time_ns() / 1e9,
            "gettime": time.clock_gettime(time.CLOCK_REALTIME),
            "gettime_ns": time.clock_gettime_ns(time.CLOCK_REALTIME) / 1e9,
            "now": datetime.now(UTC).timestamp(),
            "naive": datetime.now().timestamp(),
            "today": datetime.today().timestamp(),
            "utcnow": datetime.utcnow().replace(tzinfo=UTC).timestamp(),
            "module": module.datetime.now(UTC).timestamp(),
            "default": now_by_default()[0],
            "keyword": now_by_default()[1].timestamp(),
            "factory": Stamped().at.timestamp(),
            "class": Holder.kind.now(UTC).timestamp(),
            "tuple": Holder.pair[0](),
            "gmtime": module.datetime(*time.gmtime()[:6], tzinfo=UTC).timestamp(),
            "localtime": time.mktime(time.localtime()),
        }

    for zone in ("UTC", "Europe/Berlin", "America/New_York"):
        assert set(inside(body, zone=zone).values()) == {us("2026-03-02T08:00:00+00:00") / 1e6}


def test_texts_and_dates_are_virtual_and_local():
    def body():
        return (
            time.strftime("%Y-%m-%d %H:%M %Z"), time.ctime(), time.asctime(),
            date.today(), datetime.now().isoformat(), time.localtime().tm_zone,
            datetime.now().astimezone().isoformat(), os.environ["TZ"],
        )  # fmt: skip

    assert inside(body, start="2026-03-02T23:30:00+00:00", zone="Europe/Berlin") == (
        "2026-03-03 00:30 CET", "Tue Mar  3 00:30:00 2026", "Tue Mar  3 00:30:00 2026",
        date(2026, 3, 3), "2026-03-03T00:30:00", "CET",
        "2026-03-03T00:30:00+01:00", "Europe/Berlin",
    )  # fmt: skip


def test_the_repeated_hour_keeps_its_fold():
    def body():
        seen = []
        for _ in range(2):
            again = datetime.fromtimestamp(time.time(), BERLIN)
            assert again.fold == datetime.now(BERLIN).fold
            nows = datetime.now(BERLIN), datetime.now(), datetime.now().astimezone()
            seen += [(f"{now:%H:%M}", now.fold, now.timestamp() == time.time()) for now in nows]
            time.sleep(3600)
        return seen

    first, second = ("02:30", 0, True), ("02:30", 1, True)
    seen = inside(body, start="2026-10-25T00:30:00+00:00", zone="Europe/Berlin")
    # an aware time of a fixed offset needs no fold
    assert seen == [first, first, first, second, second, ("02:30", 0, True)]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_naive_timestamps_and_conversions_follow_the_zone(zone):
    info = ZoneInfo(zone)

    def body():
        local = datetime(2026, 7, 1, 12, 0)
        stamp = local.timestamp()
        aware = local.replace(tzinfo=info)
        return (
            stamp == aware.timestamp(),
            datetime.fromtimestamp(stamp) == local,
            local.astimezone(UTC) == aware,
            aware.astimezone().replace(tzinfo=None) == local,
            datetime.utcfromtimestamp(stamp) == aware.astimezone(UTC).replace(tzinfo=None),
            time.localtime(stamp).tm_hour,
        )

    assert inside(body, zone=zone) == (True, True, True, True, True, 12)


def test_frames_of_threading_see_virtual_time():
    def body():
        import threading

        seen = []
        timer = threading.Timer(5, lambda: seen.append(datetime.now(UTC)))
        timer.run()
        return seen[0]

    assert inside(body) == datetime(2026, 3, 2, 8, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize("name", ["gitops_cron", "queue_worker", "threading_helper", "time_keeper"])
def test_a_module_whose_name_begins_like_another_sees_virtual_time(name, monkeypatch):
    code = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, code)
    source = "import time\nfrom time import time as t\nfrom datetime import datetime\n"
    exec(source + "def read(): return time.time(), t(), datetime.now().timestamp()", vars(code))
    assert set(inside(code.read)) == {us("2026-03-02T08:00:00+00:00") / 1e6}


def test_a_clock_step_moves_the_wall_and_not_the_monotonic_clock():
    def body():
        from simulator.kernel import here

        machine_clock = here().current.machine.clock
        wall, mono, perf = time.time(), time.monotonic(), time.perf_counter_ns()
        machine_clock.step(-3 * HOUR)
        time.sleep(60)
        return time.time() - wall, time.monotonic() - mono, time.perf_counter_ns() - perf

    assert inside(body) == (60 - 3 * 3600, 60.0, 60_000_000_000)


def test_each_machine_has_its_own_wall_clock():
    skewed = inside(time_and_now, own_clock=lambda start: MachineClock(start, skew_us=-2_000_000))
    straight = inside(time_and_now)
    assert [b - a for a, b in zip(skewed, straight, strict=True)] == [2.0, timedelta(seconds=2)]


def time_and_now():
    return time.time(), datetime.now(UTC)


def test_a_deadline_on_a_lock_that_is_polled_passes():
    """A frozen monotonic clock would hang here."""

    def body():
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            pass
        return time.monotonic() >= deadline

    assert inside(body) is True


def test_dates_are_genuine_objects():
    def body():
        now, today = datetime.now(UTC), date.today()
        made = datetime(2026, 1, 2, fold=1)
        assert isinstance(now, datetime)
        assert isinstance(now, date)
        assert isinstance(made, datetime)
        assert not isinstance(today, datetime)
        assert issubclass(datetime, date)
        assert type(now) is type(made) is dates.REAL_DATETIME
        assert type(today) is dates.REAL_DATE
        assert made.fold == 1
        assert isinstance(datetime.min, datetime)
        assert datetime.fromisoformat("2026-01-02T03:04:05+01:00").hour == 3
        assert datetime.strptime("2026", "%Y") == datetime(2026, 1, 1)
        assert datetime.combine(today, module.time(1)).hour == 1
        assert date.fromisoformat("2026-01-02") == date(2026, 1, 2) == date.fromordinal(739618)
        assert pickle.loads(pickle.dumps(now)) == copy.deepcopy(now) == now
        assert yaml.safe_load(yaml.safe_dump({"at": made})) == {"at": made.replace(fold=0)}
        assert (now + timedelta(1)) - now == timedelta(1)
        return True

    assert inside(body)


def test_a_subclass_of_datetime_made_in_a_run_works():
    def body():
        class Mine(datetime):
            def hello(self):
                return f"{self:%H:%M}"

        assert Mine(2026, 1, 1, 5).hello() == "05:00"
        assert type(Mine.now(UTC)) is Mine
        assert Mine.fromtimestamp(0, UTC).year == 1970
        assert type(Mine.fromisoformat("2026-01-01")) is Mine
        return Mine.now(UTC).hello()

    assert inside(body) == "08:00"


class Heir(datetime):
    """A subclass that only inherits."""


class Grandchild(Heir):
    """One that inherits from an heir."""


class Day(date):
    """A subclass of the other class."""


class InUtc(datetime):
    """One that asks the genuine class by `super()`, as code that wants only aware times does."""

    @classmethod
    def now(cls, tz=UTC):
        return super().now(tz)

    @classmethod
    def today(cls):
        return super().today()

    def __new__(cls, *words, **more):
        return super().__new__(cls, *words, **more)


class OfItsOwn(datetime):
    """One whose "now" has nothing to do with any clock."""

    @classmethod
    def now(cls, tz=None):
        return cls(1999, 1, 1)


@pytest.mark.parametrize("cls", [Heir, Grandchild, InUtc])
def test_a_subclass_of_datetime_made_before_the_run_sees_virtual_time(cls):
    def body():
        return cls.now(UTC), cls.now(UTC).timestamp(), cls.today(), cls.utcnow()

    aware, stamp, local, naive = inside(body, zone="Asia/Tokyo")
    assert {type(one) for one in (aware, local, naive)} == {cls}
    assert (aware, stamp) == (
        REAL(2026, 3, 2, 8, tzinfo=UTC),
        us("2026-03-02T08:00:00+00:00") / 1e6,
    )
    assert (local, naive) == (REAL(2026, 3, 2, 17), REAL(2026, 3, 2, 8))
    assert abs(cls.now(UTC).timestamp() - time.time()) < 60, "after the run it is real again"
    assert "super" not in globals()


def test_other_subclasses_of_dates_from_before_are_as_they_were():
    def body():
        return Day.today(), type(Day.today()), OfItsOwn.now(), InUtc(2026, 1, 1, 5).hour

    given = {name: dict(vars(cls)) for name, cls in (("Day", Day), ("OfItsOwn", OfItsOwn))}
    assert inside(body, zone="Asia/Tokyo") == (date(2026, 3, 2), Day, REAL(1999, 1, 1), 5)
    assert {"Day": dict(vars(Day)), "OfItsOwn": dict(vars(OfItsOwn))} == given


def test_the_fold_of_a_subclass_is_kept():
    def body():
        return [(now.hour, now.fold) for now in (Heir.now(BERLIN), Heir.now(), Heir.today())]

    seen = inside(body, start="2026-10-25T01:30:00+00:00", zone="Europe/Berlin")
    assert seen == [(2, 1)] * 3


def minutes(seconds):
    """Since the start of the run."""
    return (seconds - us("2026-03-02T08:00:00+00:00") / 1e6) / 60


def ages(path):
    """What every way to ask for the time of a file says, in minutes since the start of the run."""
    with path.open("rb") as file:
        return {
            minutes(told)
            for told in (
                path.stat().st_mtime,
                os.path.getmtime(path),
                os.stat(path).st_mtime_ns / 1e9,
                os.stat(path)[8],
                os.lstat(path).st_ctime,
                os.fstat(file.fileno()).st_mtime,
            )
        }


def written_whole(path):
    path.write_text("x")


def written_by_descriptor(path):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(descriptor, b"xy")
    os.close(descriptor)


def replaced(path):
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as new:
        new.write(b"xyz")
    Path(new.name).replace(path)


@pytest.mark.parametrize(
    "write", [written_whole, written_by_descriptor, replaced, Path.touch, os.utime]
)
def test_the_time_of_a_file_is_that_of_its_writing(write, tmp_path):
    """A heartbeat file is as old as its last beat, whenever somebody looks."""
    path = tmp_path / "beat"
    path.write_text("before")

    def body():
        seen = []
        for _ in range(2):
            time.sleep(600)
            write(path)
            time.sleep(1200)
            seen += [ages(path), ages(path)]
        return seen

    assert inside(body) == [{10}, {10}, {40}, {40}]
    assert abs(path.stat().st_mtime - time.time()) < 60, "after the run it is real again"


def test_the_time_of_a_file_that_was_there_or_was_set_is_its_own(tmp_path):
    old, theirs = tmp_path / "old", tmp_path / "set"
    old.touch()
    os.utime(old, (1000, 1000))

    def body():
        theirs.touch()
        os.utime(theirs, (time.time() + 86_400, time.time() + 86_400))
        time.sleep(60)
        return old.stat().st_mtime, minutes(theirs.stat().st_mtime)

    assert inside(body) == (1000, 1440)


def test_a_file_that_is_open_all_along_is_as_old_as_it_looked_first(tmp_path):
    def body():
        seen = []
        with (tmp_path / "log").open("w") as log:
            for _ in range(3):
                time.sleep(600)
                log.write("line")
                log.flush()
                seen.append(max(ages(tmp_path / "log")))
        return seen

    first, *others = inside(body)
    assert first == 0, "opened at the start"
    assert others == [20, 30]


def test_elapsed_time_of_the_process_is_virtual():
    def body():
        before = os.times()
        time.sleep(90)
        return os.times().elapsed - before.elapsed, os.times().user - before.user

    assert inside(body) == (90, 0)


def test_the_zone_is_of_the_package_not_of_the_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("TZDIR", str(tmp_path))
    assert inside(lambda: time.localtime().tm_hour, zone="Asia/Tokyo") == 17


def test_everything_is_put_back(monkeypatch):
    monkeypatch.delenv("TZ", raising=False)

    def snapshot():
        import _thread
        import threading

        return [
            time.time, time.sleep, time.monotonic, datetime, date, module.datetime, os.urandom,
            threading.Event.wait, threading.Thread.start, threading._active, threading.Lock,
            threading.RLock(), _thread.allocate_lock, os.environ.get("TZ"), time.tzname,
            random.getstate(), random.Random.seed, uuid._node, threading.excepthook,
            now_by_default.__defaults__, now_by_default.__kwdefaults__, Holder.pair, Holder.kind,
            subprocess.Popen.__init__, os.getpid(), dict(vars(Holder)),
        ]  # fmt: skip

    before = snapshot()
    inside(random.random)
    after = snapshot()
    index = 11  # a new RLock each time: its type counts
    before[index], after[index] = type(before[index]), type(after[index])
    assert before == after


def test_everything_is_put_back_when_the_run_fails():
    kernel = Kernel(start_us=0)
    kernel.call_at(1, lambda: 1 // 0)
    before = time.time, time.tzname, datetime
    with pytest.raises(ZeroDivisionError), install(kernel, zone="Asia/Tokyo"):
        kernel.run(10)
    assert (time.time, time.tzname, datetime) == before
    assert abs(time.time() - module.datetime.now().timestamp()) < 60


def test_a_module_imported_in_the_run_has_the_real_things_after_it(tmp_path, monkeypatch):
    (tmp_path / "late_module.py").write_text(
        "from time import sleep, time\nfrom datetime import datetime\nfrom threading import Lock\n"
        "def f(t=time): return t()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def body():
        import late_module

        return late_module.f()

    assert inside(body) == us("2026-03-02T08:00:00+00:00") / 1e6
    late = sys.modules.pop("late_module")
    import threading

    assert (late.sleep, late.time, late.datetime, late.Lock) == (
        time.sleep, time.time, REAL, threading.Lock,
    )  # fmt: skip
    assert late.f() > 1_780_000_000


def test_an_unknown_zone_is_said():
    with pytest.raises(ValueError, match="no zone is called 'Mars/Olympus'"):
        inside(lambda: None, zone="Mars/Olympus")


def test_randomness_is_seeded_and_different_for_each_machine_and_seed():
    def body():
        return [
            os.urandom(8).hex(), str(uuid.uuid4()), str(uuid.uuid1()), secrets.token_hex(),
            random.random(), random.Random().random(), random.SystemRandom().random(),
        ]  # fmt: skip

    first = inside(body)
    assert inside(body) == first
    assert os.urandom(8).hex() != first[0]
    assert len(set(map(str, first))) == len(first)

    from simulator.kernel.tape import Tape

    def of(name, seed):
        kernel = Kernel(start_us=0, tape=Tape(seed=seed))
        out = []
        with install(kernel, adopt=[body]):
            kernel.spawn(lambda: out.append(body()), name="x", machine=kernel.boot(name))
            kernel.run(HOUR)
        return json.dumps(out)

    assert len({of("a", 0), of("b", 0), of("a", 1)}) == 3


def test_hypothesis_is_usable_around_a_run():
    from hypothesis import given, settings
    from hypothesis import strategies as st

    seen = []

    @settings(max_examples=20, database=None)
    @given(st.integers(1, 1000))
    def check(seconds):
        def body():
            time.sleep(seconds)
            return time.time()

        seen.append(seconds)
        assert inside(body) == us("2026-03-02T08:00:00+00:00") / 1e6 + seconds

    check()
    assert len(seen) >= 20
