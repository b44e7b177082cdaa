"""Requests to one wrapper, from any number of threads, and what it tells by itself."""

import logging
import os
import re
import select
import threading
import weakref
from collections import deque
from itertools import compress, count, repeat
from operator import methodcaller
from time import monotonic, sleep
from typing import Any, Callable, Deque, Dict, List, Optional, Tuple

from ._errors import (
    ForkedError, OperationError, ProcessManagerError, RequestTimeoutError, WrapperError, WrapperStartError, from_answer
)
from ._host import HostState
from ._json import decode, encode_all
from ._locate import Location
from ._wrapper import LONGEST_END, Wrapper

PROTOCOL = 1
# What a pipe holds; more would be memory that malloc asks the system for, each time.
_READ = 1 << 16
# What is handled is told to the wrapper this often at least; it holds back at 4 MiB.
_ACK = 1 << 18
# Seconds without a call after which the thread reads again; more while there are many calls in that time.
_AWAY = 0.002
_LONGEST_AWAY = 0.016
_OFTEN = 4

# How an answer begins.
_ANSWER = re.compile(rb'\{"jsonrpc":"2\.0","id":(\d+),')

logger = logging.getLogger("mcp_process_manager")

Notice = Tuple[str, Any]
Answer = Dict[str, Any]

_release = methodcaller("release")

_connections: "weakref.WeakSet[Connection]" = weakref.WeakSet()


