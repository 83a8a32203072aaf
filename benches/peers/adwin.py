"""river's ADWIN beside `ConfidenceDriftMonitor::observe`: one detector for each of ten fields.

`benches/drift.rs` starts this where `pip install river` was done. It reads a number of documents
from each line, and answers with the nanoseconds that they took, the loop over the fields included.
"""

import sys
import time

from river.drift import ADWIN

FIELDS = 10
# The confidences of `benches/drift.rs`.
SCORES = [0.95, 0.90, 0.99, 0.85, 0.98, 0.92, 1.0, 0.80]

detectors = [ADWIN() for _ in range(FIELDS)]
documents = [[SCORES[(nth + field) % 8] for field in range(FIELDS)] for nth in range(8)]
print("ready", flush=True)
for line in sys.stdin:
    begin = time.perf_counter_ns()
    for nth in range(int(line)):
        for detector, score in zip(detectors, documents[nth % 8]):
            detector.update(score)
    print(time.perf_counter_ns() - begin, flush=True)
