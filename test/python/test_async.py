"""AsyncProcessManager against real processes."""

import asyncio
import gc
import os
import signal
import threading
import time
import unittest

from support import LIMIT, environment, is_alive, zombies

from mcp_process_manager._aio import DEFAULT_EVENTS
from process_manager_impl import AsyncProcessManager, Event, WrapperError

READY = {'command': 'sh', 'args': ['-c', 'echo ready; exec cat']}


STUBBORN = {'command': 'sh', 'args': ['-c', 'trap "" TERM; echo ready; while :; do sleep 1; done']}


class AsyncTest(unittest.IsolatedAsyncioTestCase):
    async def until(self, condition, what):
        """As support.until: what is asked for is not told of by an event."""
        end = time.monotonic() + LIMIT
        while not await condition():
            self.assertLess(time.monotonic(), end, f'waited {LIMIT} s in vain until {what}')
            await asyncio.sleep(0.005)

    async def until_paused(self, manager, process_id):
        async def is_paused():
            return (await manager.get_process_status(process_id))['output']['stdout']['paused']
        await self.until(is_paused, 'it was paused')

    async def ready(self, manager, **config):
        events = manager.events('stdout')
        process_id = await manager.spawn_process({**READY, **config})
        async for event in events:
            if event.payload['processId'] == process_id and 'ready' in event.payload['data']:
                return process_id

    async def test_calls(self):
        async with AsyncProcessManager() as manager:
            process_id = await self.ready(manager)
            status = await manager.get_process_status(process_id)
            self.assertEqual(status['status'], 'running')
            self.assertIs(type(status['cpu']), float)
            self.assertEqual([row['id'] for row in await manager.list_processes()], [process_id])
            self.assertEqual(await manager.get_process_logs(process_id), {'stdout': ['ready'], 'stderr': []})
            self.assertEqual([r['line'] for r in await manager.get_process_logs(process_id, {'lines': 1})], ['ready'])
            self.assertGreater((await manager.get_process_metrics(process_id))['threads'], 0)
            self.assertTrue(await manager.pause_output(process_id))
            self.assertTrue(await manager.resume_output(process_id))
            self.assertTrue(await manager.restart_process(process_id))
            self.assertTrue(await manager.signal_process(process_id, signal.SIGCONT))
            self.assertTrue(await manager.stop_process(process_id))
            self.assertTrue(await manager.remove_process(process_id))
            with self.assertRaisesRegex(ValueError, '^Command is required'):
                await manager.spawn_process({})
            with self.assertRaises(ProcessLookupError):
                await manager.write_stdin('nobody', 'x')
            await manager.stop_all()

    async def test_children_have_the_environment_of_now(self):
        async with AsyncProcessManager() as manager:
            with environment(PM_TEST_LATER='later'):
                process_id = await manager.spawn_process({'command': 'printenv', 'args': ['PM_TEST_LATER']})
            self.assertEqual([record['line'] async for record in manager.follow_logs(process_id)], ['later'])
            with environment(PM_TEST_LATER=os.fsdecode(b'\xff')):
                for call in (manager.spawn_process(READY), manager.restart_process(process_id)):
                    with self.assertRaisesRegex(ValueError, "'PM_TEST_LATER' is not UTF-8"):
                        await call

    async def test_calls_run_beside_each_other(self):
        async with AsyncProcessManager() as manager:
            stubborn = await self.ready(manager, **STUBBORN)
            stop = asyncio.ensure_future(manager.stop_process(stubborn, 60000))
            states = await asyncio.gather(*(manager.get_process_status(stubborn) for _ in range(50)))
            self.assertEqual({status['state'] for status in states}, {'stopping'})
            self.assertFalse(stop.done())
            await manager.signal_process(stubborn, 'SIGKILL')
            self.assertTrue(await stop)

    async def test_events(self):
        async with AsyncProcessManager() as manager:
            early = await manager.spawn_process({'command': 'sh', 'args': ['-c', 'exit 3']})

            async def is_over():
                return (await manager.get_process_status(early))['state'] == 'exited'
            await self.until(is_over, 'it had ended')
            seen = []
            events = manager.events()
            process_id = await manager.spawn_process(READY)
            async for event in events:
                self.assertIsInstance(event, Event)
                name, payload = event
                seen.append((name, payload['processId']))
                if name == 'stdout' and payload['data'] == 'ready\n':
                    await manager.write_stdin(process_id, 'hello\n')
                elif name == 'stdout':
                    self.assertEqual(payload['data'], 'hello\n')
                    await manager.close_stdin(process_id)
                elif name == 'exit' and payload['processId'] == process_id:
                    break
            self.assertEqual(seen, [
                ('exit', early), ('spawn', process_id), ('stdout', process_id), ('stdout', process_id), ('exit', process_id)
            ])

    async def test_an_iterator_ends_with_its_block(self):
        async with AsyncProcessManager() as manager:
            async with manager.events('stdout') as events:
                process_id = await manager.spawn_process(READY)
                self.assertEqual((await events.__anext__()).payload['data'], 'ready\n')
            self.assertNotIn('stdout', manager._session.dispatcher.listened())
            async with manager.follow_logs(process_id) as follower:
                self.assertEqual((await follower.__anext__())['line'], 'ready')
            for over in (events, follower):
                with self.assertRaises(StopAsyncIteration):
                    await over.__anext__()

    async def test_once(self):
        async with AsyncProcessManager() as manager:
            seen = []
            manager.once('spawn', seen.append)
            events = manager.events('exit')
            ids = [await manager.spawn_process({'command': 'true'}) for _ in range(2)]
            for _ in ids:
                await events.__anext__()
            self.assertEqual([payload['processId'] for payload in seen], ids[:1])

    async def test_metrics_are_an_event_that_is_asked_for(self):
        async with AsyncProcessManager({'monitorInterval': 20}) as manager:
            self.assertEqual({*DEFAULT_EVENTS, 'line', 'metrics'}, {*manager._session.info['events'], 'wrapperExit'})
            process_id = await self.ready(manager)
            async for name, payload in manager.events('metrics'):
                if payload['processes'].get(process_id, {}).get('memory'):
                    break
            self.assertEqual(name, 'metrics')
            self.assertIs(type(payload['processes'][process_id]['cpu']), float)

    async def test_events_end_with_the_manager(self):
        async with AsyncProcessManager() as manager:
            events = manager.events('exit')
            await manager.spawn_process({'command': 'cat'})
        seen = [event.payload['signal'] async for event in events]
        self.assertEqual(seen, ['SIGTERM'])

    async def test_a_task_that_lags_holds_back_the_command_and_loses_nothing(self):
        async with AsyncProcessManager() as manager:
            events = manager.events('stdout')
            process_id = await manager.spawn_process({'command': 'head', 'args': ['-c', '300000000', '/dev/zero']})
            await self.until_paused(manager, process_id)
            total = 0
            async for event in events:
                total += len(event.payload['data'])
                if total >= 20_000_000:
                    break
            self.assertEqual((await manager.get_process_status(process_id))['state'], 'running')

    async def test_an_iterator_that_is_dropped_holds_up_nobody(self):
        async with AsyncProcessManager() as manager:
            events = manager.events('stdout')
            flood = await manager.spawn_process({'command': 'yes'})
            await events.__anext__()
            await self.until_paused(manager, flood)
            del events
            gc.collect()
            await self.ready(manager)

    async def test_cleanup_with_a_task_that_never_takes_its_events(self):
        manager = AsyncProcessManager()
        await manager.start()
        events = manager.events('stdout')
        process_id = await manager.spawn_process({'command': 'yes'})
        await self.until_paused(manager, process_id)
        await asyncio.wait_for(manager.cleanup(), LIMIT)
        await events.aclose()

    async def test_follow_logs(self):
        async with AsyncProcessManager() as manager:
            process_id = await manager.spawn_process({'command': 'seq', 'args': ['1500']})
            lines = [record['line'] async for record in manager.follow_logs(process_id, {'since': 0})]
            self.assertEqual(lines, [str(i) for i in range(1, 1501)][-len(lines):])
            self.assertGreaterEqual(len(lines), 1000)
            waiting = await self.ready(manager)
            follower = manager.follow_logs(waiting)
            self.assertEqual((await follower.__anext__())['line'], 'ready')
            rest = asyncio.ensure_future(follower.__anext__())
            await manager.get_process_status(waiting)
            await follower.aclose()
            with self.assertRaises(StopAsyncIteration):
                await rest

    async def test_a_next_that_is_cancelled_loses_no_line(self):
        async with AsyncProcessManager() as manager:
            process_id = await self.ready(manager)
            follower = manager.follow_logs(process_id, {'lines': 0})
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(follower.__anext__(), 0.2)
            for line in ('one', 'two'):
                await manager.write_stdin(process_id, line + '\n')

                async def has_come():
                    return (await manager.get_process_logs(process_id))['stdout'][-1] == line
                await self.until(has_come, 'it had come')
            await manager.close_stdin(process_id)
            self.assertEqual([record['line'] async for record in follower], ['one', 'two'])

    async def test_a_large_write_does_not_hold_up_the_loop(self):
        async with AsyncProcessManager() as manager:
            process_id = await self.ready(manager, args=['-c', 'echo ready; exec wc -c'])
            exits = manager.events('exit')
            os.kill(manager.wrapper_pid, signal.SIGSTOP)
            try:
                # From another thread, so that a loop that is held up fails rather than hangs.
                rescue = threading.Timer(LIMIT / 3, os.kill, (manager.wrapper_pid, signal.SIGCONT))
                rescue.start()
                write = asyncio.ensure_future(manager.write_stdin(process_id, 'x' * 3_000_000))
                for _ in range(20):
                    await asyncio.sleep(0.01)
                self.assertTrue(rescue.is_alive(), 'the loop was held up')
                self.assertFalse(write.done())
            finally:
                rescue.cancel()
                os.kill(manager.wrapper_pid, signal.SIGCONT)
            await write
            await manager.close_stdin(process_id)
            await exits.__anext__()
            self.assertEqual((await manager.get_process_logs(process_id))['stdout'][1].strip(), '3000000')

    async def test_writes_go_out_in_their_order(self):
        async with AsyncProcessManager() as manager:
            process_id = await self.ready(manager, args=['-c', 'echo ready; exec tail -c 2'])
            exits = manager.events('exit')
            await asyncio.gather(
                manager.write_stdin(process_id, 'x' * 300_000 + 'a'), manager.write_stdin(process_id, 'b'),
                manager.close_stdin(process_id)
            )
            await exits.__anext__()
            self.assertEqual((await manager.get_process_logs(process_id))['stdout'], ['ready', 'ab'])

    async def test_a_call_that_is_cancelled(self):
        async with AsyncProcessManager() as manager:
            stubborn = await self.ready(manager, **STUBBORN)
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(manager.stop_process(stubborn, 60000), 0.05)
            await manager.signal_process(stubborn, 'SIGKILL')
            self.assertTrue(await manager.stop_process(stubborn, 60000))

    async def test_the_wrapper_dies(self):
        manager = AsyncProcessManager()
        await manager.start()
        try:
            process_id = await self.ready(manager, **STUBBORN)
            events = manager.events()
            stop = asyncio.ensure_future(manager.stop_process(process_id, 60000))
            await manager.get_process_status(process_id)
            os.kill(manager.wrapper_pid, signal.SIGKILL)
            with self.assertRaisesRegex(WrapperError, 'was ended by SIGKILL'):
                await asyncio.wait_for(stop, LIMIT)
            self.assertEqual((await events.__anext__()).name, 'wrapperExit')
            with self.assertRaises(WrapperError):
                await events.__anext__()
            with self.assertRaises(WrapperError):
                await manager.list_processes()
            self.assertEqual(zombies(), [])
        finally:
            await manager.cleanup()

    async def test_a_new_wrapper_if_asked(self):
        async with AsyncProcessManager(restart_wrapper=True) as manager:
            first = manager.wrapper_pid
            events = manager.events('exit', 'wrapperExit')
            os.kill(first, signal.SIGKILL)
            self.assertEqual((await events.__anext__()).payload['code'], 'ERR_WRAPPER_ENDED')
            process_id = await manager.spawn_process({'command': 'true'})
            self.assertEqual((await events.__anext__()).payload['processId'], process_id)
            self.assertNotEqual(manager.wrapper_pid, first)
            self.assertFalse(is_alive(first))

    async def test_not_started(self):
        manager = AsyncProcessManager()
        for early in (manager.events, lambda: manager.on('exit', print), lambda: manager.backend):
            with self.assertRaisesRegex(RuntimeError, 'has not been started'):
                early()
        await manager.cleanup()
        with self.assertRaisesRegex(RuntimeError, 'cleaned up'):
            await manager.list_processes()

    async def test_callbacks_run_in_another_thread(self):
        async with AsyncProcessManager() as manager:
            threads, done, loop = [], asyncio.Event(), asyncio.get_running_loop()

            def note(payload):
                threads.append(threading.current_thread())
                loop.call_soon_threadsafe(done.set)
            manager.on('exit', note)
            await manager.spawn_process({'command': 'true'})
            await asyncio.wait_for(done.wait(), LIMIT)
            self.assertIsNot(threads[0], threading.current_thread())


if __name__ == '__main__':
    unittest.main()
