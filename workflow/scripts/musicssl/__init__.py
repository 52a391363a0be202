"""Self-supervised learning for music audio: data, targets, encoders, probes and reports.

Rooms import in one direction only (held by ``tests/unit/test_architecture.py``)::

    config, runtime < artefacts < audio, models, tasks < cluster, training, probing < reporting

``miniature`` synthesises data in the datasets' real layouts and stands beside ``audio``.
"""
