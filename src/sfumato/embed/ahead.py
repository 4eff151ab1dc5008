"""What every worker needs, imported once: by the process that workers are forked from, which no text ever reaches.

The settings must stand before a library of arithmetic is loaded, so this module is imported in place of the encoder.
"""

from __future__ import annotations

import os

os.environ |= {
    "OMP_NUM_THREADS": "1",  # one thread each: two OpenMP threads on a busy machine were eight times slower
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "MKL_CBWR": "AUTO,STRICT",  # the same bits whatever the alignment of memory
}

from sfumato.embed.encoder import Encoder

__all__ = ["Encoder"]
