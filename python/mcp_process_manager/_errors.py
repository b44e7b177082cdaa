"""What this package raises: one base class, and beside it the built-in that fits."""

from typing import Any, Dict, Mapping, Optional

__all__ = [
    "ProcessManagerError", "InvalidArgumentError", "OperationError", "UnknownProcessError", "RequestTimeoutError",
    "WrapperError", "WrapperStartError", "ForkedError", "from_answer",
]


class ProcessManagerError(Exception):
    """The base class of all.

    code: a stable name, that of an errno ("ENOENT") or one of ours ("ERR_PROCESS_LIMIT").
    rpc_code: the number that the wrapper answered with, or None.
    data: what else it told: errno, syscall, path, where they apply.
    """

    def __init__(
        self, message: str, code: str = "", *, rpc_code: Optional[int] = None, data: Optional[Mapping[str, Any]] = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.rpc_code = rpc_code
        self.data: Dict[str, Any] = dict(data or {})

    def __str__(self) -> str:
        return self.message


class InvalidArgumentError(ProcessManagerError, ValueError):
    """Something that was passed in is refused; the message names the field and the value."""


class OperationError(ProcessManagerError, RuntimeError):
    """It cannot be done now: the process limit, a closed stdin, a manager that was cleaned up."""


class UnknownProcessError(ProcessManagerError, ProcessLookupError):
    """A method that cannot answer for an id that the manager does not know."""


class RequestTimeoutError(ProcessManagerError, TimeoutError):
    """The wrapper does not answer."""


class WrapperError(ProcessManagerError, RuntimeError):
    """The wrapper has ended, and everything managed with it."""


class WrapperStartError(WrapperError):
    """The wrapper could not be started: the message says what is missing, and how to get it."""


class ForkedError(ProcessManagerError, RuntimeError):
    """The manager belongs to the process that this one was forked from."""


_INVALID_PARAMS = -32602
_UNKNOWN_PROCESS = -32001
_UNAVAILABLE = -32002


def from_answer(error: Mapping[str, Any]) -> ProcessManagerError:
    """The exception for the error of an answer."""
    data: Mapping[str, Any] = error.get("data") or {}
    number = error["code"]
    kinds = {
        _INVALID_PARAMS: InvalidArgumentError, _UNKNOWN_PROCESS: UnknownProcessError, _UNAVAILABLE: WrapperStartError,
    }
    kind = kinds.get(number, OperationError)
    return kind(error["message"], data.get("code") or "", rpc_code=number, data=data)
