"""The Non-local RoI block (arXiv 1807.05361; arXiv 1711.07971) as a plain composition in float64.

Written from the paper's definitions alone: the 3x3 convolution of g runs on every place, z is built, nothing is rearranged.
Choices that the papers leave open, held to here:
- heads: channels are split into num_heads contiguous groups; head h uses channels h of phi, psi and g.
- rsqrt: scale = 1 / sqrt(K), K = (D_f / num_heads) * H * W, with D_f = D for the Gaussian; `none`: scale = 1.
- scale multiplies e before the softmax; for dot_product and concatenation it multiplies e (after the ReLU) as well.
- dot_product and concatenation divide by the number of RoIs of the segment.
- concatenation: w_f is [1, 2 D_f H W], its first half for phi flattened (c, h, w), its second for psi; head h takes its channels.
- add: z = w_z(y) + x, w_z a 1x1 convolution D_g -> D with bias, the same at every place.
"""

import torch
import torch.nn.functional as F

from common import both


def pair_logits(pairwise, phi, psi, w_f, head, heads):
    """e [n, n] of one head, unscaled; phi, psi [n, D_f, H, W]."""
    width = phi.shape[1] // heads
    channels = slice(head * width, (head + 1) * width)
    left, right = phi[:, channels].flatten(1), psi[:, channels].flatten(1)
    if pairwise != "concatenation":
        return left @ right.T
    w_left, w_right = (half.reshape(phi.shape[1:])[channels].flatten() for half in w_f[0].chunk(2))
    return F.relu((left @ w_left)[:, None] + (right @ w_right)[None, :])


def attend(t, a):
    """y [N, D_g]; also the largest scaled logit (0 without RoIs)."""
    x, pairwise, heads = t["x"], a["pairwise"], a["num_heads"]
    if pairwise == "gaussian":
        phi = psi = x
    else:
        phi = F.conv2d(x, t["phi.weight"], t["phi.bias"])
        psi = F.conv2d(x, t["psi.weight"], t["psi.bias"])
    g = F.conv2d(F.conv2d(x, t["g_1x1.weight"], t["g_1x1.bias"]), t["g_3x3.weight"], t["g_3x3.bias"], padding=1)
    g = g.mean((2, 3))
    scale = (phi.shape[1:].numel() / heads) ** -0.5 if a["scale"] == "rsqrt" else 1.0
    pieces, largest, start = [], 0.0, 0
    for length in a["segments"]:
        rows = slice(start, start + length)
        start += length
        parts = []
        for head, value in enumerate(g[rows].chunk(heads, 1)):
            e = scale * pair_logits(pairwise, phi[rows], psi[rows], t.get("w_f"), head, heads)
            largest = max(largest, e.abs().max().item() if length else 0.0)
            weights = e / length if pairwise in ("dot_product", "concatenation") else e.softmax(1)
            parts.append(weights @ value)
        pieces.append(torch.cat(parts, 1))
    assert start == x.shape[0], "segments must cover all RoIs"
    return torch.cat(pieces), largest


def fuse(t, a, y):
    """z: concat [N, D + D_g, H, W] or add [N, D, H, W]."""
    x = t["x"]
    places = y[:, :, None, None].expand(-1, -1, *x.shape[2:])
    if a["fusion"] == "concat":
        return torch.cat([x, places], 1)
    return F.conv2d(places, t["w_z.weight"], t["w_z.bias"]) + x


def non_local_roi(case, inputs, spreads):
    """y, and two consumers of z: fc (linear over flattened z) and conv (3x3, padding 1)."""

    def run(t):
        y, largest = attend(t, case["attrs"])
        assert largest < 9, f"{case['name']}: logits reach {largest:.1f}"
        z = fuse(t, case["attrs"], y)
        return [y, F.linear(z.flatten(1), t["fc.weight"], t["fc.bias"]), F.conv2d(z, t["conv.weight"], t["conv.bias"], padding=1)]

    return dict(zip(("y", "fc", "conv"), both(run, inputs, spreads)))


OPS = {"non_local_roi": non_local_roi}
