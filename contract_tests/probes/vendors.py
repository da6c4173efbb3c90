"""FALL-11: the agent knows a managed scheduler, and not which product is behind it."""

import re

from contract_tests.engine import Context, Outcome, held, probe, unknown, violated

__all__: list[str] = []  # probes are found by their ids

# Products that can stand behind a managed scheduler: an agent that knows which one is tied to it.
# Words that are ordinary English too (Temporal, Defer) count with what only the product has.
VENDORS = (
    r"q-?stash",
    r"upstash",
    r"event-?bridge",
    r"cloud[ _-]?scheduler",
    r"cloud[ _-]?tasks",
    r"temporalio|temporal[ _-](cloud|server|workflow|schedule)",
    r"inngest",
    r"trigger\.dev",
    r"\bsqs\b",
    r"service[ _-]?bus",
    r"\bhatchet\b",
    r"cron-job\.org",
    r"easycron",
    r"\bcronhooks?\b",
    r"\bzeplo\b",
    r"posthook",
    r"quirrel",
    r"\bmergent\b",
    r"cloudflare",
    r"\bdkron\b",
)


@probe("FALL-11")
def no_vendor_is_named(context: Context) -> Outcome:
    """The host's own files, read for the names of scheduler products."""
    files = context.host.sources()
    if not files:
        return unknown("the host gives none of its source to look at")
    pattern = re.compile("|".join(VENDORS), re.IGNORECASE)
    found = [
        f"{file.name}, line {number}: {match.group(0)}"
        for file in files
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if (match := pattern.search(line))
    ]
    if found:
        return violated(f"the agent's side names a scheduler behind NAS: {found[0]}", *found[1:])
    return held(f"none of {len(VENDORS)} products is named in {len(files)} files of the host")
