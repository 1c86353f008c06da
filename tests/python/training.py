"""numpy arrays, trained where they lie: memory, lifetimes, the evaluation point, state."""
import ast
import copy
import gc
import json
import os
import pathlib
import pickle
import sys
import tempfile
import unittest
import unittest.mock
import weakref

import numpy as np
import thalweg

CHAINS = [
    "amuse",
    "adamw",
    "sf_adamw",
    "cosine(steps=40) | muon",
    "accumulate(steps=3) | ema(beta=0.9) | adamw",
    "route(when(hidden_matrix, nesterov_ema | orthogonalize_update), otherwise(scale_by_adam)) | apply_update",
]


def address(array):
    return array.__array_interface__["data"][0]


def model(dtype=np.float64, seed=1):
    random = np.random.default_rng(seed)
    return {
        "w": random.standard_normal((6, 4)).astype(dtype),
        "columns": np.asfortranarray(random.standard_normal((5, 3)).astype(dtype)),
        "filters": random.standard_normal((2, 3, 2, 2)).astype(dtype),
        "b": random.standard_normal(37).astype(dtype),
        "one": np.array(0.5, dtype),
    }


def gradients_of(params, seed):
    random = np.random.default_rng(seed)
    return {name: np.asarray(random.standard_normal(p.shape), p.dtype, order="F" if name == "columns" else "C")
            for name, p in params.items()}


def copied(params):
    return {name: p.copy(order="K") for name, p in params.items()}


def optimizer(chain, params, lr=0.1, **more):
    more.setdefault("roles", {name: "hidden" for name in dict(params)})
    return thalweg.Optimizer(chain, params, lr=lr, warmup_steps=3, **more)


def train(opt, params, steps):
    for seed in steps:
        opt.step(gradients_of(params, seed), loss=1.0 + seed)


class Case(unittest.TestCase):
    def assert_same(self, received, expected):
        self.assertEqual(list(received), list(expected))
        for name, array in expected.items():
            np.testing.assert_array_equal(received[name], array, err_msg=name, strict=True)


