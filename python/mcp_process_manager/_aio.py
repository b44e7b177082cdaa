"""The manager for asyncio."""

import asyncio
import threading
import weakref
from collections import deque
from types import TracebackType
from typing import (
    Any, AsyncIterator, Deque, Dict, List, Mapping, NamedTuple, NoReturn, Optional, Tuple, Type, Union, cast, overload
)

from ._connection import Answer, Connection, result_of, unanswered
from ._dispatch import WRAPPER_EXIT, Callback, Payload
from ._errors import InvalidArgumentError, OperationError, ProcessManagerError
from ._locate import PathLike
from ._manager import Data, data_params, message_params
from ._session import Session
from ._values import with_floats

#: What events() is about if it is not said.
DEFAULT_EVENTS = (
    "stdout", "stderr", "spawn", "exit", "error", "restart", "backoff", "queued", "stop", "drain", "limit", "message",
    "stray", "lost", WRAPPER_EXIT,
)

# Events that wait for a task; beyond, those behind them wait in the wrapper.
_MOST_WAITING = 1000


class Event(NamedTuple):
    name: str
    payload: Dict[str, Any]


class AsyncWaiter:
    """One answer that a task waits for."""

    __slots__ = ("_loop", "_future")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._future: "asyncio.Future[Tuple[Optional[Answer], Optional[ProcessManagerError]]]" = loop.create_future()

    def deliver(self, answer: Optional[Answer], error: Optional[ProcessManagerError]) -> bool:
        try:
            self._loop.call_soon_threadsafe(self._settle, answer, error)
        except RuntimeError:
            pass  # The loop is closed: nobody waits.
        return False

    def wake(self) -> bool:
        """A task cannot read the pipe."""
        return False

    def _settle(self, answer: Optional[Answer], error: Optional[ProcessManagerError]) -> None:
        if not self._future.done():
            self._future.set_result((answer, error))

    async def wait(self, seconds: float) -> bool:
        await asyncio.wait([self._future], timeout=seconds)
        return self._future.done()

    def result(self) -> Any:
        return result_of(*self._future.result())


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class _Inbox:
    """Between the thread of the events and a task that takes them. Of a task that lags that thread waits for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._changed = threading.Condition()
        self._events: Deque[Event] = deque()
        self._is_closed = self._is_released = False
        self._end: Optional[ProcessManagerError] = None
        self._waiting: "Optional[asyncio.Future[None]]" = None

    def put(self, name: str, payload: Payload) -> None:
        with self._changed:
            while len(self._events) >= _MOST_WAITING and not self._is_closed and not self._is_released:
                self._changed.wait()
            if not self._is_closed:
                self._events.append(Event(name, payload))
                self._wake()

    def end(self, reason: ProcessManagerError) -> None:
        with self._changed:
            self._end = reason
            self._wake()

    def release(self) -> None:
        with self._changed:
            self._is_released = True
            self._changed.notify_all()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            try:
                self._loop.call_soon_threadsafe(_settle, waiting)
            except RuntimeError:
                self._is_closed = True

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._events.clear()
            self._wake()
            self._changed.notify_all()

    async def get(self) -> Event:
        while True:
            with self._changed:
                if self._events:
                    event = self._events.popleft()
                    if len(self._events) == _MOST_WAITING - 1:
                        self._changed.notify_all()
                    return event
                if self._is_closed or self._end is not None and self._end.code == "ERR_MANAGER_CLOSED":
                    raise StopAsyncIteration
                if self._end is not None:
                    result_of(None, self._end)
                if self._waiting is None or self._waiting.done():
                    self._waiting = self._loop.create_future()
                waiting = self._waiting
            await asyncio.shield(waiting)


class EventIterator(AsyncIterator[Event]):
    """The events of a manager, as (name, payload), until it is cleaned up or its wrapper has died."""

    def __init__(
        self, manager: "AsyncProcessManager", session: Session, names: Tuple[str, ...], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._manager = manager  # Ends when it is forgotten: not before its events are.
        self._session = session
        inbox = _Inbox(loop)
        callbacks = [(name, _callback(inbox, name)) for name in names]
        self._inbox = inbox
        # Of the inbox alone, not of this object: whoever drops it has closed it.
        self._finalizer = weakref.finalize(self, _detach, session, inbox, callbacks)
        self._finalizer.atexit = False
        session.inboxes.append(inbox)
        for name, callback in callbacks:
            session.on(name, callback)

    def __aiter__(self) -> "EventIterator":
        return self

    async def __anext__(self) -> Event:
        self._session.check_process()
        return await self._inbox.get()

    async def aclose(self) -> None:
        self._finalizer()

    async def __aenter__(self) -> "EventIterator":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()


def _callback(inbox: _Inbox, name: str) -> Callback:
    return lambda payload: inbox.put(name, payload)


def _detach(session: Session, inbox: _Inbox, callbacks: List[Tuple[str, Callback]]) -> None:
    if session.is_foreign:
        return  # Its locks may be held by a thread that is not there.
    inbox.close()
    if inbox in session.inboxes:
        session.inboxes.remove(inbox)
    for name, callback in callbacks:
        session.off(name, callback)


def _look_at(task: "asyncio.Future[None]") -> None:
    """An error that nobody waits for any more is nobody's."""
    if not task.cancelled():
        task.exception()


