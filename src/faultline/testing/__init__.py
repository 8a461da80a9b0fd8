"""A seed in, a small made-up market out: a kit for tests and benchmarks, never used by the engine."""
