"""`sizes`, the other word for `heads`."""

from __future__ import annotations

import pytest

from harness.suite.sizes import as_heads, written


def test_every_sizes_is_called_heads():
    data = {
        "sizes": 1,
        "contenders": {"one": {"sizes": 2}, "two": {"heads": 3}, "odd": 4},
        "races": [{"sizes": 5, "name": "r"}, "odd"],
    }
    assert as_heads(data) == {
        "heads": 1,
        "contenders": {"one": {"heads": 2}, "two": {"heads": 3}, "odd": 4},
        "races": [{"heads": 5, "name": "r"}, "odd"],
    }
    assert data["sizes"] == 1  # what was given is left alone


def test_where_both_are_given_both_are_kept_and_what_is_not_a_mapping_or_a_list_is_left():
    both = {"sizes": 1, "heads": 2, "contenders": 3, "races": "x"}
    assert as_heads(both) == both


@pytest.mark.parametrize(
    ("path", "data", "wanted"),
    [
        (("heads", "to"), {"sizes": {"to": 1}}, ("sizes", "to")),
        (("heads", "to"), {"heads": {"to": 1}}, ("heads", "to")),
        (("heads",), {"heads": 1, "sizes": 2}, ("heads",)),
        (("heads",), {}, ("heads",)),
        (("races", 1, "heads"), {"races": [{"heads": 1}, {"sizes": 2}]}, ("races", 1, "sizes")),
        (("races", 2, "heads"), {"races": [{}, {}]}, ("races", 2, "heads")),
        (
            ("contenders", "one", "heads", "from"),
            {"contenders": {"one": {"sizes": 3}}},
            ("contenders", "one", "sizes", "from"),
        ),
        (("seed", "heads"), {"seed": 1}, ("seed", "heads")),
    ],
)
def test_a_complaint_is_spelled_as_the_suite_spells_it(path, data, wanted):
    assert written(path, data) == wanted
