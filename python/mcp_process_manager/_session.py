"""The wrapper of one manager and the events that come from it: what both classes of managers share."""

import os
import threading
from functools import partial
from typing import Any, Dict, List, Mapping, Optional, Protocol, Tuple

from ._connection import Connection, Notice, PROTOCOL, closed
from ._dispatch import KEPT_EVENTS, WRAPPER_EXIT, Callback, Dispatcher, Payload
from ._errors import ForkedError, InvalidArgumentError, ProcessManagerError, WrapperError, WrapperStartError
from ._host import HostState
from ._json import check_text
from ._locate import PathLike, locate
from ._version import __version__

# Seconds that a start may take at least: Node.js may come from a slow disk.
_LONGEST_START = 30.0

# What starts a command.
_STARTS = ("spawnProcess", "restartProcess")

# Subscribed to from the beginning.
_ALWAYS = (*KEPT_EVENTS, "lost")


def _version_problem(theirs: str) -> Optional[WrapperStartError]:
    """Both sides are released together: up to 1.0, a change of the minor number may change what is said."""
    if theirs.split(".")[:2] == __version__.split(".")[:2]:
        return None
    return WrapperStartError(
        f"The npm package mcp-process-manager is version {theirs}, the Python package {__version__}: install the same "
        f"of both (npm install mcp-process-manager@{__version__})",
        "ERR_PACKAGE_VERSION",
    )


class Inbox(Protocol):
    """Somebody whom the dispatcher may have to wait for."""

    def end(self, reason: ProcessManagerError) -> None:
        """Nothing will come any more."""

    def release(self) -> None:
        """From now on nobody waits for it."""


