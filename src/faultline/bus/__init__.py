"""Bytes under a subject in, the same bytes at every subscriber out, each with a bounded queue and a stated
policy.
"""
