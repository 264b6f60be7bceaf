"""What people paste instead of a bare name: tags, commands, links to one file or folder, other hubs; and offline."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from huggingface_hub import constants
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.answer.answer import answer
from advisor.foundation.errors import InputError
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.sources import resolve
from advisor.sources.command_lines import unwrap
from advisor.sources.resolve import check_model, find_any_model
from advisor.words import say, say_all
from tests.support.hub_server import COMMIT, FakeHub
from tests.support.model_files import checkpoint_tensors, gguf_file, gguf_header, safetensors_file, tensors_at

LLAMA = "llama-3.1-8b-instruct"
NAME = "unsloth/Llama-3.1-8B-Instruct-GGUF"


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as running:
        running.add(
            NAME,
            {
                "Llama-3.1-8B-Instruct-Q4_K_M.gguf": gguf_file(LLAMA),
                "Llama-3.1-8B-Instruct-UD-Q4_K_XL.gguf": gguf_file(LLAMA, "Q5_K_S"),
                "Llama-3.1-8B-Instruct-UD-Q3_K_M.gguf": gguf_file(LLAMA, "Q3_K_L"),
                "Llama-3.1-8B-Instruct-Q3_K_M.gguf": gguf_file(LLAMA, "Q3_K_M"),
                "Q6_K/Llama-3.1-8B-Instruct-Q6_K.gguf": gguf_file(LLAMA, "Q6_K"),
                "more/x-Q5_K_M.gguf": gguf_file(LLAMA, "Q5_K_M"),
                "more/x-Q8_0.gguf": gguf_file(LLAMA, "Q8_0"),
                "docs/README.md": b"x",
            },
        )
        yield running


FORMS = [
    "{}",
    "hf.co/{}",
    "https://huggingface.co/{}",
    "-hf {}",
    "llama-server -hf {} -c 8192 --port 8080",
    "llama-cli --hf-repo {} -ngl 99",
    "ollama run hf.co/{}",
    "ollama pull huggingface.co/{}",
    "vllm serve {} --tensor-parallel-size 2",
    "$ docker model run hf.co/{}",
    "`{}`",
    '"{}"',
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("tag", "file"),
    [
        ("Q4_K_M", "Q4_K_M"),
        ("q4_k_m", "Q4_K_M"),
        ("UD-Q4_K_XL", "UD-Q4_K_XL"),
        ("Q4_K_XL", "UD-Q4_K_XL"),
        ("Q3_K_M", "Q3_K_M"),
        ("Q6_K", "Q6_K"),
    ],
)
def test_a_tag_chooses_the_file(hub: FakeHub, form: str, tag: str, file: str) -> None:
    pasted = form.format(f"{NAME}:{tag}")
    assert check_model(pasted) == f"{NAME}:{tag}"
    found = find_any_model(pasted, endpoint=hub.url)
    assert found.file is not None
    assert found.file.level == file
    assert found.id.startswith(f"https://huggingface.co/{NAME}/blob/{COMMIT}/")
    again = find_any_model(found.id, endpoint=hub.url)
    assert again.file is not None
    assert again.file.file_bytes == found.file.file_bytes


@pytest.mark.parametrize(
    ("command", "level"),
    [
        (f"huggingface-cli download {NAME} Llama-3.1-8B-Instruct-UD-Q4_K_XL.gguf --local-dir .", "UD-Q4_K_XL"),
        (f"hf download {NAME} --include '*UD-Q4_K_XL*' --local-dir models", "UD-Q4_K_XL"),
        (f"llama-server -hfr {NAME} -hff Q6_K/Llama-3.1-8B-Instruct-Q6_K.gguf", "Q6_K"),
        (f"https://huggingface.co/{NAME}?show_file_info=Llama-3.1-8B-Instruct-Q3_K_M.gguf", "Q3_K_M"),
        (f"https://huggingface.co/{NAME}?show_file_info=Q6_K%2FLlama-3.1-8B-Instruct-Q6_K.gguf", "Q6_K"),
        (f"https://huggingface.co/{NAME}/tree/main/Q6_K", "Q6_K"),
        (f"https://huggingface.co/{NAME}/tree/main/Q6_K/", "Q6_K"),
        (f"https://huggingface.co/{NAME}/blob/main/more/x-Q5_K_M.gguf", "Q5_K_M"),
        (f"https://hf-mirror.com/{NAME}/resolve/main/more/x-Q5_K_M.gguf?download=true", "Q5_K_M"),
    ],
)
def test_one_file_or_folder_of_a_repository_is_what_is_read(hub: FakeHub, command: str, level: str) -> None:
    for text in (command, check_model(command)):
        found = find_any_model(text, endpoint=hub.url)
        assert found.file is not None
        assert found.file.level == level


@pytest.mark.parametrize(
    ("text", "message", "suggested"),
    [
        (f"{NAME}:Q2_K", "no complete GGUF file at 'Q2_K'; it has ", f"{NAME}:Q4_K_M"),
        (
            f"https://huggingface.co/{NAME}/tree/main/more",
            "several GGUF files in more; it has Q8_0, Q5",
            f"{NAME}:Q8_0",
        ),
        ("org/plain:Q4_K_M", "org/plain holds no GGUF file", "org/plain"),
    ],
)
def test_a_tag_or_folder_that_chooses_nothing_says_what_there_is(
    hub: FakeHub, text: str, message: str, suggested: str
) -> None:
    weights = safetensors_file((name, "BF16", shape) for name, shape in checkpoint_tensors(LLAMA))
    hub.add("org/plain", {"config.json": catalogue()[LLAMA].config, "model.safetensors": weights})
    with pytest.raises(InputError, match=message) as caught:
        find_any_model(text, endpoint=hub.url)
    assert suggested in caught.value.suggestions


def test_a_folder_without_gguf_files_means_the_repository(hub: FakeHub) -> None:
    found = find_any_model(f"https://huggingface.co/{NAME}/tree/main/docs", endpoint=hub.url)
    assert found.file is None
    assert found.repository is not None


def test_a_mirror_is_not_read_and_the_note_says_so(hub: FakeHub) -> None:
    found = find_any_model(f"https://hf-mirror.com/{NAME}:Q4_K_M", endpoint=hub.url)
    assert say(found.notes[0]) == f"hf-mirror.com is not read: this is {NAME} on the Hugging Face Hub itself."
    assert found.file is not None


@pytest.mark.parametrize(
    ("link", "model"),
    [
        ("https://ollama.com/library/llama3.1", LLAMA),
        ("ollama.com/library/llama3.3:70b-instruct-q4_K_M", "llama-3.3-70b-instruct:Q4_K_M"),
        ("https://ollama.com/library/deepseek-r1:32b", "deepseek-r1-distill-qwen-32b"),
        ("https://modelscope.cn/models/Qwen/Qwen3-32B", "qwen3-32b"),
        ("https://www.modelscope.cn/models/LLM-Research/Meta-Llama-3.1-8B-Instruct/files", LLAMA),
        ("https://www.kaggle.com/models/google/gemma-3/transformers/gemma-3-27b-it/1", "gemma-3-27b-it"),
        ("https://lmstudio.ai/models/openai/gpt-oss-20b", "gpt-oss-20b"),
        ("https://openrouter.ai/qwen/qwen3-8b", "qwen3-8b"),
    ],
)
def test_other_hubs_are_not_read_but_known_models_are_named(link: str, model: str) -> None:
    assert check_model(link) == model
    found = find_any_model(link)
    assert found.id == model.partition(":")[0]
    assert "not read here: these are the catalogue's figures for" in say(found.notes[0])


@pytest.mark.parametrize("link", ["https://modelscope.cn/models/Foo/Bar-9000", "https://ollama.com/library/nosuch:7b"])
def test_a_page_of_another_hub_that_names_nothing_known_says_what_to_give(link: str) -> None:
    for ask in (check_model, find_any_model):
        with pytest.raises(InputError, match=r"Pages of \w+\.\w+ are not read here; give the model's repository"):
            ask(link)


@pytest.mark.parametrize("name", ["meta-llama/Llama-3.3-70B-Instruct", "unsloth/Llama-3.3-70B-Instruct-GGUF"])
@pytest.mark.parametrize("offline", ["switched off", "unreachable"])
def test_offline_whatever_names_a_catalogue_model_answers(
    monkeypatch: pytest.MonkeyPatch, name: str, offline: str
) -> None:
    if offline == "switched off":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    endpoint = "http://127.0.0.1:9"
    llama = catalogue()["llama-3.3-70b-instruct"]
    for text, level in (
        (name, None),
        (f"{name}:Q4_K_M", "Q4_K_M"),
        (f"hf.co/{name}:Q5_K_M", "Q5_K_M"),
        (f"https://huggingface.co/{name}/blob/main/Llama-3.3-70B-Instruct-IQ4_XS.gguf", "IQ4_XS"),
        (f"{name}:UD-Q4_K_XL", None),
        (f"https://huggingface.co/{name}/blob/main/Llama-3.3-70B-Instruct-UD-Q4_K_XL.gguf", None),
    ):
        found = find_any_model(text, endpoint=endpoint)
        assert (found.entry, found.level) == (llama, level)
        assert f"The catalogue's figures are shown for {name}, because it could not be read" in say(found.notes[0])
        assert ("UD-Q4_K_XL holds is not known; no level was chosen" in say(found.notes[0])) == ("UD-" in text)
    with pytest.raises(InputError):
        find_any_model("unsloth/Some-Stranger-7B-GGUF:Q4_K_M", endpoint=endpoint)


@pytest.mark.parametrize("name", ["llama-3.3-70b-instruct:UD-Q4_K_XL", "llama3.3:70b-instruct-UD-Q4_K_XL"])
def test_a_publishers_mix_of_a_catalogue_model_is_not_taken_for_the_plain_model(name: str) -> None:
    found = find_any_model(name)
    assert (found.entry, found.level) == (catalogue()["llama-3.3-70b-instruct"], None)
    assert say_all(found.notes) == ("What its file UD-Q4_K_XL holds is not known; no level was chosen.",)
    assert find_any_model(check_model(name)).notes == found.notes
    assert not find_any_model("llama-3.3-70b-instruct:Q4_K_M").notes


def test_what_the_hub_does_not_have_is_named_where_the_catalogue_knows_it(hub: FakeHub) -> None:
    with pytest.raises(
        InputError, match=r"no public model meta/Llama-3\.1-8B-Instruct.* The catalogue knows"
    ) as caught:
        find_any_model("meta/Llama-3.1-8B-Instruct", endpoint=hub.url)
    assert caught.value.suggestions == (LLAMA,)


def test_the_level_named_with_a_model_is_the_level_that_is_planned() -> None:
    asked = answer(Question.from_values({"model": "llama3.1:8b-instruct-q5_K_M", "machine": "rtx-4090"}))
    assert {one.level for one in asked.candidates} == {"Q5_K_M"}
    other = answer(
        Question.from_values({"model": "llama3.1:8b-instruct-q5_K_M", "machine": "rtx-4090", "level": "Q8_0"})
    )
    assert {one.level for one in other.candidates} == {"Q8_0"}


def test_a_refusal_remembered_by_a_page_keeps_its_suggestions(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        with pytest.raises(InputError) as caught:
            resolve.find_in_time("lama-3.1-70b")
        assert caught.value.suggestions[0] == "llama-3.1-70b-instruct"


def test_an_unknown_architecture_says_its_bytes_and_names_no_stranger(hub: FakeHub) -> None:
    tensors = tensors_at(catalogue()[LLAMA].model, "Q4_K_M")
    head = gguf_header({"general.architecture": "llamb", "llamb.block_count": 32}, tensors)
    size = len(head) + 5_000_000_000
    hub.add("o/new-GGUF", {"config.json": {"architectures": ["LlambForCausalLM"]}, "new-Q4_K_M.gguf": (head, size)})
    weights = safetensors_file([("model.embed_tokens.weight", "BF16", (1000, 1000))])
    hub.add("o/new", {"config.json": {"architectures": ["LlambForCausalLM"]}, "model.safetensors": weights})
    found = find_any_model("o/new-GGUF", endpoint=hub.url)
    assert found.must_have_model().parameters == catalogue()[LLAMA].model.parameters
    assert "is not known to this version" in say(found.source)
    whole = safetensors_file((name, "BF16", shape) for name, shape in checkpoint_tensors(LLAMA))
    config = {**catalogue()[LLAMA].config, "architectures": ["LlambForCausalLM"], "model_type": "llamb", "odd_size": 3}
    hub.add("o/whole", {"config.json": config, "model.safetensors": whole})
    found = find_any_model("o/whole", endpoint=hub.url)
    assert found.must_have_model().parameters == pytest.approx(catalogue()[LLAMA].model.parameters, rel=1e-6)
    assert "its architecture 'LlambForCausalLM' is not known to this version" in say(found.source)
    with pytest.raises(InputError, match="is not known to this version") as caught:
        find_any_model("o/new", endpoint=hub.url)
    assert "weights take 2.0 MB as published" in str(caught.value)
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Llama 3.3 70B", "Llama 3.3 70B"),
        ("  'Qwen/Qwen3-8B/'  ", "Qwen/Qwen3-8B"),
        ("CUDA_VISIBLE_DEVICES=0 vllm serve Qwen/Qwen3-8B", "Qwen/Qwen3-8B"),
        ("sudo docker run --gpus all -p 8000:8000 vllm/vllm-openai:latest --model Qwen/Qwen3-8B", "Qwen/Qwen3-8B"),
        ("python -m sglang.launch_server --model-path=Qwen/Qwen3-8B", "Qwen/Qwen3-8B"),
        ("mlx_lm.generate --model mlx-community/Qwen3-8B-4bit --prompt 'hi there'", "mlx-community/Qwen3-8B-4bit"),
        ("huggingface-cli download Qwen/Qwen3-8B --revision v1", "Qwen/Qwen3-8B@v1"),
        ("vllm serve \\\n  Qwen/Qwen3-8B", "Qwen/Qwen3-8B"),
        ("ollama run", "ollama run"),
        ('ollama run "qwen3', "qwen3"),
        ("{ }", "{ }"),
    ],
)
def test_commands_are_unwrapped(text: str, name: str) -> None:
    assert unwrap(text).name == name


_PIECES = (
    "ollama run ",
    "-hf ",
    "hf.co/",
    "https://",
    "ollama.com/library/",
    "a/b",
    ":Q4_K_M",
    ":ß-fp16",
    "?show_file_info=",
)


@given(st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=8)), max_size=6).map("".join))
@settings(max_examples=200, deadline=None)
def test_whatever_is_pasted_is_a_model_or_one_sentence(text: str) -> None:
    try:
        canonical = check_model(text)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert check_model(canonical) == canonical


@pytest.mark.parametrize(
    "text", ["x" * 300, "x" * 2000, "a/" * 300, f"{'x' * 300}.gguf", "~nobody-at-all/model.gguf", "/dev/null", "/"]
)
def test_a_path_that_the_disk_refuses_is_one_sentence(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError) as refused:
        find_any_model(text, allow_local=True)
    assert len(str(refused.value)) < 200
