"""Finds Node.js and the npm package that holds the wrapper."""

import os
import shutil
import sys
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Union

from ._errors import WrapperStartError

NODE_VARIABLE = "MCP_PROCESS_MANAGER_NODE"
PACKAGE_VARIABLE = "MCP_PROCESS_MANAGER_PACKAGE"

_NAME = "mcp-process-manager"
_WRAPPER = Path("lib", "process-manager-wrapper.js")

PathLike = Union[str, "os.PathLike[str]"]


class Location(NamedTuple):
    node: str
    wrapper: str


def locate(node: Optional[PathLike] = None, package: Optional[PathLike] = None) -> Location:
    """Where both are; arguments go before environment variables, and those before the usual places.

    Raises WrapperStartError that says where it looked.
    """
    found = _find_node(node)
    return Location(found, _find_wrapper(package, found))


def _find_node(argument: Optional[PathLike]) -> str:
    wanted, source = _asked(argument, "node", NODE_VARIABLE)
    if wanted is None:
        found = shutil.which("node") or shutil.which("nodejs")
        if found is None:
            raise WrapperStartError(
                f"Node.js was not found: no 'node' in PATH. Install Node.js 20 or later (https://nodejs.org), "
                f"or say where it is: {NODE_VARIABLE}=/path/to/node, or the argument node=",
                "ERR_NODE_NOT_FOUND",
            )
        return os.path.abspath(found)
    found = shutil.which(wanted)
    if found is None:
        raise WrapperStartError(
            f"Node.js was not found: {source} is {wanted!r}, which is no executable file", "ERR_NODE_NOT_FOUND"
        )
    return os.path.abspath(found)


def _find_wrapper(argument: Optional[PathLike], node: str) -> str:
    wanted, source = _asked(argument, "package", PACKAGE_VARIABLE)
    if wanted is not None:
        if _is_file(Path(wanted) / _WRAPPER):
            return str(Path(wanted).absolute() / _WRAPPER)
        raise WrapperStartError(
            f"The npm package {_NAME} was not found: {source} is {wanted!r}, which has no {_WRAPPER}", "ERR_PACKAGE_NOT_FOUND"
        )
    looked: List[str] = []
    for place in _places(node):
        if _is_file(place / _WRAPPER):
            return str(place / _WRAPPER)
        looked.append(str(place))
    raise WrapperStartError(
        f"The npm package {_NAME} was not found. Install it where the program runs (npm install {_NAME}), "
        f"or say where it is: {PACKAGE_VARIABLE}=/path/to/node_modules/{_NAME}, or the argument package=. "
        f"Looked for {_WRAPPER} in {', '.join(looked)}",
        "ERR_PACKAGE_NOT_FOUND",
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False  # Below a directory that this user may not look into.


def _asked(argument: Optional[PathLike], name: str, variable: str) -> "tuple[Optional[str], str]":
    if argument is not None:
        return os.fspath(argument), f"the argument {name}="
    return os.environ.get(variable) or None, variable


def _places(node: str) -> Iterator[Path]:
    """This checkout; node_modules here and above; NODE_PATH; what was installed with npm install --global."""
    here = Path(__file__).resolve().parent.parent.parent
    if (here / "python" / "mcp_process_manager").is_dir():
        yield here
    for start in _starts():
        for directory in (start, *start.parents):
            yield directory / "node_modules" / _NAME
    for entry in filter(None, os.environ.get("NODE_PATH", "").split(os.pathsep)):
        yield Path(entry) / _NAME
    # The second is that of Debian's npm, whose Node.js is in /usr/bin.
    for directory in dict.fromkeys((Path(node).resolve().parent.parent, Path("/usr/local"))):
        yield directory / "lib" / "node_modules" / _NAME


def _starts() -> Iterator[Path]:
    """Where the program is, and where it runs."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    if main:
        yield Path(main).resolve().parent
    try:
        yield Path.cwd()
    except OSError:
        pass
