from mcp_process_manager import *
from mcp_process_manager import __version__ as __version__
