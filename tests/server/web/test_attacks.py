"""What a stranger on the network or on another site tries against the console."""

from __future__ import annotations

import html
import re

import pytest
from tests.server.live import Device, Live, live_server, settings_for
from tests.server.market import Market, open_market
from tests.server.web.browser import Look, People
from tests.server.web.forged import PASSWORD, Hand

from qanat.server.web.people.pages import PAGES as PEOPLE
from qanat.units import HOUR, MINUTE

SCRIPT = "<script>document.body.id='taken'</script>\"'><img src=x onerror=document.body.id='taken'>"


@pytest.fixture
def market(live: Live) -> Market:
    return open_market(live)


@pytest.fixture
def alice(live: Live) -> Hand:
    """Alice at her own console, signed in."""
    live.done("/v1/subscribers", {"name": "alice", "password": PASSWORD})
    hand = Hand(live)
    assert hand.sign_in("alice").headers["location"] == "/me"
    return hand


def _supply(hand: Hand, live: Live) -> int:
    return len(live.get("/v1/subscribers/alice/supply-orders").json()["orders"])


# -- forms from elsewhere


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://["},
    ],
)
def test_a_form_from_another_site_does_nothing_even_with_the_right_word(
    alice: Hand, live: Live, headers: dict[str, str]
) -> None:
    answer = alice.post("/me/lend", {"octets": "1GB", "audience": "anyone"}, **headers)
    assert (answer.status_code, _supply(alice, live)) == (403, 0)
    assert "not_believed" in answer.text


@pytest.mark.parametrize("word", ["", "0" * 64, "ü"])
def test_a_form_without_the_right_word_does_nothing(alice: Hand, live: Live, word: str) -> None:
    answer = alice.post("/me/lend", {"octets": "1GB", "audience": "anyone"}, csrf=word)
    assert (answer.status_code, _supply(alice, live)) == (403, 0)


def test_a_form_made_for_somebody_elses_session_is_not_believed(alice: Hand, live: Live) -> None:
    live.done("/v1/subscribers", {"name": "mallory", "password": PASSWORD})
    mallory = Hand(live)
    mallory.sign_in("mallory")
    answer = alice.post("/me/lend", {"octets": "1GB", "audience": "anyone"}, csrf=mallory.csrf("/me"))
    assert (answer.status_code, _supply(alice, live)) == (403, 0)


def test_a_form_that_is_no_form_is_not_believed(alice: Hand, live: Live) -> None:
    answer = alice.http.post("/me/lend", json={"csrf": alice.csrf("/me"), "octets": "1GB"})
    assert (answer.status_code, _supply(alice, live)) == (403, 0)


def test_every_form_of_the_subscribers_wants_the_word(alice: Hand) -> None:
    for page in PEOPLE:
        if page.method == "POST":
            answer = alice.post(re.sub(r"{\w+}", "x", page.path), csrf="wrong")
            assert answer.status_code == 403, page.path


# -- sessions


def test_signing_in_gives_a_new_session_and_ends_the_one_before(live: Live) -> None:
    live.done("/v1/subscribers", {"name": "alice", "password": PASSWORD})
    hand = Hand(live)
    hand.plant("visitor.planted-by-an-attacker")
    hand.sign_in("alice")
    first = hand.cookie
    assert "planted" not in first
    hand.sign_in("alice")
    hand.plant(first)
    assert hand.get("/me").headers["location"] == "/sign-in?to=%2Fme", "the earlier session is worth nothing"


def test_signing_out_ends_the_session_at_the_server(alice: Hand, live: Live) -> None:
    token = alice.cookie
    alice.post("/sign-out", csrf=alice.csrf("/me"))
    assert live.get("/v1/whoami", token=token).status_code == 401
    assert alice.cookie.startswith("visitor.")


def test_the_session_is_out_of_reach_for_scripts_and_other_sites(live: Live) -> None:
    set_cookie = Hand(live).get("/").headers["set-cookie"].lower()
    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip() for part in set_cookie.split(";")}
    assert "secure" not in set_cookie


