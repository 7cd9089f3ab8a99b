"""The subscribers' stories in a real browser: buy, bring in a terminal, lend, borrow, and read what came of it."""

from __future__ import annotations

import re

import pytest
from tests.patience import PATIENCE_S
from tests.server.live import Device, Live, interrogation
from tests.server.market import PASSWORD, Market, open_market
from tests.server.web.browser import Look, People, Person
from tests.server.web.forged import Hand

from qanat.units import DAY, HOUR, MINUTE


@pytest.fixture
def market(live: Live) -> Market:
    opened = open_market(live)
    for name, octets, price in (
        ("small", 500_000_000, 0),
        ("month", 12_000_000_000, 990),
        ("year", 150_000_000_000, 8990),
    ):
        body = {"name": name, "octets": octets, "valid_days": 30, "price": price, "operator": "north"}
        live.done("/v1/plans", body)
    calls = {"name": "calls", "seconds": 5430, "valid_days": 30, "price": 300, "operator": "north"}
    live.done("/v1/plans", calls)
    live.done("/v1/sims", {"count": 5, "operator": "north", "issuer": "89002", "imsi_prefix": "00102"})
    live.done("/v1/subscribers/alice/pay-ins", {"amount": 2000})
    return opened


def _enters(person: Person, name: str) -> None:
    person.sign_in(name, PASSWORD)
    person.errors.clear()


def _uses(device: Device, session: str, octets: int) -> None:
    first = device.send("POST", "/v1/agent/interrogations", interrogation(session, 0, "first", wants=octets)).json()
    quota = first["quotas"][0]["quota"]
    row = {"seq": int(session[1:]), "quota": quota, "epoch": 0, "up": 0, "down": octets, "reserved": 0, "at": 1}
    report = {"journal": "j1", "floor": 0, "rows": [row]}
    device.send("POST", "/v1/agent/interrogations", interrogation(session, 1, "final") | {"report": report})


