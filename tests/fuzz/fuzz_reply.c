/* Bytes -> reply_read(): what is said of a reply is printable, and more bytes do not unsay it. */
#include <stdint.h>
#include <string.h>

#include "fuzz.h"
#include "reply.h"
#include "str.h"

#include "banned.h"

static void check_description(const char *bytes, size_t size, size_t room)
{
    char text[REPLY_TEXT_BYTES];

    reply_describe(bytes, size, text, room);
    REQUIRE(strlen(text) < room);
    REQUIRE(str_is_utf8(text, strlen(text)));
    for (const char *c = text; *c != '\0'; c++)
        REQUIRE((unsigned char)*c >= 0x20 && *c != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *text = (const char *)bytes;
    struct reply whole = reply_read(text, size);

    REQUIRE(whole.kind != REPLY_HTTP || (whole.status >= 100 && whole.status <= 999));
    REQUIRE(!reply_is_healthy(&whole) || (whole.kind == REPLY_HTTP && whole.status < 400));
    check_description(text, size, REPLY_TEXT_BYTES);
    check_description(text, size, 8);
    for (size_t length = 0; length < size && length < REPLY_MAX_BYTES; length++) {
        struct reply part = reply_read(text, length);

        /* A single byte may begin a TLS record, and is taken for one. */
        if (part.kind != REPLY_PARTIAL && (length != 1 || part.kind != REPLY_TLS))
            REQUIRE(part.kind == whole.kind && part.status == whole.status);
    }
    return 0;
}
