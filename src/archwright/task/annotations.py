"""Boxes as people keep them: COCO's JSON, Pascal VOC's XML, YOLO's text files. All become files, boxes and labels."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from archwright.errors import DataError
from archwright.task.reading import image_files

__all__ = ["Annotated", "by_image", "holds_boxes", "read_boxes", "read_coco", "read_voc", "read_yolo"]

PARTS = {"train": ("train", "training"), "validation": ("val", "valid", "validation"), "test": ("test",)}


@dataclass
class Annotated:
    """Images with boxes: a file each, its boxes (k, 4) as left, top, right, bottom in pixels, and a label a box."""

    files: list[Path] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)
    labels: list[list[str]] = field(default_factory=list)

    def add(self, file: Path, boxes: Sequence[Sequence[float]], labels: Sequence[str]) -> None:
        """One image more."""
        self.files.append(file)
        self.boxes.append(np.asarray(boxes, dtype=np.float64).reshape(-1, 4))
        self.labels.append(list(labels))


def holds_boxes(path: Path) -> bool:
    """Whether a folder looks like one of the three kinds, or an ``.npz`` file has boxes; a broken one has none."""
    if path.is_file():
        try:
            with np.load(path, allow_pickle=False) as file:
                return "boxes" in file
        except Exception:  # whoever reads it next says what is wrong
            return False
    return _is_voc(path) or _is_yolo(path) or bool(_coco_files(path))


def by_image(boxes: Any, labels: Any, counts: Any, where: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Boxes and labels of each image, of arrays that hold those of all.

    Args:
        boxes: (n, most, 4), of which the first `counts` of each image are boxes and the rest is anything; or (total,
            4), those of the first image first.
        labels: (n, most) or (total,) likewise.
        counts: (n,), how many boxes each image has.
        where: What to call them in messages.
    """
    boxes, labels, counts = (np.asarray(given) for given in (boxes, labels, counts))
    if counts.ndim != 1 or counts.dtype.kind not in "iu" or (len(counts) and counts.min() < 0):
        raise DataError(f"{where}: counts have shape {counts.shape}: allowed is (n,), how many boxes each image has")
    padded = boxes.ndim == 3
    if boxes.ndim not in (2, 3) or boxes.shape[-1] != 4 or labels.shape != boxes.shape[:-1]:
        raise DataError(
            f"{where}: boxes have shape {boxes.shape} and labels {labels.shape}: with counts, allowed are (n, most, 4) "
            f"and (n, most), or (total, 4) and (total,)"
        )
    if padded and (len(boxes) != len(counts) or counts.max(initial=0) > boxes.shape[1]):
        raise DataError(
            f"{where}: counts are of {len(counts)} images and up to {counts.max(initial=0)}, boxes of {len(boxes)} and "
            f"up to {boxes.shape[1]}: they must agree"
        )
    if not padded and counts.sum() != len(boxes):
        raise DataError(f"{where}: counts say {counts.sum()} boxes, and there are {len(boxes)}: they must agree")
    if padded:
        return [b[:k] for b, k in zip(boxes, counts, strict=True)], [s[:k] for s, k in zip(labels, counts, strict=True)]
    ends = np.cumsum(counts)[:-1]
    return np.split(boxes, ends), np.split(labels, ends)


def read_boxes(path: str | Path) -> dict[str, Annotated]:
    """The parts of a folder or a COCO file, by name: ``train``; ``validation`` and ``test`` where it has them."""
    path = Path(path)
    if path.is_file():
        return {"train": read_coco(path)}
    if not path.is_dir():
        raise DataError(f"{str(path)!r} does not exist: give a folder of images with boxes, or a COCO file (.json)")
    if _is_voc(path):
        return read_voc(path)
    if _is_yolo(path):
        return read_yolo(path)
    if coco := _coco_files(path):
        return {part: read_coco(file, path) for part, file in coco.items()}
    raise DataError(
        f"folder {str(path)!r} holds no boxes: expected Annotations/*.xml (Pascal VOC), images/ and labels/ (YOLO), or "
        f"annotations in .json files (COCO)"
    )


