#include "marker_file.h"

#include "pidfile.h"
#include "platform.h"
#include "str.h"

#include "banned.h"

int marker_file_write(const char *directory, const struct marker *marker, struct err *err)
{
    struct buffer text = { 0 };
    int result = -1;

    marker_format(marker, &text);
    if (text.failed)
        (void)err_memory(err);
    else
        result = platform_write_private(directory, MARKER_FILE_NAME, text.data, text.length, err);
    buffer_free(&text);
    return result;
}

bool marker_file_read(const char *directory, struct marker *ret_marker)
{
    char text[MARKER_MAX_BYTES];
    size_t length;
    struct err err;

    return platform_read_private(directory, MARKER_FILE_NAME, text, sizeof text, &length, &err) ==
            0 &&
            marker_parse(text, length, ret_marker);
}

bool marker_file_is_current(const char *directory, const struct marker *marker)
{
    struct marker now;

    return marker_file_read(directory, &now) && now.port == marker->port &&
            hmac_equal(now.token, marker->token) && pidfile_is_taken(directory);
}

void marker_file_remove(const char *directory, const struct marker *ours)
{
    char path[PLATFORM_PATH_BYTES];
    struct marker there;
    struct err err;

    if (ours != NULL &&
            (!marker_file_read(directory, &there) || !hmac_equal(there.token, ours->token)))
        return;
    (void)str_format(path, sizeof path, "%s/%s", directory, MARKER_FILE_NAME);
    (void)platform_remove_file(path, &err);
}
