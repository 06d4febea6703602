"""`export`: a folder with every form, each checked, all or nothing."""

import hashlib
import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import torch
from torch import nn

from archwright.errors import ExportError
from archwright.export import Card, export, read_card
from archwright.export.forms import open_form

sys.path.insert(0, str(Path(__file__).parent))
from export_networks import IMAGE, SEQUENCE, Attention, Branches, Gated, Last, Recurrent, Tied, trained

NETWORKS = {"branches": (Branches, IMAGE), "recurrent": (Recurrent, SEQUENCE), "attention": (Attention, SEQUENCE)}
LIGHT = ("weights", "source")


@pytest.fixture(scope="module", params=NETWORKS)
def exported(request, tmp_path_factory):
    """A network, its input shape, the folder with all its forms, and its card: made once."""
    make, shape = NETWORKS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    network = trained(make)
    return network, shape, folder, export(network, folder, input_shape=shape, card=Card(name=request.param, seed=4))


def test_every_form_is_there_and_was_checked(exported):
    _, _, folder, card = exported
    assert card.left_out == {}
    assert {p.name for p in folder.iterdir()} == {
        "card.json", "model.py", "model.onnx", "model.pt2", "weights.safetensors",
    }  # fmt: skip
    for file in card.files:
        content = (folder / file.name).read_bytes()
        assert file.bytes == len(content)
        assert file.sha256 == hashlib.sha256(content).hexdigest()
        assert file.check["max_difference"] <= file.check["tolerance"] * file.check["scale"]
        assert len(set(file.check["batches"])) >= 3


@pytest.mark.parametrize("form", ["source", "onnx", "pt2"])
@pytest.mark.parametrize("batch", [1, 5, 17])
def test_every_form_takes_batches_of_any_size(exported, form, batch):
    network, shape, folder, _ = exported
    x = torch.randn(batch, *shape, generator=torch.Generator().manual_seed(batch))
    got = open_form(folder, form)(x)
    with torch.no_grad():
        assert torch.allclose(got[0] if form == "onnx" else got, network(x), atol=1e-5)


def test_the_card_reads_back_as_it_was_written(exported):
    _, shape, folder, card = exported
    assert read_card(folder) == card
    assert card.input_shape == shape
    assert card.output_shape == ((10,) if shape == IMAGE else (4,))
    assert card.seed == 4
    assert set(card.versions) >= {"python", "torch", "archwright"}


def test_each_form_loads_where_archwright_is_not_installed(exported, elsewhere, tmp_path):
    network, shape, folder, _ = exported
    x = torch.randn(6, *shape, generator=torch.Generator().manual_seed(9))
    torch.save(x, tmp_path / "x.pt")
    elsewhere(
        f"""
import torch
folder = {str(folder)!r}
x = torch.load("x.pt")
sys.path.insert(0, folder)
import model, onnxruntime, safetensors.torch
with torch.no_grad():
    source = model.load()(x)
    named = model.Network(); named.load_state_dict(safetensors.torch.load_file(folder + "/weights.safetensors"))
    weights = named.eval()(x)
    pt2 = torch.export.load(folder + "/model.pt2").module()(x)
onnx = torch.from_numpy(onnxruntime.InferenceSession(folder + "/model.onnx").run(None, {{"input": x.numpy()}})[0])
torch.save([source, weights, pt2, onnx], "y.pt")
"""
    )
    with torch.no_grad():
        expected = network(x)
    for got in torch.load(tmp_path / "y.pt"):
        assert torch.allclose(got, expected, atol=1e-5)


def test_nothing_is_printed_logged_or_warned(tmp_path):
    script = (
        "import sys; sys.path.insert(0, {here!r})\n"
        "from export_networks import *\n"
        "from archwright.export import export\n"
        "card = export(trained(Attention), {folder!r}, input_shape=SEQUENCE)\n"
        "assert not card.left_out, card.left_out\n"
    ).format(here=str(Path(__file__).parent), folder=str(tmp_path / "out"))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_one_form_that_fails_does_not_cost_the_others(tmp_path):
    card = export(trained(Gated), tmp_path, input_shape=IMAGE)
    assert {f.form for f in card.files} == {"weights", "source"}
    assert set(card.left_out) == {"onnx", "pt2"}
    assert "branches on the values of the data" in card.left_out["pt2"]
    assert read_card(tmp_path).left_out == card.left_out


