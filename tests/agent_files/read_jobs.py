"""Let hermes-agent use a home of ours: load, list, find what is due, claim, rename, mark.

    PYTHON_WITH_HERMES_AGENT read_jobs.py HOME

Prints what it saw as one line of JSON; the home is left as hermes-agent leaves it.
"""

import json
import os
import sys


def main(home: str) -> dict:
    os.environ |= {"HERMES_HOME": home, "HERMES_TIMEZONE": "Europe/Berlin"}
    from cron import jobs

    loaded = jobs.load_jobs()
    by_name = {job["name"]: job["id"] for job in loaded}
    seen = {
        "loaded": loaded,
        "listed": [job["name"] for job in jobs.list_jobs(include_disabled=True)],
        "due": [job["name"] for job in jobs.get_due_jobs()],
        "won": {name: jobs.claim_job_for_fire(by_name[name]) for name in ("claimed", "hourly")},
    }
    jobs.update_job(by_name["hourly"], {"name": "renamed"})
    jobs.mark_job_run(by_name["due"], True)
    return seen


if __name__ == "__main__":
    sys.stdout.write(f"{json.dumps(main(sys.argv[1]))}\n")
