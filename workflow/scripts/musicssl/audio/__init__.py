"""From a folder of music to clips at one rate, and from clips to frame vectors.

``scan`` lists and shares out the files, ``decode`` reads one, ``crop`` writes a shard, ``index`` sums up the shards;
``mfcc`` and ``harmonic`` compute features. Samples are mono float32 in [-1, 1] in memory and int16 on disk.
"""
