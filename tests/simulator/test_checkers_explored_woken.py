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
    by_its_clock = by_hand_just_before("1h", "2h", "3h", stated="59m59s")
    assert by_its_clock.judge("LIVE-1").verdict != "violated"
    both = by_hand_just_before("59m59s", "1h", "2h", stated="59m59s")
    assert both.judge("ONCE-10").verdict == "violated"


PAIR = "machines: {a: {}, b: {skew: 2s}}\n"


def resumed_ahead(due: str, *, skew: str = "2s") -> Build:
    """A clock that is ahead plans a resumed job from after the next occurrence."""
    more = f"machines: {{a: {{skew: {skew}}}}}\nsteps: [{{at: 59m59s, do: resume, job: j}}]\n"
    build = Build(f"{more}jobs: [{{id: j, schedule: 0 * * * *}}]\n").up().loop()
    build.add("59m59s", "op", "operator", do="resume", job="j")
    build.store("59m59s", "j", next_run_at=iso(due))
    build.add("59m59s", "op.end", "operator", do="resume", job="j", error=None)
    return build.runs("j", due, "3h")


def test_a_job_is_changed_by_the_clock_of_who_changes_it():
    """What was past by that clock need not come; what was not must."""
    assert resumed_ahead("2h").judge("LIVE-1").verdict != "violated"
    assert resumed_ahead("3h").judge("LIVE-1").verdict == "violated"
    assert resumed_ahead("2h", skew="0s").judge("LIVE-1").verdict == "violated"


def taken_just_before(machine: str) -> Build:
    """What was not run is run a second before the next occurrence, which then runs too."""
    build = Build(f"{PAIR}lasts: 3h\njobs: [{{id: j, schedule: 0 * * * *}}]\n").up().loop()
    build.up(machine="b").loop(machine="b")
    return build.run("j", 2 * 3600 - 1, 1, machine).runs("j", "2h")


def test_only_a_clock_that_is_ahead_takes_what_comes_just_after():
    """Another machine's clock does not make it an occurrence that runs twice."""
    for machine in ("operator", "a"):
        assert taken_just_before(machine).judge("ONCE-10").verdict != "violated"
    assert taken_just_before("b").judge("ONCE-10").verdict == "violated"


def run_in_a_fire(do: str, *, machine: str = "a") -> Build:
    """While a fire waits for its claim, its job runs on the same machine."""
    step = f"{{at: 65m, do: {do}, machine: {machine}}}" if do == "tick" else "{at: 65m, do: heal}"
    build = Build(f"machines: [a, b]\nsteps: [{step}]\n", external=True).up().arm("j", 0, "1h")
    build.deliver("j", "1h", "1h").add("1h", "fire.begin", job="j")
    build.add("65m", "op", "operator", do=do, step=0).run("j", 3900, 1)
    build.add("66m", "op.end", "operator", do=do, error=None, step=0)
    build.add("72m", "claim", job="j", won=False, error=None)
    return build.add("72m", "fire.end", job="j", value=False, error=None)


def test_a_run_of_a_tick_by_hand_is_not_that_of_a_fire_that_hangs():
    """Where nothing else can have run it, it is."""
    assert run_in_a_fire("tick").judge("FIRE-2").verdict != "violated"
    assert run_in_a_fire("tick", machine="b").judge("FIRE-2").verdict == "violated"
    assert run_in_a_fire("heal").judge("FIRE-2").verdict == "violated"


def started_beside(*, struck: bool) -> Build:
    """An arm is refused to one machine; then another starts, or a fault takes its start's place."""
    build = Build("machines: [a, b]\n", external=True).up()
    build.call(1, "provision", "j", 503).add(2, "boot", "b").add(2, "up", "b")
    build.add(3, "provider.start", "b", interval_s=60, kwargs=[])
    if struck:
        build.fault(3, "start", machine="b")
    return build.add(4, "provider.raised" if struck else "provider.returned", "b", error="OSError")


def test_a_start_that_a_fault_replaced_is_no_occasion():
    """Nobody could try again in it."""
    assert started_beside(struck=True).judge("LIVE-2").verdict != "violated"
    assert started_beside(struck=False).judge("LIVE-2").verdict == "violated"


