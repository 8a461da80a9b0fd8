"""Bytes of venues and of recorded files in, normalised messages out."""

from __future__ import annotations
