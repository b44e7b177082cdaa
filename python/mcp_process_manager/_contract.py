"""What a process manager can do, whoever implements it."""

from abc import ABC, abstractmethod
from typing import Any, Dict, List, Mapping, Optional

__all__ = ["ProcessManagerContract"]


class ProcessManagerContract(ABC):
    """Keys of configs and answers are those of the JavaScript API. Times are in ms unless a key says otherwise."""

    @abstractmethod
    def spawn_process(self, config: Mapping[str, Any]) -> str:
        """Starts a process; answers its id.

        Raises ValueError for a bad config ("Command is required …" without a command), RuntimeError at the process
        limit. That the command could not be executed is no exception: its status is "error".
        """

    @abstractmethod
    def stop_process(self, process_id: str, timeout: Optional[float] = 5000) -> bool:
        """Ends a process and all that it started: SIGTERM, after timeout SIGKILL.

        True when nothing of it is left; False for an unknown id.
        """

    @abstractmethod
    def get_process_status(self, process_id: str) -> Dict[str, Any]:
        """pid, status, uptime, cpu, memory, restarts and more; the status "unknown" and zeros for an unknown id."""

    @abstractmethod
    def get_process_logs(self, process_id: str, lines: Any = 100) -> Any:
        """{"stdout": [...], "stderr": [...]}: the last lines of each; two empty lists for an unknown id."""

    @abstractmethod
    def list_processes(self) -> List[Dict[str, Any]]:
        """All that are known, in the order of spawning."""
