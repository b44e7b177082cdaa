"""The manager for threads."""

import weakref
from collections import deque
from types import TracebackType
from typing import Any, Deque, Dict, Iterator, List, Mapping, NoReturn, Optional, Type, Union, cast, overload

from ._contract import ProcessManagerContract
from ._connection import Waiter
from ._dispatch import Callback
from ._errors import InvalidArgumentError, ProcessManagerError
from ._json import encode_message
from ._locate import PathLike
from ._session import Session
from ._values import with_floats

Data = Union[str, bytes, bytearray, memoryview]


def data_params(data: Data) -> "tuple[str, ...]":
    """Text as it is, bytes as text where they are UTF-8, else in base64: JSON has no form for them."""
    if isinstance(data, str):
        return (data,)
    raw = bytes(data)
    try:
        return (raw.decode(),)
    except UnicodeDecodeError:
        from base64 import b64encode

        return b64encode(raw).decode(), "base64"


def message_params(message: Any) -> "tuple[str, ...]":
    """Text and bytes are sent as they are, all else as JSON, made here: numbers of any size stay what they are."""
    if isinstance(message, (str, bytes, bytearray, memoryview)):
        return data_params(message)
    return (encode_message(message),)


class LogIterator(Iterator[Dict[str, Any]]):
    """The lines of a log: those that are there, then each as it comes, until the process has ended for good."""

    def __init__(
        self, manager: "ProcessManagerImpl", session: Session, process_id: str, options: Optional[Mapping[str, Any]]
    ) -> None:
        self._manager = manager  # Ends when it is forgotten: not before its lines are.
        self._session = session
        self._connection = session.connect()
        # Of this wrapper, even if another takes its place by now.
        self._cursor = cast(int, self._connection.call("followLogs", (process_id, options), session.request_timeout))
        self._asked: Optional[Waiter] = None
        self._records: Deque[Dict[str, Any]] = deque()
        self._is_done = False

    def __iter__(self) -> "LogIterator":
        return self

    def __next__(self) -> Dict[str, Any]:
        while True:
            try:
                return self._records.popleft()
            except IndexError:
                if self._is_done:
                    raise StopIteration from None
            self._fetch()

    def _fetch(self) -> None:
        # Kept if this is interrupted: the answer has lines that are not told again.
        waiter = self._asked
        if waiter is None:
            waiter = self._asked = Waiter()
            try:
                self._connection.request(waiter, "nextRecords", (self._cursor,))
            except BaseException:
                self._asked = None
                raise
        elif self._connection.why_dead is not None and waiter.answer is None:
            waiter.error = self._connection.why_dead  # In a forked copy nobody delivers it.
        self._connection.wait(waiter, "nextRecords", self._session.request_timeout)
        try:
            page = waiter.result()
        except InvalidArgumentError as error:
            # Closed by another thread, just before this one has asked.
            if error.code != "ERR_UNKNOWN_CURSOR":
                raise
            page = {"records": (), "done": True}
        finally:
            waiter.wake()  # Another thread that waits for the same.
        if self._asked is waiter:
            self._records.extend(page["records"])
            self._is_done = self._is_done or page["done"]
            self._asked = None

    def close(self) -> None:
        """Ends it, also for a thread that waits for its next line."""
        if not self._is_done:
            self._is_done = True
            if self._connection.why_dead is None:
                self._connection.notify("endFollow", self._cursor)
        self._records.clear()

    def __enter__(self) -> "LogIterator":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_is_done"):
            self.close()


