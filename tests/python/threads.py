"""Python's threads: they run during a step, and take turns at one optimizer."""
import sys
import threading
import unittest

import numpy as np
import thalweg

SIZE = 50_000


def made(chain="sf_adamw"):
    params = {"w": np.ones(SIZE)}
    return thalweg.Optimizer(chain, params, lr=0.01, warmup_steps=2, threads=1), params["w"]


def in_threads(*bodies):
    """Runs them all at once; what one raises is raised here."""
    raised = []

    def guarded(body):
        try:
            body()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=[body]) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in raised:
        raise error


class Threads(unittest.TestCase):
    def test_others_run_during_a_step(self):
        """No thread is made to let go: another runs only where one does so by itself."""
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(1000)
        for call in (lambda opt, g: opt.step(g), lambda opt, g: opt.averaged("w"),
                     lambda opt, g: opt.evaluation_point().__enter__()):
            opt, _ = made()
            g, calls, stop = [np.ones(SIZE)], [], []
            opt.step(g)

            def body(call=call, opt=opt, g=g, calls=calls, stop=stop):
                while not stop and len(calls) < 5000:
                    call(opt, g)
                    calls.append(1)

            thread = threading.Thread(target=body)
            thread.start()
            stop.append(1)
            thread.join()
            self.assertLess(len(calls), 5000)

    def test_two_optimizers(self):
        alone, w_alone = made()
        g = [np.linspace(-1, 1, SIZE)]
        for _ in range(50):
            alone.step(g)
        pairs = [made() for _ in range(2)]

        def train(opt):
            for _ in range(50):
                opt.step(g)

        in_threads(*(lambda opt=opt: train(opt) for opt, _ in pairs))
        for opt, w in pairs:
            self.assertEqual(opt.steps, 50)
            np.testing.assert_array_equal(w, w_alone)

    def test_one_optimizer(self):
        alone, w_alone = made()
        g = [np.linspace(-1, 1, SIZE)]
        for _ in range(100):
            alone.step(g)
        opt, w = made()

        def train():
            for _ in range(50):
                opt.step(g)

        def watch():
            while opt.steps < 100:
                self.assertTrue(np.isfinite(opt.averaged("w")).all())
                opt.describe()
                opt.state_dict()

        in_threads(train, train, watch)
        np.testing.assert_array_equal(w, w_alone)

    def test_a_point_stops_another_thread(self):
        opt, w = made()
        g = [np.linspace(-1, 1, SIZE)]
        for _ in range(3):
            opt.step(g)
        y = w.copy()
        refused = []

        def train():
            try:
                opt.step(g)
            except thalweg.Error as error:
                refused.append(str(error))

        with opt.evaluation_point():
            in_threads(train)
        self.assertIn("at y", refused[0])
        np.testing.assert_array_equal(w, y)


if __name__ == "__main__":
    unittest.main()
