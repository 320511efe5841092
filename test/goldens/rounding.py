"""What rounding to float32 costs a computation, whatever the order of its sums.

`Rounded` is a mode in which PyTorch works in float64 and rounds what each of its operations returns, forward and back, up or down to a
float32 at random, the nearer one more often. What it finds differs from the float64 result by as much as values kept in float32 between
the steps must differ, with sums that are exact: by much where a result cancels to little, and by little where only sums are long.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map


def rounded(value, generator):
    """float64 values as one of the two float32 beside each, the nearer one more often; a float32 stays as it is."""
    near = value.float().double()
    away = torch.where(value > near, torch.inf, -torch.inf).float()
    other = torch.nextafter(near.float(), away).double()
    share = torch.where(value == near, 0.0, (value - near).abs() / (other - near).abs())
    draw = torch.rand(value.shape, generator=generator, dtype=torch.float64)
    return torch.where(draw < share, other, near)


class Rounded(TorchDispatchMode):
    def __init__(self, seed):
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        returns = func._schema.returns
        in_place = any(r.alias_info is not None and r.alias_info.is_write for r in returns)
        if func.is_view or (any(r.alias_info is not None for r in returns) and not in_place):
            return out

        def keep(value):
            if not isinstance(value, torch.Tensor) or value.dtype != torch.float64:
                return value
            new = rounded(value, self.generator)
            return value.copy_(new) if in_place else new

        return tree_map(keep, out)
