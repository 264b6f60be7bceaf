"""How the blocks of an architecture are wired: what a runtime does with its tensors that their shapes do not tell.

A blueprint gives its `Wiring` with its tensors; what it leaves out is that of the usual decoder (Llama). Nobody else
asks for an architecture's name. Sources: llama.cpp at commit 0c1e57098, vLLM 0.33.0, mlx-lm 0.32.2, transformers 5.24.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Rotation = Literal["everywhere", "in windows", "nowhere"]
RowChoice = Literal["before norm", "before residual", "after residual"]


@dataclass(frozen=True, slots=True)
class ByRelease:
    """What llama.cpp's releases, named by their month, do differently with an architecture."""

    rows_late: tuple[str, str] | None = None
    """From the first of these releases of llama.cpp until before the second they are picked after the last norm
    instead, for draft layers to read all of them."""
    gate_reshaped_before: str = ""
    """Before this release of llama.cpp attention's gate was reshaped, so that its product had a place of its own."""
    kept_since: str = ""
    """From this release of llama.cpp on the last layer's result is kept for draft layers; empty: it is not."""
    mixes_embeddings: bool = True
    """Takes tokens and ready-made embeddings in one micro-batch, since 2026-10 (`build_inp_embd`)."""
    scaled_by_rows: bool = False
    """Embeddings are scaled by a factor for each token, an input of its own, since 2026-10 (images are not scaled)."""

    def picks_late(self, release: str) -> bool:
        """Whether that release of llama.cpp picks the rows that need scores only after the last norm."""
        return self.rows_late is not None and self.rows_late[0] <= release < self.rows_late[1]

    def keeps_result(self, release: str) -> bool:
        """Whether that release of llama.cpp keeps the last layer's result."""
        return bool(self.kept_since) and self.kept_since <= release


@dataclass(frozen=True, slots=True)
class GraphWiring:
    """Read by llama.cpp's compute graph (`advisor.sizing.compute_*`, after `src/models/*.cpp`)."""

    layer_norm: bool = False
    """Norms subtract the mean (LayerNorm) instead of being RMS norms: they take one more place (`build_norm`)."""
    rotation: Rotation = "everywhere"
    """Which attention layers turn queries and keys by position (`ggml_rope_ext`)."""
    unrotated_every: int = 0
    """Every so many layers one does not turn them all the same (SmolLM3); 0: none."""
    position_axes: int = 1
    """Positions of a token as an input: 4 (time, height, width, spare) where images may mix with text (M-RoPE)."""
    embeddings_scaled: bool = False
    """Embeddings are multiplied by a number before the first layer (Granite)."""
    queries_scaled_by_position: bool = False
    """Layers without rotation scale queries by a temperature, an input of its own (`build_inp_attn_scale`)."""
    values_normed: bool = False
    """Values pass a norm before they are cached (Gemma 3n and 4)."""
    beside_attention: Literal["", "after projection", "before projection"] = ""
    """The feed-forward block runs beside attention, whose output is projected before it or only after it."""
    rows: RowChoice = "before residual"
    """Where in the last layer the rows that need scores are picked (`build_inp_out_ids`)."""
    stream_first: bool = False
    """Attention's output is added to the stream, not the stream to it: the sum takes the first operand's memory."""
    stream_first_when_fed: bool = False
    """The same for the output of the feed-forward block."""
    saturated: bool = False
    """Gate and up projection each pass a tanh (Kimi K3) instead of one activation."""
    image_layers: int = 0
    """So many first layers also add image features, zeros for text (DeepStack of Qwen3-VL)."""
    plain_windows: bool = False
    """Attention in windows turns queries and keys without the factors of the file (Gemma 4)."""
    alternating_streams: int = 0
    """AltUp: so many parallel streams, of which one is computed and the others corrected (Gemma 3n); 0: none."""
    bank_every: int = 0
    """Every so many layers the residual stream is banked and a new one started (Kimi K3); 0: never."""
    by_release: ByRelease = field(default_factory=ByRelease)
    """What has changed from one release of llama.cpp to another."""

    def rotates(self, number: int, window: int) -> bool:
        """Whether the attention of layer `number`, of this window, rotates queries and keys by position."""
        if self.unrotated_every and (number + 1) % self.unrotated_every == 0:
            return False
        return self.rotation == "everywhere" or (self.rotation == "in windows" and window > 0)


