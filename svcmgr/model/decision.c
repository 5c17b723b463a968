#include "decision.h"

#include "banned.h"

static struct decision next_step(enum decision_kind kind)
{
    return (struct decision) { .kind = kind };
}

static struct decision refuse(enum err_kind code)
{
    return (struct decision) { .kind = DECISION_REFUSED, .code = code };
}

/* Somebody is there who may end some day. */
static struct decision refuse_or_wait(const struct decision_facts *facts, enum err_kind code)
{
    if (facts->duplicate == DECISION_STANDBY)
        return (struct decision) { .kind = DECISION_STAND_BY, .code = code };
    return refuse(code);
}

static struct decision decide_lock(const struct decision_facts *facts)
{
    switch (facts->lock) {
    case DECISION_LOCK_UNTRIED:
        return next_step(DECISION_TAKE_LOCK);
    case DECISION_LOCK_UNUSABLE:
        return refuse(facts->lock_kind);
    case DECISION_LOCK_HELD:
        if (!facts->foreground)
            return next_step(DECISION_ALREADY_RUNNING);
        if (facts->duplicate == DECISION_TAKEOVER)
            return next_step(DECISION_TAKE_OVER);
        return refuse_or_wait(facts, ERR_DUPLICATE);
    case DECISION_LOCK_HELD_SILENT:
        return facts->foreground ? refuse_or_wait(facts, ERR_NO_ANSWER) : refuse(ERR_NO_ANSWER);
    case DECISION_LOCK_OURS:
        break;
    }
    return next_step(DECISION_START);
}

static struct decision decide_launcher(const struct decision_facts *facts)
{
    switch (facts->launcher) {
    case DECISION_LAUNCHER_UNASKED:
        return next_step(DECISION_ASK_LAUNCHERS);
    case DECISION_LAUNCHER_SERVES:
    case DECISION_LAUNCHER_PENDING:
        return refuse_or_wait(facts, ERR_DUPLICATE);
    case DECISION_LAUNCHER_LEAVING:
        if (facts->launcher_waited_ms < facts->bind_timeout_ms)
            return next_step(DECISION_AWAIT_LAUNCHER);
        return refuse_or_wait(facts, ERR_DUPLICATE);
    case DECISION_LAUNCHER_NONE:
        break;
    }
    return next_step(DECISION_START);
}

static struct decision decide_record(const struct decision_facts *facts)
{
    switch (facts->record) {
    case DECISION_RECORD_UNREAD:
        return next_step(DECISION_READ_RECORD);
    case DECISION_RECORD_SAME:
        return next_step(DECISION_ADOPT);
    case DECISION_RECORD_SAME_STOPPING:
        return next_step(DECISION_FINISH_STOP);
    case DECISION_RECORD_TWO:
        return next_step(DECISION_ADOPT_OLDER);
    case DECISION_RECORD_ELSEWHERE:
        return refuse(ERR_DUPLICATE);
    case DECISION_RECORD_NONE:
    case DECISION_RECORD_DEAD:
    case DECISION_RECORD_REUSED:
        break;
    }
    switch (facts->leftovers) {
    case DECISION_LEFTOVERS_UNSEEN:
        return next_step(DECISION_LOOK_FOR_LEFTOVERS);
    case DECISION_LEFTOVERS_FOUND:
        return next_step(DECISION_CLEAR_LEFTOVERS);
    case DECISION_LEFTOVERS_NONE:
        break;
    }
    return next_step(DECISION_START);
}

static struct decision decide_bind(const struct decision_facts *facts)
{
    switch (facts->bind) {
    case DECISION_BIND_UNTRIED:
        return next_step(DECISION_BIND);
    case DECISION_BIND_TAKEN:
        if (facts->bind_waited_ms < facts->bind_timeout_ms)
            return next_step(DECISION_RETRY);
        return refuse_or_wait(facts, ERR_OCCUPIED);
    case DECISION_BIND_BY_SUPERVISOR:
        return refuse_or_wait(facts, ERR_DUPLICATE);
    case DECISION_BIND_NO_ADDRESS:
        return refuse_or_wait(facts, ERR_OCCUPIED);
    case DECISION_BIND_IMPOSSIBLE:
        return refuse(ERR_OCCUPIED);
    case DECISION_BIND_DONE:
        break;
    }
    return next_step(DECISION_START);
}

static struct decision decide_sockets(const struct decision_facts *facts)
{
    if (facts->sockets == DECISION_SOCKETS_HELD)
        return next_step(DECISION_START);
    switch (facts->probe) {
    case DECISION_PROBE_UNTRIED:
        return next_step(DECISION_PROBE);
    case DECISION_PROBE_ALIVE:
        return refuse_or_wait(facts, ERR_DUPLICATE);
    case DECISION_PROBE_NO_ADDRESS:
        return refuse_or_wait(facts, ERR_OCCUPIED);
    case DECISION_PROBE_FREE:
    case DECISION_PROBE_SILENT:
        break;
    }
    return decide_bind(facts);
}

struct decision decision_make(const struct decision_facts *facts)
{
    static struct decision (*const stages[])(const struct decision_facts *) = {
        decide_lock,
        decide_launcher,
        decide_record,
        decide_sockets,
    };
    struct decision decision = next_step(DECISION_START);

    /* Each stage says START when nothing of its own stands in the way. */
    for (unsigned i = 0; decision.kind == DECISION_START && i < sizeof stages / sizeof stages[0];
            i++)
        decision = stages[i](facts);
    return decision;
}
