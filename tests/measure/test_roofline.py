from __future__ import annotations

import pytest

from harness.measure import roofline


def test_every_shape_and_size_gets_a_rate(monkeypatch):
    monkeypatch.setattr(roofline, "_SECONDS", 1e-4)
    found = roofline.rates([(2, 8, 16), (2, 16, 8), (4, 8, 16)], [2**12, 2**16])
    assert [tuple(each[:3]) for each in found["products"]] == [(2, 8, 16), (2, 16, 8), (4, 8, 16)]
    assert all(each[3] > 0 for each in found["products"])
    assert set(found["bytes_per_second"]) == {"4096", "65536"}
    by_rows = {rows: max(each[3] for each in found["products"] if each[0] == rows) for rows in (2, 4)}
    assert found["flops_per_second"] == {str(rows): rate for rows, rate in by_rows.items()}


def test_shapes_that_come_too_late_are_not_timed(monkeypatch):
    monkeypatch.setattr(roofline, "_SECONDS", 1e-4)
    monkeypatch.setattr(roofline, "_PRODUCTS_SECONDS", -1.0)
    found = roofline.rates([(2, 8, 16), (2, 16, 8)], [2**12])
    assert len(found["products"]) == 1


def test_shapes_of_the_table_are_timed_as_they_are_and_those_of_searches_rounded():
    found = roofline.shapes_to_time([(32, 384, 18), (32, 18, 384)], [(32, 384, 18), (32, 384, 19), (32, 384, 1000)])
    assert found[1:] == [(32, 384, 18), (32, 18, 384), (32, 512, 16), (32, 512, 1024)]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("shape", [(256, 384, 2**20), (256, 2**20, 384)])
def test_a_product_that_would_take_long_is_cut_along_its_longer_side(shape):
    rows, inner, columns = roofline.shapes_to_time([shape])[1]
    assert 2 * rows * inner * columns <= 2**32
    assert (rows, min(inner, columns)) == (256, 384)


def test_a_limit_is_the_best_of_the_libraries():
    one = {"products": [(1, 2, 3, 5.0), (4, 5, 6, 1.0)], "bytes_per_second": {"8": 2.0}}
    other = {"products": [(1, 2, 3, 4.0), (4, 5, 6, 9.0)], "bytes_per_second": {}}
    found = roofline.best_rates([one, other])
    assert sorted(found["products"]) == [(1, 2, 3, 5.0), (4, 5, 6, 9.0)]
    assert found["flops_per_second"] == {"1": 5.0, "4": 9.0}
    assert found["bytes_per_second"] == {"8": 2.0}


def test_a_library_that_multiplies_nothing_adds_nothing():
    assert roofline.rates([(1, 2, 3)], [64], lambda left, right: [])["products"] == []
