"""Is what lies in a results folder what its jobs wrote, and where did it come from?"""
