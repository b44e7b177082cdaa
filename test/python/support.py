"""What the Python tests share. Nothing sleeps and hopes: a child says something, the test waits for the event."""

import os
import sys
import threading
import time
import unittest
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = ROOT / 'python'
sys.path.insert(0, str(PYTHON))

LIMIT = 30

from process_manager_impl import ProcessManagerImpl  # noqa: E402


class Recorder:
    """The events that a manager tells of, as (name, payload)."""

    def __init__(self, manager, *names):
        self.seen = []
        self._changed = threading.Condition()
        for name in names:
            manager.on(name, lambda payload, name=name: self.add(name, payload))

    def add(self, name, payload):
        with self._changed:
            self.seen.append((name, payload))
            self._changed.notify_all()

    def wait(self, name, condition=lambda payload: True, limit=LIMIT):
        """The first of that name for which the condition holds."""
        def find():
            return next((payload for seen, payload in self.seen if seen == name and condition(payload)), None)
        with self._changed:
            if not self._changed.wait_for(lambda: find() is not None, limit):
                raise AssertionError(f'no such {name!r} within {limit} s; seen: {self.seen[:20]!r}')
            return find()

    def text(self, name):
        with self._changed:
            return ''.join(payload['data'] for seen, payload in self.seen if seen == name)

    def wait_text(self, name, wanted, limit=LIMIT):
        with self._changed:
            if not self._changed.wait_for(lambda: wanted in self.text(name), limit):
                raise AssertionError(f'{wanted!r} did not come within {limit} s; seen: {self.seen[:20]!r}')


class ManagerTestCase(unittest.TestCase):
    """Managers that are cleaned up after each test, and nothing that lives on."""

    def setUp(self):
        self._threads = set(threading.enumerate())
        self.addCleanup(self._check_threads)

    def _check_threads(self):
        left = [thread for thread in threading.enumerate() if thread not in self._threads and thread.name.startswith('mcp-')]
        for thread in left:
            thread.join(LIMIT)
        self.assertEqual([thread for thread in left if thread.is_alive()], [])

    def make(self, options=None, **more):
        manager = ProcessManagerImpl(options, **more)
        self.addCleanup(manager.cleanup)
        return manager

    def start_ready(self, manager, script='echo ready; exec cat', **config):
        """Starts a shell script that says "ready"; answers its id once it did."""
        recorder = Recorder(manager, 'stdout')
        process_id = manager.spawn_process({'command': 'sh', 'args': ['-c', script], **config})
        recorder.wait('stdout', lambda payload: payload['processId'] == process_id and 'ready' in payload['data'])
        return process_id


def until(condition, what, limit=LIMIT):
    """Looks again and again: for what has no event, as the end of a foreign process."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f'waited {limit} s in vain until {what}')
        time.sleep(0.005)


def stat_of(pid):
    """(state, parent) of a process, None if there is none."""
    try:
        text = Path(f'/proc/{pid}/stat').read_text('latin-1')
    except OSError:
        return None
    fields = text[text.rindex(')') + 2:].split()
    return fields[0], int(fields[1])


def is_alive(pid):
    found = stat_of(pid)
    return found is not None and found[0] not in 'ZX'


def survivors_with(name, value):
    """The pids of living processes that were started with name=value."""
    wanted = f'{name}={value}'.encode()
    found = []
    for entry in sorted((int(entry) for entry in os.listdir('/proc') if entry.isdigit()), reverse=True):
        try:
            environ = Path(f'/proc/{entry}/environ').read_bytes().split(b'\0')
        except OSError:
            continue
        if wanted in environ and is_alive(entry):
            found.append(entry)
    return found


def zombies():
    """The pids of this process's children that ended and were not reaped."""
    entries = [int(entry) for entry in os.listdir('/proc') if entry.isdigit()]
    return [pid for pid in entries if stat_of(pid) == ('Z', os.getpid())]


def descriptors():
    return len(os.listdir('/proc/self/fd'))


@contextmanager
def no_threads():
    """No thread can be started: there is no memory for so large a stack."""
    before = threading.stack_size(1 << 48)
    try:
        yield
    finally:
        threading.stack_size(before)


@contextmanager
def working_directory(path):
    before = os.getcwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def environment(**changes):
    """os.environ with changes; None takes a variable away."""
    before = {name: os.environ.get(name) for name in changes}

    def apply(values):
        for name, value in values.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
    apply(changes)
    try:
        yield
    finally:
        apply(before)
