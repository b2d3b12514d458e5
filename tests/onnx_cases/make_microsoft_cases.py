#!/usr/bin/env python3
"""Writes cases for the operators of com.microsoft, see microsoft/case.py. Usage: make_microsoft_cases.py OUT"""
import importlib
import pkgutil
import sys

import microsoft
from microsoft import case

for module in sorted(m.name for m in pkgutil.iter_modules(microsoft.__path__)):
    loaded = importlib.import_module(f"microsoft.{module}")
    if module != "case":
        loaded.make_cases()
case.write(sys.argv[1])
