"""Messages of one instrument in, its state out: price path, deposits, open interest and what is missing."""

from __future__ import annotations

__all__ = ()
