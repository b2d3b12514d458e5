#!/usr/bin/env python3
"""ondol infer and graph on small ONNX models, and what they say of files that do not fit."""
import json
import os
import shutil
import struct
import unittest

from cli import Case, main
from onnx_bytes import (FLOAT, INT64, STRING, UINT8, attribute, floats, info, message, model, node, npy, npz, tensor)


def sums(dims=("N", 3)):
    """y = x + w; w = 10, 20, 30."""
    return model([node("Add", ["x", "w"], ["y"], "plus")], [("x", FLOAT, dims)], [("y", FLOAT, dims)],
                 [tensor("w", FLOAT, [3], floats(10, 20, 30))])


def read_npy(path):
    data = path.read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\0", data[:8]
    size = struct.unpack("<H", data[8:10])[0]
    return data[10:10 + size].decode(), data[10 + size:]


class Inputs(Case):
    def setUp(self):
        super().setUp()
        self.model = self.write("sums.onnx", sums())

    def outputs(self, *arguments, model=None, **options):
        answer = self.succeeds("infer", model or self.model, "--json", *arguments, **options).json()
        return answer["outputs"]

    def check_sum(self, *arguments, shape=(1, 3)):
        y = self.outputs(*arguments)[0]
        self.assertEqual((y["name"], y["type"], y["shape"], y["kind"]), ("y", "float", list(shape), "tensor"))
        self.assertEqual((y["min"], y["max"], y["not_finite"]), (11, 33, 0))
        self.assertEqual(y["top"][0], {"index": 2, "value": 33})

    def test_npy(self):
        for version in (1, 2):
            self.check_sum("--input", f"x={self.write('x.npy', npy('<f4', [1, 3], floats(1, 2, 3), version))}")
        twice = self.write("two.npy", npy("<f4", [2, 3], floats(1, 2, 3, 1, 2, 3)))
        self.check_sum("-i", f"x={twice}", shape=(2, 3))

    def test_npz(self):
        x, other = npy("<f4", [1, 3], floats(1, 2, 3)), npy("<f4", [1, 1], floats(9))
        for packed in (True, False):
            path = self.write("all.npz", npz(packed, other=other, x=x, z=x))
            self.check_sum("--input", f"x={path}")
            self.check_sum("--input", f"x={path}:z")
            self.fails(1, r"all.npz: .*'nothing'", "infer", self.model, "--input", f"x={path}:nothing")

    def test_csv(self):
        self.check_sum("--input", f"x={self.write('x.csv', '1,2,3')}")
        self.check_sum("--input", f"x={self.write('y.csv', '1, 2, 3' + chr(10) + '1,2,3' + chr(10))}", shape=(2, 3))
        self.fails(1, r"line 1, field 2: 'b' is no float", "infer", self.model, "--input", f"x={self.write('z.csv', '1,b,3')}")
        self.fails(1, r"line 2 has 2 fields, the first has 3", "infer", self.model, "--input",
                   f"x={self.write('v.csv', '1,2,3' + chr(10) + '1,2')}")

    def test_pb(self):
        self.check_sum("--input", f"x={self.write('x.pb', tensor('x', FLOAT, [1, 3], floats(1, 2, 3)))}")
        self.fails(1, r"x.pb: ", "infer", self.model, "--input", f"x={self.write('x.pb', tensor('x', FLOAT, [1, 3], b'1'))}")

    def test_strings(self):
        both = self.write("text.onnx", model([node("StringConcat", ["a", "a"], ["b"])], [("a", STRING, ["N"])], [("b", STRING, ["N"])]))
        path = self.write("a.npy", npy("<U2", [2], "ab".encode("utf-32-le") + "é\0".encode("utf-32-le")))
        b = self.outputs("--input", f"a={path}", model=both)[0]
        self.assertEqual((b["type"], b["shape"], b["first"]), ("string", [2], ["abab", "éé"]))
        b = self.outputs("--input", f"a={self.write('a.csv', 'x,y')}", model=both)[0]
        self.assertEqual(b["first"], ["xx", "yy"])

    def test_image(self):
        picture = self.write("p.ppm", b"P6 4 2 255\n" + b"\xff\0\0" * 8)
        def as_it_is(dims, kind=FLOAT):
            return self.write("image.onnx", model([node("Identity", ["x"], ["y"])], [("x", kind, dims)], [("y", kind, dims)]))
        y = self.outputs("--image", f"x={picture}", model=as_it_is([1, 3, "H", "W"]))[0]
        self.assertEqual((y["shape"], y["min"], y["max"], y["top"][0]["index"]), ([1, 3, 2, 4], 0, 1, 0))
        y = self.outputs("--image", f"x={picture}:resize=6x5,mean=0.5,std=0.5/0.25/0.25", model=as_it_is([1, 3, "H", "W"]))[0]
        self.assertEqual((y["shape"], y["min"], y["max"]), ([1, 3, 5, 6], -2, 1))
        y = self.outputs("--image", f"x={picture}:crop=2x2,layout=nhwc,color=bgr", model=as_it_is([1, "H", "W", 3], UINT8))[0]
        self.assertEqual((y["shape"], y["type"], y["max"], y["top"][0]["index"]), ([1, 2, 2, 3], "uint8", 255, 2))
        y = self.outputs("--image", f"x={picture}:color=gray", model=as_it_is([1, 1, "H", "W"]))[0]
        self.assertEqual(y["shape"], [1, 1, 2, 4])
        self.fails(1, "image option 'turn=3'", "infer", as_it_is([1, 3, 2, 4]), "--image", f"x={picture}:turn=3")
        self.fails(1, "crop", "infer", as_it_is([1, 3, 2, 4]), "--image", f"x={picture}:crop=9x9")
        for options in ("", ":resize=4", ":crop=1x1"):
            self.fails(1, r"noise.png: no picture", "infer", as_it_is([1, 3, 2, 4]), "--image",
                       f"x={self.write('noise.png', b'noise')}{options}")

    def test_random(self):
        first = self.outputs("--random", "--dim", "N=4")[0]
        self.assertEqual(first["shape"], [4, 3])
        self.assertTrue(10 <= first["min"] <= first["max"] < 31, first)
        self.assertEqual(first, self.outputs("--random", "--dim", "N=4")[0])
        self.fails(1, r"'x' is float\[N, 3\]: give 'N' a size, as in --dim N=1", "infer", self.model, "--random")
        for bad in ("N", "N=", "=3", "N=x", "N=-1", "N=3x"):
            self.fails(1, "expected NAME=N", "infer", self.model, "--random", "--dim", bad)
        self.fails(1, "elements|bytes|memory", "infer", self.model, "--random", "--dim", "N=1000000000000")
        self.fails(1, "elements|bytes|memory", "infer", self.model, "--random", "--dim", "N=9223372036854775807")

    def test_refused(self):
        x = self.write("x.npy", npy("<f4", [1, 3], floats(1, 2, 3)))
        self.fails(1, r"input 'x' \(float\[N, 3\]\) is not given", "infer", self.model)
        self.fails(1, r"no input 'z'; there are: x", "infer", self.model, "--input", f"z={x}")
        self.fails(1, r"expected NAME=FILE", "infer", self.model, "--input", x)
        self.fails(1, r"absent.npy", "infer", self.model, "--input", f"x={self.folder}/absent.npy")
        self.fails(1, r"expected a file .npy, .npz, .pb or .csv", "infer", self.model, "--input", f"x={self.model}")
        self.fails(1, r"input 'x' .*type double, expected float", "infer", self.model, "--input",
                   f"x={self.write('d.npy', npy('<f8', [1, 3], bytes(24)))}")
        self.fails(1, r"input 'x' .*rank 1, expected 2", "infer", self.model, "--input",
                   f"x={self.write('r.npy', npy('<f4', [3], bytes(12)))}")
        self.fails(1, r"input 'x' .*dimension 1 is 2, expected 3", "infer", self.model, "--input",
                   f"x={self.write('s.npy', npy('<f4', [1, 2], bytes(8)))}")

    def test_damaged_npy(self):
        good = npy("<f4", [1, 3], floats(1, 2, 3))
        cases = {"nothing": b"", "noise": b"noise", "head": good[:9], "header": good[:40], "short": good[:-1],
                 "far": npy("<f4", [2**62, 3], b""), "wrap": npy("<f4", [2**32, 2**32], b""), "negative": npy("<f4", [-1, 3], b""),
                 "ranks": npy("<f4", [1] * 40, floats(1)), "object": npy("|O", [1, 3], bytes(24)),
                 "structure": npy("<f4", [1, 3], floats(1, 2, 3)).replace(b"'<f4'", b"[('a')"), "type": npy("<f3", [1, 3], bytes(12))}
        for name, data in cases.items():
            with self.subTest(name):
                self.fails(1, rf"{name}\.npy: ", "infer", self.model, "--input", f"x={self.write(name + '.npy', data)}")
        packed = npz(x=good)
        for cut in (0, 1, 30, len(packed) - 30, len(packed) - 1):
            with self.subTest(cut):
                self.fails(1, r"cut\.npz: ", "infer", self.model, "--input", f"x={self.write('cut.npz', packed[:cut])}")

    def test_bad_models(self):
        x = self.write("x.npy", npy("<f4", [1, 3], floats(1, 2, 3)))
        whole = sums()
        for name, data, says in (("cut", whole[:-5], "ONNX"), ("page", b"<!DOCTYPE html><html>", "HTML"),
                                 ("unknown", model([node("Frob", ["x"], ["y"], "here")], [("x", FLOAT, [1, 3])], [("y", FLOAT, [1, 3])]), "'here'.*Frob")):
            path = self.write(name + ".onnx", data)
            self.fails(1, says, "infer", path, "--input", f"x={x}")
            self.fails(1, says, "info", path, "--check")
        self.fails(1, "absent.onnx", "infer", self.folder / "absent.onnx")
        sizes = self.write("sizes.onnx", model([node("Reshape", ["x", "s"], ["y"], "here")], [("x", FLOAT, [1, 3]), ("s", INT64, [1])],
                                               [("y", FLOAT, ["M"])]))
        self.fails(1, r"node 'here' \(Reshape\)", "infer", sizes, "--input", f"x={x}", "--input", f"s={self.write('s.csv', '7')}")