class AsyncLogIterator(AsyncIterator[Dict[str, Any]]):
    """As LogIterator."""

    def __init__(self, manager: "AsyncProcessManager", process_id: str, options: Optional[Mapping[str, Any]]) -> None:
        self._manager = manager
        self._question = (process_id, options)
        self._connection: Optional[Connection] = None
        self._cursor = 0
        self._page: "Optional[asyncio.Future[None]]" = None
        self._records: Deque[Dict[str, Any]] = deque()
        self._is_done = False

    def __aiter__(self) -> "AsyncLogIterator":
        return self

    async def __anext__(self) -> Dict[str, Any]:
        self._manager.check_process()
        while not self._records:
            if self._is_done:
                raise StopAsyncIteration
            # Goes on if who waits for it is cancelled: the answer has lines that are not told again.
            page = self._page
            if page is None:
                page = self._page = asyncio.ensure_future(self._fetch())
                page.add_done_callback(_look_at)
            try:
                await asyncio.shield(page)
            finally:
                if page.done() and self._page is page:
                    self._page = None
        return self._records.popleft()

    async def _fetch(self) -> None:
        if self._connection is None:
            connection = await self._manager.start()
            self._cursor = await self._manager.request(connection, "followLogs", *self._question)
            self._connection = connection
            if self._is_done:
                connection.notify("endFollow", self._cursor)
                return
        try:
            page = await self._manager.request(self._connection, "nextRecords", self._cursor)
        except InvalidArgumentError as error:
            # Closed just before this was asked.
            if error.code != "ERR_UNKNOWN_CURSOR":
                raise
            page = {"records": (), "done": True}
        if not self._is_done:
            self._records.extend(page["records"])
        self._is_done = self._is_done or page["done"]

    async def aclose(self) -> None:
        self._close()

    async def __aenter__(self) -> "AsyncLogIterator":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._close()

    def _close(self) -> None:
        self._records.clear()
        if not self._is_done:
            self._is_done = True
            if self._connection is not None and self._connection.why_dead is None:
                self._connection.notify("endFollow", self._cursor)

    def __del__(self) -> None:
        if hasattr(self, "_is_done"):
            self._close()


