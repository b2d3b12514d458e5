"""A GGUF file (or its split parts) as metadata and float64 weights, read through the `gguf` package."""

from pathlib import Path
import re

import numpy as np
from gguf import GGUFReader, GGMLQuantizationType, quants


class ModelFile:
    """Metadata by key, weights by name. Weights are dequantised when asked for and not kept."""

    def __init__(self, path):
        self.metadata = {}
        self._tensors = {}
        for part in _parts(Path(path)):
            reader = GGUFReader(part)
            for key, field in reader.fields.items():
                if not key.startswith("GGUF."):
                    self.metadata.setdefault(key, field.contents())
            for tensor in reader.tensors:
                self._tensors[tensor.name] = tensor
        self.architecture = self.metadata["general.architecture"]

    def names(self):
        """Names of all tensors."""
        return list(self._tensors)

    def has(self, name):
        """Is there a tensor of this name?"""
        return name in self._tensors

    def weight(self, name):
        """Tensor as float64 in numpy's order of dimensions: a linear weight is [out, in]."""
        tensor = self._tensors[name]
        if tensor.tensor_type in (GGMLQuantizationType.F32, GGMLQuantizationType.F16, GGMLQuantizationType.F64):
            return tensor.data.astype(np.float64)  # also right for a big-endian file
        return quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float64)

    def optional(self, name):
        """As weight, None where the file has no such tensor."""
        return self.weight(name) if self.has(name) else None

    _REQUIRED = object()

    def key(self, name, default=_REQUIRED):
        """Metadata `<architecture>.<name>`."""
        value = self.metadata.get(f"{self.architecture}.{name}", default)
        if value is ModelFile._REQUIRED:
            raise KeyError(f"metadata key '{self.architecture}.{name}' is missing")
        return value


def _parts(path):
    """All parts of a split model, in order; a path that is not a split's name stands alone."""
    match = re.fullmatch(r"(.*)-(\d{5})-of-(\d{5})\.gguf", path.name)
    if not match:
        return [path]
    stem, count = match[1], match[3]
    return [path.with_name(f"{stem}-{i + 1:05d}-of-{count}.gguf") for i in range(int(count))]