class Outputs(Case):
    def setUp(self):
        super().setUp()
        self.x = self.write("x.npy", npy("<f4", [1, 3], floats(1, 2, 3)))

    def test_files(self):
        names = ["a/b", "c\\d", ".."]
        path = self.write("names.onnx", model([node("Identity", ["x"], [n]) for n in names], [("x", FLOAT, [1, 3])],
                                              [(n, FLOAT, [1, 3]) for n in names]))
        out = self.folder / "out"
        self.succeeds("infer", path, "--input", f"x={self.x}", "--output", out)
        self.assertEqual(sorted(os.listdir(out)), ["...npy", "a_b.npy", "c_d.npy"])
        header, data = read_npy(out / "a_b.npy")
        self.assertIn("'descr': '<f4'", header)
        self.assertIn("'shape': (1, 3)", header)
        self.assertEqual(data, floats(1, 2, 3))
        self.assertEqual(sorted(os.listdir(self.folder)), ["names.onnx", "out", "x.npy"])
        self.fails(1, "cannot make the folder", "infer", path, "--input", f"x={self.x}", "--output", self.folder / "no/out")

    def test_sequence(self):
        body = message((1, node("SplitToSequence", ["x"], ["s"], axis=1)), (2, "g"), (11, info("x", FLOAT, [1, 3])),
                       (12, message((1, "s"))))
        path = self.write("sequence.onnx", message((1, 10), (7, body), (8, message((2, 20)))))
        s = self.succeeds("infer", path, "--input", f"x={self.x}", "--json").json()["outputs"][0]
        self.assertEqual((s["kind"], len(s["items"]), s["items"][1]["shape"]), ("sequence", 3, [1, 1]))
        self.succeeds("infer", path, "--input", f"x={self.x}", "--output", self.folder / "out")
        self.assertEqual(sorted(os.listdir(self.folder / "out")), ["s.0.npy", "s.1.npy", "s.2.npy"])

    def test_text(self):
        path = self.write("sums.onnx", sums())
        result = self.succeeds("infer", path, "--input", f"x={self.x}", "--top", "2")
        self.assertEqual(result.out.splitlines()[0], "y  float[1, 3]  11 to 33, mean 22")
        self.assertEqual([line.split() for line in result.out.splitlines()[1:]], [["2", "33"], ["1", "22"]])

    def test_names_do_not_reach_the_terminal(self):
        name = "y\x1b]0;title\x07\n"
        path = self.write("names.onnx", model([node("Identity", ["x"], [name])], [("x", FLOAT, [1, 3])], [(name, FLOAT, [1, 3])]))
        for arguments in ((), ("--profile", self.folder / "trace.json")):
            result = self.succeeds("infer", path, "--input", f"x={self.x}", *arguments)
            self.assertNotRegex(result.out, r"[\x00-\x09\x0b-\x1f]")

    def test_not_finite(self):
        path = self.write("sums.onnx", sums())
        x = self.write("n.npy", npy("<f4", [1, 3], floats(float("nan"), float("inf"), 3)))
        y = self.succeeds("infer", path, "--input", f"x={x}", "--json").json()["outputs"][0]
        self.assertEqual((y["not_finite"], y["max"]), (2, 33))
        self.assertIn("2 not finite", self.succeeds("infer", path, "--input", f"x={x}").out)

    def test_repeat(self):
        path = self.write("sums.onnx", sums())
        answer = self.succeeds("infer", path, "--input", f"x={self.x}", "--repeat", "7", "--json").json()
        self.keys(answer["seconds"], "median", "min", "runs")
        self.assertEqual(answer["seconds"]["runs"], 7)
        self.assertTrue(0 < answer["seconds"]["min"] <= answer["seconds"]["median"] < 1)
        self.assertNotIn("seconds", self.succeeds("infer", path, "--input", f"x={self.x}", "--json").json())
        self.fails(2, "--repeat", "infer", path, "--repeat", "0")

    def test_profile(self):
        path, trace = self.write("sums.onnx", sums()), self.folder / "trace.json"
        out = self.succeeds("infer", path, "--input", f"x={self.x}", "--profile", trace, "--repeat", "3").out
        self.assertRegex(out, r"(?m)^Add +(cpu|ref) +1 +4 ")
        events = json.loads(trace.read_text())["traceEvents"]
        self.assertEqual([(e["name"], e["cat"], e["ph"], e["args"]["runs"]) for e in events], [("plus", "Add", "X", 4)])

    def test_devices_agree(self):
        path = self.write("sums.onnx", sums())
        for device in ("cpu", "ref"):
            y = self.succeeds("infer", path, "--device", device, "--input", f"x={self.x}", "--json").json()["outputs"][0]
            self.assertEqual([t["value"] for t in y["top"]], [33, 22, 11])


