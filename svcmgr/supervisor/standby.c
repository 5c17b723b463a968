/* Standing in line behind our own other supervisor.
 *
 * Who stands in line is connected to the holder of the lock.  The end of that connection, which
 * also comes when the holder is killed, is the sign to try: the lock first, then the connection,
 * for the keeper usually brings the holder back, until there is one of them. */
#include "standby.h"

#include <string.h>

#include "marker_file.h"
#include "peer.h"
#include "pidfile.h"
#include "start.h"
#include "str.h"
#include "supervisor.h"

#include "banned.h"

#define TRY_MS             20   /* between two tries while nobody answers */
#define TRY_MAX_MS         1000 /* where we are refused, or the lock cannot be tried */
#define TAKEOVER_STOPS_MAX 8    /* others in line may be faster, and are asked as well */
#define UNSENT_BYTES       4096 /* a holder that reads nothing is not told more */

enum request_id { ID_STANDBY = 1, ID_STOP };

/* ---- In line --------------------------------------------------------------------------------- */

static bool send_request(struct standby *standby, int id, const char *method, const char *params)
{
    struct buffer message = { 0 };
    struct json_writer writer;
    bool sent;

    protocol_request_begin(&writer, &message, id, method);
    json_write_raw(&writer, "params", params);
    protocol_request_end(&writer);
    sent = !message.failed &&
            platform_send(standby->holder, message.data, message.length, UNSENT_BYTES) != -1;
    buffer_free(&message);
    return sent;
}

static bool send_registration(struct supervisor *sup)
{
    char keeper[32] = "null";
    char params[128];

    if (sup->link.keeper.pid > 0)
        (void)str_format(keeper, sizeof keeper, "%lld", (long long)sup->link.keeper.pid);
    (void)str_format(params, sizeof params,
            "{\"supervisor_pid\":%lld,\"keeper_pid\":%s,\"launcher\":\"%s\"}",
            (long long)platform_pid(), keeper, sup->launcher->kind);
    return send_request(&sup->standby, ID_STANDBY, "standby", params);
}

static bool send_stop(struct supervisor *sup)
{
    return send_request(&sup->standby, ID_STOP, "stop", "{\"keep_standby\":true}");
}

static void disconnect(struct standby *standby)
{
    platform_unwatch(standby->holder);
    standby->holder = NULL;
    standby->proves = false;
    line_free(&standby->lines);
    standby->prove_by_ms = PLATFORM_NEVER;
}

void standby_leave(struct supervisor *sup)
{
    disconnect(&sup->standby);
    sup->standby = (struct standby) {
        .try_at_ms = PLATFORM_NEVER,
        .prove_by_ms = PLATFORM_NEVER,
        .answer_by_ms = PLATFORM_NEVER,
    };
}

static void open_socket(struct supervisor *sup)
{
    platform_handle handle;
    struct err err;

    if (platform_has_control_sockets() &&
            platform_control_connect(
                    sup->options.state_directory, PEER_CONTROL_NAME, &handle, &err) == 0)
        sup->standby.holder = platform_watch_stream(handle, ROLE_HOLDER, NULL);
}

/* Where there is no socket, there may be a marker; who is there is not known before the proof. */
static void open_tcp(struct supervisor *sup)
{
    struct standby *standby = &sup->standby;
    struct address address;
    struct err err;

    if (!marker_file_read(sup->options.state_directory, &standby->marker))
        return;
    address = address_ipv4(0x7f000001, standby->marker.port);
    standby->holder = platform_connect(&address, ROLE_HOLDER, NULL, &err);
    standby->proves = standby->holder != NULL;
}

static bool ask_for_place(struct supervisor *sup)
{
    struct standby *standby = &sup->standby;

    standby->proves = false;
    standby->lines.bytes.limit = 0;
    return send_registration(sup) && (!standby->takes_over || send_stop(sup));
}

static bool connect_to_holder(struct supervisor *sup)
{
    struct standby *standby = &sup->standby;

    open_socket(sup);
    if (standby->holder == NULL)
        open_tcp(sup);
    if (standby->holder == NULL)
        return false;
    line_init(&standby->lines, PROOF_LINE_BYTES);
    standby->known = false;
    standby->refused = false;
    if (standby->proves) {
        standby->prove_by_ms = platform_now_ms() + PROOF_LIMIT_MS;
        standby->try_at_ms = platform_now_ms() + MARKER_FILE_LOOK_MS;
        return true;
    }
    if (ask_for_place(sup))
        return true;
    disconnect(standby);
    return false;
}