def green_beside_a_fallback(*, dies: bool) -> Build:
    """Two gateways, one without its provider; an arm is refused to the other, which is green."""
    more = "machines: [a, b]\nfaults: [{into: start, raise: OSError}]\n"
    build = Build(more, external=True).up().up(machine="b", returns=False)
    build.add(0, "fault", "b", index=0, seam="start", does="raise")
    build.add(0, "provider.raised", "b", error="OSError")
    if dies:
        build.add("10m", "crash", "b")
    return build.call("20m", "provision", "j", 503).status("30m", verdict="healthy", promises=True)


def test_who_goes_on_without_its_provider_needs_no_arm():
    """As long as it lives."""
    assert green_beside_a_fallback(dies=False).judge("STAT-11").verdict != "violated"
    assert green_beside_a_fallback(dies=True).judge("STAT-11").verdict == "violated"


def claimed_by_the_dead(repeat: int, *, dies: bool = True) -> Build:
    """Machine b has claimed a job and dies before the run; nothing is armed for half an hour."""
    jobs = (
        f"jobs: [{{id: j, schedule: every 1h, repeat: {repeat}}}, {{id: k, schedule: 30 * * * *}}]"
    )
    build = Build(f"machines: [a, b]\n{jobs}\n", external=True).up().up(machine="b")
    build.arm("j", 0, "1h").arm("k", 0, "30m").fire("k", "30m", arms="90m")
    build.add("1h", "nas.fired", "nas", job_id="j", fire_at=iso("1h")).deliver("j", "1h", "1h")
    build.store("1h", "j", fire_claim={"at": iso("1h"), "by": "b:2", "token": 1})
    if dies:
        build.add(3601, "crash", "b")
    return build.fire("k", "90m", arms="2h30m").arm("j", 5402, "2h")


def test_the_last_run_of_a_job_may_be_the_one_that_a_dead_machine_claimed():
    """Until its claim is over and somebody is woken; one that has more runs is to be armed."""
    assert claimed_by_the_dead(1).judge("RECON-1").verdict == "held"
    assert claimed_by_the_dead(2).judge("RECON-1").verdict == "violated"
    assert claimed_by_the_dead(1, dies=False).judge("RECON-1").verdict == "violated"


def not_taken_up(repeat: int, *, fails: bool = True, rests: str = "1h") -> Build:
    """A fire was accepted, and the store, which is locked, lets nobody take its promise up."""
    jobs = f"jobs: [{{id: j, schedule: every 1h, repeat: {repeat}}}, {{id: k, schedule: every 7h}}]"
    build = Build(f"{jobs}\n", external=True).up().arm("j", 0, "1h").arm("k", 0, "7h")
    build.add("1h", "nas.fired", "nas", job_id="j", fire_at=iso("1h")).deliver("j", "1h", "1h")
    build.store("1h", "j", fire_claim={"at": iso("1h"), "by": "a:1", "token": 1})
    error = "StoreBusy" if fails else None
    build.add("1h", "claim", "a", job="j", won=False, error=error)
    return build.op(rests, "update", job="k", error="StoreBusy").arm("j", 4200, "2h")


def test_the_last_run_of_a_job_may_be_promised_by_a_claim_that_nobody_could_take_up():
    """Within the time of the claim, which is to be given back first."""
    assert not_taken_up(1, rests="63m").judge("RECON-1").verdict == "held"
    assert not_taken_up(1, rests="66m").judge("RECON-1").verdict == "violated"
    assert not_taken_up(2, rests="63m").judge("RECON-1").verdict == "violated"
    assert not_taken_up(1, rests="63m", fails=False).judge("RECON-1").verdict == "violated"


