/* Text -> tokens: what is escaped comes back as it was; tokens_check() and tokens_expand() refuse
 * the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "tokens.h"

#include "banned.h"

static void check_text(const char *text, const struct tokens_context *context)
{
    bool uses_fd[2] = { false };
    struct buffer escaped = { 0 };
    struct buffer out = { 0 };
    struct err err;
    size_t at = 0;
    int checked = tokens_check(text, context, uses_fd, &at, &err);

    REQUIRE(checked == 0 || text[at] == '{');
    REQUIRE(tokens_expand(text, context, &out, &err) == checked);
    REQUIRE(checked == 0 || out.length == 0);
    buffer_free(&out);

    tokens_escape(text, &escaped);
    REQUIRE(tokens_expand(buffer_text(&escaped), context, &out, &err) == 0);
    REQUIRE(strcmp(buffer_text(&out), text) == 0);
    buffer_free(&escaped);
    buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct tokens_listener listeners[2] = {
        { .name = "http", .address = address_ipv4(0x7F000001, 8787), .fd = 3 },
        { .name = "b", .address = { .family = ADDRESS_UNIX, .path = "/b" }, .fd = 4 },
    };
    struct tokens_context context = { "web", listeners, 2 };
    char *text = fuzz_text(bytes, size);

    if (text == NULL)
        return 0;
    check_text(text, &context);
    free(text);
    return 0;
}