class Session:
    def __init__(
        self,
        options: Optional[Mapping[str, Any]],
        node: Optional[PathLike],
        package: Optional[PathLike],
        restart_wrapper: bool,
        request_timeout: float,
    ) -> None:
        if isinstance(request_timeout, bool) or not isinstance(request_timeout, (int, float)) or not request_timeout > 0:
            raise InvalidArgumentError(
                f"request_timeout must be more than 0 seconds; got {request_timeout!r}", "ERR_INVALID_ARG_VALUE"
            )
        self._options = {} if options is None else options
        check_text(self._options, "options")
        self._location = locate(node, package)
        self._restarts = restart_wrapper
        self.request_timeout = min(float(request_timeout), threading.TIMEOUT_MAX)
        self._lock = threading.RLock()
        self._connection: Optional[Connection] = None
        self._lost: Optional[Connection] = None
        self._is_closed = False
        self._pid = os.getpid()
        self.info: Dict[str, Any] = {}
        self.inboxes: List[Inbox] = []
        self.dispatcher = Dispatcher()

    def connect(self) -> Connection:
        """The wrapper that runs; starts one if there was none yet, or if that was asked for when one has ended."""
        connection = self._connection
        if connection is not None and connection.why_dead is None:
            return connection
        self.check_process()
        with self._lock:
            if self._is_closed:
                raise closed()
            connection = self._connection
            if connection is not None and connection.why_dead is not None:
                if not self._restarts:
                    raise WrapperError(str(connection.why_dead), connection.why_dead.code)
                connection = None
            return self._start() if connection is None else connection

    @property
    def connected(self) -> Optional[Connection]:
        """The wrapper that runs, if one does."""
        connection = self._connection
        return connection if connection is not None and connection.why_dead is None else None

    def _start(self) -> Connection:
        connection = Connection(self._location, HostState(), self._tell, self._ended)
        wanted = {"protocol": PROTOCOL, "hostPid": os.getpid(), "options": self._options, "client": f"python {__version__}"}
        try:
            self.info = connection.call("initialize", (wanted,), max(self.request_timeout, _LONGEST_START))
            problem = _version_problem(self.info["version"])
            if problem is not None:
                raise problem
        except WrapperStartError:
            connection.close()
            raise
        except WrapperError as error:
            connection.close()
            raise WrapperStartError(f"{error}. It was started as {' '.join(self._location)}", "ERR_WRAPPER_START") from error
        except BaseException:
            connection.close()
            raise
        connection.has_begun = True
        self._connection = connection
        if connection.why_dead is not None:
            self._ended(connection, connection.why_dead)  # It was not known when it said so.
        connection.notify("subscribe", *sorted({*_ALWAYS, *self.dispatcher.listened()} - {WRAPPER_EXIT}))
        return connection

    def _tell(self, connection: Connection, notices: List[Notice], total: int) -> None:
        self.dispatcher.give(notices, partial(connection.handled, total))

    def _ended(self, connection: Connection, reason: ProcessManagerError) -> None:
        if self._is_closed or connection is not self._connection or connection is self._lost:
            return
        self._lost = connection
        self.dispatcher.tell(WRAPPER_EXIT, {"code": reason.code, "message": str(reason), "pid": connection.pid})
        if not self._restarts:
            self._end_inboxes(reason)

    def _end_inboxes(self, reason: ProcessManagerError) -> None:
        for inbox in list(self.inboxes):
            self.dispatcher.after_all(partial(inbox.end, reason))

    def call(self, method: str, params: Tuple[Any, ...]) -> Any:
        connection = self.connect()
        self.prepare(connection, method, params)
        return connection.call(method, params, self.request_timeout)

    @staticmethod
    def prepare(connection: Connection, method: str, params: Tuple[Any, ...]) -> None:
        """Before what starts a command: the wrapper is told of this process's environment and directory."""
        if method not in _STARTS:
            return
        if method == "spawnProcess":
            for config in params[:1]:
                check_text(config, "config")
        connection.host.tell(partial(connection.notify, "setHost"))

    def on(self, name: str, callback: Callback) -> None:
        connection = self.connect()
        self._check(name)
        self.dispatcher.add(name, callback)
        # What is asked for afterwards is told of: requests are read in their order.
        if name != WRAPPER_EXIT:
            connection.notify("subscribe", name)

    def once(self, name: str, callback: Callback) -> Callback:
        def first(payload: Payload) -> None:
            self.off(name, first)
            callback(payload)

        self.on(name, first)
        return first

    @property
    def is_foreign(self) -> bool:
        """Whether this is a forked copy of the process that it belongs to."""
        return self._pid != os.getpid()

    def check_process(self) -> None:
        """Raises ForkedError in such a copy."""
        if self.is_foreign:
            raise ForkedError(
                f"This manager belongs to process {self._pid}, not to process {os.getpid()}: make a new one here", "ERR_FORKED"
            )

    def off(self, name: str, callback: Callback) -> None:
        if self.is_foreign:
            return
        self.dispatcher.remove(name, callback)
        connection = self._connection
        if connection is None or connection.why_dead is not None or name in (WRAPPER_EXIT, *_ALWAYS):
            return
        with self._lock:
            if name not in self.dispatcher.listened():
                connection.notify("unsubscribe", name)

    def _check(self, name: str) -> None:
        if name not in self.info["events"] and name != WRAPPER_EXIT:
            raise InvalidArgumentError(f"There is no event {name!r}", "ERR_UNKNOWN_EVENT")

    def close(self, stop: bool) -> None:
        """Ends the wrapper, and with stop before that all processes as cleanup does."""
        if self.is_foreign:
            return  # Its locks may be held by a thread that is not there.
        with self._lock:
            if self._is_closed:
                return
            connection = self._connection
        try:
            if stop and connection is not None and connection.why_dead is None:
                connection.call("cleanup", (), self.request_timeout)
        except (WrapperError, ForkedError):
            pass  # It has ended, and all with it.
        finally:
            with self._lock:
                self._is_closed = True
            if connection is not None:
                connection.close()
            self._end_inboxes(closed())
            for inbox in list(self.inboxes):
                inbox.release()
            # Not at the end of Python: a callback may hang.
            self.dispatcher.close(wait=stop)
