#include "supervisor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "follow.h"
#include "start.h"
#include "str.h"

#include "banned.h"

#define TREE_LOOK_MS      20   /* while something that was killed is still there */
#define TREE_LOOK_TOLD_MS 100  /* the same where exits are told */
#define PROCESS_LOOK_MS   200  /* an adopted process that cannot be watched */
#define LAST_WORDS_MS     2500 /* for output and answers after the end was decided */

void supervisor_cause(struct supervisor *sup, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(sup->cause, sizeof sup->cause, format, arguments);
    va_end(arguments);
}

/* ---- Doing what the machine says ------------------------------------------------------------- */

static void perform_spawn(struct supervisor *sup, enum machine_slot slot)
{
    struct instance *instance = &sup->instances[slot];
    struct err err;

    if (instance_spawn(sup, slot, &err) == 0) {
        answer_progress(sup);
        return;
    }
    (void)str_format(instance->failure_text, sizeof instance->failure_text, "%.250s", err.text);
    instance_ended(sup, slot, &(struct platform_exit) { .code = -1, .by_signal = -1 });
}

static void exit_with(struct supervisor *sup, int code)
{
    sup->done = true;
    sup->exit_code = code;
    sup->end_by_ms = platform_now_ms() + LAST_WORDS_MS;
    standby_leave(sup);
    change_give_up(sup);
    upgrade_give_up(sup);
    guard_cancel(&sup->guard);
    claim_close_sockets(sup);
}

static void perform(struct supervisor *sup, const struct machine_action *action)
{
    switch (action->kind) {
    case MACHINE_ACT_GUARD:
        claim_begin_guard(sup);
        break;
    case MACHINE_ACT_GUARD_CANCEL:
        guard_cancel(&sup->guard);
        break;
    case MACHINE_ACT_SPAWN:
        perform_spawn(sup, action->slot);
        break;
    case MACHINE_ACT_STOP:
        instance_stop(sup, action->slot);
        break;
    case MACHINE_ACT_STOP_REST:
        instance_stop_rest(sup, action->slot);
        break;
    case MACHINE_ACT_KILL:
        instance_kill(sup, action->slot);
        break;
    case MACHINE_ACT_PROMOTE:
        instance_promote(sup);
        break;
    case MACHINE_ACT_CLOSE_SOCKETS:
        claim_close_sockets(sup);
        break;
    case MACHINE_ACT_ANSWER_START:
        answer_waiting(sup, CLIENT_WAIT_START, action->ok);
        break;
    case MACHINE_ACT_ANSWER_STOP:
        answer_waiting(sup, CLIENT_WAIT_STOP, action->ok);
        break;
    case MACHINE_ACT_ANSWER_RESTART:
        answer_waiting(sup, CLIENT_WAIT_RESTART, action->ok);
        break;
    case MACHINE_ACT_EXIT:
        exit_with(sup, action->code);
        break;
    case MACHINE_ACT_COUNT:
        break;
    }
}

void supervisor_feed(struct supervisor *sup, struct machine_event event)
{
    struct machine_actions actions = { .count = 0 };

    event.now_ms = platform_now_ms();
    machine_step(&sup->service->machine, &sup->machine, &event, &actions);
    publish_record(sup);
    for (size_t i = 0; i < actions.count; i++)
        perform(sup, &actions.list[i]);
}

void supervisor_stop(struct supervisor *sup, bool kill)
{
    sup->stop_deferred = guard_is_clearing(&sup->guard);
    if (!sup->stop_deferred)
        supervisor_feed(sup,
                (struct machine_event) {
                        .kind = kill ? MACHINE_EVENT_ASK_KILL : MACHINE_EVENT_ASK_STOP });
    else if (kill)
        guard_hurry(&sup->guard);
    change_give_up(sup);
}

void supervisor_feed_slot(
        struct supervisor *sup, enum machine_event_kind kind, enum machine_slot slot)
{
    supervisor_feed(sup, (struct machine_event) { .kind = kind, .slot = slot });
}

/* ---- Trees ----------------------------------------------------------------------------------- */

static void look_at_tree(struct supervisor *sup, enum machine_slot slot, int64_t now_ms)
{
    const struct machine_generation *life = &sup->machine.generations[slot];
    int64_t except[INSTANCE_EXCEPT_MAX];
    struct platform_tree tree;
    int64_t look_ms;

    if (life->phase == MACHINE_PHASE_NONE || !life->main_ended)
        return;
    sup->tree_looked_ms = now_ms;
    instance_tree(sup, slot, except, &tree);
    if (platform_tree_is_empty(&tree)) {
        sup->had_to_search = sup->had_to_search || !platform_tree_is_sure(&tree);
        instance_forget(sup, slot);
        supervisor_feed_slot(sup, MACHINE_EVENT_TREE_GONE, slot);
        claim_go_back(sup);
        return;
    }
    if (life->phase == MACHINE_PHASE_KILLING)
        (void)platform_tree_signal(&tree, "KILL"); /* what was forked meanwhile */
    look_ms = now_ms + (platform_tree_is_told() ? TREE_LOOK_TOLD_MS : TREE_LOOK_MS);
    if (look_ms < sup->tree_look_ms)
        sup->tree_look_ms = look_ms;
}

