"""What a search of outside registries found judges too strict about, each beside what is wrong."""

from __future__ import annotations

from histories import Build, iso


def by_hand_just_before(*runs: str, stated: str = "1h") -> Build:
    """A command runs a job two seconds before an occurrence; the host's clock is 2 s ahead."""
    more = "machines: {a: {skew: 2s}}\nsteps: [{at: 59m58s, do: run, job: j}]\n"
    build = Build(f"{more}jobs: [{{id: j, schedule: every 1h}}]\n").up().loop()
    build.add("59m58s", "op", "operator", do="run", job="j")
    build.store("59m58s", "j", next_run_at=iso(stated)).run("j", "59m58s", 1, "operator")
    build.add("59m59s", "op.end", "operator", do="run", job="j", error=None)
    return build.store("1h", "j", next_run_at=iso("2h")).runs("j", *runs)


def test_a_run_by_hand_just_before_an_occurrence_leaves_it_its_grid():
    """What lies so near may be what is to come at once: it states a grid if that is the old one."""
    assert by_hand_just_before("1h", "2h", "3h").judge("ONCE-10").verdict != "violated"
    assert by_hand_just_before("1h", "1h1m").judge("ONCE-10").verdict == "violated"
    by_its_clock = by_hand_just_before("1h", "2h", stated="59m59s")
    assert by_its_clock.judge("ONCE-10").verdict == "violated"
