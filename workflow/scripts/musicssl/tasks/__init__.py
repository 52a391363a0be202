"""What turns a dataset into a task: kinds of target, views of recordings, items, and the checks that none may fail."""
