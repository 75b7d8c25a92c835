"""The training steps of trainer/fit/ in NumPy: the same maths and the same Adam, in place and in float32.

Reads commands from standard input, one JSON object a line, and answers each with one line:
  {"load": FOLDER, "loss": NAME}   takes weights and examples from FOLDER; answers with NumPy's and its BLAS's names
  {"steps": N, "rate": R}          takes N steps on batches in order; answers with their losses and what time they took
"""

import json
import os
import sys
import time

import numpy as np

TEMPERATURE = np.float32(0.075)


class Adam:
    """With the bias corrections kept as averages of ones, as trainer/adam.ts has them."""

    def __init__(self, weights):
        self.mean = [np.zeros_like(w) for w in weights]
        self.square = [np.zeros_like(w) for w in weights]
        self.spare = [np.empty_like(w) for w in weights]
        self.one_mean = self.one_square = 0.0

    def step(self, weights, gradients, rate):
        self.one_mean = 0.9 * self.one_mean + 0.1
        self.one_square = 0.999 * self.one_square + 0.001
        for w, g, m, s, t in zip(weights, gradients, self.mean, self.square, self.spare):
            m *= np.float32(0.9)
            np.multiply(g, np.float32(0.1), out=t)
            m += t
            np.square(g, out=t)
            t *= np.float32(0.001)
            s *= np.float32(0.999)
            s += t
            np.multiply(s, np.float32(1 / self.one_square), out=t)
            np.sqrt(t, out=t)
            t += np.float32(1e-8)
            np.divide(m, t, out=t)
            t *= np.float32(-rate / self.one_mean)
            w += t


def cross_entropy(weights, x, targets, _prompts):
    w1, b1, w2, b2 = weights
    h = x @ w1
    h += b1
    np.maximum(h, 0, out=h)
    z = h @ w2
    z += b2
    z -= z.max(axis=1, keepdims=True)
    e = np.exp(z)
    total = e.sum(axis=1, keepdims=True)
    loss = -((z - np.log(total)) * targets).sum() / len(x)
    d = e / total
    d -= targets
    d /= np.float32(len(x))
    dh = d @ w2.T
    dh *= h > 0
    return loss, [x.T @ dh, dh.sum(axis=0), h.T @ d, d.sum(axis=0)]


def log_sum_exp(z, axis):
    most = z.max(axis=axis, keepdims=True)
    return np.log(np.exp(z - most).sum(axis=axis, keepdims=True)) + most


def contrastive(weights, x, o, prompts):
    w1, b1, w2, b2 = weights
    size, scale = np.float32(len(x)), 1 / TEMPERATURE
    h = x @ w1
    h += b1
    np.maximum(h, 0, out=h)
    g = h @ w2
    g += b2
    length = np.sqrt(np.square(g).sum(axis=1, keepdims=True))
    y = g / length

    e = y @ y.T
    e += (o @ (prompts @ prompts.T)) @ o.T
    e *= scale / 2
    e -= scale
    np.exp(e, out=e)
    total = e.sum(axis=1, keepdims=True)
    count = o.sum(axis=0)
    with np.errstate(divide="ignore"):
        log_count = np.log(count)
    u = (y @ prompts.T) * scale
    over_texts = log_sum_exp(u + log_count, 1)
    over_pictures = log_sum_exp(u, 0)
    mass = e @ (o / total)
    v = 2 * u - over_texts
    loss = -(mass * (v - over_pictures)).sum() / (2 * size)

    row = np.exp(u - over_pictures) * count
    transposed = np.exp(u + log_count - over_texts) * mass.sum(axis=1, keepdims=True)
    dy = (((2 * mass - row - transposed) * (-scale / (2 * size))) @ prompts)
    mean = ((e @ v) * o).sum(axis=1, keepdims=True) / total
    d = v @ o.T
    d -= mean.T
    d *= (-scale / (4 * size)) / total.T
    d += d.T.copy()
    e *= d
    dy += e @ y
    dg = (dy - y * (y * dy).sum(axis=1, keepdims=True)) / length
    dh = dg @ w2.T
    dh *= h > 0
    return loss, [x.T @ dh, dh.sum(axis=0), h.T @ dg, dg.sum(axis=0)]


def blas_name():
    try:
        with open("/proc/self/maps", encoding="utf-8") as maps:
            paths = {line.split()[-1] for line in maps if "blas" in line and ".so" in line}
        names = sorted(os.path.basename(os.path.realpath(path)) for path in paths)
        return ", ".join(names) or "BLAS built in"
    except OSError:
        return "unknown BLAS"


def load(folder):
    with open(os.path.join(folder, "arrays.json"), encoding="utf-8") as index:
        shapes = json.load(index)
    return {
        name: np.fromfile(os.path.join(folder, name + ".f32"), dtype=np.float32).reshape(shape)
        for name, shape in shapes.items()
    }


def main():
    for line in sys.stdin:
        command = json.loads(line)
        if "load" in command:
            arrays = load(command["load"])
            weights = [arrays[name] for name in ("w1", "b1", "w2", "b2")]
            adam = Adam(weights)
            differentiate = {"cross-entropy": cross_entropy, "contrastive": contrastive}[command["loss"]]
            x, targets, order = arrays["x"], arrays["targets"], arrays["order"].astype(np.int64)
            at = 0
            answer = {"numpy": np.__version__, "blas": blas_name()}
        else:
            losses = []
            start, start_cpu = time.perf_counter(), time.process_time()
            for _ in range(command["steps"]):
                rows = order[at % len(order)]
                at += 1
                loss, gradients = differentiate(weights, x[rows], targets[rows], arrays["prompts"])
                adam.step(weights, gradients, command["rate"])
                losses.append(float(loss))
            answer = {
                "seconds": time.perf_counter() - start,
                "cpuSeconds": time.process_time() - start_cpu,
                "losses": losses,
            }
        print(json.dumps(answer), flush=True)


main()