def test_over_tls_the_cookie_is_bound_to_the_host_and_to_tls(tmp_path_factory: pytest.TempPathFactory) -> None:
    data = tmp_path_factory.mktemp("tls")
    with live_server(data, settings_for(data, web={"origin": "https://qanat.example"})) as live:
        answer = Hand(live).get("/")
    assert answer.headers["set-cookie"].startswith("__Host-qanat=")
    assert "secure" in answer.headers["set-cookie"].lower()
    assert answer.headers["strict-transport-security"]


def test_guessing_passwords_is_bounded_and_tells_no_names(alice: Hand, live: Live) -> None:
    pages = []
    for name in ("alice", "nobody"):
        answers = [Hand(live).sign_in(name, "wrong password") for _ in range(6)]
        assert [one.status_code for one in answers] == [401] * 5 + [429]
        said = re.sub(r'name="(csrf|once)" value="[^"]+"', "", answers[0].text)
        pages.append(said.replace(name, "NAME"))
    assert pages[0] == pages[1]
    live.clock.advance(MINUTE)
    assert Hand(live).sign_in("alice").status_code == 303


# -- where a page leads


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/" * 3000,
        "",
        "http:evil.example",
    ],
)
def test_signing_in_leads_nowhere_but_here(alice: Hand, to: str) -> None:
    answer = alice.sign_in("alice", to=to)
    assert answer.headers["location"] == "/me"
    back = alice.post("/language", {"language": "zh", "back": to}, csrf=alice.csrf("/me"))
    assert back.headers["location"] == "/"


def test_every_page_is_kept_out_of_frames_and_runs_nothing_inline(alice: Hand) -> None:
    for path in ("/", "/sign-in", "/me", "/me/lend", "/nowhere", "/static/nothing.js"):
        answer = alice.get(path)
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy, path
        assert "unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"<script(?![^>]* src=)| on\w+=| style=", answer.text), path
    assert alice.get("/me").headers["cache-control"] == "no-store"


def test_static_files_are_named_by_their_content_and_cached(alice: Hand) -> None:
    sheet = re.search(r'href="(/static/qanat\.[0-9a-f]+\.css)"', alice.get("/me").text)
    assert sheet
    answer = alice.get(sheet[1])
    assert "immutable" in answer.headers["cache-control"]
    assert alice.get("/static/qanat.000000000000.css").status_code == 404
    assert alice.get("/static/..%2f..%2fapp.py").status_code == 404


# -- what is sent


def test_enormous_forms_are_turned_away(alice: Hand, live: Live) -> None:
    large = alice.post("/me/lend", {"octets": "1" * 70_000})
    many = alice.post("/me/lend", {f"field{number}": "" for number in range(1000)})
    assert [large.status_code, many.status_code, _supply(alice, live)] == [413, 413, 0]
    assert "body_too_large" in large.text


@pytest.mark.parametrize(
    "form",
    [
        {"octets": "-1"},
        {"octets": "1e9"},
        {"octets": "NaN"},
        {"octets": "99999999999GB"},
        {"octets": "0"},
        {"octets": "1GB", "price": "-1"},
        {"octets": "1GB", "price": "9" * 40},
        {"octets": "1GB", "per_day": "\x00"},
        {"octets": "1GB", "audience": "person", "person": SCRIPT},
        {"octets": "1GB", "audience": "circle ../../x"},
        {"octets": "1GB", "currency": "€", "price": "1"},
        {"octets": "1GB", "once": "x" * 300, "price": "\ud7ff"},
        {"octets": "1GB", "hours": "²"},
        {"octets": "1GB", "hours": "-5"},
        {"octets": "1GB", "hours": "0"},
        {"octets": "1GB", "hours": "9" * 5000},
        {},
    ],
)
def test_nonsense_in_a_form_is_said_and_nothing_happens(alice: Hand, live: Live, form: dict[str, str]) -> None:
    answer = alice.post("/me/lend", form)
    assert answer.status_code in (404, 422), answer.text[:300]
    assert SCRIPT not in answer.text
    assert _supply(alice, live) == 0


