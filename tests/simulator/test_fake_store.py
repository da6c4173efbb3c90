"""The store in memory: its seams, its history, and what can go wrong on its disk."""

import errno
import gc
import threading
from contextlib import suppress

import pytest

import simulator.volume
from hermes_cron.store import StoreBusy, StoreUnreadable, StoreWriteFailed
from simulator.fake_store import FakeStore
from simulator.volume import Volume

STEPS = ["store.lock", "store.read", "store.write", "store.sync", "store.replace"]


class Crash(BaseException):
    """The machine is gone."""


class Script:
    """A seam that raises what it was told to, and a history."""

    def __init__(self):
        self.faults = {}
        self.seams = []
        self.history = []

    def seam(self, name, **context):
        self.seams.append((name, context))
        if name in self.faults:
            raise self.faults.pop(name)

    def record(self, kind, **data):
        self.history.append((kind, data))


@pytest.fixture
def script():
    return Script()


@pytest.fixture
def volume():
    return Volume([{"id": "a", "n": 0}, {"id": "b"}, None])


@pytest.fixture
def jobs(volume, script):
    return FakeStore(volume, name="gw", seam=script.seam, record=script.record)


def put(store, job):
    with store.edit() as edit:
        edit.put(job)


def test_an_edit_passes_every_seam_in_order_and_records_what_changed(jobs, script):
    change = ["a", {"id": "a", "n": 1}]
    put(jobs, {"id": "a", "n": 1})
    assert [name for name, _ in script.seams] == [*STEPS, "store.committed"]
    assert script.seams[2] == ("store.write", {"changes": [change]})
    assert script.history == [("store.commit", {"changes": [change], "by": "gw"})]


def test_an_edit_that_changes_nothing_writes_and_records_nothing(jobs, script):
    put(jobs, {"id": "a", "n": 0})
    assert [name for name, _ in script.seams] == STEPS[:2]
    assert script.history == []


def test_removals_and_new_jobs_are_recorded(jobs, script):
    with jobs.edit() as edit:
        edit.delete("b")
        edit.put({"id": "c"})
    assert script.history[0][1]["changes"] == [["c", {"id": "c"}], ["b", None]]


def test_an_idle_read_gives_the_same_object(jobs):
    assert jobs.read() is jobs.read()
    assert [job["id"] for job in jobs.read().jobs] == ["a", "b"]
    assert [broken.index for broken in jobs.read().broken] == [2]


def test_the_jobs_can_be_rebuilt_from_the_history(jobs, volume, script):
    other = FakeStore(volume, name="other", record=script.record)
    state = {job["id"]: job for job in jobs.read().jobs}
    for number in range(10):
        put((jobs, other)[number % 2], {"id": "abc"[number % 3], "n": number})
    with other.edit() as edit:
        edit.replace_all([{"id": "z"}, edit.document.get("a")])
    for _, data in script.history:
        state.update(data["changes"])
    assert {key: job for key, job in state.items() if job} == {
        job["id"]: job for job in jobs.read().jobs
    }


@pytest.mark.parametrize("step", STEPS[2:])
def test_an_os_error_is_that_steps_failure(jobs, volume, script, step):
    before = jobs.read()
    script.faults[step] = OSError(errno.ENOSPC, "full")
    with pytest.raises(StoreWriteFailed, match="full") as caught:
        put(jobs, {"id": "a", "n": 1})
    assert (caught.value.reason, caught.value.step) == ("no_space", step.removeprefix("store."))
    assert jobs.read() is before
    assert volume.temporaries == 0
    refused = {"step": step.removeprefix("store."), "reason": "no_space", "by": "gw"}
    assert script.history == [("store.refused", refused)]
    put(jobs, {"id": "a", "n": 1})


def test_a_lock_that_cannot_be_opened_is_no_lock(jobs, script):
    script.faults["store.lock"] = PermissionError(errno.EACCES, "no")
    with pytest.raises(StoreWriteFailed) as caught:
        put(jobs, {"id": "a", "n": 1})
    assert (caught.value.reason, caught.value.step) == ("permission", "lock")


@pytest.mark.parametrize(("number", "reason"), [(errno.EACCES, "permission"), (errno.EIO, "io")])
def test_a_read_that_fails_is_unreadable(jobs, script, number, reason):
    script.faults["store.read"] = OSError(number, "no")
    with pytest.raises(StoreUnreadable) as caught:
        jobs.read()
    assert caught.value.reason == reason


