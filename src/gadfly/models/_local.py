"""A model whose weights we hold: tokenizer, weights, activations, and sampling in bulk through the engine.

`LocalModel.load("smollm2")` is the white-box handle that the `gadfly/…` provider, `gadfly serve` and probes
share. Only safetensors are read, and a model's own code is never run.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import json
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from gadfly.errors import CallError, GadflyError, InputError
from gadfly.models._blocking import run_blocking
from gadfly.models._engine import Engine
from gadfly.models._names import DTYPES, local_name
from gadfly.models._quantised import Int8Linear, has_int8, quantise
from gadfly.models._request import LogitsMask, Request, Sample
from gadfly.models._text import Vocabulary
from gadfly.models._tools import OPENING
from gadfly.models._weights import KNOWN, locate

__all__ = ["LocalModel"]

END_TOKENS = frozenset(["<|endoftext|>", "<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<eos>", "</s>"])


class LocalModel:
    """A causal language model in this process.

    `weights` is the transformers (or PEFT) model, in evaluation mode. `reason` says which device, dtype and
    token budget were chosen, and why. `budget` is the number of tokens of context that may be held at once,
    over all sequences. Use `load`; the constructor takes what is already in memory.
    """

    def __init__(
        self,
        weights: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        name: str = "model",
        path: Path | None = None,
        adapter: Path | None = None,
        reason: str = "as given",
    ) -> None:
        self.weights: Any = weights.eval()  # type: ignore[no-untyped-call]
        self.tokenizer = tokenizer
        self.name = name
        self.path = path
        self.adapter = adapter
        self.device = torch.device(weights.device)
        self.dtype: torch.dtype = weights.dtype
        self.budget = token_budget(weights, self.device)
        self.reason = f"{reason}; room for {self.budget:,} tokens of context at once"

    @classmethod
    def load(
        cls, name: str, adapter: str | Path | None = None, device: str = "auto", dtype: str = "auto"
    ) -> LocalModel:
        """The model under a short name, a directory or a hub id, with a PEFT adapter from a directory on it.

        Loaded once per process for the same arguments. `device`: "cpu", "cuda", "cuda:1", "mps"; `dtype`:
        "float32", "bfloat16", "float16", "int8" (linear layers in eight bits, the rest in float32; CPU only;
        an adapter is merged in first). Both may stand in the name: `smollm2@int8+DIR`. Raises what `locate` raises,
        and `InputError` for an adapter that is not there, needs `gadfly[training]`, or was made for another
        base, and for a name and arguments that disagree.
        """
        asked = local_name(name)
        if not agree(asked.dtype, dtype) or (asked.adapter and adapter is not None):
            raise InputError(
                f"The name {name!r} and the arguments both say which dtype or adapter; say it once."
            )
        adapter = adapter if adapter is not None else asked.adapter
        where = str(Path(adapter).expanduser().resolve()) if adapter is not None else None
        with _loading:
            return _loaded(asked.base, where, device, dtype if dtype != "auto" else asked.dtype)

    @functools.cached_property
    def vocabulary(self) -> Vocabulary:
        """What each token says."""
        return Vocabulary(self.tokenizer)

    @functools.cached_property
    def eos(self) -> frozenset[int]:
        """The tokens that end a reply: those of the generation config, the config and the tokenizer together,
        and any special token whose name says so (a chat model that continues raw text ends with another one).
        """
        found: set[int] = set()
        config = getattr(self.weights, "generation_config", None)
        for value in (
            getattr(config, "eos_token_id", None),
            getattr(self.weights.config, "eos_token_id", None),
            self.tokenizer.eos_token_id,
        ):
            found.update(value if isinstance(value, list | tuple) else [] if value is None else [int(value)])
        added = self.tokenizer.added_tokens_decoder.items()
        found.update(token for token, text in added if text.special and str(text) in END_TOKENS)
        return frozenset(found)

    @property
    def context(self) -> int:
        """The longest sequence the model was made for, prompt and reply together, in tokens."""
        config = self.weights.config.get_text_config()
        return int(getattr(config, "max_position_embeddings", None) or 1 << 30)

    @functools.cached_property
    def weights_sha256(self) -> str:
        """A hash over the files the weights came from, adapter included; over the parameters if from memory.

        In eight bits they are other weights and have another hash.
        """
        digest = hashlib.sha256()
        if self.path is None:
            for key, tensor in sorted(self.weights.state_dict().items()):
                digest.update(key.encode() + tensor.cpu().contiguous().view(torch.uint8).numpy().tobytes())
            return digest.hexdigest()
        for folder in filter(None, (self.path, self.adapter)):
            for file in sorted(folder.glob("*.safetensors")):
                with file.open("rb") as stream:
                    digest.update(hashlib.file_digest(stream, "sha256").digest())
        if self.is_int8:
            digest.update(b"int8")
        return digest.hexdigest()

    @functools.cached_property
    def is_int8(self) -> bool:
        """Whether its linear layers are kept in eight bits; such a model is not for training."""
        return any(isinstance(module, Int8Linear) for module in self.weights.modules())

    def encode(self, text: str) -> list[int]:
        """Token ids of raw text, with a beginning-of-text token where the tokenizer itself puts one."""
        return list(self.tokenizer(text)["input_ids"])

    def encode_chat(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()
    ) -> list[int]:
        """Token ids of a conversation up to where the assistant speaks next.

        `messages` hold "role" and "content", and may hold "tool_calls"; `tools` are OpenAI's JSON. A last
        message of the assistant's is left open, for the model to go on from. A template without a system role
        gets the system text in front of the first user message. A model without a template gets lines
        `System: …`, `User: …`, `Assistant: …`, a blank line between them, ending in `Assistant:`. Raises
        `CallError` for tools, or what came of them, where `calls_tools` is False.
        """
        has_tools = bool(tools) or any(m["role"] == "tool" or m.get("tool_calls") for m in messages)
        if has_tools and not self.calls_tools:
            said = f"{self.name} cannot call tools: its chat template writes no <tool_call> blocks."
            fix = "Use a model whose template does, such as gadfly/qwen2.5-coder-1.5b."
            raise CallError(f"{said} {fix}", "rejected", fatal=True)
        if not self.tokenizer.chat_template:
            return self.encode(plain_chat(messages))
        try:
            text = self._templated(messages, tools)
        except Exception as error:  # templates raise whatever they like, mostly jinja2's TemplateError
            if messages and messages[0]["role"] == "system":
                text = self._templated(system_in_user(messages), tools)
            else:
                raise InputError(f"{self.name}'s chat template refused the conversation: {error}.") from error
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    @functools.cached_property
    def calls_tools(self) -> bool:
        """Whether the chat template shows the model its tools and asks for `<tool_call>` blocks, the one
        notation that is read here.
        """
        name = "is_this_shown"
        probe = {"name": name, "description": "", "parameters": {"type": "object", "properties": {}}}
        try:
            asked = [{"role": "user", "content": ""}]
            text = self._templated(asked, [{"type": "function", "function": probe}])
        except Exception:  # a template that raises here has no place for tools
            return False
        return name in text and OPENING in text

    def _templated(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]) -> str:
        goes_on = is_left_open(messages)
        text = self.tokenizer.apply_chat_template(
            [dict(m) for m in messages],
            tools=[dict(t) for t in tools] or None,
            tokenize=False,
            add_generation_prompt=not goes_on,
            continue_final_message=goes_on,
        )
        return str(text)

    def hidden_states(
        self, token_ids: Sequence[Sequence[int]], layers: Sequence[int] | None = None
    ) -> list[torch.Tensor]:
        """Activations of each sequence: a list of float32 tensors on the CPU, shape (layers, tokens, width).

        Layer 0 is the embedding, layer i the residual stream after decoder layer i; the last one is after the
        final norm, as transformers has it. None means all of them. Sequences are run one at a time.
        """
        states = []
        with torch.inference_mode():
            for ids in token_ids:
                row = torch.tensor([list(ids)], device=self.device)
                out = self.weights(
                    input_ids=row, output_hidden_states=True, use_cache=False, logits_to_keep=1
                )
                wanted = range(len(out.hidden_states)) if layers is None else layers
                states.append(torch.stack([out.hidden_states[i][0].float().cpu() for i in wanted]))
        return states

    def generate(
        self, prompts: Sequence[str | Sequence[int]], *, mask: LogitsMask | None = None, **settings: Any
    ) -> list[list[Sample]]:
        """Continue each prompt (raw text or token ids); `settings` are those of `Request`. Blocks until done.

        Works inside a running event loop too (a notebook), on a thread of its own.
        """
        requests = [
            Request(tuple(self.encode(p) if isinstance(p, str) else p), mask=mask, **settings)
            for p in prompts
        ]

        async def everything() -> list[list[Sample]]:
            engine = Engine.of(self)
            return await asyncio.gather(*(engine.generate(request) for request in requests))

        return run_blocking(everything())


_loading = threading.RLock()


@contextlib.contextmanager
def without_bars() -> Iterator[None]:
    """Without transformers' progress bars, which show a second's work and clutter every command's output."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


