"""The front door in a real browser: welcome, signing up, in and out, language and look."""

from __future__ import annotations

from tests.server.web.browser import Look, People


def test_somebody_signs_up_looks_around_signs_out_and_in_again(web: People, look: Look) -> None:
    person = web.person(look)
    person.go("/")
    person.judge("welcome")
    person.go("/sign-up")
    person.judge("sign-up")
    person.sign_up("alice")
    person.judge("home-empty")
    person.go("/nowhere")
    person.judge("no-such-page")
    assert "no_such_path" in person.text()
    person.go("/sign-out")
    assert "no_such_method" in person.text()


def test_a_wrong_sign_in_says_so_and_keeps_the_name(web: People, look: Look) -> None:
    person = web.person(look)
    person.sign_up("alice")
    person.context.clear_cookies()
    person.go("/me")
    assert person.path == "/sign-in?to=%2Fme"
    person.page.fill("#name", "alice")
    person.page.fill("#password", "not this one")
    person.page.click("main button")
    person.page.wait_for_selector("[role=alert]")
    person.judge("wrong-sign-in")
    assert person.page.input_value("#name") == "alice"
    person.page.fill("#password", "correct horse battery")
    person.page.keyboard.press("Enter")
    person.page.wait_for_url("**/me")


def test_language_and_look_are_chosen_and_kept(web: People) -> None:
    person = web.person()
    person.go("/sign-in")
    person.page.click("text=中文")
    assert person.page.get_attribute("html", "lang") == "zh-Hans"
    person.page.click("text=深色")
    person.go("/sign-up")
    assert person.page.get_attribute("html", "data-look") == "dark"
    assert "注册" in person.text()
    person.judge("chosen-dark-chinese")