def refused_and_not_taken_up(repeat: int) -> Build:
    """An arm is refused; in the next fire the store lets nobody take its promise up."""
    jobs = f"jobs: [{{id: j, schedule: every 1h, repeat: {repeat}}}]\n"
    build = Build(jobs, external=True).up().arm("j", 0, "1h").call("1h", "provision", "j", 503)
    build.add("1h", "nas.fired", "nas", job_id="j", fire_at=iso("1h"))
    build.deliver("j", 3605, "1h").add(3605, "fire.begin", job="j")
    build.store(3605, "j", fire_claim={"at": iso(3605), "by": "a:1", "token": 1})
    build.add(3610, "claim", "a", job="j", won=False, error="StoreWriteFailed")
    return build.add(3610, "fire.end", job="j", value=None, error="StoreWriteFailed")


def test_no_arm_is_tried_again_of_a_job_whose_last_run_is_promised():
    assert refused_and_not_taken_up(1).judge("LIVE-2").verdict != "violated"
    assert refused_and_not_taken_up(2).judge("LIVE-2").verdict == "violated"


def fired_when_gone(*, struck: bool) -> Build:
    """A fire of a job that is gone raises, by a fault in its place or of itself."""
    build = Build(external=True).up().arm("j", 0, "1h").add("1h", "fire.begin", job="j")
    build.add(1, "store.commit", "store", changes=[["j", None]], by="a")
    if struck:
        build.add("1h", "fault", "a", index=0, seam="fire", does="raise", job="j")
    return build.add("1h", "fire.end", job="j", value=None, error="OSError")


def test_the_fire_of_a_job_that_is_gone_may_raise_what_a_fault_raised():
    assert fired_when_gone(struck=True).judge("FIRE-3").verdict == "held"
    assert fired_when_gone(struck=False).judge("FIRE-3").verdict == "violated"


def accepted(build: Build, job: str, at: int, fire_at: str = "1h") -> Build:
    """A fire is delivered, claimed and accepted, and comes to its provider."""
    about = {"job": job, "fire_at": iso(fire_at), "id": f"{job}/{at}"}
    build.add(at, "nas.deliver", "nas", attempt=1, **about)
    build.store(at, job, fire_claim={"at": iso(at), "by": "a:1", "token": at})
    build.add(at, "fire.answer", status=202, body_status="accepted", reason=None, **about)
    return build.add(at, "fire.begin", job=job).add(at, "claim", job=job, won=True, error=None)


def crowd(size: int, *, over: bool = False) -> Build:
    """So many fires are accepted and go on, when j's is refused for now; it runs a minute later."""
    build = Build("lasts: 2h\n", external=True).up().arm("j", 0, "1h")
    for number in range(size):
        accepted(build, f"k{number}", 3600).run(f"k{number}", 3600, "20m")
        if over:
            build.add(3600, "fire.end", job=f"k{number}", value=True, error=None)
    about = {"job": "j", "fire_at": iso("1h"), "id": "j"}
    build.add(3601, "nas.deliver", "nas", attempt=1, **about)
    build.add(3601, "fire.answer", status=503, body_status=None, reason=None, **about)
    return accepted(build, "j", 3661).run("j", 3661, 1)


def test_a_machine_with_many_fires_under_way_may_ask_for_a_retry():
    """Not one that has few, or none any more; and the job runs when NAS has tried again."""
    for requirement in ("HOOK-4", "LIVE-12"):
        assert crowd(64).judge(requirement).verdict != "violated"
    for few in (crowd(64, over=True), crowd(63)):
        assert "a retry could not help" in few.judge("HOOK-4").reason
        assert "later than" in few.judge("LIVE-12").reason


def left_by_a_stop(lock: str) -> Build:
    """A run is cut off; its machine is back while somebody keeps the lock of the jobs."""
    more = (
        f"jobs: [{{id: j, schedule: every 1h}}]\nsteps: [{{at: 65m, do: hold-lock, for: {lock}}}]\n"
    )
    build = Build(more, external=True).up().run("j", "1h", None).add("62m", "stopped")
    return build.op("65m", "hold-lock", step=0).up("70m")


def test_what_a_lock_is_kept_from_to_the_end_cannot_be_recorded():
    """When it is free before, it can."""
    assert left_by_a_stop("4h").judge("LIVE-6").verdict != "violated"
    assert left_by_a_stop("1h").judge("LIVE-6").verdict == "violated"