class Waiter:
    """One answer that a thread waits for."""

    __slots__ = ("_lock", "answer", "error")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self.answer: Optional[Answer] = None
        self.error: Optional[ProcessManagerError] = None

    def deliver(self, answer: Optional[Answer], error: Optional[ProcessManagerError]) -> bool:
        """Whether it is a thread that waits, which may as well read its answers by itself."""
        self.answer = answer
        self.error = error
        return self.wake()

    def wake(self) -> bool:
        """Lets the thread look again: its answer is there, or nobody reads but it."""
        try:
            self._lock.release()
        except RuntimeError:
            pass  # It has been woken and has not looked yet.
        return True

    def wait(self, seconds: float) -> None:
        self._lock.acquire(True, seconds)

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
    """A wrapper that runs, until it ends or is closed. Then every request raises why.

    Whoever waits for an answer reads the pipe, if nobody else does, and hands out what comes for others: a thread
    that only reads would have to be woken first, which takes as long as all the rest. That thread is there for the
    time when nobody waits. What was read is in deques that are right at each moment, for a signal handler may raise
    anywhere in the main thread. (That is why os.read is called by deque.extend: no handler runs between the two. After
    an exception of a handler a notice may be told twice, but none is lost.) It may also call, in the middle of a call
    that waits; in the middle of one that deals with what has come, or that writes, it is told that it cannot.
    """

    def __init__(
        self,
        location: Location,
        host: HostState,
        tell: Callable[["Connection", List[Notice], int], None],
        ended: Callable[["Connection", ProcessManagerError], None],
    ) -> None:
        """tell: notices, and how many bytes have come so far; by whoever reads. ended: why; by the reading thread."""
        self._tell = tell
        self._ended = ended
        self._ids = count(1)
        self._pending: Dict[int, Any] = {}
        self._dead: Optional[ProcessManagerError] = None
        # Why it gives up, said before it has begun.
        self._fatal: Optional[ProcessManagerError] = None
        self.has_begun = False
        self._is_closing = False
        self._host = os.getpid()

        self._outgoing: Deque[bytes] = deque()
        # What is written at the moment, and how much of it has been.
        self._batch: Tuple[Deque[bytes], Deque[int]] = (deque(), deque())
        self._writing = threading.RLock()
        # Seconds for which a wrapper that does not read is waited for.
        self.patience = 30.0

        self._reading = threading.RLock()
        # The thread that deals with what it has read, and what it holds.
        self._dealer: Tuple[int, Deque[Any]] = (0, deque())
        self._chunks: Deque[bytes] = deque()
        self._messages: Deque[Any] = deque()
        self._notices: List[Notice] = []
        self._total = self._told = self._acked = 0
        self._is_at_end = False
        self._calls = 0
        self._has_told_thread = False

        self.host = host
        self._wrapper = Wrapper(location, host.env)
        self.pid = self._wrapper.pid
        for end in (self._wrapper.requests, self._wrapper.answers):
            os.set_blocking(end, False)
        self._poll = self._make_poll()
        self._reader = threading.Thread(target=self._run, name="mcp-process-manager reader", daemon=True)
        _connections.add(self)
        try:
            self._reader.start()
        except RuntimeError as error:
            self._wrapper.kill()
            self._wrapper.reap()
            self._wrapper.close_files()
            raise WrapperStartError(f"No thread could be started: {error}", "ERR_NO_THREAD") from error

    def _make_poll(self) -> select.poll:
        poll = select.poll()
        poll.register(self._wrapper.answers, select.POLLIN)
        return poll

    @property
    def why_dead(self) -> Optional[ProcessManagerError]:
        if self._dead is None and self._host != os.getpid():
            self.abandon()
        return self._dead

    def request(self, waiter: Any, method: str, params: Tuple[Any, ...], waits: bool = True) -> int:
        """Sends a request whose answer the waiter will be given; answers its id. If it is not to wait, see is_behind."""
        if self._dead is not None:
            waiter.deliver(None, self._dead)
            return 0
        text = encode_all(params)
        dealer, held = self._dealer
        if held and dealer == threading.get_ident():
            raise _busy("dealing with what has come")
        number = next(self._ids)
        self._pending[number] = waiter
        line = f'{{"jsonrpc":"2.0","id":{number},"method":"{method}","params":[{text}]}}\n'.encode()
        try:
            is_sent = self._send(line, waits)
        except BaseException:
            self.forget(number)
            raise
        if not is_sent:
            self.forget(number)
            self._outgoing.remove(line)
            raise _busy("writing")
        # Looked at after the waiter is known: whoever sets it tells all waiters afterwards.
        if self._dead is not None and self._pending.pop(number, None) is not None:
            waiter.deliver(None, self._dead)
        return number

    def forget(self, number: int) -> None:
        self._pending.pop(number, None)

    def notify(self, method: str, *params: Any) -> None:
        """Sends what is not answered."""
        if self.why_dead is not None:
            return
        text = encode_all(params)
        try:
            self._send(f'{{"jsonrpc":"2.0","method":"{method}","params":[{text}]}}\n'.encode())
        except RequestTimeoutError:
            pass  # It is not answered anyhow, and goes out before the next.

    def call(self, method: str, params: Tuple[Any, ...], seconds: float) -> Any:
        """Waits for an answer. A wrapper that says nothing for so many seconds, not even to a ping, raises."""
        self._calls += 1
        self.patience = seconds
        waiter = Waiter()
        number = self.request(waiter, method, params)
        try:
            self.wait(waiter, method, seconds)
        finally:
            self.forget(number)
        return waiter.result()

    def wait(self, waiter: Waiter, method: str, seconds: float) -> None:
        """The second half of a call; after an exception it may be called again."""
        while not self._wait(waiter, seconds):
            self._ping(method, seconds)

    def _ping(self, method: str, seconds: float) -> None:
        ping = Waiter()
        number = self.request(ping, "ping", ())
        if not self._wait(ping, seconds):
            self.forget(number)
            raise unanswered(method, seconds)

    def _wait(self, waiter: Waiter, seconds: float) -> bool:
        """Whether the answer came in time."""
        end = monotonic() + seconds
        left = seconds
        while waiter.answer is None and waiter.error is None:
            if left <= 0:
                return False
            held: Deque[Any] = deque()
            # Called by a handler that has interrupted a call of this thread, which reads.
            is_inner = _is_mine(self._reading)
            try:
                if not self._is_at_end:
                    _try(self._reading, held)
                if held:
                    poll = self._make_poll() if is_inner else self._poll
                    while left > 0 and waiter.answer is None and self._pump(left, poll, held):
                        left = end - monotonic()
                else:
                    waiter.wait(left)
            finally:
                try:
                    is_over = bool(held)
                    _let_go(held)
                finally:
                    _let_go(held)
                if is_inner:
                    self._nudge()
                elif is_over and self._pending:
                    self._wake_another()
            left = end - monotonic()
        return True

    def _nudge(self) -> None:
        """The call that was interrupted may wait for an answer that was taken out of the pipe: this one wakes it."""
        self._send(f'{{"jsonrpc":"2.0","id":{next(self._ids)},"method":"ping"}}\n'.encode(), False)

    def _wake_another(self) -> None:
        """Somebody else who waits becomes the one who reads."""
        for waiter in list(self._pending.values()):
            if waiter.wake():
                return

    def handled(self, total: int) -> None:
        """Tells the wrapper that so many bytes have been dealt with, unless it knows nearly as much."""
        if total - self._acked >= _ACK and self._dead is None:
            self._acked = total
            self.notify("handled", total)

    def _send(self, line: bytes, waits: bool = True) -> bool:
        """Whoever finds nobody writing writes for all, so that threads do not wait for each other.

        False: a handler runs in the middle of this thread's own write; the line waits for that.
        """
        self._outgoing.append(line)
        return self._flush(waits)

    def _flush(self, waits: bool) -> bool:
        is_through = True
        while is_through and self.is_behind:
            if _is_mine(self._writing):
                return False
            held: Deque[Any] = deque()
            try:
                _try(self._writing, held)
                if not held:
                    return True
                is_through = self._write(waits)
            except BaseException:
                if held:
                    self._write(False)  # Of others too; they do not know that nobody writes any more.
                raise
            finally:
                try:
                    if held and self._is_closing:
                        self._close_requests()
                    _let_go(held)
                finally:
                    _let_go(held)
        return True

    @property
    def is_behind(self) -> bool:
        """Whether something waits to be written."""
        return bool(self._outgoing or self._batch[0])

    def drain(self) -> None:
        """Writes what a write that did not wait has left."""
        try:
            self._flush(True)
        except RequestTimeoutError:
            pass  # Who waits for an answer finds out.

    def _write(self, waits: bool) -> bool:
        """False if the pipe is full and this is not to wait. Raises if nothing is read for too long; the rest stays."""
        data = b""
        while True:
            lines, written = self._batch
            if not lines:
                if not self._outgoing:
                    return True
                lines.extend(map(deque.popleft, repeat(self._outgoing, len(self._outgoing))))
                data = b""
            data = data or b"".join(lines)
            done = sum(written)
            try:
                if done == len(data) or self._dead is not None or self._wrapper.requests < 0:
                    self._batch = (deque(), deque())
                    continue
                written.extend(map(os.write, (self._wrapper.requests,), (memoryview(data)[done:],)))
            except BrokenPipeError:
                # Whoever reads finds out as well, and tells all who wait.
                self._batch = (deque(), deque())
            except BlockingIOError:
                if not waits:
                    return False
                self._wait_for_room()

    def _wait_for_room(self) -> None:
        poll = select.poll()
        poll.register(self._wrapper.requests, select.POLLOUT)
        if not poll.poll(min(self.patience, 86400.0) * 1000 + 1):
            raise RequestTimeoutError(
                f"The wrapper has read nothing of what is written to it for {self.patience:g} s", "ERR_NO_ANSWER"
            ) from None

    def _close_requests(self) -> None:
        """By who holds _writing."""
        end, self._wrapper.requests = self._wrapper.requests, -1
        if end >= 0:
            os.close(end)

    def _pump(self, seconds: Optional[float], poll: select.poll, held: Deque[Any]) -> bool:
        """By who holds _reading: waits for something and hands it out. False at the end of the pipe."""
        if not self._messages and not self._notices:
            # Not more than a day: poll takes an int.
            if not poll.poll(None if seconds is None else min(seconds, 86400.0) * 1000 + 1):
                return True
        # No more so when held is empty: whatever raises, its owner lets it go.
        self._dealer = (threading.get_ident(), held)
        self._deal()
        self._dealer = (0, held)
        return not self._is_at_end

    def _deal(self) -> None:
        if not self._messages and not self._notices:
            try:
                self._chunks.extend(map(os.read, (self._wrapper.answers,), (_READ,)))
            except BlockingIOError:
                return  # What a handler called has read it.
            self._decode()
        messages = self._messages
        while messages:
            message = messages[0]
            self._hand_out(message)
            if messages and messages[0] is message:
                messages.popleft()
        if self._notices or self._total - self._told >= _ACK:
            self._told = self._total
            self._tell(self, self._notices, self._total)
            self._notices = []

    def _decode(self) -> None:
        last = self._chunks[-1]
        if b"\n" not in last:
            self._is_at_end = self._is_at_end or not last
            return
        if len(self._chunks) == 1 and last.index(b"\n") == len(last) - 1:
            self._messages.extend(_decode_lines(last[:-1]))
            self._chunks = deque()
            self._total += len(last)
            return
        data = b"".join(self._chunks)
        end = data.rindex(b"\n")
        messages = _decode_lines(data[:end])
        rest = deque((data[end + 1:],) if end + 1 < len(data) else ())
        self._messages.extend(messages)
        self._chunks = rest
        self._total += end + 1

    def _hand_out(self, message: Any) -> None:
        if "method" in message:
            self._notices.append((message["method"], message["params"]))
        elif message["id"] is None:
            if not self.has_begun:
                self._fatal = from_answer(message["error"])
        else:
            # Still there if a handler raises in between: then it is delivered again.
            waiter = self._pending.get(message["id"])
            if waiter is not None and waiter.deliver(message, None):
                self._has_told_thread = True
            self._pending.pop(message["id"], None)

    def _run(self) -> None:
        """Reads while nobody waits for an answer, and finishes."""
        try:
            while True:
                with self._reading:
                    if self._is_at_end:
                        break
                    self._has_told_thread = False
                    self._pump_on()
                    stays_away = self._has_told_thread
                if stays_away:
                    self._stay_away()
        finally:
            self._finish()

    def _pump_on(self) -> None:
        """Nothing but the end of the pipe ends the connection, and with it all processes."""
        try:
            self._pump(None, self._poll, deque())
        except OSError:
            raise
        except Exception:
            logger.exception("What the wrapper has sent could not be dealt with")
            if self._messages:
                self._messages.popleft()

    def _stay_away(self) -> None:
        """Who has called once may call again, and then find nobody reading. Who calls often reads all there is."""
        away, seen = _AWAY, -1
        while seen != self._calls and not self._is_at_end:
            away = min(away * 2, _LONGEST_AWAY) if self._calls - seen > _OFTEN else _AWAY
            seen = self._calls
            sleep(away)

    def _finish(self) -> None:
        end = self._wrapper.reap()
        if self._is_closing:
            reason: ProcessManagerError = closed()
        elif self._fatal is not None:
            reason = self._fatal
        else:
            reason = WrapperError(
                f"The wrapper (process {self.pid}) {end}; everything that it managed ends with it", "ERR_WRAPPER_ENDED"
            )
        self._dead = reason
        with self._reading, self._writing:
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
            if _is_mine(self._writing):
                return  # The garbage collector, in the middle of a write: that one closes the pipe.
            if self._writing.acquire(timeout=LONGEST_END):
                try:
                    self._close_requests()
                finally:
                    self._writing.release()
            else:
                self._wrapper.kill()  # It does not read: who writes learns it now.
        if _is_mine(self._reading):
            return  # In the middle of reading: the thread would wait for this one.
        if self._host == os.getpid() and self._reader is not threading.current_thread():
            self._reader.join(LONGEST_END)
            if self._reader.is_alive():
                self._wrapper.kill()
                self._reader.join(LONGEST_END)

    def abandon(self) -> None:
        """In a forked copy of the host. Locks may be held by threads that are not there."""
        if self._dead is not None:
            return
        self._dead = ForkedError(
            f"This manager belongs to process {self._host}, from which process {os.getpid()} was forked: make a new one there",
            "ERR_FORKED",
        )
        self._writing = threading.RLock()
        self._reading = threading.RLock()
        self._dealer = (0, deque())
        self._outgoing.clear()
        self._batch = (deque(), deque())
        self._pending.clear()
        self._wrapper.disown()


