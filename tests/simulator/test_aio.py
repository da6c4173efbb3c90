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
