"""What a scan found out about each job, and which jobs the next scan has to look at.

Of a thousand jobs a few are due at a time. A job is looked at again when its record changed, when
its time has come, or while nothing is settled about it (it is due, it runs, it is to be mended);
all of them only when the zone or the file changed as a whole, or the clock went back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import tzinfo
from heapq import heapify, heappop, heappush

from hermes_cron.store import Document

__all__ = ["Agenda"]


class Agenda:
    """Until when each job of a document needs no look. Of one process."""

    def __init__(self) -> None:
        self._document: Document | None = None
        self._zone: tzinfo | None = None
        self._at = math.inf
        self._until: dict[str, float] = {}
        self._order: list[tuple[float, str]] = []  # entries that `_until` says otherwise are stale
        self._open: set[str] = set()

    def to_look_at(
        self, document: Document, at: float, zone: tzinfo, running: Iterable[str]
    ) -> list[str]:
        """The ids of the jobs to look at now, at the epoch `at`, in file order.

        They stay to be looked at until `settle` says otherwise.
        """
        changed = None
        if self._document is not None and zone == self._zone and at >= self._at:
            changed = document.changed_since(self._document)
        if changed is None:
            self._until.clear()
            self._order.clear()
            self._open = set(document.places)
        else:
            self._open.update(changed, running)
            self._come_due(at)
        self._document, self._zone, self._at = document, zone, at
        for job_id in [one for one in self._open if one not in document.places]:
            self._open.discard(job_id)
            self._until.pop(job_id, None)
        return sorted(self._open, key=document.places.__getitem__)

    def settle(self, job_id: str, until: float) -> None:
        """Nothing has to be asked about the job before the epoch `until`, if nobody changes it."""
        self._open.discard(job_id)
        self._until[job_id] = until
        if until < math.inf:
            heappush(self._order, (until, job_id))
            if len(self._order) > 2 * len(self._until):
                self._order = [one for one in self._order if self._stands(one)]
                heapify(self._order)

    def next_at(self) -> float:
        """The first epoch at which one of the settled jobs has to be looked at."""
        while self._order and not self._stands(self._order[0]):
            heappop(self._order)
        return self._order[0][0] if self._order else math.inf

    def _come_due(self, at: float) -> None:
        while self.next_at() <= at:
            self._open.add(heappop(self._order)[1])

    def _stands(self, entry: tuple[float, str]) -> bool:
        until, job_id = entry
        return job_id not in self._open and self._until.get(job_id) == until