def raised_in_a_fire(seam: str, error: str, raised: str = "RuntimeError") -> Build:
    """An arm is refused in a fire, a fault strikes, and something comes out of the fire."""
    build = Build(f"faults: [{{into: {seam}, raise: {raised}}}]\n", external=True).up()
    build.deliver("j", "1h", "1h").add("1h", "fire.begin", job="j")
    build.call("1h", "provision", "j", 503).add("1h", "fault", index=0, seam=seam, does="raise")
    return build.add("1h", "fire.end", job="j", value=None, error=error)


def test_what_another_fault_raised_is_no_failed_call():
    """Just that, and not at NAS."""
    assert raised_in_a_fire("claim", "RuntimeError").judge("RECON-4").verdict == "held"
    assert raised_in_a_fire("claim", "HTTPError").judge("RECON-4").verdict == "violated"
    of_nas = raised_in_a_fire("nas.list", "ReadTimeout", "httpx.ReadTimeout")
    assert of_nas.judge("RECON-4").verdict == "violated"


def refused_beside_a_refused_arm(*, stored: bool) -> Build:
    """A job cannot be made, while a call to NAS for another fails."""
    more = "jobs: [{id: j, schedule: every 1h}, {id: k, schedule: every 1h, created: by a step}]\n"
    build = Build(f"{more}steps: [{{at: 10m, do: create, job: k}}]\n", external=True).up()
    build.store(0, "j", next_run_at=iso("1h"))
    build.add("10m", "op", "operator", do="create", job="k", step=0)
    if stored:
        build.store("10m", "k", next_run_at=iso("70m"))
    build.call("10m", "provision", "j", 503)
    return build.add("11m", "op.end", "operator", do="create", job="k", error="X", step=0)


def test_of_a_change_that_stored_nothing_no_provider_is_told():
    """So that nothing of NAS can have come out of it."""
    assert refused_beside_a_refused_arm(stored=False).judge("RECON-4").verdict != "violated"
    assert refused_beside_a_refused_arm(stored=True).judge("RECON-4").verdict == "violated"


def tried_at(hang: str, retried: int) -> Build:
    """An arm is refused; the next round hangs from then on; k fires at half past, and at 90 min."""
    jobs = "jobs: [{id: j, schedule: 0 * * * *}, {id: k, schedule: 30 * * * *}]\n"
    build = Build(f"{jobs}faults: [{{into: nas.list, hang: {hang}}}]\n", external=True).up()
    build.arm("j", 0, "1h").arm("k", 0, "30m").fire("j", "1h").call(3602, "provision", "j", 503)
    build.add(3603, "fault", index=0, seam="nas.list", does="hang").fire("k", "90m", arms="2h30m")
    build.arm("j", retried, "3h")
    return build.fire("k", "2h30m", arms="3h30m")


def test_a_round_that_hangs_tries_again_when_that_is_over():
    """With the first occasion after it; without a hang, with the next one."""
    assert tried_at("31m", 9002).judge("LIVE-2").verdict == "held"
    assert tried_at("31m", 9010).judge("LIVE-2").verdict == "violated"
    assert tried_at("1m", 9002).judge("LIVE-2").verdict == "violated"


def given_again(schedule: str) -> Build:
    """What waits of a schedule runs after it was given again; then comes the next."""
    step = f"{{at: 119m50s, do: update, job: j, set: {{schedule: {schedule}}}}}"
    more = f"lasts: 3h\njobs: [{{id: j, schedule: 0 * * * *}}]\nsteps: [{step}]\n"
    build = Build(more, external=True).up()
    build.op("119m50s", "update", "j", step=0)
    return build.fire("j", 7192, fire_at="1h").fire("j", "2h")


def test_the_same_schedule_given_again_calls_nothing_off():
    """Another does."""
    assert given_again("0 * * * *").judge("ONCE-3").verdict != "violated"
    assert given_again("0 10 * * *").judge("ONCE-3").verdict == "violated"


def failed_and_not_told(hang: str) -> Build:
    """A run fails an hour and a half after a read of its machine began to hang."""
    build = Build(f"faults: [{{into: store.read, hang: {hang}}}]\n", external=True).up()
    build.add("30m", "fault", index=0, seam="store.read", does="hang")
    return build.fire("j", "2h", error="ValueError").store("3h", "j", last_status=None)