static void look_at_process(struct supervisor *sup, enum machine_slot slot, int64_t now_ms)
{
    const struct instance *instance = &sup->instances[slot];

    if (!instance->used || !instance->looked_at || sup->machine.generations[slot].main_ended)
        return;
    if (platform_is_gone(&sup->record.generations[slot].process))
        instance_ended(sup, slot, &(struct platform_exit) { .code = -1, .by_signal = -1 });
    else if (now_ms + PROCESS_LOOK_MS < sup->tree_look_ms)
        sup->tree_look_ms = now_ms + PROCESS_LOOK_MS;
}

/* Looks whether trees whose main process has ended are gone. */
static void look_at_trees(struct supervisor *sup)
{
    int64_t now_ms = platform_now_ms();

    /* Where many end at once, a look after each end would be slower than they are. */
    if (now_ms == sup->tree_looked_ms) {
        sup->tree_look_ms = now_ms + 1;
        return;
    }
    sup->tree_look_ms = PLATFORM_NEVER;
    for (enum machine_slot slot = MACHINE_CURRENT; slot < MACHINE_SLOT_COUNT; slot++) {
        look_at_process(sup, slot, now_ms);
        look_at_tree(sup, slot, now_ms);
    }
}

/* ---- Time ------------------------------------------------------------------------------------ */

static int64_t earliest(const int64_t *times, size_t count)
{
    int64_t earliest_ms = PLATFORM_NEVER;

    for (size_t i = 0; i < count; i++)
        if (times[i] < earliest_ms)
            earliest_ms = times[i];
    return earliest_ms;
}

/* When nobody waits any more for a follower that is behind. */
static int64_t followers_end_ms(const struct supervisor *sup)
{
    return sup->end_by_ms - LAST_WORDS_MS + FOLLOW_LAST_MS;
}

static int64_t last_deadline(const struct supervisor *sup)
{
    const int64_t times[] = {
        output_deadline(&sup->output),
        exec_deadline(sup),
        control_deadline(&sup->control),
        sup->end_by_ms,
        follow_deadline(sup),
        platform_now_ms() < followers_end_ms(sup) ? followers_end_ms(sup) : PLATFORM_NEVER,
    };

    return earliest(times, sizeof times / sizeof times[0]);
}

static int64_t next_deadline(const struct supervisor *sup)
{
    const int64_t times[] = {
        machine_deadline(&sup->machine),
        guard_deadline(&sup->guard),
        readiness_deadline(sup),
        helper_deadline(sup),
        exec_deadline(sup),
        output_deadline(&sup->output),
        sup->tree_look_ms,
        sup->standby_at_ms,
        standby_deadline(sup),
        news_deadline(sup),
        sup->child_first_ms,
        sup->child_first_ms == PLATFORM_NEVER ? follow_deadline(sup) : PLATFORM_NEVER,
        sup->handover.until_ms,
        control_deadline(&sup->control),
    };

    if (sup->done)
        return last_deadline(sup);
    return earliest(times, sizeof times / sizeof times[0]);
}

/* Why a start or restart fails that is about to fail since its time is up. */
static void explain_timeouts(struct supervisor *sup, int64_t now_ms)
{
    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++) {
        const struct machine_generation *life = &sup->machine.generations[slot];
        const struct instance *instance = &sup->instances[slot];
        char hint[RECORD_REASON_BYTES];

        if (life->phase != MACHINE_PHASE_STARTING || now_ms < life->deadline_ms)
            continue;
        instance_hint(sup, (enum machine_slot)slot, hint, sizeof hint);
        err_set(&sup->failure, ERR_FAILED, 0, "it was not ready in %lld ms%s%s%s",
                (long long)instance->service->config.start_timeout_ms,
                instance->health.ever ? ": " : "",
                instance->health.ever ? instance->health.text : "", hint);
        supervisor_cause(sup, "%s", sup->failure.text);
    }
}