@pytest.mark.parametrize("step", ["store.write", "store.sync", "store.replace", "store.committed"])
def test_a_crash_leaves_the_old_state_or_the_new(jobs, volume, script, step):
    script.faults[step] = Crash()
    with pytest.raises(Crash):
        put(jobs, {"id": "a", "n": 1})
    committed = step == "store.committed"
    jobs.die()
    heir = FakeStore(volume, record=script.record)
    assert heir.read().get("a")["n"] == committed
    assert len(script.history) == committed
    assert volume.temporaries == (not committed)
    put(heir, {"id": "a", "n": 2})
    assert volume.temporaries == 0


def test_a_dead_holders_locks_vanish(jobs, volume):
    lock = jobs.lock("tick", timeout_s=0)
    lock.__enter__()
    heir = FakeStore(volume)
    with (
        pytest.raises(StoreBusy, match="gw has held the lock 'tick'"),
        heir.lock("tick", timeout_s=0),
    ):
        pass
    jobs.die()
    with heir.lock("tick", timeout_s=0):
        # The dead one's end of its block, should anything ever run it, frees nothing of others.
        lock.__exit__(None, None, None)
        assert volume.locks["tick"][0] is heir


@pytest.mark.parametrize("use", [FakeStore.read, lambda store: store.write_signal("x", "y")])
def test_a_dead_handle_is_refused(jobs, use):
    jobs.die()
    with pytest.raises(RuntimeError, match="gw is dead"):
        use(jobs)


def test_a_held_lock_is_waited_for_through_the_hook(volume):
    waited = []

    def wait(take, timeout_s):
        waited.append((take(), timeout_s))
        volume.free("jobs")
        return take()

    jobs = FakeStore(volume, wait=wait, lock_timeout_s=7)
    volume.hold_lock("jobs")
    put(jobs, {"id": "a", "n": 1})
    assert waited == [(False, 7)]
    assert volume.locks == {}


def test_a_lock_that_is_held_too_long_is_busy_and_recorded(volume, script):
    told = []
    volume.on_release.append(told.append)
    jobs = FakeStore(volume, record=script.record, wait=lambda take, timeout_s: False)
    volume.hold_lock("jobs", by="a stuck command")
    with pytest.raises(
        StoreBusy, match="a stuck command has held the lock 'jobs' for more than 10 s"
    ):
        put(jobs, {"id": "a", "n": 1})
    assert script.history[0][1] == {"step": "lock", "reason": "busy", "by": "store"}
    volume.free("jobs")
    assert told == ["jobs"]
    put(jobs, {"id": "a", "n": 1})


def test_two_tasks_of_one_gateway_wait_for_each_other(volume):
    tasks = iter(["first", "second", "first"])
    jobs = FakeStore(volume, name="gw", task=lambda: next(tasks))
    with (
        jobs.edit(),
        pytest.raises(StoreBusy, match="gw has held"),
        jobs.edit(),
    ):
        pass


def test_a_task_that_holds_the_lock_is_told_so(jobs):
    with jobs.edit(), pytest.raises(StoreBusy, match="this task holds"), jobs.edit():
        pass


def test_threads_are_told_apart_without_a_kernel(jobs):
    said = []

    def edit():
        try:
            put(jobs, {"id": "a"})
        except StoreBusy as error:
            said.append(str(error))

    with jobs.edit():
        thread = threading.Thread(target=edit)
        thread.start()
        thread.join()
    assert said[0].startswith("gw has held")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_torn_file_is_refused_kept_aside_and_not_emptied(jobs, volume, share):
    volume.tear(share)
    for _ in range(2):
        with pytest.raises(StoreUnreadable) as caught:
            put(jobs, {"id": "new"})
        assert caught.value.reason == "corrupt"
    assert len(volume.aside) == 1


def test_a_deleted_file_is_missing_for_who_has_seen_it(jobs, volume):
    jobs.read()
    volume.delete_jobs_file()
    with pytest.raises(StoreUnreadable) as caught:
        jobs.read()
    assert caught.value.reason == "missing"
    assert FakeStore().read().jobs == ()


