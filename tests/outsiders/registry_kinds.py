"""Registries that are unlike NAS, each with a provider that knows how to live with it."""

import threading
import time
from datetime import datetime, timedelta, timezone

from hermes_cron import jobs
from contract_tests.examples.remindly import FakeRemindly, RemindlyCron, RemindlyError


def now():
    return datetime.fromtimestamp(time.time(), timezone.utc)


def rounded_up(at):
    return at.replace(second=0) + timedelta(minutes=1 if at.second else 0)


class MinutesOnly(FakeRemindly):
    """Goes off on whole minutes, the next one, and says what it was asked for."""

    granularity_s = 60

    def armed(self):
        return {job_id: rounded_up(at) for job_id, at in self.at.items()}

    def deliver_due(self, now):
        due = [(job_id, at) for job_id, at in self.at.items() if rounded_up(at) <= now]
        for job_id, _ in due:
            del self.at[job_id]
        return due


class MinutesOnlyTooEarly(MinutesOnly):
    """The minute before."""

    def armed(self):
        return {job_id: at.replace(second=0) for job_id, at in self.at.items()}

    def deliver_due(self, now):
        return super().deliver_due(now + timedelta(minutes=1))


class HalfAnHourAhead(FakeRemindly):
    """Takes nothing that is further ahead."""

    horizon_s = 30 * 60

    def remind(self, job_id, at):
        if at > now() + timedelta(minutes=30):
            raise RemindlyError("422 too far ahead")
        return super().remind(job_id, at)


class GoesByStages(RemindlyCron):
    """What is too far ahead gets a reminder on the way: too early to run, and time to look again."""

    def _wanted(self):
        last = now() + timedelta(minutes=30)
        stage = (last - timedelta(minutes=1)).replace(microsecond=0)
        return {job_id: at if at <= last else stage for job_id, at in super()._wanted().items()}


class ForgetsTheFar(RemindlyCron):
    """What is too far ahead is left out, and nobody looks again."""

    def _wanted(self):
        last = now() + timedelta(minutes=30)
        return {job_id: at for job_id, at in super()._wanted().items() if at <= last}


class Repeats(FakeRemindly):
    """Keeps what it was given a period for, and moves it on by itself."""

    recurring = True

    def __init__(self):
        super().__init__()
        self.every = {}

    def repeat(self, job_id, at, every):
        self.every[job_id] = every
        return self.remind(job_id, at)

    def deliver_due(self, now):
        due = super().deliver_due(now)
        for job_id, at in due:
            if job_id in self.every:
                self.at[job_id] = at + self.every[job_id]
        return due


class ArmsOnce(RemindlyCron):
    """An interval is handed over once, with its period."""

    def _set(self, job_id, at):
        schedule = (jobs.get_job(job_id) or {}).get("schedule", {})
        if schedule.get("kind") == "interval":
            every = timedelta(minutes=schedule["minutes"])
            service = self.service
            self.service = type(
                "Once", (), {"remind": lambda _, j, a: service.repeat(j, a, every)}
            )()
            try:
                super()._set(job_id, at)
            finally:
                self.service = service
        else:
            super()._set(job_id, at)


class TenMinuteLocks(FakeRemindly):
    """A reminder is dropped unless somebody says within ten minutes that it is still wanted."""

    lock_s = 600

    def __init__(self):
        super().__init__()
        self.until = {}

    def remind(self, job_id, at):
        self.until[job_id] = now() + timedelta(seconds=self.lock_s)
        return super().remind(job_id, at)

    def renew(self, job_id):
        with self._call("renew", job_id):
            self.until[job_id] = now() + timedelta(seconds=self.lock_s)

    def armed(self):
        for job_id in [one for one, until in self.until.items() if until <= now()]:
            self.at.pop(job_id, None)
        return self.at


class Renews(RemindlyCron):
    every_s = 300

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        super().start(stop_event, adapters=adapters, loop=loop, interval=interval)
        threading.Thread(target=self._renew, args=(stop_event,), daemon=True).start()

    def _renew(self, stop_event):
        while not stop_event.wait(self.every_s):
            for job_id in list(self._mine):
                self.service.renew(job_id)


class RenewsInAHurry(Renews):
    every_s = 20


class BehindByAMinute(FakeRemindly):
    """Its list tells what there was a minute ago."""

    list_lag_s = 60

    def __init__(self):
        super().__init__()
        self.past = []

    def remind(self, job_id, at):
        self._remember()
        return super().remind(job_id, at)

    def forget(self, job_id):
        self._remember()
        super().forget(job_id)

    def deliver_due(self, now):
        self._remember()
        return super().deliver_due(now)

    def _remember(self):
        self.past.append((now(), dict(self.at)))

    def reminders(self):
        super().reminders()
        minute_ago = now() - timedelta(seconds=60)
        later = [was for at, was in self.past if at > minute_ago]
        return list((later[0] if later else self.at).items())


class Undeclared:
    """Says nothing of what it is like."""

    granularity_s = horizon_s = list_lag_s = lock_s = 0
