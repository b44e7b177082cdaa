"""The interface that ProcessManagerImpl implements."""

from mcp_process_manager._contract import ProcessManagerContract

__all__ = ["ProcessManagerContract"]
