/* What the machine's files share among themselves; nothing else includes it.
 *
 * The public face is machine.h: machine.c takes an event in, machine_life.c says what becomes of a
 * generation, machine_steps.c has the single steps that both are made of.  Each appends what has to
 * be done to *actions. */
#ifndef SVCMGR_MACHINE_PARTS_H
#define SVCMGR_MACHINE_PARTS_H

#include "machine.h"

static inline struct machine_generation *machine_current(struct machine *machine)
{
    return &machine->generations[MACHINE_CURRENT];
}

static inline struct machine_generation *machine_next(struct machine *machine)
{
    return &machine->generations[MACHINE_NEXT];
}

/* ---- machine_steps.c ---- */

void machine_act(struct machine_actions *actions, struct machine_action action);
void machine_act_slot(
        struct machine_actions *actions, enum machine_action_kind kind, enum machine_slot slot);
void machine_answer(struct machine_actions *actions, enum machine_action_kind kind, bool ok);
/* Answers whoever asked for a restart, if anybody did. */
void machine_answer_restart(struct machine *machine, struct machine_actions *actions, bool ok);
void machine_finish(struct machine *machine, struct machine_actions *actions, int code);
void machine_begin_guard(struct machine *machine, struct machine_actions *actions);
void machine_spawn(const struct machine_config *config, struct machine *machine,
        enum machine_slot slot, int64_t now_ms, struct machine_actions *actions);
void machine_begin_stop(const struct machine_config *config, struct machine *machine,
        enum machine_slot slot, int64_t now_ms, struct machine_actions *actions);
void machine_begin_kill(struct machine *machine, enum machine_slot slot, int64_t now_ms,
        struct machine_actions *actions);
/* The run is over, whatever its end takes: how long it was ready is known now. */
void machine_note_end(struct machine_generation *generation, int64_t now_ms);
/* A run was too short, or no run came about. */
void machine_count_failure(const struct machine_config *config, struct machine *machine,
        int64_t now_ms, struct machine_actions *actions);
/* Whether it is there for its clients: ready, or unhealthy. */
bool machine_serves(const struct machine_generation *generation);
/* A restart was asked for, and there is one generation. */
void machine_begin_restart(const struct machine_config *config, struct machine *machine,
        int64_t now_ms, struct machine_actions *actions);

/* ---- machine_life.c ---- */

void machine_main_ended(struct machine *machine, const struct machine_event *event,
        struct machine_actions *actions);
void machine_tree_gone(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions);
void machine_is_ready(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions);
void machine_is_sick(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions);
/* A stranger answers where the generation should: ours goes, the stranger is left alone. */
void machine_displaced(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions);
void machine_slot_timer(const struct machine_config *config, struct machine *machine,
        enum machine_slot slot, int64_t now_ms, struct machine_actions *actions);
/* One of two that were taken up goes; the other one serves. */
void machine_remove_generation(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions);
void machine_extend(struct machine *machine, const struct machine_event *event);

#endif
