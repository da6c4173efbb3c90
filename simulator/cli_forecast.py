"""`hermes-sim forecast`: words in, a forecast out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
from rich.console import Console

from simulator.cli_run import resolve
from simulator.durations import parse_duration
from simulator.forecast import ForecastError, Outage, Question, forecast, read_file
from simulator.forecast_view import show, to_json
from simulator.hosts import reference

__all__ = ["forecast_command"]


def forecast_command(
    *,
    jobs_json: Path,
    days: int,
    tz: str | None,
    start: str | None,
    downs: tuple[str, ...],
    provider: str | None,
    every_fire: bool,
    json_file: Path | None,
) -> int:
    """Answer, print, write; the exit code."""
    host = reference()
    target = resolve(provider, host) if provider else next(iter(host.bundled().values()))
    zone = _zone(tz)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    begin = now if start is None else _instant(start, zone, "--from")
    outages = tuple(_outage(text, zone) for text in downs)
    end = begin + timedelta(days=days)
    for outage in outages:
        if not begin <= outage.start.astimezone(UTC) <= end:
            raise click.UsageError(
                f"--down {outage.start.isoformat()} is not within the forecast, "
                f"{begin.isoformat()} to {end.isoformat()}"
            )
    try:
        question = Question(read_file(jobs_json), zone, begin, days, outages)
        answer = forecast(question, target, host)
    except ForecastError as error:
        raise click.UsageError(str(error)) from error
    show(answer, Console(highlight=False), every_fire=every_fire)
    if json_file is not None:
        text = json.dumps(to_json(answer), indent=2)
        json_file.write_text(text + "\n", encoding="utf-8")
    return 0


def _zone(name: str | None) -> ZoneInfo:
    if name is None:
        return _system_zone()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise click.UsageError(f"no time zone {name!r}; write one like Europe/Berlin") from error


def _system_zone() -> ZoneInfo:
    """This machine's zone, as its host's configuration would have it when it names none."""
    link = Path("/etc/localtime")
    parts: Any = link.resolve().parts if link.exists() else ()
    for start in range(len(parts)):
        try:
            return ZoneInfo("/".join(parts[start:]))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return ZoneInfo("UTC")


def _instant(text: str, zone: ZoneInfo, option: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(
            f"{option} {text!r} is no instant: write 2026-11-01T02:00 or with an offset"
        ) from error
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    return aware.astimezone(UTC)


def _outage(text: str, zone: ZoneInfo) -> Outage:
    begin, slash, duration = text.rpartition("/")
    if not slash:
        raise click.UsageError(f"--down {text!r}: write INSTANT/DURATION, like 2026-11-01T02:00/6h")
    try:
        lasts_us = parse_duration(duration)
    except ValueError as error:
        raise click.UsageError(f"--down {text!r}: {error}") from error
    if lasts_us <= 0:
        raise click.UsageError(f"--down {text!r}: an outage takes more than no time")
    return Outage(_instant(begin, zone, "--down"), timedelta(microseconds=lasts_us))
