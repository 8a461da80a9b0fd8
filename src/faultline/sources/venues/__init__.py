"""One folder a venue in, its plans and mappers out; every folder has the same files."""

from __future__ import annotations
