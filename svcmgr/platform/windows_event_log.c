/* The Event Log. */
#include <string.h>

#include "platform_log.h"
#include "scm.h"
#include "str.h"
#include "windows_parts.h"

#include "banned.h"

#define ENTRY_CHARS (PLATFORM_ENTRY_BYTES + 1)

static bool report(const char *source, enum platform_severity severity, const WCHAR *text)
{
    static const struct {
        WORD type;
        DWORD id; /* windows_messages.mc */
    } rows[] = {
        [PLATFORM_SEVERITY_INFORMATION] = { EVENTLOG_INFORMATION_TYPE, 0x40000001 },
        [PLATFORM_SEVERITY_WARNING] = { EVENTLOG_WARNING_TYPE, 0x80000002 },
        [PLATFORM_SEVERITY_ERROR] = { EVENTLOG_ERROR_TYPE, 0xC0000003 },
    };
    const WCHAR *strings[] = { text };
    WCHAR name[SCM_NAME_BYTES];
    HANDLE log;
    DWORD code;
    BOOL done;

    if (!windows_to_wide(source, name, SCM_NAME_BYTES))
        return false;
    log = RegisterEventSourceW(NULL, name);
    if (log == NULL)
        return false;
    done = ReportEventW(log, rows[severity].type, 0, rows[severity].id, NULL, 1, 0, strings, NULL);
    code = GetLastError();
    (void)DeregisterEventSource(log);
    SetLastError(code);
    return done;
}

void platform_event_log(const char *source, enum platform_severity severity, const char *text)
{
    WCHAR words[ERR_TEXT_BYTES];

    if (windows_to_wide(text, words, ERR_TEXT_BYTES))
        (void)report(source, severity, words);
}

/* The source of a service that is installed is its name with the SCM. */
int platform_log_entry(const struct platform_entry *entry, struct err *err)
{
    static char text[ENTRY_CHARS];
    static WCHAR wide[ENTRY_CHARS];
    char source[SCM_NAME_BYTES];

    memcpy(text, entry->text, entry->length);
    text[entry->length] = '\0';
    for (char *nul = text; (nul = memchr(nul, '\0', entry->length - (size_t)(nul - text))) != NULL;)
        *nul = ' '; /* it would end there */
    if (str_format(source, sizeof source, "svcmgr-%s", entry->service) &&
            windows_to_wide(text, wide, ENTRY_CHARS) &&
            report(source,
                    entry->priority <= 3           ? PLATFORM_SEVERITY_ERROR
                            : entry->priority == 4 ? PLATFORM_SEVERITY_WARNING
                                                   : PLATFORM_SEVERITY_INFORMATION,
                    wide))
        return 0;
    return err_set(err, ERR_FAILED, (long)GetLastError(), "the Event Log takes nothing: %s",
            platform_error_text((long)GetLastError()));
}
