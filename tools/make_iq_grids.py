#!/usr/bin/env python3
"""Writes src/tensor/iq_grids.c: the vector codebooks of the IQ encodings, from the `gguf` package.

  make_iq_grids.py OUT.c
"""

from pathlib import Path
import sys

from gguf import quants

GRIDS = (("iq1", quants.IQ1_S), ("iq2_xxs", quants.IQ2_XXS), ("iq2_xs", quants.IQ2_XS), ("iq2_s", quants.IQ2_S),
         ("iq3_xxs", quants.IQ3_XXS), ("iq3_s", quants.IQ3_S))
HEAD = """/* Vector codebooks of the IQ formats, as defined by the ggml project (MIT, see NOTICE).
 * Written by tools/make_iq_grids.py. */
#include "tensor/codebooks.h"

/* clang-format off */
"""


def main():
    out = [HEAD]
    for name, encoding in GRIDS:
        packed = bytes.fromhex(encoding.grid_hex.decode())
        entries = [packed[i] | packed[i + 1] << 8 for i in range(0, len(packed), 2)]
        assert len(entries) == encoding.grid_shape[0]
        out.append(f"const uint16_t tensor_grid_{name}[{len(entries)}] = {{\n")
        for i in range(0, len(entries), 12):
            out.append("    " + " ".join(f"0x{e:04x}," for e in entries[i:i + 12]) + "\n")
        out.append("};\n")
    out.append("/* clang-format on */\n")
    Path(sys.argv[1]).write_text("".join(out))


if __name__ == "__main__":
    main()