static bool send_out(struct standby *standby, const struct buffer *out)
{
    return !out->failed &&
            platform_send(standby->holder, out->data, out->length, UNSENT_BYTES) != -1;
}

static bool begin_proof(struct standby *standby)
{
    struct buffer hello = { 0 };
    uint8_t nonce[PROOF_BYTES];
    struct err err;
    bool sent;

    if (platform_random(nonce, sizeof nonce, &err) == -1)
        return false;
    proof_begin_client(&standby->proof, standby->marker.token, nonce, &hello);
    sent = send_out(standby, &hello);
    buffer_free(&hello);
    return sent;
}

/* The holder's part of the proof: if it is right, ours is sent and the line is ours to speak on. */
static bool end_proof(struct supervisor *sup, const char *line, size_t length)
{
    struct standby *standby = &sup->standby;
    struct buffer out = { 0 };
    bool proved = proof_take(&standby->proof, line, length, &out) == PROOF_DONE &&
            send_out(standby, &out);

    buffer_free(&out);
    standby->prove_by_ms = PLATFORM_NEVER;
    standby->try_at_ms = PLATFORM_NEVER;
    return proved && ask_for_place(sup);
}

static void try_later(struct standby *standby, int64_t pause_ms)
{
    standby->pause_ms = pause_ms > TRY_MAX_MS ? TRY_MAX_MS : pause_ms;
    standby->try_at_ms = platform_now_ms() + standby->pause_ms;
}

static void fail(struct supervisor *sup, const struct err *err)
{
    standby_leave(sup);
    start_fail(sup, err);
}

static void try_now(struct supervisor *sup)
{
    struct standby *standby = &sup->standby;
    struct err err;

    standby->try_at_ms = PLATFORM_NEVER;
    if (pidfile_take(sup->options.state_directory, &sup->lock, &err) == 0) {
        standby_leave(sup);
        supervisor_cause(sup, "the other supervisor has ended");
        if (start_take_place(sup, &err) == -1)
            start_fail(sup, &err);
        return;
    }
    if (err.kind != ERR_DUPLICATE) {
        if (sup->failure.text[0] == '\0')
            journal_write(&sup->journal,
                    &(struct journal_event) { .event = "warning", .cause = err.text });
        sup->failure = err;
        standby->answer_by_ms = PLATFORM_NEVER; /* whether there is a holder is not known */
        try_later(standby, TRY_MAX_MS);
        return;
    }
    if (standby->takes_over && standby->answer_by_ms == PLATFORM_NEVER)
        standby->answer_by_ms = platform_now_ms() + PEER_HELLO_LIMIT_MS;
    if (standby->takes_over && standby->stops >= TAKEOVER_STOPS_MAX) {
        err_set(&err, ERR_DUPLICATE, 0,
                "%d other supervisors were stopped, and there is always another one; type svcmgr "
                "stop %s first",
                TAKEOVER_STOPS_MAX, sup->options.name);
        fail(sup, &err);
    } else if (!connect_to_holder(sup)) {
        try_later(standby, standby->pause_ms);
    }
}

void standby_begin(struct supervisor *sup, bool takes_over)
{
    sup->standby = (struct standby) {
        .active = true,
        .takes_over = takes_over,
        .pause_ms = TRY_MS,
        .try_at_ms = PLATFORM_NEVER,
        .prove_by_ms = PLATFORM_NEVER,
        .answer_by_ms = PLATFORM_NEVER,
    };
    claim_close_sockets(sup); /* the holder may want to bind their addresses */
    supervisor_cause(sup,
            takes_over ? "asks another supervisor of this service to stop"
                       : "another supervisor of this service runs");
    supervisor_feed(sup, (struct machine_event) { .kind = MACHINE_EVENT_STAND_BY });
    publish_state(sup);
    try_now(sup);
}

/* Who serves while we wait. */
static void tell_holder(struct supervisor *sup, const cJSON *hello)
{
    double supervisor_pid = 0;
    double pid = 0;
    char who[64] = "no instance runs";
    char sentence[200];

    (void)json_whole_number(json_member(hello, "supervisor_pid"), 1, 1e10, &supervisor_pid);
    if (json_whole_number(json_member(hello, "pid"), 1, 1e10, &pid))
        (void)str_format(who, sizeof who, "pid %.0f serves", pid);
    (void)str_format(sentence, sizeof sentence,
            "%s, under the supervisor with pid %.0f; this one goes on when that one ends", who,
            supervisor_pid);
    if (strcmp(sentence, sup->failure.text) == 0)
        return;
    err_set(&sup->failure, ERR_DUPLICATE, 0, "%s", sentence);
    supervisor_cause(sup, "%s", sup->failure.text);
    journal_write(&sup->journal,
            &(struct journal_event) { .event = "standby", .cause = sup->failure.text });
    news_tell(sup);
}

