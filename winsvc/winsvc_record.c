#include "winsvc_record.h"

#include <string.h>

#include "json.h"
#include "json_write.h"
#include "str.h"

#include "banned.h"

#define NOTE       "written by svcmgr install, which makes it be so again; removed by svcmgr uninstall"
#define NUMBER_MAX 4294967295.0

static const char *const start_words[SCM_START_COUNT] = {
    [SCM_START_DELAYED] = "automatic, delayed",
    [SCM_START_AUTOMATIC] = "automatic",
    [SCM_START_MANUAL] = "manual",
    [SCM_START_DISABLED] = "disabled",
};

/* ---- Writing --------------------------------------------------------------------------------- */

static void write_list(struct json_writer *writer, const char *key,
        const char (*list)[SCM_SHORT_BYTES], size_t count)
{
    json_write_list(writer, key);
    for (size_t i = 0; i < count; i++)
        json_write_string(writer, NULL, list[i]);
    json_write_list_end(writer);
}

static void write_recovery(struct json_writer *writer, const struct scm_service *service)
{
    json_write_object(writer, "recovery");
    json_write_list(writer, "restart_after_ms");
    for (size_t i = 0; i < service->restart_count; i++)
        json_write_int(writer, NULL, service->restart_delay_ms[i]);
    json_write_list_end(writer);
    json_write_int(writer, "reset_period_s", service->reset_s);
    json_write_bool(writer, "non_crash_failures", service->restarts_non_crash);
    json_write_object_end(writer);
}

static void write_grants(struct json_writer *writer, const struct scm_service *service)
{
    json_write_list(writer, "grants");
    for (size_t i = 0; i < service->grant_count; i++) {
        json_write_object(writer, NULL);
        json_write_string(writer, "path", service->grants[i].path);
        json_write_string(writer, "rights", service->grants[i].modify ? "modify" : "read");
        json_write_object_end(writer);
    }
    json_write_list_end(writer);
}

void winsvc_record_write(const struct scm_service *service, struct buffer *out)
{
    struct json_writer writer = { .out = out, .pretty = true };

    json_write_object(&writer, NULL);
    json_write_string(&writer, "note", service->state_path[0] != '\0' ? NOTE : "");
    json_write_string(&writer, "state", service->state_path);
    json_write_string(&writer, "name", service->name);
    json_write_string(&writer, "display_name", service->display_name);
    json_write_string(&writer, "description", service->description);
    json_write_string(&writer, "image_path", service->command_line);
    json_write_string(&writer, "account", service->account);
    json_write_string(&writer, "start", start_words[service->start]);
    json_write_string(&writer, "sid_type", service->sid_unrestricted ? "unrestricted" : "none");
    write_list(&writer, "required_privileges", service->privileges, service->privilege_count);
    write_list(&writer, "dependencies", service->dependencies, service->dependency_count);
    write_recovery(&writer, service);
    json_write_int(&writer, "preshutdown_timeout_ms", service->preshutdown_ms);
    json_write_string(&writer, "event_message_file", service->event_file);
    write_grants(&writer, service);
    json_write_object_end(&writer);
    buffer_puts(out, "\n");
}

/* ---- Reading --------------------------------------------------------------------------------- */

static bool read_text(const cJSON *object, const char *key, char *ret_text, size_t size)
{
    const cJSON *item = json_member(object, key);

    return cJSON_IsString(item) && str_copy(ret_text, size, item->valuestring);
}

static bool read_number(const cJSON *item, int64_t *ret_value)
{
    double value;

    if (item == NULL || !json_whole_number(item, 0, NUMBER_MAX, &value))
        return false;
    *ret_value = (int64_t)value;
    return true;
}

static bool read_bool(const cJSON *item, bool *ret_value)
{
    *ret_value = cJSON_IsTrue(item);
    return cJSON_IsBool(item);
}

static bool read_list(
        const cJSON *list, char (*ret_list)[SCM_SHORT_BYTES], size_t max, size_t *ret_count)
{
    const cJSON *item;

    *ret_count = 0;
    if (!cJSON_IsArray(list))
        return false;
    cJSON_ArrayForEach(item, list)
    {
        if (*ret_count == max || !cJSON_IsString(item) ||
                !str_copy(ret_list[*ret_count], SCM_SHORT_BYTES, item->valuestring))
            return false;
        (*ret_count)++;
    }
    return true;
}

static bool read_recovery(const cJSON *recovery, struct scm_service *service)
{
    const cJSON *delays = json_member(recovery, "restart_after_ms");
    const cJSON *item;

    if (!cJSON_IsArray(delays) ||
            !read_number(json_member(recovery, "reset_period_s"), &service->reset_s) ||
            !read_bool(json_member(recovery, "non_crash_failures"), &service->restarts_non_crash))
        return false;
    cJSON_ArrayForEach(item, delays)
    {
        if (service->restart_count == SCM_ACTIONS_MAX ||
                !read_number(item, &service->restart_delay_ms[service->restart_count]))
            return false;
        service->restart_count++;
    }
    return true;
}

