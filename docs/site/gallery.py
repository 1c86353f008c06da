#!/usr/bin/env python3
"""gallery.py FOLDER: draws what transforms do, as SVG files in the folder.

Every number comes from the library: each curve is a chain from text, which trains numpy arrays. gnuplot draws them.
"""
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import thalweg

COLOURS = ["#2a6f97", "#e07a1f", "#5b9a4a", "#b0413e", "#7b5ea7", "#8a8a8a"]


def draw(path, title, across, up, curves, style="lines", settings=()):
    """curves: name -> rows of numbers (x, y)."""
    size = f"720,{360 + 20 * len(curves)}"  # a line for each name
    script = [f"set terminal svg size {size} dynamic font 'sans-serif,13' background 'white'", f"set output '{path}'",
              *(f'set {where} "{text}" noenhanced' for where, text in
                (("title", title), ("xlabel", across), ("ylabel", up))),
              "set grid lc rgb '#dddddd'", "set border 3 lc rgb '#666666'", "set tics nomirror",
              f"set key below left vertical maxrows {len(curves)} Left reverse noenhanced samplen 2", *settings]
    for i, rows in enumerate(curves.values()):
        script += [f"$d{i} << end", *(" ".join(f"{x:.5g}" for x in row) for row in rows), "end"]
    plots = [f"$d{i} using 1:2 with {style} lw 2 lc rgb '{COLOURS[i % 6]}' title \"{name}\""
             for i, name in enumerate(curves)]
    subprocess.run(["gnuplot"], input="\n".join([*script, "plot " + ", ".join(plots)]), text=True, check=True)


def updates_of(chain, gradients, start=None, roles={}, **options):
    """What the chain makes of gradients, one array a step. With lr = 1 a parameter moves by minus the update."""
    w = np.zeros_like(gradients[0]) if start is None else start.copy()
    opt, updates = thalweg.Optimizer(chain, {"w": w}, lr=1, roles=roles, **options), []
    for g in gradients:
        before = w.copy()
        opt.step({"w": g})
        updates.append(before - w)
    return updates


# ---- one picture for each section of the catalogue -------------------------------------------------------------------


def momentum(path):
    """A gradient of 1 in the first step, and of 0 afterwards."""
    gradients = [np.array([1.0 if t == 0 else 0.0]) for t in range(40)]
    chains = ["ema(beta=0.9)", "heavyball_momentum(beta=0.9)", "nesterov_momentum(beta=0.9)", "nesterov_ema(beta=0.9)"]
    draw(path, "One gradient of 1, then gradients of 0", "step", "update",
         {chain: [(t + 1, u[0]) for t, u in enumerate(updates_of(chain, gradients))] for chain in chains})


def adaptive(path):
    """A noisy gradient that grows tenfold half-way."""
    random = np.random.default_rng(1)
    gradients = [random.standard_normal(256) * 0.3 + (1.0 if t < 100 else 10.0) for t in range(200)]
    chains = ["scale_by_adam", "scale_by_rms", "scale_by_rss", "scale_by_adopt", "scale_by_lion",
              "scale_by_adam(beta2=0.95)"]
    draw(path, "The gradient grows from 1 to 10 after 100 steps", "step", "mean update",
         {chain: [(t + 1, u.mean()) for t, u in enumerate(updates_of(chain, gradients))] for chain in chains},
         settings=["set yrange [0:4]"])


def histogram(path):
    """The elements of one update, for gradients with a heavy tail."""
    random = np.random.default_rng(2)
    gradients = [random.standard_t(3, 20000) for _ in range(20)]
    edges = np.linspace(-3, 3, 61)
    middles = (edges[1:] + edges[:-1]) / 2
    curves = {}
    for chain in ["ema(beta=0.9)", "scale_by_adam", "scale_by_rms", "clip_by_value(limit=1)"]:
        counts, _ = np.histogram(updates_of(chain, gradients)[-1], edges)
        curves[chain] = list(zip(middles, counts / 20000))
    draw(path, "The elements of an update (gradients of Student's t, 3 degrees)", "element", "share", curves, "histeps")


def spectra(path):
    """Singular values of a momentum, and of what `orthogonalize_update` makes of it."""
    random = np.random.default_rng(3)
    left, right = (np.linalg.qr(random.standard_normal((64, 64)))[0] for _ in "lr")
    matrix = left @ np.diag(np.geomspace(1, 1e-3, 64)) @ right
    chains = {"before": None, "orthogonalize_update": "orthogonalize_update(scale=none)",
              "coefficients=polar_express": "orthogonalize_update(scale=none, coefficients=polar_express)",
              "coefficients=cans": "orthogonalize_update(scale=none, coefficients=cans)"}
    curves = {}
    for name, chain in chains.items():
        made = matrix if chain is None else updates_of(chain, [matrix], roles={"w": "hidden"})[0]
        curves[name] = list(enumerate(np.linalg.svd(made, compute_uv=False), 1))
    draw(path, "Singular values of a matrix of 64 × 64", "number", "singular value", curves,
         settings=["set logscale y", "set yrange [1e-3:2]", "set format y '10^{%T}'"])


def bounds(path):
    """The norm of an update, before and after."""
    random = np.random.default_rng(4)
    direction = random.standard_normal(100)
    direction /= np.linalg.norm(direction)
    norms = np.linspace(0.02, 4, 100)
    chains = ["clip_by_value(limit=0.2)", "clip_by_norm(max_norm=1)", "clip_by_rms(max_rms=0.2)",
              "scale_to_rms(rms=0.15)", "scale_by_trust_ratio(trust=0.5)"]
    start = random.standard_normal(100)
    start /= np.linalg.norm(start)
    draw(path, "One update of 100 numbers; the parameter has the norm 1", "norm before", "norm after",
         {chain: [(n, np.linalg.norm(updates_of(chain, [direction * n], start)[0])) for n in norms] for chain in chains})


