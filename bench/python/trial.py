"""trial.py ours|echo SETTING: prints { metric: number }. Times in µs, of starts in ms."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / 'python'))

from process_manager_impl import ProcessManagerImpl  # noqa: E402


class Ours:
    def __init__(self):
        self.manager = ProcessManagerImpl()

    def prepare(self):
        process_id = self.manager.spawn_process({'command': 'sleep', 'args': ['600']})
        self.ask = self.ask_among_threads = lambda: self.manager.get_process_status(process_id)

    def close(self):
        self.manager.cleanup()


class Echo:
    """A write, a read, JSON both ways: one call at a time. Its message is as long as a status and its frame."""

    def __init__(self):
        self._lock = threading.Lock()
        their_input, self._requests = os.pipe()
        answers, their_output = os.pipe()
        command = ['node', str(HERE / 'echo.js'), str(their_input), str(their_output)]
        self._process = subprocess.Popen(command, pass_fds=(their_input, their_output))
        os.close(their_input)
        os.close(their_output)
        self._answers = os.fdopen(answers, 'rb')
        self._message = {}
        self.ask()

    def prepare(self):
        with ProcessManagerImpl() as manager:
            process_id = manager.spawn_process({'command': 'sleep', 'args': ['600']})
            self._message = {'jsonrpc': '2.0', 'id': 1000, 'result': manager.get_process_status(process_id)}

    def ask(self):
        os.write(self._requests, json.dumps(self._message).encode() + b'\n')
        return json.loads(self._answers.readline())

    def ask_among_threads(self):
        """What threads need who have nothing but the two pipes."""
        with self._lock:
            return self.ask()

    def close(self):
        os.close(self._requests)
        self._answers.close()
        self._process.wait()


def times_of(ask, count):
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        ask()
        times.append((time.perf_counter() - begin) * 1e6)
    return times


def rate_of(ask, threads, count):
    """Calls a second of so many threads."""
    workers = [threading.Thread(target=lambda: [ask() for _ in range(count // threads)]) for _ in range(threads)]
    begin = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return count // threads * threads / (time.perf_counter() - begin)


def event_rate(manager, count):
    """Events of lines a second to a callback, from a command that writes them without pause."""
    done, seen = threading.Event(), [0, 0.0, 0.0]

    def on_line(payload):
        if seen[0] == 0:
            seen[1] = time.perf_counter()
        seen[0] += 1
        if seen[0] == count:
            seen[2] = time.perf_counter()
            done.set()
    manager.on('line', on_line)
    manager.spawn_process({'command': 'seq', 'args': [str(count)]})
    if not done.wait(120):
        raise SystemExit(f'{seen[0]} of {count} lines came')
    manager.off('line', on_line)
    return (count - 1) / (seen[2] - seen[1])


def measure(kind, setting):
    starts = []
    for _ in range(setting['starts']):
        begin = time.perf_counter()
        driver = kind()
        starts.append((time.perf_counter() - begin) * 1e3)
        driver.close()
    driver = kind()
    driver.prepare()
    times_of(driver.ask, setting['warmup'])
    begin = time.perf_counter()
    times = times_of(driver.ask, setting['calls'])
    rate = setting['calls'] / (time.perf_counter() - begin)
    rate32 = rate_of(driver.ask_among_threads, 32, setting['calls'])
    figures = {'start': median(starts), 'p50': median(times), 'rate': rate, 'rate32': rate32}
    if kind is Ours:
        figures['events'] = event_rate(driver.manager, setting['events'])
    driver.close()
    return figures


if __name__ == '__main__':
    print(json.dumps(measure({'ours': Ours, 'echo': Echo}[sys.argv[1]], json.loads(sys.argv[2]))))
