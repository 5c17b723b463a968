/* The guard's decision: a row for each case, then every combination of facts against the rules of
 * decision.h. */
#include "unit.h"

#include "decision.h"

#include "banned.h"

#define BIND_TIMEOUT_MS 10000

/* ---- Cases ----------------------------------------------------------------------------------- */

/* What a row does not say is as it is for a first 'run' by hand on a free machine. */
#define FREE                                                                                       \
    .foreground = true, .lock = DECISION_LOCK_OURS, .launcher = DECISION_LAUNCHER_NONE,            \
    .record = DECISION_RECORD_NONE, .leftovers = DECISION_LEFTOVERS_NONE,                          \
    .probe = DECISION_PROBE_FREE, .bind = DECISION_BIND_DONE, .bind_timeout_ms = BIND_TIMEOUT_MS
/* Later members of an initializer win on purpose. */
#pragma GCC diagnostic ignored "-Woverride-init"

struct row {
    const char *name;
    struct decision_facts facts;
    enum decision_kind kind;
    enum err_kind code; /* REFUSED and STAND_BY */
};

static const struct row rows[] = {
    /* Who has the lock. */
    { "a supervisor runs, 'start' by hand: that is what was wanted",
            { FREE, .lock = DECISION_LOCK_HELD, .foreground = false }, DECISION_ALREADY_RUNNING,
            0 },
    { "a supervisor runs, 'start', and would rather take over: it runs already all the same",
            { FREE, .lock = DECISION_LOCK_HELD, .foreground = false,
                    .duplicate = DECISION_TAKEOVER },
            DECISION_ALREADY_RUNNING, 0 },
    { "a supervisor runs, 'run' beside it", { FREE, .lock = DECISION_LOCK_HELD }, DECISION_REFUSED,
            ERR_DUPLICATE },
    { "a supervisor runs, 'run' that stands by",
            { FREE, .lock = DECISION_LOCK_HELD, .duplicate = DECISION_STANDBY }, DECISION_STAND_BY,
            ERR_DUPLICATE },
    { "a supervisor runs, 'run' that takes over",
            { FREE, .lock = DECISION_LOCK_HELD, .duplicate = DECISION_TAKEOVER },
            DECISION_TAKE_OVER, 0 },
    { "the lock is held and there is no hello", { FREE, .lock = DECISION_LOCK_HELD_SILENT },
            DECISION_REFUSED, ERR_NO_ANSWER },
    { "the lock is held and there is no hello, 'start'",
            { FREE, .lock = DECISION_LOCK_HELD_SILENT, .foreground = false }, DECISION_REFUSED,
            ERR_NO_ANSWER },
    { "the lock is held and there is no hello, standby",
            { FREE, .lock = DECISION_LOCK_HELD_SILENT, .duplicate = DECISION_STANDBY },
            DECISION_STAND_BY, ERR_NO_ANSWER },
    { "the lock is held and there is no hello, takeover: who does not answer cannot be asked",
            { FREE, .lock = DECISION_LOCK_HELD_SILENT, .duplicate = DECISION_TAKEOVER },
            DECISION_REFUSED, ERR_NO_ANSWER },
    { "the state directory cannot be written",
            { FREE, .lock = DECISION_LOCK_UNUSABLE, .lock_kind = ERR_FAILED }, DECISION_REFUSED,
            ERR_FAILED },
    { "the lock file belongs to another user",
            { FREE, .lock = DECISION_LOCK_UNUSABLE, .lock_kind = ERR_DENIED }, DECISION_REFUSED,
            ERR_DENIED },
    { "the lock file belongs to another user: waiting does not change that",
            { FREE, .lock = DECISION_LOCK_UNUSABLE, .lock_kind = ERR_DENIED,
                    .duplicate = DECISION_STANDBY },
            DECISION_REFUSED, ERR_DENIED },

    /* Nobody is there. */
    { "nothing recorded, nobody answers", { FREE }, DECISION_START, 0 },
    { "the record's process is dead or a zombie", { FREE, .record = DECISION_RECORD_DEAD },
            DECISION_START, 0 },
    { "the pid was used again", { FREE, .record = DECISION_RECORD_REUSED }, DECISION_START, 0 },
    { "no socket at all",
            { FREE, .sockets = DECISION_SOCKETS_HELD, .probe = DECISION_PROBE_UNTRIED,
                    .bind = DECISION_BIND_UNTRIED },
            DECISION_START, 0 },

    /* An instance whose supervisor died. */
    { "the recorded instance lives", { FREE, .record = DECISION_RECORD_SAME }, DECISION_ADOPT, 0 },
    { "it lives, its address is not even probed",
            { FREE, .record = DECISION_RECORD_SAME, .leftovers = DECISION_LEFTOVERS_UNSEEN,
                    .probe = DECISION_PROBE_UNTRIED, .bind = DECISION_BIND_UNTRIED },
            DECISION_ADOPT, 0 },
    { "it was being stopped", { FREE, .record = DECISION_RECORD_SAME_STOPPING },
            DECISION_FINISH_STOP, 0 },
    { "two generations live", { FREE, .record = DECISION_RECORD_TWO }, DECISION_ADOPT_OLDER, 0 },
    { "recorded in another pid namespace", { FREE, .record = DECISION_RECORD_ELSEWHERE },
            DECISION_REFUSED, ERR_DUPLICATE },
    { "recorded in another pid namespace: its end could not be seen either",
            { FREE, .record = DECISION_RECORD_ELSEWHERE, .duplicate = DECISION_STANDBY },
            DECISION_REFUSED, ERR_DUPLICATE },
    { "others of its tree are left",
            { FREE, .record = DECISION_RECORD_DEAD, .leftovers = DECISION_LEFTOVERS_FOUND },
            DECISION_CLEAR_LEFTOVERS, 0 },
    { "others are left, and one of them serves: cleared first, then probed",
            { FREE, .record = DECISION_RECORD_DEAD, .leftovers = DECISION_LEFTOVERS_FOUND,
                    .probe = DECISION_PROBE_ALIVE },
            DECISION_CLEAR_LEFTOVERS, 0 },

    /* Somebody answers. */
    { "any byte comes back, whoever it is", { FREE, .probe = DECISION_PROBE_ALIVE },
            DECISION_REFUSED, ERR_DUPLICATE },
    { "any byte comes back, standby",
            { FREE, .probe = DECISION_PROBE_ALIVE, .duplicate = DECISION_STANDBY },
            DECISION_STAND_BY, ERR_DUPLICATE },
    { "any byte comes back, takeover: never from a stranger",
            { FREE, .probe = DECISION_PROBE_ALIVE, .duplicate = DECISION_TAKEOVER },
            DECISION_REFUSED, ERR_DUPLICATE },
    { "any byte comes back while the binding is tried again",
            { FREE, .probe = DECISION_PROBE_ALIVE, .bind = DECISION_BIND_TAKEN,
                    .bind_waited_ms = 100 },
            DECISION_REFUSED, ERR_DUPLICATE },

    /* Somebody is silent: dying, or hung. */
    { "accepts and is silent: the bind decides",
            { FREE, .probe = DECISION_PROBE_SILENT, .bind = DECISION_BIND_UNTRIED }, DECISION_BIND,
            0 },
    { "accepts and is silent, and is gone at the bind", { FREE, .probe = DECISION_PROBE_SILENT },
            DECISION_START, 0 },
    { "accepts and is silent, still there",
            { FREE, .probe = DECISION_PROBE_SILENT, .bind = DECISION_BIND_TAKEN,
                    .bind_waited_ms = BIND_TIMEOUT_MS - 1 },
            DECISION_RETRY, 0 },
    { "accepts and is silent to the end",
            { FREE, .probe = DECISION_PROBE_SILENT, .bind = DECISION_BIND_TAKEN,
                    .bind_waited_ms = BIND_TIMEOUT_MS },
            DECISION_REFUSED, ERR_OCCUPIED },
    { "accepts and is silent to the end, standby",
            { FREE, .probe = DECISION_PROBE_SILENT, .bind = DECISION_BIND_TAKEN,
                    .bind_waited_ms = BIND_TIMEOUT_MS, .duplicate = DECISION_STANDBY },
            DECISION_STAND_BY, ERR_OCCUPIED },

    /* Nobody answers, and the bind fails. */
    { "bound without listening, or the other half of a wildcard",
            { FREE, .bind = DECISION_BIND_TAKEN }, DECISION_RETRY, 0 },
    { "bound without listening to the end",
            { FREE, .bind = DECISION_BIND_TAKEN, .bind_waited_ms = BIND_TIMEOUT_MS },
            DECISION_REFUSED, ERR_OCCUPIED },
    { "taken, and there is no time to wait",
            { FREE, .bind = DECISION_BIND_TAKEN, .bind_timeout_ms = 0 }, DECISION_REFUSED,
            ERR_OCCUPIED },
    { "taken by a svcmgr supervisor of any user: not waited for",
            { FREE, .bind = DECISION_BIND_BY_SUPERVISOR }, DECISION_REFUSED, ERR_DUPLICATE },
    { "taken by a svcmgr supervisor, standby",
            { FREE, .bind = DECISION_BIND_BY_SUPERVISOR, .duplicate = DECISION_STANDBY },
            DECISION_STAND_BY, ERR_DUPLICATE },
    { "this machine does not have the address", { FREE, .probe = DECISION_PROBE_NO_ADDRESS },
            DECISION_REFUSED, ERR_OCCUPIED },
    { "this machine does not have the address yet",
            { FREE, .probe = DECISION_PROBE_NO_ADDRESS, .duplicate = DECISION_STANDBY },
            DECISION_STAND_BY, ERR_OCCUPIED },
    { "the address went between probe and bind", { FREE, .bind = DECISION_BIND_NO_ADDRESS },
            DECISION_REFUSED, ERR_OCCUPIED },
    { "the address went between probe and bind, standby",
            { FREE, .bind = DECISION_BIND_NO_ADDRESS, .duplicate = DECISION_STANDBY },
            DECISION_STAND_BY, ERR_OCCUPIED },
    { "binding is not permitted", { FREE, .bind = DECISION_BIND_IMPOSSIBLE }, DECISION_REFUSED,
            ERR_OCCUPIED },
    { "binding is not permitted: waiting does not change that",
            { FREE, .bind = DECISION_BIND_IMPOSSIBLE, .duplicate = DECISION_STANDBY },
            DECISION_REFUSED, ERR_OCCUPIED },

    /* Our own held socket: a restart, a launcher's socket, what the keeper kept. */
    { "the socket is held: whoever answers on it is answered by us",
            { FREE, .sockets = DECISION_SOCKETS_HELD, .probe = DECISION_PROBE_UNTRIED,
                    .bind = DECISION_BIND_UNTRIED },
            DECISION_START, 0 },
    { "the socket is held, and leftovers are cleared all the same",
            { FREE, .sockets = DECISION_SOCKETS_HELD, .leftovers = DECISION_LEFTOVERS_FOUND },
            DECISION_CLEAR_LEFTOVERS, 0 },

    /* Other launchers. */
    { "a launcher's job serves", { FREE, .launcher = DECISION_LAUNCHER_SERVES }, DECISION_REFUSED,
            ERR_DUPLICATE },
    { "a launcher's job serves: its address is not probed, which would start it",
            { FREE, .launcher = DECISION_LAUNCHER_SERVES, .record = DECISION_RECORD_UNREAD,
                    .leftovers = DECISION_LEFTOVERS_UNSEEN, .probe = DECISION_PROBE_UNTRIED,
                    .bind = DECISION_BIND_UNTRIED },
            DECISION_REFUSED, ERR_DUPLICATE },
    { "a launcher's job waits for its automatic restart",
            { FREE, .launcher = DECISION_LAUNCHER_PENDING }, DECISION_REFUSED, ERR_DUPLICATE },
    { "a launcher's job waits for its automatic restart, standby",
            { FREE, .launcher = DECISION_LAUNCHER_PENDING, .duplicate = DECISION_STANDBY },
            DECISION_STAND_BY, ERR_DUPLICATE },
    { "a launcher's job waits, takeover: never from another launcher",
            { FREE, .launcher = DECISION_LAUNCHER_PENDING, .duplicate = DECISION_TAKEOVER },
            DECISION_REFUSED, ERR_DUPLICATE },
    { "a launcher's job ends, and may come back", { FREE, .launcher = DECISION_LAUNCHER_LEAVING },
            DECISION_AWAIT_LAUNCHER, 0 },
    { "a launcher's job does not come to its end",
            { FREE, .launcher = DECISION_LAUNCHER_LEAVING, .launcher_waited_ms = BIND_TIMEOUT_MS },
            DECISION_REFUSED, ERR_DUPLICATE },
    { "a launcher's job does not come to its end, standby",
            { FREE, .launcher = DECISION_LAUNCHER_LEAVING, .launcher_waited_ms = BIND_TIMEOUT_MS,
                    .duplicate = DECISION_STANDBY },
            DECISION_STAND_BY, ERR_DUPLICATE },
    { "a launcher's job on another port", { FREE, .launcher = DECISION_LAUNCHER_NONE },
            DECISION_START, 0 },
};

