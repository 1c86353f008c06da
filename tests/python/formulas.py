"""The recipes against their formulas, in numpy and in float64."""
import math
import unittest

import numpy as np
import thalweg

LR, DECAY = 0.03, 0.1


def sgd(g, s, t):
    s["m"] = g if t == 1 else 0.9 * s["m"] + g
    return s["m"]


def moments(g, s, beta1=0.9, beta2=0.999):
    s["m"] = beta1 * s.get("m", 0) + (1 - beta1) * g
    s["v"] = beta2 * s.get("v", 0) + (1 - beta2) * g * g
    return s["m"], s["v"]


def adam(g, s, t):
    m, v = moments(g, s)
    return m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


def nadam(g, s, t):
    def mu(t):
        return 0.9 * (1 - 0.5 * 0.96 ** (0.004 * t))

    m, v = moments(g, s)
    s["product"] = s.get("product", 1) * mu(t)
    now = (1 - mu(t)) * g / (1 - s["product"])
    return (now + mu(t + 1) * m / (1 - s["product"] * mu(t + 1))) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


def radam(g, s, t):
    m, v = moments(g, s)
    m, limit = m / (1 - 0.9**t), 2 / (1 - 0.999) - 1
    rho = limit - 2 * t * 0.999**t / (1 - 0.999**t)
    if rho <= 5:
        return m
    r = math.sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
    return m * r * math.sqrt(1 - 0.999**t) / (np.sqrt(v) + 1e-8)


def rmsprop(g, s, t):
    s["v"] = 0.99 * s.get("v", 0) + 0.01 * g * g
    return g / (np.sqrt(s["v"]) + 1e-8)


def adagrad(g, s, t):
    s["sum"] = s.get("sum", 0) + g * g
    return g / (np.sqrt(s["sum"]) + 1e-10)


class Formulas(unittest.TestCase):
    def follow(self, recipe, update, decoupled):
        random = np.random.default_rng(2)
        w = random.standard_normal((7, 5))
        expected, state = w.copy(), {}
        opt = thalweg.Optimizer(recipe, {"w": w}, lr=LR, weight_decay=DECAY)
        for t in range(1, 31):
            g = random.standard_normal(w.shape)
            opt.step([g])
            if decoupled:
                expected = (1 - LR * DECAY) * expected - LR * update(g, state, t)
            else:
                expected = expected - LR * update(g + DECAY * expected, state, t)
            np.testing.assert_allclose(w, expected, rtol=1e-12, atol=1e-13, err_msg=f"{recipe}, step {t}")

    def test_decay_in_the_gradient(self):
        for update in (sgd, adam, nadam, radam, rmsprop, adagrad):
            with self.subTest(update.__name__):
                self.follow(update.__name__, update, decoupled=False)

    def test_decoupled_decay(self):
        self.follow("adamw", adam, decoupled=True)


if __name__ == "__main__":
    unittest.main()
