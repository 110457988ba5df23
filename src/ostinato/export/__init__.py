"""Models as ONNX graphs: one step each, with its state as inputs and outputs, for machines without Python."""
