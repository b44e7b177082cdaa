"""Ends: of the host, of the wrapper, and copies of the host."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest
import uuid
from pathlib import Path
from unittest import mock

from support import (
    LIMIT, ManagerTestCase, PYTHON, Recorder, descriptors, environment, is_alive, no_threads, survivors_with, until, zombies
)

from mcp_process_manager import _connection, _session
from mcp_process_manager._wrapper import LONGEST_END
from process_manager_impl import OperationError, ProcessManagerImpl, WrapperError, WrapperStartError

HERE = Path(__file__).resolve().parent
# A keeper gives its tree two seconds; the third is for all the rest, and a busy machine.
GRACE = 2
REST = 6
# From 3.12 on Python warns of every fork of a process that has threads.
FORKING = ['-W', 'ignore:This process:DeprecationWarning']


def run_python(script, *flags, **more):
    """Runs a script with all warnings on, as errors; answers (code, stdout, stderr)."""
    prelude = f'import sys; sys.path[:0] = [{str(PYTHON)!r}, {str(HERE)!r}]\n'
    result = subprocess.run(
        [sys.executable, '-X', 'dev', '-W', 'error', *flags, '-c', prelude + textwrap.dedent(script)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=2 * LIMIT, **more
    )
    return result.returncode, result.stdout, result.stderr


class HostEndTest(unittest.TestCase):
    def end(self, how):
        cookie = str(uuid.uuid4())
        host = subprocess.Popen(
            [sys.executable, '-W', 'error', str(HERE / 'host.py'), how], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, 'PM_PYTHON_COOKIE': cookie}
        )
        told = {}
        try:
            told = json.loads(host.stdout.readline() or b'{}')
            if not told:
                self.fail(host.stderr.read().decode())
            copy = told['copy']
            code = host.wait(LIMIT)
            gone = time.monotonic()
            left = []

            def is_gone():
                left[:] = [pid for pid in survivors_with('PM_PYTHON_COOKIE', cookie) if pid != copy]
                return not left
            until(is_gone, f'all were gone after {how}', GRACE + REST)
            self.assertFalse(is_alive(told['wrapper']))
            if copy is not None:
                self.assertTrue(is_alive(copy))
            # The stubborn one gets its time: what was seen was no accident.
            self.assertGreater(time.monotonic() - gone, GRACE / 2)
            if copy is not None:
                os.kill(copy, signal.SIGKILL)
            return code, host.stderr.read().decode()
        finally:
            for pid in {*survivors_with('PM_PYTHON_COOKIE', cookie), *filter(None, [told.get('copy')])}:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            host.wait()
            host.stdout.close()
            host.stderr.close()

    def test_return(self):
        self.assertEqual(self.end('return'), (0, ''))

    def test_exception(self):
        code, stderr = self.end('exception')
        self.assertEqual(code, 1)
        self.assertIn('on purpose', stderr)

    def test_sys_exit(self):
        self.assertEqual(self.end('sys.exit'), (7, ''))

    def test_os_exit(self):
        self.assertEqual(self.end('os._exit'), (7, ''))

    def test_os_exit_with_a_copy_that_holds_the_pipes(self):
        self.assertEqual(self.end('os._exit with a copy'), (7, ''))

    def test_killed(self):
        for how in ('SIGKILL', 'SIGKILL with a copy', 'SIGTERM', 'SIGSEGV'):
            with self.subTest(how):
                code, _ = self.end(how)
                self.assertEqual(code, -getattr(signal, how.split()[0]))

    def test_becomes_another_program(self):
        self.assertEqual(self.end('exec'), (0, ''))


class CtrlCTest(unittest.TestCase):
    def test_it_is_the_hosts_affair(self):
        script = '''
            import os, signal, threading
            from support import Recorder, until
            from process_manager_impl import ProcessManagerImpl
            # Who is started in the background by a shell ignores it.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            with ProcessManagerImpl({'stopTimeout': 100}) as manager:
                recorder = Recorder(manager, 'stdout')
                stubborn = 'trap "" TERM; echo ready; while :; do sleep 1; done'
                manager.spawn_process({'id': 'it', 'command': 'sh', 'args': ['-c', stubborn]})
                recorder.wait_text('stdout', 'ready')
                def press():
                    until(lambda: manager.get_process_status('it')['state'] == 'stopping', 'the stop had begun')
                    os.killpg(0, signal.SIGINT)
                thread = threading.Thread(target=press)
                thread.start()
                try:
                    manager.stop_process('it', 60000)
                except KeyboardInterrupt:
                    print(manager.get_process_status('it')['state'])
                thread.join()
        '''
        self.assertEqual(run_python(script, start_new_session=True), (0, 'stopping\n', ''))

    def test_a_handler_that_raises_anywhere_leaves_nothing_locked(self):
        script = '''
            import random, signal, threading, time
            from process_manager_impl import ProcessManagerImpl
            class Tick(Exception):
                pass
            is_armed = False
            def tick(*_):
                if is_armed:
                    raise Tick
            signal.signal(signal.SIGALRM, tick)
            manager = ProcessManagerImpl()
            count, end = 0, time.monotonic() + 3
            while time.monotonic() < end:
                try:
                    try:
                        is_armed = True
                        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0003, 0.003))
                        while True:
                            manager.get_process_status('x')
                    finally:
                        is_armed = False
                except Tick:
                    is_armed = False
                    count += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
            seen = []
            thread = threading.Thread(target=lambda: seen.append(manager.get_process_status('x')['status']))
            thread.start()
            thread.join(10)
            print(count > 10, seen, manager.get_process_status('x')['status'], flush=True)
            manager.cleanup()
        '''
        self.assertEqual(run_python(script), (0, "True ['unknown'] unknown\n", ''))

    def test_a_handler_may_call_in_the_middle_of_calls(self):
        script = '''
            import random, signal, time
            from process_manager_impl import OperationError, ProcessManagerImpl
            answers = {'unknown': 0, 'ERR_BUSY': 0}
            is_over = False
            def call(*_):
                try:
                    answer = manager.get_process_status('x')['status']
                except OperationError as error:
                    answer = error.code
                answers[answer] += 1
                if not is_over:
                    signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0002, 0.002))
            manager = ProcessManagerImpl()
            signal.signal(signal.SIGALRM, call)
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            end, longest = time.monotonic() + 3, 0
            while time.monotonic() < end:
                begun = time.monotonic()
                assert manager.get_process_status('y')['status'] == 'unknown'
                longest = max(longest, time.monotonic() - begun)
            is_over = True
            signal.setitimer(signal.ITIMER_REAL, 0)
            # Whose answer another has taken does not wait for what else may come.
            assert longest < 10, longest
            assert min(answers.values()) > 10, answers
            manager.cleanup()
        '''
        self.assertEqual(run_python(script), (0, '', ''))


class WrapperEndTest(ManagerTestCase):
    stubborn = 'trap "" TERM; echo ready; while :; do sleep 1; done'

    def test_pending_calls_raise_and_processes_are_gone(self):
        manager = self.make()
        process_id = self.start_ready(manager, self.stubborn)
        pid = manager.get_process_status(process_id)['pid']
        follower = manager.follow_logs(process_id, {'lines': 0})
        recorder = Recorder(manager, 'wrapperExit')
        raised = []

        def wait(call):
            try:
                raised.append(call())
            except WrapperError as error:
                raised.append(error.code)
        calls = [lambda: manager.stop_process(process_id, 600000), lambda: next(follower)]
        threads = [threading.Thread(target=wait, args=(call,)) for call in calls]
        for thread in threads:
            thread.start()
        until(lambda: manager.get_process_status(process_id)['state'] == 'stopping', 'the stop had begun')
        os.kill(manager.wrapper_pid, signal.SIGKILL)
        for thread in threads:
            thread.join(LIMIT)
        self.assertEqual(raised, ['ERR_WRAPPER_ENDED'] * 2)
        payload = recorder.wait('wrapperExit')
        self.assertRegex(payload['message'], r'was ended by SIGKILL; everything that it managed ends with it')
        with self.assertRaisesRegex(RuntimeError, 'was ended by SIGKILL'):
            manager.get_process_status(process_id)
        with self.assertRaises(WrapperError):
            manager.on('exit', print)
        until(lambda: not is_alive(pid), 'the process was gone', GRACE + REST)
        self.assertEqual(zombies(), [])
        manager.cleanup()

    def test_a_new_one_if_asked(self):
        manager = self.make({'maxProcesses': 1}, restart_wrapper=True)
        exits = Recorder(manager, 'exit')
        self.start_ready(manager)
        first = manager.wrapper_pid
        os.kill(first, signal.SIGKILL)
        until(lambda: not is_alive(first), 'the wrapper was gone')
        exits_seen = len(exits.seen)
        process_id = until(lambda: self.spawn_or_none(manager), 'a new one had started')
        self.assertNotEqual(manager.wrapper_pid, first)
        exits.wait('exit', lambda payload: payload['processId'] == process_id)
        self.assertEqual(exits_seen, 0)
        self.assertEqual([row['id'] for row in manager.list_processes()], [process_id])
        self.start_ready(manager)
        with self.assertRaisesRegex(RuntimeError, r'Process limit \(1\)'):
            manager.spawn_process({'command': 'cat'})

    @staticmethod
    def spawn_or_none(manager):
        """A call that was on its way when the wrapper died raises, also here."""
        try:
            return manager.spawn_process({'id': 'second', 'command': 'true'})
        except WrapperError:
            return None

    def test_one_that_crashes_says_why(self):
        with tempfile.NamedTemporaryFile('w', suffix='.js') as file:
            file.write("process.on('SIGUSR2', () => { throw new Error('crashed on purpose') })")
            file.flush()
            with environment(NODE_OPTIONS=f'--require {file.name}'):
                manager = self.make()
        os.kill(manager.wrapper_pid, signal.SIGUSR2)
        with self.assertRaisesRegex(WrapperError, r'(?s)ended with exit code 1, saying: .*crashed on purpose'):
            until(lambda: manager.list_processes(), 'it raised')

    def test_what_prints_in_the_wrapper_breaks_nothing(self):
        with tempfile.NamedTemporaryFile('w', suffix='.js') as file:
            file.write("for (const fd of [1, 2]) require('fs').writeSync(fd, 'stray\\n'); console.log('stray')")
            file.flush()
            with environment(NODE_OPTIONS=f'--require {file.name}'):
                self.assertEqual(self.make().list_processes(), [])

    def test_one_that_does_not_answer(self):
        manager = self.make()
        self.start_ready(manager)
        manager._session.request_timeout = 0.5
        self.stop_for_a_while(manager.wrapper_pid)
        try:
            with self.assertRaisesRegex(TimeoutError, r'not answered getProcessStatus or a ping within 0\.5 s') as caught:
                manager.get_process_status('x')
            self.assertEqual(caught.exception.code, 'ERR_NO_ANSWER')
        finally:
            os.kill(manager.wrapper_pid, signal.SIGCONT)
        until(lambda: self.answers(manager), 'it answered again')
        manager._session.request_timeout = LIMIT

    def stop_for_a_while(self, pid):
        """Until this test is over, or this process in any way: a stopped wrapper does not see that its host is gone."""
        guard = subprocess.Popen(
            ['sh', '-c', f'read line; kill -CONT {pid}'], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.addCleanup(guard.communicate)
        os.kill(pid, signal.SIGSTOP)

    @staticmethod
    def answers(manager):
        try:
            return manager.get_process_status('x')['status'] == 'unknown'
        except TimeoutError:
            return False

    def test_a_long_call_is_no_timeout(self):
        manager = self.make()
        process_id = self.start_ready(manager, self.stubborn)
        manager._session.request_timeout = 1
        self.assertIs(manager.stop_process(process_id, 2500), True)
        manager._session.request_timeout = LIMIT

    def test_one_that_does_not_read_is_killed_too(self):
        manager = self.make()
        process_id = self.start_ready(manager)
        wrapper = manager.wrapper_pid
        self.stop_for_a_while(wrapper)
        manager._session.request_timeout = 0.5
        codes = []

        def write():
            try:
                manager.write_stdin(process_id, 'x' * 500000)
            except TimeoutError as error:
                codes.append(error.code)
        thread = threading.Thread(target=write)
        thread.start()
        until(lambda: manager._session._connection._batch[1], 'the pipe was full')
        with self.assertRaises(TimeoutError):
            manager.cleanup()
        self.assertFalse(is_alive(wrapper))
        thread.join(LIMIT)
        self.assertEqual(codes, ['ERR_NO_ANSWER'])

    def test_a_handler_in_the_middle_of_a_write_cannot_call(self):
        manager = self.make()
        process_id = self.start_ready(manager, 'echo ready; exec wc -c')
        wrapper, connection = manager.wrapper_pid, manager._session._connection
        exits = Recorder(manager, 'exit')
        codes = []

        def call(*_):
            try:
                manager.get_process_status(process_id)
            except OperationError as error:
                codes.append(error.code)
            os.kill(wrapper, signal.SIGCONT)
        self.addCleanup(signal.signal, signal.SIGALRM, signal.signal(signal.SIGALRM, call))

        def interrupt():
            until(lambda: connection._batch[1], 'the pipe was full')
            os.kill(os.getpid(), signal.SIGALRM)
        self.stop_for_a_while(wrapper)
        thread = threading.Thread(target=interrupt)
        thread.start()
        manager.write_stdin(process_id, 'x' * 500000)
        thread.join()
        self.assertEqual(codes, ['ERR_BUSY'])
        manager.close_stdin(process_id)
        exits.wait('exit')
        self.assertEqual(manager.get_process_logs(process_id)['stdout'][1].strip(), '500000')

    def test_what_was_written_in_part_is_not_spoilt(self):
        manager = self.make()
        process_id = self.start_ready(manager, 'echo ready; exec wc -c')
        exits = Recorder(manager, 'exit')
        self.stop_for_a_while(manager.wrapper_pid)
        manager._session.request_timeout = 0.2
        with self.assertRaises(TimeoutError):
            manager.write_stdin(process_id, 'x' * 500000)
        os.kill(manager.wrapper_pid, signal.SIGCONT)
        manager._session.request_timeout = LIMIT
        manager.close_stdin(process_id)
        exits.wait('exit')
        self.assertEqual(manager.get_process_logs(process_id)['stdout'][1].strip(), '500000')

    def test_one_that_hangs_is_killed(self):
        manager = self.make(request_timeout=0.2)
        wrapper = manager.wrapper_pid
        self.stop_for_a_while(wrapper)
        with self.assertRaises(TimeoutError):
            manager.cleanup()
        self.assertFalse(is_alive(wrapper))
        self.assertEqual(zombies(), [])

    def test_one_that_dies_as_soon_as_it_has_begun(self):
        manager = self.make(restart_wrapper=True)
        recorder = Recorder(manager, 'wrapperExit')
        os.kill(manager.wrapper_pid, signal.SIGKILL)
        first = recorder.wait('wrapperExit')['pid']

        def end(version):
            [connection] = [it for it in list(_connection._connections) if it._reader.is_alive()]
            os.kill(connection.pid, signal.SIGKILL)
            connection._reader.join(LIMIT)
            self.assertFalse(connection._reader.is_alive())
        with mock.patch.object(_session, '_version_problem', end):
            with self.assertRaises(WrapperError):
                manager.list_processes()
        recorder.wait('wrapperExit', lambda payload: payload['pid'] != first)
        self.assertEqual(len(recorder.seen), 2)
        self.assertEqual(manager.list_processes(), [])

    def test_no_thread_for_a_new_one(self):
        manager = self.make(restart_wrapper=True)
        first = manager.wrapper_pid
        os.kill(first, signal.SIGKILL)
        until(lambda: not is_alive(first) and manager._session.connected is None, 'the wrapper was gone')
        before = descriptors()
        with no_threads():
            with self.assertRaisesRegex(WrapperStartError, 'No thread could be started') as caught:
                manager.list_processes()
        self.assertEqual(caught.exception.code, 'ERR_NO_THREAD')
        self.assertEqual(descriptors(), before)
        self.assertEqual(zombies(), [])
        self.assertEqual(manager.list_processes(), [])

    def test_two_threads_clean_up_at_once(self):
        manager = ProcessManagerImpl({'stopTimeout': 300})
        pid = manager.get_process_status(self.start_ready(manager, self.stubborn))['pid']
        wrapper = manager.wrapper_pid
        gate, results = threading.Barrier(2), []

        def clean_up():
            try:
                gate.wait()
                manager.cleanup()
                results.append((is_alive(pid), is_alive(wrapper)))
            except Exception as error:
                results.append(repr(error))
        threads = [threading.Thread(target=clean_up) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT)
        self.assertEqual(results, [(False, False)] * 2)
        self.assertEqual(zombies(), [])


class LeakTest(ManagerTestCase):
    def test_nothing_is_left_of_a_manager(self):
        ProcessManagerImpl().cleanup()
        before = descriptors()
        for _ in range(3):
            with ProcessManagerImpl() as manager:
                self.start_ready(manager)
            manager = ProcessManagerImpl()
            os.kill(manager.wrapper_pid, signal.SIGKILL)
            manager.cleanup()
        self.assertEqual(descriptors(), before)
        self.assertEqual(zombies(), [])

    def test_one_that_is_forgotten_ends(self):
        manager = ProcessManagerImpl()
        wrapper, pid = manager.wrapper_pid, manager.get_process_status(manager.spawn_process({'command': 'cat'}))['pid']
        del manager
        until(lambda: not is_alive(pid), 'the process was gone')
        self.assertFalse(is_alive(wrapper))
        self.assertEqual(zombies(), [])

    def test_one_that_ends_in_the_middle_of_its_own_write_or_read(self):
        for place in ('sum', 'decode'):
            with self.subTest(place):
                manager = ProcessManagerImpl()
                wrapper, session = manager.wrapper_pid, manager._session
                real = getattr(_connection, place, sum)
                ended = []

                def collect(*args):
                    if not ended and threading.current_thread() is threading.main_thread():
                        ended.append(True)
                        session.close(False)  # As the finalizer does, in whatever the garbage collector interrupts.
                    return real(*args)
                begun = time.monotonic()
                with mock.patch.object(_connection, place, collect, create=True):
                    with self.assertRaises(OperationError):
                        while True:
                            manager.list_processes()
                self.assertLess(time.monotonic() - begun, LONGEST_END)
                self.assertEqual(ended, [True])
                until(lambda: not is_alive(wrapper), 'the wrapper was gone')

    def test_no_warning_however_it_is_given_up(self):
        ends = (
            'manager.cleanup()', 'pass', 'del manager', 'os.kill(manager.wrapper_pid, 9)', 'sys.exit()', 'manager.self = manager'
        )
        for end in ends:
            with self.subTest(end):
                script = f'''
                    import os
                    from process_manager_impl import ProcessManagerImpl
                    manager = ProcessManagerImpl()
                    manager.on('exit', lambda payload: None)
                    manager.spawn_process({{'command': 'cat'}})
                    {end}
                '''
                self.assertEqual(run_python(script), (0, '', ''))

    def test_a_loop_that_ends_without_a_cleanup(self):
        script = '''
            import asyncio
            from process_manager_impl import AsyncProcessManager
            async def main():
                manager = AsyncProcessManager()
                await manager.start()
                events = manager.events('stdout')
                process_id = await manager.spawn_process({'command': 'yes'})
                await events.__anext__()
                follower = manager.follow_logs(process_id)
                await follower.__anext__()
                return manager, events, follower
            kept = asyncio.run(main())
            print(kept[0].wrapper_pid)
        '''
        code, stdout, stderr = run_python(script)
        self.assertEqual((code, stderr), (0, ''))
        self.assertFalse(is_alive(int(stdout)))

    def test_a_host_without_stdio(self):
        script = '''
            import os
            for fd in (0, 1, 2): os.close(fd)
            from process_manager_impl import ProcessManagerImpl
            with ProcessManagerImpl() as manager:
                process_id = manager.spawn_process({'command': 'sh', 'args': ['-c', 'echo it works']})
                lines = [record['line'] for record in manager.follow_logs(process_id, {'since': 0})]
            sys.exit(lines != ['it works'])
        '''
        self.assertEqual(run_python(script)[0], 0)


class ForkTest(unittest.TestCase):
    def test_a_forked_copy_is_told(self):
        script = '''
            import gc, os, time
            from process_manager_impl import ForkedError, ProcessManagerImpl
            manager = ProcessManagerImpl()
            process_id = manager.spawn_process({'command': 'cat'})
            follower = manager.follow_logs(process_id)
            open_before = len(os.listdir('/proc/self/fd'))
            pid = os.fork()
            if pid == 0:
                fewer = open_before - len(os.listdir('/proc/self/fd'))
                for call in (manager.list_processes, lambda: manager.on('exit', print), lambda: next(follower)):
                    try:
                        call()
                    except ForkedError as error:
                        assert isinstance(error, RuntimeError)
                        print(error.code, str(os.getppid()) in str(error), fewer, flush=True)
                manager.off('exit', print)
                manager.cleanup()
                with ProcessManagerImpl() as mine:
                    print(mine.list_processes(), flush=True)
                del manager, follower
                gc.collect()
                sys.exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            assert manager.get_process_status(process_id)['status'] == 'running'
            manager.cleanup()
        '''
        wanted = 'ERR_FORKED True 3\n' * 3 + '[]\n'
        self.assertEqual(run_python(script, *FORKING), (0, wanted, ''))

    def test_a_copy_made_while_another_thread_was_busy(self):
        script = '''
            import os, signal, threading
            from process_manager_impl import ProcessManagerImpl
            manager = ProcessManagerImpl()
            is_held, is_over = threading.Event(), threading.Event()
            def hold():
                with manager._session._lock:
                    is_held.set()
                    is_over.wait()
            thread = threading.Thread(target=hold)
            thread.start()
            is_held.wait()
            pid = os.fork()
            if pid == 0:
                signal.alarm(10)
                manager.cleanup()
                del manager
                os._exit(0)
            print(os.waitpid(pid, 0)[1])
            is_over.set()
            thread.join()
            manager.cleanup()
        '''
        self.assertEqual(run_python(script, *FORKING), (0, '0\n', ''))

    def test_a_copy_made_while_a_loop_runs(self):
        script = '''
            import asyncio, gc, os
            from process_manager_impl import AsyncProcessManager, ForkedError
            async def use(manager, events, follower):
                calls = (manager.list_processes, events.__anext__, follower.__anext__, waiting.__anext__)
                for call in calls:
                    try:
                        await call()
                    except ForkedError as error:
                        print(error.code, flush=True)
                for call in (manager.events, lambda: manager.on('exit', print), lambda: manager.backend):
                    try:
                        call()
                    except ForkedError as error:
                        print(error.code, flush=True)
                await events.aclose()
                await manager.cleanup()
                async with AsyncProcessManager() as mine:
                    print(await mine.list_processes(), flush=True)
            async def main():
                global waiting
                asyncio.get_running_loop().slow_callback_duration = 60
                manager = AsyncProcessManager()
                await manager.start()
                events = manager.events()
                process_id = await manager.spawn_process({'command': 'cat'})
                follower = manager.follow_logs(process_id)
                waiting = manager.follow_logs(process_id)
                next_line = asyncio.ensure_future(waiting.__anext__())
                assert (await events.__anext__()).name == 'spawn'
                await manager.list_processes()
                pid = os.fork()
                if pid == 0:
                    code = 1
                    try:
                        asyncio.run(use(manager, events, follower))
                        code = 0
                    finally:
                        os._exit(code)
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
                assert (await manager.get_process_status(process_id))['status'] == 'running'
                await manager.cleanup()
                try:
                    await next_line
                except (StopAsyncIteration, RuntimeError):
                    print('over')
            asyncio.run(main())
        '''
        wanted = 'ERR_FORKED\n' * 7 + '[]\nover\n'
        self.assertEqual(run_python(script, *FORKING), (0, wanted, ''))

    def test_multiprocessing_with_fork(self):
        script = '''
            import multiprocessing
            from process_manager_impl import ProcessManagerImpl
            def work():
                try:
                    manager.list_processes()
                except RuntimeError as error:
                    queue.put(error.code)
            context = multiprocessing.get_context('fork')
            queue = context.SimpleQueue()
            with ProcessManagerImpl() as manager:
                process = context.Process(target=work)
                process.start()
                print(queue.get())
                process.join()
                print(process.exitcode, manager.list_processes())
        '''
        self.assertEqual(run_python(script, *FORKING), (0, 'ERR_FORKED\n0 []\n', ''))

    def test_a_copy_that_lives_on_does_not_keep_the_wrapper(self):
        script = '''
            import os, signal
            from process_manager_impl import ProcessManagerImpl
            manager = ProcessManagerImpl()
            pid = os.fork()
            if pid == 0:
                signal.pause()
            try:
                manager.cleanup()
                print(os.waitpid(pid, os.WNOHANG))
            finally:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        '''
        self.assertEqual(run_python(script, *FORKING), (0, '(0, 0)\n', ''))

    def test_it_cannot_be_handed_over(self):
        import pickle
        manager = ProcessManagerImpl()
        with self.assertRaisesRegex(Exception, 'cannot be handed to another process'):
            pickle.dumps(manager)
        manager.cleanup()


if __name__ == '__main__':
    unittest.main()
