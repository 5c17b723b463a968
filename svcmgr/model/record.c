#include "record.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "str.h"

#include "banned.h"

/* Reading: the first thing that is wrong sets 'bad', and the record is refused at the end. */
struct reader {
    const char *bad;
};

static void refuse(struct reader *reader, const char *key)
{
    if (reader->bad == NULL)
        reader->bad = key;
}

static int64_t read_int(
        struct reader *reader, const cJSON *object, const char *key, int64_t min, int64_t max)
{
    double value;

    if (!json_whole_number(json_member(object, key), (double)min, (double)max, &value)) {
        refuse(reader, key);
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
        refuse(reader, key);
    return cJSON_IsTrue(item);
}

static void read_text(
        struct reader *reader, const cJSON *object, const char *key, char *ret_text, size_t size)
{
    const cJSON *item = json_member(object, key);

    ret_text[0] = '\0';
    if (!cJSON_IsString(item) || !str_copy(ret_text, size, item->valuestring))
        refuse(reader, key);
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
        refuse(reader, key);
}

static const cJSON *read_list(struct reader *reader, const cJSON *object, const char *key)
{
    const cJSON *list = json_member(object, key);

    if (cJSON_IsArray(list))
        return list;
    refuse(reader, key);
    return NULL;
}

static uint64_t read_uint64(struct reader *reader, const cJSON *object, const char *key)
{
    char text[24];
    uint64_t value = 0;

    read_text(reader, object, key, text, sizeof text);
    if (!str_to_uint(text, UINT64_MAX, &value))
        refuse(reader, key);
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

    life->phase = (enum machine_phase)read_int(reader, object, "phase", 0, MACHINE_PHASE_COUNT - 1);
    life->number = (uint32_t)read_int(reader, object, "number", 0, UINT32_MAX);
    life->spawned_ms = read_time(reader, object, "spawned_ms");
    life->ready_ms = read_time(reader, object, "ready_ms");
    life->deadline_ms = read_time(reader, object, "deadline_ms");
    life->kills = (uint32_t)read_int(reader, object, "kills", 0, UINT32_MAX);
    life->asked = read_bool(reader, object, "asked");
    life->failed = read_bool(reader, object, "failed");
    life->main_ended = read_bool(reader, object, "main_ended");
    life->stable = read_bool(reader, object, "stable");
    life->clean = read_bool(reader, object, "clean");
    life->prevented = read_bool(reader, object, "prevented");
    life->exit_code = (int)read_int(reader, object, "exit_code", -1, 255);
    life->end_code = (int)read_int(reader, object, "end_code", 0, 255);
    read_identity(reader, json_member(object, "process"), &generation->process);
    read_text(reader, object, "instance", generation->instance, sizeof generation->instance);
    read_text(
            reader, object, "notify_name", generation->notify_name, sizeof generation->notify_name);
    generation->spawned_wall_us = read_int(reader, object, "spawned_wall_us", 0, INT64_C(1) << 53);
    generation->ready_wall_us = read_int(reader, object, "ready_wall_us", 0, INT64_C(1) << 53);
    generation->log_at = read_int(reader, object, "log_at", -1, INT64_C(1) << 53);
}

static void read_machine(struct reader *reader, const cJSON *object, struct machine *machine)
{
    const cJSON *runs = read_list(reader, object, "short_runs_ms");
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
    cJSON_ArrayForEach(run, runs)
    {
        double ms;

        if (machine->backoff.count > BACKOFF_BURST_MAX ||
                !json_whole_number(run, 0, 9007199254740992.0, &ms)) {
            refuse(reader, "short_runs_ms");
            return;
        }
        machine->backoff.times_ms[machine->backoff.count++] = (int64_t)ms;
    }
}

static void read_listeners(struct reader *reader, const cJSON *root, struct record *record)
{
    const cJSON *list = read_list(reader, root, "listeners");
    const cJSON *item;

    cJSON_ArrayForEach(item, list)
    {
        struct record_listener *listener = &record->listeners[record->listener_count];
        char text[ADDRESS_TEXT_BYTES];

        if (record->listener_count == RECORD_LISTENERS_MAX) {
            refuse(reader, "listeners");
            return;
        }
        read_text(reader, item, "requested", text, sizeof text);
        if (address_parse(text, &listener->requested) != NULL)
            refuse(reader, "requested");
        read_text(reader, item, "bound", text, sizeof text);
        if (address_parse(text, &listener->bound) != NULL)
            refuse(reader, "bound");
        listener->held = read_bool(reader, item, "held");
        listener->file_id = read_uint64(reader, item, "file_id");
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

static void read_helpers(struct reader *reader, const cJSON *root, struct record *record)
{
    const cJSON *list = read_list(reader, root, "helpers");
    struct record_helper *helper;
    const cJSON *item;

    cJSON_ArrayForEach(item, list)
    {
        if (record->helper_count == RECORD_HELPERS_MAX) {
            refuse(reader, "helpers");
            return;
        }
        helper = &record->helpers[record->helper_count++];
        read_identity(reader, item, &helper->process);
        read_text(reader, item, "role", helper->role, sizeof helper->role);
    }
}

static void read_root(struct reader *reader, const cJSON *root, struct record *record)
{
    const cJSON *generations = read_list(reader, root, "generations");

    if (read_int(reader, root, "record", 0, INT32_MAX) != RECORD_VERSION)
        refuse(reader, "record (the version)");
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
        refuse(reader, "generations");
    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++)
        read_generation(reader, cJSON_GetArrayItem(generations, slot), record, slot);
    read_listeners(reader, root, record);
    read_last_exit(reader, json_member(root, "last_exit"), &record->last_exit);
    read_helpers(reader, root, record);
}

int record_parse_text(const char *text, size_t length, struct record *ret_record, struct err *err)
{
    struct json_faults faults = { 0 };
    struct json_document document;
    struct record *record; /* on the heap: too large for the stack of a process that stays small */
    struct reader reader = { 0 };

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
