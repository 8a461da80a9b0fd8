"""The map in, zones with identity through time out: where exposure stands out, how it grows, thins and is hit."""
