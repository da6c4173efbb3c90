"""`ThreadPoolExecutor` during a run: the same class, with workers that are tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["POOL_METHODS"]

POOL_METHODS: list[tuple[type, str, Callable[..., Any]]] = []
