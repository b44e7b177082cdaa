"""A host that starts some trees, says so, and ends as it is told: host.py HOW."""

import ctypes
import json
import os
import signal
import sys
import threading

from support import Recorder

from process_manager_impl import ProcessManagerImpl

TREES = {
    'plain': 'echo ready; exec cat',
    'stubborn': 'trap "" TERM; echo ready; while :; do sleep 1; done',
    'deep': 'setsid sh -c "sleep 600 & wait" & sleep 600 & echo ready; wait',
}


def start():
    manager = ProcessManagerImpl()
    recorder = Recorder(manager, 'stdout')
    for name, script in TREES.items():
        manager.spawn_process({'id': name, 'command': 'sh', 'args': ['-c', script]})
    for name in TREES:
        recorder.wait('stdout', lambda payload, name=name: payload['processId'] == name)
    return manager


def hold_pipes():
    """A copy of this process that Python does not know of: it has all descriptors, and stays."""
    pid = ctypes.CDLL(None).fork()
    if pid == 0:
        while True:
            signal.pause()
    return pid


def main(how):
    manager = start()
    copy = hold_pipes() if how.endswith('with a copy') else None
    print(json.dumps({'wrapper': manager.wrapper_pid, 'copy': copy}), flush=True)
    if how == 'exception':
        raise KeyError('on purpose')
    if how == 'sys.exit':
        sys.exit(7)
    if how.startswith('os._exit'):
        os._exit(7)
    if how.startswith('SIG'):
        os.kill(os.getpid(), getattr(signal, how.split()[0]))
        threading.Event().wait()
    if how == 'exec':
        os.execv('/bin/true', ['true'])


if __name__ == '__main__':
    main(sys.argv[1])
