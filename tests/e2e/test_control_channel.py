"""The control channel as a client sees it that speaks to the socket itself."""

import json
import socket

import pytest
from channel import (FAILED, KINDS, METHOD, OVERLOADED, PARAMS, PARSE, REQUEST, Line,
                     assert_web_is_untouched, begin_web, both_kinds, one_web_for_all)
from support import MISBEHAVE, WINDOWS, get, pid_is_alive, wait_until


site = both_kinds()


@pytest.fixture
def web(site):
    begin_web(site)
    yield site
    assert_web_is_untouched(site)


@pytest.fixture(scope="module", params=KINDS)
def one_for_all(tmp_path_factory, request):
    with one_web_for_all(tmp_path_factory.mktemp("site"), request.param) as site:
        yield site


@pytest.fixture
def same_web(one_for_all):
    """Of one service, which many tests talk to."""
    yield one_for_all
    assert_web_is_untouched(one_for_all)


# ---- Methods -------------------------------------------------------------------------------------------


def test_hello_says_who_is_there(web):
    with Line(web) as line:
        answer = line.ask({"jsonrpc": "2.0", "id": 1, "method": "hello"})
    status = web.status("web")
    assert (answer["jsonrpc"], answer["id"]) == ("2.0", 1)
    hello = answer["result"]
    assert hello["protocol"] == 1
    for key in ("pid", "keeper_pid", "supervisor_pid", "generation", "version", "started_at",
                "state"):
        assert hello[key] == status[key], key
    environment = f"SVCMGR_INSTANCE={hello['instance']}".encode()
    if not WINDOWS:
        with open(f"/proc/{hello['pid']}/environ", "rb") as file:
            assert environment in file.read().split(b"\0")


def test_status_is_the_document_of_the_command(web):
    with Line(web) as line:
        document = line.ask({"id": 1, "method": "status"})["result"]
    printed = web.status("web")
    assert set(document) == set(printed)
    for key in ("name", "state", "pid", "listen", "config", "log", "launcher"):
        assert document[key] == printed[key], key


def test_initialize_is_answered_and_initialized_accepted(web):
    with Line(web) as line:
        assert line.ask({"id": 1, "method": "initialize",
                         "params": {"clientInfo": {"name": "x"}}})["result"]["pid"] == web.pid
        assert line.ask({"id": 2, "method": "initialized"})["result"] == {}
        line.write('{"method":"initialized"}\n')
        assert line.ask({"id": 3, "method": "hello"})["id"] == 3


def test_signal_reaches_the_main_process(site):
    site.add("job", [MISBEHAVE, "note", "USR1", "print", "waiting", "sleep-forever"])
    site.start("job")
    wait_until(lambda: "waiting" in site.log("job"))
    with Line(site, "job") as line:
        assert line.ask({"id": 1, "method": "signal", "params": {"signal": "USR1"}}) == \
            {"id": 1, "result": {}}
        assert line.ask({"id": 2, "method": "signal", "params": {"signal": "SIGUSR1"}}) == \
            {"id": 2, "result": {}}
    wait_until(lambda: site.log("job").count("caught USR1") >= 1, "the signal in the log")


def test_reload_says_what_was_applied_and_what_was_not(web):
    config = json.loads((web.config_dir / "web.json").read_text())
    web.write("web", json.dumps({**config, "stop": {"timeout": "1s"}, "nice": 3}))
    with Line(web) as line:
        answer = line.ask({"id": 1, "method": "reload"})["result"]
    assert answer == {"applied": ["stop"], "needs_restart": ["nice"]}


def test_reload_of_a_broken_configuration_says_where_and_changes_nothing(web):
    path = web.write("web", '{"command": 7}')
    with Line(web) as line:
        error = line.ask({"id": 1, "method": "reload"})["error"]
    assert error["code"] == FAILED
    assert error["data"]["exit"] == 6
    assert f"{path}:1:" in error["message"]


def test_restart_and_stop(site):
    port = site.add_webui("web")
    before = site.start("web")
    with Line(site) as line:
        answer = line.ask({"id": "r", "method": "restart"})
        assert answer["id"] == "r"
        assert answer["result"]["former_generation"] == 1
        status = answer["result"]["status"]
        assert (status["state"], status["generation"]) == ("ready", 2)
        assert status["pid"] != before["pid"]
        assert get(port)[0] == 200
        assert "result" in line.ask({"id": "s", "method": "stop"})
        assert line.has_ended()
    assert not pid_is_alive(status["pid"])
    wait_until(lambda: not pid_is_alive(before["supervisor_pid"]), "the end of the supervisor")


