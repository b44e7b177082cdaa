"""Spawns, watches, restarts and ends child processes: the Python side of the npm package mcp-process-manager."""

from ._aio import AsyncLogIterator, AsyncProcessManager, Event
from ._contract import ProcessManagerContract
from ._errors import (
    ForkedError,
    InvalidArgumentError,
    OperationError,
    ProcessManagerError,
    RequestTimeoutError,
    UnknownProcessError,
    WrapperError,
    WrapperStartError,
)
from ._manager import LogIterator, ProcessManagerImpl
from ._version import __version__

__all__ = [
    "AsyncLogIterator",
    "AsyncProcessManager",
    "Event",
    "ForkedError",
    "InvalidArgumentError",
    "LogIterator",
    "OperationError",
    "ProcessManagerContract",
    "ProcessManagerError",
    "ProcessManagerImpl",
    "RequestTimeoutError",
    "UnknownProcessError",
    "WrapperError",
    "WrapperStartError",
    "__version__",
]