@dataclass(frozen=True, slots=True)
class StreamWiring:
    """Hyper-connections: parallel residual streams (`compute_streams`, after src/models/deepseek4.cpp and others)."""

    count: int
    """Number of streams."""
    rank: int = 0
    """Inner size of low-rank connections, which also replace the norms (Qwen4); 0: full matrices."""
    weighted_end: bool = False
    """The streams are weighed into one before the output head, not averaged."""
    weights_first: bool = False
    """Before a feed-forward block the weights of its result are made first (DeepSeek V4)."""
    pinned: bool = False
    """The operation that joins the streams ends a layer under the name `l_last`, which pins it to the layer's device
    while llama.cpp checks where fused operations land (`llama_context::graph_get_cb`)."""


@dataclass(frozen=True, slots=True)
class RouterWiring:
    """How experts are chosen and weighed. The first five are read by llama.cpp's graph (`build_moe_ffn`)."""

    ranks_logits: bool = False
    """The choice is made among scores before they become probabilities (Llama 4)."""
    grouped: bool = False
    """Groups of experts are chosen first (`n_group`), where the router has a selection bias."""
    weights: Literal["sum to one", "softmax", "as they are"] = "sum to one"
    """What the chosen experts' weights go through."""
    scaled: bool = False
    """Weights that sum to one are scaled by a constant (`routed_scaling_factor`)."""
    weighs_input: bool = False
    """The weight scales an expert's input instead of its output (Llama 4)."""
    linear_in_transformers: bool = True
    """A Linear layer, which bitsandbytes packs, instead of a bare parameter."""
    in_mlx: Literal["8 bit", "level", "unpacked"] = "8 bit"
    """What mlx-lm quantizes it to: 8 bits, the bits of the level, or not at all where it is a bare parameter."""


@dataclass(frozen=True, slots=True)
class GgufWiring:
    """What llama.cpp's converter, quantizer and loader do. Fragments are parts of tensor names."""

    converted_to_f32: tuple[str, ...] = ()
    """Matrices that the converter writes in 32 bits (conversion/base.py, `tensor_force_quant`)."""
    never_quantized: tuple[str, ...] = ()
    """Left as converted (`tensor_allows_quantization`, src/llama-quant.cpp)."""
    at_least_8_bit: tuple[str, ...] = ()
    """Quantized to Q8_0 whatever the level (src/llama-quant.cpp)."""
    tied_head_copied: bool = False
    """Some publishers' files hold a tied embedding a second time, as output head."""
    extra_value_bits: bool = False
    """The quantizer gives attention-v of some 80-layer models more bits, which it knows by their size's name."""
    tied_head_twice: bool = False
    """The loader makes the output head first and so holds a tied embedding twice, even on the host."""
    tensor_split: bool = True
    """`-sm tensor` works (`llm_arch_supports_sm_tensor`, src/llama-arch.cpp)."""


@dataclass(frozen=True, slots=True)
class RepositoryWiring:
    """How the publisher's safetensors differ from the tensor table: read where formats other than GGUF are counted."""

    experts_together: bool = False
    """All experts of a layer are one tensor, which is no Linear layer."""
    merged: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Matrices kept as one: (new name, names in the tensor table, in order)."""
    decay_in_32_bit: bool = False
    """The decay of recurrent layers is kept in 32 bits."""
    per_layer_rows: int = 0
    """Rows of the per-layer embedding where the converter pads it; 0: as in the tensor table."""
    native_mxfp4: bool = False
    """Published with its experts in MXFP4, which a conversion keeps as they are."""
    native_fp4: bool = False
    """Published with its experts in FP4 and its other layers in FP8."""
    padded_for_groups: tuple[int, int] | None = None
    """Of a dimension that publishers of GPTQ and AWQ files pad, so that its groups divide over GPUs: from, to."""
    attention_kept: bool = False
    """Publishers of NVFP4 leave its attention in 16 bit, in dense models as well."""
    table_in_8_bit: bool = False
    """In FP8 blocks and FP4 its table of n-grams, a large part of the model, is stored in FP8 without scales."""
    mlx_8_bit: tuple[str, ...] = ()
    """Layers that mlx-lm keeps at 8 bits whatever the level."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """All of it; compared by value."""

    graph: GraphWiring = field(default_factory=GraphWiring)
    streams: StreamWiring | None = None
    router: RouterWiring = field(default_factory=RouterWiring)
    gguf: GgufWiring = field(default_factory=GgufWiring)
    repository: RepositoryWiring = field(default_factory=RepositoryWiring)
    assumed: bool = False
    """llama.cpp's graph is not known: what computing takes is a range."""
    states_in_32_bit: bool = False
    """vLLM keeps recurrent states in 32 bits instead of 16 (`mamba_ssm_dtype` of the config, mamba_utils.py)."""


USUAL = Wiring()
