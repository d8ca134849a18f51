"""The documented student: a transformer encoder over a single position, sized by the conjecture H^L = N."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import safetensors
import safetensors.torch
import torch
from pydantic import Field

import harness

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def optimal_architecture(n_flat_heads: int, prefer_h: int = 4) -> tuple[int, int]:
    """Heads per layer H and layers L such that H^L is as close to N as it gets; of two equally close the fewer layers.

    Args:
        n_flat_heads: N, the heads of the teacher.
        prefer_h: H.

    Raises:
        ValueError: where N < 1 or H < 2.
    """
    if n_flat_heads < 1:
        raise ValueError(f"n_flat_heads must be at least 1, not {n_flat_heads}")
    if prefer_h < 2:
        raise ValueError(f"prefer_h must be at least 2, not {prefer_h}: powers of it have to grow")
    layers = 1
    while n_flat_heads > last_heads(layers, prefer_h):
        layers += 1
    return prefer_h, layers


def last_heads(layers: int, prefer_h: int = 4) -> int:
    """The largest N for which `optimal_architecture` chooses so many layers: half-way to the next power."""
    return int(prefer_h**layers + prefer_h ** (layers + 1)) // 2


class ProjectionTransformer(torch.nn.Module):
    """Projects queries through a transformer encoder that sees each of them as a sequence of length one.

    `batch_first=True` is a deviation from the document, which leaves the default while it adds the sequence dimension
    second: read literally, attention would run across the batch, and a query's answer would depend on its neighbours.

    Args:
        embed_dim: D, a multiple of num_heads.
        num_heads: H, attention heads in each layer.
        num_layers: L.
        ff_dim: width of the feed-forward layers.
        dropout: probability, while training.
        output_dim: K; None is D.

    Raises:
        ValueError: where a size is not positive, or D is not a multiple of H.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        num_layers: int,
        ff_dim: int,
        dropout: float = 0.1,
        output_dim: int | None = None,
    ) -> None:
        super().__init__()
        output_dim = embed_dim if output_dim is None else output_dim
        sizes = {
            "embed_dim": embed_dim,
            "num_heads": num_heads,
            "num_layers": num_layers,
            "ff_dim": ff_dim,
            "output_dim": output_dim,
        }
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, not {size}")
        if embed_dim % num_heads:
            raise ValueError(
                f"embed_dim {embed_dim} is not a multiple of num_heads {num_heads}: attention splits it evenly"
            )
        self.configuration = {**sizes, "dropout": dropout}
        self.input_proj = torch.nn.Linear(embed_dim, embed_dim)
        layer = torch.nn.TransformerEncoderLayer(
            d_model=embed_dim,
            nhead=num_heads,
            dim_feedforward=ff_dim,
            dropout=dropout,
            activation="gelu",
            batch_first=True,
        )
        self.encoder = torch.nn.TransformerEncoder(layer, num_layers, enable_nested_tensor=False)
        self.output_proj = torch.nn.Linear(embed_dim, output_dim)

    def forward(self, query: torch.Tensor) -> torch.Tensor:
        """Projections [B, K] of queries [B, D]."""
        hidden: torch.Tensor = self.encoder(self.input_proj(query).unsqueeze(1))
        result: torch.Tensor = self.output_proj(hidden.squeeze(1))
        return result

    def save(self, path: str | Path) -> None:
        """Writes weights and sizes as a safetensors file."""
        metadata = {name: str(value) for name, value in self.configuration.items()}
        safetensors.torch.save_file(self.state_dict(), path, metadata={"class": type(self).__name__, **metadata})

    @classmethod
    def load(cls, path: str | Path) -> ProjectionTransformer:
        """The student that `save` wrote, in evaluation mode.

        Raises:
            DataError: where the file is missing or something else.
        """
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            sizes = {
                name: int(metadata[name]) for name in ("embed_dim", "num_heads", "num_layers", "ff_dim", "output_dim")
            }
            loaded = cls(**sizes, dropout=float(metadata["dropout"]))
            loaded.load_state_dict(state)
        except (OSError, safetensors.SafetensorError, KeyError, ValueError, RuntimeError) as problem:
            raise harness.DataError(
                f"it is not a saved {cls.__name__} ({type(problem).__name__}: {problem})",
                where=str(path),
                next_step="give a .safetensors file that save() wrote; pickles are not read",
            ) from problem
        return loaded.eval()


