"""Images from the shell: data in, a network that makes more like them, and a picture of many."""

import json

import numpy as np
from PIL import Image

from archwright.task import load


def test_images_are_searched_exported_and_made(archwright, tmp_path):
    images = load("digits", kind="generation").train.targets[:40, 0].numpy()
    np.savez("few.npz", x=(127.5 * (images + 1)).astype(np.uint8))
    told = json.loads(archwright("tasks", "few.npz", "--kind", "generation", "--json").stdout)
    assert told["kind"] == "ImageGeneration"
    assert told["doubts"] == []
    assert "ImageGeneration" in archwright("tasks", "few.npz", "--kind", "generation").stdout
    done = archwright(
        "search", "few.npz", "--kind", "generation", "--trials", "2", "--out", "run", "--max-params", "20k",
        "--workers", "1",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "test frechet" in " ".join(done.stdout.replace("│", " ").split())
    made = archwright("predict", "run", "--samples", "9", "--out", "grid.png", "--seed", "4")
    assert made.exit_code == 0, made.stderr
    assert "9 images in grid.png" in made.stderr
    with Image.open("grid.png") as grid:
        assert grid.size == (26, 26)
    answers = json.loads(archwright("predict", "run", "--samples", "2", "--json").stdout)["predictions"]
    assert len(answers) == 2
    for wrong in ((), ("few.npz", "--samples", "2")):
        refused = archwright("predict", "run", *wrong)
        assert refused.exit_code != 0
        assert "samples" in refused.stderr
