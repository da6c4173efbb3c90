"""The file store and the store in memory, side by side: whatever is done to both, they agree.

After every step of a random sequence: the same returns, the same exceptions with the same reason,
the same jobs, evidence, left-overs and copies kept aside. The faults happen to the file store for
real where that is cheap: damaged bytes, a folder in the file's place, a held lock, a full disk.
"""

import errno
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hermes_cron.paths import Paths
from hermes_cron.store import JsonFileStore, StoreError
from simulator.fake_store import FakeStore
from simulator.volume import Volume

IDS = st.sampled_from(["a", "b", "c", "a", "b", "../up", "", "ü"])
MANY_IDS = frozenset(["b", "ü", *map(str, range(30))])
VALUES = st.sampled_from([1, 1.0, True, None, "text", "line\nbreak", "\ud800", [1], {"k": "v"}])
JOBS = st.fixed_dictionaries(
    {"id": IDS},
    optional={"prompt": VALUES, "next_run_at": st.sampled_from([None, "x", "2026-03-02T09:00:00"])},
)
BROKEN = st.sampled_from([None, 7, "x", [], {}, {"id": None}, {"id": 5}, {"id": "a/b"}])
DAMAGE = st.sampled_from(
    [
        b"",
        b"\0\0\0",
        b"{",
        b"\xff\xfe",
        b"null",
        b'"jobs"',
        b"{}",
        b'{"jobs": null}',
        b'{"jobs": {}}',
        b'[{"id": "a"}]',
        b'{"jobs": [{"id": "a", "prompt": "raw\ttab\n"}, null], "theirs": {"x": 1}}',
        b'\xef\xbb\xbf{"jobs": [{"id": "b"}, {"id": "b", "n": 2}]}',
        b"[" * 100_000,
    ]
)
NUMBERS = st.sampled_from(
    [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO, errno.EMFILE]
)
CALLS = {"write": "os.write", "sync": "os.fsync", "replace": "os.replace"}


class Killed(BaseException):
    """Ends a process between two system calls."""


