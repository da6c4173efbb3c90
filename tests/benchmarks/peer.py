"""One task that waits a minute of virtual time, again and again, in one library.

    python peer.py LIBRARY

Prints one line of JSON: how many waits, and their CPU seconds. Needs nothing but the library, so
that it runs in environments without ours.
"""

import asyncio
import json
import sys
import time

WAITS = 50_000
MINUTE_S = 60.0


def ours() -> None:
    import threading

    from simulator.kernel import Kernel
    from simulator.kernel.patches import install

    never = threading.Event()

    def main() -> None:
        for _ in range(WAITS):
            never.wait(MINUTE_S)

    kernel = Kernel(start_us=1_772_000_000_000_000)
    with install(kernel, adopt=[never]):
        kernel.spawn(main, name="main", machine=kernel.boot("a"))
        kernel.run(kernel.start_us + WAITS * 60_000_000)
    assert not kernel.tasks


def simpy() -> None:
    import simpy

    environment = simpy.Environment()

    def main():
        for _ in range(WAITS):
            yield environment.timeout(MINUTE_S)

    environment.process(main())
    environment.run()
    assert environment.now == WAITS * MINUTE_S


async def waits() -> None:
    clock = asyncio.get_running_loop().time
    began = clock()
    for _ in range(WAITS):
        await asyncio.sleep(MINUTE_S)
    assert clock() - began >= 0.999 * WAITS * MINUTE_S


def detangle() -> None:
    import detangle

    result = detangle.execute(waits, config=detangle.SimConfig(max_steps=10 * WAITS))
    assert result.failure is None, result.failure


def simloop() -> None:
    import simloop

    assert simloop.explore(waits, [0]) is None


def seedloop() -> None:
    import seedloop

    async def scenario(_world: object) -> None:
        await waits()

    seedloop.check(scenario, seeds=1)


if __name__ == "__main__":
    work = globals()[sys.argv[1]]
    began = time.process_time()
    work()
    print(json.dumps({"waits": WAITS, "seconds": time.process_time() - began}))  # noqa: T201
