"""What a transformers model takes: names of its arguments, and random inputs of any batch and length."""

import inspect
import sys

import torch
from torch import nn

DECODING = ("translate", "transcribe")  # tasks whose model is given the start of its answer
SAMPLE_RATE = 16000


def arguments(model: nn.Module, task: str) -> list[str]:
    """The tensors that the traced model takes, in order. A mask is always among them where the model knows one for texts."""
    names = [model.main_input_name]
    if names == ["input_ids"]:
        names.append("attention_mask")
        if task != "causal" and getattr(model.config, "type_vocab_size", 0) > 1:
            names.append("token_type_ids")
    if task in DECODING:
        names.append("decoder_input_ids")
    known = inspect.signature(model.forward).parameters
    return [name for name in names if name in known]


def sample(model: nn.Module, task: str, batch: int, length: int, seed: int) -> tuple[torch.Tensor, ...]:
    """Random inputs; from the second on, texts are shorter and padded at their end."""
    noise = torch.Generator().manual_seed(seed)
    names, main = arguments(model, task), model.main_input_name
    given = texts(model.config, task, batch, length, noise) if main == "input_ids" else {main: signals(model, batch, length, noise)}
    if task in DECODING:
        vocabulary = model.config.vocab_size
        given["decoder_input_ids"] = torch.randint(3, vocabulary, (batch, max(2, length // 2 + 1)), generator=noise)
    return tuple(given[name] for name in names)


def texts(config, task: str, batch: int, length: int, noise: torch.Generator) -> dict[str, torch.Tensor]:
    longest = getattr(config, "max_position_embeddings", None) or -1
    length = min(length, longest - 2) if longest > 0 else length  # RoBERTa's positions begin after the padding's
    padding = config.pad_token_id if getattr(config, "pad_token_id", None) is not None else 0
    vocabulary = getattr(config, "vocab_size", sys.maxunicode)  # characters, where there is none
    ids = torch.randint(3, vocabulary, (batch, length), generator=noise)
    ids = torch.where(ids == padding, ids - 1, ids)
    mask = torch.ones(batch, length, dtype=torch.int64)
    for row in range(1, batch):
        ids[row, max(1, length - 2 * row):] = padding
        mask[row, max(1, length - 2 * row):] = 0
    if config.is_encoder_decoder and task == "classify":  # BART classifies by what stands at the end of the text
        ids[torch.arange(batch), mask.sum(1) - 1] = config.eos_token_id
    kinds = (torch.arange(length) >= length // 2).long().expand(batch, -1)
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": kinds.contiguous()}


def signals(model: nn.Module, batch: int, length: int, noise: torch.Generator) -> torch.Tensor:
    """Pictures and sounds. Of these only a wave is as long as one likes."""
    config, main = model.config, model.main_input_name
    if main == "pixel_values":
        config = getattr(config, "vision_config", config)  # of a model of texts and pictures
        size = getattr(config, "image_size", 64)
        height, width = (size, size) if isinstance(size, int) else size
        shape = (config.num_channels, height, width)
    elif main == "input_features" and hasattr(config, "num_mel_bins") and hasattr(config, "max_source_positions"):  # Whisper's spectra
        shape = (config.num_mel_bins, 2 * config.max_source_positions)
    elif main == "input_values" and hasattr(config, "conv_stride"):  # Wav2Vec2's waves
        shape = (getattr(config, "inputs_to_logits_ratio", SAMPLE_RATE // 50) * (length + 1),)
    elif main == "input_values" and hasattr(config, "num_mel_bins"):  # the spectra of an audio spectrogram transformer
        shape = (config.max_length, config.num_mel_bins)
    else:
        raise SystemExit(f"{type(model).__name__} takes {main}, of which no example can be made here: trace it by hand")
    return torch.randn(batch, *shape, generator=noise)