static void decides_every_case(void **state)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct decision decision = decision_make(&rows[i].facts);

        CHECK_INT(rows[i].name, decision.kind, rows[i].kind);
        CHECK_INT(rows[i].name, decision.code, rows[i].code);
    }
}

/* What the guard asks for, and in which order, when it knows nothing and everything is well. */
static void asks_in_the_right_order(void **state)
{
    struct decision_facts facts = { .foreground = true, .bind_timeout_ms = BIND_TIMEOUT_MS };

    assert_int_equal(decision_make(&facts).kind, DECISION_TAKE_LOCK);
    facts.lock = DECISION_LOCK_OURS;
    assert_int_equal(decision_make(&facts).kind, DECISION_ASK_LAUNCHERS);
    facts.launcher = DECISION_LAUNCHER_NONE;
    assert_int_equal(decision_make(&facts).kind, DECISION_READ_RECORD);
    facts.record = DECISION_RECORD_NONE;
    assert_int_equal(decision_make(&facts).kind, DECISION_LOOK_FOR_LEFTOVERS);
    facts.leftovers = DECISION_LEFTOVERS_NONE;
    assert_int_equal(decision_make(&facts).kind, DECISION_PROBE);
    facts.probe = DECISION_PROBE_FREE;
    assert_int_equal(decision_make(&facts).kind, DECISION_BIND);
    facts.bind = DECISION_BIND_TAKEN;
    assert_int_equal(decision_make(&facts).kind, DECISION_RETRY);
    facts.bind = DECISION_BIND_DONE;
    assert_int_equal(decision_make(&facts).kind, DECISION_START);
}