def _is_mine(lock: Any) -> bool:
    """Whether this thread has it. A lock says so from the moment on in which it is taken."""
    return bool(getattr(lock, "_is_owned")())


def _try(lock: Any, held: Deque[Any]) -> None:
    """Takes a lock, if it is free, and notes it in the same moment: a handler may raise behind any call."""
    held.extend(compress((lock,), map(lock.acquire, (False,))))


def _let_go(held: Deque[Any]) -> None:
    """The same the other way round. In a finally twice: a handler may raise there as well, before the first."""
    deque(map(_release, map(deque.popleft, repeat(held, len(held)))), 0)


def _decode_lines(data: bytes) -> List[Any]:
    """The messages of whole lines. One that Python cannot decode is not given to anybody, but spoils no other."""
    try:
        text = data.decode()
        # A line end is never inside of JSON: one text of many lines is decoded at once.
        messages: List[Any] = decode(f"[{text}]".replace("\n", ","))[0]
        return messages
    except (RecursionError, ValueError):
        return [message for line in data.split(b"\n") for message in _decode_line(line)]


def _decode_line(line: bytes) -> List[Any]:
    try:
        return [decode(line.decode())[0]]
    except (RecursionError, ValueError) as error:
        problem = f"What the wrapper has sent cannot be read: {error}"
    logger.error("%s", problem)
    found = _ANSWER.match(line)
    if found is None:
        return []
    return [{"id": int(found.group(1)), "error": {"code": -32700, "message": problem, "data": {"code": "ERR_UNREADABLE"}}}]


def _busy(what: str) -> ProcessManagerError:
    return OperationError(f"A signal handler that has interrupted a call that is {what} cannot call the manager", "ERR_BUSY")


def closed() -> ProcessManagerError:
    return OperationError("The manager was cleaned up", "ERR_MANAGER_CLOSED")


def unanswered(method: str, seconds: float) -> RequestTimeoutError:
    return RequestTimeoutError(f"The wrapper has not answered {method} or a ping within {seconds:g} s", "ERR_NO_ANSWER")


def _after_fork() -> None:
    for connection in list(_connections):
        connection.abandon()


os.register_at_fork(after_in_child=_after_fork)
