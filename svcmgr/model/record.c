#include "record.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "json_write.h"
#include "str.h"

#include "banned.h"

/* Times that do not run are written as -1: JSON readers keep whole numbers up to 2^53 only. */
static int64_t time_out(int64_t ms)
{
    return ms == MACHINE_NEVER ? -1 : ms;
}

static void write_identity(struct json_writer *writer, const char *key, const struct identity *who)
{
    char start_time[24];

    (void)str_format(start_time, sizeof start_time, "%llu", (unsigned long long)who->start_time);
    json_write_object(writer, key);
    json_write_int(writer, "pid", who->pid);
    json_write_string(writer, "start_time", start_time);
    json_write_int(writer, "pid_namespace", (int64_t)who->pid_namespace);
    json_write_string(writer, "boot_id", who->boot_id);
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

    (void)str_format(
            random, sizeof random, "%llu", (unsigned long long)machine->backoff.random);
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
        write_identity(&writer, NULL, &record->helpers[i]);
    json_write_list_end(&writer);
    json_write_object_end(&writer);
    buffer_puts(out, "\n");
}

/* Reading: the first thing that is wrong sets 'bad', and the record is refused at the end. */
struct reader {
    const char *bad;
};

static int64_t read_int(struct reader *reader, const cJSON *object, const char *key, int64_t min,
        int64_t max)
{
    double value;

    if (!json_whole_number(json_member(object, key), (double)min, (double)max, &value)) {
        reader->bad = key;
        return min;
    }
    return (int64_t)value;
}

static int64_t read_time(struct reader *reader, const cJSON *object, const char *key)
{
    int64_t ms = read_int(reader, object, key, -1, INT64_C(1) << 53);

    return ms == -1 ? MACHINE_NEVER : ms;
}

static bool read_bool(struct reader *reader, const cJSON *object, const char *key)
{
    const cJSON *item = json_member(object, key);

    if (!cJSON_IsBool(item))
        reader->bad = key;
    return cJSON_IsTrue(item);
}

static void read_text(
        struct reader *reader, const cJSON *object, const char *key, char *ret_text, size_t size)
{
    const cJSON *item = json_member(object, key);

    ret_text[0] = '\0';
    if (!cJSON_IsString(item) || !str_copy(ret_text, size, item->valuestring))
        reader->bad = key;
}

/* Free text: what was written may have grown by replacement characters; it is cut, not refused. */
static void read_sentence(
        struct reader *reader, const cJSON *object, const char *key, char *ret_text, size_t size)
{
    const cJSON *item = json_member(object, key);

    ret_text[0] = '\0';
    if (cJSON_IsString(item))
        (void)str_format(ret_text, size, "%s", item->valuestring);
    else
        reader->bad = key;
}

static uint64_t read_uint64(struct reader *reader, const cJSON *object, const char *key)
{
    char text[24];
    uint64_t value = 0;

    read_text(reader, object, key, text, sizeof text);
    if (!str_to_uint(text, UINT64_MAX, &value))
        reader->bad = key;
    return value;
}

static void read_identity(struct reader *reader, const cJSON *object, struct identity *ret_who)
{
    ret_who->pid = read_int(reader, object, "pid", 0, INT32_MAX);
    ret_who->start_time = read_uint64(reader, object, "start_time");
    ret_who->pid_namespace =
            (uint64_t)read_int(reader, object, "pid_namespace", 0, INT64_C(1) << 53);
    read_text(reader, object, "boot_id", ret_who->boot_id, sizeof ret_who->boot_id);
}

static void read_generation(
        struct reader *reader, const cJSON *object, struct record *record, int slot)
{
    struct record_generation *generation = &record->generations[slot];
    struct machine_generation *life = &record->machine.generations[slot];

    life->phase = (enum machine_phase)read_int(
            reader, object, "phase", 0, MACHINE_PHASE_COUNT - 1);
    life->number = (uint32_t)read_int(reader, object, "number", 0, UINT32_MAX);
    life->spawned_ms = read_time(reader, object, "spawned_ms");
    life->ready_ms = read_time(reader, object, "ready_ms");
    life->deadline_ms = read_time(reader, object, "deadline_ms");
    life->kills = (uint32_t)read_int(reader, object, "kills", 0, UINT32_MAX);
    life->asked = read_bool(reader, object, "asked");
    life->failed = read_bool(reader, object, "failed");
    life->main_ended = read_bool(reader, object, "main_ended");
    life->clean = read_bool(reader, object, "clean");
    life->prevented = read_bool(reader, object, "prevented");
    life->exit_code = (int)read_int(reader, object, "exit_code", -1, 255);
    life->end_code = (int)read_int(reader, object, "end_code", 0, 255);
    read_identity(reader, json_member(object, "process"), &generation->process);
    read_text(reader, object, "instance", generation->instance, sizeof generation->instance);
    read_text(reader, object, "notify_name", generation->notify_name,
            sizeof generation->notify_name);
    generation->spawned_wall_us = read_int(reader, object, "spawned_wall_us", 0, INT64_C(1) << 53);
    generation->ready_wall_us = read_int(reader, object, "ready_wall_us", 0, INT64_C(1) << 53);
    generation->log_at = read_int(reader, object, "log_at", -1, INT64_C(1) << 53);
}

