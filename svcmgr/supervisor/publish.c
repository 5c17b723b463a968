/* Telling the world: the record on disk, and what changes, to launcher, history and clients. */
#include <string.h>

#include "str.h"
#include "supervisor.h"

#include "banned.h"

#define RECORD_USUAL_BYTES 2000 /* room that is taken at once instead of step by step */

void publish_record(struct supervisor *sup)
{
    sup->record_dirty = true;
}

static void fill_record(struct supervisor *sup)
{
    struct record *record = &sup->record;
    const struct listener_set *set = &sup->service->listeners;

    record->machine = sup->machine;
    record->keeper = sup->link.keeper;
    record->listener_count = set->count;
    for (size_t i = 0; i < set->count; i++)
        record->listeners[i] = (struct record_listener) {
            .requested = set->list[i].config.address,
            .bound = set->list[i].bound,
            .held = set->list[i].handle != PLATFORM_NO_HANDLE,
            .file_id = set->list[i].file_id,
        };
}

static int open_record(struct supervisor *sup, struct err *err)
{
    char path[PLATFORM_PATH_BYTES];

    if (sup->record_file != PLATFORM_NO_HANDLE)
        return 0;
    (void)str_format(path, sizeof path, "%s/record", sup->options.state_directory);
    /* What is there could not be read: it must not be taken for newer than what is written now. */
    if (sup->record_number == 0 && platform_remove_file(path, err) == -1)
        return -1;
    if (platform_open_state(path, &sup->record_file, err) == 0)
        return 0;
    sup->record_file = PLATFORM_NO_HANDLE;
    return -1;
}

static int write_record(struct supervisor *sup, struct err *err)
{
    struct buffer *text = &sup->record_text; /* kept: a spawn waits for this */

    fill_record(sup);
    text->length = 0;
    text->failed = false;
    (void)buffer_reserve(text, RECORD_USUAL_BYTES);
    record_format_slot(&sup->record, sup->record_number + 1, text);
    if (text->failed)
        return err_memory(err);
    if (open_record(sup, err) == -1 ||
            platform_write_at(sup->record_file, record_slot_offset(sup->record_number + 1),
                    text->data, text->length, err) == -1)
        return err_prefix(err, "%s/record", sup->options.state_directory);
    sup->record_number++;
    sup->record_dirty = false;
    return 0;
}

int publish_record_for_spawn(struct supervisor *sup, struct err *err)
{
    int result = write_record(sup, err);

    sup->record_dirty = sup->record_failed = result == -1;
    return result;
}

void publish_record_now(struct supervisor *sup)
{
    struct err err;

    if (!sup->record_dirty || !sup->may_record)
        return;
    if (write_record(sup, &err) == -1 && !sup->record_failed)
        journal_write(
                &sup->journal, &(struct journal_event) { .event = "warning", .cause = err.text });
    sup->record_failed = sup->record_dirty;
}

void publish_reap(struct supervisor *sup)
{
    for (size_t i = 0; i < sup->reap_count; i++) {
        platform_reap(sup->reap[i]);
        link_reap(&sup->link, sup->reap[i]);
    }
    sup->reap_count = 0;
}

void publish_lost_ports(struct supervisor *sup)
{
    struct listener_set *set = &sup->service->listeners;

    for (size_t i = 0; i < set->count; i++) {
        struct listener *listener = &set->list[i];
        char cause[2 * ADDRESS_TEXT_BYTES];
        char url[ADDRESS_TEXT_BYTES];

        if (listener->lost_port == 0 || listener->lost_port == listener->bound.port)
            continue;
        listener_url(listener, url, sizeof url);
        (void)str_format(cause, sizeof cause,
                "port %u could not be had again, somebody else has it; now on %s",
                listener->lost_port, url);
        listener->lost_port = 0;
        journal_write(&sup->journal, &(struct journal_event) { .event = "port", .cause = cause });
    }
}

/* ---- News ------------------------------------------------------------------------------------ */

const struct journal_asker *publish_asker(struct supervisor *sup)
{
    struct journal_asker *asker = &sup->asker;
    struct holder who = { .pid = 0 };

    /* Nor while nothing is written: a start that is on its way has no time for it. */
    if (sup->asked_by.uid < 0 || sup->journal.file == PLATFORM_NO_HANDLE)
        return NULL;
    if (asker->uid >= 0)
        return asker;
    if (sup->asked_by.pid > 0) /* else the system does not say which process it was */
        holder_of_process(sup->asked_by.pid, &who);
    else
        (void)platform_user_name((uint32_t)sup->asked_by.uid, who.user, sizeof who.user);
    *asker = (struct journal_asker) { .uid = sup->asked_by.uid, .pid = sup->asked_by.pid };
    (void)str_copy(asker->user, sizeof asker->user, who.user);
    (void)str_copy(asker->command, sizeof asker->command, who.command);
    (void)str_copy(asker->launcher, sizeof asker->launcher, who.launcher);
    return asker;
}

void publish_note_asker(struct supervisor *sup, const struct platform_peer *peer)
{
    sup->asked_by = *peer;
    sup->asker.uid = -1;
}

void publish_forget_asker(struct supervisor *sup)
{
    sup->asked_by = (struct platform_peer) { .uid = -1 };
    sup->asker.uid = -1;
}

/* Whatever was asked for has happened, or has failed. */
static bool is_at_rest(enum machine_state state)
{
    switch (state) {
    case MACHINE_STARTING:
    case MACHINE_REPLACING:
    case MACHINE_STOPPING:
        return false;
    case MACHINE_STOPPED:
    case MACHINE_STANDBY:
    case MACHINE_READY:
    case MACHINE_UNHEALTHY:
    case MACHINE_BACKOFF:
    case MACHINE_FAILED:
    case MACHINE_STATE_COUNT:
        break;
    }
    return true;
}

static void tell_state(struct supervisor *sup, enum machine_state state, const char *cause)
{
    enum machine_slot slot = publish_shown_slot(sup);
    const struct identity *process = &sup->record.generations[slot].process;

    journal_write(&sup->journal,
            &(struct journal_event) {
                    .event = "state",
                    .from = machine_state_name(sup->told_state),
                    .to = machine_state_name(state),
                    .pid = process->pid,
                    .generation = sup->machine.generations[slot].number,
                    .cause = cause,
                    .by = publish_asker(sup),
            });
    sup->told_state = state;
    if (is_at_rest(state))
        publish_forget_asker(sup);
    if (state == MACHINE_READY)
        standby_tell_others(sup);
    sup->may_shrink |= state == MACHINE_READY;
    answer_progress(sup);
}

void publish_state_later(struct supervisor *sup)
{
    enum machine_state state = machine_state(&sup->machine);

    if (sup->untold.is_set || state == sup->told_state)
        return;
    sup->untold.is_set = true;
    sup->untold.state = state;
    (void)str_copy(sup->untold.cause, sizeof sup->untold.cause, sup->cause);
    sup->cause[0] = '\0';
}

void publish_state(struct supervisor *sup)
{
    enum machine_state state = machine_state(&sup->machine);

    bool changed = sup->untold.is_set || state != sup->told_state;

    if (sup->untold.is_set)
        tell_state(sup, sup->untold.state, sup->untold.cause);
    sup->untold.is_set = false;
    if (state != sup->told_state) {
        tell_state(sup, state, sup->cause);
        sup->cause[0] = '\0';
    }
    if (changed)
        news_tell(sup);
}
