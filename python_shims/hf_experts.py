"""Mixture of experts in a form that a trace keeps right: each expert a module that runs on the tokens routed to it.

transformers stacks the weights of a layer's experts and loops over those that are hit; a trace keeps the loop as it went once,
so that other inputs miss experts. Here every expert runs, on no token if need be, in a module of its own: `experts.3`.
"""

import torch
from torch import nn
from torch.nn import functional as F


class Expert(nn.Module):
    """One expert of a layer; its weights are views of the layer's stacks."""

    def __init__(self, layer: nn.Module, number: int) -> None:
        super().__init__()
        up = "gate_up_proj" if layer.has_gate else "up_proj"
        for name, stack in (("up", up), ("down", "down_proj")):
            weight = getattr(layer, stack).detach()[number]
            self.register_parameter(name, nn.Parameter(weight.T if layer.is_transposed else weight, requires_grad=False))
            bias = getattr(layer, f"{stack}_bias").detach()[number] if layer.has_bias else None
            self.register_parameter(f"{name}_bias", None if bias is None else nn.Parameter(bias, requires_grad=False))
        # The layer as such is no part of the expert.
        self.activation = layer._apply_gate if layer.has_gate else layer.act_fn.forward
        self.norm = layer.post_expert_norm if layer.has_post_expert_norm else nn.Identity()

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        inner = self.activation(F.linear(tokens, self.up, self.up_bias))
        return self.norm(F.linear(inner, self.down, self.down_bias))


class Experts(nn.ModuleList):
    """The experts of one layer. Each takes the tokens that the router sent it, and its weighted answers are added up."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__(Expert(layer, number) for number in range(layer.num_experts))

    def forward(self, hidden_states: torch.Tensor, top_k_index: torch.Tensor, top_k_weights: torch.Tensor) -> torch.Tensor:
        total = torch.zeros_like(hidden_states)
        for number, expert in enumerate(self):
            token, rank = torch.where(top_k_index == number)
            answer = expert(hidden_states[token]) * top_k_weights[token, rank].unsqueeze(-1)
            total = total.index_add(0, token, answer.to(total.dtype))
        return total


def unstack(model: nn.Module) -> int:
    """Replaces every stack of experts in the model; returns how many there were."""
    stacked = [(parent, name, child) for parent in model.modules() for name, child in parent.named_children()
               if hasattr(child, "_apply_gate") and hasattr(child, "num_experts")]
    for parent, name, layer in stacked:
        setattr(parent, name, Experts(layer))
    return len(stacked)
