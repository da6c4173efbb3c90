"""RECON-11: whoever changes a job, and however, the provider is told."""

import functools
from pathlib import Path

from contract_tests.benches.changes import ChangesBench
from contract_tests.engine import Context, Outcome, held, probe, unknown, violated
from contract_tests.probes.fallback import plugin
from contract_tests.surroundings import ask, captured_logs, home

__all__: list[str] = []  # probes are found by their ids

EARS = "open({heard!r}, 'a').write('x')"


@probe("RECON-11")
def every_way_of_changing_tells(context: Context) -> Outcome:
    """Each function in a gateway's process, and each command in one that has no provider."""
    name = "contract-ears"
    folder = context.folder / "changes" / "home"
    heard = context.folder / "changes" / "heard"
    method = f"    def on_jobs_changed(self):\n        {EARS.format(heard=str(heard))}\n\n"
    text = plugin(name).replace("    def start(", f"{method}    def start(")
    with home(folder), captured_logs():
        place = folder / "plugins" / name
        place.mkdir(parents=True)
        (place / "__init__.py").write_text(text, encoding="utf-8")
        (folder / "config.yaml").write_text(f"cron: {{provider: {name}}}\n", encoding="utf-8")
        in_charge = context.host.resolve()
        if ask(lambda: in_charge.name).value != name:
            return unknown("the host does not take a provider that listens")
        told: list[str] = []
        for where, provider in (("in a gateway", in_charge), ("in a command", None)):
            with context.host.changes_bench(provider) as bench:
                unheard = _go_through(bench, heard, told)
            if unheard:
                return violated(f"{unheard}, {where}: the provider is not told")
    return held(f"the provider is told of {len(told)} changes: {', '.join(told)}")


def _go_through(bench: ChangesBench, heard: Path, told: list[str]) -> str | None:
    """Change jobs in every way; the first one of which the provider does not hear."""
    for sort in bench.ways:
        job = bench.add_job()
        for way, change in sort.items():
            heard.unlink(missing_ok=True)
            ask(functools.partial(change, job))
            if not heard.exists():
                return way
            told.append(way)
    return None
