"""Requests to one wrapper, from any number of threads, and what it tells by itself."""

import os
import threading
import weakref
from collections import deque
from itertools import count
from typing import Any, Callable, Deque, Dict, List, Mapping, Optional, Tuple

from ._errors import ForkedError, ProcessManagerError, RequestTimeoutError, WrapperError, WrapperStartError, from_answer
from ._json import decode, encode
from ._locate import Location
from ._wrapper import LONGEST_END, Wrapper

PROTOCOL = 1
_READ = 1 << 18
# What is handled is told to the wrapper this often at least; it holds back at 4 MiB.
_ACK = 1 << 18

Notice = Tuple[str, Any]
Answer = Dict[str, Any]

_connections: "weakref.WeakSet[Connection]" = weakref.WeakSet()


class Waiter:
    """One answer that a thread waits for."""

    __slots__ = ("_lock", "answer", "error")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self.answer: Optional[Answer] = None
        self.error: Optional[ProcessManagerError] = None

    def deliver(self, answer: Optional[Answer], error: Optional[ProcessManagerError]) -> None:
        self.answer = answer
        self.error = error
        self._lock.release()

    def wait(self, seconds: float) -> bool:
        return self._lock.acquire(True, seconds)

    def result(self) -> Any:
        return result_of(self.answer, self.error)


def result_of(answer: Optional[Answer], error: Optional[ProcessManagerError]) -> Any:
    """What an answer says; raises what it or the connection reports."""
    if answer is not None:
        if "error" in answer:
            raise from_answer(answer["error"])
        return answer["result"]
    assert error is not None
    # A new one each time: who catches it may add to its traceback.
    raise type(error)(str(error), error.code, rpc_code=error.rpc_code, data=error.data)