static bool read_grants(const cJSON *list, struct scm_service *service)
{
    const cJSON *item;

    if (!cJSON_IsArray(list))
        return false;
    cJSON_ArrayForEach(item, list)
    {
        struct scm_grant *grant = &service->grants[service->grant_count];
        char rights[SCM_SHORT_BYTES];

        if (service->grant_count == SCM_GRANTS_MAX ||
                !read_text(item, "path", grant->path, sizeof grant->path) ||
                !read_text(item, "rights", rights, sizeof rights))
            return false;
        grant->modify = strcmp(rights, "modify") == 0;
        service->grant_count++;
    }
    return true;
}

static bool read_start(const cJSON *root, enum scm_start *ret_start)
{
    char word[SCM_SHORT_BYTES];

    if (!read_text(root, "start", word, sizeof word))
        return false;
    for (int i = 0; i < SCM_START_COUNT; i++) {
        if (strcmp(start_words[i], word) == 0) {
            *ret_start = (enum scm_start)i;
            return true;
        }
    }
    return false;
}

static bool read_all(const cJSON *root, struct scm_service *service)
{
    char sid[SCM_SHORT_BYTES];

    if (!read_text(root, "state", service->state_path, sizeof service->state_path) ||
            !read_text(root, "name", service->name, sizeof service->name) ||
            !read_text(root, "display_name", service->display_name, sizeof service->display_name) ||
            !read_text(root, "description", service->description, sizeof service->description) ||
            !read_text(root, "image_path", service->command_line, sizeof service->command_line) ||
            !read_text(root, "account", service->account, sizeof service->account) ||
            !read_start(root, &service->start) || !read_text(root, "sid_type", sid, sizeof sid) ||
            !read_text(root, "event_message_file", service->event_file, sizeof service->event_file))
        return false;
    service->sid_unrestricted = strcmp(sid, "unrestricted") == 0;
    return read_list(json_member(root, "required_privileges"), service->privileges,
                   SCM_PRIVILEGES_MAX, &service->privilege_count) &&
            read_list(json_member(root, "dependencies"), service->dependencies,
                    SCM_DEPENDENCIES_MAX, &service->dependency_count) &&
            read_recovery(json_member(root, "recovery"), service) &&
            read_number(json_member(root, "preshutdown_timeout_ms"), &service->preshutdown_ms) &&
            read_grants(json_member(root, "grants"), service);
}

int winsvc_record_read(const char *text, struct scm_service *ret_service, struct err *err)
{
    struct json_faults faults = { 0 };
    struct json_document document;
    struct scm_service service = { .name = "" };
    bool done = false;

    if (json_parse(text, strlen(text), JSON_STRICT, &document, &faults) == 0) {
        done = read_all(document.root, &service);
        json_document_free(&document);
    }
    json_faults_free(&faults);
    if (!done)
        return err_set(err, ERR_FAILED, 0, "this is no service record of svcmgr's");
    *ret_service = service;
    return 0;
}

/* ---- What is not told ------------------------------------------------------------------------ */

void winsvc_record_assume(struct scm_service *found, const struct scm_service *wanted)
{
    if ((found->untold & SCM_UNTOLD_DELAYED) != 0 && found->start == SCM_START_AUTOMATIC &&
            wanted->start == SCM_START_DELAYED)
        found->start = SCM_START_DELAYED;
    if ((found->untold & SCM_UNTOLD_SID) != 0)
        found->sid_unrestricted = wanted->sid_unrestricted;
    if ((found->untold & SCM_UNTOLD_PRIVILEGES) != 0) {
        memcpy(found->privileges, wanted->privileges, sizeof found->privileges);
        found->privilege_count = wanted->privilege_count;
    }
    if ((found->untold & SCM_UNTOLD_RECOVERY) != 0) {
        memcpy(found->restart_delay_ms, wanted->restart_delay_ms, sizeof found->restart_delay_ms);
        found->restart_count = wanted->restart_count;
        found->reset_s = wanted->reset_s;
    }
    if ((found->untold & SCM_UNTOLD_NON_CRASH) != 0)
        found->restarts_non_crash = wanted->restarts_non_crash;
    if ((found->untold & SCM_UNTOLD_PRESHUTDOWN) != 0)
        found->preshutdown_ms = wanted->preshutdown_ms;
    memcpy(found->grants, wanted->grants, sizeof found->grants);
    found->grant_count = wanted->grant_count;
}

void winsvc_record_untold(const struct scm_service *service, char *ret_text, size_t size)
{
    static const struct {
        enum scm_untold bit;
        const char *what;
    } rows[] = {
        { SCM_UNTOLD_DELAYED, "delayed start" },
        { SCM_UNTOLD_SID, "SID type" },
        { SCM_UNTOLD_PRIVILEGES, "required privileges" },
        { SCM_UNTOLD_RECOVERY, "recovery" },
        { SCM_UNTOLD_NON_CRASH, "non-crash failures" },
        { SCM_UNTOLD_PRESHUTDOWN, "preshutdown timeout" },
    };
    struct buffer text = { .limit = size };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if ((service->untold & rows[i].bit) != 0)
            buffer_printf(&text, "%s%s", text.length > 0 ? ", " : "", rows[i].what);
    (void)str_copy(ret_text, size, buffer_text(&text));
    buffer_free(&text);
}
