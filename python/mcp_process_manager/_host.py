"""What a command inherits from this process."""

import os
import threading
from typing import Any, Callable, Dict, Optional, Tuple

from ._errors import InvalidArgumentError, OperationError

# Its path, and which it is: one that was removed has no path, and another may have taken its place.
_Directory = Tuple[Optional[bytes], Optional[Tuple[int, int]]]


def _directory() -> _Directory:
    path, identity = None, None
    try:
        path = os.getcwdb()
    except OSError:
        pass
    try:
        found = os.stat(".")
        identity = (found.st_dev, found.st_ino)
    except OSError:
        pass
    return path, identity


class HostState:
    """The environment and the working directory of this process, as a wrapper knows them.

    The wrapper has inherited them byte by byte. Of what changes afterwards it is told in JSON, which is UTF-8.
    """

    def __init__(self) -> None:
        # What a signal handler calls may enter it again.
        self._lock = threading.RLock()
        self.env = dict(os.environb)
        self._directory = _directory()

    def tell(self, send: Callable[[Dict[str, Any]], None]) -> None:
        """Sends what has changed since the last time. Raises where that cannot be told: nothing is started then."""
        with self._lock:
            env, directory = dict(os.environb), _directory()
            changes: Dict[str, Any] = {}
            if env != self.env:
                changes["env"] = self._changed(env)
            if directory != self._directory and not (directory[0] is None and directory[1] == self._directory[1]):
                changes["cwd"] = _readable(directory[0])
            if changes:
                send(changes)
            self.env, self._directory = env, directory

    def _changed(self, env: Dict[bytes, bytes]) -> Dict[str, Optional[str]]:
        values = [(name, value) for name, value in env.items() if self.env.get(name) != value]
        gone = [(name, None) for name in self.env if name not in env]
        return {_text(name, name): None if value is None else _text(name, value) for name, value in (*gone, *values)}


def _text(name: bytes, raw: bytes) -> str:
    """Not what was the value: it may be a secret."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        problem = f"The environment variable {os.fsdecode(name)!r} is not UTF-8, so that no command can be given it"
        raise InvalidArgumentError(problem, "ERR_INVALID_ARG_VALUE") from None


def _readable(path: Optional[bytes]) -> str:
    if path is None:
        raise OperationError(
            "The working directory of this process was removed, so that no command can start in it", "ERR_WORKING_DIRECTORY"
        )
    try:
        return path.decode()
    except UnicodeDecodeError:
        problem = f"The working directory {os.fsdecode(path)!r} is not UTF-8, so that no command can start in it"
        raise OperationError(problem, "ERR_WORKING_DIRECTORY") from None
