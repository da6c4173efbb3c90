"""What a loop cannot have known or done; beside each history that is right, wrong ones."""

from __future__ import annotations

import pytest
from histories import Build


def broken_by_hand(first: str, *runs: str, error: str | None = None) -> Build:
    """J's next time is garbage from the start on; the loop makes its first tick at this instant."""
    more = "jobs: [{id: j, schedule: '*/30 * * * *', record: {next_run_at: garbage}}]\n"
    build = Build(more).up().store(0, "j", next_run_at="garbage").tick("29m", error=error)
    return build.loop(first).runs("j", *runs)


HOURS = ("1h", "90m", "2h", "150m", "3h", "210m")


@pytest.mark.parametrize("judge", ["LIVE-1", "LIVE-6"])
def test_nobody_knows_when_a_broken_record_comes_before_a_tick_has_looked(judge):
    """One that raised has not; after the first clean one its times are those of its schedule."""
    assert broken_by_hand("31m", *HOURS, error="OSError").judge(judge).verdict != "violated"
    assert broken_by_hand("31m", *HOURS).judge(judge).verdict == "violated"
    assert broken_by_hand("31m", *HOURS[1:], error="OSError").judge(judge).verdict == "violated"
