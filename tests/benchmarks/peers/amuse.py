"""The AMUSE step on one transformer block of GPT-2 small's size, written in PyTorch operations.

For every line "amuse bfloat16 2" (the Newton-Schulz iteration's precision, the threads) on the standard input it takes
one step and answers with the seconds that it took; for "product bfloat16 2" it multiplies two square matrices. State is
float32; the equations are those of thalweg's recipe.
"""
import sys
import time

import torch

SHAPES = [(768, 2304), (768, 768), (768, 3072), (3072, 768)]
SIDE = 1536  # of the products
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
    def __init__(self, parameters, dtype, lr=0.02, weight_decay=0.05, momentum=0.95, beta1=0.6, rho=0.8, warmup=4):
        self.parameters, self.dtype = parameters, dtype
        self.lr, self.weight_decay, self.momentum = lr, weight_decay, momentum
        self.beta1, self.rho, self.warmup = beta1, rho, warmup
        self.m = [torch.zeros_like(p) for p in parameters]
        self.z = [p.clone() for p in parameters]
        self.steps, self.weights, self.beta, self.warm_weight = 0, 0.0, beta1, None

    @torch.no_grad()
    def step(self, gradients):
        self.steps += 1
        lr = self.lr * min(1.0, self.steps / self.warmup)
        self.weights += lr * lr
        c = lr * lr / self.weights
        previous, beta = self.beta, self.beta1
        if self.steps == self.warmup:
            self.warm_weight = c
        if self.steps > self.warmup:
            s = c * (1 - self.warm_weight) / (self.warm_weight * (1 - c))
            beta = 1 - s**self.rho * (1 - self.beta1)
        for p, g, m, z in zip(self.parameters, gradients, self.m, self.z):
            m.lerp_(g, 1 - self.momentum)
            update = newton_schulz(g.lerp(m, self.momentum), self.dtype)
            update.mul_(0.2 * max(p.shape) ** 0.5)
            p.sub_(z).div_(previous).add_(z)  # x, from y = (1 - beta) z + beta x
            z.mul_(1 - lr * self.weight_decay).add_(update, alpha=-lr)
            p.lerp_(z, c)
            p.lerp_(z, 1 - beta)
        self.beta = beta


def main():
    torch.manual_seed(0)
    gradients = [torch.randn(s) for s in SHAPES]
    prepared = {}

    def prepare(what, dtype):
        if what == "product":
            a, b = (torch.randn(SIDE, SIDE).to(dtype) for _ in range(2))
            return lambda: a @ b
        optimizer = Amuse([0.02 * torch.randn(s) for s in SHAPES], dtype)
        return lambda: optimizer.step(gradients)

    for line in sys.stdin:
        what, dtype, threads = line.split()
        torch.set_num_threads(int(threads))
        if (what, dtype) not in prepared:
            prepared[what, dtype] = prepare(what, getattr(torch, dtype))
            prepared[what, dtype]()
        start = time.perf_counter()
        prepared[what, dtype]()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