def corrections(path):
    """Weights in a field of noise, with the same decay by two rules."""
    curves = {}
    for chain in ["scale_by_adam", "scale_by_adam | cautious", "scale_by_adam | cautious_decay | apply_update"]:
        random = np.random.default_rng(5)
        w = np.full(2000, 3.0)
        opt, rows = thalweg.Optimizer(chain, {"w": w}, lr=0.02, weight_decay=0.2), []
        for step in range(600):
            opt.step({"w": (w - 1) * 0.3 + random.standard_normal(2000)})
            rows.append((step + 1, w.mean()))
        curves[chain] = rows
    draw(path, "Weights from 3 towards 1, noisy gradients, decay 0.2", "step", "mean weight", curves)


def schedules(path):
    """The learning rate of each step, as the report of `step` gives it."""
    chains = ["warmup(steps=200)", "linear(steps=1000)", "cosine(steps=1000)", "cosine_restarts(steps=200, growth=2)",
              "join(for_steps(200, warmup(steps=200)), inverse_sqrt(steps=200))",
              "warmup_stable_decay(warmup_steps=100, steps=1000, decay_steps=200)"]
    curves = {}
    for chain in chains:
        opt = thalweg.Optimizer(chain, {"w": np.zeros(1)}, lr=1)
        curves[chain] = [(t + 1, opt.step({"w": np.zeros(1)}).lr) for t in range(1000)]
    draw(path, "The learning rate, as a multiple of the optimizer's", "step", "factor", curves,
         settings=["set yrange [0:1.05]"])


def valley(path, contenders, title, steps):
    """Paths in a valley that bends: steep across, with a slow slope along it. name -> (chain, lr)"""
    def river(a):
        return 1.2 * np.sin(0.6 * a)

    def gradient(w, random):
        across = 6 * (w[1] - river(w[0]))
        return np.array([-0.5 - across * 0.72 * np.cos(0.6 * w[0]), across]) + random.standard_normal(2) * np.array([0.5, 4])

    curves = {"the bottom of the valley": [(a, river(a)) for a in np.linspace(-0.5, 7, 120)]}
    for name, (chain, lr) in contenders.items():
        random = np.random.default_rng(6)
        w = np.array([0.0, 1.5])
        opt, rows = thalweg.Optimizer(chain, {"w": w}, lr=lr, warmup_steps=10), [w.copy()]
        while opt.steps < steps and w[0] < 7:
            opt.step({"w": gradient(w, random)})
            rows.append(opt.averaged("w") if name.startswith("x of") else w.copy())
        curves[name] = rows
    draw(path, title, "along the valley", "across", curves, settings=["set yrange [-2.2:2.2]", "set xrange [-0.5:7]"])


def ends(path):
    valley(path, {"apply_update": ("apply_update", 0.08), "y of update_by_schedule_free": ("update_by_schedule_free", 0.2),
                  "x of update_by_schedule_free": ("update_by_schedule_free", 0.2)},
           "Plain gradients with noise, 150 steps; lr 0.08, and 0.2 with the average", 150)


def amuse(path):
    """β_t of AMUSE, from the report of a step."""
    curves = {}
    for chain in ["amuse_beta(beta1=0.6, rho=0.8)", "amuse_beta(beta1=0.6, rho=0.8, beta1_steps=375)",
                  "amuse_beta(beta1=0.8, rho=0.3)", "amuse_beta(beta1=0.8, rho=0.3, beta1_steps=300)"]:
        opt = thalweg.Optimizer(f"{chain} | update_by_schedule_free", {"w": np.zeros(1)}, lr=1, warmup_steps=50)
        curves[chain] = [(t + 1, opt.step({"w": np.ones(1)}, norms=True).parameters[0].beta) for t in range(1000)]
    draw(path, "β of AMUSE, with a warm-up of 50 steps", "step", "β", curves)


def recipes(path):
    valley(path, {"sgd, lr 0.02": ("sgd", 0.02), "adamw, lr 0.05": ("adamw", 0.05), "lion, lr 0.03": ("lion", 0.03),
                  "x of sf_adamw, lr 0.1": ("sf_adamw", 0.1)}, "Recipes, gradients with noise, 150 steps", 150)


# section of the catalogue -> its pictures: file, drawing, text
PICTURES = {
    "Momentum": [("momentum.svg", momentum, "What a momentum makes of one gradient")],
    "Adaptive": [("adaptive.svg", adaptive, "How fast a second moment follows a gradient that grows"),
                 ("histogram.svg", histogram, "The histogram of an update")],
    "Matrices": [("spectra.svg", spectra, "Singular values before and after orthogonalisation")],
    "Norms and bounds": [("bounds.svg", bounds, "The norm of an update before and after")],
    "Corrections": [("corrections.svg", corrections, "Weights that decay by two rules")],
    "Learning rate and schedules": [("schedules.svg", schedules, "Schedules")],
    "Ends": [("ends.svg", ends, "Paths in a valley"), ("amuse_beta.svg", amuse, "β of AMUSE")],
    "Recipes": [("recipes.svg", recipes, "Paths of recipes in a valley")],
}


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for pictures in PICTURES.values():
        for file, drawing, _ in pictures:
            drawing(folder / file)


if __name__ == "__main__":
    if not shutil.which("gnuplot"):
        print("gnuplot is not installed")
        sys.exit(77)
    main(pathlib.Path(sys.argv[1]))
