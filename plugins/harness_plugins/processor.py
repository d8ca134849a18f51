"""What the processor can do."""

from __future__ import annotations

from pathlib import Path


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself: AVX-512 BF16 or AMX on x86, BF16 on Arm."""
    try:
        words = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return False
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(words)
