#!/usr/bin/env python3
"""ProcessManagerImpl against real processes: python3 test/unit/test_process_manager_impl.py"""

import math
import os
import signal
import sys
import tempfile
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'python'))

from support import (  # noqa: E402
    LIMIT, ManagerTestCase, Recorder, environment, is_alive, until, working_directory
)

from mcp_process_manager._connection import Waiter  # noqa: E402
from process_manager_contract import ProcessManagerContract  # noqa: E402
from process_manager_impl import (  # noqa: E402
    OperationError, ProcessManagerError, ProcessManagerImpl, UnknownProcessError
)

UNKNOWN = {'pid': 0, 'status': 'unknown', 'uptime': 0, 'cpu': 0, 'memory': 0, 'restarts': 0}


class ContractTest(ManagerTestCase):
    def test_implements_the_contract(self):
        self.assertIsInstance(self.make(), ProcessManagerContract)
        with self.assertRaises(TypeError):
            ProcessManagerContract()

    def test_spawn_status_stop(self):
        manager = self.make()
        process_id = self.start_ready(manager)
        self.assertEqual(process_id, 'proc_1000')
        status = manager.get_process_status(process_id)
        self.assertEqual((status['status'], status['state']), ('running', 'running'))
        self.assertIs(type(status['pid']), int)
        for field in ('cpu', 'memory', 'uptime'):
            self.assertIs(type(status[field]), float, field)
        self.assertGreater(status['memory'], 0)
        self.assertTrue(is_alive(status['pid']))
        self.assertIs(manager.stop_process(process_id), True)
        self.assertFalse(is_alive(status['pid']))
        after = manager.get_process_status(process_id)
        self.assertEqual((after['status'], after['pid'], after['exitSignal']), ('stopped', 0, 'SIGTERM'))

    def test_unknown_ids_behave_as_in_javascript(self):
        manager = self.make()
        for unknown in ('nobody', '', '__proto__', 'x' * 1000, '\ud800'):
            with self.subTest(id=unknown):
                status = manager.get_process_status(unknown)
                self.assertEqual(status, UNKNOWN)
                self.assertIs(type(status['cpu']), float)
                self.assertEqual(manager.get_process_logs(unknown), {'stdout': [], 'stderr': []})
                self.assertEqual(manager.get_process_logs(unknown, {'since': 0}), [])
                self.assertIs(manager.stop_process(unknown), False)
                self.assertIs(manager.restart_process(unknown), False)
                self.assertIs(manager.signal_process(unknown, 'SIGTERM'), False)
                self.assertIs(manager.remove_process(unknown), False)
                self.assertIsNone(manager.get_process_metrics(unknown))
                for call in (manager.close_stdin, lambda id: manager.write_stdin(id, 'x'), manager.follow_logs):
                    with self.assertRaises(ProcessLookupError) as caught:
                        call(unknown)
                    self.assertIsInstance(caught.exception, UnknownProcessError)
                    self.assertEqual(caught.exception.code, 'ERR_UNKNOWN_PROCESS')

    def test_a_missing_command_is_a_value_error(self):
        manager = self.make()
        for config in ({}, {'command': ''}, {'command': 7}, {'command': None}, None, 'sh'):
            with self.subTest(config=config), self.assertRaisesRegex(ValueError, '^Command is required') as caught:
                manager.spawn_process(config)
            self.assertIsInstance(caught.exception, ProcessManagerError)

    def test_bad_input_names_field_and_value(self):
        manager = self.make()
        cases = [
            ({'command': 'sh', 'args': [None]}, r'config\.args\[0\] must be a string; got null', 'ERR_INVALID_ARG_TYPE'),
            ({'command': 'sh', 'maxRestarts': 'two'}, r'config\.maxRestarts must be an integer', 'ERR_INVALID_ARG_TYPE'),
            ({'command': 'sh', 'stopTimeout': -1}, r'config\.stopTimeout', 'ERR_OUT_OF_RANGE'),
            ({'command': 'sh', 'env': {'A': 1}}, r'config\.env\.A must be a string', 'ERR_INVALID_ARG_TYPE'),
            ({'command': 'sh', 'limits': {'cpus': 1}}, r'config\.limits has no limit "cpus"', 'ERR_UNKNOWN_LIMIT'),
            ({'command': 'sh', 'stopTimeout': math.nan}, r'^stopTimeout has no form in JSON: got nan$', 'ERR_INVALID_ARG_VALUE'),
            ({'command': 'sh', 'args': ['x', object()]}, r'^args\[1\] has no form in JSON: .*object$', 'ERR_INVALID_ARG_VALUE'),
        ]
        for config, message, code in cases:
            with self.subTest(config=config), self.assertRaisesRegex(ValueError, message) as caught:
                manager.spawn_process(config)
            self.assertEqual(caught.exception.code, code)
        with self.assertRaisesRegex(ValueError, r'options\.maxProcesses'):
            ProcessManagerImpl({'maxProcesses': 'many'})
        with self.assertRaises(ValueError):
            manager.signal_process('x', 'SIGNONE')
        with self.assertRaises(ValueError):
            ProcessManagerImpl(request_timeout=0)
        self.assertEqual(manager.list_processes(), [])

    def test_the_limit_is_a_runtime_error(self):
        manager = self.make({'maxProcesses': 1})
        self.start_ready(manager)
        with self.assertRaisesRegex(RuntimeError, r'^Process limit \(1\) exceeded') as caught:
            manager.spawn_process({'command': 'cat'})
        self.assertIsInstance(caught.exception, OperationError)
        self.assertEqual(caught.exception.code, 'ERR_PROCESS_LIMIT')

    def test_a_command_that_is_not_there_is_an_error_event(self):
        manager = self.make()
        recorder = Recorder(manager, 'error')
        process_id = manager.spawn_process({'command': '/no/such/command'})
        error = recorder.wait('error')['error']
        self.assertEqual((error['code'], error['syscall'], error['path']), ('ENOENT', 'execve', '/no/such/command'))
        status = manager.get_process_status(process_id)
        self.assertEqual((status['status'], status['error']['code']), ('error', 'ENOENT'))

    def test_list_is_in_the_order_of_spawning(self):
        manager = self.make()
        ids = [manager.spawn_process({'id': name, 'command': 'cat'}) for name in ('b', 'a', 'ü', '🦊', '__proto__')]
        rows = manager.list_processes()
        self.assertEqual([row['id'] for row in rows], ids)
        self.assertEqual({row['command'] for row in rows}, {'cat'})
        self.assertIs(type(rows[0]['memory']), float)


