"""What a job store says when it cannot do what was asked.

Each message says which file and what to do; `reason` is a code that does not change with the text.
They are `RuntimeError`s, as hermes-agent's callers expect of a broken jobs file.
"""

import errno
from typing import Final

__all__ = ["StoreBusy", "StoreError", "StoreUnreadable", "StoreWriteFailed", "write_reason"]

_WRITE_REASONS: Final = {
    errno.ENOSPC: "no_space",
    errno.EDQUOT: "no_space",
    errno.EFBIG: "no_space",
    errno.EACCES: "permission",
    errno.EPERM: "permission",
    errno.EROFS: "permission",
    errno.EMFILE: "too_many_files",
    errno.ENFILE: "too_many_files",
}


class StoreError(RuntimeError):
    """The base of all store errors.

    Attributes:
        reason: a stable code, listed with each subclass.
    """

    def __init__(self, message: str, *, reason: str = "io") -> None:
        super().__init__(message)
        self.reason = reason


class StoreUnreadable(StoreError):  # noqa: N818 the name says what happened
    """The jobs cannot be read. Nothing was changed and nothing may be written over them.

    `reason` is "permission", "corrupt" (not JSON), "shape" (JSON of another shape), "missing"
    (there was a jobs file here before), or "io".
    """


class StoreWriteFailed(StoreError, OSError):  # noqa: N818 as above
    """A write failed: the old state stands and no temporary file is left.

    Also an `OSError` with the `errno` of the failure, as hermes-agent's callers expect.
    `reason` is "no_space", "permission", "too_many_files" or "io".

    Attributes:
        step: "lock" (the lock file could not be opened), "write", "sync" or "replace".
    """

    def __init__(
        self, message: str, *, reason: str = "io", step: str = "write", number: int | None = None
    ) -> None:
        super().__init__(message, reason=reason)
        self.step = step
        self.errno = number


class StoreBusy(StoreError):  # noqa: N818 as above
    """A lock could not be had in time; nothing was read or written. `reason` is "busy"."""

    def __init__(self, message: str, *, reason: str = "busy") -> None:
        super().__init__(message, reason=reason)


def write_reason(error: OSError) -> str:
    """The `reason` of a `StoreWriteFailed` that comes from `error`."""
    return _WRITE_REASONS.get(error.errno or 0, "io")
