"""A tape and frozen forecasts in, scores against fixed baselines with intervals out."""