class ConfigTest(ManagerTestCase):
    def run_shell(self, manager, script, **config):
        recorder = Recorder(manager, 'exit')
        process_id = manager.spawn_process({'command': 'sh', 'args': ['-c', script], **config})
        recorder.wait('exit', lambda payload: payload['processId'] == process_id)
        return manager.get_process_logs(process_id)['stdout']

    def test_none_takes_a_variable_away_and_is_not_given_elsewhere(self):
        with environment(PM_TEST_A='a', PM_TEST_B='b'):
            manager = self.make()
            lines = self.run_shell(manager, 'echo "$PM_TEST_A/$PM_TEST_B/$PM_TEST_C"', workingDir=None, stopTimeout=None,
                                   env={'PM_TEST_A': None, 'PM_TEST_C': 'c'})
        self.assertEqual(lines, ['/b/c'])

    def test_children_have_the_environment_and_directory_of_now(self):
        manager = self.make()
        before = os.getcwd()
        with environment(PM_TEST_LATER='later', PM_TEST_GONE='gone'), tempfile.TemporaryDirectory() as directory:
            self.assertEqual(self.run_shell(manager, 'echo $PM_TEST_GONE'), ['gone'])
            del os.environ['PM_TEST_GONE']
            os.chdir(directory)
            try:
                self.assertEqual(self.run_shell(manager, 'echo $PM_TEST_LATER$PM_TEST_GONE; pwd'),
                                 ['later', os.path.realpath(directory)])
            finally:
                os.chdir(before)
        self.assertEqual(self.run_shell(manager, 'echo .$PM_TEST_LATER; pwd'), ['.', before])

    def test_what_is_called_by_its_javascript_name_has_them_too(self):
        manager = self.make()
        with environment(PM_TEST_LATER='later'):
            process_id = manager.call('spawnProcess', {'command': 'printenv', 'args': ['PM_TEST_LATER']})
        self.assertEqual([record['line'] for record in manager.follow_logs(process_id)], ['later'])

    def test_a_variable_that_is_not_utf8(self):
        show = 'printenv PM_TEST_RAW | od -An -tx1'
        with environment(PM_TEST_RAW=os.fsdecode(b'\xff')):
            manager = self.make()
            # What a wrapper inherits is bytes. (A program between, in JavaScript, hands on text.)
            if 'PM_TEE_DIRECTORY' not in os.environ:
                self.assertEqual(self.run_shell(manager, show), [' ff 0a'])
            process_id = self.start_ready(manager)
            os.environb[b'PM_TEST_RAW'] = b's\xfe'
            for call in (lambda: self.run_shell(manager, 'true'), lambda: manager.restart_process(process_id)):
                with self.assertRaisesRegex(ValueError, r"environment variable 'PM_TEST_RAW' is not UTF-8") as caught:
                    call()
                self.assertNotIn('s\\', str(caught.exception))
            os.environ['PM_TEST_RAW'] = 'ü'
            self.assertEqual(self.run_shell(manager, show), [' c3 bc 0a'])
            os.environb[b'PM_TEST_\xff'] = b'x'
            try:
                with self.assertRaisesRegex(ValueError, r"'PM_TEST_\\udcff' is not UTF-8"):
                    self.run_shell(manager, 'true')
            finally:
                del os.environb[b'PM_TEST_\xff']

    def test_what_is_asked_for_that_is_not_utf8(self):
        manager = self.make()
        raw = os.fsdecode(b'/\xff')
        cases = [
            ({'command': raw}, r"^config\.command must be UTF-8; got '/\\udcff'$"),
            ({'command': Path(raw)}, r"^config\.command must be UTF-8"),
            ({'command': 'sh', 'args': ['-c', raw]}, r"^config\.args\[1\] must be UTF-8"),
            ({'command': 'sh', 'workingDir': raw}, r"^config\.workingDir must be UTF-8"),
            ({'command': 'sh', 'env': {'A': raw}}, r"^config\.env\.A must be UTF-8$"),
            ({'command': 'sh', 'env': {raw: 'x'}}, r"^the name '/\\udcff' in config\.env must be UTF-8"),
        ]
        for config, message in cases:
            with self.subTest(config=config), self.assertRaisesRegex(ValueError, message) as caught:
                manager.spawn_process(config)
            self.assertEqual(caught.exception.code, 'ERR_INVALID_ARG_VALUE')
        with self.assertRaisesRegex(ValueError, r'^options\.allowedCommands\[0\] must be UTF-8'):
            ProcessManagerImpl({'allowedCommands': [raw]})
        self.assertEqual(manager.list_processes(), [])

    def test_a_directory_that_is_not_utf8(self):
        manager = self.make()
        with tempfile.TemporaryDirectory() as above, working_directory(above):
            os.mkdir(b'\xff')
            os.chdir(b'\xff')
            with self.assertRaisesRegex(RuntimeError, r"working directory '.*/\\udcff' is not UTF-8") as caught:
                self.run_shell(manager, 'true')
            self.assertIsInstance(caught.exception, OperationError)
            self.assertEqual(caught.exception.code, 'ERR_WORKING_DIRECTORY')
            # What a wrapper inherits is a directory, however it is called.
            Path('here').touch()
            self.assertEqual(self.run_shell(self.make(), 'ls'), ['here'])
            os.chdir(above)
            self.assertEqual(self.run_shell(manager, 'pwd'), [os.path.realpath(above)])

    def test_a_directory_that_was_removed(self):
        manager = self.make()
        with tempfile.TemporaryDirectory() as above, working_directory(above):
            for _ in range(2):
                os.mkdir('gone')
                os.chdir('gone')
                Path('here').touch()
                # The second is another of the same name.
                self.assertEqual(self.run_shell(manager, 'ls'), ['here'])
                os.remove('here')
                os.rmdir('../gone')
                # Both are still there: that is no other directory.
                self.assertEqual(self.run_shell(manager, 'ls'), [])
                os.chdir(above)
            self.assertEqual(self.run_shell(manager, 'pwd'), [os.path.realpath(above)])
            os.mkdir('gone')
            os.chdir('gone')
            os.rmdir('../gone')
            with self.assertRaisesRegex(RuntimeError, 'working directory of this process was removed') as caught:
                self.run_shell(manager, 'true')
            self.assertEqual(caught.exception.code, 'ERR_WORKING_DIRECTORY')

    def test_infinity_is_one(self):
        manager = self.make({'stopTimeout': math.inf})
        process_id = self.start_ready(manager, 'echo ready; exec cat', limits={'openFiles': math.inf})
        self.assertEqual(manager.get_process_logs(process_id, math.inf)['stdout'], ['ready'])
        self.assertIs(manager.stop_process(process_id, math.inf), True)

    def test_limits_hold(self):
        manager = self.make()
        self.assertEqual(self.run_shell(manager, 'ulimit -n', limits={'openFiles': 77}), ['77'])


