/* Bytes -> what is read of launchctl's words, and of plists that somebody may have edited; and any
 * text that a plist can say is read back as it is. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "launchd_render.h"
#include "launchd_reply.h"
#include "xml_text.h"

#include "banned.h"

static void read_reply(const char *text)
{
    char label[32];
    char sentence[64] = "";
    struct launchd_job job;
    struct err err;
    uint64_t code;

    launchd_reply_job(text, &job);
    REQUIRE(job.pid >= 0 && (!job.is_pending || job.pid == 0));
    if (launchd_reply_label(text, 7, label, sizeof label))
        REQUIRE(strstr(text, "7\t") != NULL && strstr(text, label) != NULL);
    if (launchd_reply_is_disabled(text, "svcmgr.a"))
        REQUIRE(strstr(text, "\"svcmgr.a\" => ") != NULL);
    REQUIRE(launchd_reply_explain(5, text, "x", &err) == -1 && err.text[0] != '\0');
    if (definition_read_end(text, &code, sentence, sizeof sentence))
        REQUIRE(strstr(text, DEFINITION_END_WORDS) != NULL && strlen(sentence) < sizeof sentence);
}

static void read_plist(const char *text)
{
    char value[64];
    uint64_t number;

    (void)launchd_render_owner_of(text, text);
    if (launchd_render_string(text, "PATH", value, sizeof value))
        REQUIRE(strlen(value) < sizeof value);
    if (launchd_render_number(text, "ExitTimeOut", &number))
        REQUIRE(number <= INT32_MAX);
    (void)launchd_render_has_sockets(text);
}

static void write_and_read(const char *text)
{
    size_t size = strlen(text) + 1;
    char *again = malloc(size);
    struct buffer out = { 0 };
    struct err err;

    if (again != NULL && xml_text("a plist", "it", text, &out, &err) == 0) {
        REQUIRE(strstr(buffer_text(&out), "]]>") == NULL);
        REQUIRE(strpbrk(buffer_text(&out), "<>\r") == NULL);
        REQUIRE(xml_text_read(buffer_text(&out), again, size) && strcmp(again, text) == 0);
    }
    buffer_free(&out);
    xml_text_comment(text, &out);
    REQUIRE(strstr(buffer_text(&out), "--") == NULL);
    buffer_free(&out);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *text = fuzz_text(bytes, size);

    if (text == NULL)
        return 0;
    read_reply(text);
    read_plist(text);
    write_and_read(text);
    free(text);
    return 0;
}
