"""asyncio code that runs in a thread of a simulated machine."""

import asyncio
import select
import threading
import time

import pytest

from simulator.kernel import Kernel
from simulator.kernel.patches import install

START = 1_772_000_000_000_000
HOUR = 3_600_000_000


@pytest.fixture
def world():
    kernel = Kernel(start_us=START)

    def run(*bodies):
        errors = []
        kernel.on_task_error = lambda _task, error: errors.append(error)
        with install(kernel, adopt=bodies):
            machine = kernel.boot("a")
            for index, body in enumerate(bodies):
                kernel.spawn(body, name=f"t{index}", machine=machine)
            kernel.run(START + HOUR)
        for error in errors:
            raise error

    run.kernel = kernel
    run.now = lambda: (kernel.now_us - START) / 1_000_000
    return run


def test_sleep_gather_and_timeouts_take_virtual_time(world):
    async def nap(seconds):
        await asyncio.sleep(seconds)
        return world.now()

    async def main():
        assert await asyncio.gather(nap(30), nap(10), nap(20)) == [30, 10, 20]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(nap(100), 5)
        assert world.now() == 35
        assert asyncio.get_running_loop().time() == 3600 + 35

    world(lambda: asyncio.run(main()))
    assert world.kernel.tasks == {}


def test_two_loops_in_two_tasks_do_not_see_each_other(world):
    seen = []

    def body(name, seconds):
        async def main():
            mine = asyncio.get_running_loop()
            for _ in range(3):
                await asyncio.sleep(seconds)
                assert asyncio.get_running_loop() is mine
                time.sleep(1)  # noqa: ASYNC251 - a switch in the middle of a callback
                assert asyncio.get_running_loop() is mine
                seen.append((name, world.now()))

        return lambda: asyncio.run(main())

    def plain():
        for _ in range(20):
            time.sleep(0.7)
            with pytest.raises(RuntimeError, match="no running event loop"):
                asyncio.get_running_loop()

    world(body("x", 2), body("y", 3), plain)
    assert seen == [("x", 3), ("y", 4), ("x", 6), ("y", 8), ("x", 9), ("y", 12)]


def test_each_task_has_its_own_current_loop(world):
    def body():
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        time.sleep(5)
        assert asyncio.get_event_loop_policy().get_event_loop() is loop
        loop.close()

    world(body, body)


def test_a_loop_in_a_thread_is_called_from_others(world):
    async def answer(n):
        await asyncio.sleep(5)
        return n * 2

    def body():
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        time.sleep(10)
        assert asyncio.run_coroutine_threadsafe(answer(21), loop).result(60) == 42
        assert world.now() == 15
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        assert not thread.is_alive()
        loop.close()

    world(body)


def test_blocking_calls_go_to_the_pool_and_come_back(world):
    async def main():
        loop = asyncio.get_running_loop()
        naps = [loop.run_in_executor(None, time.sleep, n) for n in (3, 6)]
        await asyncio.gather(*naps, asyncio.to_thread(time.sleep, 4))
        assert world.now() == 6

    world(lambda: asyncio.run(main()))


def test_a_crash_inside_a_coroutine_leaves_no_loop_running(world):
    seen = []

    def body():
        async def main():
            await asyncio.sleep(1)
            world.kernel.kill_machine(world.kernel.current.machine)

        asyncio.run(main())

    def other():
        time.sleep(2)
        seen.append(asyncio._get_running_loop())

    kernel = world.kernel
    kernel.call_at(START, lambda: kernel.spawn(other, name="o", machine=kernel.boot("b")))
    world(body)
    assert seen == [None]
    assert asyncio._get_running_loop() is None
    assert asyncio.run(asyncio.sleep(0, "real again")) == "real again"


def test_a_busy_loop_costs_time_and_so_lets_others_go_on(world):
    seen = []

    def body():
        async def main():
            until = asyncio.get_running_loop().time() + 5
            while asyncio.get_running_loop().time() < until:  # noqa: ASYNC110 - polls
                await asyncio.sleep(0)

        asyncio.run(main())
        seen.append(world.now())

    world(body)
    assert 5 <= seen[0] < 5.1


def test_select_without_descriptors_is_a_sleep(world):
    def body():
        assert select.select([], [], [], 30) == ([], [], [])
        assert world.now() == 30

    world(body)


def test_timers_of_a_loop_fire_in_order_and_cancelled_ones_do_not(world):
    seen = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.call_later(3, lambda: seen.append(("later", world.now())))
        loop.call_at(loop.time() + 2, lambda: seen.append(("at", world.now())))
        loop.call_later(1, seen.append, "never").cancel()
        loop.call_soon(lambda: seen.append(("soon", world.now())))
        await asyncio.sleep(10)

    world(lambda: asyncio.run(main()))
    assert seen == [("soon", 0), ("at", 2), ("later", 3)]


def test_queues_locks_and_groups_of_a_loop_wait_in_virtual_time(world):
    seen = []

    async def main():
        box, limit, barrier = asyncio.Queue(1), asyncio.Semaphore(1), asyncio.Barrier(2)
        changed = asyncio.Condition()

        async def produce():
            for number in range(3):
                await asyncio.sleep(10)
                await box.put(number)
            async with limit:
                await asyncio.sleep(5)
            await barrier.wait()

        async def consume():
            for _ in range(3):
                number = await box.get()
                seen.append((number, world.now()))
            async with limit, changed:
                changed.notify_all()
            await barrier.wait()

        async with asyncio.TaskGroup() as group, changed:
            group.create_task(produce())
            group.create_task(consume())
            await changed.wait()
            seen.append(("changed", world.now()))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(7):
                await asyncio.Event().wait()

    world(lambda: asyncio.run(main()))
    assert seen[:3] == [(0, 10), (1, 20), (2, 30)]
    assert seen[3][0] == "changed"
    assert seen[3][1] in {30, 35}, "whichever came to the semaphore first"
    assert world.now() >= 42


def test_what_a_group_cancels_and_shields_ends_as_it_should(world):
    seen = []

    async def main():
        async def fail():
            await asyncio.sleep(2)
            raise ValueError("no")

        async def stay():
            try:
                await asyncio.sleep(100)
            finally:
                seen.append(("cancelled", world.now()))

        async def both():
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                group.create_task(stay())

        async def shielded():
            await asyncio.sleep(20)
            seen.append(("shielded", world.now()))

        kept = asyncio.create_task(shielded())
        with pytest.raises(ExceptionGroup):
            await both()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(kept), 5)
        done, pending = await asyncio.wait({kept}, timeout=1)
        assert (done, pending) == (set(), {kept})
        await kept

    world(lambda: asyncio.run(main()))
    assert seen == [("cancelled", 2), ("shielded", 20)]


def test_a_coroutine_that_is_called_from_a_thread_times_out_and_is_cancelled_there(world):
    def body():
        mine = asyncio.new_event_loop()
        thread = threading.Thread(target=mine.run_forever)
        thread.start()
        slow = asyncio.run_coroutine_threadsafe(asyncio.sleep(100), mine)
        with pytest.raises(TimeoutError):
            slow.result(timeout=5)
        assert slow.cancel()
        soon = asyncio.run_coroutine_threadsafe(asyncio.sleep(2, "done"), mine)
        assert soon.result(timeout=5) == "done"
        mine.call_soon_threadsafe(mine.stop)
        thread.join()
        mine.close()
        assert world.now() == 7

    world(body)