class TransformerOptions(harness.Options):
    """Sizes of the student; what is left out follows from N."""

    prefer_h: Annotated[int, Field(ge=2, description="heads per layer that the sizing starts from")] = 4
    num_heads: Annotated[int | None, Field(ge=1, description="H, in place of prefer_h")] = None
    num_layers: Annotated[int | None, Field(ge=1, description="L, in place of the sizing by N")] = None
    ff_dim: Annotated[int, Field(ge=1, description="width of the feed-forward layers")] = 512
    dropout: Annotated[float, Field(ge=0, lt=1, description="dropout probability while training")] = 0.1
    deploy: Annotated[
        Literal["plain", "folded"], Field(description="what is shipped: itself, or the same in half the weights")
    ] = "plain"


class TransformerProjector(harness.Projector):
    """The documented student, a ProjectionTransformer with H^L as close to N as it gets."""

    name = "transformer"
    forms = ("module",)
    needs_training = True
    Options = TransformerOptions

    def architecture(self, heads: int) -> tuple[int, int]:
        """H and L for N heads."""
        options = self.options
        sized = optimal_architecture(heads, options.prefer_h)
        return options.num_heads or sized[0], options.num_layers or sized[1]

    def build(self, heads: harness.Heads, context: harness.BuildContext) -> torch.nn.Module:  # noqa: ARG002
        """A student with random weights, in evaluation mode.

        Raises:
            ContenderError: where the query width cannot be split into H attention heads.
        """
        num_heads, num_layers = self.architecture(heads.count)
        if heads.width % num_heads:
            raise harness.ContenderError(
                f"queries of width {heads.width} cannot be split into {num_heads} attention heads",
                where=self.name,
                next_step="set prefer_h or num_heads to a divisor of the width",
            )
        return ProjectionTransformer(
            heads.width,
            num_heads,
            num_layers,
            self.options.ff_dim,
            dropout=self.options.dropout,
            output_dim=heads.output_width,
        ).eval()

    def deploy(self, trained: torch.nn.Module) -> torch.nn.Module:  # type: ignore[override]
        """The student, or the folded module that computes the same function."""
        if self.options.deploy == "plain":
            return trained
        from harness_plugins.folding import fold

        return fold(trained)

    def steps(self, low: int, high: int) -> Sequence[int]:
        """The largest N before each additional layer, in [low, high)."""
        if self.options.num_layers:
            return ()
        jumps = []
        layers = optimal_architecture(low, self.options.prefer_h)[1]
        while (last := last_heads(layers, self.options.prefer_h)) < high:
            jumps.append(last)
            layers += 1
        return jumps

    def variant(self, heads: int) -> int:
        """L: sizes and initial weights depend on nothing else of the heads' number."""
        return self.architecture(heads)[1]

    def cost(self, heads: int, batch: int, width: int, output_width: int) -> harness.Cost:
        """The matrix products of what is deployed, and its weights read once; biases, norms and GELU are below 1%."""
        layers = self.architecture(heads)[1]
        raised = self.options.ff_dim
        feed_forward = [(width, raised), (raised, width)]
        if self.options.deploy == "plain":
            matrices = [(width, width), *layers * [(width, 3 * width), (width, width), *feed_forward]]
        else:
            matrices = layers * [(width, width), *feed_forward]
        matrices.append((width, output_width))
        weights = sum(inner * columns for inner, columns in matrices)
        return harness.Cost(
            flops=2.0 * weights * batch,
            bytes=4.0 * (weights + batch * (width + output_width)),
            products=[(batch, inner, columns) for inner, columns in matrices],
        )


@harness.hookimpl
def harness_projectors() -> Sequence[harness.Projector]:
    """The documented student."""
    return [TransformerProjector()]
