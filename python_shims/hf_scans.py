"""State-space models in a form that a trace keeps right: their loop over the tokens of a text is scripted.

transformers writes the scan of Mamba and its kin as a loop, of which a trace keeps as many steps as the example had tokens.
"""

import sys

import torch
from torch import nn
from torch.nn import functional as F

SCAN = "mamba_selective_scan"


@torch.jit.script
def states(decay: torch.Tensor, fed: torch.Tensor) -> torch.Tensor:
    """The state after each step, of which axis 2 counts: what is left of the one before, and what is fed."""
    state = torch.zeros_like(fed[:, :, 0])
    found: list[torch.Tensor] = []
    for step in range(fed.size(2)):
        state = decay[:, :, step] * state + fed[:, :, step]
        found.append(state)
    return torch.stack(found, 2)


def selective_scan(hidden_states, dt, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False,
                   return_last_state=False, **_):
    """What the function of this name in transformers computes, with its arguments."""
    kind = hidden_states.dtype
    if delta_bias is not None:
        dt = dt + delta_bias.to(dt.dtype)[..., None]
    if delta_softplus:
        dt = F.softplus(dt)
    B, C = B.transpose(1, 2), C.transpose(1, 2)
    fed = dt[:, :, :, None] * B[:, None, :, :].float() * hidden_states[:, :, :, None].float()
    found = states(torch.exp(A[None, :, None, :] * dt[:, :, :, None]), fed)
    output = torch.matmul(found.transpose(1, 2).to(kind), C.unsqueeze(-1)).squeeze(-1).transpose(1, 2)
    if D is not None:
        output = output + hidden_states * D[None, :, None]
    if z is not None:
        output = output * F.silu(z)
    return (output, found[:, :, -1]) if return_last_state else output


def script(model: nn.Module) -> None:
    """Puts the scripted scan in the place of the model's own, if it has one."""
    for place in {type(module).__module__ for module in model.modules()}:
        if hasattr(sys.modules.get(place), SCAN):
            setattr(sys.modules[place], SCAN, selective_scan)
