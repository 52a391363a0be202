"""Pre-training: batches, loop, schedule, saved states, many processes.

Nothing random is kept: what happens at an update is a function of the seed and the update's number, so weights,
optimizer, teacher and that number are the whole state of a run.
"""