class PathTest(ManagerTestCase):
    def test_paths_are_text(self):
        manager = self.make()
        with tempfile.TemporaryDirectory() as directory:
            process_id = manager.spawn_process(
                {'command': Path('/bin/sh'), 'args': ['-c', 'pwd; echo "$0"', Path('/x')], 'workingDir': Path(directory)}
            )
            lines = [record['line'] for record in manager.follow_logs(process_id)]
        self.assertEqual(lines, [os.path.realpath(directory), '/x'])

    def test_request_timeout(self):
        for wrong in ('x', 0, -1, math.nan, None, True):
            with self.subTest(wrong), self.assertRaisesRegex(ValueError, '^request_timeout must be more than 0 seconds; got'):
                ProcessManagerImpl(request_timeout=wrong)


class InputOutputTest(ManagerTestCase):
    def test_stdin_text_and_bytes(self):
        manager = self.make()
        process_id = self.start_ready(manager, 'echo ready; exec od -An -tx1 -v')
        self.assertIs(manager.write_stdin(process_id, 'aü\x00🦊\n'), True)
        manager.write_stdin(process_id, b'\xff\x00')
        manager.write_stdin(process_id, bytearray('é'.encode()))
        manager.write_stdin(process_id, memoryview(b'z'))
        recorder = Recorder(manager, 'exit')
        manager.close_stdin(process_id)
        recorder.wait('exit')
        text = ''.join(manager.get_process_logs(process_id)['stdout'][1:]).replace(' ', '')
        self.assertEqual(bytes.fromhex(text), 'aü\x00🦊\n'.encode() + b'\xff\x00' + 'éz'.encode())
        with self.assertRaises(RuntimeError) as caught:
            manager.write_stdin(process_id, 'x')
        self.assertEqual(caught.exception.code, 'ERR_STDIN_CLOSED')

    def test_a_large_write_comes_whole(self):
        manager = self.make()
        process_id = self.start_ready(manager, 'echo ready; exec wc -c')
        recorder = Recorder(manager, 'exit')
        self.assertIs(manager.write_stdin(process_id, 'x' * 5_000_000), False)
        manager.close_stdin(process_id)
        recorder.wait('exit')
        self.assertEqual(manager.get_process_logs(process_id)['stdout'][1].strip(), '5000000')

    def test_output_that_is_cut_inside_of_characters(self):
        manager = self.make()
        recorder = Recorder(manager, 'stdout', 'stderr', 'line')
        process_id = self.start_ready(manager, "printf 'a\\303'; sleep 0.05; printf '\\274b\\nready\\n'; echo e >&2; exec cat")
        recorder.wait('stderr')
        self.assertEqual(recorder.text('stdout'), 'aüb\nready\n')
        lines = [(payload['stream'], payload['line']) for name, payload in recorder.seen if name == 'line']
        self.assertEqual(sorted(lines), [('stderr', 'e'), ('stdout', 'aüb'), ('stdout', 'ready')])
        self.assertEqual({payload['processId'] for _, payload in recorder.seen}, {process_id})

    def test_encoding_buffer_gives_bytes(self):
        manager = self.make()
        recorder = Recorder(manager, 'stdout', 'line')
        manager.spawn_process({'command': 'printf', 'args': ['\\377\\n'], 'encoding': 'buffer'})
        self.assertEqual(recorder.wait('stdout')['data'], b'\xff\n')
        line = recorder.wait('line')
        self.assertEqual(line['line'], b'\xff')
        self.assertNotIn('base64', line)

    def test_no_depth_of_a_message_ends_the_wrapper(self):
        manager = self.make()
        recorder = Recorder(manager, 'message', 'stray')
        process_id = manager.spawn_process({'command': 'cat', 'messages': 'json'})
        for depth in (199, 200, 1200, 20000):
            manager.write_stdin(process_id, '[{"a":1,"b":' + '[' * (depth - 2) + ']' * (depth - 2) + '},null]\n')
        manager.write_stdin(process_id, '[]\n')
        recorder.wait('message', lambda payload: payload['message'] == [])
        self.assertEqual([name for name, _ in recorder.seen], ['message', 'message', 'stray', 'stray', 'message'])
        self.assertEqual(recorder.seen[3][1]['line'], '[{"a":1,"b":' + '[' * 19998 + ']' * 19998 + '},null]')

    def test_a_line_that_cannot_be_read_spoils_no_other(self):
        manager = self.make()
        connection = manager._session._connection
        deep = b'[' * 100000 + b']' * 100000
        waiter = Waiter()
        # The thread that reads stays away for a moment after a call, else it has the lock until something comes.
        while not connection._reading.acquire(False):
            manager.list_processes()
        try:
            connection._pending[1 << 40] = waiter
            connection._chunks.append(
                b'{"jsonrpc":"2.0","method":"event","params":["x",' + deep + b']}\n\xff\n'
                b'{"jsonrpc":"2.0","id":%d,"result":%s}\n' % (1 << 40, deep)
            )
            with self.assertLogs('mcp_process_manager', 'ERROR') as logs:
                connection._decode()
        finally:
            connection._reading.release()
        self.assertEqual(len(logs.output), 3)
        self.assertEqual(manager.list_processes(), [])
        with self.assertRaises(ProcessManagerError) as caught:
            waiter.result()
        self.assertEqual(caught.exception.code, 'ERR_UNREADABLE')

    def test_messages(self):
        manager = self.make()
        recorder = Recorder(manager, 'message', 'stray')
        process_id = manager.spawn_process({'command': 'cat', 'messages': 'json'})
        big = 2**70
        manager.send_message(process_id, {'id': 1, 'params': [None, 'ü\n', {'base64': True}]})
        self.assertEqual(recorder.wait('message')['message'], {'id': 1, 'params': [None, 'ü\n', {'base64': True}]})
        manager.send_message(process_id, 'no message')
        self.assertEqual(recorder.wait('stray')['line'], 'no message')
        manager.send_message(process_id, {'big': big})
        recorder.wait('message', lambda payload: 'big' in payload['message'])
        self.assertEqual(manager.get_process_logs(process_id, 1)['stdout'], ['{"big":%d}' % big])
        for bad in (math.inf, {1, 2}, 'two\nlines'):
            with self.subTest(message=bad), self.assertRaises(ValueError) as caught:
                manager.send_message(process_id, bad)
            self.assertEqual(caught.exception.code, 'ERR_INVALID_MESSAGE')

    def test_pause_and_resume(self):
        manager = self.make()
        process_id = self.start_ready(manager)
        self.assertIs(manager.pause_output(process_id), True)
        self.assertIs(manager.get_process_status(process_id)['output']['stdout']['paused'], True)
        self.assertIs(manager.resume_output(process_id), True)
        self.assertIs(manager.get_process_status(process_id)['output']['stdout']['paused'], False)


