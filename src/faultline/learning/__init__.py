"""Observed liquidations and what a map exposed in, parameters and scores out."""
