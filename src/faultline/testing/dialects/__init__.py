"""A dialect that several venues speak, as their documentation describes it, for their scripts."""

from __future__ import annotations