class Connection:
    """A wrapper that runs, until it ends or is closed. Then every request raises why."""

    def __init__(
        self,
        location: Location,
        env: Mapping[str, str],
        tell: Callable[["Connection", List[Notice], int], None],
        ended: Callable[["Connection", ProcessManagerError], None],
    ) -> None:
        """tell: notices, and how many bytes have come so far; ended: why. Both are called by the reading thread."""
        self._tell = tell
        self._ended = ended
        self._ids = count(1)
        self._pending: Dict[int, Any] = {}
        self._outgoing: Deque[bytes] = deque()
        self._writing = threading.Lock()
        self._dead: Optional[ProcessManagerError] = None
        self._is_closing = False
        self._acked = 0
        self._host = os.getpid()
        self._wrapper = Wrapper(location, env)
        self.pid = self._wrapper.pid
        self._reader = threading.Thread(target=self._read, name="mcp-process-manager reader", daemon=True)
        _connections.add(self)
        try:
            self._reader.start()
        except RuntimeError as error:
            self._wrapper.kill()
            self._wrapper.reap()
            self._wrapper.close_files()
            raise WrapperStartError(f"No thread could be started: {error}", "ERR_NO_THREAD") from error

    @property
    def why_dead(self) -> Optional[ProcessManagerError]:
        if self._dead is None and self._host != os.getpid():
            self.abandon()
        return self._dead

    def request(self, waiter: Any, method: str, params: Tuple[Any, ...]) -> int:
        """Sends a request whose answer the waiter will be given; answers its id."""
        text = ",".join(map(encode, params))
        number = next(self._ids)
        self._pending[number] = waiter
        self._send(f'{{"jsonrpc":"2.0","id":{number},"method":"{method}","params":[{text}]}}\n')
        # Looked at after the waiter is known: whoever sets it tells all waiters afterwards.
        if self.why_dead is not None and self._pending.pop(number, None) is not None:
            waiter.deliver(None, self._dead)
        return number

    def forget(self, number: int) -> None:
        self._pending.pop(number, None)

    def notify(self, method: str, *params: Any) -> None:
        """Sends what is not answered."""
        text = ",".join(map(encode, params))
        self._send(f'{{"jsonrpc":"2.0","method":"{method}","params":[{text}]}}\n')

    def call(self, method: str, params: Tuple[Any, ...], seconds: float) -> Any:
        """Waits for an answer. A wrapper that says nothing for so many seconds, not even to a ping, raises."""
        waiter = Waiter()
        number = self.request(waiter, method, params)
        try:
            while not waiter.wait(seconds):
                self._ping(method, seconds)
        finally:
            self.forget(number)
        return waiter.result()

    def _ping(self, method: str, seconds: float) -> None:
        ping = Waiter()
        number = self.request(ping, "ping", ())
        if not ping.wait(seconds):
            self.forget(number)
            raise unanswered(method, seconds)

    def handled(self, total: int) -> None:
        """Tells the wrapper that so many bytes have been dealt with, unless it knows nearly as much."""
        if total - self._acked >= _ACK and self._dead is None:
            self._acked = total
            self.notify("handled", total)

    def _send(self, line: str) -> None:
        """Whoever finds nobody writing writes for all, so that threads do not wait for each other."""
        self._outgoing.append(line.encode())
        while self._outgoing and self._writing.acquire(False):
            try:
                self._write()
            finally:
                self._writing.release()

    def _write(self) -> None:
        outgoing = self._outgoing
        while outgoing:
            data = outgoing.popleft()
            if outgoing:
                parts = [data]
                while outgoing:
                    parts.append(outgoing.popleft())
                data = b"".join(parts)
            if self._wrapper.requests < 0 or self.why_dead is not None:
                return
            try:
                written = os.write(self._wrapper.requests, data)
                while written < len(data):
                    data = data[written:]
                    written = os.write(self._wrapper.requests, data)
            except BrokenPipeError:
                return  # The reading thread finds out as well, and tells all who wait.

    def _read(self) -> None:
        told: Optional[ProcessManagerError] = None
        try:
            told = self._read_all()
        finally:
            self._finish(told)

    def _read_all(self) -> Optional[ProcessManagerError]:
        """Until the pipe ends; answers the error that the wrapper could not tell of a request."""
        parts: List[bytes] = []
        total = told = 0
        fatal: Optional[ProcessManagerError] = None
        while True:
            chunk = os.read(self._wrapper.answers, _READ)
            if not chunk:
                return fatal
            total += len(chunk)
            end = chunk.rfind(b"\n")
            if end < 0:
                parts.append(chunk)
                continue
            parts.append(chunk[:end])
            text = b"".join(parts).decode()
            parts = [chunk[end + 1:]]
            # A line end is never inside of JSON: one text of many lines is decoded at once.
            messages = decode(f"[{text}]".replace("\n", ","))[0]
            notices: List[Notice] = []
            for message in messages:
                if "method" in message:
                    notices.append((message["method"], message["params"]))
                elif message["id"] is None:
                    fatal = from_answer(message["error"])
                else:
                    waiter = self._pending.pop(message["id"], None)
                    if waiter is not None:
                        waiter.deliver(message, None)
            if notices or total - told >= _ACK:
                told = total
                self._tell(self, notices, total)

    def _finish(self, told: Optional[ProcessManagerError]) -> None:
        end = self._wrapper.reap()
        if self._is_closing:
            reason: ProcessManagerError = closed()
        elif told is not None:
            reason = told
        else:
            reason = WrapperError(
                f"The wrapper (process {self.pid}) {end}; everything that it managed ends with it", "ERR_WRAPPER_ENDED"
            )
        self._dead = reason
        with self._writing:
            self._wrapper.close_files()
        while self._pending:
            try:
                self._pending.popitem()[1].deliver(None, reason)
            except KeyError:
                break
        self._ended(self, reason)

    def close(self) -> None:
        """Ends the wrapper, if need be by force, and waits until it is gone, but not in the thread that reads."""
        if self.why_dead is None:
            self._is_closing = True
            with self._writing:
                if self._wrapper.requests >= 0:
                    os.close(self._wrapper.requests)
                    self._wrapper.requests = -1
        if self._host == os.getpid() and self._reader is not threading.current_thread():
            self._reader.join(LONGEST_END)
            if self._reader.is_alive():
                self._wrapper.kill()
                self._reader.join()

    def abandon(self) -> None:
        """In a forked copy of the host. Locks may be held by threads that are not there."""
        if self._dead is not None:
            return
        self._dead = ForkedError(
            f"This manager belongs to process {self._host}, from which process {os.getpid()} was forked: make a new one there",
            "ERR_FORKED",
        )
        self._writing = threading.Lock()
        self._outgoing.clear()
        self._pending.clear()
        self._wrapper.disown()


def closed() -> ProcessManagerError:
    from ._errors import OperationError

    return OperationError("The manager was cleaned up", "ERR_MANAGER_CLOSED")


def unanswered(method: str, seconds: float) -> RequestTimeoutError:
    return RequestTimeoutError(f"The wrapper has not answered {method} or a ping within {seconds:g} s", "ERR_NO_ANSWER")


def _after_fork() -> None:
    for connection in list(_connections):
        connection.abandon()


os.register_at_fork(after_in_child=_after_fork)
