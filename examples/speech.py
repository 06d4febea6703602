"""Sounds and what is said in them, a trained network that listens out.

    python examples/speech.py

Replace `clips` and `texts` by yours, or name a table of files and texts: aw.task.load("clips.csv", kind="speech",
text="sentence"). Needs the extra `audio`.
"""

import os

import numpy as np

import archwright as aw
from archwright.export import predict

rng, rate = np.random.default_rng(0), 4000
pitch = {"do": 262, "re": 390, "mi": 590, "fa": 880, "so": 1300}  # a language of whistles, a word a pitch
clips, texts = [], []
for _ in range(300):
    words = rng.choice(list(pitch), rng.integers(2, 5)).tolist()
    tones = [np.sin(6.28 * pitch[w] * np.arange(rng.integers(300, 600)) / rate) for w in words]
    clip = np.concatenate([part for tone in tones for part in (np.zeros(rng.integers(80, 200)), tone)])
    clips.append(clip + rng.normal(0, 0.1, len(clip)))
    texts.append(" ".join(words))
whistles = aw.task.SpeechRecognition(clips, texts, sample_rate=rate, level="word", name="whistled words")
print(whistles)

budget = os.environ.get("ARCHWRIGHT_EXAMPLE_BUDGET", "3 min")
result = aw.search(whistles, objectives=[aw.minimize("wer"), aw.at_most(params="100k")], budget=budget)
print(f"{result.test['wer']['mean']:.1%} of the words of the test clips are wrong")

folder = result.save("runs/speech")
print([(text, answer.value) for text, answer in zip(texts, predict(folder, clips[:2]), strict=False)])