static void on_answer(struct supervisor *sup, const struct protocol_answer *answer)
{
    struct standby *standby = &sup->standby;

    if (answer->id == 0 && answer->method != NULL &&
            strcmp(answer->method, STANDBY_END_METHOD) == 0) {
        supervisor_cause(sup, "the service was asked to stop");
        standby_leave(sup);
        supervisor_feed(sup, (struct machine_event) { .kind = MACHINE_EVENT_ASK_STOP });
    } else if (answer->id == 0 && answer->method != NULL &&
            strcmp(answer->method, STANDBY_SERVES_METHOD) == 0) {
        tell_holder(sup, answer->params);
    } else if (answer->id == ID_STANDBY) {
        standby->answer_by_ms = PLATFORM_NEVER;
        standby->known = answer->result != NULL;
        if (standby->known) {
            standby->hurried = false;
            standby->pause_ms = TRY_MS;
            tell_holder(sup, answer->result);
        }
    } else if (answer->id == ID_STOP && answer->result == NULL) {
        fail(sup, &answer->err);
        return;
    } else if (answer->id == ID_STOP) {
        standby->stops++; /* a connection to one that was gone already was no stop */
    }
    standby->refused = standby->refused || (answer->method == NULL && answer->result == NULL);
}

void standby_on_event(struct supervisor *sup, const struct platform_event *event)
{
    struct standby *standby = &sup->standby;
    struct protocol_answer answer;
    struct err err;
    size_t length;
    char *line;

    if (!standby->active || event->source != standby->holder)
        return;
    if (event->kind == PLATFORM_EVENT_CONNECTED && begin_proof(standby))
        return;
    if (event->kind == PLATFORM_EVENT_DATA &&
            line_push(&standby->lines, event->data, event->length) == 0) {
        while (standby->holder != NULL && (line = line_next(&standby->lines, &length)) != NULL) {
            if (standby->proves) {
                if (end_proof(sup, line, length))
                    continue;
                disconnect(standby);
                try_later(standby, standby->pause_ms * 2);
                return;
            }
            /* What cannot be read, be it for want of memory: only asking again helps. */
            if (protocol_answer_parse(line, length, &answer, &err) == -1) {
                disconnect(standby);
                try_later(standby, TRY_MS);
                return;
            }
            on_answer(sup, &answer);
            protocol_answer_free(&answer);
        }
        return;
    }
    disconnect(standby);
    if (standby->refused) {
        try_later(standby, standby->pause_ms * 2);
    } else if (standby->known || !standby->hurried) {
        /* Without a word it was the keeper that took the connection, and it is gone as well. */
        standby->hurried = !standby->known;
        try_now(sup);
    } else {
        try_later(standby, TRY_MS);
    }
}

static void give_up_takeover(struct supervisor *sup)
{
    struct err err;

    err_set(&err, ERR_NO_ANSWER, 0,
            "the other supervisor did not answer in %d s; look at it with svcmgr doctor %s",
            PEER_HELLO_LIMIT_MS / 1000, sup->options.name);
    fail(sup, &err);
}

void standby_on_time(struct supervisor *sup, int64_t now_ms)
{
    struct standby *standby = &sup->standby;

    if (!standby->active)
        return;
    if (now_ms >= standby->answer_by_ms) {
        give_up_takeover(sup);
    } else if (now_ms >= standby->prove_by_ms) {
        disconnect(standby); /* somebody who does not prove that he is the holder */
        try_later(standby, TRY_MAX_MS);
    } else if (now_ms >= standby->try_at_ms && standby->proves &&
            marker_file_is_current(sup->options.state_directory, &standby->marker)) {
        standby->try_at_ms = now_ms + MARKER_FILE_LOOK_MS;
    } else if (now_ms >= standby->try_at_ms) {
        disconnect(standby);
        try_now(sup);
    }
}

int64_t standby_deadline(const struct supervisor *sup)
{
    const struct standby *standby = &sup->standby;
    const int64_t times[] = { standby->try_at_ms, standby->prove_by_ms, standby->answer_by_ms };
    int64_t deadline_ms = PLATFORM_NEVER;

    for (size_t i = 0; standby->active && i < sizeof times / sizeof times[0]; i++)
        if (times[i] < deadline_ms)
            deadline_ms = times[i];
    return deadline_ms;
}
