"""Market messages in, a scored map of forced orders by price out."""

from __future__ import annotations

from typing import Final

from faultline.kernel_cache import use_kernel_cache

__all__ = ("__version__",)

#: Version of the package and of every machine-readable output.
__version__: Final = "0.1.0"

use_kernel_cache()
