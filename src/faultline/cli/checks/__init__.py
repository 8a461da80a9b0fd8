"""This machine and this installation in, what would keep Faultline from running out."""
