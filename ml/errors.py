"""Errors that say what a caller may do about them, by exit code.

The exit codes follow ``sysexits.h`` where it has one (65 EX_DATAERR, 75 EX_TEMPFAIL); Airflow's own
convention gives 99 to "skip".
"""

from typing import ClassVar


class ShopError(Exception):
    """Base of all errors that carry a message for a person instead of a stack trace."""

    exit_code: ClassVar[int] = 65


class DataError(ShopError):
    """The data or the request is wrong; trying again gives the same answer."""


class ConfigError(ShopError):
    """A setting is missing or contradicts another."""


class NotFittedError(ShopError):
    """A model was asked before it was fitted."""


class ColumnError(DataError):
    """A frame does not have the columns or types its table states."""


class NotEnoughDataError(DataError):
    """The data are sound, but too few to learn from or to measure with."""

    def __init__(self, message: str) -> None:
        super().__init__(f"not_enough_data: {message}")


class FencedError(ShopError):
    """Another try took the lease; this one must not write."""


class TemporaryError(ShopError):
    """Something outside did not answer; trying again later can help."""

    exit_code: ClassVar[int] = 75


class NothingToDo(ShopError):  # noqa: N818 - an outcome, not a fault
    """There is nothing to do, for a stated reason."""

    exit_code: ClassVar[int] = 99
