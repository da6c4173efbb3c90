"""Providers as somebody else would write them, right ones first, then each with one thing wrong."""

import logging
import threading
from datetime import datetime

import httpx

from hermes_cron import CronScheduler, auth, config, jobs, scheduler

logger = logging.getLogger(__name__)


class Loop(CronScheduler):
    """A loop around the host's tick."""

    name = "a-loop"

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        self.recover()
        self.beat(False)
        while not stop_event.is_set():
            clean = False
            try:
                self.tick(adapters, loop)
                clean = True
            except BaseException:
                logger.exception("tick failed")
            self.beat(clean)
            stop_event.wait(self.pause_s(interval, clean))

    def tick(self, adapters, loop):
        scheduler.tick(verbose=False, adapters=adapters, loop=loop, sync=False)

    def pause_s(self, interval, clean):
        return interval

    def recover(self):
        self.recover_interrupted()

    def beat(self, success):
        try:
            jobs.record_ticker_heartbeat(success=success)
        except Exception:
            logger.warning("no heartbeat")


class RemembersFires(Loop):
    """It keeps a memory of its own of what it has fired, beside the host's claims."""

    def fire_due(self, job_id, *, adapters=None, loop=None):
        memory = self.__dict__.setdefault("memory", set())
        key = (job_id, str((jobs.get_job(job_id) or {}).get("next_run_at")))
        if key in memory:
            return False
        memory.add(key)
        return super().fire_due(job_id, adapters=adapters, loop=loop)


class TiresOfFailures(Loop):
    """After some failures in a row it looks in only every four minutes."""

    failing = 0

    def pause_s(self, interval, clean):
        self.failing = 0 if clean else self.failing + 1
        return 240 if self.failing > 4 else interval


class RunsAllAtOnce(Loop):
    """It claims rightly, and gives everything that is due a thread at once."""

    def tick(self, adapters, loop):
        for job in jobs.get_due_jobs():
            if jobs.claim_job_for_fire(job["id"]):
                taken = jobs.get_job(job["id"])
                threading.Thread(target=scheduler.run_one_job, args=(taken,)).start()


class KeepsItsOwnTimes(Loop):
    """It reads a job's next time once and goes by its own book from there on."""

    every_missed = False

    def tick(self, adapters, loop):
        book, now = self.__dict__.setdefault("book", {}), jobs._hermes_now()
        for job in jobs.load_jobs():
            due = book.setdefault(job["id"], job["next_run_at"])
            while due is not None and datetime.fromisoformat(due) <= now:
                threading.Thread(target=scheduler.run_job, args=(job,)).start()
                due = jobs.compute_next_run(job["schedule"], due if self.every_missed else None)
            book[job["id"]] = due


class MakesUpForEverything(KeepsItsOwnTimes):
    """The same, and what was missed is run, each of it."""

    every_missed = True


class RunsAgainAfterADeath(Loop):
    """What the last process left claimed was not completed, so it is run again."""

    def recover(self):
        for job in jobs.load_jobs():
            if "interrupted" in str(job.get("last_error")) or job.get("fire_claim"):
                scheduler.run_job(job)


class Registrar(CronScheduler):
    """Arms what the store says at the registry; each occasion compares everything."""

    name = "a-registrar"

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        self.stop_event = stop_event
        self.recover_interrupted()
        self.compare()

    def on_jobs_changed(self):
        self.compare()

    def reconcile(self):
        self.compare()

    def fire_due(self, job_id, *, adapters=None, loop=None):
        ran = False
        try:
            ran = super().fire_due(job_id, adapters=adapters, loop=loop)
        finally:
            self.after_fire(job_id, ran)
        return ran

    def after_fire(self, job_id, ran):
        self.compare()

    def wanted(self):
        return {
            job["id"]: datetime.fromisoformat(job["next_run_at"]).isoformat(timespec="seconds")
            for job in jobs.list_jobs()
            if job.get("next_run_at") and job.get("state") == "scheduled"
        }

    def compare(self):
        if self.stop_event.is_set():
            return
        wanted = self.wanted()
        try:
            armed = {one["job_id"]: one["fire_at"] for one in self.call("GET", "list")["armed"]}
        except (httpx.HTTPError, ValueError, KeyError):
            armed = {}
        for job_id, fire_at in wanted.items():
            if armed.get(job_id) != fire_at:
                self.arm(job_id, fire_at)
        for job_id in armed.keys() - wanted.keys():
            self.attempt("cancel", job_id=job_id)

    def arm(self, job_id, fire_at):
        callback_url = config.load_config()["cron"]["chronos"]["callback_url"]
        key = f"{job_id}:{fire_at}"
        self.attempt(
            "provision",
            job_id=job_id,
            fire_at=fire_at,
            agent_callback_url=callback_url,
            dedup_key=key,
        )

    def attempt(self, what, **body):
        try:
            self.call("POST", what, **body)
        except (httpx.HTTPError, ValueError):
            logger.warning("%s failed", what)

    def call(self, method, what, **body):
        portal = config.load_config()["cron"]["chronos"]["portal_url"]
        token = auth.resolve_nous_access_token()
        answer = httpx.request(
            method,
            f"{portal}/api/agent-cron/{what}",
            json=body or None,
            headers={"authorization": f"Bearer {token}"},
        )
        return answer.raise_for_status().json()


class ArmsOnlyWhatFired(Registrar):
    """A fire concerns one job, so it arms that one."""

    def after_fire(self, job_id, ran):
        if fire_at := self.wanted().get(job_id):
            self.arm(job_id, fire_at)


class ArmsOnlyWhatRan(Registrar):
    """Who lost the claim leaves the next arm to the winner."""

    def after_fire(self, job_id, ran):
        if ran:
            self.compare()


class LeavesErrorsAlone(Registrar):
    """A job in error waits for somebody to look at it."""

    def wanted(self):
        broken = {job["id"] for job in jobs.list_jobs() if job.get("last_status") == "error"}
        return {job_id: at for job_id, at in super().wanted().items() if job_id not in broken}


class HasNothingToReconcile(Registrar):
    """What is armed is armed: the host asks it in vain to look again."""

    def reconcile(self):
        return


class RunsWhatItReconciles(Registrar):
    """Being asked to look again means to it that something should have run."""

    def reconcile(self):
        for job in reversed(jobs.list_jobs()):
            scheduler.run_job(job)
        self.compare()


class TakesNoFires(Loop):
    """It has no use for fires, and no loop that runs anything."""

    def tick(self, adapters, loop):
        return

    def fire_due(self, job_id, *, adapters=None, loop=None):
        return False