def read_coco(file: str | Path, folder: str | Path | None = None) -> Annotated:
    """A COCO file of instances; images are looked for beside it, in `folder`, and in the folders below these."""
    file = Path(file)
    try:
        data: Any = json.loads(file.read_text(encoding="utf-8"))
        names = {c["id"]: str(c["name"]) for c in data["categories"]}
        of: dict[Any, list[tuple[list[float], str]]] = {image["id"]: [] for image in data["images"]}
        for entry in data["annotations"]:
            if entry.get("iscrowd"):
                continue  # a crowd is no thing to find
            left, top, wide, high = map(float, entry["bbox"])
            of[entry["image_id"]].append(([left, top, left + wide, top + high], names[entry["category_id"]]))
    except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{file} is no COCO file of boxes ({type(error).__name__}: {error}): it needs images, categories, and "
            f"annotations with image_id, category_id and bbox"
        ) from None
    above = [file.parent.parent] if file.parent.name.lower() == "annotations" else []
    places = [file.parent, *above, *([] if folder is None else [Path(folder)])]
    found = Annotated()
    missing = []
    for image in data["images"]:
        name = str(image["file_name"])
        place = next((p / name for p in places if (p / name).is_file()), None)
        place = place or _below(Path(name).name, file, places)
        if place is None:
            missing.append(name)
            continue
        entries = of[image["id"]]
        found.add(place, [box for box, _ in entries], [label for _, label in entries])
    _images_of.cache_clear()  # files come and go
    _refuse_missing(missing, len(data["images"]), str(file))
    return found


def read_voc(path: Path) -> dict[str, Annotated]:
    """Pascal VOC: ``Annotations/``, ``JPEGImages/``, and parts by the lists in ``ImageSets/Main``, if there are any."""
    files = {f.stem: f for f in sorted((path / "Annotations").glob("*.xml"))}
    pictures = next((path / d for d in ("JPEGImages", "images") if (path / d).is_dir()), path)  # masks have their names
    images = {f.stem: f for f in image_files(pictures)}
    _refuse_missing([name for name in files if name not in images], len(files), str(path / "Annotations"))
    lists = {part: _list_of(path / "ImageSets" / "Main", words) for part, words in PARTS.items()}
    if not lists["train"]:
        lists = {"train": list(files), "validation": None, "test": None}
    parts = {}
    for part, names in lists.items():
        if names is None:
            continue
        found = Annotated()
        for name in names:
            if name not in files:
                raise DataError(f"the list of the {part} part names {name!r}, which has no Annotations/{name}.xml")
            found.add(images[name], *_read_xml(files[name]))
        parts[part] = found
    return parts


def _list_of(folder: Path, words: Sequence[str]) -> list[str] | None:
    file = next((folder / f"{w}.txt" for w in words if (folder / f"{w}.txt").is_file()), None)
    return [line.split()[0] for line in file.read_text().splitlines() if line.strip()] if file else None


def _read_xml(file: Path) -> tuple[list[list[float]], list[str]]:
    """Boxes and labels. VOC counts pixels from 1 and names the last one inside, so that left and top are one less."""
    boxes, labels = [], []
    try:
        for thing in ElementTree.parse(file).getroot().iter("object"):
            left, top, right, bottom = (
                float(thing.findtext(f"bndbox/{k}", "?")) for k in ("xmin", "ymin", "xmax", "ymax")
            )
            boxes.append([max(0.0, left - 1), max(0.0, top - 1), right, bottom])
            labels.append(thing.findtext("name", "").strip())
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(
            f"{file} is no annotation of Pascal VOC ({error}): each object needs a name and a bndbox"
        ) from None
    return boxes, labels


def read_yolo(path: Path) -> dict[str, Annotated]:
    """YOLO: ``images/`` and ``labels/``, whole or with folders of parts in or around them; names of classes beside."""
    from PIL import Image

    names = _yolo_names(path)
    parts = {}
    for part, (images, texts) in _yolo_folders(path).items():
        found = Annotated()
        for file in image_files(images):
            text = texts / file.relative_to(images).with_suffix(".txt")
            with Image.open(file) as image:
                wide, high = image.size
            boxes, labels = [], []
            for n, line in enumerate(text.read_text().splitlines() if text.is_file() else [], start=1):
                if not line.strip():
                    continue
                try:
                    kind, x, y, w, h = (float(v) for v in line.split()[:5])
                    label = names[int(kind)] if names else str(int(kind))
                except (ValueError, IndexError):
                    raise DataError(
                        f"{text}, line {n}: {line!r} is no box: a class from 0 to {len(names) - 1}, then centre, width "
                        f"and height as shares of the image"
                    ) from None
                boxes.append([(x - w / 2) * wide, (y - h / 2) * high, (x + w / 2) * wide, (y + h / 2) * high])
                labels.append(label)
            found.add(file, boxes, labels)
        orphans = set(_by_stem(texts.rglob("*.txt"))) - {f.stem for f in found.files} - {"classes"}
        _refuse_missing(sorted(orphans), len(found.files) + len(orphans), str(texts))
        parts[part] = found
    return parts


