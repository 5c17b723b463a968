#include "launchd_reply.h"

#include <string.h>

#include "str.h"

#include "banned.h"

#define LINE_BYTES 600

/* ---- Lines ----------------------------------------------------------------------------------- */

/* The next line, without what is in front of it; *ret_depth says how many tabs that were. */
static bool next_line(const char **text, char *ret_line, size_t size, size_t *ret_depth)
{
    size_t length = strcspn(*text, "\n");

    if (**text == '\0')
        return false;
    *ret_depth = strspn(*text, "\t");
    if (*ret_depth > length)
        *ret_depth = length;
    (void)str_format(ret_line, size, "%.*s", (int)(length - *ret_depth), *text + *ret_depth);
    *text += length + ((*text)[length] == '\n' ? 1 : 0);
    return true;
}

static const char *value_of(const char *line, const char *key)
{
    size_t length = strlen(key);

    return strncmp(line, key, length) == 0 && strncmp(line + length, " = ", 3) == 0
            ? line + length + 3
            : NULL;
}

/* Deeper ones are of its sockets and endpoints, which have a "state", too. */
void launchd_reply_job(const char *text, struct launchd_job *ret_job)
{
    char line[LAUNCHD_REPLY_PATH_BYTES + 16];
    uint64_t pid = 0;
    size_t depth;

    *ret_job = (struct launchd_job) { .pid = 0 };
    while (next_line(&text, line, sizeof line, &depth)) {
        const char *value;

        if (depth != 1)
            continue;
        if ((value = value_of(line, "state")) != NULL)
            (void)str_format(ret_job->state, sizeof ret_job->state, "%s", value);
        else if ((value = value_of(line, "pid")) != NULL)
            (void)str_to_uint(value, INT32_MAX, &pid);
        else if ((value = value_of(line, "runs")) != NULL)
            (void)str_to_uint(value, INT64_MAX, &ret_job->runs);
        else if ((value = value_of(line, "last exit code")) != NULL)
            (void)str_format(ret_job->last_exit, sizeof ret_job->last_exit, "%s", value);
        else if ((value = value_of(line, "path")) != NULL)
            (void)str_copy(ret_job->path, sizeof ret_job->path, value);
    }
    ret_job->pid = (int64_t)pid;
    ret_job->is_pending =
            pid == 0 && (strcmp(ret_job->state, "spawn scheduled") == 0 || ret_job->runs == 0);
}

/* "PID STATUS LABEL", with tabs between; "-" for no pid. */
bool launchd_reply_label(const char *text, int64_t pid, char *ret_label, size_t size)
{
    char line[LINE_BYTES];
    size_t depth;

    while (next_line(&text, line, sizeof line, &depth)) {
        char *status = strchr(line, '\t');
        char *label = status != NULL ? strchr(status + 1, '\t') : NULL;
        uint64_t found;

        if (label == NULL)
            continue;
        *status = '\0';
        if (str_to_uint(line, INT32_MAX, &found) && (int64_t)found == pid)
            return str_copy(ret_label, size, label + 1);
    }
    return false;
}

/* "LABEL" => disabled; before macOS 13: => true */
bool launchd_reply_is_disabled(const char *text, const char *label)
{
    char line[LINE_BYTES];
    char wanted[LINE_BYTES];
    size_t depth;

    (void)str_format(wanted, sizeof wanted, "\"%s\" => ", label);
    while (next_line(&text, line, sizeof line, &depth)) {
        const char *value = line + strlen(wanted);

        if (strncmp(line, wanted, strlen(wanted)) == 0)
            return strcmp(value, "disabled") == 0 || strcmp(value, "true") == 0;
    }
    return false;
}

/* ---- Complaints ------------------------------------------------------------------------------ */

static const struct {
    int code;
    enum err_kind kind;
    const char *meaning;
} rows[] = {
    { LAUNCHD_REPLY_DENIED, ERR_DENIED, "not permitted; use sudo" },
    { LAUNCHD_REPLY_IO, ERR_FAILED,
            "launchd does not take the plist, or has not let go of the job" },
    { LAUNCHD_REPLY_NO_PROCESS, ERR_FAILED, "launchd does not have the job" },
    { LAUNCHD_REPLY_IN_PROGRESS, ERR_FAILED, "launchd is still busy with the job" },
    { LAUNCHD_REPLY_ALREADY, ERR_FAILED, "launchd is still busy with the job" },
    { LAUNCHD_REPLY_NO_DOMAIN, ERR_FAILED, "launchd does not have such a session now" },
    { LAUNCHD_REPLY_NO_SERVICE, ERR_FAILED, "launchd does not have the job" },
    { LAUNCHD_REPLY_DISABLED, ERR_FAILED,
            "launchd has the job disabled; launchctl enable changes that" },
    { LAUNCHD_REPLY_NOT_HERE, ERR_FAILED,
            "this user has no session at the screen now, as over ssh" },
};

int launchd_reply_explain(int code, const char *text, const char *doing, struct err *err)
{
    char line[LINE_BYTES];
    char shown[LINE_BYTES];

    text += strspn(text, "\n");
    (void)str_format(line, sizeof line, "%.*s", (int)strcspn(text, "\n"), text);
    str_shorten(shown, sizeof shown, line);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].code == code)
            return err_set(
                    err, rows[i].kind, 0, "%s (launchctl %s: %s)", rows[i].meaning, doing, shown);
    return err_set(err, ERR_FAILED, 0, "launchctl %s failed with code %d%s%s", doing, code,
            shown[0] != '\0' ? ": " : "", shown);
}

/* ---- The end of a run ------------------------------------------------------------------------ */