def test_a_failure_is_not_recorded_while_the_store_hangs():
    """Once that is over it is."""
    assert failed_and_not_told("100m").judge("FIRE-5").verdict == "held"
    assert failed_and_not_told("80m").judge("FIRE-5").verdict == "violated"


def refused_after(repeat: int) -> Build:
    """A job runs, its next arm is refused, and the status is green."""
    build = Build(f"jobs: [{{id: j, schedule: every 1h, repeat: {repeat}}}]\n", external=True).up()
    build.arm("j", 0, "1h").fire("j", "1h").call(3601, "provision", "j", 503)
    return build.status("90m", verdict="healthy", promises=True)


def test_a_job_that_has_had_its_runs_needs_no_arm():
    """One that is to run again does."""
    assert refused_after(1).judge("STAT-11").verdict != "violated"
    assert refused_after(2).judge("STAT-11").verdict == "violated"


def died_with_its_result(*, claimed: bool) -> Build:
    """A run of 50 minutes ends at the next time of its job, and the machine dies with its result."""
    build = Build("machines: [a, b]\n", external=True).up().up(machine="b").arm("j", 0, "1h")
    if claimed:
        build.store("1h", "j", fire_claim={"at": iso("1h"), "by": "a:1", "token": 1})
    build.fire("j", "1h", lasts=3600)
    build.drop("fire.end").add("2h", "crash").up("2h3m").arm("j", "2h3m1s", "3h")
    return build.fire("j", "3h", arms="4h")


def test_a_result_that_was_never_told_is_a_run_that_goes_on_to_others():
    """Where the claim stands in the store."""
    assert died_with_its_result(claimed=True).judge("LIVE-1").verdict != "violated"
    assert died_with_its_result(claimed=False).judge("LIVE-1").verdict == "violated"


def taken_late(state: str) -> Build:
    """What came while nobody was up is taken, and cut off; what is said of it names the first."""
    build = Build("jobs: [{id: j, schedule: every 1h}]\n").up().loop(last="50m").add("50m", "crash")
    build.up("2h20m").loop(first="2h20m", last="2h21m")
    build.store("2h20m", "j", fire_claim={"at": iso("2h20m"), "by": "a:1", "token": 1})
    build.add(8402, "crash").up("2h22m").loop(first="2h22m")
    build.store("3h", "j", fire_claim={"at": iso("3h"), "by": "a:1", "token": 2}).run("j", "3h")
    return build.missed("j", "1h", at="2h22m", state=state)


def test_what_was_cut_off_is_the_latest_that_had_come():
    """Up to when it was taken, where it is told that its end is unknown."""
    assert taken_late("unknown").judge("LIVE-1").verdict != "violated"
    assert taken_late("completed").judge("LIVE-1").verdict == "violated"


def refused_to_one(fault: str, *, machines: str = "[a, b]") -> Build:
    """An arm is refused; in the fire of another job the list fails, or the store cannot be read."""
    more = f"machines: {machines}\nsteps: [{{at: 80m, do: damage, what: garbage, for: 20m}}]\n"
    jobs = "jobs: [{id: j, schedule: 0 * * * *}, {id: k, schedule: 30 * * * *}]\n"
    build = Build(more + jobs, external=True).up().arm("j", 0, "1h").arm("k", 0, "30m")
    build.fire("j", "1h").call(3602, "provision", "j", 503).fire("k", "90m", arms="2h30m")
    if fault == "list":
        build.call(5401, "list", None, 200, "shape")
    if fault == "damage":
        build.op("80m", "damage", step=0)
    return build.fire("j", "2h", arms="3h")


def test_what_another_machine_was_refused_only_the_list_tells():
    """One that is alone remembers; nobody arms by a store that is garbage."""
    assert refused_to_one("list").judge("LIVE-2").verdict != "violated"
    assert refused_to_one("damage").judge("LIVE-2").verdict != "violated"
    assert refused_to_one("list", machines="[a]").judge("LIVE-2").verdict == "violated"
    assert refused_to_one("none").judge("LIVE-2").verdict == "violated"


