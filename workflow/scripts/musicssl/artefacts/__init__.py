"""The registry of what lies on disk: one module a kind of artefact, and no other room opens a file of ours.

``store`` writes whole files and hashes them, ``header`` says beside every artefact what it is, ``ledger`` keeps a
record of every attempt of every job.
"""

from .store import atomic, read_json, read_jsonl, write_json, write_jsonl, write_text, writing

__all__ = ["atomic", "read_json", "read_jsonl", "write_json", "write_jsonl", "write_text", "writing"]