class ProcessManagerImpl(ProcessManagerContract):
    """Spawns, watches, restarts and ends child processes, by a Node.js process of its own.

    options, configs and answers have the keys of the JavaScript API; times are in ms. Any thread may call any method;
    callbacks run one after the other in one thread that is there for them.

    node, package: where Node.js and the npm package are, if not in the usual places.
    restart_wrapper: when the Node.js process has died, the next call starts a new one instead of raising WrapperError.
    request_timeout: seconds; when the wrapper does not even answer a ping for so long, RequestTimeoutError is raised.
    """

    def __init__(
        self,
        options: Optional[Mapping[str, Any]] = None,
        *,
        node: Optional[PathLike] = None,
        package: Optional[PathLike] = None,
        restart_wrapper: bool = False,
        request_timeout: float = 30,
    ) -> None:
        self._session = Session(options, node, package, restart_wrapper, request_timeout)
        # When it is forgotten, and when Python ends, without a cleanup.
        self._finalizer = weakref.finalize(self, self._session.close, False)
        try:
            self._session.connect()
        except BaseException:
            self._finalizer()
            raise

    def call(self, method: str, *params: Any) -> Any:
        """Calls any method of the JavaScript class, by its name there."""
        return self._session.call(method, params)

    def spawn_process(self, config: Mapping[str, Any]) -> str:
        """Starts a process; answers its id. `None` in `env` takes a variable away."""
        return cast(str, self._session.call("spawnProcess", (config,)))

    def stop_process(self, process_id: str, timeout: Optional[float] = 5000) -> bool:
        """Ends a process and all that it started; `None`: its own `stopTimeout` is how long that may take."""
        return cast(bool, self._session.call("stopProcess", (process_id, timeout)))

    def restart_process(self, process_id: str) -> bool:
        """Stops it if it runs, and starts it again with the same config; False for an unknown id."""
        return cast(bool, self._session.call("restartProcess", (process_id,)))

    def signal_process(self, process_id: str, signal: Union[str, int], *, tree: bool = False) -> bool:
        """Sends a signal to the command, or to all that it started; False when nothing runs."""
        # A member of signal.Signals is a number, too.
        sent = signal if isinstance(signal, (str, bool)) or not isinstance(signal, int) else int(signal)
        return cast(bool, self._session.call("signalProcess", (process_id, sent, {"tree": tree})))

    def get_process_status(self, process_id: str) -> Dict[str, Any]:
        """What it is doing. The status of an unknown id is "unknown", with zeros."""
        return with_floats(cast(Dict[str, Any], self._session.call("getProcessStatus", (process_id,))))

    def get_process_metrics(self, process_id: str, *, pss: bool = False) -> Optional[Dict[str, Any]]:
        """More of what its tree uses, also after its end; None for an unknown id."""
        found = cast(Optional[Dict[str, Any]], self._session.call("getProcessMetrics", (process_id, {"pss": pss})))
        return None if found is None else with_floats(found)

    def get_metrics_history(self, process_id: str, query: Optional[Mapping[str, Any]] = None) -> Optional[Dict[str, Any]]:
        """Samples that are kept (`metricsHistory`), and their minimum, mean and maximum; None for an unknown id."""
        return cast(Optional[Dict[str, Any]], self._session.call("getMetricsHistory", (process_id, query)))

    def metrics_text(self) -> str:
        """The figures of all processes in the text format of Prometheus."""
        return cast(str, self._session.call("metricsText", ()))

    @overload
    def get_process_logs(self, process_id: str, lines: float = ...) -> Dict[str, List[str]]: ...

    @overload
    def get_process_logs(self, process_id: str, lines: Mapping[str, Any]) -> List[Dict[str, Any]]: ...

    def get_process_logs(self, process_id: str, lines: Union[float, Mapping[str, Any]] = 100) -> Any:
        """The last lines of each stream; or, with a mapping (lines, since, stream, start, search), records of both."""
        return self._session.call("getProcessLogs", (process_id, lines))

    def follow_logs(self, process_id: str, options: Optional[Mapping[str, Any]] = None) -> LogIterator:
        """An iterator of log records: the last ones, then each as it comes, until the process has ended for good."""
        return LogIterator(self, self._session, process_id, options)

    def pause_output(self, process_id: str) -> bool:
        """Stops reading its stdout, so that it waits once the pipe is full; answers whether that is so."""
        return cast(bool, self._session.call("pauseOutput", (process_id,)))

    def resume_output(self, process_id: str) -> bool:
        """Reads it again; answers whether that is so."""
        return cast(bool, self._session.call("resumeOutput", (process_id,)))

    def list_processes(self) -> List[Dict[str, Any]]:
        """All that are known, ended ones included, in the order of spawning."""
        return list(map(with_floats, cast(List[Dict[str, Any]], self._session.call("listProcesses", ()))))

    def write_stdin(self, process_id: str, data: Data) -> bool:
        """Queues data for stdin; False: better wait for `drain`."""
        return cast(bool, self._session.call("writeStdin", (process_id, *data_params(data))))

    def send_message(self, process_id: str, message: Any) -> bool:
        """Queues a message for stdin, as one line; what is no text and no bytes is sent as JSON."""
        return cast(bool, self._session.call("sendMessage", (process_id, *message_params(message))))

    def close_stdin(self, process_id: str) -> bool:
        """Closes stdin once what waits has been written; whether it is closed already."""
        return cast(bool, self._session.call("closeStdin", (process_id,)))

    def remove_process(self, process_id: str) -> bool:
        """Forgets an ended process."""
        return cast(bool, self._session.call("removeProcess", (process_id,)))

    def stop_all(self, timeout: Optional[float] = None) -> None:
        """Ends all processes at once."""
        self._session.call("stopAll", (timeout,))

    def on(self, event: str, callback: Callback) -> Callback:
        """Calls back with the payload of each event of this name, until `off`. Answers the callback."""
        self._session.on(event, callback)
        return callback

    def once(self, event: str, callback: Callback) -> Callback:
        """Calls back with the next one only. Answers what `off` takes."""
        return self._session.once(event, callback)

    def off(self, event: str, callback: Callback) -> None:
        self._session.off(event, callback)

    @property
    def backend(self) -> str:
        """How processes are started: 'clone' or 'uv_spawn'."""
        return cast(str, self._session.info["backend"])

    @property
    def wrapper_pid(self) -> int:
        """The pid of the Node.js process."""
        return cast(int, self._session.info["pid"])

    def cleanup(self) -> None:
        """Ends everything and gives the manager up; what had come by then is still handed to callbacks."""
        self._session.close(True)
        self._finalizer.detach()

    def close(self) -> None:
        """Is cleanup, for contextlib.closing."""
        self.cleanup()

    def __enter__(self) -> "ProcessManagerImpl":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], traceback: Optional[TracebackType]
    ) -> None:
        self.cleanup()

    def __reduce__(self) -> NoReturn:
        raise ProcessManagerError("A manager cannot be handed to another process: make one there", "ERR_NOT_PICKLABLE")