class LogsTest(ManagerTestCase):
    def test_lines_and_records(self):
        manager = self.make()
        process_id = self.start_ready(manager, 'for i in 1 2 3; do echo out $i; done; echo ready; exec cat')
        self.assertEqual(manager.get_process_logs(process_id, 2), {'stdout': ['out 3', 'ready'], 'stderr': []})
        self.assertEqual(manager.get_process_logs(process_id, lines=0), {'stdout': [], 'stderr': []})
        records = manager.get_process_logs(process_id, {'search': 'out', 'since': 1})
        self.assertEqual([(record['seq'], record['line'], record['stream']) for record in records],
                         [(2, 'out 2', 'stdout'), (3, 'out 3', 'stdout')])
        for bad in (-1, 1.5, '7', {'since': -1}):
            with self.subTest(lines=bad), self.assertRaises(ValueError):
                manager.get_process_logs(process_id, bad)

    def test_follow_to_the_end(self):
        manager = self.make()
        process_id = self.start_ready(manager, 'echo ready; while read line; do echo got $line; done')
        seen = []
        with manager.follow_logs(process_id) as follower:
            for record in follower:
                seen.append(record['line'])
                if len(seen) <= 3:
                    manager.write_stdin(process_id, f'{len(seen)}\n')
                else:
                    manager.close_stdin(process_id)
        self.assertEqual(seen, ['ready', 'got 1', 'got 2', 'got 3'])

    def test_follow_many_lines(self):
        manager = self.make({'maxLogLines': 5000})
        process_id = manager.spawn_process({'command': 'seq', 'args': ['5000']})
        lines = [int(record['line']) for record in manager.follow_logs(process_id, {'since': 0})]
        self.assertEqual(lines, list(range(1, 5001)))

    def test_a_next_that_is_given_up_loses_no_line(self):
        manager = self.make()
        process_id = self.start_ready(manager)
        follower = manager.follow_logs(process_id, {'lines': 0})

        class GivenUp(Exception):
            pass

        def give_up(*_):
            raise GivenUp
        self.addCleanup(signal.signal, signal.SIGALRM, signal.signal(signal.SIGALRM, give_up))
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with self.assertRaises(GivenUp):
            next(follower)
        for line in ('one', 'two'):
            manager.write_stdin(process_id, line + '\n')
            until(lambda: manager.get_process_logs(process_id)['stdout'][-1] == line, 'it had come')
        manager.close_stdin(process_id)
        self.assertEqual([record['line'] for record in follower], ['one', 'two'])

    def test_it_keeps_its_manager(self):
        def follow():
            manager = ProcessManagerImpl()
            return manager.follow_logs(manager.spawn_process({'command': 'sh', 'args': ['-c', 'echo 1; echo 2']}))
        self.assertEqual([record['line'] for record in follow()], ['1', '2'])

    def test_close_just_before_another_thread_asks(self):
        manager = self.make()
        follower = manager.follow_logs(self.start_ready(manager), {'lines': 0})
        follower._connection.notify('endFollow', follower._cursor)
        self.assertEqual(list(follower), [])

    def test_two_threads_take_from_one(self):
        manager = self.make()
        process_id = self.start_ready(manager)
        follower = manager.follow_logs(process_id, {'lines': 0})
        seen = []
        threads = [threading.Thread(target=lambda: seen.extend(follower)) for _ in range(2)]
        for thread in threads:
            thread.start()
        manager.write_stdin(process_id, '1\n2\n3\n')
        until(lambda: len(seen) == 3, 'all had come')
        manager.close_stdin(process_id)
        for thread in threads:
            thread.join(LIMIT / 3)
        self.assertFalse(any(thread.is_alive() for thread in threads))
        self.assertEqual(sorted(record['line'] for record in seen), ['1', '2', '3'])

    def test_close_ends_who_waits(self):
        manager = self.make()
        process_id = self.start_ready(manager)
        follower = manager.follow_logs(process_id)
        self.assertEqual(next(follower)['line'], 'ready')
        result = []
        thread = threading.Thread(target=lambda: result.extend(follower))
        thread.start()
        follower.close()
        thread.join(LIMIT)
        self.assertFalse(thread.is_alive())
        self.assertEqual(result, [])
        self.assertEqual(list(follower), [])