class InPlace(Case):
    def test_values_change_and_memory_does_not(self):
        for dtype in (np.float32, np.float64):
            w = np.array([[1, 2], [3, 4]], dtype)
            before, alias = address(w), w[1:]
            opt = thalweg.Optimizer("sgd(momentum=0)", {"w": w}, lr=0.5)
            report = opt.step([np.array([[1, 0], [0, 2]], dtype)])
            self.assertTrue(report.taken)
            self.assertIsNone(report.parameter)
            self.assertEqual(address(w), before)
            np.testing.assert_array_equal(w, [[0.5, 2], [3, 3]])
            np.testing.assert_array_equal(alias, [[3, 3]])
            self.assertEqual(w.dtype, dtype)

    def test_slices_of_one_array(self):
        everything = np.zeros(10, np.float32)
        opt = thalweg.Optimizer("sgd(momentum=0)", [("w", everything[1:7].reshape(2, 3)), ("b", everything[7:9])], lr=1)
        opt.step((np.arange(6, dtype=np.float32).reshape(2, 3), np.full(2, -1, np.float32)))
        np.testing.assert_array_equal(everything, [0, 0, -1, -2, -3, -4, -5, 1, 1, 0])

    def test_columns_are_columns(self):
        for chain in CHAINS:
            rows = {"w": model()["w"]}
            columns = {"w": np.asfortranarray(rows["w"])}
            by_rows, by_columns = (optimizer(chain, p) for p in (rows, columns))
            for seed in range(4):
                g = gradients_of(rows, seed)["w"]
                by_rows.step([g])
                by_columns.step([np.asfortranarray(g)])
            self.assertTrue(columns["w"].flags.f_contiguous)
            np.testing.assert_allclose(columns["w"], rows["w"], rtol=1e-4, atol=1e-5, err_msg=chain)
            self.assertTrue(by_columns.averaged("w").flags.f_contiguous)

    def test_gradients_that_lie_otherwise_are_not_misread(self):
        def bare(array):
            moved = np.empty(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
            moved[...] = array
            self.assertFalse(moved.flags.aligned)
            return moved

        def strided(array):
            wide = np.zeros((*array.shape, 2), array.dtype)
            wide[..., 0] = array
            return wide[..., 0]

        ways = [np.asfortranarray, np.ascontiguousarray, bare, strided, lambda g: g[::-1].copy()[::-1]]
        for name in ("w", "columns"):
            expected = {name: model()[name]}
            thalweg.Optimizer("adamw", expected, lr=0.1).step(gradients_of(expected, 1))
            for way in ways:
                params = {name: model()[name]}
                g = gradients_of(params, 1)[name]
                given = way(g)
                thalweg.Optimizer("adamw", params, lr=0.1).step({name: given})
                self.assert_same(params, expected)
                np.testing.assert_array_equal(given, g)

    def test_gradients_by_name_come_in_any_order(self):
        by_name, by_order = model(), model()
        named, ordered = (optimizer("amuse", p) for p in (by_name, by_order))
        g = gradients_of(by_name, 3)
        named.step(dict(reversed(list(g.items()))))
        ordered.step(list(g.values()))
        self.assert_same(by_name, by_order)

    def test_roles_and_options_arrive(self):
        params = model()
        opt = thalweg.Optimizer("amuse", params, lr=0.25, weight_decay=0.5, warmup_steps=7, weight_lr_power=1, r=3,
                                roles={"w": "embedding", "columns": "head", "filters": "hidden"}, threads=1)
        said = opt.describe()
        self.assertIn("lr=0.25, weight_decay=0.5, warmup_steps=7, weight_lr_power=1, r=3", said)
        role = {line.split()[0]: line for line in said.splitlines() if line.startswith(("w ", "columns ", "filters "))}
        self.assertIn(" embedding ", role["w"])
        self.assertIn(" head ", role["columns"])
        self.assertIn(" hidden ", role["filters"])
        self.assertNotIn("orthogonalize", role["w"])
        self.assertIn("orthogonalize", role["filters"])

    def test_the_learning_rate_may_be_set(self):
        w = np.zeros(1)
        opt = thalweg.Optimizer("sgd(momentum=0)", {"w": w}, lr=1)
        opt.lr = 0.25
        opt.step([np.ones(1)])
        self.assertEqual((opt.lr, opt.steps, w[0]), (0.25, 1, -0.25))

    def test_reports(self):
        params = {"w": np.zeros(2), "b": np.zeros(2)}
        gather = thalweg.Optimizer("accumulate(steps=2) | sgd", params)
        self.assertEqual([gather.step([np.ones(2)] * 2).taken for _ in range(4)], [False, True] * 2)
        self.assertEqual(gather.steps, 2)
        skip = thalweg.Optimizer("when_finite | sgd", params)
        report = skip.step([np.ones(2), np.array([0, np.nan])])
        self.assertEqual((report.taken, report.parameter), (False, "b"))
        self.assertEqual(repr(report), "thalweg.StepReport(taken=False, parameter='b', lr=0, gradient_norm=None, without_gradient=0)")
        self.assertEqual((report.lr, report.gradient_norm), (0, None))
        measured = thalweg.Optimizer("report_gradient_norm | sgd", params, lr=0.5, warmup_steps=2)
        report = measured.step([np.array([3, 0.0]), np.array([0, 4.0])])
        self.assertEqual((report.lr, report.gradient_norm), (0.25, 5))
        self.assertEqual(repr(report), "thalweg.StepReport(taken=True, parameter=None, lr=0.25, gradient_norm=5, without_gradient=0)")

    def test_a_parameter_without_a_gradient_stands_still(self):
        params = {"w": np.zeros(2), "b": np.zeros(2)}
        opt = thalweg.Optimizer("adam", params, lr=0.5)
        one = np.ones(2)
        for given, still in (({"w": one, "b": one}, 0), ({"w": one, "b": None}, 1), ([one, None], 1), ([one, one], 0)):
            self.assertEqual(opt.step(given).without_gradient, still)
        np.testing.assert_allclose(params["w"], -2)
        np.testing.assert_allclose(params["b"], -1)  # Adam moves by lr: its own steps count
        self.assertIn("steps=2", opt.describe())

    def test_norms(self):
        params = {"w": np.zeros(2), "b": np.ones(1)}
        opt = thalweg.Optimizer("sgd", params, lr=0.5)
        report = opt.step([np.array([3.0, 4.0]), None], norms=True)
        del opt
        (w,) = report.parameters
        self.assertEqual((w.name, w.gradient_norm, w.update_norm, w.parameter_norm, w.ratio), ("w", 5, 2.5, 2.5, 1))
        self.assertEqual((w.largest_gradient, w.lr, w.beta, w.average_weight), (4, 0.5, None, None))
        self.assertEqual(json.loads(report.json)["parameters"][0]["update_norm"], 2.5)
        self.assertEqual(report.csv, '1,"w",5,2.5,2.5,1,4,0.5,,\n')
        self.assertEqual(len(thalweg.csv_header.split(",")), len(report.csv.split(",")))

    def test_settings(self):
        params = {"w": np.zeros(2)}
        opt = thalweg.Optimizer("adam", params)
        opt.set("scale_by_adam.beta2", 0.5)
        self.assertEqual(opt.get("scale_by_adam.beta2"), 0.5)
        with self.assertRaisesRegex(thalweg.Error, "Expected one of lr"):
            opt.set("beta2", 0.5)
        again = thalweg.Optimizer("adam", params)
        again.load_state_dict(opt.state_dict())
        self.assertEqual(again.get("scale_by_adam.beta2"), 0.5)

    def test_scaled_rows(self):
        params = {"w": np.array([[1.0, 2.0], [3.0, 4.0]])}
        opt = thalweg.Optimizer("adam", params)
        opt.scale_rows("w", np.minimum(1, 100 / np.array([400.0, 50.0])) ** 0.5)
        self.assertEqual(params["w"].tolist(), [[0.5, 1.0], [3.0, 4.0]])
        with self.assertRaisesRegex(thalweg.Error, "Expected one of w"):
            opt.scale_rows("b", [1])

    def test_other_parameters_and_settings(self):
        w = np.zeros(2)
        opt = thalweg.Optimizer("adam", {"w": w, "b": np.zeros(1)})
        opt.step([np.ones(2), np.ones(1)])
        other = thalweg.Optimizer("cosine(steps=10) | adam", {"w": w, "c": np.zeros(1)}, lr=0.1)
        with self.assertRaises(thalweg.Error):
            other.load_state_dict(opt.state_dict())
        report = other.load_state_dict(opt.state_dict(), parameters="partial", settings="keep")
        self.assertEqual((report.added, report.missing, report.reshaped), (["c"], ["b"], []))
        self.assertEqual(len(report.changed), 2)
        self.assertEqual((other.lr, other.steps), (0.1, 1))
        with self.assertRaisesRegex(thalweg.Error, "Expected parameters of 'exact' or 'partial'. Received 'all'"):
            other.load_state_dict(opt.state_dict(), parameters="all")

    def test_views(self):
        rng = np.random.default_rng(1)
        stack = rng.normal(size=(2, 4, 6)).astype(np.float32)
        parts = [stack[0].copy(), stack[1].copy()]
        opt = thalweg.Optimizer("muon", {"w": stack}, roles={"w": "hidden"}, views={"w": "stack"})
        apart = thalweg.Optimizer("muon", {"w[0]": parts[0], "w[1]": parts[1]}, roles={"w[0]": "hidden", "w[1]": "hidden"})
        g = rng.normal(size=(2, 4, 6)).astype(np.float32)
        opt.step({"w": g})
        apart.step([g[0], g[1]])
        np.testing.assert_array_equal(stack, np.stack(parts))
        for view, pattern in (("stack(stride=24)", "without a stride for 'w'"), ("rows", "Expected a view: stack")):
            with self.assertRaisesRegex(thalweg.Error, pattern):
                thalweg.Optimizer("muon", {"w": stack}, roles={"w": "hidden"}, views={"w": view})

    def test_windows(self):
        w = np.zeros(1)
        opt = thalweg.Optimizer("accumulate(steps=4) | sgd", {"w": w}, lr=1)
        self.assertFalse(opt.flush().taken)
        opt.step([np.array([2.0])])
        self.assertTrue(opt.flush().taken)
        self.assertEqual(w[0], -2)
        opt.step([np.array([2.0])])
        opt.drop()
        self.assertFalse(opt.flush().taken)

    def test_factors(self):
        params = {"w": np.ones(2), "b": np.ones(2)}
        opt = thalweg.Optimizer("sgd(momentum=0) ", params, lr=0.5, lr_factors={"w": 0.5})
        opt.step([np.ones(2), np.ones(2)])
        self.assert_same(params, {"w": np.full(2, 0.75), "b": np.full(2, 0.5)})
        self.assertIn("lr_factor=0.5", opt.describe())
        params = {"w": np.ones(2), "b": np.ones(2)}
        opt = thalweg.Optimizer("apply_update", params, lr=0.5, weight_decay=0.5, weight_decay_factors={"b": 0})
        opt.step([np.zeros(2), np.zeros(2)])
        self.assert_same(params, {"w": np.full(2, 0.75), "b": np.ones(2)})


class Lifetimes(Case):
    def test_arrays_live_as_long_as_their_optimizer(self):
        w = np.ones(3)
        gone = weakref.ref(w)
        opt = thalweg.Optimizer("adamw", {"w": w})
        del w
        gc.collect()
        self.assertIsNotNone(gone())
        opt.step([np.ones(3)])
        self.assertEqual(opt.averaged("w").shape, (3,))
        del opt
        self.assertIsNone(gone())

    def test_nothing_is_kept_of_a_step(self):
        w, g = np.ones((3, 2)), np.ones((3, 2))
        opt = thalweg.Optimizer("adamw", {"w": w})
        opt.step([g])
        kept = sys.getrefcount(w), sys.getrefcount(g)
        for _ in range(10):
            opt.step([g])
            with opt.evaluation_point():
                pass
            opt.load_state_dict(opt.state_dict())
            with self.assertRaises(thalweg.Error):
                opt.step([g, g])
        self.assertEqual((sys.getrefcount(w), sys.getrefcount(g)), kept)

    def test_memory_stays_where_it_is(self):
        owner = np.zeros(8)
        w = owner[2:6]
        opt = thalweg.Optimizer("sgd", {"w": w})
        with self.assertRaises(ValueError):
            owner.resize(10**6, refcheck=False)
        del opt
        owner.resize(1000, refcheck=False)

    def test_the_optimizer_may_go_first(self):
        params = model()
        opt = thalweg.Optimizer("sf_adamw", params, lr=0.1)
        train(opt, params, range(3))
        y = copied(params)
        with opt.evaluation_point():
            del opt
            gc.collect()
            self.assertFalse(np.array_equal(params["w"], y["w"]))
        self.assert_same(params, y)

    def test_a_point_that_nobody_leaves(self):
        params = model()
        opt = thalweg.Optimizer("sf_adamw", params, lr=0.1)
        train(opt, params, range(3))
        y = copied(params)
        point = opt.evaluation_point().__enter__()
        self.assertFalse(np.array_equal(params["w"], y["w"]))
        del point
        self.assert_same(params, y)
        opt.step(gradients_of(params, 4))


class EvaluationPoint(Case):
    def setUp(self):
        self.params = model()
        self.opt = optimizer("amuse", self.params)
        train(self.opt, self.params, range(5))
        self.y = copied(self.params)

    def test_x_then_y(self):
        x = {name: self.opt.averaged(name) for name in self.params}
        self.assert_same(self.params, self.y)
        with self.opt.evaluation_point():
            self.assert_same(self.params, x)
            self.assertFalse(np.array_equal(x["w"], self.y["w"]))
            self.assertFalse(np.shares_memory(x["w"], self.params["w"]))
            self.assert_same({name: self.opt.averaged(name) for name in self.params}, x)
        self.assert_same(self.params, self.y)

    def test_y_is_back_when_the_body_raises(self):
        with self.assertRaisesRegex(KeyError, "of the body"):
            with self.opt.evaluation_point():
                self.params["w"][:] = 7
                raise KeyError("of the body")
        self.assert_same(self.params, self.y)

    def test_no_step_at_x(self):
        with self.opt.evaluation_point():
            x = copied(self.params)
            with self.assertRaisesRegex(thalweg.Error, r"\[step\] Expected the parameters at y"):
                self.opt.step(gradients_of(self.params, 9))
            with self.assertRaisesRegex(thalweg.Error, r"\[evaluation_point\] Expected the parameters at y"):
                with self.opt.evaluation_point():
                    self.fail("inside a second point")
            self.assert_same(self.params, x)
        self.assert_same(self.params, self.y)
        self.assertEqual(self.opt.steps, 5)

    def test_a_point_may_be_used_again(self):
        point = self.opt.evaluation_point()
        self.assert_same(self.params, self.y)
        for _ in range(2):
            with point:
                self.assertFalse(np.array_equal(self.params["w"], self.y["w"]))
                with self.assertRaises(thalweg.Error):
                    point.__enter__()
                self.assertFalse(np.array_equal(self.params["w"], self.y["w"]))
            self.assert_same(self.params, self.y)


def widened(bits):
    """Numbers of bfloat16, which are the upper halves of floats."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


class SixteenBits(Case):
    def both(self, dtype, chain, **more):
        """The same training in float32, and of 16 bits."""
        random = np.random.default_rng(3)
        columns = random.standard_normal((5, 3))
        by_rows = more.get("state") == "eight_bits"  # whose blocks run along rows
        drawn = {"w": random.standard_normal((6, 4)), "columns": columns if by_rows else np.asfortranarray(columns)}

        def narrow(a):
            if dtype == np.float16:
                return a.astype(np.float16)
            return np.asarray(a.astype(np.float32).view(np.uint32) >> 16, np.uint16, order="K")

        def wide(a):
            return a.astype(np.float32) if dtype == np.float16 else widened(a)

        halves = {name: narrow(a) for name, a in drawn.items()}
        floats = {name: wide(a) for name, a in halves.items()}
        dtypes = {} if dtype == np.float16 else dict.fromkeys(halves, "bfloat16")
        opts = optimizer(chain, halves, dtypes=dtypes, **more), optimizer(chain, floats)
        before = {name: address(a) for name, a in halves.items()}
        for seed in range(5):
            given = [narrow(g) for g in gradients_of(drawn, seed).values()]
            opts[0].step(given)
            opts[1].step([wide(g) for g in given])
        self.assertEqual({name: address(a) for name, a in halves.items()}, before)
        return opts, halves, floats, wide

    def test_training_is_that_of_float32_bit_for_bit(self):
        for dtype in (np.float16, np.uint16):
            for chain in ("adamw", "amuse"):
                with self.subTest(dtype=dtype, chain=chain):
                    opts, halves, floats, wide = self.both(dtype, chain)
                    for name in halves:
                        self.assertEqual(halves[name].dtype, dtype)
                        x, other = (opt.averaged(name) for opt in opts)
                        np.testing.assert_array_equal(x, other, strict=True)
                        np.testing.assert_allclose(wide(halves[name]), floats[name], rtol=2**-8)

    def test_rounding_may_be_by_chance(self):
        runs = [self.both(np.uint16, "adamw", weights=weights, seed=seed, state=state)[1]["w"].tobytes()
                for weights, seed, state in [("stochastic", 1, "same"), ("stochastic", 1, "same"), ("stochastic", 2, "same"),
                                             ("nearest", 1, "same"), ("stochastic", 1, "eight_bits")]]
        self.assertEqual(runs[0], runs[1])
        self.assertEqual(len(set(runs)), 4)

    def test_gradients_have_types_of_their_own(self):
        values = {"w": np.array([1, 2, 3, -4], np.float32)}
        after = []
        for g in (np.array([0x3F80, 0x4000, 0xBF00, 0], np.uint16), np.array([1, 2, -0.5, 0], np.float16),
                  np.array([1, 2, -0.5, 0], np.float32)):
            w = copied(values)
            thalweg.Optimizer("adamw", w, lr=0.1).step([g])
            after.append(w["w"])
        np.testing.assert_array_equal(after[0], after[2])
        np.testing.assert_array_equal(after[1], after[2])

    def test_runs_resume_bit_for_bit(self):
        for state in ("bfloat16", "eight_bits"):
            opts, halves, _, _ = self.both(np.uint16, "amuse", state=state, weights="stochastic", seed=5)
            again = copied(halves)
            resumed = optimizer("amuse", again, dtypes=dict.fromkeys(again, "bfloat16"), state=state, weights="stochastic",
                                seed=5)
            self.assertTrue(resumed.load_state_dict(opts[0].state_dict()).checked)
            g = {name: np.full_like(a, 0x3F80) for name, a in halves.items()}
            opts[0].step(g), resumed.step(g)
            self.assert_same(again, halves)

    def test_ml_dtypes_need_no_word(self):
        try:
            import ml_dtypes
        except ImportError:
            self.skipTest("ml_dtypes is not installed")
        w = np.array([1, 2, 3], ml_dtypes.bfloat16)
        bits = w.view(np.uint16).copy()
        thalweg.Optimizer("adamw", {"w": w}, lr=0.1).step([np.array([1, -1, 0.5], ml_dtypes.bfloat16)])
        thalweg.Optimizer("adamw", {"w": bits}, lr=0.1, dtypes={"w": "bfloat16"}).step([np.array([1, -1, 0.5], np.float16)])
        np.testing.assert_array_equal(w.view(np.uint16), bits)
        self.assertFalse(np.array_equal(bits, np.array([1, 2, 3], ml_dtypes.bfloat16).view(np.uint16)))


class State(Case):
    def resumed(self, chain, params, load):
        """Steps that go on, and the same steps of another optimizer that was loaded: both parameters."""
        opt = optimizer(chain, params, weight_decay=0.01)
        train(opt, params, range(5))
        again = dict(reversed(list(copied(params).items())))
        other = optimizer(chain, again, lr=9, weight_decay=0.01)
        load(opt, other)
        self.assertEqual((other.steps, other.lr), (opt.steps, 0.1))
        train(opt, params, range(5, 10))
        for seed in range(5, 10):
            other.step(gradients_of(params, seed), loss=1.0 + seed)
        return {name: again[name] for name in params}, params

    def test_state_dict_resumes_bit_for_bit(self):
        for chain in CHAINS:
            for dtype in (np.float32, np.float64):
                with self.subTest(chain=chain, dtype=dtype):
                    self.assert_same(*self.resumed(
                        chain, model(dtype),
                        lambda a, b: b.load_state_dict(pickle.loads(pickle.dumps(copy.deepcopy(a.state_dict()))))))

    def test_state_may_lie_otherwise_in_memory(self):
        def load(a, b):
            saved = a.state_dict()
            saved["state"] = {name: array.copy("F") for name, array in reversed(saved["state"].items())}
            b.load_state_dict(saved)

        self.assert_same(*self.resumed("amuse", model(), load))

    def test_files_resume_bit_for_bit(self):
        with tempfile.TemporaryDirectory() as folder:
            for path in (pathlib.Path(folder) / "größe.safetensors", folder + "/text"):
                def load(a, b, path=path):
                    a.save(path)
                    b.load(path)
                self.assert_same(*self.resumed("amuse", model(), load))

    def test_from_x(self):
        params = model()
        opt = optimizer("amuse", params)
        train(opt, params, range(3))
        with opt.evaluation_point():
            saved, x = opt.state_dict(), copied(params)
        self.assertEqual(saved["metadata"]["mode"], "x")
        report = optimizer("amuse", x).load_state_dict(saved)
        self.assertTrue(report.checked)
        self.assertEqual(repr(report), "thalweg.LoadReport(checked=True, added=[], reshaped=[], missing=[], changed=[])")
        self.assert_same(x, params)

    def test_what_is_in_it(self):
        params = {"w": np.zeros((2, 3)), "columns": np.zeros((2, 3), order="F")}
        opt = thalweg.Optimizer("ema(beta=0.5) | sgd(momentum=0)", params)
        g = np.arange(6.0).reshape(2, 3)
        opt.step({"w": g, "columns": g})
        saved = opt.state_dict()
        self.assertEqual(sorted(saved), ["metadata", "state"])
        self.assertEqual(saved["metadata"]["step"], "1")
        self.assertEqual(saved["metadata"]["chain"], str(opt.chain))
        for _ in range(2):
            for name in params:
                momentum = saved["state"][f"{name}/ema.momentum"]
                np.testing.assert_array_equal(momentum, g / 2, strict=True)
                self.assertTrue(momentum.flags.c_contiguous and momentum.flags.owndata)
            opt.step({"w": g, "columns": g})  # of which a copy knows nothing

    def test_what_is_in_it_of_less_than_32_bits(self):
        w = np.full(300, 0x3F80, np.uint16)
        half = np.ones(3, np.float16)
        opt = thalweg.Optimizer("adamw", {"w": w, "half": half}, dtypes={"w": "bfloat16"}, state="eight_bits")
        opt.step([np.ones(300, np.float32), np.ones(3, np.float32)])
        saved = opt.state_dict()
        self.assertEqual({name: (array.dtype.name, array.shape) for name, array in saved["state"].items()},
                         {"w/lower_half": ("int16", (300,)), "half/in_float32": ("float32", (3,)),
                          **{f"{name}/scale_by_adam.{slot}": ("uint8", (n,))
                             for name, n in (("w", 300), ("half", 3)) for slot in ("first_moment", "second_moment")},
                          **{f"{name}/scale_by_adam.{slot}.scales": ("float32", (n,))
                             for name, n in (("w", 2), ("half", 1)) for slot in ("first_moment", "second_moment")}})
        self.assertEqual(saved["metadata"]["w/type"], "BF16")
        in_halves = thalweg.Optimizer("ema(beta=0.5) | sgd(momentum=0)", {"w": w}, dtypes={"w": "bfloat16"}, state="bfloat16")
        in_halves.step([np.full(300, 0x4000, np.uint16)])  # 2
        np.testing.assert_array_equal(in_halves.state_dict()["state"]["w/ema.momentum"], np.full(300, 0x3F80, np.uint16),
                                      strict=True)

    def test_nothing_is_left_behind(self):
        params = model()
        opt = optimizer("amuse", params)
        with tempfile.TemporaryDirectory() as folder, unittest.mock.patch.dict(os.environ, TMPDIR=folder):
            saved = opt.state_dict()
            opt.load_state_dict(saved)
            saved["metadata"]["step"] = "-1"
            with self.assertRaises(thalweg.Error):
                opt.load_state_dict(saved)
            self.assertEqual(os.listdir(folder), [])


class Chains(Case):
    def test_text_and_back(self):
        for text in CHAINS:
            chain = thalweg.parse(text)
            self.assertEqual(str(thalweg.parse(str(chain))), str(chain))
            for same in (thalweg.parse(str(chain)), eval(repr(chain)), pickle.loads(pickle.dumps(chain))):
                self.assertEqual(same, chain)
                self.assertEqual(hash(same), hash(chain))
        self.assertNotEqual(thalweg.parse("adamw"), thalweg.parse("adamw(beta1=0.8)"))
        self.assertNotEqual(thalweg.parse("adamw"), "adamw")

    def test_text_and_chain_train_alike(self):
        by_text, by_chain = model(), model()
        train(optimizer("amuse(rho=0.5)", by_text), by_text, range(3))
        opt = optimizer(thalweg.parse("amuse(rho=0.5)"), by_chain)
        train(opt, by_chain, range(3))
        self.assert_same(by_chain, by_text)
        self.assertEqual(opt.chain, thalweg.parse("amuse(rho=0.5)"))
        self.assertRegex(repr(opt), r"^<thalweg.Optimizer '.*', 5 parameters, lr=0.1, steps=3>$")


class Stub(Case):
    def test_the_stub_names_what_is_there(self):
        stub = ast.parse((pathlib.Path(__file__).parents[2] / "src/python/thalweg.pyi").read_text())

        def names(body):
            found = {node.name for node in body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
            found |= {node.target.id for node in body if isinstance(node, ast.AnnAssign)}
            return {name for name in found if not name.startswith("_")}

        self.assertEqual(names(stub.body), {name for name in dir(thalweg) if not name.startswith("_")})
        for node in stub.body:
            if isinstance(node, ast.ClassDef) and hasattr(thalweg, node.name) and node.name != "Error":
                there = {name for name in dir(getattr(thalweg, node.name)) if not name.startswith("_")}
                self.assertEqual(names(node.body), there, node.name)


if __name__ == "__main__":
    unittest.main()