@functools.cache
def _loaded(name: str, adapter: str | None, device: str, dtype: str) -> LocalModel:
    path = locate(name)
    where, device_reason = choose_device(device)
    kind, dtype_reason = choose_dtype(dtype, where)
    as_stored = "auto" if kind is torch.int8 else kind
    try:
        with without_bars():
            weights: Any = AutoModelForCausalLM.from_pretrained(
                path, dtype=as_stored, use_safetensors=True, trust_remote_code=False, local_files_only=True
            )
        weights = weights.to(where)
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError) as error:
        raise GadflyError(f"The model in {str(path)!r} could not be loaded: {first_line(error)}.") from error
    if adapter is not None:
        weights = with_adapter(weights, name, Path(adapter))
    if kind is torch.int8:
        name, weights = f"{name}@int8", quantise(weights if adapter is None else merged(weights))
    reason = f"{where} ({device_reason}), {str(kind).removeprefix('torch.')} ({dtype_reason})"
    return LocalModel(
        weights, tokenizer, name=name, path=path, adapter=Path(adapter) if adapter else None, reason=reason
    )


def choose_device(device: str) -> tuple[torch.device, str]:
    """The device and why."""
    if device != "auto":
        try:
            return torch.device(device), "as asked"
        except RuntimeError as error:
            raise InputError(f"There is no device {device!r}; use cpu, cuda, cuda:1, mps or auto.") from error
    if torch.cuda.is_available():
        return torch.device("cuda:0"), "a CUDA device is present"
    if torch.backends.mps.is_available():
        return torch.device("mps"), "an Apple GPU is present"
    return torch.device("cpu"), "no GPU found"


