"""A checked request in, one body of ``bodies`` out; one file per subject."""