class EventsTest(ManagerTestCase):
    def test_a_callback_that_exits_ends_no_event(self):
        manager = self.make()
        manager.on('spawn', lambda payload: sys.exit(3))
        recorder = Recorder(manager, 'exit')
        with self.assertLogs('mcp_process_manager', 'ERROR'):
            manager.spawn_process({'command': 'true'})
            recorder.wait('exit')

    def test_exit_and_error_wait_for_their_first_callback(self):
        manager = self.make()
        gone = [manager.spawn_process({'command': '/no/such', 'id': f'none-{i}'}) for i in range(3)]
        ended = [manager.spawn_process({'command': 'sh', 'args': ['-c', f'exit {i}']}) for i in range(3)]
        until(lambda: all(row['state'] in ('exited', 'failed') for row in manager.list_processes()), 'all had ended')
        recorder = Recorder(manager, 'exit', 'error')
        late = manager.spawn_process({'command': 'true'})
        recorder.wait('exit', lambda payload: payload['processId'] == late)
        recorder.wait('error', lambda payload: payload['processId'] == gone[-1])
        exits = [payload['processId'] for name, payload in recorder.seen if name == 'exit']
        self.assertEqual(sorted(exits[:-1]), sorted(ended))
        self.assertEqual(exits[-1], late)
        self.assertEqual([payload['processId'] for name, payload in recorder.seen if name == 'error'], gone)

    def test_the_last_1000_are_kept(self):
        manager = self.make()
        for i in range(1003):
            manager.spawn_process({'command': '/no/such', 'id': f'none-{i}'})
        kept = manager._session.dispatcher._kept['error']
        until(lambda: kept and kept[-1]['processId'] == 'none-1002', 'the last had come')
        recorder = Recorder(manager, 'error')
        recorder.wait('error', lambda payload: payload['processId'] == 'none-1002')
        self.assertEqual([payload['processId'] for _, payload in recorder.seen], [f'none-{i}' for i in range(3, 1003)])

    def test_order_and_names(self):
        manager = self.make({'restartDelay': 1})
        recorder = Recorder(manager, 'spawn', 'exit', 'backoff', 'restart', 'error', 'limit', 'stop')
        manager.spawn_process({'command': 'false', 'autoRestart': True, 'maxRestarts': 1})
        self.assertEqual(recorder.wait('error')['error']['code'], 'ERR_RESTART_LIMIT')
        names = [name for name, _ in recorder.seen]
        self.assertEqual(names[:5], ['spawn', 'exit', 'backoff', 'spawn', 'restart'])
        with self.assertRaises(ValueError) as caught:
            manager.on('exits', print)
        self.assertEqual(caught.exception.code, 'ERR_UNKNOWN_EVENT')

    def test_off_and_once(self):
        manager = self.make()
        process_id = self.start_ready(manager)
        seen, first = [], []
        callback = manager.on('stdout', seen.append)
        manager.once('stdout', first.append)
        recorder = Recorder(manager, 'stdout')
        manager.write_stdin(process_id, 'one\n')
        recorder.wait_text('stdout', 'one')
        manager.off('stdout', callback)
        manager.write_stdin(process_id, 'two\n')
        recorder.wait_text('stdout', 'two')
        self.assertEqual(''.join(payload['data'] for payload in seen), 'one\n')
        self.assertEqual(len(first), 1)

    def test_a_callback_may_call_and_may_raise(self):
        manager = self.make()
        statuses = []

        def bad(payload):
            raise RuntimeError('on purpose')

        def good(payload):
            statuses.append(manager.get_process_status(payload['processId'])['status'])
            statuses.append(threading.current_thread() is threading.main_thread())

        with self.assertLogs('mcp_process_manager', 'ERROR') as logs:
            manager.on('spawn', bad)
            manager.on('spawn', good)
            recorder = Recorder(manager, 'spawn')
            self.start_ready(manager)
            recorder.wait('spawn')
        self.assertIn('on purpose', logs.output[0])
        self.assertEqual(statuses, ['running', False])

    def test_a_callback_may_clean_up(self):
        manager = self.make()
        done = threading.Event()

        def end(payload):
            manager.cleanup()
            done.set()
        manager.on('exit', end)
        manager.spawn_process({'command': 'true'})
        self.assertTrue(done.wait(LIMIT))

    def test_warnings_of_the_wrapper_are_logged(self):
        manager = self.make()
        with self.assertLogs('mcp_process_manager', 'WARNING') as logs:
            manager.call('unsubscribe', 'error')
            manager.spawn_process({'id': 'server', 'command': '/no/such'})
            until(lambda: logs.output, 'a warning came')
        self.assertRegex(logs.output[0], r'ENOENT: server: ')

    def test_a_callback_that_lags_holds_back_the_command_and_loses_nothing(self):
        manager = self.make()
        go, total, done = threading.Event(), [], threading.Event()

        def slow(payload):
            go.wait(LIMIT)
            total.append(len(payload['data']))
            if sum(total) == 30_000_000:
                done.set()
        manager.on('stdout', slow)
        process_id = manager.spawn_process({'command': 'head', 'args': ['-c', '30000000', '/dev/zero']})
        until(lambda: manager.get_process_status(process_id)['output']['stdout']['paused'], 'stdout was paused')
        self.assertEqual(manager.get_process_status(process_id)['state'], 'running')
        go.set()
        self.assertTrue(done.wait(LIMIT), sum(total))

    def test_what_a_callback_that_lags_loses_of_stderr_is_counted(self):
        manager = self.make()
        recorder = Recorder(manager, 'lost', 'exit')
        go, total = threading.Event(), []

        def slow(payload):
            go.wait(LIMIT)
            total.append(len(payload['data']))
        manager.on('stderr', slow)
        self.addCleanup(go.set)
        size = 40_000_000
        script = f'head -c {size} /dev/zero | tr "\\0" x >&2; exec cat'
        process_id = manager.spawn_process({'command': 'sh', 'args': ['-c', script]})

        def is_through():
            return manager.get_process_status(process_id)['output']['stderr']['bytes'] == size
        until(is_through, 'all was written')
        self.assertEqual(recorder.seen, [])
        go.set()
        lost = recorder.wait('lost')
        self.assertEqual((lost['processId'], lost['event'], type(lost['count'])), (process_id, 'stderr', int))
        self.assertGreater(lost['count'], 0)
        manager.stop_process(process_id)
        recorder.wait('exit')
        self.assertGreater(sum(total), 16_000_000)
        self.assertLess(sum(total), size)