def _yolo_folders(path: Path) -> dict[str, tuple[Path, Path]]:
    """Images and labels of each part: ``images/train`` or ``train/images``; or those of one undivided whole."""
    found: dict[str, tuple[Path, Path]] = {}
    for part, words in PARTS.items():
        for word in words:
            for images, texts in (("images/" + word, "labels/" + word), (word + "/images", word + "/labels")):
                if (path / images).is_dir() and (path / texts).is_dir():
                    found.setdefault(part, (path / images, path / texts))
    return found if "train" in found else {"train": (path / "images", path / "labels")}


def _yolo_names(path: Path) -> list[str]:
    """Names of classes, in order: of ``classes.txt``, or of ``names:`` in a YAML file, as a list or by number."""
    for file in (path / "classes.txt", path / "labels" / "classes.txt"):
        if file.is_file():
            return [line.strip() for line in file.read_text().splitlines() if line.strip()]
    for file in sorted(path.glob("*.y*ml")):
        text = file.read_text()
        inline = re.search(r"^names:\s*\[(.*?)\]", text, re.MULTILINE | re.DOTALL)
        block = re.search(r"^names:\s*\n((?:[ \t]*(?:-|\d+:).*\n?)+)", text, re.MULTILINE)
        given = inline.group(1).split(",") if inline else block.group(1).splitlines() if block else []
        if given:
            return [re.sub(r"^\s*(?:-|\d+:)?\s*", "", g).strip().strip("'\"") for g in given]
    return []


def _is_voc(path: Path) -> bool:
    return path.is_dir() and any((path / "Annotations").glob("*.xml"))


def _is_yolo(path: Path) -> bool:
    images, texts = _yolo_folders(path)["train"]
    return images.is_dir() and texts.is_dir() and any(texts.rglob("*.txt"))


def _coco_files(path: Path) -> dict[str, Path]:
    """Files of boxes by part, which their name or that of their folder says; a single one is divided later."""
    there = [f for depth in ("*", "*/*", "*/annotations/*") for f in sorted(path.glob(f"{depth}.json"))]
    there = [f for f in there if b'"annotations"' in f.read_bytes()]
    found: dict[str, Path] = {}
    for part, words in PARTS.items():
        for file in there:
            if set(words) & _words(file.relative_to(path)):
                found.setdefault(part, file)
    return found if "train" in found else {"train": there[0]} if there else {}


def _below(name: str, file: Path, places: Sequence[Path]) -> Path | None:
    """The image of this name below the first of `places` that has one; of several there, that of the same part."""
    for place in places:
        there = _images_of(place).get(name, [])
        if len(there) > 1:
            words = {word for words in PARTS.values() if set(words) & _words(file) for word in words}
            there = [f for f in there if words & _words(f)]
            if len(there) != 1:
                raise DataError(
                    f"{file} names the image {name!r}, and several folders below {str(place)!r} have one: write "
                    f"file_name with its folder, as images/{name}"
                )
        if there:
            return there[0]
    return None


@functools.lru_cache(maxsize=8)
def _images_of(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for f in image_files(folder):
        found.setdefault(f.name, []).append(f)
    return found


def _words(file: Path) -> set[str]:
    """Of the names of a file and the two folders it is in, in small letters."""
    return set(re.split(r"[^a-z]+", "/".join(file.with_suffix("").parts[-3:]).lower()))


def _by_stem(files: Any) -> dict[str, Path]:
    return {f.stem: f for f in files}


def _refuse_missing(missing: Sequence[str], of: int, where: str) -> None:
    if missing:
        shown = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
        raise DataError(
            f"{where}: {len(missing)} of {of} images are missing: {shown}. Put them back, or remove their annotations"
        )