def test_a_plan_is_put_on_sale_as_it_was_written_or_not_at_all(live: Live) -> None:
    staff = Hand(live)
    staff.plant(live.token)
    plan = {"name": "day", "of": "octets", "amount": "1GB", "stock": "0", "price": "2"}
    free = staff.post("/ops/plans", plan | {"price": ""}, csrf=staff.csrf("/ops/plans"))
    assert (free.status_code, live.get("/v1/plans").json()["plans"]) == (422, []), "no price is not a price of nothing"
    assert staff.post("/ops/plans", plan, csrf=staff.csrf("/ops/plans")).status_code == 303
    assert live.get("/v1/plans").json()["plans"][0]["stock"] == 0, "none for sale is not any number of them"


def test_money_in_a_form_has_the_decimals_of_the_currency_beside_it(live: Live) -> None:
    staff = Hand(live)
    staff.plant(live.token)
    live.done("/v1/subscribers", {"name": "olga"})
    page = "/ops/subscribers/olga"
    for amount, currency, status in (("1,250", "kwd", 303), ("300", "JPY", 303), ("2.50", "JPY", 422)):
        answer = staff.post(f"{page}/pay-in", {"amount": amount, "currency": currency}, csrf=staff.csrf(page))
        assert answer.status_code == status, amount
    assert "&#39;2.50&#39; is no amount of JPY." in answer.text
    assert "Write it as in 990." in answer.text
    shown = staff.get(page).text
    assert "1.250 KWD" in shown
    assert "300 JPY" in shown


def test_what_strangers_call_themselves_is_shown_and_never_run(web: People, live: Live) -> None:
    live.done("/v1/sims", {"count": 5})
    live.done("/v1/subscribers", {"name": "alice", "password": PASSWORD, "display_name": SCRIPT})
    token = live.done("/v1/sign-in", {"name": "alice", "password": PASSWORD}, token="")["token"]
    device = Device(live)
    code = live.done("/v1/me/codes", {}, token=token)["code"]
    hostile = {
        "code": code,
        "public_key": device.public_key,
        "hardware": SCRIPT[:60],
        "serial": "imei-x",
        "version": "1",
    }
    enrolled = device.send("POST", "/v1/terminals", hostile, key_id=device.public_key)
    assert enrolled.status_code == 201, enrolled.text
    station = Device(live, seed=3)
    code = live.done("/v1/me/base-station-codes", {}, token=token)["code"]
    named = {
        "code": code,
        "public_key": station.public_key,
        "hardware": "x",
        "serial": "y",
        "version": "1",
        "place": SCRIPT[:90],
    }
    base_station = station.send("POST", "/v1/base-stations", named, key_id=station.public_key)
    assert base_station.status_code == 201, base_station.text
    live.done(
        "/v1/me/supply-orders", {"octets": 1, "base_stations": [base_station.json()["base_station"]]}, token=token
    )
    live.done("/v1/subscribers/alice/top-ups", {"octets": 1000})
    live.done("/v1/subscribers", {"name": "bob", "password": PASSWORD})
    person = web.person()
    for name in ("alice", "bob"):
        person.context.clear_cookies()
        person.sign_in(name, PASSWORD)
        terminal = f"/me/terminals/{enrolled.json()['terminal']}"
        for path in (
            "/me",
            "/me/terminals",
            terminal,
            "/me/lend",
            "/me/borrow",
            "/me/statement",
            f"/{SCRIPT}",
            "/me?done=" + SCRIPT,
        ):
            person.go(path)
            assert person.page.get_attribute("body", "id") is None, path
            assert person.page.evaluate("document.querySelectorAll('main script, main img').length") == 0, path
    person.go("/me/borrow")
    assert SCRIPT[:90] in person.text(), "shown as it was written"
    person.go("/sign-in?to=" + SCRIPT)
    person.page.fill("#name", SCRIPT)
    person.page.fill("#password", "x")
    person.page.click("main button")
    assert person.page.get_attribute("body", "id") is None
    assert [error for error in person.errors if "Content Security Policy" in error] == []