/* ---- All combinations ------------------------------------------------------------------------ */

static bool takes_up(enum decision_kind kind)
{
    return kind == DECISION_ADOPT || kind == DECISION_ADOPT_OLDER || kind == DECISION_FINISH_STOP;
}

static bool is_step(enum decision_kind kind)
{
    return kind <= DECISION_CLEAR_LEFTOVERS;
}

/* The first rule that a decision breaks; NULL if it keeps them all. */
static const char *broken_rule(const struct decision_facts *facts, struct decision decision)
{
    enum decision_kind kind = decision.kind;
    bool ours = facts->lock == DECISION_LOCK_OURS;
    bool needed = facts->sockets == DECISION_SOCKETS_NEEDED;
    bool waits = facts->duplicate == DECISION_STANDBY;

    if (kind >= DECISION_COUNT)
        return "a decision has a kind";
    if (!ours &&
            (kind == DECISION_START || takes_up(kind) || kind == DECISION_PROBE ||
                    kind == DECISION_BIND || kind == DECISION_CLEAR_LEFTOVERS ||
                    kind == DECISION_READ_RECORD || kind == DECISION_ASK_LAUNCHERS ||
                    kind == DECISION_AWAIT_LAUNCHER))
        return "1: nothing without the lock";
    if ((kind == DECISION_ALREADY_RUNNING || kind == DECISION_TAKE_OVER) &&
            facts->lock != DECISION_LOCK_HELD)
        return "1: who answers is this service";
    if (kind == DECISION_ALREADY_RUNNING && facts->foreground)
        return "1: 'run' of what runs is a duplicate";
    if (kind == DECISION_TAKE_OVER && facts->duplicate != DECISION_TAKEOVER)
        return "only who is told to takes over";
    if (facts->lock == DECISION_LOCK_HELD_SILENT &&
            !((kind == DECISION_REFUSED || kind == DECISION_STAND_BY) &&
                    decision.code == ERR_NO_ANSWER))
        return "1: no hello is an error of its own";
    if (facts->launcher >= DECISION_LAUNCHER_SERVES &&
            (kind == DECISION_PROBE || kind == DECISION_BIND || kind == DECISION_RETRY ||
                    kind == DECISION_START || takes_up(kind)))
        return "2: a launcher's job is there, and is not probed";
    if (kind == DECISION_AWAIT_LAUNCHER &&
            (facts->launcher != DECISION_LAUNCHER_LEAVING ||
                    facts->launcher_waited_ms >= facts->bind_timeout_ms))
        return "2: only what ends is waited for, until the time is up";
    if (facts->record >= DECISION_RECORD_SAME && kind == DECISION_START)
        return "3: what lives is never doubled";
    if (takes_up(kind) && facts->record < DECISION_RECORD_SAME)
        return "3: only what lives and is the same is taken up";
    if (takes_up(kind) && facts->record == DECISION_RECORD_ELSEWHERE)
        return "3: nothing is proved in another namespace";
    if (facts->leftovers == DECISION_LEFTOVERS_FOUND &&
            (kind == DECISION_START || kind == DECISION_PROBE || kind == DECISION_BIND))
        return "4: leftovers are cleared first";
    if (kind == DECISION_START && needed && facts->probe == DECISION_PROBE_ALIVE)
        return "5: who answers serves";
    if (kind == DECISION_START && needed && facts->probe == DECISION_PROBE_UNTRIED)
        return "5: nobody starts without asking";
    if (kind == DECISION_START && needed && facts->bind != DECISION_BIND_DONE)
        return "6: the bind decides";
    if (kind == DECISION_BIND &&
            (!needed || facts->probe == DECISION_PROBE_UNTRIED ||
                    facts->probe == DECISION_PROBE_ALIVE))
        return "6: a probe before each bind";
    if (kind == DECISION_RETRY &&
            (facts->bind != DECISION_BIND_TAKEN || facts->bind_waited_ms >= facts->bind_timeout_ms))
        return "6: until the time is up";
    if (!needed && (kind == DECISION_PROBE || kind == DECISION_BIND || kind == DECISION_RETRY))
        return "7: held sockets are neither probed nor bound";
    if (kind == DECISION_STAND_BY && !waits)
        return "8: only who is told to waits";
    if (kind == DECISION_STAND_BY && !ours && !facts->foreground)
        return "8: a 'start' by hand does not wait for a supervisor";
    if (kind == DECISION_REFUSED && waits &&
            !(facts->lock == DECISION_LOCK_UNUSABLE || !facts->foreground ||
                    facts->record == DECISION_RECORD_ELSEWHERE ||
                    facts->bind == DECISION_BIND_IMPOSSIBLE))
        return "8: who is told to waits for whoever may go";
    if ((kind == DECISION_REFUSED || kind == DECISION_STAND_BY) != (decision.code != 0))
        return "who is turned away is told why, and nobody else";
    return NULL;
}

