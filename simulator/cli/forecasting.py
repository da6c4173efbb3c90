"""`hermes-sim forecast`: words in, a forecast out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
from rich.console import Console

from hermes_cron import clock
from simulator.durations import parse_duration
from simulator.forecast import Forecast, ForecastError, Question, forecast, read_file
from simulator.forecast.json import to_json
from simulator.forecast.parts import forecast_in_parts
from simulator.forecast.times import Outage, instant, utc
from simulator.forecast.view import show
from simulator.hosts import Host, reference_host
from simulator.target import Target

__all__ = ["forecast_command"]

_INCONCLUSIVE = 3


class _WrongUse(click.ClickException):
    """One line, and the exit code of wrong use: the usage of the command would not help."""

    exit_code = 2


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
    workers: int,
) -> int:
    """Answer, print, write; the exit code.

    Returns:
        0, or 3 when something went wrong in the run itself, so that the answer may be another.

    Raises:
        click.ClickException: Wrong use, with exit code 2: the file, the zone, an instant.
    """
    host = reference_host()
    name = provider or next(iter(host.bundled()))
    target = _target(name, host)
    zone = _zone(tz)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    begin = now if start is None else _instant(start, zone, "--from")
    outages = tuple(_outage(text, zone) for text in downs)
    try:
        question = Question(
            jobs_file=read_file(jobs_json),
            zone=zone,
            start=begin,
            end=_days_later(begin, days, zone),
            outages=outages,
            name=str(jobs_json),
        )
        if workers > 1:
            answer = forecast_in_parts(question, name, workers)
        else:
            answer = forecast(question, target, host)
    except ForecastError as error:
        raise _WrongUse(str(error)) from error
    show(answer, Console(highlight=False, emoji=False), every_fire=every_fire)
    if json_file is not None:
        _write(json_file, answer)
    return _INCONCLUSIVE if answer.trouble else 0


def _target(name: str, host: Host) -> Target:
    from simulator.cli.running import resolve

    return resolve(name, host)


def _write(file: Path, answer: Forecast) -> None:
    try:
        file.write_text(json.dumps(to_json(answer), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise _WrongUse(f"--json {file} cannot be written: {error.strerror or error}") from error


def _days_later(begin: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The same wall time so many days later: a day of 25 hours is one day."""
    wall = begin.astimezone(zone).replace(tzinfo=None) + timedelta(days=days)
    return utc(wall.replace(tzinfo=zone))


def _zone(name: str | None) -> ZoneInfo:
    """The zone of that name, else the one that the host of this machine is configured with."""
    try:
        return clock.zone() if name is None else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise _WrongUse(f"--tz {name!r} is no time zone; write one like Europe/Berlin") from error


def _instant(text: str, zone: ZoneInfo, option: str) -> datetime:
    moment = instant(text, zone)
    if moment is None:
        raise _WrongUse(
            f"{option} {text!r} is no instant; write 2026-11-01T02:00, or with an offset"
        )
    return utc(moment)


def _outage(text: str, zone: ZoneInfo) -> Outage:
    begin, slash, duration = text.rpartition("/")
    if not slash:
        raise _WrongUse(f"--down {text!r}: write INSTANT/DURATION, like 2026-11-01T02:00/6h")
    try:
        lasts_us = parse_duration(duration)
    except ValueError as error:
        raise _WrongUse(f"--down {text!r}: {error}") from error
    if lasts_us <= 0:
        raise _WrongUse(f"--down {text!r}: an outage takes more than no time")
    return Outage(_instant(begin, zone, "--down"), timedelta(microseconds=lasts_us))
