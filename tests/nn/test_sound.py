"""The front end for sound: what it computes beside a direct Fourier transform, and that it goes into every form."""

import importlib.util

import numpy as np
import pytest
import torch

from archwright import nn
from archwright.errors import EvaluationError, SpaceError
from archwright.export import export
from archwright.nn import materialize
from archwright.nn.sound import FLOOR, fourier_size, mel_filters

RATE, LENGTH = 8000, 1600


def sound(n=3, length=LENGTH, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(n, 1, length, generator=generator)


def direct(x, mels, window, hop):
    """Each frame by itself: Hann's window, NumPy's transform of real numbers, triangles, logarithm."""
    size = fourier_size(RATE, window, mels)
    filters = mel_filters(RATE, size, mels)
    hann = np.hanning(window + 1)[:-1]
    frames = 1 + len(x) // hop
    padded = np.concatenate([np.zeros(window // 2), x, np.zeros(2 * window)])
    energies = [np.abs(np.fft.rfft(padded[i * hop : i * hop + window] * hann, size)) ** 2 for i in range(frames)]
    return np.log(filters @ np.array(energies).T + FLOOR)


@pytest.mark.parametrize(("mels", "window_ms", "hop_ms"), [(40, 25, 10), (64, 16, 10), (20, 32, 16), (30, 10, 12.5)])
@pytest.mark.parametrize("length", [LENGTH, 1573, 90])
def test_it_is_a_fourier_transform_of_each_frame(mels, window_ms, hop_ms, length):
    layer = materialize(nn.LogMel(RATE, mels, window_ms, hop_ms), (1, length)).eval()
    x = sound(length=length)
    window, hop = 2 * round(RATE * window_ms / 2000), round(RATE * hop_ms / 1000)
    expected = np.stack([direct(row, mels, window, hop) for row in x[:, 0].double().numpy()])
    assert expected.shape == (3, mels, 1 + length // hop)
    # A new batch norm has mean 0 and variance 1, but for its epsilon.
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.skipif(importlib.util.find_spec("librosa") is None, reason="librosa is not installed")
def test_the_filters_are_those_of_librosa():
    import librosa

    expected = librosa.filters.mel(sr=RATE, n_fft=256, n_mels=40, htk=True, norm=None)
    np.testing.assert_allclose(mel_filters(RATE, 256, 40), expected, atol=1e-6)


@pytest.mark.parametrize("mels", [20, 40, 64])
def test_a_tone_is_in_the_band_of_its_frequency_and_no_band_is_empty(mels):
    layer = materialize(nn.LogMel(RATE, mels), (1, LENGTH)).eval()
    corners = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), mels + 2) / 2595) - 1)
    for band in range(2, mels, 7):
        tone = torch.sin(2 * np.pi * corners[band + 1] * torch.arange(LENGTH) / RATE).view(1, 1, -1)
        assert abs(int(layer(tone)[0, :, 10].argmax()) - band) <= 1
    assert (mel_filters(RATE, fourier_size(RATE, 80, mels), mels).sum(1) > 0).all()


def test_bands_are_standardised_as_they_were_in_training():
    layer = materialize(nn.LogMel(RATE), (1, LENGTH)).train()
    x = sound(8)
    seen = layer(x)
    torch.testing.assert_close(seen.mean((0, 2)), torch.zeros(40), atol=1e-4, rtol=0)
    torch.testing.assert_close(seen.var((0, 2)), torch.ones(40), atol=1e-2, rtol=0)
    assert not list(layer.parameters())


def test_masks_hide_stripes_in_training_alone():
    layer = materialize(nn.LogMel(RATE, mask=0.4), (1, LENGTH))
    x = sound(64)
    torch.manual_seed(0)
    hidden = layer.train()(x) == 0
    bands, frames = hidden.all(2), hidden.all(1)
    assert (hidden == (bands[:, :, None] | frames[:, None, :])).all()
    for stripes, size in ((bands, 40), (frames, 21)):
        changes = (stripes[:, 1:] != stripes[:, :-1]).sum(1)
        assert (changes <= 2).all(), "one stripe each"
        assert stripes.sum(1).max() <= 0.4 * size + 1
        assert len(set(stripes.sum(1).tolist())) > 3
    torch.manual_seed(0)
    assert (layer.train()(x) == 0).equal(hidden), "the same seed hides the same"
    assert not (layer.eval()(x) == 0).any()


def test_half_precision_leaves_it_alone():
    layer = materialize(nn.LogMel(RATE), (1, LENGTH)).eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer(sound()), layer(sound()))
        inside = layer(sound())
    torch.testing.assert_close(inside.float(), layer(sound()), atol=0.05, rtol=0.01)


def test_it_goes_into_every_form(tmp_path):
    net = torch.nn.Sequential(nn.LogMel(RATE, 20, mask=0.2), nn.AsImage(), nn.ConvBlock(4), nn.Classifier(3))
    net = materialize(net, (1, LENGTH)).eval()
    card = export(net, tmp_path, input_shape=(1, LENGTH))
    assert card.left_out == {}
    assert {f.name for f in tmp_path.iterdir()} >= {"model.py", "model.pt2", "model.onnx"}


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: nn.LogMel(RATE, 0), SpaceError, "mels must be a whole number"),
        (lambda: nn.LogMel(RATE, mask=1.0), SpaceError, "mask must lie in 0..1"),
        (lambda: nn.LogMel(RATE, hop_ms=0.01), SpaceError, "hop_ms=0.01 is 0 samples at 8000 a second"),
        (lambda: materialize(nn.LogMel(RATE), (2, 800)), EvaluationError, "this has 2: average them"),
        (lambda: materialize(nn.LogMel(RATE), (800,)), EvaluationError, "sequences"),
    ],
)
def test_what_cannot_be_is_said(make, error, said):
    with pytest.raises(error, match=said):
        make()