/* A step that is asked for must change something: its fact is not known yet, or it is to be found
 * out anew. */
static bool step_is_open(const struct decision_facts *facts, enum decision_kind kind)
{
    return (kind != DECISION_TAKE_LOCK || facts->lock == DECISION_LOCK_UNTRIED) &&
            (kind != DECISION_ASK_LAUNCHERS || facts->launcher == DECISION_LAUNCHER_UNASKED) &&
            (kind != DECISION_READ_RECORD || facts->record == DECISION_RECORD_UNREAD) &&
            (kind != DECISION_LOOK_FOR_LEFTOVERS ||
                    facts->leftovers == DECISION_LEFTOVERS_UNSEEN) &&
            (kind != DECISION_PROBE || facts->probe == DECISION_PROBE_UNTRIED) &&
            (kind != DECISION_BIND || facts->bind == DECISION_BIND_UNTRIED) &&
            (kind != DECISION_CLEAR_LEFTOVERS || facts->leftovers == DECISION_LEFTOVERS_FOUND);
}

/* How many values each fact has, in the order in which number_to_facts() takes them. */
static const unsigned sizes[] = { 2, 3, 5, 5, 8, 3, 2, 5, 6, 2, 2 };

static struct decision_facts number_to_facts(unsigned number)
{
    unsigned values[COUNT_OF(sizes)];

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        values[i] = number % sizes[i];
        number /= sizes[i];
    }
    return (struct decision_facts) {
        .foreground = values[0] != 0,
        .duplicate = (enum decision_duplicate)values[1],
        .lock = (enum decision_lock)values[2],
        .lock_kind = ERR_DENIED,
        .launcher = (enum decision_launcher)values[3],
        .record = (enum decision_record)values[4],
        .leftovers = (enum decision_leftovers)values[5],
        .sockets = (enum decision_sockets)values[6],
        .probe = (enum decision_probe)values[7],
        .bind = (enum decision_bind)values[8],
        .bind_waited_ms = values[9] != 0 ? BIND_TIMEOUT_MS : 0,
        .launcher_waited_ms = values[10] != 0 ? BIND_TIMEOUT_MS : 0,
        .bind_timeout_ms = BIND_TIMEOUT_MS,
    };
}

