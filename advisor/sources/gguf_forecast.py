"""Where a GGUF header will end, foretold while it is read: a remote header then takes three requests or so.

A header is mostly the tokenizer (tokens, their types, merges or scores), then the list of tensors. After the
first few kilobytes the number of tokens is known, later their mean length. The figures are from real files.
"""

from __future__ import annotations

_KEY_BYTES = 40
_TENSOR_BYTES = 60
# Bytes a token takes with its length, and merges per token, of tokenizers that many models share.
_KNOWN_TOKENIZERS = {"llama": (13.7, 0.0), "llama-bpe": (16.4, 2.184), "qwen2": (17.0, 0.9964), "gemma4": (16.8, 1.964)}
_OTHER_TOKEN_BYTES = 14.8
_SAMPLE = 4096  # entries after which their own mean is believed
_NO_TOKENIZER_YET = 2048
_MARGIN = 1.06
_CAUTION = 0.95
_TOKENS = "tokenizer.ggml.tokens"
_MERGES = "tokenizer.ggml.merges"
_NUMBERS = ("tokenizer.ggml.token_type", "tokenizer.ggml.scores")
# Tokenizers with a list of merges; the others store scores instead.
_MERGING = ("gpt2", "gemma4")


class Forecast:
    """What is known so far. `keys` and `tensors` are still to come, `left` of the current list's entries too."""

    def __init__(self) -> None:
        self.keys = 0
        self.tensors = 0
        self.left = 0
        self._tokenizer = ""
        self._tokens = 0
        self._token_bytes = _OTHER_TOKEN_BYTES
        self._merges_per_token = 1.0
        self._known = False
        self._seen: set[str] = set()
        self._key = ""
        self._begin = 0
        self._count = 0
        self._size = 0

    def string(self, key: str, value: object) -> None:
        if key == "tokenizer.ggml.model":
            self._tokenizer = str(value)
        if key in ("tokenizer.ggml.model", "tokenizer.ggml.pre") and str(value) in _KNOWN_TOKENIZERS:
            self._token_bytes, self._merges_per_token = _KNOWN_TOKENIZERS[str(value)]
            self._known = True

    def array(self, key: str, begin: int, count: int, size: int) -> None:
        """A list begins at byte `begin`; `size` is that of an entry, 0 for strings."""
        self._key, self._begin, self._count, self._size, self.left = key, begin, count, size, count
        self._seen.add(key)
        if key == _TOKENS:
            self._tokens = count

    def array_done(self) -> None:
        self._count = self.left = 0

    def end(self, position: int) -> int:
        """The byte where the header probably ends: rather too early while much is unknown, a little late after that."""
        ahead = self._rest_of_list(position)
        sure = True
        if self._tokens:
            ahead += sum(4 * self._tokens for key in _NUMBERS[: 1 if self._merging else 2] if key not in self._seen)
            if self._merging and _MERGES not in self._seen:
                ahead += self._tokens * self._merges_per_token * (self._token_bytes + 2)
                sure = self._known  # otherwise there can be twice as many merges as tokens
            elif self._key == _TOKENS and self._count:
                sure = self._known or self._count - self.left > _SAMPLE
        elif self.keys > 1:
            ahead += _NO_TOKENIZER_YET  # perhaps there is none, perhaps it is next
        ahead += self.keys * _KEY_BYTES + self.tensors * _TENSOR_BYTES
        # Too little costs another request, too much only bytes.
        return int((position + ahead) * _MARGIN) + 64 if sure else position + int(ahead * _CAUTION)

    @property
    def _merging(self) -> bool:
        return self._tokenizer in _MERGING

    def _rest_of_list(self, position: int) -> float:
        if not self._count:
            return 0
        if self._size:
            return self._begin + self._count * self._size - position
        done = self._count - self.left
        if done > min(_SAMPLE, self._count / 2):
            mean = (position - self._begin) / done
            if self._key == _TOKENS:
                self._token_bytes = mean
        else:
            mean = self._token_bytes + (1 if self._key == _MERGES else 0)
        return self.left * mean
