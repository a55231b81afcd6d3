"""Measure the quality of recommendations: `make bench-recommend`, or `python -m benchmarks.recommend`.

The environment variable DATA names the folder of the corpora; parts without their corpus are skipped and named. Every figure
is measured on data that the method was not fitted to; folds and seeds are printed with each. Absolute times depend on the
machine.
"""

import os

# Every time is that of one thread. NumPy reads these variables when it is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
