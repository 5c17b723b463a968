#include "proof.h"

#include <string.h>

#include "json.h"
#include "json_write.h"

#include "banned.h"

static const char label_of_client[] = "svcmgr client";
static const char label_of_server[] = "svcmgr server";

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool proof_from_hex(const char *text, uint8_t ret_bytes[PROOF_BYTES])
{
    uint8_t bytes[PROOF_BYTES];

    if (strlen(text) != PROOF_HEX_BYTES - 1)
        return false;
    for (size_t i = 0; i < PROOF_BYTES; i++) {
        int high = digit_value(text[2 * i]);
        int low = digit_value(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high * 16 + low);
    }
    memcpy(ret_bytes, bytes, sizeof bytes);
    return true;
}

void proof_to_hex(const uint8_t bytes[PROOF_BYTES], char ret_text[PROOF_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < PROOF_BYTES; i++) {
        ret_text[2 * i] = digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_text[PROOF_HEX_BYTES - 1] = '\0';
}

static void sign(const struct proof *proof, const char *label, uint8_t ret_proof[PROOF_BYTES])
{
    const struct hmac_piece pieces[] = {
        { label, strlen(label) },
        { proof->client_nonce, sizeof proof->client_nonce },
        { proof->server_nonce, sizeof proof->server_nonce },
    };

    hmac_sign(
            proof->token, sizeof proof->token, pieces, sizeof pieces / sizeof pieces[0], ret_proof);
}

static bool is_signed(const struct proof *proof, const char *label, const uint8_t given[])
{
    uint8_t expected[PROOF_BYTES];

    sign(proof, label, expected);
    return hmac_equal(expected, given);
}

static void write_hex(struct json_writer *writer, const char *key, const uint8_t bytes[PROOF_BYTES])
{
    char text[PROOF_HEX_BYTES];

    proof_to_hex(bytes, text);
    json_write_string(writer, key, text);
}

static void write_proof(struct json_writer *writer, const struct proof *proof, const char *label)
{
    uint8_t bytes[PROOF_BYTES];

    sign(proof, label, bytes);
    write_hex(writer, "proof", bytes);
}

static bool read_hex(const cJSON *object, const char *name, uint8_t ret_bytes[PROOF_BYTES])
{
    const cJSON *item = json_member(object, name);

    return cJSON_IsString(item) && proof_from_hex(item->valuestring, ret_bytes);
}

void proof_begin_client(struct proof *proof, const uint8_t token[PROOF_BYTES],
        const uint8_t nonce[PROOF_BYTES], struct buffer *out)
{
    struct json_writer writer = { .out = out };

    *proof = (struct proof) { .step = PROOF_AWAITS_NONCE };
    memcpy(proof->token, token, sizeof proof->token);
    memcpy(proof->client_nonce, nonce, sizeof proof->client_nonce);
    json_write_object(&writer, NULL);
    json_write_object(&writer, "hello");
    write_hex(&writer, "nonce", nonce);
    json_write_object_end(&writer);
    json_write_object_end(&writer);
    buffer_puts(out, "\n");
}

void proof_begin_server(
        struct proof *proof, const uint8_t token[PROOF_BYTES], const uint8_t nonce[PROOF_BYTES])
{
    *proof = (struct proof) { .step = PROOF_AWAITS_HELLO };
    memcpy(proof->token, token, sizeof proof->token);
    memcpy(proof->server_nonce, nonce, sizeof proof->server_nonce);
}

static enum proof_step take_hello(struct proof *proof, const cJSON *root, struct buffer *out)
{
    struct json_writer writer = { .out = out };

    if (!read_hex(json_member(root, "hello"), "nonce", proof->client_nonce))
        return PROOF_IS_REFUSED;
    json_write_object(&writer, NULL);
    write_hex(&writer, "nonce", proof->server_nonce);
    write_proof(&writer, proof, label_of_server);
    json_write_object_end(&writer);
    buffer_puts(out, "\n");
    return PROOF_AWAITS_PROOF;
}

static enum proof_step take_nonce(struct proof *proof, const cJSON *root, struct buffer *out)
{
    struct json_writer writer = { .out = out };
    uint8_t given[PROOF_BYTES];

    if (!read_hex(root, "nonce", proof->server_nonce) || !read_hex(root, "proof", given) ||
            !is_signed(proof, label_of_server, given))
        return PROOF_IS_REFUSED;
    json_write_object(&writer, NULL);
    write_proof(&writer, proof, label_of_client);
    json_write_object_end(&writer);
    buffer_puts(out, "\n");
    return PROOF_IS_DONE;
}

static enum proof_step take_proof(const struct proof *proof, const cJSON *root)
{
    uint8_t given[PROOF_BYTES];

    return read_hex(root, "proof", given) && is_signed(proof, label_of_client, given)
            ? PROOF_IS_DONE
            : PROOF_IS_REFUSED;
}

static enum proof_step take_document(struct proof *proof, const cJSON *root, struct buffer *out)
{
    switch (proof->step) {
    case PROOF_AWAITS_HELLO:
        return take_hello(proof, root, out);
    case PROOF_AWAITS_NONCE:
        return take_nonce(proof, root, out);
    case PROOF_AWAITS_PROOF:
        return take_proof(proof, root);
    case PROOF_IS_DONE:
    case PROOF_IS_REFUSED:
        break;
    }
    return PROOF_IS_REFUSED;
}

enum proof_result proof_take(
        struct proof *proof, const char *line, size_t length, struct buffer *out)
{
    struct json_document document;
    struct json_faults faults = { 0 };
    size_t before = out->length;

    if (length > PROOF_LINE_BYTES ||
            json_parse(line, length, JSON_STRICT, &document, &faults) == -1) {
        proof->step = PROOF_IS_REFUSED;
    } else {
        proof->step = take_document(proof, document.root, out);
        json_document_free(&document);
    }
    json_faults_free(&faults);
    if (out->failed)
        proof->step = PROOF_IS_REFUSED;
    if (proof->step == PROOF_IS_REFUSED)
        out->length = before;
    if (proof->step == PROOF_IS_DONE)
        return PROOF_DONE;
    return proof->step == PROOF_IS_REFUSED ? PROOF_REFUSED : PROOF_MORE;
}
