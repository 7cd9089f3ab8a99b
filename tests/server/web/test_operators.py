"""The operators' face in a real browser: every page in every look, what its buttons do, and who may not see it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.patience import PATIENCE_S
from tests.server.live import Live, live_server, settings_for
from tests.server.online import enrolled, go_online
from tests.server.web.browser import PASSWORD, Look, People
from tests.server.web.office import ADMINISTRATORS, HOSTILE, PAGES, as_administrator, as_staff, furnish


@pytest.fixture
def office(live: Live, web: People) -> People:
    furnish(live)
    return web


@pytest.mark.parametrize("part", range(3))
def test_every_page_is_calm_in_every_look(office: People, look: Look, part: int) -> None:
    person = office.person(look)
    as_administrator(person)
    for path in (*PAGES, *ADMINISTRATORS)[part::3]:
        person.go(path)
        assert person.page.query_selector(".shell"), path
        if path == "/ops":
            person.page.wait_for_selector("canvas")
        if path == "/ops/audit":
            person.page.wait_for_selector(".verdict")
        person.judge("ops" + re.sub(r"\W+", "-", path.removeprefix("/ops")))


def test_the_overview_lives_and_goes_on_when_a_session_begins(office: People, live: Live) -> None:
    person = office.person()
    as_administrator(person)
    person.go("/ops")
    person.page.wait_for_selector("[data-pulse][data-beats]")
    before = int(person.page.inner_text("[data-live]"))
    go_online(enrolled(live, "tina", seed=30), "s-tina")
    person.page.wait_for_selector(f"[data-live]:text-is('{before + 1}')")
    assert person.page.query_selector("a[href='/ops/refusals/why/s-tina']")
    assert person.errors == []


def test_a_plot_of_one_sample_is_labelled_with_its_minutes(office: People) -> None:
    person = office.person()
    as_administrator(person)
    drawn = "CanvasRenderingContext2D.prototype"
    person.page.add_init_script(
        f"window.said = []; const fill = {drawn}.fillText; {drawn}.fillText = function (text, ...at) {{"
        " window.said.push(text); return fill.call(this, text, ...at); };"
    )
    person.go("/ops")
    person.page.wait_for_selector("[data-pulse][data-beats] canvas")
    ticks = [text for text in person.page.evaluate("window.said") if text.count(":") == 2]
    assert len(set(ticks)) > 1, ticks
    assert not {"00:00:00", "24:00:00"} & set(ticks), ticks


def test_somebody_is_searched_for_topped_up_and_suspended_with_the_keyboard_alone(office: People, live: Live) -> None:
    person = office.person()
    as_staff(person)
    person.go("/ops")
    page = person.page
    page.focus("#q")
    page.keyboard.type("00101900")
    page.keyboard.press("Enter")
    page.wait_for_url("**/ops/subscribers/olga")
    page.focus("#octets")
    page.keyboard.type("1GB")
    page.keyboard.press("Enter")
    page.wait_for_selector(".figure:has-text('6.00')")
    page.focus("button:text-is('Suspend')")
    page.keyboard.press("Enter")
    page.wait_for_selector("button:text-is('Set active')")
    assert live.get("/v1/subscribers/olga").json()["status"] == "suspended"
    page.focus("#amount")
    page.keyboard.type("ten")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")
    assert "'ten' is no amount of EUR." in person.text()
    assert page.input_value("#amount") == "ten"
    person.judge("ops-subscriber-refused")


def test_a_stranger_is_accepted_with_one_press_and_let_go_with_another(office: People, live: Live) -> None:
    person = office.person()
    as_administrator(person)
    person.go("/ops/peers")
    person.page.click("[aria-label='Accept smf.stranger.test']")
    person.page.wait_for_selector("[aria-label='Remove smf.stranger.test']")
    assert [one["state"] for one in live.get("/v1/peers").json()["peers"]] == ["accepted"]
    person.page.click("[aria-label='Remove smf.stranger.test']")
    person.page.wait_for_selector(".empty")
    assert live.get("/v1/peers").json()["peers"] == []


def test_a_plan_of_time_is_put_on_sale(office: People, live: Live) -> None:
    person = office.person()
    as_administrator(person)
    person.go("/ops/plans")
    page = person.page
    page.click("summary:visible >> text=New plan")
    page.fill("#name", "talk")
    page.fill("#amount", "ninety")
    page.select_option("#of", "minutes")
    page.fill("#price", "3")
    page.click("text=Put on sale")
    page.wait_for_selector("[role=alert]")
    assert page.input_value("#of") == "minutes", "what was chosen comes back"
    page.fill("#amount", "90")
    page.click("text=Put on sale")
    page.wait_for_selector("td:has-text('talk')")
    assert "1 h 30 min" in person.text()
    (plan,) = [one for one in live.get("/v1/plans").json()["plans"] if one["name"] == "talk"]
    assert (plan["unit"], plan["size"]) == ("seconds", 5400)
    person.judge("ops-plan-of-time")


def test_staff_changes_its_password_and_the_log_knows_every_sign_in(office: People, live: Live) -> None:
    person = office.person()
    as_staff(person)
    page = person.page
    person.go("/ops/account")
    for current, said in (("not this one", "[role=alert]"), (PASSWORD, ".notice:not([role=alert])")):
        live.clock.advance(1)
        page.fill("#current", current)
        page.fill("#password", "quite another horse")
        page.click("main form button")
        page.wait_for_selector(said)
    person.judge("ops-account-changed")
    live.clock.advance(1)
    again = office.person()
    again.sign_in("sue", "quite another horse")
    log = live.get("/v1/changes").json()["changes"]
    assert [one["act"] for one in log if one["who"] == "sue"] == ["signed in", "password set", "signed in"]
    assert "another horse" not in live.get("/v1/changes").text


def test_staff_is_dismissed_with_one_press_and_comes_back_with_a_new_password(office: People, live: Live) -> None:
    person = office.person()
    as_staff(person)
    person.go("/ops/staff")
    page = person.page
    assert person.path == "/ops/staff/home"
    assert page.query_selector("[aria-label='Dismiss sue']") is None, "nobody dismisses oneself by mistake"
    page.click("[aria-label='Dismiss ursula']")
    page.wait_for_selector("tr:has-text('ursula') >> text=dismissed")
    page.click("summary:visible >> text=New member of staff")
    page.fill("#name", "sue")
    page.fill("#password", "quite another horse")
    page.click("main form >> text=Create")
    page.wait_for_selector("[role=alert]")
    assert page.input_value("#name") == "sue"
    assert page.input_value("#password") == ""
    person.judge("ops-staff-refused")
    page.fill("#name", "ursula")
    page.fill("#password", "quite another horse")
    page.click("main form >> text=Create")
    page.wait_for_selector("[aria-label='Dismiss ursula']")
    office.person().sign_in("ursula", "quite another horse")
    assert person.errors == []


def test_the_administrator_looks_at_each_operators_staff_and_staff_at_its_own_only(office: People, live: Live) -> None:
    person = office.person()
    as_staff(person, "north", "nils")
    person.go("/ops/staff")
    assert person.path == "/ops/staff/north"
    assert person.page.query_selector("#operator") is None
    assert person.page.request.get(f"{live.url}/ops/staff/home").status == 403
    admin = office.person()
    as_administrator(admin)
    admin.go("/ops/staff")
    admin.page.fill("#operator", "north")
    admin.page.click("text=Show")
    admin.page.wait_for_url("**/ops/staff/north")
    admin.page.click("[aria-label='Dismiss nils']")
    admin.page.wait_for_selector("text=dismissed")
    assert live.get("/v1/operators/north/staff").json()["staff"][0]["dismissed_at"]
    assert admin.page.request.get(f"{live.url}/ops/staff?operator=../x").status == 404


def test_vouchers_are_made_to_print_or_as_a_file_and_shown_once(office: People, live: Live) -> None:
    person = office.person()
    as_administrator(person)
    person.go("/ops/vouchers")
    page = person.page
    page.click("summary:visible >> text=New batch")
    page.fill("#batch", "june")
    page.fill("#count", "12")
    page.fill("#octets", "1GB")
    page.click("text=Make, to print")
    page.wait_for_selector(".voucher-code")
    codes = page.eval_on_selector_all(".voucher-code", "all => all.map(one => one.textContent)")
    assert len(set(codes)) == 12
    person.judge("ops-voucher-sheet")
    redeemed = live.done("/v1/subscribers/olga/vouchers", {"code": codes[0]})
    assert redeemed["octets"] == 1_000_000_000
    person.go("/ops/vouchers/june")
    assert "olga" in person.text()
    assert not [code for code in codes if code in person.text()]
    person.go("/ops/vouchers")
    page.click("summary:visible >> text=New batch")
    page.fill("#batch", "july")
    page.fill("#count", "2")
    page.fill("#amount", "9.90")
    with page.expect_download() as download:
        page.click("text=Make, as CSV")
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("batch,number,code")
    assert len(lines) == 3


def test_a_dispute_is_settled_and_a_month_is_closed(office: People, live: Live) -> None:
    person = office.person()
    as_administrator(person)
    person.go("/ops/disputes")
    person.page.fill("[name=note]", HOSTILE)
    person.page.click("main form:has([name=note]) button")
    person.page.wait_for_selector("text=settled")
    assert HOSTILE in person.text()
    person.go("/ops/settlement?period=2023-11")
    assert person.page.query_selector_all("svg.flow .band")
    person.page.click("text=Close 2023-11")
    person.page.wait_for_selector("text=north-2023-11.csv")
    with person.page.expect_download() as download:
        person.page.click("text=north-2023-11.csv")
    assert "trailer,1" in download.value.path().read_text()
    assert person.errors == []


def test_why_shows_a_trade_to_staff_who_sees_no_session_of_it(office: People, live: Live) -> None:
    (trade,) = live.get("/v1/trades").json()["trades"]
    person = office.person()
    as_staff(person, "south", "susan")
    person.go(f"/ops/refusals/why/{trade['trade']}")
    for shown in ("alice", "bob", trade["base_station"], "final"):
        assert shown in person.text()
    assert "Whose it is" not in person.text()
    person.judge("ops-why-of-a-trade")


def test_hostile_names_are_text_on_every_page(office: People) -> None:
    person = office.person()
    as_administrator(person)
    for path in (*PAGES, *ADMINISTRATORS):
        person.go(path)
        assert person.page.query_selector("img[src=x]") is None, path
        assert "49" not in person.page.inner_text(".head"), path
    person.go("/ops/subscribers")
    assert HOSTILE in person.text()
    person.go("/ops/changes")
    assert HOSTILE in person.text()
    assert person.errors == []


def test_no_operators_page_opens_for_a_subscriber_nor_for_a_stranger(office: People, live: Live) -> None:
    person = office.person()
    for path in (*PAGES, *ADMINISTRATORS, "/ops/pulse", "/ops/settlement/2023-11/north"):
        answer = person.page.request.get(live.url + path, max_redirects=0)
        assert answer.status == 303, path
        assert answer.headers["location"].startswith("/sign-in")
    person.sign_up("mallory")
    for path in (*PAGES, *ADMINISTRATORS, "/ops/pulse", "/ops/settlement/2023-11/north"):
        assert person.page.request.get(live.url + path).status == 403, path
    csrf = person.page.get_attribute("[name=csrf]", "value")
    before = live.get("/v1/changes").text
    for path, form in FORMS.items():
        answer = person.page.request.post(live.url + path, form={**form, "csrf": csrf or "", "once": "1"})
        assert answer.status == 403, path
    assert live.get("/v1/changes").text == before


def test_staff_of_an_operator_sees_no_other_operators_people(office: People, live: Live) -> None:
    person = office.person()
    as_staff(person, "north", "nils")
    for path in ("/ops/subscribers/olga", "/ops/vouchers/may"):
        assert person.page.request.get(live.url + path).status == 404, path
    for path in ADMINISTRATORS[:-2]:
        assert person.page.request.get(live.url + path).status == 403, path
    person.go("/ops")
    person.page.wait_for_selector("[data-pulse][data-beats]")
    assert "pavel" not in person.page.content()
    person.go("/ops/subscribers")
    assert "alice" in person.text()
    assert "olga" not in person.text()
    person.judge("ops-subscribers-of-north")
    person.go("/ops/settlement?period=2023-11")
    assert "north" in person.text()
    assert "west" not in person.text()
    assert "Close 2023-11" not in person.text()


FORMS: dict[str, dict[str, str]] = {
    "/ops/subscribers": {"name": "x"},
    "/ops/subscribers/olga/top-up": {"octets": "1GB"},
    "/ops/subscribers/olga/pay-in": {"amount": "1"},
    "/ops/subscribers/olga/status": {"status": "suspended"},
    "/ops/plans": {"name": "x", "amount": "1", "price": "0"},
    "/ops/plans/day/withdraw": {},
    "/ops/account": {"current": "x", "password": "quite another horse"},
    "/ops/staff/home": {"name": "x", "password": "quite another horse"},
    "/ops/staff/home/dismiss": {"name": "ursula"},
    "/ops/sims": {"count": "1"},
    "/ops/vouchers": {"batch": "x", "count": "1", "octets": "1"},
    "/ops/vouchers/may/withdraw": {},
    "/ops/peers": {"origin_host": "x.test", "profile": "strict"},
    "/ops/peers/remove": {"origin_host": "x.test"},
    "/ops/disputes": {"supplier": "alice", "dispute": "x", "note": "x"},
    "/ops/settlement": {"period": "2023-11"},
}


def test_an_open_overview_says_that_the_server_is_away_and_goes_on_when_it_is_back(
    browser: Browser, tmp_path: Path
) -> None:
    database = {"database": f"sqlite:///{tmp_path}/qanat.db"}
    with live_server(tmp_path, settings_for(tmp_path, store=database)) as live:
        people = People(browser, live)
        person = people.person()
        as_administrator(person)
        person.go("/ops")
        person.page.wait_for_selector("[data-pulse][data-beats]")
        assert person.page.is_hidden("#away")
    person.page.wait_for_selector("#away", state="visible")
    listening = {"listen": live.url.removeprefix("http://")}
    with live_server(tmp_path, settings_for(tmp_path, store=database, http=listening)) as again:
        live.http = again.http
        person.page.wait_for_selector("#away", state="hidden", timeout=PATIENCE_S * 1000)
        assert person.path == "/ops", "nobody had to do anything"
        people.close()
