"""The indexer: knows pictures, their vectors, and the collection they are kept in.

Every command imports it before any numerical library: here those are told how to behave in a process.
"""

import os
import sys
from types import ModuleType
from typing import cast

# Threads of OpenMP (torch, faiss, scikit-learn) sleep while they wait for each other, unless the user has it
# otherwise. By default they keep their cores for some milliseconds: beside one busy process a core, an epoch of
# the detector then took 6 times as long as alone, with this 1.4 to 1.8 times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# `import openvino` sends an event to its makers, and writes a client's number into the home folder. With None
# here, importing that package of theirs fails, and OpenVINO goes on without it.
sys.modules.setdefault("openvino_telemetry", cast("ModuleType", None))
