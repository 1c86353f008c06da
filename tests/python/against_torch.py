"""The recipes against torch.optim, in float64, each at its own defaults; the weights are one memory for both kinds."""
import sys
import unittest

import numpy as np

try:
    import torch
except ImportError:
    print("not installed: torch")
    sys.exit(77)

import thalweg

torch_1 = torch.__version__.startswith("1.")


class AgainstTorch(unittest.TestCase):
    def follow(self, recipe, make, lr=0.03, weight_decay=0.1, steps=30):
        torch.manual_seed(1)
        theirs = [torch.nn.Parameter(torch.randn(shape, dtype=torch.float64)) for shape in [(7, 5), (3,), (2, 3, 4, 2)]]
        ours = [p.detach().clone() for p in theirs]
        their = make(theirs, lr=lr, weight_decay=weight_decay)
        our = thalweg.Optimizer(recipe, {f"p{i}": p.numpy() for i, p in enumerate(ours)}, lr=lr,
                                weight_decay=weight_decay)
        for step in range(steps):
            for p in theirs:
                p.grad = torch.randn_like(p)
            our.step([p.grad.numpy() for p in theirs])
            their.step()
            for mine, yours in zip(ours, theirs):
                np.testing.assert_allclose(mine.numpy(), yours.detach().numpy(), rtol=1e-11, atol=1e-12,
                                           err_msg=f"{recipe}, step {step + 1}")

    def test_adamw(self):
        self.follow("adamw", torch.optim.AdamW)
        self.follow("adamw(beta1=0.8, beta2=0.9, epsilon=0.001)",
                    lambda p, **o: torch.optim.AdamW(p, betas=(0.8, 0.9), eps=1e-3, **o))

    def test_sgd(self):
        self.follow("sgd(momentum=0)", torch.optim.SGD)
        self.follow("sgd", lambda p, **o: torch.optim.SGD(p, momentum=0.9, **o))

    def test_adam(self):
        self.follow("adam", torch.optim.Adam)

    def test_amsgrad(self):
        self.follow("amsgrad", lambda p, **o: torch.optim.AdamW(p, amsgrad=True, **o))

    def test_rmsprop(self):
        self.follow("rmsprop", torch.optim.RMSprop)

    @unittest.skipIf(torch_1, "PyTorch 1 counts the momentum twice in the look ahead")
    def test_nadam(self):
        self.follow("nadam", torch.optim.NAdam)

    def test_radam(self):
        self.follow("radam", torch.optim.RAdam)

    def test_adagrad(self):
        self.follow("adagrad", torch.optim.Adagrad)

    def test_one_cycle_of_theirs_by_our_lr(self):
        """A schedule that the user keeps: their scheduler, our lr."""
        p = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
        mine = np.ones(3)
        their = torch.optim.SGD([p], lr=0.5)
        schedule = torch.optim.lr_scheduler.StepLR(their, step_size=2, gamma=0.1)
        our = thalweg.Optimizer("sgd(momentum=0)", {"p": mine})
        for _ in range(6):
            p.grad = torch.full_like(p, 0.25)
            our.lr = schedule.get_last_lr()[0]
            our.step([p.grad.numpy()])
            their.step()
            schedule.step()
        np.testing.assert_allclose(mine, p.detach().numpy(), rtol=1e-14)

    def test_a_module_is_trained_in_its_own_memory(self):
        torch.manual_seed(2)
        model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
        x = torch.randn(64, 4)
        y = x[:, :1] - x[:, 1:2]
        named = dict(model.named_parameters())
        opt = thalweg.Optimizer("amuse", {name: p.detach().numpy() for name, p in named.items()}, lr=0.02,
                                warmup_steps=10, roles={"0.weight": "hidden", "2.weight": "head"})

        def loss():
            return torch.nn.functional.mse_loss(model(x), y)

        first = loss().item()
        for _ in range(100):
            model.zero_grad()
            loss().backward()
            opt.step({name: p.grad.numpy() for name, p in named.items()})
        with opt.evaluation_point(), torch.no_grad():
            self.assertLess(loss().item(), first / 10)


if __name__ == "__main__":
    unittest.main()
