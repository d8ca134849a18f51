"""Of complex numbers no half is left out without a word, whoever gives them."""

from __future__ import annotations

import types

import numpy as np
import pytest

from harness import complex_numbers
from harness.commands.embedding_child import Embedding
from harness.errors import ContenderError, DataError, ParityError
from harness.measure.builder import _expect
from harness.measure.construction import _refuse_complex
from harness.measure.float64_call import call64
from harness.measure.scoring_child import answers
from harness.measure.timed_projection import TimedProjection
from harness.plugin.interfaces import Compiled, Dataset, Heads, Provenance

QUERIES = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
SAID = r"the output is complex\d+, expected float32; give real numbers, such as real and imaginary parts side by side"


class Given(Compiled):
    """Answers what a function makes of its queries."""

    def __init__(self, function):
        self.function = function

    def __call__(self, prepared):
        return self.function(prepared)


class Converting(Given):
    """A runtime with a conversion of its own, which drops what is imaginary."""

    def result(self, output):
        return np.asarray(output).real.astype(np.float32)


class Late(Given):
    """Its conversion makes complex numbers of real ones."""

    def result(self, output):
        return output + 1j


OUTPUTS = {
    "array": lambda queries: queries + 1j,
    "list of complex": lambda queries: (queries + 1j).tolist(),
    "list of arrays": lambda queries: list(queries + 1j),
    "of some queries alone": np.emath.sqrt,  # real for those that are positive
}


@pytest.mark.parametrize("transfers", ["excluded", "included"])
@pytest.mark.parametrize("name", OUTPUTS)
def test_a_complex_output_is_refused_however_it_is_called(name, transfers):
    calling = TimedProjection(Given(OUTPUTS[name]), transfers)
    with pytest.raises(ParityError, match=SAID):
        calling.answer(calling.prepare(QUERIES))


@pytest.mark.parametrize("kind", [Converting, Late])
def test_a_runtime_that_drops_what_is_imaginary_or_makes_it_is_refused_too(kind):
    calling = TimedProjection(kind(lambda queries: queries + 1j if kind is Converting else queries))
    with pytest.raises(ParityError, match=SAID):
        calling.answer(QUERIES)


def test_what_is_real_passes():
    calling = TimedProjection(Given(lambda queries: np.emath.sqrt(np.abs(queries)).tolist()))
    np.testing.assert_allclose(calling.answer(QUERIES), np.sqrt(np.abs(QUERIES)))


def test_a_tensor_says_by_itself_that_it_is_complex():
    class Kind:
        is_complex = True

        def __str__(self):
            return "torch.complex64"

    with pytest.raises(ParityError, match="the output is complex64, expected float32"):
        complex_numbers.refuse(types.SimpleNamespace(dtype=Kind()))
    complex_numbers.refuse([1j])  # no type of its elements: its conversion decides


def test_neither_definitions_nor_references_nor_scores_leave_half_out():
    with pytest.raises(ParityError, match=SAID):
        call64(lambda queries: queries + 1j, QUERIES)
    with pytest.raises(ParityError, match="the reference of its projector is complex128, expected float64"):
        _expect(QUERIES + np.complex128(1j), 4, (4, 3), "the reference of its projector")
    with pytest.raises(ParityError, match=SAID):
        answers(Converting(lambda queries: queries + 1j), QUERIES, 4)


@pytest.mark.parametrize("name", ["centroids", "answers", "train_queries", "held_out_queries"])
def test_a_source_that_gives_complex_arrays_is_refused_with_the_name_of_the_array(name):
    arrays = dict.fromkeys(("centroids", "answers", "train_queries", "held_out_queries"), QUERIES)
    arrays[name] = QUERIES.astype(complex)
    data = Dataset(
        heads=Heads(centroids=arrays["centroids"], answers=arrays["answers"], temperature=0.1),
        train_queries=arrays["train_queries"],
        held_out_queries=arrays["held_out_queries"],
        provenance=Provenance(kind="real", description="x", digest="y"),
    )
    with pytest.raises(DataError, match=f"the array {name} of the source 'mine' is complex128, expected float32"):
        _refuse_complex(data, "mine")


def test_an_embedder_that_gives_complex_vectors_is_refused(tmp_path):
    embedding = Embedding.__new__(Embedding)
    embedding._embedder = types.SimpleNamespace(name="mine", embed=lambda texts, context: np.ones((1, 2), complex))
    embedding._settings = {"folder": str(tmp_path), "table_rows": 1, "threads": 1}
    path = tmp_path / "one.npy"
    with pytest.raises(ContenderError, match="the output of the embedder 'mine' is complex128, expected float32"):
        embedding.embed({"texts": ["a"], "role": "question", "rows": [0], "path": str(path)})
    assert not path.exists()
