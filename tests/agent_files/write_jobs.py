"""Have hermes-agent write a jobs.json; how `jobs-*.json` beside this file came about.

    PYTHON_WITH_HERMES_AGENT write_jobs.py HOME

Jobs of each kind, and what its functions write into them: ran, failed, not delivered, claimed,
paused, triggered.
"""

import inspect
import os
import sys
from datetime import UTC, datetime
from pathlib import Path


def main(home: Path) -> None:
    os.environ |= {
        "HERMES_HOME": str(home),
        "HERMES_TIMEZONE": "Europe/Berlin",
        "HERMES_MACHINE_ID": "agent-host",
    }
    (home / "scripts").mkdir(parents=True)
    (home / "scripts" / "backup.sh").write_text("echo saved\n", encoding="utf-8")
    from cron import jobs

    known = inspect.signature(jobs.create_job).parameters

    def create(*arguments: object, **settings: object) -> str:
        settings = {name: value for name, value in settings.items() if name in known}
        return jobs.create_job(*arguments, **settings)["id"]

    chat = {"platform": "telegram", "chat_id": "123", "chat_name": "me", "thread_id": None}
    model = {"model": "a-model", "provider": "a-provider", "base_url": "https://models.test/v1"}
    news = create(
        "Say what is new",
        "every 30m",
        name="news",
        deliver="telegram:123",
        origin=chat,
        skills=["digest"],
        enabled_toolsets=["web"],
    )
    weekly = create(
        "Sum up the week", "0 9 * * 1", name="weekly", repeat=5, attach_to_session=True, **model
    )
    reminder = create("Remind me", "2h", name="reminder", deliver="local")
    backup = create(
        None, "every 1h", name="backup", script="backup.sh", no_agent=True, workdir="/tmp"
    )
    chained = create("From the others", "0 18 * * *", name="chained", context_from=[news, backup])
    resting = create("Rest", "every 1d", name="resting")
    create("Once", "2027-01-05T10:00:00", name="new year")
    wanted = create("Come now", "0 0 * * *", name="wanted now")
    create("Just now", datetime.now(UTC).isoformat(), name="just now")

    jobs.mark_job_run(news, True)
    jobs.mark_job_run(weekly, False, "ValueError: no model")
    jobs.mark_job_run(backup, True, None, delivery_error="no chat")
    jobs.pause_job(resting, "on holiday")
    jobs.trigger_job(wanted)
    jobs.claim_job_for_fire(chained)
    if hasattr(jobs, "claim_dispatch"):  # since 0.18
        jobs.claim_dispatch(reminder)
    jobs.get_due_jobs()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