def test_a_write_can_be_lost(jobs, volume):
    put(jobs, {"id": "a", "n": 1})
    version = jobs.read().version
    put(jobs, {"id": "a", "n": 2})
    assert jobs.read().version != version
    volume.lose_last_write()
    assert jobs.read().version == version
    assert jobs.read().get("a")["n"] == 1


def test_what_is_forbidden_fails_until_it_is_allowed(jobs, volume):
    volume.forbid("read")
    with pytest.raises(StoreUnreadable) as caught:
        jobs.read()
    assert caught.value.reason == "permission"
    volume.allow("read")
    volume.forbid("write", errno.ENOSPC)
    for attempt in (
        lambda: put(jobs, {"id": "a", "n": 1}),
        lambda: jobs.write_signal("x", "y"),
        lambda: jobs.save_output("a", "2026", "text"),
    ):
        with pytest.raises(StoreWriteFailed) as failed:
            attempt()
        assert failed.value.reason == "no_space"
    assert not jobs.append_executions([{"job_id": "a"}])
    assert jobs.executions() == []
    volume.allow("write")
    put(jobs, {"id": "a", "n": 1})


def test_evidence_is_recorded(jobs, script):
    jobs.write_signal("ticker_heartbeat", "1.5")
    jobs.append_executions([{"job_id": "a", "t": (1,)}])
    jobs.append_executions([])
    jobs.save_output("a", "2026", "text")
    assert script.history == [
        ("signal", {"name": "ticker_heartbeat", "content": "1.5"}),
        ("execution", {"records": [{"job_id": "a", "t": [1]}]}),
        ("output", {"job": "a", "stamp": "2026"}),
    ]
    jobs.write_signal("gateway-1", "{}")
    assert jobs.signals() == ["gateway-1", "ticker_heartbeat"]


def test_evidence_is_bounded(monkeypatch):
    monkeypatch.setattr("simulator.volume.EXECUTIONS_KEPT", 5)
    monkeypatch.setattr("simulator.volume.OUTPUTS_KEPT", 2)
    jobs = FakeStore()
    for number in range(9):
        jobs.append_executions([{"id": f"x{number % 3}", "job_id": "ab"[number % 2], "n": number}])
        jobs.save_output("a", f"t{number}", "text")
    assert [record["n"] for record in jobs.executions()] == [4, 5, 6, 7, 8]
    assert [record["n"] for record in jobs.executions("a")] == [4, 6, 8]
    assert [record["n"] for record in jobs.executions(ids=["x2", "x0"])] == [5, 6, 8]
    assert [record["n"] for record in jobs.executions("a", ids=["x2", "x0"])] == [6, 8]
    assert jobs.outputs("a") == ["output/a/t7.md", "output/a/t8.md"]
    jobs.save_output("a", "t0", "newer, whatever its name says")
    assert jobs.outputs("a") == ["output/a/t8.md", "output/a/t0.md"]


@pytest.mark.parametrize("damage", ["garbage", "failing", "unreadable", "deleted", "read-only"])
def test_what_it_refuses_needs_no_garbage_collector(script, damage):
    volume = Volume([{"id": "a"}])
    store = FakeStore(volume, record=script.record)
    store.read()
    volume.damage(damage)
    gc.collect()
    for _ in range(20):
        with suppress(StoreUnreadable, StoreWriteFailed), store.edit() as edit:
            edit.put({"id": "b"})
    assert [kind for kind, _ in script.history] == ["store.refused"] * 20
    assert gc.collect() == 0


def test_a_damaged_file_is_parsed_once(monkeypatch):
    volume, parsed = Volume([{"id": "a"}]), []
    parse = simulator.volume.parse
    monkeypatch.setattr(
        simulator.volume, "parse", lambda data, **how: parsed.append(data) or parse(data, **how)
    )
    undo = volume.damage("garbage")
    errors = []
    for _ in range(3):
        with pytest.raises(StoreUnreadable, match="is not valid JSON") as caught:
            FakeStore(volume).read()
        errors.append(caught.value)
    assert len(parsed) == 1
    assert len({id(error) for error in errors}) == 3
    assert {type(error.__cause__) for error in errors} == {UnicodeDecodeError}
    undo()
    assert FakeStore(volume).read().get("a") == {"id": "a"}
