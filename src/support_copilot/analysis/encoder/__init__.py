"""The sentence encoder: texts to vectors, on onnxruntime alone."""

from support_copilot.analysis.encoder.encoder import Encoder

__all__ = ["Encoder"]