def test_a_form_whose_outputs_differ_is_removed_and_the_figure_reported(tmp_path):
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.line = nn.Linear(4, 2)

        def forward(self, x):
            y = self.line(x)
            return y + torch.randn_like(y)

    card = export(Noisy(), tmp_path, input_shape=(4,), forms=("weights", "pt2"))
    assert card.files == ()
    assert {p.name for p in tmp_path.iterdir()} == {"card.json"}
    for reason in card.left_out.values():
        assert "differ from the original's by up to" in reason
        assert float(reason.split("by up to ")[1].split(",")[0]) > 1e-4


def test_a_recurrent_network_over_very_long_sequences_keeps_the_forms_that_are_quick(tmp_path):
    network = nn.Sequential(nn.Flatten(2), Last(nn.GRU(2, 3, num_layers=2, batch_first=True)))
    card = export(network, tmp_path, input_shape=(501, 2))
    assert {f.form for f in card.files} == {"weights", "source"}

    assert "1,002 steps" in card.left_out["onnx"]


def test_missing_onnx_is_a_reason_and_no_crash(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    card = export(nn.Linear(4, 2), tmp_path, input_shape=(4,), forms=("weights", "onnx"))
    assert "pip install 'archwright[onnx]'" in card.left_out["onnx"]
    assert [f.form for f in card.files] == ["weights"]


def test_whole_number_inputs_work_in_every_form(tmp_path):
    network = trained(Tied)
    card = export(network, tmp_path, input_shape=(7,), dtype=torch.int64)
    assert card.left_out == {}
    tokens = torch.randint(0, 11, (5, 7), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(open_form(tmp_path, "onnx")(tokens)[0], network(tokens), atol=1e-5)


def test_real_examples_are_compared_too(tmp_path):
    network = trained(Branches)
    card = export(network, tmp_path, input_shape=IMAGE, forms=LIGHT, examples=torch.randn(20, *IMAGE) * 100)
    assert card.files[0].check["batches"][-1] == 20
    with pytest.raises(ExportError, match="examples have shape"):
        export(network, tmp_path, input_shape=IMAGE, forms=LIGHT, examples=torch.randn(20, 3))


def test_a_second_export_replaces_the_first_and_leaves_other_files_alone(tmp_path):
    (tmp_path / "report.html").write_text("mine")
    export(nn.Linear(4, 2), tmp_path, input_shape=(4,), forms=("weights", "source", "pt2"))
    export(nn.Linear(3, 2), tmp_path, input_shape=(3,), forms=LIGHT)
    assert {p.name for p in tmp_path.iterdir()} == {"report.html", "card.json", "model.py", "weights.safetensors"}
    assert read_card(tmp_path).input_shape == (3,)


def test_the_network_is_neither_changed_nor_moved(tmp_path):
    network = trained(Branches).train()
    before = {n: t.clone() for n, t in network.state_dict().items()}
    export(network, tmp_path, input_shape=IMAGE, forms=LIGHT)
    assert network.training
    assert all(torch.equal(t, before[n]) for n, t in network.state_dict().items())


def test_an_unknown_form_is_refused_with_the_names_there_are(tmp_path):
    with pytest.raises(ExportError, match=r"'onx'.*Did you mean 'onnx'"):
        export(nn.Linear(4, 2), tmp_path / "out", input_shape=(4,), forms=("onx",))
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_said_and_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("a file")
    for folder in (tmp_path / "file", tmp_path / "file" / "out", Path("/proc/nowhere/out")):
        with pytest.raises(ExportError, match="cannot be written"):
            export(nn.Linear(4, 2), folder, input_shape=(4,), forms=LIGHT)
    assert (tmp_path / "file").read_text() == "a file"


@pytest.mark.slow
def test_a_bare_environment_runs_every_form(exported, tmp_path):
    """A fresh venv that is given the packages that this one has, but not archwright."""
    network, shape, folder, _ = exported
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    packages = Path(torch.__file__).parents[1]
    site = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    (site / "torch.pth").write_text(f"{packages}\n")  # files ending in .pth are not followed from there
    probe = subprocess.run([python, "-I", "-c", "import archwright"], capture_output=True)
    if probe.returncode == 0:
        pytest.skip("archwright is installed where torch is, not editable: it cannot be kept out of a new venv")
    x = torch.randn(4, *shape, generator=torch.Generator().manual_seed(2))
    torch.save(x, tmp_path / "x.pt")
    script = (
        "import torch, onnxruntime; from model import load; x = torch.load(sys.argv[1] + '/x.pt')\n"
        "with torch.no_grad(): y = [load()(x), torch.export.load('model.pt2').module()(x)]\n"
        "y.append(torch.from_numpy(onnxruntime.InferenceSession('model.onnx').run(None, {'input': x.numpy()})[0]))\n"
        "torch.save(y, sys.argv[1] + '/y.pt')\n"
    )
    script = "import sys; sys.path.insert(0, '.')\n" + script
    done = subprocess.run([python, "-I", "-c", script, tmp_path], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with torch.no_grad():
        expected = network(x)
    for got in torch.load(tmp_path / "y.pt"):
        assert torch.allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("earlier", [True, False])
def test_a_full_disk_leaves_what_was_there(tmp_path, earlier):
    """A limit on the size of files stands for a disk that fills while the weights are written."""
    folder = tmp_path / "new" / "out"
    if earlier:
        export(nn.Linear(4, 2), folder, input_shape=(4,), forms=LIGHT)
    before = {p.name: p.read_bytes() for p in folder.iterdir()} if earlier else None
    script = (
        "import resource, torch\n"
        "from archwright.export import export\n"
        "from archwright.errors import ExportError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try:\n"
        f"    export(torch.nn.Linear(400, 200), {str(folder)!r}, input_shape=(400,), forms=('weights', 'source'))\n"
        "except ExportError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=200)
    assert "cannot be written" in done.stdout, done.stderr
    after = {p.name: p.read_bytes() for p in folder.iterdir()} if folder.exists() else None
    assert after == before
    assert earlier or not (tmp_path / "new").exists()


def test_a_card_that_json_cannot_hold_is_refused_before_anything_is_published(tmp_path):
    with pytest.raises(ExportError, match="JSON"):
        export(nn.Linear(4, 2), tmp_path / "out", input_shape=(4,), forms=LIGHT, card=Card(task={"x": object()}))
    assert not (tmp_path / "out").exists()


def test_cards_that_are_not_ours_are_told_apart(tmp_path):
    with pytest.raises(ExportError, match="does not exist"):
        read_card(tmp_path / "nowhere")
    with pytest.raises(ExportError, match=r"has no card\.json"):
        read_card(tmp_path)
    card = tmp_path / "card.json"
    for text, message in (
        ("{", "cannot be read"),
        ("[]", "not a card"),
        ('{"format": "other"}', "not a card"),
        ('{"format": "archwright card", "version": 99}', "version 99"),
        ('{"format": "archwright card", "version": 1, "files": [{"name": "x"}]}', "damaged"),
    ):
        card.write_text(text)
        with pytest.raises(ExportError, match=message):
            read_card(tmp_path)


def test_a_card_of_a_later_compatible_writer_is_read():
    values = Card(name="a", labels=("x", "y"), metrics={"loss": float("nan")}).to_json() | {"later": 1}
    card = Card.from_json(json.loads(json.dumps(values)))
    assert card.labels == ("x", "y")
    assert card.metrics == {"loss": None}
