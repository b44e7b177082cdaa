"""The wrapper process and the pipes to it."""

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
from typing import BinaryIO, List, Mapping, Tuple, cast

from ._errors import WrapperStartError
from ._locate import Location

_TAIL = 2000
#: Seconds that it gets to end by itself.
LONGEST_END = 5.0


def _make_pipe() -> Tuple[int, int]:
    """As os.pipe, but never at the places of stdin, stdout and stderr, which may be free."""
    ends = os.pipe()
    if min(ends) > 2:
        return ends
    read, write = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3) for end in ends)
    for end in ends:
        os.close(end)
    return read, write


def _make_file() -> BinaryIO:
    """A file without a name. In memory where that can be: there may be no directory to write to."""
    if sys.platform == "linux" and hasattr(os, "memfd_create"):
        try:
            return open(os.memfd_create("mcp-process-manager"), "w+b")
        except OSError:
            pass  # A kernel, or a filter, that has none for us.
    try:
        return cast(BinaryIO, tempfile.TemporaryFile())
    except OSError as error:
        raise WrapperStartError(
            f"There is no file for what Node.js may print: {error}. Without memfd_create, "
            "TMPDIR has to be a directory that can be written to",
            "ERR_WRAPPER_START",
        ) from error


class Wrapper:
    """Node with the wrapper's program. It ends when the pipe to it is closed."""

    def __init__(self, location: Location, env: Mapping[bytes, bytes]) -> None:
        self.requests = self.answers = -1
        # What it says beside the protocol: nothing, unless it crashes. It is none of the host's output.
        self._said = _make_file()
        try:
            self._process = self._start(location, env)
        except BaseException as error:
            self.close_files()
            if isinstance(error, OSError):
                raise WrapperStartError(f"Node.js could not be started: {error}", "ERR_NODE_NOT_FOUND") from error
            raise
        self.pid = self._process.pid

    def _start(self, location: Location, env: Mapping[bytes, bytes]) -> "subprocess.Popen[bytes]":
        theirs: List[int] = []
        try:
            their_input, self.requests = _make_pipe()
            theirs.append(their_input)
            self.answers, their_output = _make_pipe()
            theirs.append(their_output)
            # A session of its own: Ctrl+C in the terminal is the host's affair.
            return subprocess.Popen(
                [location.node, location.wrapper, str(their_input), str(their_output)],
                stdin=subprocess.DEVNULL, stdout=self._said, stderr=self._said,
                pass_fds=theirs, start_new_session=True, env=env,
            )
        finally:
            for end in theirs:
                os.close(end)

    def close_files(self) -> None:
        for end in (self.requests, self.answers):
            if end >= 0:
                os.close(end)
        self.requests = self.answers = -1
        self._said.close()

    def reap(self) -> str:
        """Waits for its end; answers how it ended, in words."""
        try:
            self._process.wait(LONGEST_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        return self._describe_end(self._process.returncode)

    def _describe_end(self, code: int) -> str:
        if code >= 0:
            end = f"ended with exit code {code}"
        else:
            try:
                end = f"was ended by {signal.Signals(-code).name}"
            except ValueError:
                end = f"was ended by signal {-code}"
        said = self._tail()
        return f"{end}, saying: {said}" if said else end

    def _tail(self) -> str:
        try:
            size = self._said.seek(0, os.SEEK_END)
            self._said.seek(max(0, size - _TAIL))
            return self._said.read().decode("utf-8", "replace").strip()
        except (OSError, ValueError):
            return ""

    def kill(self) -> None:
        self._process.kill()

    def disown(self) -> None:
        """In a forked copy of the host: lets go of what is the original's."""
        self._process.returncode = 0  # Nobody waits for it here, nor says that somebody should.
        self.close_files()
