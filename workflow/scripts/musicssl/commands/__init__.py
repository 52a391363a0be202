"""Command line: ``python -m musicssl`` and what its sub-commands do."""