def choose_dtype(dtype: str, device: torch.device) -> tuple[torch.dtype, str]:
    """The dtype and why: bfloat16 wherever the hardware multiplies it natively, else float32."""
    if dtype != "auto":
        if dtype not in DTYPES:
            raise InputError(f"There is no dtype {dtype!r}; use {', '.join(DTYPES)} or auto.")
        if dtype == "int8":
            check_int8(device)
            return torch.int8, "as asked: linear layers, the rest in float32"
        chosen: torch.dtype = getattr(torch, dtype)
        return chosen, "as asked"
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return (torch.bfloat16, "native there") if native else (torch.float16, "no native bfloat16")
    if device.type == "mps":
        return torch.float16, "native there"
    if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported():
        return torch.bfloat16, "this CPU multiplies it natively"
    return torch.float32, "this CPU has no native bfloat16"


def check_int8(device: torch.device) -> None:
    """`InputError` where eight-bit layers cannot run."""
    if device.type != "cpu":
        raise InputError(f"int8 runs on the CPU only; on {device.type} use float32, bfloat16 or float16.")
    if not has_int8():
        raise InputError(
            "This build of torch has no int8 kernels (FBGEMM); use float32, bfloat16 or float16."
        )


def agree(one: str, other: str) -> bool:
    """Whether two dtypes do not contradict each other."""
    return one == other or "auto" in (one, other)


def merged(weights: Any) -> Any:
    """A PEFT model's base with the adapter added to its weights, in float32 so that small changes survive."""
    return weights.float().merge_and_unload()


def with_adapter(weights: Any, name: str, adapter: Path, trainable: bool = False) -> Any:
    """`weights` with a PEFT adapter on them, checked as far as its files allow before and by its shapes after."""
    if not (adapter / "adapter_config.json").is_file():
        raise InputError(
            f"There is no adapter in {str(adapter)!r}; give a directory with adapter_config.json."
        )
    if not (adapter / "adapter_model.safetensors").is_file():
        raise InputError(
            f"{str(adapter)!r} has no adapter_model.safetensors; gadfly loads no pickled weights."
        )
    try:
        from peft import PeftModel
    except ImportError as error:
        raise InputError("Adapters need PEFT: pip install 'gadfly[training]'.") from error
    base = (
        json.loads((adapter / "adapter_config.json").read_text()).get("base_model_name_or_path") or "unknown"
    )
    made_for, ours = short_name(base), short_name(name)
    if made_for and ours and made_for != ours:
        raise InputError(f"The adapter in {str(adapter)!r} was made for {made_for}, not for {ours}.")
    try:
        with warnings.catch_warnings(
            action="ignore", category=FutureWarning
        ):  # PEFT asks transformers in an old way
            return PeftModel.from_pretrained(weights, adapter, is_trainable=trainable)
    except (RuntimeError, ValueError, KeyError) as error:
        raise InputError(
            f"The adapter in {str(adapter)!r} does not fit {name}: it was made for {base}."
        ) from error


def short_name(reference: str) -> str | None:
    """Which known model a name, hub id or cache directory stands for; None for others."""
    last = Path(reference).name
    return next(
        (m.name for m in KNOWN if reference in (m.name, m.hub) or last == f"{m.name}-{m.sha256[:12]}"), None
    )


def token_budget(weights: Any, device: torch.device) -> int:
    """How many tokens of keys and values fit in 40 % of the memory that is free now."""
    config = weights.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    itemsize = 4 if device.type == "cpu" else weights.dtype.itemsize
    per_token = 2 * config.num_hidden_layers * heads * width * itemsize
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
    return int(max(2048, 0.4 * free // per_token))


def is_left_open(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a conversation ends in words of the assistant's, which the model is then to go on from."""
    return bool(messages) and messages[-1]["role"] == "assistant" and not messages[-1].get("tool_calls")


def plain_chat(messages: Sequence[Mapping[str, Any]]) -> str:
    """A conversation as plain lines, for models without a chat template."""
    lines = [f"{m['role'].capitalize()}: {m['content']}" for m in messages]
    return "\n\n".join(lines if is_left_open(messages) else [*lines, "Assistant:"])


def system_in_user(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same conversation with its system text in front of the first user message."""
    system, rest = messages[0]["content"], [dict(m) for m in messages[1:]]
    if rest and rest[0]["role"] == "user":
        rest[0]["content"] = f"{system}\n\n{rest[0]['content']}"
        return rest
    return [{"role": "user", "content": system}, *rest]


def first_line(error: BaseException) -> str:
    """The first line of an exception's text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