@pytest.mark.parametrize("method", ["stop", "restart"])
def test_another_pid_than_expected_touches_nothing(web, method):
    with Line(web) as line:
        error = line.ask({"id": 1, "method": method, "params": {"expect_pid": web.pid + 1}})
        assert error["error"]["data"]["exit"] == 9
        assert line.ask({"id": 2, "method": "hello"})["result"]["pid"] == web.pid


# ---- Requests and answers -------------------------------------------------------------------------------


@pytest.mark.parametrize("method, code", [("hello", None), ("fly", METHOD)])
def test_an_answer_carries_the_version_exactly_if_the_request_did(web, method, code):
    with Line(web) as line:
        with_it = line.ask({"jsonrpc": "2.0", "id": 1, "method": method})
        without = line.ask({"id": 2, "method": method})
    assert with_it["jsonrpc"] == "2.0" and "jsonrpc" not in without
    assert ("error" in with_it) == ("error" in without) == (code is not None)


@pytest.mark.parametrize("identity", ["a", "", "ü", "\\\"\n", 0, -1, 2**53 - 1])
def test_an_id_comes_back_as_it_was(same_web, identity):
    with Line(same_web) as line:
        assert line.ask({"id": identity, "method": "hello"})["id"] == identity


@pytest.mark.parametrize("identity", [None, 1.5, True, [], {}, 2**70, "x" * 5000])
def test_what_cannot_be_an_id_is_refused(same_web, identity):
    with Line(same_web) as line:
        answer = line.ask({"id": identity, "method": "hello"})
        assert (answer["id"], answer["error"]["code"]) == (None, REQUEST)


@pytest.mark.parametrize("request_line, code", [
    ("", PARSE), ("hello", PARSE), ("{", PARSE), ('{"id":1,"method":"hello"}}', PARSE),
    ('{"id":1,"id":2,"method":"hello"}', PARSE), ('{"id":01,"method":"hello"}', PARSE),
    ("{'id':1}", PARSE), ('{"id":1,"method":"hello",}', PARSE), ("/**/{}", PARSE),
    (b'{"id":1,"method":"hel\xff"}', PARSE), (b'{"id":1,"method":"hel\x00lo"}', PARSE),
    (b'\xef\xbb\xbf{"id":1,"method":"hello"}', PARSE), (b"\x00\x01\x02\x80", PARSE),
    ("[" * 100_000, PARSE), ('{"id":1,"params":' + '{"a":' * 10_000, PARSE),
    ("[" * 10_000 + "]" * 10_000, PARSE),
    ("[]", REQUEST), ("1", REQUEST), ("null", REQUEST), ('"hello"', REQUEST), ("{}", REQUEST),
    ('[{"id":1,"method":"hello"}]', REQUEST),
    ('{"id":1}', REQUEST), ('{"id":1,"method":7}', REQUEST), ('{"id":1,"method":null}', REQUEST),
    ('{"jsonrpc":"1.0","id":1,"method":"hello"}', REQUEST),
    ('{"jsonrpc":2.0,"id":1,"method":"hello"}', REQUEST),
    ('{"jsonrpc":null,"id":1,"method":"hello"}', REQUEST),
    ('{"id":1,"Method":"hello"}', REQUEST),
    ('{"id":1,"method":""}', METHOD), ('{"id":1,"method":"Hello"}', METHOD),
    ('{"id":1,"method":"hello "}', METHOD), ('{"id":1,"method":"logs/write"}', METHOD),
    ('{"id":1,"method":"' + "x" * 100_000 + '"}', METHOD),
    ('{"id":1,"method":"hello","params":[]}', PARAMS),
    ('{"id":1,"method":"hello","params":"x"}', PARAMS),
    ('{"id":1,"method":"signal"}', PARAMS),
    ('{"id":1,"method":"signal","params":{"signal":9}}', PARAMS),
    ('{"id":1,"method":"signal","params":{"signal":"BANG"}}', PARAMS),
    ('{"id":1,"method":"stop","params":{"expect_pid":"1"}}', PARAMS),
    ('{"id":1,"method":"stop","params":{"expect_pid":-1}}', PARAMS),
    ('{"id":1,"method":"stop","params":{"expect_pid":1.5}}', PARAMS),
    ('{"id":1,"method":"restart","params":{"expect_pid":true}}', PARAMS),
    ('{"id":1,"method":"stop","params":{"now":"no"}}', PARAMS),
    ('{"id":1,"method":"restart","params":{"progress":1}}', PARAMS),
    ('{"id":1,"method":"restart","params":{"former_generation":"x"}}', PARAMS),
], ids=lambda value: repr(value)[:60])
def test_a_wrong_request_gets_its_code_and_the_connection_goes_on(same_web, request_line, code):
    with Line(same_web) as line:
        assert line.error(request_line) == code
        assert line.ask({"id": 2, "method": "hello"})["result"]["pid"] == same_web.pid