class LifecycleTest(ManagerTestCase):
    def test_restart_signal_remove(self):
        manager = self.make()
        process_id = self.start_ready(manager)
        pid = manager.get_process_status(process_id)['pid']
        self.assertIs(manager.remove_process(process_id), False)
        self.assertIs(manager.restart_process(process_id), True)
        status = manager.get_process_status(process_id)
        self.assertEqual(status['restarts'], 1)
        self.assertNotEqual(status['pid'], pid)
        recorder = Recorder(manager, 'exit')
        self.assertIs(manager.signal_process(process_id, signal.SIGKILL, tree=True), True)
        recorder.wait('exit', lambda payload: payload['signal'] == 'SIGKILL')
        self.assertIs(manager.remove_process(process_id), True)
        self.assertEqual(manager.get_process_status(process_id), UNKNOWN)

    def test_metrics(self):
        manager = self.make({'monitorInterval': 50, 'metricsHistory': 5})
        process_id = self.start_ready(manager)
        metrics = manager.get_process_metrics(process_id, pss=True)
        self.assertGreater(metrics['pss'], 0)
        self.assertIs(type(metrics['cpu']), float)
        recorder = Recorder(manager, 'metrics')
        self.assertIn(process_id, recorder.wait('metrics')['processes'])
        until(lambda: manager.get_metrics_history(process_id)['count'] > 0, 'a sample was kept')
        history = manager.get_metrics_history(process_id, {'since': 0})
        self.assertEqual(len(history['samples']), history['count'])
        self.assertGreater(history['memory']['max'], 0)
        self.assertIsNone(manager.get_metrics_history('nobody'))
        self.assertIn(f'"{process_id}"', manager.metrics_text())

    def test_a_slow_stop_does_not_hold_up_a_status(self):
        manager = self.make()
        stubborn = self.start_ready(manager, 'trap "" TERM; echo ready; while :; do sleep 1; done')
        answers = []
        thread = threading.Thread(target=lambda: answers.append(manager.stop_process(stubborn, 60000)))
        thread.start()
        until(lambda: manager.get_process_status(stubborn)['state'] == 'stopping', 'the stop had begun')
        for _ in range(20):
            self.assertEqual(manager.get_process_status(stubborn)['state'], 'stopping')
        self.assertEqual(answers, [])
        manager.signal_process(stubborn, 'SIGKILL')
        thread.join(LIMIT)
        self.assertEqual(answers, [True])

    def test_many_threads(self):
        manager = self.make()
        problems = []

        def work(number):
            try:
                process_id = manager.spawn_process({'id': f'p{number}', 'command': 'cat'})
                for i in range(20):
                    manager.write_stdin(process_id, f'{number}-{i}\n' * 50)
                    if manager.get_process_status(process_id)['status'] != 'running':
                        problems.append(process_id)
                if not manager.stop_process(process_id):
                    problems.append(f'stop {process_id}')
            except Exception as error:
                problems.append(repr(error))
        threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT)
        self.assertFalse(any(thread.is_alive() for thread in threads))
        self.assertEqual(problems, [])
        self.assertEqual(len(manager.list_processes()), 16)

    def test_stop_all_and_cleanup(self):
        manager = self.make()
        pids = [manager.get_process_status(self.start_ready(manager))['pid'] for _ in range(3)]
        manager.stop_all()
        self.assertFalse(any(map(is_alive, pids)))
        pid = manager.get_process_status(self.start_ready(manager))['pid']
        wrapper = manager.wrapper_pid
        manager.cleanup()
        manager.cleanup()
        self.assertFalse(is_alive(pid))
        self.assertFalse(is_alive(wrapper))
        for call in (lambda: manager.spawn_process({'command': 'true'}), manager.list_processes):
            with self.assertRaises(RuntimeError) as caught:
                call()
            self.assertEqual(caught.exception.code, 'ERR_MANAGER_CLOSED')

    def test_context_manager(self):
        with ProcessManagerImpl() as manager:
            pid = manager.get_process_status(self.start_ready(manager))['pid']
        self.assertFalse(is_alive(pid))
        with self.assertRaisesRegex(KeyError, 'mine'), ProcessManagerImpl() as manager:
            pid = manager.get_process_status(self.start_ready(manager))['pid']
            raise KeyError('mine')
        self.assertFalse(is_alive(pid))


if __name__ == '__main__':
    unittest.main()
