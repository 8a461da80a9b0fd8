"""A wheel or source archive being built in, a refusal out where the dashboard inside it would be missing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class DashboardHook(BuildHookInterface[Any]):
    """Stops a build without ``src/faultline/api/static/index.html``; editable installs are let through."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - the hook's signature
        """Check before anything is packed.

        Raises:
            RuntimeError: the dashboard has not been built and FAULTLINE_NO_WEB is not 1.
        """
        built = Path(self.root, "src", "faultline", "api", "static", "index.html").is_file()
        if not built and version != "editable" and os.environ.get("FAULTLINE_NO_WEB") != "1":
            raise RuntimeError("the dashboard is not built: run `make web`, or set FAULTLINE_NO_WEB=1")