static void on_time(struct supervisor *sup)
{
    int64_t now_ms = platform_now_ms();

    output_on_time(&sup->output, now_ms);
    exec_on_time(sup, now_ms);
    if (sup->done)
        return;
    guard_on_time(&sup->guard, now_ms);
    readiness_on_time(sup, now_ms);
    helper_on_time(sup, now_ms);
    standby_on_time(sup, now_ms);
    news_on_time(sup, now_ms);
    if (now_ms >= sup->handover.until_ms)
        handover_time_is_up(sup);
    if (now_ms >= sup->standby_at_ms) {
        sup->standby_at_ms = PLATFORM_NEVER;
        supervisor_feed(sup, (struct machine_event) { .kind = MACHINE_EVENT_GUARD_AGAIN });
    }
    if (now_ms >= machine_deadline(&sup->machine)) {
        explain_timeouts(sup, now_ms);
        supervisor_feed(sup, (struct machine_event) { .kind = MACHINE_EVENT_TIMER });
    }
}

/* ---- Life ------------------------------------------------------------------------------------ */

static bool is_finished(const struct supervisor *sup)
{
    if (sup->upgrade.gives_up)
        return true;
    return sup->done &&
            ((!control_owes_first(&sup->control) && output_is_drained(&sup->output) &&
                     exec_is_idle(sup) && control_is_flushed(&sup->control) &&
                     standby_others_are_gone(sup) &&
                     (follow_is_done(sup) || platform_now_ms() >= followers_end_ms(sup))) ||
                    platform_now_ms() >= sup->end_by_ms);
}

static bool child_goes_first(struct supervisor *sup)
{
    bool waits;

    if (sup->child_first_ms != PLATFORM_NEVER && platform_now_ms() >= sup->child_first_ms)
        sup->child_first_ms = PLATFORM_NEVER;
    waits = sup->child_first_ms != PLATFORM_NEVER && !sup->done;
    /* Nor does it wake us when it has executed, or with its first words. */
    platform_hush(waits ? 1u << ROLE_FAILURE | 1u << ROLE_OUTPUT : 0);
    return waits;
}

/* What follows from the last event, until nothing follows any more. */
static void settle(struct supervisor *sup)
{
    struct keeper_message message;

    if (sup->service != NULL) {
        while (link_next_queued(&sup->link, &message))
            events_on_keeper_message(sup, &message);
        on_time(sup);
        claim_look_at_guard(sup);
    }
    if (!sup->done)
        look_at_trees(sup);
    claim_look_at_guard(sup); /* a tree that is gone may have begun a guard, which may be done */
    /* Before the record says so: in it a successor would find nothing left to do. */
    if (sup->done && !sup->decided) {
        news_tell(sup);
        link_decided(&sup->link, sup->exit_code);
    }
    if (sup->done)
        (void)exec_end_all(sup);
    sup->decided = sup->done;
    publish_record_now(sup);
    link_flush(&sup->link);
    exec_sweep(sup);
    answer_tell_deaf(sup);
    control_sweep(&sup->control);
    if (child_goes_first(sup)) {
        publish_state_later(sup);
        return;
    }
    if (sup->service != NULL)
        publish_state(sup);
    news_look(sup);
    publish_reap(sup);
    link_flush(&sup->link);
    link_ring(&sup->link);
    journal_flush(&sup->journal);
    follow_pump(sup);
}

static void run(struct supervisor *sup)
{
    settle(sup);
    while (!is_finished(sup)) {
        struct platform_event event;

        if (sup->may_shrink)
            platform_trim_stack();
        sup->may_shrink = false;
        platform_wait(next_deadline(sup), &event);
        events_dispatch(sup, &event);
        settle(sup);
        if (sup->handover.waits)
            handover_give(sup);
    }
}

static int live(struct supervisor *sup, const struct supervisor_options *options)
{
    sup->options = *options;
    sup->lock = PLATFORM_NO_HANDLE;
    sup->guard.place = (struct launcher_place) {
        .name = sup->options.name,
        .state_path = sup->options.state_directory,
        .system_scope = sup->options.system_scope,
    };
    sup->guard.role = ROLE_GUARD_PROBE;
    sup->record_file = PLATFORM_NO_HANDLE;
    sup->tree_look_ms = PLATFORM_NEVER;
    sup->standby_at_ms = PLATFORM_NEVER;
    sup->child_first_ms = PLATFORM_NEVER;
    sup->handover.until_ms = PLATFORM_NEVER;
    publish_forget_asker(sup);
    start_supervisor(sup);
    if (sup->upgrade.gives_up)
        return ERR_FAILED; /* on trial: whoever was here before goes on */
    run(sup);
    if (sup->handover.has_taken)
        return handover_leave(sup);
    publish_record_now(sup);
    publish_reap(sup);
    journal_flush(&sup->journal);
    control_close(&sup->control);
    if (sup->upgrade.gives_up)
        output_leave(&sup->output);
    else
        start_clean_up(sup);
    return sup->exit_code;
}

int supervisor_run(const struct supervisor_options *options)
{
    static _Alignas(PLATFORM_PAGE_BYTES) struct supervisor the_supervisor;

    return live(&the_supervisor, options);
}
