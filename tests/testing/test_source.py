from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import harness
from harness.plugin.manager import Catalog
from harness.testing import ConformanceError, check_source


class Drawn(harness.Source):
    """Independent normal heads."""

    name = "drawn"
    most = 32

    def limit(self, context):
        return self.most

    def load(self, heads, context):
        count = heads or 16
        if count > self.most:
            raise harness.DataError("too many")
        return self.change(self.drawn(count, context.seed), count)

    def drawn(self, count, seed):
        def draw(salt, rows):
            return np.random.default_rng([seed, salt]).standard_normal((rows, 8), dtype="float32")

        return {
            "heads": {
                "centroids": draw(1, self.most)[:count],
                "answers": draw(2, self.most)[:count],
                "temperature": 0.1,
            },
            "train_queries": draw(3, 20),
            "held_out_queries": draw(4, 5),
            "provenance": {"kind": "synthetic", "description": "independent normal", "digest": f"drawn-{seed}-{count}"},
        }

    def change(self, data, count):
        return harness.Dataset(
            heads=harness.Heads(**data.pop("heads")), provenance=harness.Provenance(**data.pop("provenance")), **data
        )


def changed(change):
    """The same source, whose data are changed first."""

    class Changed(Drawn):
        """A changed source."""

        def change(self, data, count):
            change(data, count)
            return super().change(data, count)

    return Changed()


def broken(source) -> str:
    with pytest.raises(ConformanceError) as caught:
        check_source(source)
    return str(caught.value)


def test_a_good_source_passes():
    check_source(Drawn())


def test_a_source_whose_heads_have_matrices_passes():
    def some(data, count):
        matrices = np.random.default_rng(5).standard_normal((32, 8, 8), dtype="float32")
        data["heads"]["matrices"] = {head: matrices[head] for head in range(0, count, 2)}

    check_source(changed(some))


def test_a_source_that_names_the_head_of_each_query_passes():
    check_source(changed(belonging(counted(20), counted(5))))


def test_built_in_sources_pass():
    catalog = Catalog.load(only=["harness_plugins.sources", "harness_plugins.resampled"])

    def load(name, options, heads):
        context = harness.SourceContext(folder=Path.cwd(), cache=Path.cwd())
        return catalog.get("source", name).with_options(options).load(heads, context)

    check_source(catalog.get("source", "playbook"))
    check_source(catalog.get("source", "resampled"), load=load)


def half_precision(data, count):
    data["train_queries"] = data["train_queries"].astype("float16")


def transposed(data, count):
    data["heads"]["centroids"] = np.asfortranarray(data["heads"]["centroids"])


def leaking(data, count):
    data["held_out_queries"] = data["train_queries"][:2]


def reversed_heads(data, count):
    data["heads"]["centroids"] = data["heads"]["centroids"][::-1].copy()


def unlucky(data, count):
    data["train_queries"][0, 0] = np.nan


def one_digest(data, count):
    data["provenance"]["digest"] = "always"


def one_digest_for_all_seeds(data, count):
    data["provenance"]["digest"] = f"of {count}"


def first_mapped_of_many(data, count):
    if count > 1:
        mapped(0)(data, count)


def real_of_sorts(data, count):
    data["provenance"]["kind"] = "realistic"


def warm(data, count):
    data["heads"]["temperature"] = 0.0


def rounded_copies(data, count):
    data["held_out_queries"][:3] = data["train_queries"][:3].astype(np.float16)


def one_held_out(data, count):
    data["held_out_queries"] = data["held_out_queries"][:1]


def nothing_to_train_on(data, count):
    data["train_queries"] = data["train_queries"][:0]


def a_zero_centroid(data, count):
    data["heads"]["centroids"][0] = 0


def hot(data, count):
    data["heads"]["temperature"] = np.inf


def mapped(head, **matrix):
    def change(data, count):
        data["heads"]["matrices"] = {head: np.ones(**{"shape": (8, 8), "dtype": "float32"} | matrix)}

    return change


def not_a_number(data, count):
    mapped(0)(data, count)
    data["heads"]["matrices"][0][0, 0] = np.nan


def belonging(train, held_out):
    def change(data, count):
        data |= {"train_heads": train(count), "held_out_heads": held_out(count)}

    return change


def counted(rows):
    return lambda count: np.arange(rows) % count


def one_more(data, count):
    data["heads"]["answers"] = data["heads"]["answers"][:-1]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            belonging(lambda count: 1 + np.arange(20) % count, counted(5)),
            "- query heads: train_heads go from 1 to 8, and the heads from 0 to 7",
        ),
        (
            belonging(counted(20), counted(4)),
            "- query heads: held_out_heads is int64 [4], expected a whole number for each of 5 queries",
        ),
        (
            belonging(lambda count: np.arange(20) % count / 2, counted(5)),
            "- query heads: train_heads is float64 [20], expected a whole number for each of 20 queries",
        ),
        (
            belonging(counted(20), lambda count: None),
            "- query heads: of train_heads and held_out_heads there is only train_heads",
        ),
        (half_precision, "- dtype: train_queries is float16, expected float32"),
        (transposed, "- contiguous: centroids is not C-contiguous; pass it through numpy.ascontiguousarray"),
        (leaking, "- held out: 2 held-out queries are training queries too"),
        (reversed_heads, "- nesting: one head is not the first of more: fewer heads are the first ones"),
        (unlucky, "- finite: train_queries holds NaN or infinity"),
        (one_digest, "- provenance: other numbers of heads have the same digest"),
        (real_of_sorts, "- provenance: the kind is 'realistic'; it is one of real, resampled, synthetic"),
        (warm, "- temperature: the temperature is 0.0; it must be positive"),
        (one_more, "- count: 8 centroids, but 7 answers"),
        (rounded_copies, "- held out: 3 held-out queries are training queries too"),
        (one_held_out, "- queries: it holds out 1 queries; a score needs two or more for an interval"),
        (nothing_to_train_on, "- queries: there is no query to train on"),
        (a_zero_centroid, "- centroids: the centroid of head 0 is zero"),
        (hot, "- temperature: the temperature is inf; it must be positive"),
        (mapped(9), "- matrices: the matrix of head 9: there are 8 heads"),
        (mapped(0, shape=(8, 7)), "- matrices: the matrix of head 0 has the shape [8, 7], expected [8, 8]"),
        (mapped(0, dtype="float64"), "- matrices: the matrix of head 0 is float64, expected float32"),
        (not_a_number, "- matrices: the matrix of head 0 holds NaN or infinity"),
        (first_mapped_of_many, "- nesting: one head is not the first of more: fewer heads are the first ones"),
        (one_digest_for_all_seeds, "- provenance: the data of two seeds have the same digest"),
    ],
)
def test_each_broken_rule_is_named(change, sentence):
    assert sentence in broken(changed(change)).splitlines()


def test_two_loads_agree():
    class Fickle(Drawn):
        """Another seed each time."""

        calls = 0

        def drawn(self, count, seed):
            type(self).calls += 1
            return super().drawn(count, seed + self.calls)

    assert "- determinism: loaded twice with one seed it gives two data sets" in broken(Fickle())


def test_a_limit_is_kept():
    class Endless(Drawn):
        """Gives more than it says."""

        def limit(self, context):
            return 20

    assert "- limit: load(21) gave heads beyond its limit of 20; raise harness.DataError" in broken(Endless())
