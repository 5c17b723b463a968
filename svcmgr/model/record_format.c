#include "json_write.h"
#include "record.h"
#include "str.h"

#include "banned.h"

/* Times that do not run are written as -1: JSON readers keep whole numbers up to 2^53 only. */
static int64_t time_out(int64_t ms)
{
    return ms == MACHINE_NEVER ? -1 : ms;
}

static void write_who(struct json_writer *writer, const struct identity *who)
{
    char start_time[24];

    (void)str_format(start_time, sizeof start_time, "%llu", (unsigned long long)who->start_time);
    json_write_int(writer, "pid", who->pid);
    json_write_string(writer, "start_time", start_time);
    json_write_int(writer, "pid_namespace", (int64_t)who->pid_namespace);
    json_write_string(writer, "boot_id", who->boot_id);
}

static void write_identity(struct json_writer *writer, const char *key, const struct identity *who)
{
    json_write_object(writer, key);
    write_who(writer, who);
    json_write_object_end(writer);
}

static void write_helper(struct json_writer *writer, const struct record_helper *helper)
{
    json_write_object(writer, NULL);
    write_who(writer, &helper->process);
    json_write_string(writer, "role", helper->role);
    json_write_object_end(writer);
}

static void write_generation(struct json_writer *writer, const struct record *record, int slot)
{
    const struct record_generation *generation = &record->generations[slot];
    const struct machine_generation *life = &record->machine.generations[slot];

    json_write_object(writer, NULL);
    json_write_int(writer, "phase", life->phase);
    json_write_int(writer, "number", life->number);
    json_write_int(writer, "spawned_ms", life->spawned_ms);
    json_write_int(writer, "ready_ms", life->ready_ms);
    json_write_int(writer, "deadline_ms", time_out(life->deadline_ms));
    json_write_int(writer, "kills", life->kills);
    json_write_bool(writer, "asked", life->asked);
    json_write_bool(writer, "failed", life->failed);
    json_write_bool(writer, "main_ended", life->main_ended);
    json_write_bool(writer, "stable", life->stable);
    json_write_bool(writer, "clean", life->clean);
    json_write_bool(writer, "prevented", life->prevented);
    json_write_int(writer, "exit_code", life->exit_code);
    json_write_int(writer, "end_code", life->end_code);
    write_identity(writer, "process", &generation->process);
    json_write_string(writer, "instance", generation->instance);
    json_write_string(writer, "notify_name", generation->notify_name);
    json_write_int(writer, "spawned_wall_us", generation->spawned_wall_us);
    json_write_int(writer, "ready_wall_us", generation->ready_wall_us);
    json_write_int(writer, "log_at", generation->log_at);
    json_write_object_end(writer);
}

static void write_machine(struct json_writer *writer, const struct machine *machine)
{
    char random[24];

    (void)str_format(random, sizeof random, "%llu", (unsigned long long)machine->backoff.random);
    json_write_object(writer, "machine");
    json_write_int(writer, "activity", machine->activity);
    json_write_bool(writer, "want_down", machine->want_down);
    json_write_bool(writer, "restart_asked", machine->restart_asked);
    json_write_bool(writer, "first", machine->first);
    json_write_int(writer, "last_number", machine->last_number);
    json_write_int(writer, "restarts", machine->restarts);
    json_write_int(writer, "wait_until_ms", time_out(machine->wait_until_ms));
    json_write_string(writer, "random", random);
    json_write_int(writer, "streak", machine->backoff.streak);
    json_write_list(writer, "short_runs_ms");
    for (uint32_t i = 0; i < machine->backoff.count; i++)
        json_write_int(writer, NULL, machine->backoff.times_ms[i]);
    json_write_list_end(writer);
    json_write_object_end(writer);
}

static void write_listeners(struct json_writer *writer, const struct record *record)
{
    json_write_list(writer, "listeners");
    for (size_t i = 0; i < record->listener_count; i++) {
        const struct record_listener *listener = &record->listeners[i];
        char text[ADDRESS_TEXT_BYTES];

        json_write_object(writer, NULL);
        address_format(&listener->requested, text, sizeof text);
        json_write_string(writer, "requested", text);
        address_format(&listener->bound, text, sizeof text);
        json_write_string(writer, "bound", text);
        json_write_bool(writer, "held", listener->held);
        (void)str_format(text, sizeof text, "%llu", (unsigned long long)listener->file_id);
        json_write_string(writer, "file_id", text);
        json_write_object_end(writer);
    }
    json_write_list_end(writer);
}

static void write_last_exit(struct json_writer *writer, const struct record_exit *last)
{
    if (!last->known) {
        json_write_null(writer, "last_exit");
        return;
    }
    json_write_object(writer, "last_exit");
    json_write_int(writer, "code", last->code);
    json_write_int(writer, "signal", last->by_signal);
    json_write_int(writer, "wall_us", last->wall_us);
    json_write_int(writer, "generation", last->generation);
    json_write_string(writer, "reason", last->reason);
    json_write_object_end(writer);
}

void record_format(const struct record *record, struct buffer *out)
{
    struct json_writer writer = { .out = out };

    json_write_object(&writer, NULL);
    json_write_int(&writer, "record", RECORD_VERSION);
    json_write_string(&writer, "name", record->name);
    json_write_string(&writer, "version", record->version);
    json_write_string(&writer, "launcher", record->launcher);
    json_write_string(&writer, "launcher_unit", record->launcher_unit);
    write_identity(&writer, "supervisor", &record->supervisor);
    write_identity(&writer, "keeper", &record->keeper);
    json_write_int(&writer, "started_wall_us", record->started_wall_us);
    write_machine(&writer, &record->machine);
    json_write_list(&writer, "generations");
    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++)
        write_generation(&writer, record, slot);
    json_write_list_end(&writer);
    write_listeners(&writer, record);
    write_last_exit(&writer, &record->last_exit);
    json_write_list(&writer, "helpers");
    for (size_t i = 0; i < record->helper_count; i++)
        write_helper(&writer, &record->helpers[i]);
    json_write_list_end(&writer);
    json_write_object_end(&writer);
    buffer_puts(out, "\n");
}
