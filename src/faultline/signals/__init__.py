"""Zones, liquidations and the state of sources in, typed events out."""