static void read_machine(struct reader *reader, const cJSON *object, struct machine *machine)
{
    const cJSON *run;

    machine->activity = (enum machine_activity)read_int(
            reader, object, "activity", 0, MACHINE_ACTIVITY_COUNT - 1);
    machine->want_down = read_bool(reader, object, "want_down");
    machine->restart_asked = read_bool(reader, object, "restart_asked");
    machine->first = read_bool(reader, object, "first");
    machine->last_number = (uint32_t)read_int(reader, object, "last_number", 0, UINT32_MAX);
    machine->restarts = (uint32_t)read_int(reader, object, "restarts", 0, UINT32_MAX);
    machine->wait_until_ms = read_time(reader, object, "wait_until_ms");
    machine->backoff.random = read_uint64(reader, object, "random");
    machine->backoff.streak = (uint32_t)read_int(reader, object, "streak", 0, UINT32_MAX);
    cJSON_ArrayForEach(run, json_member(object, "short_runs_ms"))
    {
        double ms;

        if (machine->backoff.count > BACKOFF_BURST_MAX ||
                !json_whole_number(run, 0, 9007199254740992.0, &ms)) {
            reader->bad = "short_runs_ms";
            return;
        }
        machine->backoff.times_ms[machine->backoff.count++] = (int64_t)ms;
    }
}

static void read_listeners(struct reader *reader, const cJSON *list, struct record *record)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, list)
    {
        struct record_listener *listener = &record->listeners[record->listener_count];
        char text[ADDRESS_TEXT_BYTES];

        if (record->listener_count == RECORD_LISTENERS_MAX) {
            reader->bad = "listeners";
            return;
        }
        read_text(reader, item, "requested", text, sizeof text);
        if (address_parse(text, &listener->requested) != NULL)
            reader->bad = "requested";
        read_text(reader, item, "bound", text, sizeof text);
        if (address_parse(text, &listener->bound) != NULL)
            reader->bad = "bound";
        listener->held = read_bool(reader, item, "held");
        record->listener_count++;
    }
}

static void read_last_exit(struct reader *reader, const cJSON *object, struct record_exit *last)
{
    if (cJSON_IsNull(object))
        return;
    last->known = true;
    last->code = (int)read_int(reader, object, "code", -1, INT32_MAX);
    last->by_signal = (int)read_int(reader, object, "signal", 0, 255);
    last->wall_us = read_int(reader, object, "wall_us", 0, INT64_C(1) << 53);
    last->generation = (uint32_t)read_int(reader, object, "generation", 0, UINT32_MAX);
    read_sentence(reader, object, "reason", last->reason, sizeof last->reason);
}

static void read_helpers(struct reader *reader, const cJSON *list, struct record *record)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, list)
    {
        if (record->helper_count == RECORD_HELPERS_MAX) {
            reader->bad = "helpers";
            return;
        }
        read_identity(reader, item, &record->helpers[record->helper_count++]);
    }
}

static void read_root(struct reader *reader, const cJSON *root, struct record *record)
{
    const cJSON *generations = json_member(root, "generations");

    if (read_int(reader, root, "record", 0, INT32_MAX) != RECORD_VERSION)
        reader->bad = "record (the version)";
    read_text(reader, root, "name", record->name, sizeof record->name);
    read_text(reader, root, "version", record->version, sizeof record->version);
    read_text(reader, root, "launcher", record->launcher, sizeof record->launcher);
    read_sentence(
            reader, root, "launcher_unit", record->launcher_unit, sizeof record->launcher_unit);
    read_identity(reader, json_member(root, "supervisor"), &record->supervisor);
    read_identity(reader, json_member(root, "keeper"), &record->keeper);
    record->started_wall_us = read_int(reader, root, "started_wall_us", 0, INT64_C(1) << 53);
    read_machine(reader, json_member(root, "machine"), &record->machine);
    if (cJSON_GetArraySize(generations) != MACHINE_SLOT_COUNT)
        reader->bad = "generations";
    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++)
        read_generation(reader, cJSON_GetArrayItem(generations, slot), record, slot);
    read_listeners(reader, json_member(root, "listeners"), record);
    read_last_exit(reader, json_member(root, "last_exit"), &record->last_exit);
    read_helpers(reader, json_member(root, "helpers"), record);
}

int record_parse(const char *text, size_t length, struct record *ret_record, struct err *err)
{
    struct json_faults faults = { 0 };
    struct json_document document;
    struct record *record; /* on the heap: too large for the stack of a process that stays small */
    struct reader reader = { 0 };

    if (length > RECORD_MAX_BYTES)
        return err_set(err, ERR_FAILED, 0, "the record is larger than %d bytes", RECORD_MAX_BYTES);
    if (json_parse(text, length, JSON_STRICT, &document, &faults) == -1) {
        err_set(err, ERR_FAILED, 0, "the record cannot be read: %s",
                faults.count > 0 ? faults.list[0].text : "out of memory");
        json_faults_free(&faults);
        return -1;
    }
    record = calloc(1, sizeof *record);
    if (record != NULL)
        read_root(&reader, document.root, record);
    json_document_free(&document);
    if (record == NULL)
        return err_memory(err);
    if (reader.bad == NULL)
        *ret_record = *record;
    free(record);
    if (reader.bad != NULL)
        return err_set(err, ERR_FAILED, 0, "the record cannot be used: '%s' is missing or wrong",
                reader.bad);
    return 0;
}
