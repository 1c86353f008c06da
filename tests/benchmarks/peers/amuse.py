"""The AMUSE step on one transformer block of GPT-2 small's size, written in PyTorch operations.

amuse.py [--threads N] [--rounds N]: prints milliseconds a step for each precision of the Newton-Schulz iteration.
The state is float32 throughout; the arithmetic of a step is thalweg's recipe `amuse` on hidden matrices.
"""
import argparse
import statistics
import time

import torch

SHAPES = [(768, 2304), (768, 768), (768, 3072), (3072, 768)]
A, B, C = 3.4445, -4.7750, 2.0315


def newton_schulz(update, dtype, steps=5, epsilon=1e-7):
    x = update.to(dtype)
    tall = x.size(0) > x.size(1)
    if tall:
        x = x.T
    x = x / (x.norm() + epsilon)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=B, alpha=C), x, beta=A)
    return (x.T if tall else x).to(update.dtype)


class Amuse:
    def __init__(self, parameters, dtype, lr=0.02, weight_decay=0.05, momentum=0.95, beta1=0.6, rho=0.8, warmup=100):
        self.parameters, self.dtype = parameters, dtype
        self.lr, self.weight_decay, self.momentum = lr, weight_decay, momentum
        self.beta1, self.rho, self.warmup = beta1, rho, warmup
        self.m = [torch.zeros_like(p) for p in parameters]
        self.z = [p.clone() for p in parameters]
        self.steps, self.weights, self.beta, self.c_warm = 0, 0.0, beta1, None

    @torch.no_grad()
    def step(self, gradients):
        self.steps += 1
        lr = self.lr * min(1.0, self.steps / self.warmup)
        self.weights += lr * lr
        c = lr * lr / self.weights
        previous, beta = self.beta, self.beta1
        if self.steps == self.warmup:
            self.c_warm = c
        if self.steps > self.warmup:
            beta = 1 - (c * (1 - self.c_warm) / (self.c_warm * (1 - c))) ** self.rho * (1 - self.beta1)
        for p, g, m, z in zip(self.parameters, gradients, self.m, self.z):
            m.lerp_(g, 1 - self.momentum)
            update = newton_schulz(g.lerp(m, self.momentum), self.dtype)
            update.mul_(0.2 * max(p.shape) ** 0.5)
            x = (p - z).div_(previous).add_(z)  # y = (1 - beta) z + beta x
            z.mul_(1 - lr * self.weight_decay).add_(update, alpha=-lr)
            x.lerp_(z, c)
            p.copy_(z).lerp_(x, beta)
        self.beta = beta


def milliseconds(dtype, rounds):
    torch.manual_seed(0)
    parameters = [0.02 * torch.randn(s) for s in SHAPES]
    gradients = [torch.randn(s) for s in SHAPES]
    optimizer = Amuse(parameters, dtype)
    times = []
    for _ in range(rounds + 1):  # the first one warms up
        start = time.perf_counter()
        optimizer.step(gradients)
        times.append(1e3 * (time.perf_counter() - start))
    return times[1:]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for name, dtype in (("bfloat16", torch.bfloat16), ("float32", torch.float32)):
        times = milliseconds(dtype, arguments.rounds)
        print(f"torch {name} {arguments.threads} {min(times):.2f} {statistics.median(times):.2f}", flush=True)
