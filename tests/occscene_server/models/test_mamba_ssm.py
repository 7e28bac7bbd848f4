"""Mamba-2 against the package it is interchangeable with, by that package's own reference formulas.

No release of mamba_ssm can be imported without its compiled parts. Here they are stubbed and its plain PyTorch
references put in their place. Its Python files are enough, and a wheel of them builds without CUDA:
`MAMBA_SKIP_CUDA_BUILD=TRUE MAMBA_FORCE_BUILD=TRUE pip install --no-deps --no-build-isolation mamba-ssm==2.2.6.post3`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from occscene_server.models.mamba2 import Mamba2, ssd_chunked

pytest.importorskip("einops")
SPEC = importlib.util.find_spec("mamba_ssm")
if SPEC is None or SPEC.submodule_search_locations is None:
    pytest.skip("mamba_ssm is not installed", allow_module_level=True)


class Stub(ModuleType):
    """A module that can be imported from and used as a decorator, and does nothing."""

    __version__ = "3.5.0"
    __path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Stub(name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return arguments[0] if arguments and callable(arguments[0]) else lambda function: function


@pytest.fixture(scope="module")
def load() -> Iterator[Callable[[str], ModuleType]]:
    """Imports modules of mamba_ssm on top of stubs, and removes them afterwards."""
    before = dict(sys.modules)
    for name in ("triton", "triton.language", "selective_scan_cuda", "mamba_ssm.ops.triton.layer_norm"):
        sys.modules[name] = Stub(name)
    package = ModuleType("mamba_ssm")  # its own __init__ would import language models
    package.__path__ = list(SPEC.submodule_search_locations)
    sys.modules["mamba_ssm"] = package
    yield importlib.import_module
    for name in set(sys.modules) - set(before):
        if name.split(".")[0] in ("mamba_ssm", "triton", "selective_scan_cuda"):
            del sys.modules[name]
    sys.modules.update(before)


@pytest.fixture(scope="module")
def theirs(load: Callable[[str], ModuleType]) -> ModuleType:
    """`mamba_ssm.modules.mamba2` with references for kernels."""
    combined = load("mamba_ssm.ops.triton.ssd_combined")
    gated = load("mamba_ssm.ops.triton.layernorm_gated")
    mamba2 = load("mamba_ssm.modules.mamba2")

    def scan(*arguments: Any, **options: Any) -> torch.Tensor:
        for name in ("seq_idx", "cu_seqlens", "return_final_states", "return_varlen_states"):
            assert not options.pop(name)
        return combined.ssd_chunk_scan_combined_ref(*arguments, **options)

    mamba2.mamba_chunk_scan_combined = scan
    gated.rmsnorm_fn = gated.rms_norm_ref
    return mamba2


@pytest.mark.parametrize(("groups", "length"), [(1, 64), (2, 64), (4, 128)])
def test_a_state_dict_moves_over_and_gives_the_same_output(theirs: ModuleType, groups: int, length: int) -> None:
    torch.manual_seed(groups)
    sizes = {"d_model": 32, "d_state": 16, "headdim": 8, "ngroups": groups}
    source = theirs.Mamba2(**sizes, chunk_size=32, use_mem_eff_path=False)
    torch.nn.init.uniform_(source.norm.weight)
    torch.nn.init.uniform_(source.D)
    block = Mamba2(**sizes, chunk_size=16)
    block.load_state_dict(source.state_dict())
    u = torch.randn(2, length, 32)
    torch.testing.assert_close(block(u), source(u), rtol=1e-4, atol=1e-5)


def test_ours_moves_over_to_them(theirs: ModuleType) -> None:
    block = Mamba2(16, d_state=8, headdim=8)
    theirs.Mamba2(16, d_state=8, headdim=8).load_state_dict(block.state_dict())


def test_chunks_equal_the_minimal_listing(load: Callable[[str], ModuleType]) -> None:
    minimal = load("mamba_ssm.modules.ssd_minimal")
    torch.manual_seed(0)
    x, dt = torch.randn(2, 96, 4, 8).double(), F.softplus(torch.randn(2, 96, 4)).double()
    a, (b, c) = -torch.rand(4).double(), torch.randn(2, 2, 96, 4, 5).double()
    expected, state = minimal.ssd_minimal_discrete(x * dt[..., None], a * dt, b, c, 16)
    y, final = ssd_chunked(x, dt, a, b, c, 32)
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(final, state)


def test_steps_equal_their_selective_scan(load: Callable[[str], ModuleType]) -> None:
    """Mamba-1's recurrence, through their own rearrangement, with groups and a ragged length."""
    combined = load("mamba_ssm.ops.triton.ssd_combined")
    interface = load("mamba_ssm.ops.selective_scan_interface")
    interface.selective_scan_fn = interface.selective_scan_ref
    torch.manual_seed(1)
    x, dt = torch.randn(2, 53, 4, 8), F.softplus(torch.randn(2, 53, 4))
    a, (b, c) = -torch.rand(4), torch.randn(2, 2, 53, 2, 5)
    expected = combined.ssd_selective_scan(x, dt, a, b, c)
    torch.testing.assert_close(ssd_chunked(x, dt, a, b, c, 16)[0], expected, rtol=1e-4, atol=1e-4)
