"""From a folder of music to clips at one rate.

``scan`` lists and shares out the files, ``crop`` writes a shard, ``index`` sums up the shards.
"""
