"""Starts that fail say what is missing; packages that are installed work."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

from support import LIMIT, PYTHON, ROOT, descriptors, environment, no_threads, until, working_directory, zombies

from mcp_process_manager._locate import _places, locate
from process_manager_impl import ProcessManagerImpl, WrapperError, WrapperStartError, __version__

NODE = os.path.realpath(shutil.which('node') or 'node')


def find_builder():
    """A Python that can build a wheel without the network."""
    needs = 'import setuptools, pip, wheel; assert int(setuptools.__version__.split(".")[0]) >= 61'
    for python in (sys.executable, '/usr/bin/python3'):
        if os.path.exists(python) and subprocess.run([python, '-c', needs], stderr=subprocess.DEVNULL).returncode == 0:
            return python
    return None


class Base(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name).resolve()

    def executable(self, name, text):
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o755)
        return str(path)

    def copy_package(self, name='package', *, build=True):
        """The npm package as it is installed, with the addon of this checkout."""
        package = self.directory / name
        package.mkdir(parents=True)
        shutil.copy(ROOT / 'package.json', package)
        shutil.copytree(ROOT / 'lib', package / 'lib')
        if build:
            (package / 'build' / 'Release').mkdir(parents=True)
            for file in ('process_manager.node', 'mcp-process-keeper'):
                shutil.copy(ROOT / 'build' / 'Release' / file, package / 'build' / 'Release')
        modules = package.parent if package.parent.name == 'node_modules' else package / 'node_modules'
        modules.mkdir(exist_ok=True)
        shutil.copytree(ROOT / 'node_modules' / 'node-gyp-build', modules / 'node-gyp-build')
        return package

    def assert_fails(self, code, message, **arguments):
        before = descriptors()
        with self.assertRaisesRegex(WrapperStartError, message) as caught:
            ProcessManagerImpl(**arguments)
        self.assertEqual(caught.exception.code, code)
        self.assertIsInstance(caught.exception, RuntimeError)
        self.assertEqual(descriptors(), before)
        self.assertEqual(zombies(), [])


class MissingTest(Base):
    def test_no_node(self):
        with environment(PATH=str(self.directory), MCP_PROCESS_MANAGER_NODE=None):
            self.assert_fails('ERR_NODE_NOT_FOUND', r'Node\.js was not found: no .node. in PATH\. Install Node\.js 20 or later')

    def test_no_node_where_it_was_said_to_be(self):
        self.assert_fails('ERR_NODE_NOT_FOUND', r"the argument node= is '/none', which is no executable file", node='/none')
        with environment(MCP_PROCESS_MANAGER_NODE='/none/node'):
            self.assert_fails('ERR_NODE_NOT_FOUND', r"MCP_PROCESS_MANAGER_NODE is '/none/node'")

    def test_a_node_that_is_none(self):
        self.assert_fails('ERR_WRAPPER_START', r'ended with exit code 0.* It was started as /\S+true ', node=shutil.which('true'))
        broken = self.executable('node', '#!/bin/sh\necho "node: cannot load libnode.so" >&2\nexit 127\n')
        self.assert_fails('ERR_WRAPPER_START', r'exit code 127, saying: node: cannot load libnode\.so', node=broken)
        nothing = self.executable('empty', '#!/none/interpreter\n')
        self.assert_fails('ERR_NODE_NOT_FOUND', r'Node\.js could not be started: .*No such file', node=nothing)

    def test_a_node_that_is_too_old(self):
        pretend = self.directory / 'old.js'
        pretend.write_text(
            "Object.defineProperty(process, 'version', { value: 'v14.0.0' })\n"
            "Object.defineProperty(process.versions, 'node', { value: '14.0.0' })\n"
        )
        old = self.executable('node', f'#!/bin/sh\nexec "{NODE}" --require "{pretend}" "$@"\n')
        self.assert_fails('ERR_NODE_VERSION', r'needs Node\.js 20 or later; this is v14\.0\.0$', node=old)

    @unittest.skipUnless(hasattr(os, 'memfd_create'), 'without it, a directory is needed')
    def test_no_directory_to_write_to(self):
        with mock.patch.object(tempfile, 'tempdir', '/none'):
            with ProcessManagerImpl() as manager:
                os.kill(manager.wrapper_pid, signal.SIGKILL)
                with self.assertRaisesRegex(WrapperError, 'was ended by SIGKILL'):
                    until(manager.list_processes, 'it raised')
            # Nor can it be in memory.
            with mock.patch.object(os, 'memfd_create', side_effect=OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))):
                self.assert_fails('ERR_WRAPPER_START', r"no file for what Node\.js may print: .*'/none.*TMPDIR has to be")

    @unittest.skipUnless(hasattr(os, 'memfd_create'), 'without it, a directory is used anyhow')
    def test_a_directory_is_used_where_there_is_no_file_in_memory(self):
        broken = self.executable('node', '#!/bin/sh\necho "node: broken" >&2\nexit 127\n')
        with mock.patch.object(os, 'memfd_create', side_effect=OSError(errno.EPERM, os.strerror(errno.EPERM))):
            self.assert_fails('ERR_WRAPPER_START', r'exit code 127, saying: node: broken', node=broken)

    def test_no_thread(self):
        with no_threads():
            self.assert_fails('ERR_NO_THREAD', r'^No thread could be started: ')

    def test_a_relative_node_stays_the_same(self):
        os.symlink(NODE, self.directory / 'node')
        with working_directory(self.directory), environment(PATH='.', MCP_PROCESS_MANAGER_NODE=None):
            self.assertEqual(locate().node, str(self.directory / 'node'))
            self.assertEqual(locate('./node').node, str(self.directory / 'node'))

    def test_where_it_looks(self):
        node = self.directory / 'bin' / 'node'
        places = [str(place) for place in _places(str(node))]
        self.assertEqual(places[-2:], [
            f'{self.directory}/lib/node_modules/mcp-process-manager', '/usr/local/lib/node_modules/mcp-process-manager'
        ])

    def test_no_package(self):
        with environment(MCP_PROCESS_MANAGER_PACKAGE='/none'):
            self.assert_fails('ERR_PACKAGE_NOT_FOUND', r"MCP_PROCESS_MANAGER_PACKAGE is '/none', which has no lib/")
        self.assert_fails('ERR_PACKAGE_NOT_FOUND', r"the argument package= is '/tmp'", package='/tmp')

    def test_no_addon(self):
        package = self.copy_package(build=False)
        self.assert_fails('ERR_ADDON_NOT_BUILT', r'(?s)native part .* could not be loaded .*`npm rebuild', package=package)

    def test_another_version_of_the_package(self):
        package = self.copy_package()
        text = (package / 'package.json').read_text()
        (package / 'package.json').write_text(text.replace(f'"version": "{__version__}"', '"version": "99.1.0"'))
        message = r'is version 99\.1\.0, the Python package \S+: install the same'
        self.assert_fails('ERR_PACKAGE_VERSION', message, package=package)

    def test_another_protocol(self):
        package = self.copy_package()
        session = package / 'lib' / 'wrapper' / 'session.js'
        session.write_text(session.read_text().replace('const PROTOCOL = 1', 'const PROTOCOL = 7'))
        self.assert_fails('ERR_PROTOCOL_VERSION', r'speaks protocol 7, not 1', package=package)

    def test_both_sides_have_one_version(self):
        import json
        self.assertEqual(json.loads((ROOT / 'package.json').read_text())['version'], __version__)


class InstalledTest(Base):
    """pip install ./python, into an environment of its own, without the network."""

    script = (
        'import process_manager_impl, process_manager_contract\n'
        'with process_manager_impl.ProcessManagerImpl() as manager:\n'
        '    id = manager.spawn_process({"command": "sh", "args": ["-c", "echo it works"]})\n'
        '    print(next(manager.follow_logs(id, {"since": 0}))["line"])\n'
        'print(process_manager_impl.__file__)\n'
    )

    def setUp(self):
        super().setUp()
        builder = find_builder()
        if builder is None:
            self.skipTest('there is no Python with pip, setuptools 61 and wheel to build with')
        self.site = self.directory / 'site'
        source = self.directory / 'python'
        shutil.copytree(PYTHON, source, ignore=shutil.ignore_patterns('build', '__pycache__', '*.egg-info'))
        # What "pip install ./python" does, in its two steps: the Python here may have nothing to build with.
        pip = ('-m', 'pip', '--quiet', '--disable-pip-version-check')
        self.run_it(builder, *pip, 'wheel', '--no-build-isolation', '--no-deps', '-w', str(self.directory), str(source))
        [wheel] = self.directory.glob('*.whl')
        self.assertEqual(wheel.name, f'mcp_process_manager-{__version__}-py3-none-any.whl')
        self.run_it(builder, *pip, 'install', '--no-index', '--no-deps', '--target', str(self.site), str(wheel))

    def run_it(self, *command, cwd=None, **env):
        result = subprocess.run(
            command, cwd=cwd or self.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
            timeout=4 * LIMIT, env={**os.environ, 'PYTHONPATH': str(self.site), 'PYTHONWARNINGS': '', **env}
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_it_finds_the_npm_package(self):
        project = self.directory / 'project'
        below = project / 'src'
        below.mkdir(parents=True)
        with self.assertRaisesRegex(AssertionError, r'Install it where the program runs \(npm install'):
            self.run_it(sys.executable, '-c', self.script, cwd=below)
        package = self.copy_package('project/node_modules/mcp-process-manager')
        wanted = f'it works\n{self.site}/process_manager_impl.py\n'
        self.assertEqual(self.run_it(sys.executable, '-c', self.script, cwd=below), wanted)
        program = below / 'program.py'
        program.write_text(self.script)
        self.assertEqual(self.run_it(sys.executable, str(program), cwd='/'), wanted)
        for env in ({'MCP_PROCESS_MANAGER_PACKAGE': str(package)}, {'NODE_PATH': str(package.parent)}):
            self.assertEqual(self.run_it(sys.executable, '-c', self.script, cwd='/', **env), wanted)

    @unittest.skipUnless(find_spec('mypy'), 'there is no mypy')
    def test_it_is_typed(self):
        program = self.directory / 'program.py'
        program.write_text(
            'from typing import Dict, List\n'
            'from process_manager_contract import ProcessManagerContract\n'
            'from process_manager_impl import AsyncProcessManager, ProcessManagerImpl\n'
            'manager: ProcessManagerContract = ProcessManagerImpl()\n'
            'number: int = ProcessManagerImpl().spawn_process({"command": "cat"})\n'
            'lines: Dict[str, List[str]] = ProcessManagerImpl().get_process_logs("x", 5)\n'
            'records: List[str] = ProcessManagerImpl().get_process_logs("x", {})\n'
            'ProcessManagerImpl().stop_process(7)\n'
        )
        mypy = [sys.executable, '-m', 'mypy', '--strict', '--no-error-summary', '--cache-dir', str(self.directory / 'cache')]
        result = subprocess.run(
            [*mypy, str(program)], stdout=subprocess.PIPE, universal_newlines=True, cwd=str(self.directory),
            env={**os.environ, 'MYPYPATH': str(self.site), 'PYTHONWARNINGS': ''}
        )
        found = re.findall(r'program\.py:(\d+): error: .*\[([\w-]+)\]$', result.stdout, re.MULTILINE)
        self.assertEqual(found, [('5', 'assignment'), ('7', 'assignment'), ('8', 'arg-type')], result.stdout)

    def test_its_types_are_installed(self):
        files = {str(path.relative_to(self.site)) for path in self.site.rglob('*') if path.suffix in ('.pyi', '.typed')}
        self.assertEqual(files, {
            'mcp_process_manager/py.typed', 'process_manager_impl-stubs/__init__.pyi',
            'process_manager_contract-stubs/__init__.pyi'
        })


if __name__ == '__main__':
    unittest.main()
