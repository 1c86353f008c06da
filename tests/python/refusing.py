"""Bad input: words that name it, and nothing changed."""
import copy
import os
import tempfile
import unittest

import numpy as np
import thalweg


def read_only():
    array = np.zeros(3)
    array.flags.writeable = False
    return array


def misaligned():
    return np.zeros(25, np.uint8)[1:].view(np.float64)


class Named(str):
    pass


class Endless(list):
    """Longer than it says."""

    def __iter__(self):
        yield from [self[0]] * 1000


class Parameters(unittest.TestCase):
    def refused(self, pattern, params, chain="adamw", **more):
        with self.assertRaisesRegex(thalweg.Error, pattern):
            thalweg.Optimizer(chain, params, **more)

    def test_errors_are_value_errors(self):
        self.assertTrue(issubclass(thalweg.Error, ValueError))
        self.assertIn("Nothing has changed", thalweg.Error.__doc__)

    def test_arrays(self):
        wide = np.zeros((4, 6))
        for array, pattern in [
            ([1.0, 2.0], r"\[optimizer\] Expected a numpy array for 'b'. Received list; numpy.asarray"),
            (1.0, "for 'b'. Received float"),
            (np.float64(1), "for 'b'. Received float64"),
            (None, "for 'b'. Received NoneType"),
            (np.ma.zeros(3), "for 'b'. Received MaskedArray"),
            (np.zeros(3).view(np.recarray), "for 'b'. Received recarray"),
            (wide[:, ::2], r"'b' to be contiguous. Received shape \(4, 3\) with strides \(48, 16\); "
                           r"train numpy.ascontiguousarray"),
            (wide[::2], "'b' to be contiguous"),
            (wide[0, ::-1], "'b' to be contiguous"),
            (np.zeros((2, 3, 4), order="F"), "'b' to be contiguous"),
            (np.broadcast_to(np.zeros(1), 3), "'b' to be writeable"),
            (read_only(), r"'b' to be writeable. Received it read-only; train numpy.array\("),
            (misaligned(), r"'b' in memory aligned to its type. Received it elsewhere; train numpy.array\("),
            (np.zeros(3, np.float32), "Expected float64 for 'b', because float64 must be the type of all parameters or of none. "
                                      r"Received float32; train a copy in its place, astype\(numpy.float64\)"),
            (np.zeros(3, ">f8"), "Expected float32, float64, float16 or bfloat16 for 'b'. Received >f8"),
        ]:
            with self.subTest(pattern):
                self.refused(pattern, {"a": np.zeros(3), "b": array})
        for dtype in ("int16", "int64", ">f4", ">f2", "complex128", "object", "longdouble"):
            name = dtype if dtype[0] == ">" else np.dtype(dtype).name
            self.refused(f"Expected float32, float64, float16 or bfloat16 for 'a'. Received {name}; .*astype",
                         {"a": np.zeros(3, dtype)})

    def test_dtypes(self):
        a, wide, half, bits = np.zeros(3, np.float32), np.zeros(3), np.zeros(3, np.float16), np.zeros(3, np.uint16)
        self.refused(r"for 'b'. Received uint16; dtypes=\{'b': 'bfloat16'\} says", {"a": a, "b": bits})
        self.refused("Expected dtypes of 'a'. Received one of 'c'", {"a": a}, dtypes={"c": "bfloat16"})
        self.refused(r"Expected names in UTF-8. Received '\\ud800'", {"\ud800": a})
        self.refused("Expected a dtype of 'float32' for 'a', whose array is float32. Received 'bfloat16'", {"a": a},
                     dtypes={"a": "bfloat16"})
        self.refused("Expected a dtype of 'bfloat16' for 'a', whose array is uint16. Received 'float16'", {"a": bits},
                     dtypes={"a": "float16"})
        self.refused("Expected float32, bfloat16 or float16 for 'b', because float64 must be the type of all parameters or of none. "
                     "Received float64", {"a": half, "b": wide})
        self.refused("Expected float64 for 'b', because float64 must be", {"a": wide, "b": bits}, dtypes={"b": "bfloat16"})
        self.refused("Expected state of 'same', 'float32', 'bfloat16' or 'eight_bits'. Received '8'", {"a": a}, state="8")
        self.refused("Expected weights of 'exact', 'nearest' or 'stochastic'. Received 'split'", {"a": a}, weights="split")
        self.refused("Expected state=same, for training in double. Received bfloat16", {"a": wide},
                     state="bfloat16")
        for wrong in (-1, 0.5, 2**64):
            with self.assertRaises(TypeError):
                thalweg.Optimizer("adamw", {"a": a}, seed=wrong)

    def test_containers(self):
        a = np.zeros(3)
        for params, received in [(a, "ndarray"), (None, "NoneType"), ("a", "str"), ([a], "an entry ndarray"),
                                 ([("a", a, a)], "an entry tuple"), ({1: a}, "a name of type int")]:
            self.refused(rf"Expected params as a dict by name, or as a list of \(name, value\). Received {received}",
                         params)
        self.refused("at least one parameter", {})
        self.refused("'a' twice", [("a", a), ("a", np.zeros(3))])
        self.refused("'a' and 'b', which overlap", {"a": a, "b": a[1:]})
        self.refused("a name for every parameter", {"": a})
        thalweg.Optimizer("adamw", [(Named("a"), a)])

    def test_roles(self):
        params = {"a": np.zeros((2, 2)), "b": np.zeros(3)}
        self.refused("Expected roles of 'a', 'b'. Received one of 'c'", params, roles={"c": "head"})
        self.refused("Expected lr_factors of 'a', 'b'. Received one of 'c'", params, lr_factors={"c": 1})
        self.refused("Expected weight_decay_factors of 'a', 'b'. Received", params, weight_decay_factors={"c": 1})
        for wrong in (-1, float("nan"), float("inf")):
            self.refused(r"Expected lr_factor of 'b' in \[0, inf\)", params, lr_factors={"b": wrong})
            self.refused(r"Expected weight_decay_factor of 'b' in", params, weight_decay_factors={"b": wrong})
        self.refused(r"Expected a role for 'a' with shape \(2, 2\), because this chain routes by role", params, "muon")
        thalweg.Optimizer("muon", params, roles={"a": "hidden"})
        thalweg.Optimizer("adamw", params)
        self.refused("role of 'hidden', 'embedding' or 'head' for 'a'. Received 'haed'", params, roles={"a": "haed"})

    def test_chains_and_options(self):
        params = {"a": np.zeros(3)}
        self.refused(r"\[parse\] .*'adamv' at column 1. Near: .*adamw", params, "adamv")
        self.refused("a chain as text or as thalweg.parse.* Received int", params, 3)
        self.refused(r"beta1 in \[0, 1\)", params, "adamw(beta1=1)")
        self.refused(r"\[cosine\] Expected steps, as in cosine\(steps=1000\)", params, "cosine | adamw")
        self.refused("lr is an option of the optimizer", params, "adamw(lr=1e-3)")
        self.refused(r"Expected rank >= 2. Received 'a' with shape \(3\)", params, "orthogonalize_update")
        self.refused("lr in", params, lr=-1)
        self.refused("lr in", params, lr=float("nan"))
        self.refused("weight_decay in", params, weight_decay=float("inf"))
        self.refused("warmup_steps in", params, warmup_steps=-1)
        self.refused("Expected threads >= 1. Received 0", params, threads=0)
        for wrong in [{"lr": "fast"}, {"warmup_steps": 1.5}, {"threads": -1}, {"beta": 1}, {"roles": {"a": 1}}]:
            with self.assertRaises(TypeError):
                thalweg.Optimizer("adamw", params, **wrong)
        with self.assertRaises(TypeError):
            thalweg.Optimizer("adamw", params, 0.1)
        with self.assertRaises(TypeError):
            thalweg.parse(None)
        with self.assertRaises(thalweg.Error):
            thalweg.parse("")


