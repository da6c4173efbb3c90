"""RECON-11: whoever changes a job, and however, the provider is told."""

from pathlib import Path

from contract_tests.benches.changes import ChangesBench
from contract_tests.engine import Context, Outcome, held, probe, unknown, violated
from contract_tests.probes.fallback import plugin
from contract_tests.surroundings import ask, captured_logs, home

__all__: list[str] = []  # probes are found by their ids

EARS = "open({heard!r}, 'a').write('x')"


@probe("RECON-11")
def every_way_of_changing_tells(context: Context) -> Outcome:
    """Each command and each function, in a gateway's process and in one without a provider."""
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
        count = 0
        for where, provider in (("in a gateway", in_charge), ("in a command", None)):
            with context.host.changes_bench(provider) as bench:
                for way in bench.ways:
                    count += 1
                    if not _is_heard(bench, way, heard):
                        return violated(f"{way}, {where}: the provider is not told")
    return held(f"the provider is told of {count} changes: {', '.join(bench.ways)}")


def _is_heard(bench: ChangesBench, way: str, heard: Path) -> bool:
    job = bench.add_job()
    heard.unlink(missing_ok=True)
    ask(lambda: bench.ways[way](job))
    return heard.exists()
