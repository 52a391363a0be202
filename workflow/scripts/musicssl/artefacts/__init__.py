"""Formats on disk: nobody else opens files of ours.

Everything is written under a temporary name, flushed, then renamed: a file that carries its final name is whole.
"""

from .files import atomic, read_json, read_jsonl, write_json, write_jsonl, write_text
from .ragged import RaggedShard, RaggedWriter, ShardError, open_all

__all__ = [
    "RaggedShard",
    "RaggedWriter",
    "ShardError",
    "atomic",
    "open_all",
    "read_json",
    "read_jsonl",
    "write_json",
    "write_jsonl",
    "write_text",
]
