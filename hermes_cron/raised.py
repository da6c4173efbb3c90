"""What was raised, in words: also where the exception's own text raises.

Who describes an exception of somebody else's is about to survive it, and must survive its text too.
"""

__all__ = ["describe", "in_a_line"]


def describe(error: BaseException) -> str:
    """The type, and the text where it has one."""
    kind = type(error).__name__
    try:
        text = str(error)
    except BaseException:  # SystemExit included: the text of a provider's exception is its code
        return kind
    return f"{kind}: {text}" if text.strip() else kind


def in_a_line(error: BaseException) -> str:
    """The same in one line, for a reason in a log or a status."""
    return " ".join(describe(error).split())
