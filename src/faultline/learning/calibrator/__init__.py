"""Printed liquidations and the path of the mark in, what their venue does to them out: offset, delay, margin, share."""
