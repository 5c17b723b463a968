/* Whether systemd runs us, and what it is told: systemd.exec(5), sd_notify(3). */
#include <string.h>

#include "origin.h"
#include "str.h"
#include "systemd_run.h"

#include "banned.h"

#define MESSAGE_BYTES (LAUNCHER_SENTENCE_BYTES + 160)

bool systemd_variable_is(const char *name, int64_t main_pid)
{
    const char *text = platform_environment(name);
    uint64_t pid;

    return text != NULL && str_to_uint(text, INT64_MAX, &pid) && (int64_t)pid == main_pid;
}

/* A variable alone says nothing: everything that a unit starts inherits INVOCATION_ID.  Before
 * version 248 there was no SYSTEMD_EXEC_PID; then the main process is a child of the manager. */
bool systemd_detect(int64_t main_pid, char *ret_unit, size_t size)
{
    struct platform_process_info main_process;
    char cgroups[ORIGIN_CGROUPS_BYTES];
    struct origin origin;

    if (main_pid <= 0 || platform_environment("INVOCATION_ID") == NULL)
        return false;
    platform_process_cgroups(main_pid, cgroups, sizeof cgroups);
    origin_read(cgroups, cgroups, &origin);
    if (platform_environment("SYSTEMD_EXEC_PID") != NULL) {
        if (!systemd_variable_is("SYSTEMD_EXEC_PID", main_pid))
            return false;
    } else if (origin.unit[0] == '\0' || !platform_process_info(main_pid, &main_process) ||
            !systemd_is_manager(main_process.parent)) {
        return false;
    }
    (void)str_copy(ret_unit, size, origin.unit);
    return true;
}

bool systemd_notify(const char *message, platform_handle handle)
{
    const char *name = platform_environment("NOTIFY_SOCKET");
    struct err err;

    if (name == NULL)
        return true;
    return platform_notify_send(name, message, strlen(message), handle, &err) == 0 ||
            err.kind != ERR_NO_ANSWER;
}

bool systemd_tell(enum launcher_news news, const char *sentence, int64_t wait_ms)
{
    char message[MESSAGE_BYTES];
    char wait[64] = "";
    char clock[64] = "";
    const char *word = "";

    switch (news) {
    case LAUNCHER_STATUS:
        break;
    case LAUNCHER_READY:
        word = "READY=1\n";
        break;
    case LAUNCHER_RELOADING:
        word = "RELOADING=1\n";
        (void)str_format(
                clock, sizeof clock, "MONOTONIC_USEC=%lld\n", (long long)platform_now_us());
        break;
    case LAUNCHER_STOPPING:
        word = "STOPPING=1\n";
        break;
    }
    if (wait_ms > 0)
        (void)str_format(
                wait, sizeof wait, "EXTEND_TIMEOUT_USEC=%lld\n", (long long)wait_ms * 1000);
    (void)str_format(message, sizeof message, "%s%s%sSTATUS=%s", word, clock, wait, sentence);
    return systemd_notify(message, PLATFORM_NO_HANDLE);
}

bool systemd_ping(void)
{
    return systemd_notify("WATCHDOG=1", PLATFORM_NO_HANDLE);
}

/* sd-daemon(3) has the levels; systemd.exec(5), JOURNAL_STREAM says which stream is the journal's.
 */
bool systemd_reads_levels(void)
{
    const char *stream = platform_environment("JOURNAL_STREAM");
    struct platform_file file;
    char text[64];

    if (stream == NULL || !platform_stat_handle(platform_standard_error(), &file))
        return false;
    (void)str_format(text, sizeof text, "%llu:%llu", (unsigned long long)file.device_id,
            (unsigned long long)file.file_id);
    return strcmp(text, stream) == 0;
}

int64_t systemd_watchdog_ms(int64_t main_pid)
{
    const char *text = platform_environment("WATCHDOG_USEC");
    uint64_t us;

    if (text == NULL || !str_to_uint(text, INT64_MAX, &us) ||
            (platform_environment("WATCHDOG_PID") != NULL &&
                    !systemd_variable_is("WATCHDOG_PID", main_pid)))
        return 0;
    return (int64_t)(us / 1000);
}