def paused(end: str | None) -> Build:
    """A job is paused, and meanwhile its arm refused; later the status is green."""
    build = Build("steps: [{at: 30m, do: pause, job: j}]\n", external=True).up()
    build.add("30m", "op", "operator", do="pause", job="j", step=0)
    build.call(1801, "provision", "j", 503)
    if end:
        build.add(end, "op.end", "operator", do="pause", job="j", error=None, step=0)
    return build.status("40m", verdict="healthy", promises=True)


def test_a_job_that_is_paused_by_then_needs_no_arm():
    """Nor one of which nobody knows whether it is; while the change goes on it does."""
    assert paused("31m").judge("STAT-11").verdict != "violated"
    assert paused(None).judge("STAT-11").verdict != "violated"
    assert paused("41m").judge("STAT-11").verdict == "violated"


def refused_while_stored(*, taken: bool) -> Build:
    """A new schedule is refused; meanwhile the job is stored, with another schedule or not."""
    build = Build("steps: [{at: 90m, do: update, job: j, set: {schedule: 0 10 * * *}}]\n").up()
    build.loop().store(0, "j", schedule={"minutes": 60})
    build.add("90m", "op", "operator", do="update", job="j", step=0)
    build.store("90m", "j", schedule={"expr": "x"} if taken else {"minutes": 60})
    build.add("90m", "op.end", "operator", do="update", job="j", error="X", step=0)
    return build.runs("j", "1h", "2h", "3h")


def test_what_others_store_meanwhile_gives_no_schedule():
    """That the store has another one does."""
    assert refused_while_stored(taken=False).judge("ONCE-10").verdict != "violated"
    assert refused_while_stored(taken=True).judge("ONCE-10").verdict == "violated"


def asked_as_taken(*runs_at: str) -> Build:
    """J is claimed for its occurrence, then asked for, then its run of 20 minutes begins."""
    more = "jobs: [{id: j, schedule: 0 * * * *}]\nsteps: [{at: 3630s, do: trigger, job: j}]\n"
    build = Build(more).up().loop(first=30)
    build.store(0, "j", next_run_at=iso("1h"))
    claim = {"at": iso(3630), "by": "a:1", "token": 1}
    build.store(3630, "j", next_run_at=iso("2h"), fire_claim=claim)
    build.add(3630, "op", "operator", do="trigger", job="j", step=0)
    build.store(3630, "j", next_run_at=iso(3630), fire_claim=claim)
    build.add(3630, "op.end", "operator", do="trigger", job="j", error=None)
    build.run("j", 3630, "20m").store("4831s", "j", next_run_at=iso(3630))
    return build.runs("j", *runs_at, "7230s", "10830s")


def test_what_is_asked_for_as_its_job_is_taken_waits_for_that_run():
    """And comes within a minute after it."""
    assert asked_as_taken("4890s").judge("LIVE-1").verdict != "violated"
    assert asked_as_taken("5100s").judge("LIVE-1").verdict == "violated"
    assert asked_as_taken().judge("LIVE-1").verdict == "violated"


def asked_at_the_last(repeat: int) -> Build:
    """J, which may run so often, runs for its second occurrence as it is asked for."""
    more = f"jobs: [{{id: j, schedule: 0 * * * *, repeat: {repeat}}}]\n"
    build = Build(more + "steps: [{at: 2h, do: trigger, job: j}]\n").up().loop()
    build.store(0, "j", next_run_at=iso("1h")).run("j", "1h")
    build.store("2h", "j", next_run_at=iso("3h"), fire_claim={"at": iso("2h"), "token": 2})
    build.add("2h", "op", "operator", do="trigger", job="j", step=0)
    build.store("2h", "j", next_run_at=iso("2h"), fire_claim={"at": iso("2h"), "token": 2})
    build.add("2h", "op.end", "operator", do="trigger", job="j", error=None)
    return build.run("j", "2h")


def test_what_is_asked_for_as_the_last_run_begins_is_one_too_many():
    assert asked_at_the_last(2).judge("LIVE-1").verdict != "violated"
    assert asked_at_the_last(3).judge("LIVE-1").verdict == "violated"
