"""Events and rules in, messages to named targets out, with a log of every delivery."""
