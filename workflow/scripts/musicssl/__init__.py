"""Self-supervised learning for music audio: data, targets, encoders, probes and reports.

Rooms import in one direction only (held by ``tests/unit/test_architecture.py``)::

    runtime, geometry < config, artefacts, signal < datasets, models, corpus, costs
        < tasks, targets, training, miniature < probing < reporting < provenance < commands
"""