def test_words_without_end_widen_no_page(web: People, live: Live) -> None:
    """On a phone, where a stranger's name of one long word would push what matters out of sight."""
    long = "w" * 64
    live.done("/v1/subscribers", {"name": long, "password": PASSWORD, "display_name": "Ω" * 200})
    live.done("/v1/plans", {"name": long, "octets": 1, "valid_days": 1, "price": 0})
    live.done("/v1/voucher-batches", {"batch": long, "count": 1, "octets": 1})
    token = live.done("/v1/sign-in", {"name": long, "password": PASSWORD}, token="")["token"]
    live.done("/v1/me/circles", {"name": long, "members": [long]}, token=token)
    live.done("/v1/me/supply-orders", {"octets": 1, "circle": long}, token=token)
    assert live.post("/v1/me/purchases", {"plan": "x" * 64}, token=token).status_code == 404
    person = web.person(Look(width=390))
    faces = {
        token: ("/me", "/me/plans", f"/me/plans/{long}", "/me/lend", "/me/refusals", "/me/account"),
        live.token: ("/ops", "/ops/refusals", "/ops/plans", f"/ops/subscribers/{long}", f"/ops/vouchers/{long}"),
    }
    for cookie, paths in faces.items():
        person.context.add_cookies([{"name": "qanat", "value": cookie, "url": live.url}])
        for path in paths:
            person.go(path)
            assert person.page.evaluate("document.documentElement.scrollWidth") == 390, path


# -- things that belong to others


def test_nobody_sees_or_touches_through_a_page_what_belongs_to_somebody_else(market: Market, live: Live) -> None:
    order = market.does("alice", "/supply-orders", {"octets": 1_000_000})["order"]
    demand = market.does("bob", "/demand-orders", {"octets": 300_000})["order"]
    terminal = live.get("/v1/terminals").json()["terminals"][0]["terminal"]
    station = market.station.id
    live.done("/v1/operators/north/staff", {"name": "norbert", "password": PASSWORD})
    hands = {name: Hand(live) for name in ("alice", "bob", "carol", "norbert")}
    for name, hand in hands.items():
        assert hand.sign_in(name).status_code == 303
    owner_of = {
        f"/me/lend/{order}/stop": "alice",
        f"/me/borrow/{demand}/stop": "bob",
        f"/me/terminals/{terminal}/end": "bob",
        f"/me/base-stations/{station}/end": "carol",
        f"/me/terminals/{terminal}": "bob",
        f"/me/base-stations/{station}": "carol",
    }
    for path, owner in owner_of.items():
        for name, hand in hands.items():
            if name != owner:
                shown = hand.get(path) if path.count("/") == 3 else hand.post(path, csrf=hand.csrf("/sign-in"))
                assert shown.status_code in (403, 404), (path, name)
                assert "imei-1" not in shown.text
    assert live.get("/v1/subscribers/alice/supply-orders").json()["orders"][0]["state"] == "open"
    assert live.get("/v1/subscribers/bob/demand-orders").json()["orders"][0]["state"] == "open"
    assert live.get("/v1/terminals").json()["terminals"][0]["state"] == "enrolled"
    for path, owner in list(owner_of.items())[:4]:
        assert hands[owner].post(path).status_code == 303, "its owner may"


def test_each_face_is_for_its_people_only(alice: Hand, live: Live) -> None:
    live.done("/v1/operators/home/staff", {"name": "olga", "password": PASSWORD})
    olga = Hand(live)
    assert olga.sign_in("olga").headers["location"] == "/ops"
    assert alice.get("/ops").status_code == 403
    assert olga.get("/me").status_code == 403
    stranger = Hand(live)
    for path in ("/ops", "/me", "/me/lend"):
        assert stranger.get(path).headers["location"].startswith("/sign-in?to=")


# -- interrupted, and twice


