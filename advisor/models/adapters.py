"""LoRA adapters: two thin matrices beside each weight that they change, A (rank x inputs) and B (outputs x rank)."""

from __future__ import annotations

from advisor.foundation.caches import kept_beside
from advisor.models.linear_layers import Kind, stored_block
from advisor.models.model import Model


@kept_beside
def adapted_edges(model: Model) -> tuple[int, ...]:
    """Inputs and outputs of all linear weights of each layer, added up: elements of an adapter of rank 1.

    Routed experts are left out, which adapters of mixtures rarely change, and so are embeddings and the output head.
    """
    return tuple(
        sum(sum(weight.shape) * weight.copies for weight in stored_block(model, layer) if weight.kind is Kind.LINEAR)
        for layer in model.layers
    )
