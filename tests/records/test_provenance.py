"""In what the plugins and the data of two runs differ."""

from __future__ import annotations

from harness.records.provenance import data, offers, versions


def test_libraries_of_another_version_are_named_in_their_order():
    found = versions({"torch": "2.1", "numpy": "2.0", "old": "1"}, {"torch": "2.2", "numpy": "2.0", "new": "3"})
    assert list(found) == ["new: absent -> 3", "old: 1 -> absent", "torch: 2.1 -> 2.2"]


def test_data_are_known_by_their_digest_at_the_smallest_n_where_that_is_the_same():
    then = {"heads": 18, "digest": "a" * 64, "all_digest": "c" * 64}
    assert list(data("the data", then, dict(then))) == []
    assert list(data("the data", then, {**then, "digest": "b" * 64})) == ["the data: aaaaaaaaaaaa -> bbbbbbbbbbbb"]
    assert list(data("the data", then, {**then, "heads": 36, "digest": "b" * 64})) == []
    other = {**then, "heads": 36, "all_digest": "d" * 64}
    assert list(data("the data", then, other)) == ["the data: cccccccccccc -> dddddddddddd"]
    assert list(data("the data", {}, then)) == []
    assert list(data("the data", {"digest": "short"}, {})) == ["the data: short -> absent"]
    both = {**then, "digest": "b" * 64, "all_digest": "d" * 64}
    assert len(list(data("the data", then, both))) == 1  # said once


def test_offers_differ_by_their_parts():
    then = {"runtime r": {"sha256": "a" * 64, "version": "1"}, "source s": {"origin": "x"}, "gone": {}}
    now = {"runtime r": {"sha256": "b" * 64, "version": "2"}, "source s": {"origin": "x"}, "new": {}}
    assert list(offers(then, now)) == [
        "gone: present -> absent",
        "new: absent -> present",
        "the file of runtime r: aaaaaaaaaaaa -> bbbbbbbbbbbb",
        "version of runtime r: 1 -> 2",
    ]
    assert list(offers({"a": {"origin": "x"}}, {"a": {}})) == ["origin of a: x -> absent"]


def test_a_text_is_shortened_where_it_looks_like_a_digest():
    assert list(offers({"a": {"p": "x" * 59}}, {"a": {"p": "x y" * 40}})) == [f"p of a: {'x' * 59} -> {'x y' * 40}"]
    assert list(offers({"a": {"p": "x" * 60}}, {"a": {}})) == [f"p of a: {'x' * 12} -> absent"]
