"""What users read is plain English: none of the turns of phrase that had to be explained."""

from __future__ import annotations

from tests.docs.english import BANNED, OF, ROOT, sentences


def test_no_sentence_that_a_user_sees_holds_a_banned_phrase():
    found = [
        f"{file}:{line}: {part.strip()}"
        for file, line, text in sentences()
        for part in text.split("\n")
        if BANNED.search(part)
    ]
    assert found == []


def test_the_banned_phrases_are_found_where_they_occur():
    assert all(
        BANNED.search(each) for each in ("a budget of 5 s is none", "told all the same", "Nobody leads", "mend it")
    )
    assert not BANNED.search("empty where there is none")


def test_options_and_fields_are_described_by_phrases_that_have_their_noun():
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for folder in ("harness", "plugins")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if OF.search(line)
    ]
    assert found == []


def test_a_phrase_without_its_noun_is_found():
    assert OF.search('Field(description="of each interval")')
    assert not OF.search('Field(description="confidence of each interval")')
