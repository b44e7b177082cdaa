"""Events to callbacks, in a thread of their own, one after the other."""

import base64
import logging
import queue
import threading
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional, Tuple

from ._connection import Notice
from ._errors import WrapperStartError
from ._values import with_float_rows

Payload = Dict[str, Any]
Callback = Callable[[Payload], object]
# Any event: its name too.
Sink = Callable[[str, Payload], object]

#: Of these, what comes while nobody listens is kept for the first who does.
KEPT_EVENTS = ("exit", "error")
#: The last so many of each.
KEPT_MOST = 1000

#: The wrapper has ended. No event of the engine, so nobody has to subscribe to it there.
WRAPPER_EXIT = "wrapperExit"

logger = logging.getLogger("mcp_process_manager")

_TEXT_FIELDS = {"stdout": "data", "stderr": "data", "line": "line", "message": "message", "stray": "line"}


class Dispatcher:
    def __init__(self) -> None:
        self._jobs: "queue.SimpleQueue[Optional[Callable[[], None]]]" = queue.SimpleQueue()
        self._callbacks: Dict[str, Tuple[Callback, ...]] = {}
        self._kept: Dict[str, Deque[Payload]] = {name: deque(maxlen=KEPT_MOST) for name in KEPT_EVENTS}
        # May be entered again by what the garbage collector runs.
        self._lock = threading.RLock()
        self._thread = threading.Thread(target=self._run, name="mcp-process-manager events", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            raise WrapperStartError(f"No thread could be started: {error}", "ERR_NO_THREAD") from error

    def add(self, name: str, callback: Callback) -> None:
        with self._lock:
            self._callbacks[name] = (*self._callbacks.get(name, ()), callback)
        if name in self._kept:
            self._jobs.put(lambda: self._give_kept(name))

    def remove(self, name: str, callback: Callback) -> bool:
        """Whether it was there. The last that was added goes, as with Node's emitters."""
        with self._lock:
            callbacks = list(self._callbacks.get(name, ()))
            for place in reversed(range(len(callbacks))):
                if callbacks[place] == callback:
                    del callbacks[place]
                    self._callbacks[name] = tuple(callbacks)
                    return True
        return False

    def listened(self) -> List[str]:
        return [name for name, callbacks in self._callbacks.items() if callbacks]

    def give(self, notices: List[Notice], done: Callable[[], None]) -> None:
        """Called by the reading thread; done is called when the callbacks have been."""
        self._jobs.put(lambda: self._give(notices, done))

    def tell(self, name: str, payload: Payload) -> None:
        self._jobs.put(lambda: self._emit(name, payload))

    def after_all(self, job: Callable[[], None]) -> None:
        self._jobs.put(job)

    def close(self, wait: bool) -> None:
        """What came before is still delivered; waits for that if asked, but not in a callback."""
        self._jobs.put(None)
        if wait and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            try:
                job()
            except BaseException:
                logger.exception("Events could not be dealt with")
            del job  # Not kept, with all that it refers to, until the next comes.

    def _give(self, notices: List[Notice], done: Callable[[], None]) -> None:
        for method, params in notices:
            if method == "event":
                self._emit(params[0], params[1])
            elif method == "warning":
                logger.warning("%s: %s", params.get("code") or params["name"], params["message"])
        done()

    def _emit(self, name: str, payload: Payload) -> None:
        if "base64" in payload:
            del payload["base64"]
            field = _TEXT_FIELDS[name]
            payload[field] = base64.b64decode(payload[field])
        elif name == "metrics":
            with_float_rows(payload["processes"])
        callbacks = self._callbacks.get(name)
        if callbacks:
            self._call(callbacks, name, payload)
        elif name in self._kept:
            self._kept[name].append(payload)

    def _give_kept(self, name: str) -> None:
        kept = self._kept[name]
        while kept and self._callbacks.get(name):
            self._call(self._callbacks[name], name, kept.popleft())

    def _call(self, callbacks: Tuple[Callback, ...], name: str, payload: Payload) -> None:
        for callback in callbacks:
            try:
                callback(payload)
            except BaseException:  # Also SystemExit: in this thread it would end nothing but all events.
                logger.exception("A callback of '%s' raised", name)