def test_alice_buys_a_plan_brings_in_a_terminal_and_sees_what_she_used(web: People, market: Market, look: Look) -> None:
    live = web.live
    alice = web.person(look)
    _enters(alice, "alice")
    page = alice.page
    alice.judge("overview-new")
    alice.go("/me/plans")
    alice.judge("plans")
    page.click("a[href='/me/plans/month']")
    alice.judge("plan")
    page.click("main form button")
    page.wait_for_url("**/me?done=bought")
    alice.judge("overview-bought")
    assert "12.0GB" in re.sub(r"\s", "", alice.text())
    alice.go("/me/plans/year")
    assert page.query_selector("main form button") is None, "the wallet does not cover it, and the page says so"
    alice.judge("plan-too-dear")

    alice.go("/me/terminals")
    alice.judge("terminals-none")
    page.click("form[action='/me/terminals/new'] button")
    code = page.inner_text("#shown")
    alice.judge("enrolment-code")
    assert code in page.inner_text("#command")
    device = Device(live, seed=9)
    assert device.enrol(code, serial="imei-9").status_code == 201
    assert page.reload() is not None
    assert page.inner_text("#shown") == code, "loading it again shows the same code and makes no other"
    for day in range(12):
        _uses(device, f"s{day + 1}", (day * 7919 % 13 + 1) * 40_000_000)
        live.clock.advance(DAY // 2 + HOUR)
    open_session = interrogation("s99", 0, "first", wants=25_000_000)
    device.send("POST", "/v1/agent/interrogations", open_session)
    _enters(alice, "alice")
    alice.judge("overview-running")
    alice.go("/me/terminals")
    alice.judge("terminals")
    page.click("main section:first-of-type a")
    alice.judge("terminal")
    alice.go("/me/usage")
    page.wait_for_selector(".plot canvas")
    alice.judge("usage-days")
    page.click("main .tabs a:last-child")
    page.wait_for_selector(".plot canvas")
    page.click("main details summary")
    alice.judge("usage-hours")


def test_alice_lends_in_three_taps_sees_who_uses_it_and_stops_it_in_one(
    web: People, market: Market, look: Look
) -> None:
    alice = web.person(look)
    _enters(alice, "alice")
    page = alice.page
    alice.go("/me/lend")
    alice.judge("lend-new")
    page.click("label:has([value='200MB'])")
    page.click("label:has([value='anyone'])")
    page.click("form[action='/me/lend'] > p button")
    page.wait_for_url("**/me/lend?done=lent")
    admitted = market.station.send("POST", "/v1/station/admissions", market.presentation()).json()
    quota = market.asks(admitted["trade"], 0, "first", used={}, wants=1_000_000)["quotas"][0]["quota"]
    market.live.clock.advance(7 * MINUTE)
    market.asks(admitted["trade"], 1, "intermediate", used={quota: 700_000}, wants=1_000_000)
    page.wait_for_selector("text=bob", timeout=PATIENCE_S * 1000)
    alice.judge("lend-running")
    page.click("form[action$='/stop'] button")
    page.wait_for_url("**/me/lend?done=stopped")
    assert market.station.send("GET", "/v1/station/recalls").json()["trades"] == [admitted["trade"]]
    alice.judge("lend-stopped")
    page.fill("#other", "a lot") if page.is_visible("#other") else page.click("form[action='/me/lend'] summary")
    page.fill("#other", "a lot")
    page.click("form[action='/me/lend'] > p button")
    page.wait_for_selector("[role=alert]")
    assert page.input_value("#other") == "a lot", "what was typed comes back"
    alice.judge("lend-refused")


def test_bob_borrows_and_the_statement_tells_each_offset(web: People, market: Market, look: Look) -> None:
    bob = web.person(look)
    _enters(bob, "bob")
    page = bob.page
    bob.go("/me/statement")
    bob.judge("statement-none")
    market.does("alice", "/supply-orders", {"octets": 3_000_000, "person": "bob"})
    market.does("alice", "/supply-orders", {"octets": 2_000_000, "per_gb": 300, "hours": 48, "operators": ["west"]})
    bob.go("/me/borrow")
    bob.judge("borrow")
    page.click("form[action='/me/borrow'] > p button")
    passcode = page.inner_text("#shown")
    bob.judge("passcode")
    admitted = market.station.send("POST", "/v1/station/admissions", {"passcode": passcode}).json()
    assert (admitted["supplier"], admitted["demander"]) == ("alice", "bob")
    _trades(market, admitted["trade"], 900_000)
    market.live.clock.advance(3 * HOUR)
    market.live.done("/v1/subscribers/bob/top-ups", {"octets": 5_000_000})
    bob.go("/me/borrow")
    bob.judge("borrow-done")
    page.click("form[action$='/stop'] button")
    page.wait_for_url("**/me/borrow?done=stopped")
    market.does("bob", "/supply-orders", {"octets": 600_000, "person": "alice"})
    wanted = market.does("alice", "/demand-orders", {"octets": 600_000})
    back = market.station.send("POST", "/v1/station/admissions", {"passcode": wanted["passcode"]}).json()
    assert (back["supplier"], back["demander"]) == ("bob", "alice")
    _trades(market, back["trade"], 600_000)
    for order in market.of("alice", "/supply-orders")["orders"]:
        market.does("alice", f"/supply-orders/{order['order']}/stop")
    market.does("alice", "/supply-orders", {"octets": 400_000, "person": "bob", "per_gb": 90_000})
    dear = market.does("bob", "/demand-orders", {"octets": 500_000, "per_gb": 100_000})
    paid = market.station.send("POST", "/v1/station/admissions", {"passcode": dear["passcode"]}).json()
    _trades(market, paid["trade"], 400_000)
    market.live.done("/v1/subscribers/bob/pay-ins", {"amount": 1000})
    bob.go("/me/statement")
    assert "alice" in bob.text()
    bob.judge("statement-owing")
    page.click("form[action='/me/payments'] button")
    page.wait_for_url("**/me/statement?done=paid")
    assert page.query_selector("form[action='/me/payments']") is None, "nobody is tempted to pay twice"
    bob.judge("statement")
    bob.go("/me/refusals")
    if look.width < 600:
        page.click(".thumb summary")
        bob.judge("more")
        page.keyboard.press("Escape")
    market.live.post("/v1/me/purchases", {"plan": "nothing"}, token=market.tokens["bob"])
    bob.go("/me/refusals")
    assert "unknown_plan" in bob.text()
    bob.judge("refusals")


def test_alice_changes_her_password_and_stays_signed_in_here(web: People, market: Market, look: Look) -> None:
    alice = web.person(look)
    _enters(alice, "alice")
    alice.go("/me/account")
    alice.page.fill("#current", "not this one")
    alice.page.fill("#password", "quite another horse")
    alice.page.click("main form button")
    alice.page.wait_for_selector("[role=alert]")
    assert alice.page.input_value("#password") == "", "no password is ever handed back"
    alice.page.fill("#current", PASSWORD)
    alice.page.fill("#password", "quite another horse")
    alice.page.click("main form button")
    alice.page.wait_for_url("**/me/account?done=changed")
    alice.judge("account")


def _trades(market: Market, trade: str, octets: int) -> None:
    quota = market.asks(trade, 0, "first", used={}, wants=octets)["quotas"][0]["quota"]
    market.asks(trade, 1, "final", used={quota: octets}, returns=[quota])


def test_a_page_that_stays_open_says_when_the_server_is_away_and_goes_on_when_it_is_back(
    web: People, market: Market
) -> None:
    alice = web.person()
    _enters(alice, "alice")
    alice.context.set_offline(True)
    alice.page.wait_for_selector(".away:not([hidden])", timeout=PATIENCE_S * 1000)
    alice.context.set_offline(False)
    market.live.done("/v1/subscribers/alice/top-ups", {"octets": 7_000_000_000})
    alice.page.wait_for_selector(".away", state="hidden", timeout=PATIENCE_S * 1000)
    assert "7.00" in alice.page.inner_text(".figure"), "what changed meanwhile is there without loading the page again"


def test_everything_is_within_reach_of_the_keyboard_alone(web: People, market: Market) -> None:
    alice = web.person()
    page = alice.page
    alice.go("/sign-in")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip", "the first stop leads to the content"
    page.keyboard.press("Enter")
    _tab_to(alice, "#name")
    page.keyboard.type("alice")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector(".shell")
    _tab_to(alice, ".side a[href='/me/lend']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/me/lend")
    _tab_to(alice, "main input[name='octets']:checked")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.value") == "person"
    page.keyboard.press("Tab")
    page.keyboard.type("bob")
    page.keyboard.press("Enter")
    page.wait_for_url("**/me/lend?done=lent")
    (order,) = market.of("alice", "/supply-orders")["orders"]
    assert (order["octets"], order["to"]) == (1_000_000_000, "bob")
    _tab_to(alice, "form[action$='/stop'] button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/me/lend?done=stopped")
    assert alice.errors == []


def _tab_to(person: Person, selector: str) -> None:
    """Press the tabulator until the focus is there; it must be seen."""
    for _ in range(60):
        person.page.keyboard.press("Tab")
        if person.page.evaluate("(wanted) => document.activeElement.matches(wanted)", selector):
            return
    raise AssertionError(f"{selector} is out of reach of the keyboard")


def test_everything_goes_without_scripts(web: People, market: Market) -> None:
    alice = web.person(java_script_enabled=False)
    page = alice.page
    _enters(alice, "alice")
    alice.go("/me/plans/month")
    page.click("main form button")
    page.wait_for_url("**/me?done=bought")
    alice.go("/me/lend")
    page.click("label:has([value='person'])")
    page.fill("#person", "bob")
    page.click("form[action='/me/lend'] > p button")
    page.wait_for_url("**/me/lend?done=lent")
    page.click("form[action$='/stop'] button")
    page.wait_for_url("**/me/lend?done=stopped")
    (order,) = market.of("alice", "/supply-orders")["orders"]
    assert (order["to"], order["state"]) == ("bob", "stopped")


def test_what_is_owed_in_yen_is_told_and_paid_in_yen(market: Market) -> None:
    live = market.live
    market.does("alice", "/supply-orders", {"octets": 1_000_000, "per_gb": 1_000_000, "currency": "JPY"})
    live.done("/v1/subscribers/bob/pay-ins", {"amount": 100, "currency": "JPY"})
    wish = market.presentation(most_per_gb=2_000_000, currency="JPY")
    trade = market.station.send("POST", "/v1/station/admissions", wish).json()["trade"]
    quota = market.asks(trade, 0, "first", used={}, wants=100_000)["quotas"][0]
    market.asks(trade, 1, "final", used={quota["quota"]: 70_000}, returns=[quota["quota"]])
    bob = Hand(live)
    bob.sign_in("bob")
    shown = bob.get("/me/statement").text
    assert "70 JPY" in shown
    assert 'value="70"' in shown
    too_much = bob.post("/me/payments", {"to": "alice", "currency": "JPY", "amount": "71"}).text
    assert "bob owes alice 70 JPY; 71 JPY were to be paid." in too_much
    bob.post("/me/payments", {"to": "alice", "currency": "JPY", "amount": "70"})
    assert market.of("bob", "/balance")["wallets"] == [{"currency": "JPY", "balance": 30}]


def test_who_has_a_wallet_in_yen_lends_and_borrows_in_yen_unless_it_says_otherwise(market: Market) -> None:
    live = market.live
    live.done("/v1/subscribers/bob/pay-ins", {"amount": 100, "currency": "JPY"})
    bob = Hand(live)
    bob.sign_in("bob")
    for page in ("/me/lend", "/me/borrow"):
        assert re.search(r'name="currency"[^>]*value="JPY"', bob.get(page).text)
    bob.post("/me/lend", {"octets": "1MB", "audience": "anyone", "price": "150", "currency": "JPY"})
    bob.post("/me/lend", {"octets": "1MB", "audience": "anyone", "price": "1.50", "currency": "eur"})
    orders = market.of("bob", "/supply-orders")["orders"]
    prices = [(order["price"]["per_gb"], order["price"]["currency"]) for order in orders]
    assert sorted(prices) == [(150, "EUR"), (150, "JPY")]
    bob.post("/me/borrow", {"octets": "1MB", "price": "150", "currency": "JPY", "hours": "24"})
    assert market.of("bob", "/demand-orders")["orders"][0]["most"] == {"per_gb": 150, "currency": "JPY"}
    again = bob.post("/me/lend", {"octets": "1MB", "audience": "anyone", "price": "1.5", "currency": "JPY"}).text
    assert "1.5" in again
    assert "is no amount of JPY." in again


def test_every_other_button_does_what_its_command_does(market: Market) -> None:
    live = market.live
    hands = {name: Hand(live) for name in ("alice", "bob", "carol")}
    for name, hand in hands.items():
        hand.sign_in(name)
    alice, bob, carol = hands.values()
    batch = {"batch": "spring", "operator": "north", "count": 1, "octets": 3_000_000}
    (code,) = live.done("/v1/voucher-batches", batch)["codes"]
    assert alice.post("/me/vouchers", {"code": code}).headers["location"] == "/me?done=redeemed"
    assert market.of("alice", "/balance")["available"] == 8_000_000
    assert "wrong" in alice.post("/me/vouchers", {"code": "wrong"}).text, "what was typed comes back"

    assert alice.post("/me/circles", {"circle_name": "family", "members": "bob, carol"}).status_code == 303
    assert market.of("alice", "/circles")["circles"] == [{"name": "family", "members": ["bob", "carol"]}]
    terms = {"octets": "500MB", "other": "1.5GB", "audience": "circle family", "per_day": "100MB", "hours": "24"}
    assert alice.post("/me/lend", terms | {"price": "2,50"}).status_code == 303
    (order,) = market.of("alice", "/supply-orders")["orders"]
    assert (order["octets"], order["per_day"], order["audience"], order["to"], order["price"]["per_gb"]) == (
        1_500_000_000,
        100_000_000,
        "circle",
        "family",
        250,
    )

    assert alice.post("/me/plans/calls").status_code == 303
    assert "1 h 30 min 30 s" in alice.get("/me").text
    before = market.of("bob", "/identity")["code"]
    assert bob.post("/me/identity").headers["location"] == "/me/borrow?done=replaced"
    assert market.of("bob", "/identity")["code"] != before
    shown = bob.post("/me/borrow", {"octets": "1GB", "price": "3", "hours": ""})
    passcode = re.search(r'id="shown">([\w-]+)<', shown.text)
    assert passcode
    (wanted,) = market.of("bob", "/demand-orders")["orders"]
    assert (wanted["octets"], wanted["until"], wanted["most"]["per_gb"]) == (1_000_000_000, None, 300)

    unbound = live.done("/v1/codes", {"operator": "south"})["code"]
    binding = Device(live, seed=7)
    code = binding.enrol(unbound, serial="imei-7").json()["binding_code"]
    assert bob.post("/me/terminals/bind", {"binding_code": code}).headers["location"] == "/me/terminals?done=bound"
    terminals = market.of("bob", "/terminals")["terminals"]
    assert binding.id in {one["terminal"] for one in terminals}
    assert bob.post(f"/me/terminals/{binding.id}/end").status_code == 303
    assert live.get(f"/v1/terminals/{binding.id}").json()["state"] == "revoked"

    (code,) = re.findall(r'id="shown">([\w-]+)<', carol.post("/me/base-stations/new", {"once": "1"}).text)
    assert code in carol.post("/me/base-stations/new", {"once": "1"}).text, "the same form shows the same code"
    assert carol.post(f"/me/base-stations/{market.station.id}/end").status_code == 303
    (station,) = live.get("/v1/base-stations").json()["base_stations"]
    assert station["state"] == "revoked"
