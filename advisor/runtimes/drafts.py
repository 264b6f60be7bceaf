"""Which model may draft tokens for another."""

from __future__ import annotations

from advisor.foundation.errors import InputError
from advisor.models.model import Model
from advisor.sizing.request import DraftModel

# Words by which vocabularies may differ: padding differs between sizes (llama.cpp: SPEC_VOCAB_MAX_SIZE_DIFFERENCE).
_VOCABULARY_SLACK = 128


def check_draft(wanted: DraftModel, target: Model, target_name: str, loader: str) -> None:
    """Raise InputError where a model cannot draft for another, or would not help."""
    draft, draft_name = wanted.model, wanted.name
    if draft.parameters >= target.parameters:
        raise InputError(
            "draft: {draft_name} is no smaller than {target_name} ({drafting:approx} against "
            "{main:approx} billion parameters): a draft model only helps when it is much smaller.",
            draft_name=draft_name,
            target_name=target_name,
            drafting=draft.parameters / 1e9,
            main=target.parameters / 1e9,
        )
    if abs(draft.vocabulary - target.vocabulary) > _VOCABULARY_SLACK:
        raise InputError(
            "draft: {draft_name} knows {words:,} words and {target_name} {main_words:,}; "
            "{loader} drafts only with the same vocabulary: choose a smaller model of the same family.",
            draft_name=draft_name,
            words=draft.vocabulary,
            target_name=target_name,
            main_words=target.vocabulary,
            loader=loader,
        )
    if not draft.causal:
        raise InputError("draft: {draft_name} generates no text: choose a language model.", draft_name=draft_name)