class Stores(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.home = tempfile.mkdtemp()
        cron = Path(self.home, "cron")
        self.jobs_file = cron / "jobs.json"
        self.paths = Paths(
            cron,
            self.jobs_file,
            cron / "output",
            cron / "ticker_heartbeat",
            cron / "ticker_last_success",
        )
        self.synced = mock.patch("os.fsync")
        self.synced.start()
        self.volume = Volume()
        self.fault = None
        self.fresh = 0
        self.real = [self.new_real(), self.new_real()]
        self.fake = [self.new_fake(), self.new_fake()]

    def teardown(self):
        self.synced.stop()
        shutil.rmtree(self.home)

    def new_real(self):
        return JsonFileStore(lambda: self.paths, lock_timeout_s=0.0)

    def new_fake(self):
        return FakeStore(self.volume, seam=self.seam, lock_timeout_s=0.0)

    def seam(self, name, **_):
        if self.fault and name == f"store.{self.fault[0]}":
            raise self.fault[1]

    def both(self, do, who=0):
        real, fake = outcome(do, self.real[who]), outcome(do, self.fake[who])
        assert real == fake
        return real

    @rule(who=st.integers(0, 1), job=JOBS)
    def put(self, who, job):
        self.both(lambda store: edited(store, lambda edit: edit.put(dict(job))), who)

    @rule(who=st.integers(0, 1), job_id=IDS, value=VALUES)
    def change(self, who, job_id, value):
        def change(edit):
            job = edit.get(job_id)
            if job is not None:
                job["prompt"] = value
            return job

        self.both(lambda store: edited(store, change), who)

    @rule(who=st.integers(0, 1), job_id=IDS)
    def delete(self, who, job_id):
        self.both(lambda store: edited(store, lambda edit: edit.delete(job_id)), who)

    @rule(who=st.integers(0, 1), jobs=st.lists(JOBS | BROKEN, max_size=5))
    def replace_all(self, who, jobs):
        self.both(lambda store: edited(store, lambda edit: edit.replace_all(jobs)), who)

    @rule(bad=st.sampled_from([{"id": "a", "x": {1}}, {"id": "other"}]))
    def edit_that_is_refused(self, bad):
        def refused(edit):
            edit.put({"id": "b", "prompt": "never written"})
            if (job := edit.get("a")) is not None:
                job.update(bad)

        self.both(lambda store: edited(store, refused))

    @rule()
    def edit_inside_an_edit(self):
        self.both(lambda store: edited(store, lambda _: edited(store, lambda __: None)))

    @rule(data=DAMAGE)
    def damage(self, data):
        self.jobs_file.parent.mkdir(exist_ok=True)
        swap = self.jobs_file.with_name("by-hand")
        swap.write_bytes(data)
        swap.replace(self.jobs_file)
        self.volume.corrupt(data)

    @rule()
    def damage_of_the_file_is_kept_aside(self):
        real, fake = self.real[0].keep_aside(), self.fake[0].keep_aside()
        assert (real is None) == (fake is None)

    @rule()
    def delete_the_file(self):
        self.jobs_file.unlink(missing_ok=True)
        self.volume.delete_jobs_file()

    @rule(who=st.integers(0, 1))
    @precondition(lambda self: self.jobs_file.exists())
    def a_folder_in_the_way(self, who):
        aside = self.jobs_file.with_name("moved")
        self.jobs_file.replace(aside)
        self.jobs_file.mkdir()
        self.volume.forbid("read", errno.EISDIR)
        self.both(lambda store: store.read(), who)
        self.both(lambda store: edited(store, lambda edit: edit.delete("a")), who)
        self.jobs_file.rmdir()
        aside.replace(self.jobs_file)
        self.volume.allow("read")

    @rule()
    def repair(self):
        self.damage(b'{"jobs": [{"id": "a", "prompt": "good"}, {"id": "b"}]}')

    @rule(number=NUMBERS)
    @precondition(lambda self: not self.corrupt())
    def a_write_that_fails(self, number):
        for step in CALLS:

            def write(store, step=step):
                with self.failing(step, OSError(number, os.strerror(number))):
                    edited(store, lambda edit: edit.put({"id": "b", "new": self.fresh}))

            self.both(write)
            self.agree()

    @rule(step=st.sampled_from(sorted(CALLS)))
    @precondition(lambda self: not self.corrupt())
    def a_crash_in_a_write(self, step):
        # A killed process does not tidy up behind itself.
        tidying = mock.patch("os.unlink", side_effect=OSError)

        def write(store):
            with self.failing(step, Killed(), then=tidying.start):
                edited(store, lambda edit: edit.put({"id": "c", "new": self.fresh}))

        self.both(write)
        tidying.stop()
        self.real[0] = self.new_real()
        self.fake[0].die()
        self.fake[0] = self.new_fake()

    @rule(who=st.integers(0, 1), name=st.sampled_from(["jobs", "tick", "executions", "x/y"]))
    def a_held_lock(self, who, name):
        try:
            real, fake = (
                store.lock(name, timeout_s=0.0) for store in (self.real[who], self.fake[who])
            )
            with real, fake:
                self.both(lambda store: edited(store, lambda edit: edit.delete("a")))
                self.both(lambda store: edited(store, lambda edit: edit.delete("a")), 1)
                self.both(lambda store: held(store, name))
                self.both(lambda store: store.append_executions([{"job_id": "held"}]))
        except ValueError:
            assert name == "x/y"

    @rule(
        name=st.sampled_from(["ticker_heartbeat", "gateway-1", ".hidden", "a/b"]),
        text=st.sampled_from(["1.5", "", "ü\n"]),
    )
    def signal(self, name, text):
        self.both(lambda store: store.write_signal(name, text))

    @rule(name=st.sampled_from(["ticker_heartbeat", "gateway-1", "..", "nothing"]))
    def remove_signal(self, name):
        self.both(lambda store: store.remove_signal(name))

    @rule(number=NUMBERS)
    def evidence_that_cannot_be_written(self, number):
        def failing(seam, do):
            def write(store):
                self.fault = (seam, OSError(number, "no"))
                try:
                    with mock.patch("os.write", side_effect=self.fault[1]):
                        return do(store)
                finally:
                    self.fault = None

            return write

        self.both(failing("execution", lambda store: store.append_executions([{"job_id": "a"}])))
        self.both(failing("signal", lambda store: store.write_signal("gateway-1", "lost")))
        self.both(failing("output", lambda store: store.save_output("a", "2026", "lost")))

    @rule(job_id=IDS, stamp=st.sampled_from(["2026-01-01_00-00-00", "2026-01-02_00-00-00", "x/y"]))
    def output(self, job_id, stamp):
        self.both(lambda store: tail(store.save_output(job_id, stamp, "text")))

    @rule(
        records=st.lists(st.fixed_dictionaries({"id": IDS, "job_id": IDS, "v": VALUES}), max_size=3)
    )
    def execution(self, records):
        self.both(lambda store: store.append_executions(records))

    @rule(data=st.sampled_from([b"garbage\n", b"\xff\0\n{}\n[1]", b"{"]))
    def broken_executions(self, data):
        self.paths.cron_dir.mkdir(exist_ok=True)
        self.paths.executions_file.write_bytes(data.replace(b"{}\n", b""))
        self.volume.break_executions()

    @invariant()
    def agree(self):
        self.fresh += 1
        for who in (0, 1):
            self.both(lambda store: store.read(), who)
            self.both(lambda store: store.read() is store.read(), who)
            self.both(lambda store: store.signals(), who)
            self.both(lambda store: list(map(store.read_signal, store.signals())), who)
            self.both(lambda store: store.executions(), who)
            self.both(lambda store: store.executions("a"), who)
            self.both(lambda store: store.executions(ids={"a"}), who)
            self.both(lambda store: store.executions("a", ids=MANY_IDS), who)
        self.both(lambda store: [tail(name) for name in store.outputs("a")])
        assert len(self.temporaries()) == self.volume.temporaries
        assert len(list(self.paths.cron_dir.glob("jobs.json.corrupt-*"))) == len(self.volume.aside)

    def corrupt(self):
        """Whether an edit would first write a copy aside, which the patched calls would hit."""
        return self.volume.document is None and self.jobs_file.exists()

    def temporaries(self):
        return list(self.paths.cron_dir.rglob("*.tmp"))

    @contextmanager
    def failing(self, step, error, then=lambda: None):
        def fail(*_):
            then()
            raise error

        self.fault = (step, error)
        try:
            with mock.patch(CALLS[step], fail):
                yield
        finally:
            self.fault = None


def outcome(do, store):
    """What a call gave, as plain data: its return, or the exception's type, reason and step."""
    try:
        result = do(store)
    except (StoreError, ValueError, TypeError, Killed) as error:
        kind = type(error).__name__
        return kind, getattr(error, "reason", None), getattr(error, "step", None)
    if hasattr(result, "records"):
        places = [(broken.index, broken.reason) for broken in result.broken]
        plain = [result.records, result.jobs, places, result.extra]
        return json.dumps(plain)
    return result


def edited(store, do):
    with store.edit() as edit:
        return do(edit)


def held(store, name):
    with store.lock(name, timeout_s=0.0):
        return True


def tail(name):
    return Path(name).parts[-2:]


Stores.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
TestStores = Stores.TestCase
