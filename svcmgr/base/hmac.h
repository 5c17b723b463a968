/* HMAC-SHA-256 (RFC 2104, FIPS 180-4), from BearSSL. */
#ifndef SVCMGR_HMAC_H
#define SVCMGR_HMAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HMAC_BYTES 32

/* What is signed comes in pieces, one behind the other. */
struct hmac_piece {
    const void *data;
    size_t length;
};

void hmac_sign(const void *key, size_t key_length, const struct hmac_piece *pieces, size_t count,
        uint8_t ret_mac[HMAC_BYTES]);

/* Takes the same time wherever they differ: otherwise the time would say how much of a guess was
 * right. */
bool hmac_equal(const uint8_t a[HMAC_BYTES], const uint8_t b[HMAC_BYTES]);

#endif
