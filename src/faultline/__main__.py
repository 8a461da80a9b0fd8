"""``python -m faultline`` in, the same as the ``faultline`` command out."""

from __future__ import annotations

from faultline.cli import main

__all__ = ()

if __name__ == "__main__":
    main()
