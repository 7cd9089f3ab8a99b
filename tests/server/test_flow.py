"""The whole of A1 to A3 and the agents' hot path over real HTTP: sign-up, code, enrol, bind, buy, interrogate, report."""

from __future__ import annotations

import re

from tests.server.live import Device, Live, interrogation


def _day_plan(live: Live) -> None:
    live.done("/v1/plans", {"name": "day", "octets": 1_000_000, "valid_days": 1, "price": 500})


def test_a_subscriber_signs_up_enrols_a_terminal_buys_and_goes_online(live: Live) -> None:
    live.done("/v1/sims", {"count": 60})
    _day_plan(live)
    alice = live.sign_in("alice")
    code = live.done("/v1/me/codes", {}, token=alice)["code"]
    device = Device(live)
    enrolled = device.enrol(code).json()
    assert enrolled["subscriber"] == "alice"
    assert enrolled["sim"]["imsi"].startswith("00101")
    live.done("/v1/subscribers/alice/pay-ins", {"amount": 700})
    live.done("/v1/me/purchases", {"plan": "day"}, token=alice)
    seen = device.send("GET", "/v1/agent/terminal").json()
    assert (seen["available"], seen["plans"][0]["plan"]) == (1_000_000, "day")
    answer = device.send("POST", "/v1/agent/interrogations", interrogation("s1", 0, "first", wants=400_000)).json()
    quota = answer["quotas"][0]
    assert quota["octets"] == 400_000
    row = {"seq": 1, "quota": quota["quota"], "epoch": 0, "up": 1000, "down": 2000, "reserved": 4000, "at": 1}
    report = {"journal": "j1", "floor": 0, "rows": [row]}
    for _ in range(2):
        assert device.send("POST", "/v1/agent/usage", report).json() == {"journal": "j1", "acked": 1}
    device.send("POST", "/v1/agent/interrogations", interrogation("s1", 1, "final"))
    balance = live.get("/v1/me/balance", token=alice).json()
    assert {key: balance[key] for key in ("available", "reserved", "used", "debt")} == {
        "available": 997_000,
        "reserved": 0,
        "used": 3000,
        "debt": 0,
    }
    assert balance["wallets"] == [{"currency": "EUR", "balance": 200}]
    usage = live.get("/v1/me/usage", token=alice).json()
    assert [spans[-1]["octets"] for spans in (usage["hours"], usage["days"])] == [3000, 3000]
    assert (len(usage["hours"]), len(usage["days"])) == (48, 31)
    sessions = live.get("/v1/sessions").json()["sessions"]
    assert [(one["session"], one["used"], one["state"]) for one in sessions] == [("s1", 3000, "closed")]
    assert live.get("/v1/audit").json()["balanced"] is True


def test_a_terminal_is_told_what_was_bought_with_its_validity_and_draws_on_it_in_the_order_it_is_told(
    live: Live,
) -> None:
    live.done("/v1/sims", {"count": 1})
    alice = live.sign_in("alice")
    for name, days, priority in (("late", 9, 100), ("soon", 1, 100), ("first", 30, 1)):
        terms = {"octets": 1_000_000, "valid_days": days, "price": 0, "priority": priority}
        live.done("/v1/plans", {"name": name, **terms})
        live.done("/v1/me/purchases", {"plan": name}, token=alice)
    device = Device(live)
    device.enrol(live.done("/v1/me/codes", {}, token=alice)["code"])
    told = device.send("GET", "/v1/agent/terminal").json()["plans"]
    day = 86_400_000
    assert [(one["plan"], one["available"], one["expires_at"] - live.clock.now()) for one in told] == [
        ("first", 1_000_000, 30 * day),
        ("soon", 1_000_000, 1 * day),
        ("late", 1_000_000, 9 * day),
    ]
    device.send("POST", "/v1/agent/interrogations", interrogation("s1", 0, "first", wants=400_000))
    told = device.send("GET", "/v1/agent/terminal").json()["plans"]
    assert [one["available"] for one in told] == [600_000, 1_000_000, 1_000_000]


def test_a_terminal_of_the_operator_is_bound_later_with_the_code_it_shows(live: Live) -> None:
    live.done("/v1/sims", {"count": 1})
    code = live.done("/v1/codes", {})["code"]
    device = Device(live)
    shown = device.enrol(code).json()["binding_code"]
    barred = device.send("POST", "/v1/agent/interrogations", interrogation("s1", 0, "first"))
    assert (barred.status_code, barred.json()["reason"]) == (409, "terminal_unbound")
    alice, bob = live.sign_in("alice"), live.sign_in("bob")
    assert live.done("/v1/me/terminals", {"binding_code": shown.lower()}, token=alice)["subscriber"] == "alice"
    refused = live.post("/v1/me/terminals", {"binding_code": shown}, token=bob)
    assert (refused.status_code, refused.json()["reason"]) == (409, "bound_to_another")
    assert [one["terminal"] for one in live.get("/v1/me/terminals", token=alice).json()["terminals"]] == [device.id]


