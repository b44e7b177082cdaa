"""Numbers as Python has them: JSON does not tell 0 from 0.0."""

from typing import Any, Dict

_FLOATS = ("cpu", "memory", "uptime", "peakMemory", "pss")


def with_floats(row: Dict[str, Any]) -> Dict[str, Any]:
    """The same row, its quantities made floats."""
    for key in _FLOATS:
        value = row.get(key)
        if type(value) is int:
            row[key] = float(value)
    own = row.get("own")
    if own is not None:
        own["cpu"] = float(own["cpu"])
        own["memory"] = float(own["memory"])
    return row


def with_float_rows(rows: Dict[str, Dict[str, Any]]) -> None:
    """The same for many, by id: those of a `metrics` event."""
    for row in rows.values():
        with_floats(row)
