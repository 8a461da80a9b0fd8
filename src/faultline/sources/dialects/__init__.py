"""Frames of exchanges whose interfaces were cloned in, rows out: what several venues speak alike, once."""

from __future__ import annotations