def test_enrolling_again_with_the_same_key_gives_the_same_answer(live: Live) -> None:
    live.done("/v1/sims", {"count": 2})
    code = live.done("/v1/codes", {})["code"]
    device = Device(live)
    first, again = device.enrol(code), device.enrol(code)
    assert first.json() == again.json()
    assert live.get("/v1/sims").json()["pools"][0]["free"] == 1


def test_a_refused_session_tells_the_operator_why(live: Live) -> None:
    live.done("/v1/sims", {"count": 1})
    alice = live.sign_in("alice")
    device = Device(live)
    device.enrol(live.done("/v1/me/codes", {}, token=alice)["code"])
    answer = device.send("POST", "/v1/agent/interrogations", interrogation("s1", 0, "first")).json()
    assert answer["refusal"]["reason"] == "credit_limit_reached"
    why = live.get("/v1/sessions/s1/why").json()
    assert [one["reason"] for one in why["refusals"]] == ["credit_limit_reached"]
    assert "alice" in why["refusals"][0]["sentence"]
    assert [one["session"] for one in live.get("/v1/refusals").json()["refusals"]] == ["s1"]


def test_a_revoked_terminal_is_granted_nothing_and_its_sim_is_free_again(live: Live) -> None:
    live.done("/v1/sims", {"count": 1})
    alice = live.sign_in("alice")
    live.done("/v1/subscribers/alice/top-ups", {"octets": 1000})
    device = Device(live)
    device.enrol(live.done("/v1/me/codes", {}, token=alice)["code"])
    assert live.done(f"/v1/terminals/{device.id}/revocation", token=alice)["state"] == "revoked"
    answer = device.send("POST", "/v1/agent/interrogations", interrogation("s1", 0, "first"))
    assert "terminal_revoked" in answer.text
    assert live.get("/v1/sims").json()["pools"][0]["free"] == 1


def test_an_operators_staff_serves_its_own_subscribers_only(live: Live) -> None:
    live.done("/v1/operators", {"name": "far"})
    live.done("/v1/operators/far/staff", {"name": "sam", "password": "correct horse"})
    sam = live.done("/v1/sign-in", {"name": "sam", "password": "correct horse"}, token="")["token"]
    live.done("/v1/subscribers", {"name": "near"})
    live.done("/v1/subscribers", {"name": "theirs", "operator": "far"}, token=sam)
    assert [one["name"] for one in live.get("/v1/subscribers", token=sam).json()["subscribers"]] == ["theirs"]
    assert live.get("/v1/subscribers/near/balance", token=sam).status_code == 404
    assert live.post("/v1/subscribers", {"name": "x"}, token=sam).status_code == 403
    assert live.post("/v1/operators", {"name": "y"}, token=sam).status_code == 403
    assert live.get("/v1/audit", token=sam).status_code == 403


def test_the_openapi_document_describes_agents_and_people(live: Live) -> None:
    document = live.get("/openapi.json", token="").json()
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        for operation in operations.values():
            named = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path)), path
    for path in ("/v1/agent/interrogations", "/v1/agent/usage", "/v1/me/purchases", "/v1/subscribers/{name}/balance"):
        operations = document["paths"][path].values()
        assert all(one["summary"] and "default" in one["responses"] for one in operations), path
    references = set(_references(document))
    assert references <= document["components"]["schemas"].keys()


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [str(node["$ref"]).rpartition("/")[2]] if "$ref" in node else []
        return own + [found for value in node.values() for found in _references(value)]
    if isinstance(node, list):
        return [found for value in node for found in _references(value)]
    return []


def test_health_and_metrics_answer_without_a_token(live: Live) -> None:
    assert live.get("/livez", token="").text == "alive\n"
    assert live.get("/readyz", token="").text == "ready\n"
    metrics = live.get("/metrics", token="").text
    assert 'qanat_http_requests_total{route="/livez",status="200"} 1.0' in metrics
    assert "qanat_store_batches_total" in metrics


def test_what_is_set_back_to_its_default_still_passes_the_audit(live: Live) -> None:
    live.done("/v1/subscribers", {"name": "dora"})
    for status in ("suspended", "active"):
        assert live.done("/v1/subscribers/dora/status", {"status": status})["status"] == status
    verdict = live.get("/v1/audit").json()
    assert verdict["problems"] == []