class Check(Case):
    def test_check(self):
        path = self.write("sums.onnx", sums())
        self.assertRegex(self.succeeds("info", "--check", path).out, r"sums\.onnx: it keeps the rules of ONNX\n\Z")
        self.assertEqual(self.succeeds("info", "--check", "--json", path).json(), {"valid": True})
        cycle = model([node("Add", ["x", "y"], ["y"], "here")], [("x", FLOAT, [1])], [("y", FLOAT, [1])])
        self.fails(1, r"'here' \(Add\).*'y'", "info", "--check", self.write("cycle.onnx", cycle))
        twice = model([node("LeakyRelu", ["x"], ["y"], "here") +
                       message((5, attribute("axis", 1)))], [("x", FLOAT, [1])], [("y", FLOAT, [1])])
        self.fails(1, r"'here' .*'axis'", "info", "--check", self.write("attribute.onnx", twice))
        self.fails(2, "give one of", "info", "--check", "--graph", path)


class Graph(Case):
    def test_dot(self):
        path = self.write("sums.onnx", sums())
        text = self.succeeds("graph", path).out
        self.assertTrue(text.startswith("digraph"), text[:80])
        self.assertIn("Add", text)
        self.assertEqual(text.count("{"), text.count("}"))
        self.succeeds("graph", path, "-o", self.folder / "sums.dot")
        self.assertEqual((self.folder / "sums.dot").read_text(), text)
        self.fails(1, "expected a name that ends in", "graph", path, "-o", self.folder / "sums.$(x)")
        self.fails(1, "absent.onnx", "graph", self.folder / "absent.onnx")

    def test_outputs_that_nobody_wants(self):
        last = message(*((1, i) for i in "xwr"), (2, ""), (2, "y"), (4, "RNN"), (5, attribute("hidden_size", 1)))
        inputs = [("x", FLOAT, [1, 1, 1]), ("w", FLOAT, [1, 1, 1]), ("r", FLOAT, [1, 1, 1])]
        path = self.write("last.onnx", model([last], inputs, [("y", FLOAT, [1, 1, 1])]))
        self.assertIn("RNN", self.succeeds("graph", path).out)
        self.succeeds("infer", path, "--random")

    @unittest.skipUnless(shutil.which("dot"), "Graphviz is not there")
    def test_svg(self):
        self.succeeds("graph", self.write("sums.onnx", sums()), "-o", self.folder / "sums.svg")
        self.assertIn("<svg", (self.folder / "sums.svg").read_text())

    def test_names_are_quoted(self):
        name = 'y" ]; x [label="\\"'
        path = self.write("names.onnx", model([node("Identity", ["x"], [name], name)], [("x", FLOAT, [1])], [(name, FLOAT, [1])]))
        text = self.succeeds("graph", path).out
        self.assertNotIn(' ]; x [label="', text.replace('\\"', ""))


if __name__ == "__main__":
    main()
