"""Writes the tables of src/base/exact_math.c (to standard output), from 60-digit decimals."""
from decimal import Decimal, getcontext

getcontext().prec = 60


def split(value, grid_bits):
    """value as hi + lo; hi a multiple of 2^-grid_bits, or the nearest double when None."""
    if grid_bits is None:
        hi = Decimal(float(value))
    else:
        scale = Decimal(2) ** grid_bits
        hi = (value * scale).to_integral_value() / scale
    return float(hi), float(value - hi)


def row(*numbers):
    print("    {" + ", ".join("0x0p+0" if n == 0 else n.hex() for n in numbers) + "},")


def main():
    ln2 = Decimal(2).ln()
    print("/* ln2 / 64:", *(n.hex() for n in split(ln2 / 64, 38)), "*/")
    print("/* ln2:", *(n.hex() for n in split(ln2, 42)), "*/")
    print("/* 64 / ln2:", float(64 / ln2).hex(), "1 / ln2:", float(1 / ln2).hex(), "*/")
    print("/* 2^(i / 64) as hi + lo. */\nstatic const double exp_table[64][2] = {")
    for i in range(64):
        row(*split(Decimal(2) ** (Decimal(i) / 64), None))
    print("};\n")
    print("/* c, log(1 / c) as hi + lo. */\nstatic const double log_table[128][3] = {")
    for i in range(128):
        middle = Decimal(1) + (Decimal(i) + Decimal("0.5")) / 128
        if i >= 53:
            middle /= 2
        c = 1.0 if i in (0, 127) else int((256 / middle).to_integral_value()) / 256
        row(c, *split(-Decimal(c).ln(), 42))
    print("};")


if __name__ == "__main__":
    main()
