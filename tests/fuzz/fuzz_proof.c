/* Bytes -> lines, to both ends of a proof, and a marker.  Whoever does not know the token never
 * gets through, is told the server's part at most once, and a client is told nothing. */
#include <stdint.h>
#include <string.h>

#include "fuzz.h"
#include "marker.h"
#include "proof.h"

#include "banned.h"

static void check_lines(struct proof *proof, const char *text, size_t size, size_t said_max)
{
    struct buffer out = { 0 };

    while (size > 0) {
        const char *newline = memchr(text, '\n', size);
        size_t length = newline != NULL ? (size_t)(newline - text) : size;

        REQUIRE(proof_take(proof, text, length, &out) != PROOF_DONE);
        REQUIRE(!out.failed && out.length <= said_max);
        length += newline != NULL;
        text += length;
        size -= length;
    }
    buffer_free(&out);
}

static void check_marker(const char *text, size_t size)
{
    struct marker marker;
    struct marker again;
    struct buffer out = { 0 };

    if (!marker_parse(text, size, &marker))
        return;
    REQUIRE(marker.port > 0);
    marker_format(&marker, &out);
    REQUIRE(marker_parse(out.data, out.length, &again));
    REQUIRE(again.port == marker.port);
    REQUIRE(memcmp(again.token, marker.token, sizeof again.token) == 0);
    buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const uint8_t token[PROOF_BYTES] = { 0xa5, 0x5a, 0x17 };
    static const uint8_t nonce[PROOF_BYTES] = { 0x42 };
    const char *text = (const char *)bytes;
    struct buffer hello = { 0 };
    struct proof proof;

    proof_begin_server(&proof, token, nonce);
    check_lines(&proof, text, size, PROOF_LINE_BYTES);
    proof_begin_client(&proof, token, nonce, &hello);
    buffer_free(&hello);
    check_lines(&proof, text, size, 0);
    check_marker(text, size);
    return 0;
}
