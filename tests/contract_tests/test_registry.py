"""The registry of a run: any service that keeps WIRE.md can be put in its place."""

import threading
from contextlib import contextmanager

import pytest

from contract_tests.engine import Judge
from contract_tests.registry import Reply, kit_registry
from contract_tests.target import find_subject
from contract_tests.verdicts import Ruling

ROWS = ("NAS-1", "NAS-2", "NAS-3")


def judged(row, registry):
    with Judge(find_subject("chronos"), capabilities={"external"}) as judge:
        judge.context.registry = registry
        result = judge.judge(row)
    return result.verdict, "\n".join(result.evidence)


@pytest.mark.parametrize("row", ROWS)
def test_the_kits_own_keeps_the_contract(row):
    verdict, said = judged(row, kit_registry)
    assert verdict is Ruling.PASS, said
    assert said.startswith("the kit's NAS: ")


@pytest.mark.parametrize("row", ROWS)
def test_one_that_is_down_is_found_out(row):
    """Neither held nor the kit's own fault: it is the registry that is judged."""

    class Down:
        """Answers nothing but 503, and knows what time it is."""

        def __init__(self, inner):
            self._inner = inner
            self.label = "a registry that is down"

        def __getattr__(self, name):
            return getattr(self._inner, name)

        def call(self, *_request):
            return Reply(503)

    @contextmanager
    def down():
        with kit_registry() as registry:
            yield Down(registry)

    verdict, said = judged(row, down)
    assert verdict is Ruling.FAIL
    assert said.startswith("a registry that is down: ")


def test_its_time_moves_only_when_it_is_told_to():
    with kit_registry() as registry:
        begin = registry.now()
        registry.pass_time(3600)
        assert (registry.now() - begin).total_seconds() == 3600


def test_it_leaves_no_threads_behind():
    before = set(threading.enumerate())
    with kit_registry() as registry:
        registry.pass_time(1)
        assert set(threading.enumerate()) - before
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive(), thread.name
