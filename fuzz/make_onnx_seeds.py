#!/usr/bin/env python3
"""Writes the seeds of fuzz_onnx to fuzz/seeds/onnx: models with one of everything, of old IR versions, and test data.

Usage: python3 fuzz/make_onnx_seeds.py [FOLDER]. Needs: tools/requirements.txt.
"""
from pathlib import Path
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "vectors"))
import onnx_compare  # noqa: E402


def training_model():
    model = onnx_compare.old_model(4)
    model.ir_version = 8
    step = helper.make_graph([onnx_compare.node("Op", ["y", "w"], ["w_new"])], "step", [], [onnx_compare.info("w_new")])
    first = helper.make_graph([onnx_compare.node("Op", [], ["w_first"])], "first", [], [onnx_compare.info("w_first")])
    model.training_info.append(helper.make_training_info(step, [("w", "w_new")], first, [("w", "w_first")]))
    config = model.configuration.add(name="two", num_devices=2)
    config.device.extend(["a", "b"])
    sharding = model.graph.node[0].device_configurations.add(configuration_id="two", pipeline_stage=1)
    spec = sharding.sharding_spec.add(tensor_name="x", device=[0, 1])
    spec.sharded_dim.add(axis=0).simple_sharding.add(dim_value=2, num_shards=2)
    spec.index_to_device_group_map.add(key=-1, value=[0, 1])
    return model


def external_model():
    model = onnx_compare.old_model(4)
    t = model.graph.initializer[0]
    t.ClearField("raw_data")
    t.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "a/b.bin"), ("offset", "0"), ("length", "8")):
        t.external_data.add(key=key, value=value)
    return model


def text_map():
    m = onnx.MapProto(name="m", key_type=TensorProto.STRING, string_keys=[b"a", b"b"])
    m.values.CopyFrom(numpy_helper.from_list([np.ones(2, np.int64)] * 2, "v"))
    return m


def main():
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "seeds" / "onnx"
    out.mkdir(parents=True, exist_ok=True)
    one = np.arange(6, dtype=np.float32).reshape(2, 3)
    seeds = {
        "main": onnx_compare.main_model(), "ir1": onnx_compare.old_model(1), "ir3": onnx_compare.old_model(3),
        "training": training_model(), "external": external_model(),
        "tensor": numpy_helper.from_array(one, "t"),
        "sequence": numpy_helper.from_list([one, one], "s"),
        "map": numpy_helper.from_dict({1: one, 2: one}, "m"),
        "map_of_strings": text_map(),
        "optional": numpy_helper.from_optional(one, "o"),
        "optional_sequence": numpy_helper.from_optional([one], "o"),
    }
    for name, message in seeds.items():
        (out / name).write_bytes(message.SerializeToString())
    (out / "unknown_fields").write_bytes(seeds["ir3"].SerializeToString() + bytes([0xfa, 0x3f, 2, 1, 2, 0xf8, 0x3f, 5]))


if __name__ == "__main__":
    main()