class Steps(unittest.TestCase):
    def setUp(self):
        self.params = {"w": np.ones((2, 3)), "b": np.ones(2)}
        self.opt = thalweg.Optimizer("sf_adamw", self.params, lr=0.1, warmup_steps=2)
        self.opt.step(self.gradients())
        self.before = copy.deepcopy(self.params), self.opt.state_dict()

    def gradients(self):
        return {"w": np.ones((2, 3)), "b": np.ones(2)}

    def tearDown(self):
        """Whatever was refused has changed nothing."""
        params, saved = self.before
        for name, array in params.items():
            np.testing.assert_array_equal(self.params[name], array)
        now = self.opt.state_dict()
        self.assertEqual(now["metadata"], saved["metadata"])
        for name, array in saved["state"].items():
            np.testing.assert_array_equal(now["state"][name], array)

    def refused(self, pattern, gradients, **more):
        with self.subTest(pattern), self.assertRaisesRegex(thalweg.Error, pattern):
            self.opt.step(gradients, **more)

    def test_gradients(self):
        g = self.gradients()
        for array, pattern in [
            (g["w"].astype(np.float32), r"gradient of float64 for 'w'. Received float32; give its astype\(numpy.float64\)"),
            (np.zeros((2, 3), np.uint16), "gradient of float64 for 'w'. Received uint16"),
            (g["w"].astype(">f8"), "Received >f8"),
            (g["w"].astype(int), "Received int64"),
            (g["w"].T, r"gradient with shape \(2, 3\) for 'w'. Received \(3, 2\)"),
            (g["w"].ravel(), r"Received \(6\)"),
            (g["w"][None], r"Received \(1, 2, 3\)"),
            (g["w"].tolist(), "numpy array as the gradient of 'w'. Received list"),
            (np.ma.masked_array(g["w"]), "Received MaskedArray"),
            (self.params["w"], "overlaps the parameter 'w'"),
        ]:
            self.refused(pattern, {**g, "w": array})
            self.refused(pattern, [array, g["b"]])

    def test_containers(self):
        w, b = self.gradients().values()
        self.refused("Expected gradients of 'w', 'b'. Received one of 'c'", {"w": w, "b": b, "c": b})
        self.refused("Expected a gradient for 'b', or None if it has none. Received no entry.", {"w": w})
        self.refused("a name of type int", {0: w, 1: b})
        self.refused("Expected 2 gradients, one for each parameter. Received 1", [w])
        self.refused("Expected 2 gradients, one for each parameter. Received 3", [w, b, b])
        self.refused("Expected 2 gradients, one for each parameter. Received 1000", Endless([w, b]))
        self.refused(r"with shape \(2, 3\) for 'w'. Received \(2\)", [b, w])
        self.refused("as a list in the order of the parameters. Received ndarray", w)
        self.refused("Received generator", (g for g in (w, b)))
        self.refused("Received NoneType", None)
        with self.assertRaises(TypeError):
            self.opt.step([w, b], loss="low")
        with self.assertRaises(TypeError):
            self.opt.step()

    def test_arrays_that_changed_since(self):
        self.params["b"].flags.writeable = False
        self.refused(r"\[step\] Expected 'b' to be writeable", self.gradients())
        with self.assertRaisesRegex(thalweg.Error, r"\[evaluation_point\] Expected 'b' to be writeable"):
            with self.opt.evaluation_point():
                self.fail()
        with self.assertRaisesRegex(thalweg.Error, r"\[load\] Expected 'b' to be writeable"):
            self.opt.load_state_dict(self.opt.state_dict())
        self.params["b"].flags.writeable = True

    def test_names_and_rates(self):
        with self.assertRaisesRegex(thalweg.Error, "Expected one of 'w', 'b'. Received 'c'"):
            self.opt.averaged("c")
        for lr in (-1, float("nan"), float("inf")):
            with self.assertRaisesRegex(thalweg.Error, "lr in"):
                self.opt.lr = lr

    def test_states(self):
        def without(key):
            saved = self.opt.state_dict()
            del saved["state"][key]
            return saved

        def changed(part, key, value):
            saved = self.opt.state_dict()
            saved[part][key] = value
            return saved

        saved = self.opt.state_dict()
        z = "w/update_by_schedule_free.z"
        for state, pattern in [
            ({}, r"\[load_state_dict\] Expected what state_dict\(\) returned, .* Received keys \[\]"),
            ({"state": {}}, r"Received keys \['state'\]"),
            ({**saved, "more": 1}, r"'more'"),
            ({"state": 3, "metadata": {}}, "Expected state as a dict by name.* Received int"),
            (without(z), f"Expected '{z}' in the checkpoint. Received none"),
            (changed("state", "w/more", np.zeros(3)), "Received 'w/more'"),
            (changed("state", z, saved["state"][z].T), r"Received shape \(3, 2\)"),
            (changed("state", z, saved["state"][z].astype(np.float32)), "of F64. Received .* of F32"),
            (changed("state", z, saved["state"][z].astype(int)), "Expected float32, float64, float16, uint16, uint8 or int16 for .* Received int64"),
            (changed("state", z, saved["state"][z] * np.nan), f"Expected '{z}' as it was saved. Received it damaged"),
            (changed("state", z, saved["state"][z] * (1 + 1e-15)), f"Expected '{z}' as it was saved"),
            (changed("state", z, saved["state"][z].tolist()), "Received list"),
            (changed("state", 3, saved["state"][z]), "a name of type int"),
            (changed("metadata", "step", 2), "Expected text for 'step'. Received int"),
            (changed("metadata", "thalweg", "0"), "version '0'"),
            *((changed("metadata", key, text), "Expected '__metadata__' as it was saved. Received it damaged")
              for key, text in [("step", "two"), ("step", "2"), ("chain", "adamw"), ("mode", "z"), ("spare", "")]),
        ]:
            with self.subTest(pattern), self.assertRaisesRegex(thalweg.Error, pattern):
                self.opt.load_state_dict(state)
        with self.assertRaises(TypeError):
            self.opt.load_state_dict(None)
        with self.opt.evaluation_point():
            with self.assertRaisesRegex(thalweg.Error, "Expected the parameters at y"):
                self.opt.load_state_dict(saved)

    def test_other_parameters(self):
        saved = self.opt.state_dict()
        other = {"w": np.zeros((2, 3)), "b": np.ones(2)}
        opt = thalweg.Optimizer("sf_adamw", other, lr=0.1, warmup_steps=2)
        with self.assertRaisesRegex(thalweg.Error, "Expected 'w' as it was when the checkpoint was saved"):
            opt.load_state_dict(saved)
        self.assertEqual(opt.steps, 0)

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            for path in (folder, os.path.join(folder, "no", "such")):
                with self.assertRaisesRegex(thalweg.Error, r"\[save\]"):
                    self.opt.save(path)
                with self.assertRaisesRegex(thalweg.Error, r"\[load\]"):
                    self.opt.load(path)
            cut = os.path.join(folder, "cut")
            self.opt.save(cut)
            os.truncate(cut, os.path.getsize(cut) - 1)
            with self.assertRaisesRegex(thalweg.Error, r"\[load\]"):
                self.opt.load(cut)
        with self.assertRaises(TypeError):
            self.opt.save(3)


if __name__ == "__main__":
    unittest.main()