def test_unknown_members_and_parameters_are_passed_over(web):
    with Line(web) as line:
        answer = line.ask({"id": 1, "method": "hello", "trace": {"a": [1, None]},
                           "params": {"later": True}})
        assert answer["result"]["pid"] == web.pid
        assert line.ask({"id": 2, "method": "hello", "params": None})["id"] == 2


@pytest.mark.parametrize("request_line", [
    {"method": "hello"}, {"method": "status"}, {"method": "initialize"}, {"method": "fly"},
    {"method": "signal", "params": {"signal": "BANG"}}, {"method": "reload"},
    {"method": "stop", "params": {"expect_pid": 1}}, {"jsonrpc": "2.0", "method": "start"},
    {"method": "signal", "params": {"signal": "CONT"}},
], ids=lambda value: value["method"])
def test_a_notification_is_never_answered(same_web, request_line):
    with Line(same_web) as line:
        line.write(json.dumps(request_line) + "\n")
        assert line.ask({"id": 7, "method": "hello"})["id"] == 7


def test_a_restart_by_notification_happens_without_an_answer(site):
    site.add_webui("web")
    site.start("web")
    with Line(site) as line:
        line.write('{"method":"restart"}\n')
        wait_until(lambda: site.status("web")["generation"] == 2, "a second generation")
        site.wait_for_state("web", "ready")
        assert line.ask({"id": 7, "method": "hello"})["id"] == 7


def test_a_thousand_requests_in_one_piece_are_all_answered_in_order(web):
    with Line(web) as line:
        line.write("".join(json.dumps({"id": number, "method": "hello"}) + "\n"
                           for number in range(1000)))
        assert [line.read()["id"] for _ in range(1000)] == list(range(1000))


def test_a_request_that_comes_byte_by_byte(web):
    with Line(web) as line:
        for byte in b'{"id":1,"method":"hello"}\n{"id":2,':
            line.write(bytes([byte]))
        assert line.read()["id"] == 1
        assert line.ask(b'"method":"hello"}')["id"] == 2


@pytest.mark.parametrize("end", [b"\r\n", b" \t\n"])
def test_blanks_around_a_request_do_no_harm(web, end):
    with Line(web) as line:
        line.write(b'  {"id":1,"method":"hello"}' + end)
        assert line.read()["id"] == 1


def test_a_client_that_has_closed_its_sending_side_still_gets_its_answers(web):
    with Line(web) as line:
        line.write('{"id":1,"method":"hello"}\n{"id":2,"method":"restart",'
                   '"params":{"expect_pid":1}}\n')
        line.socket.shutdown(socket.SHUT_WR)
        assert [line.read()["id"], line.read()["id"]] == [1, 2]


def test_what_is_still_to_be_sent_to_it_is_sent_and_then_the_connection_ends(web):
    count = 4000  # in all more than the system holds between the two
    with Line(web) as line:
        line.write("".join(f'{{"id":{i},"method":"status"}}\n' for i in range(count)))
        line.socket.shutdown(socket.SHUT_WR)
        assert [line.read()["id"] for _ in range(count)] == list(range(count))
        assert line.reader.read() == b""


def test_the_connection_ends_when_it_has_got_the_answer_that_it_waited_for(site):
    site.add("job", [MISBEHAVE, "sleep-forever"])
    site.start("job")
    with Line(site, "job") as line:
        line.write('{"id":1,"method":"restart"}\n')
        line.socket.shutdown(socket.SHUT_WR)
        assert line.read()["result"]["former_generation"] == 1
        assert line.reader.read() == b""


def test_more_waiting_requests_than_one_connection_may_have(site):
    site.add("job", [MISBEHAVE, "ignore", "TERM", "sleep-forever"], stop={"timeout": "1h"})
    site.start("job")
    with Line(site, "job") as line:
        for number in range(20):
            line.write(json.dumps({"id": number, "method": "stop"}) + "\n")
        assert line.read()["error"]["code"] == OVERLOADED
    result = site.svcmgr("stop", "job", "--now")
    assert result.code == 0, result