def test_a_sign_in_that_ran_out_in_mid_action_loses_nothing(web: People, live: Live) -> None:
    live.done("/v1/subscribers", {"name": "alice", "password": PASSWORD})
    alice = web.person()
    alice.sign_in("alice", PASSWORD)
    alice.go("/me/lend")
    page = alice.page
    page.click("form[action='/me/lend'] summary")
    page.fill("#other", "123MB")
    live.clock.advance(13 * HOUR)
    page.click("form[action='/me/lend'] > p button")
    page.wait_for_selector("#password")
    alice.judge("signed-out-meanwhile")
    assert _supply(Hand(live), live) == 0
    page.fill("#name", "alice")
    page.fill("#password", PASSWORD)
    page.click("main button")
    page.wait_for_selector("text=123MB")
    alice.judge("nothing-is-lost")
    assert _supply(Hand(live), live) == 0, "nothing takes effect unseen"
    page.click("main form[action='/me/lend'] button")
    page.wait_for_url("**/me/lend?done=lent")
    orders = live.get("/v1/subscribers/alice/supply-orders").json()["orders"]
    assert [order["octets"] for order in orders] == [123_000_000]


def test_signing_in_anew_in_another_tab_leaves_this_tabs_form_to_be_sent_again(web: People, live: Live) -> None:
    live.done("/v1/subscribers", {"name": "alice", "password": PASSWORD})
    alice = web.person()
    alice.sign_in("alice", PASSWORD)
    alice.go("/me/lend")
    other = alice.tab()
    other.goto(live.url + "/me")
    other.click(".side form[action='/sign-out'] button")
    other.goto(live.url + "/sign-in")
    other.fill("#name", "alice")
    other.fill("#password", PASSWORD)
    other.click("main button")
    other.wait_for_selector(".shell")
    alice.page.click("form[action='/me/lend'] > p button")
    alice.page.wait_for_selector("text=500MB")
    assert _supply(Hand(live), live) == 0
    alice.page.click("main form button")
    alice.page.wait_for_url("**/me/lend?done=lent")
    assert _supply(Hand(live), live) == 1


def test_the_same_form_sent_twice_takes_effect_once(alice: Hand, live: Live) -> None:
    live.done("/v1/plans", {"name": "day", "octets": 1_000_000, "valid_days": 1, "price": 500})
    live.done("/v1/subscribers/alice/pay-ins", {"amount": 2000})
    page = alice.get("/me/plans/day").text
    once = re.findall(r'name="once" value="([^"]+)"', page)[-1]
    for _ in range(3):
        assert alice.post("/me/plans/day", {"once": html.unescape(once)}).status_code == 303
    balance = live.get("/v1/subscribers/alice/balance").json()
    assert (balance["available"], balance["wallets"][0]["balance"]) == (1_000_000, 1500)


def test_stopping_in_two_tabs_is_stopping(alice: Hand, live: Live) -> None:
    order = live.done("/v1/subscribers/alice/supply-orders", {"octets": 1000})["order"]
    for _ in range(2):
        assert alice.post(f"/me/lend/{order}/stop").headers["location"] == "/me/lend?done=stopped"


def test_a_page_that_there_is_not_belongs_to_nothing_in_the_menu(alice: Hand, live: Live) -> None:
    live.done("/v1/operators/home/staff", {"name": "nora", "password": PASSWORD})
    office = Hand(live)
    assert office.sign_in("nora").headers["location"] == "/ops"
    for hand, path, whose in ((alice, "/me/nothing", "/me"), (office, "/ops/nothing", "/ops")):
        lost = hand.get(path)
        assert lost.status_code == 404
        assert f'href="{whose}">' in lost.text, "the menu is there"
        assert "aria-current" not in lost.text
        assert "data-here" not in lost.text
        assert f'href="{whose}" aria-current="page"' in hand.get(whose).text


def test_programs_that_lose_their_way_are_told_so_in_json(live: Live) -> None:
    for method, path, status, reason in (
        ("GET", "/nowhere", 404, "no_such_path"),
        ("DELETE", "/sign-in", 405, "no_such_method"),
    ):
        answer = live.http.request(method, path)
        assert (answer.status_code, answer.json()["reason"]) == (status, reason)
