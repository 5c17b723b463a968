/* systemd's journal, by its native protocol: https://systemd.io/JOURNAL_NATIVE_PROTOCOL */
#include "buffer.h"
#include "platform_log.h"

#include "banned.h"

#define JOURNAL "/run/systemd/journal/socket"

/* A field whose value may have any bytes: its length comes first, 64 bits, the lowest byte first.
 */
static void put_any(const char *key, const char *value, size_t length, struct buffer *out)
{
    uint64_t left = length;

    buffer_printf(out, "%s\n", key);
    for (int i = 0; i < 8; i++, left >>= 8) {
        char byte = (char)(left & 0xff);

        buffer_append(out, &byte, 1);
    }
    buffer_append(out, value, length);
    buffer_puts(out, "\n");
}

int platform_log_entry(const struct platform_entry *entry, struct err *err)
{
    struct buffer text = { 0 };
    struct err cause;
    int result;

    buffer_printf(&text,
            "PRIORITY=%d\nSYSLOG_IDENTIFIER=%s\nSVCMGR_NAME=%s\nSVCMGR_GENERATION=%u\n",
            entry->priority, entry->service, entry->service, entry->generation);
    if (entry->stream != NULL)
        buffer_printf(&text, "SVCMGR_STREAM=%s\n", entry->stream);
    put_any("MESSAGE", entry->text, entry->length, &text);
    if (text.failed)
        result = err_memory(err);
    else if (platform_notify_send(JOURNAL, text.data, text.length, PLATFORM_NO_HANDLE, &cause) ==
            -1)
        result = err_set(err, cause.kind, cause.os_code,
                "the journal takes nothing at " JOURNAL ": %s", platform_error_text(cause.os_code));
    else
        result = 0;
    buffer_free(&text);
    return result;
}
