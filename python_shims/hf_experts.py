"""Mixture of experts in a form that a trace keeps right: each expert a module that runs on the tokens routed to it.

transformers loops over those experts of a layer that are hit, whose weights are mostly stacked; a trace keeps the loop as it
went once, so that other inputs miss experts. Here every expert runs, on no token if need be, in a module of its own:
`experts.3`.
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


class GatedExpert(nn.Module):
    """One expert of DBRX, whose three stacks of weights are matrices one below the other."""

    def __init__(self, layer: nn.Module, number: int) -> None:
        super().__init__()
        rows = slice(number * layer.ffn_hidden_size, (number + 1) * layer.ffn_hidden_size)
        for name in ("w1", "v1", "w2"):
            self.register_parameter(name, nn.Parameter(getattr(layer.mlp, name).detach()[rows], requires_grad=False))
        self.activation = layer.mlp.activation_fn

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return (self.activation(tokens @ self.w1.T) * (tokens @ self.v1.T)) @ self.w2


class Experts(nn.ModuleList):
    """The experts of one layer. Each takes the tokens that the router sent it, and its weighted answers are added up."""

    def forward(self, hidden_states: torch.Tensor, top_k_index: torch.Tensor, top_k_weights: torch.Tensor) -> torch.Tensor:
        tokens = hidden_states.flatten(0, -2)
        total = torch.zeros_like(tokens)
        for number, expert in enumerate(self):
            token, rank = torch.where(top_k_index == number)
            answer = expert(tokens[token]) * top_k_weights[token, rank].unsqueeze(-1)
            total = total.index_add(0, token, answer.to(total.dtype))
        return total.view_as(hidden_states)


class Switch(Experts):
    """Experts of the Switch Transformer: the router marks one for each token, or none where that one is full."""

    def forward(self, hidden_states: torch.Tensor, selected: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        experts = torch.arange(1, len(self) + 1)  # from 1, so that none is 0
        return super().forward(hidden_states, (selected * experts).sum(-1) - 1, weights)


def unstacked(layer: nn.Module) -> nn.Module | None:
    """The layer's experts as modules, if it is one of experts."""
    if hasattr(layer, "_apply_gate") and hasattr(layer, "num_experts"):
        return Experts(Expert(layer, number) for number in range(layer.num_experts))
    if type(layer).__name__ == "DbrxExperts":
        return Experts(GatedExpert(layer, number) for number in range(layer.num_experts))
    if type(layer).__name__ == "SwitchTransformersExperts":
        return Switch(layer.values())
    return None


def unstack(model: nn.Module) -> None:
    """Replaces every layer of experts in the model."""
    layers = [(parent, name, unstacked(child)) for parent in model.modules() for name, child in parent.named_children()]
    for parent, name, experts in layers:
        if experts is not None:
            setattr(parent, name, experts)
