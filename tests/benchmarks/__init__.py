"""Measured, never asserted: ratios against a peer or a bare loop in one run, medians of five."""
