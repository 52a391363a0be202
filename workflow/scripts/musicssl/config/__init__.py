"""Config tables, inheritance, validation and recipe digests.

Light by contract: importing this package loads neither numpy nor torch, because every job parses the Snakefile again.
"""
