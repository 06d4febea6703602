"""Sounds and their classes in, a trained network that reads raw samples out.

    python examples/audio.py

Replace `clips` and `kinds` by yours, or name a folder of class folders of .wav files: aw.task.load("commands/"). The
extra `audio` brings what reads other files.
"""

import os

import numpy as np

import archwright as aw
from archwright.export import predict

rng, rate = np.random.default_rng(0), 8000
clips, kinds = [], ["rising", "falling", "level"] * 60
for kind in kinds:  # whistles of 0.2 to 0.4 seconds, in hiss
    time = np.arange(int(rate * rng.uniform(0.2, 0.4))) / rate
    change = {"rising": 2000, "falling": -2000, "level": 0}[kind] * rng.uniform(0.6, 1.2)
    pitch = rng.uniform(900, 1500) - change * time.mean()
    clips.append(np.sin(2 * np.pi * (pitch + change * time / 2) * time) + rng.normal(0, 0.3, len(time)))
whistles = aw.task.AudioClassification(clips, kinds, sample_rate=rate, name="whistles")
print(whistles)

budget = os.environ.get("ARCHWRIGHT_EXAMPLE_BUDGET", "2 min")
result = aw.search(whistles, objectives=[aw.maximize("accuracy"), aw.at_most(params="30k")], budget=budget)
print(f"accuracy {result.test['accuracy']['mean']:.3f} on the test clips")

folder = result.save("runs/audio")
print([(kind, answer.label) for kind, answer in zip(kinds, predict(folder, clips[:3]), strict=False)])
