"""What a run will cost before it starts: operations, hours, memory and disk, from recipes and published sizes."""
