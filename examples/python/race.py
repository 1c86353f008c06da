"""Races chains from Python, on three spirals that a small network learns to tell apart.

    race.py                              the chains below
    race.py "amuse" "muon | cautious"    yours, all at one learning rate
"""
import sys

import numpy as np
import thalweg

CHAINS = {
    "amuse": 0.05,
    "sf_adamw": 0.02,
    "cosine(steps=600) | adamw": 0.02,
    "cosine(steps=600) | cautious | sgd": 0.2,
}


def spirals(count, random):
    label = random.integers(3, size=count)
    radius = random.uniform(0.1, 1, count)
    angle = 4 * radius + label * 2 * np.pi / 3 + random.normal(0, 0.3, count)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).astype(np.float32), label


def network(random):
    def matrix(rows, columns):
        return random.normal(0, rows**-0.5, (rows, columns)).astype(np.float32)

    return {"embed": matrix(2, 32), "embed.bias": np.zeros(32, np.float32), "hidden": matrix(32, 32),
            "hidden.bias": np.zeros(32, np.float32), "head": matrix(32, 3)}


def softmax(net, x):
    first = np.tanh(x @ net["embed"] + net["embed.bias"])
    second = np.tanh(first @ net["hidden"] + net["hidden.bias"])
    logits = second @ net["head"]
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return first, second, powers / powers.sum(1, keepdims=True)


def loss(net, x, label):
    return -np.log(softmax(net, x)[2][np.arange(len(x)), label]).mean()


def gradients(net, x, label):
    first, second, probability = softmax(net, x)
    at_head = (probability - np.eye(3, dtype=np.float32)[label]) / np.float32(len(x))
    at_hidden = at_head @ net["head"].T * (1 - second**2)
    at_embed = at_hidden @ net["hidden"].T * (1 - first**2)
    return {"embed": x.T @ at_embed, "embed.bias": at_embed.sum(0), "hidden": first.T @ at_hidden,
            "hidden.bias": at_hidden.sum(0), "head": second.T @ at_head}


# snippet: python_race
def race(chain, lr, steps=600):
    random = np.random.default_rng(1)
    held_out, net = spirals(2000, random), network(random)  # net: name -> array
    roles = {"embed": "embedding", "hidden": "hidden", "head": "head"}
    opt = thalweg.Optimizer(chain, net, lr=lr, warmup_steps=30, roles=roles)
    losses = []
    for step in range(1, steps + 1):
        opt.step(gradients(net, *spirals(64, random)))  # writes into net's arrays
        if step % (steps // 4) == 0:
            with opt.evaluation_point():  # net holds x here, and y again afterwards
                losses.append(loss(net, *held_out))
    return losses
# end


def main(chains):
    print(f"{'loss on held-out data after':<40}{'25 %':>8}{'50 %':>8}{'75 %':>8}{'100 %':>8}")
    last = []
    for chain, lr in chains.items():
        losses = race(chain, lr)
        last.append(losses[-1])
        print(f"{chain:<40}" + "".join(f"{value:8.4f}" for value in losses))
    if not min(last) < 0.5:
        sys.exit("No optimizer learned: equal probabilities have a loss of 1.0986.")


if __name__ == "__main__":
    main(dict.fromkeys(sys.argv[1:], CHAINS["amuse"]) or CHAINS)
