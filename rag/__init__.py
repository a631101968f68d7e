"""Ask a folder of PDFs; every answer quotes the page."""

import os

__version__ = "0.1.0"

# From 1.29 on ONNX Runtime reports to its makers from native code, which no Python hook can see or refuse. It reads
# this when it is loaded, which is why it stands here. Nothing leaves the machine unless a model is named that does.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
