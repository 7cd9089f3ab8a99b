"""Which language somebody at a page gets."""

from __future__ import annotations

from qanat.languages import choose


def test_the_language_is_the_persons_choice_then_the_browsers() -> None:
    assert choose("zh", "en") == "zh"
    assert choose("", "zh-CN,zh;q=0.9,en;q=0.8") == "zh"
    assert choose("", "fr, en;q=0.5, zh;q=0.9") == "zh"
    assert choose("", "de-DE") == choose("", "") == choose("xx", ";;q=,,") == choose("", "zh;q=0") == "en"
    assert choose("", "zh;q=nonsense, en") == "en"
