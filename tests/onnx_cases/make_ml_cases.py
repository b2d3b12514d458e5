#!/usr/bin/env python3
"""Writes cases for the operators of ai.onnx.ml, see ml/case.py. Usage: make_ml_cases.py OUT"""
import importlib
import pkgutil
import sys

import ml
from ml import case

for module in sorted(m.name for m in pkgutil.iter_modules(ml.__path__)):
    loaded = importlib.import_module(f"ml.{module}")
    if module != "case":
        loaded.make_cases()
case.write(sys.argv[1])
