"""Exact k-means over shards that do not fit into memory, with the same bytes on any number of workers."""
