"""The process manager for Python. docs/python.md of mcp-process-manager describes it.

    from process_manager_impl import ProcessManagerImpl

    with ProcessManagerImpl() as manager:
        process_id = manager.spawn_process({'command': 'python3', 'args': ['script.py']})
"""

from mcp_process_manager import (
    AsyncLogIterator,
    AsyncProcessManager,
    Event,
    ForkedError,
    InvalidArgumentError,
    LogIterator,
    OperationError,
    ProcessManagerContract,
    ProcessManagerError,
    ProcessManagerImpl,
    RequestTimeoutError,
    UnknownProcessError,
    WrapperError,
    WrapperStartError,
    __version__,
)

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