class AsyncProcessManager:
    """As ProcessManagerImpl, for asyncio: `async with AsyncProcessManager() as manager`.

    Its methods may be called from one event loop. Callbacks of `on` run in a thread of their own; `events()` gives
    the same to a task.
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
        """Raises WrapperStartError where Node.js or the npm package cannot be found; the first call starts them."""
        self._session = Session(options, node, package, restart_wrapper, request_timeout)
        self._finalizer = weakref.finalize(self, self._session.close, False)

    async def start(self) -> Connection:
        """Starts the wrapper, if it does not run. Every other method does that as well."""
        self._session.check_process()
        connection = self._session.connected
        if connection is not None:
            return connection
        return await asyncio.get_running_loop().run_in_executor(None, self._session.connect)

    def check_process(self) -> None:
        """Raises ForkedError in a forked copy of its process; for the classes here."""
        self._session.check_process()

    async def request(self, connection: Connection, method: str, *params: Any) -> Any:
        """A call of one wrapper; for the classes here."""
        loop = asyncio.get_running_loop()
        waiter = AsyncWaiter(loop)
        connection.patience = seconds = self._session.request_timeout
        number = self._send(loop, connection, waiter, method, params)
        try:
            while not await waiter.wait(seconds):
                ping = AsyncWaiter(loop)
                pinged = self._send(loop, connection, ping, "ping", ())
                if not await ping.wait(seconds):
                    connection.forget(pinged)
                    raise unanswered(method, seconds)
        finally:
            connection.forget(number)
        return waiter.result()

    @staticmethod
    def _send(
        loop: asyncio.AbstractEventLoop, connection: Connection, waiter: AsyncWaiter, method: str, params: Tuple[Any, ...]
    ) -> int:
        number = connection.request(waiter, method, params, False)
        if connection.is_behind:
            loop.run_in_executor(None, connection.drain)
        return number

    async def call(self, method: str, *params: Any) -> Any:
        """Calls any method of the JavaScript class, by its name there."""
        connection = await self.start()
        self._session.prepare(connection, method, params)
        return await self.request(connection, method, *params)

    async def spawn_process(self, config: Mapping[str, Any]) -> str:
        return cast(str, await self.call("spawnProcess", config))

    async def stop_process(self, process_id: str, timeout: Optional[float] = 5000) -> bool:
        return cast(bool, await self.call("stopProcess", process_id, timeout))

    async def restart_process(self, process_id: str) -> bool:
        return cast(bool, await self.call("restartProcess", process_id))

    async def signal_process(self, process_id: str, signal: Union[str, int], *, tree: bool = False) -> bool:
        sent = signal if isinstance(signal, (str, bool)) or not isinstance(signal, int) else int(signal)
        return cast(bool, await self.call("signalProcess", process_id, sent, {"tree": tree}))

    async def get_process_status(self, process_id: str) -> Dict[str, Any]:
        return with_floats(cast(Dict[str, Any], await self.call("getProcessStatus", process_id)))

    async def get_process_metrics(self, process_id: str, *, pss: bool = False) -> Optional[Dict[str, Any]]:
        found = cast(Optional[Dict[str, Any]], await self.call("getProcessMetrics", process_id, {"pss": pss}))
        return None if found is None else with_floats(found)

    async def get_metrics_history(
        self, process_id: str, query: Optional[Mapping[str, Any]] = None
    ) -> Optional[Dict[str, Any]]:
        return cast(Optional[Dict[str, Any]], await self.call("getMetricsHistory", process_id, query))

    async def metrics_text(self) -> str:
        return cast(str, await self.call("metricsText"))

    @overload
    async def get_process_logs(self, process_id: str, lines: float = ...) -> Dict[str, List[str]]: ...

    @overload
    async def get_process_logs(self, process_id: str, lines: Mapping[str, Any]) -> List[Dict[str, Any]]: ...

    async def get_process_logs(self, process_id: str, lines: Union[float, Mapping[str, Any]] = 100) -> Any:
        return await self.call("getProcessLogs", process_id, lines)

    def follow_logs(self, process_id: str, options: Optional[Mapping[str, Any]] = None) -> AsyncLogIterator:
        return AsyncLogIterator(self, process_id, options)

    async def pause_output(self, process_id: str) -> bool:
        return cast(bool, await self.call("pauseOutput", process_id))

    async def resume_output(self, process_id: str) -> bool:
        return cast(bool, await self.call("resumeOutput", process_id))

    async def list_processes(self) -> List[Dict[str, Any]]:
        return list(map(with_floats, cast(List[Dict[str, Any]], await self.call("listProcesses"))))

    async def write_stdin(self, process_id: str, data: Data) -> bool:
        return cast(bool, await self.call("writeStdin", process_id, *data_params(data)))

    async def send_message(self, process_id: str, message: Any) -> bool:
        return cast(bool, await self.call("sendMessage", process_id, *message_params(message)))

    async def close_stdin(self, process_id: str) -> bool:
        return cast(bool, await self.call("closeStdin", process_id))

    async def remove_process(self, process_id: str) -> bool:
        return cast(bool, await self.call("removeProcess", process_id))

    async def stop_all(self, timeout: Optional[float] = None) -> None:
        await self.call("stopAll", timeout)

    def on(self, event: str, callback: Callback) -> Callback:
        """Calls back in a thread of its own. The manager has to be started."""
        self._check_started()
        self._session.on(event, callback)
        return callback

    def once(self, event: str, callback: Callback) -> Callback:
        """The same for the next one only. Answers what `off` takes."""
        self._check_started()
        return self._session.once(event, callback)

    def off(self, event: str, callback: Callback) -> None:
        self._session.off(event, callback)

    def events(self, *names: str) -> EventIterator:
        """The events of these names, from now on; of all but `line` and `metrics` if none is given.

        The manager has to be started. A task that does not keep up holds back processes that write to stdout.
        """
        self._check_started()
        return EventIterator(self, self._session, names or DEFAULT_EVENTS, asyncio.get_running_loop())

    def _check_started(self) -> None:
        self._session.check_process()
        if self._session.connected is None:
            raise OperationError("The manager has not been started: await start() first, or use async with", "ERR_NOT_STARTED")

    @property
    def backend(self) -> str:
        self._check_started()
        return cast(str, self._session.info["backend"])

    @property
    def wrapper_pid(self) -> int:
        self._check_started()
        return cast(int, self._session.info["pid"])

    async def cleanup(self) -> None:
        """Ends everything and gives the manager up."""
        if self._session.is_foreign:
            return
        await asyncio.get_running_loop().run_in_executor(None, self._session.close, True)
        self._finalizer.detach()

    async def __aenter__(self) -> "AsyncProcessManager":
        await self.start()
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], traceback: Optional[TracebackType]
    ) -> None:
        await self.cleanup()

    def __reduce__(self) -> NoReturn:
        raise ProcessManagerError("A manager cannot be handed to another process: make one there", "ERR_NOT_PICKLABLE")