static void keeps_the_rules_whatever_the_facts(void **state)
{
    bool seen[DECISION_COUNT] = { false };
    unsigned all = 1;

    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        all *= sizes[i];
    for (unsigned number = 0; number < all; number++) {
        struct decision_facts facts = number_to_facts(number);
        struct decision decision = decision_make(&facts);
        const char *rule = broken_rule(&facts, decision);

        if (rule == NULL && is_step(decision.kind) && !step_is_open(&facts, decision.kind))
            rule = "a step finds out something new";
        if (rule != NULL)
            fail_msg("%s: foreground %d, duplicate %d, lock %d, launcher %d, record %d, leftovers "
                     "%d, sockets %d, probe %d, bind %d, waited %lld: decision %d, code %d",
                    rule, facts.foreground, (int)facts.duplicate, (int)facts.lock,
                    (int)facts.launcher, (int)facts.record, (int)facts.leftovers,
                    (int)facts.sockets, (int)facts.probe, (int)facts.bind,
                    (long long)facts.bind_waited_ms, (int)decision.kind, (int)decision.code);
        seen[decision.kind] = true;
    }
    for (int kind = 0; kind < DECISION_COUNT; kind++)
        if (!seen[kind])
            fail_msg("no facts lead to decision %d", kind);
}

/* An answer that is one may not depend on facts that are looked for later. */
static void decides_as_early_as_it_can(void **state)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct decision_facts facts = rows[i].facts;

        if (facts.lock != DECISION_LOCK_OURS) {
            facts.launcher = DECISION_LAUNCHER_UNASKED;
            facts.record = DECISION_RECORD_UNREAD;
        }
        if (facts.lock != DECISION_LOCK_OURS || facts.launcher != DECISION_LAUNCHER_NONE ||
                facts.record >= DECISION_RECORD_SAME) {
            facts.leftovers = DECISION_LEFTOVERS_UNSEEN;
            facts.probe = DECISION_PROBE_UNTRIED;
            facts.bind = DECISION_BIND_UNTRIED;
        }
        if (facts.probe == DECISION_PROBE_ALIVE || facts.probe == DECISION_PROBE_NO_ADDRESS)
            facts.bind = DECISION_BIND_UNTRIED;
        CHECK_INT(rows[i].name, decision_make(&facts).kind, rows[i].kind);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decides_every_case),
        cmocka_unit_test(asks_in_the_right_order),
        cmocka_unit_test(keeps_the_rules_whatever_the_facts),
        cmocka_unit_test(decides_as_early_as_it_can),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
