"""Linear layers in eight bits, for CPUs that multiply small integers much faster than floats.

A weight matrix keeps one scale per output channel. An activation row is written in two digits of seven bits with a
scale of its own: one digit ruins models whose activations have outlier channels (Dettmers et al. 2022, "LLM.int8()"),
two lose next to nothing, and both go through one integer product, since each digit is but one more row of the batch.
Seven bits because AVX2 adds neighbouring products in sixteen, which eight-bit ones overflow. Integer products are
exact, so a row's result does not depend on the rows beside it.
"""

from __future__ import annotations

import threading
import warnings
from typing import Any

import torch

__all__ = ["Int8Linear", "has_int8", "quantise"]

TOP = 63
"""The largest digit: seven bits with a sign."""

SECOND = 2 * TOP
"""How much finer the second digit is: what the first leaves lies within half a step, which it cuts into TOP parts."""

ROWS = 4096
"""Output channels quantised at once: a vocabulary's whole matrix in float32 would be a gigabyte."""

_engine = threading.Lock()


def has_int8() -> bool:
    """Whether this build of torch has FBGEMM's integer kernels: the x86 builds have, those for ARM have not."""
    has_kernel = hasattr(torch.ops.quantized, "linear_with_input_q_dq_qweight_dq_output_fp32")
    return has_kernel and "fbgemm" in torch.backends.quantized.supported_engines


class Int8Linear(torch.nn.Module):
    """A linear layer's weights in eight bits: for inference, on the CPU, from float32 to float32.

    Weights are off by at most half a step of their channel's largest / 127, activations by a row's largest / 15,876.
    Inputs have shape (…, in_features); one without rows gives none, a row of zeros gives the bias.
    """

    def __init__(self, linear: torch.nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.bias = None if linear.bias is None else linear.bias.detach().float()
        self._packed = packed(linear.weight.detach())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x_N_K = x.reshape(-1, self.in_features)
        count = len(x_N_K)
        if not count:
            return x.new_zeros(*x.shape[:-1], self.out_features)
        largest_N_1 = x_N_K.abs().amax(1, keepdim=True)  # an infinity norm takes ten times as long
        step_N_1 = largest_N_1.clamp_min_(1e-30).div_(TOP)
        both = x_N_K.new_empty(2 * count, self.in_features)
        first, second = both[:count], both[count:]
        torch.div(x_N_K, step_N_1, out=second)
        torch.round(second, out=first)
        second.sub_(first).mul_(SECOND)
        out: torch.Tensor = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            both, 1.0, TOP + 1, self._packed
        )
        y_N_M = out[:count].add_(out[count:], alpha=1 / SECOND).mul_(step_N_1)
        if self.bias is not None:
            y_N_M.add_(self.bias)
        return y_N_M.view(*x.shape[:-1], self.out_features)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        )


def packed(weight_M_K: torch.Tensor) -> Any:
    """The weights as FBGEMM wants them, each output channel scaled so that its largest is 127."""
    scale_M = weight_M_K.abs().amax(1).double().div_(127).clamp_min_(1e-30)
    parts = []
    with (
        warnings.catch_warnings(action="ignore", category=UserWarning),
        _engine,
    ):  # torch means to replace these
        before = torch.backends.quantized.engine
        torch.backends.quantized.engine = "fbgemm"
        try:
            zero_M = torch.zeros(len(scale_M), dtype=torch.long)
            for at in range(0, len(scale_M), ROWS):
                here = slice(at, at + ROWS)
                part = weight_M_K[here].float()
                parts.append(
                    torch.quantize_per_channel(part, scale_M[here], zero_M[here], 0, torch.qint8).int_repr()
                )
            whole = torch._make_per_channel_quantized_tensor(torch.cat(parts), scale_M, zero_M, 0)
            return torch.ops.quantized.linear_prepack(whole, None)
        finally:
            torch.backends.quantized.engine = before


def quantise(model: Any) -> Any:
    """The same model with its linear layers in eight bits and all else in float32, frozen; it is changed in place.

    Layer by layer, so that the float weights and the eight-bit ones are never all there at once. The embedding stays,
    also where the head shares its weights.
    """
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is torch.nn.Linear:
                setattr(parent, name, Int8Linear(child))
    return model.float().requires_grad_(False)
