"""Which ReLUs and max pools of a network float32 may decide otherwise than float64, and what that does to its gradients.

A value within rounding of zero passes a ReLU or not by the order of sums before it, as the largest of a window may be one place or its
neighbour. Losses do not feel it; gradients jump. The jump is exact, as a gradient is linear in what comes from above.
"""

import torch
import torch.nn.functional as F


WITHIN = 4
# Relative to the input's root mean square: equal by construction, as in an image's padding, whatever the order of sums.
EQUAL = 1e-12


class NearTies:
    """Within this context the inputs of ReLUs and of max pools are kept, in order.

    Of a float64 run, given those of two float32 runs that sum in other orders: a place is a near tie where float64's distance from the
    tie is less than WITHIN times the root mean square of the difference between those two in that input.
    """

    def __init__(self, narrow=()):
        self.narrow, self.inputs, self.places = narrow, [], []

    def __enter__(self):
        self.originals = F.relu, F.max_pool2d
        F.relu, F.max_pool2d = self.relu, self.max_pool2d
        return self

    def __exit__(self, *_):
        F.relu, F.max_pool2d = self.originals

    def limit(self, x):
        """What is near in this input, and what is equal; None in a run that others are to be given."""
        self.inputs.append(None if self.narrow else x.detach().clone())
        if not self.narrow or not x.requires_grad or x.numel() == 0:
            return None
        at = len(self.inputs) - 1
        mean = lambda value: float(value.pow(2).mean().sqrt())
        first, second = (run.inputs[at].double() for run in self.narrow)
        return WITHIN * mean(first - second), EQUAL * mean(x.detach())

    def relu(self, x, inplace=False):
        out, limit = self.originals[0](x), self.limit(x)
        if limit is not None:
            size = x.detach().abs()
            near = (size < limit[0]) & (size > limit[1])
            self.watch(out, x, torch.nonzero(near.flatten())[:, 0])
        return out

    def max_pool2d(self, x, kernel_size, stride=None, padding=0, *others, **options):
        out, limit = self.originals[1](x, kernel_size, stride, padding, *others, **options), self.limit(x)
        if limit is None or kernel_size == 1:
            return out
        wide = F.pad(x.detach(), (padding,) * 4, value=-torch.inf)
        n, c, h, w = wide.shape
        place = torch.arange(h * w).view(1, 1, h, w).expand(n, c, h, w)
        windows = lambda t: t.unfold(2, kernel_size, stride).unfold(3, kernel_size, stride).flatten(4)
        top = windows(wide).topk(2, 4)
        gap = top.values[..., 0] - top.values[..., 1]
        # Of a window that is all but zero behind a ReLU nothing passes further down.
        near = (gap < limit[0]) & (gap > limit[1]) & (top.values[..., 0] > limit[0])
        chosen = windows(place).gather(4, top.indices)
        rows, columns = chosen // w - padding, chosen % w - padding
        flat = (torch.arange(n * c).view(n, c, 1, 1, 1) * x.shape[2] + rows) * x.shape[3] + columns
        self.watch(out, x, torch.nonzero(near.flatten())[:, 0], flat.reshape(-1, 2))
        return out

    def watch(self, out, x, at, pairs=None):
        if len(at):
            out.retain_grad()
            self.places.append((out, x, at, pairs))

    def count(self):
        return sum(len(at) for _, _, at, _ in self.places)

    def jumps(self, parameters, draws):
        """After a backward that kept the graph: jumps of the gradients of all parameters, by name.

        What the ties do apart adds up: all are turned at once, with random signs. The mean over draws of a jump's square is
        then the sum over all ties of the squares of theirs.
        """
        names, tensors = zip(*parameters)
        generator = torch.Generator().manual_seed(0)
        for _ in range(draws if self.places else 0):
            turned = []
            for out, x, at, pairs in self.places:
                signs = torch.randint(0, 2, (len(at),), generator=generator).to(x.dtype) * 2 - 1
                grads, jump = out.grad.flatten()[at] * signs, torch.zeros(x.numel(), dtype=x.dtype)
                if pairs is None:
                    jump[at] = grads
                else:
                    jump.index_add_(0, pairs[at, 0], -grads).index_add_(0, pairs[at, 1], grads)
                turned.append(jump.view_as(x))
            inputs = [x for _, x, _, _ in self.places]
            found = torch.autograd.grad(inputs, tensors, turned, retain_graph=True, allow_unused=True)
            yield {name: value for name, value in zip(names, found) if value is not None}
