#include "hmac.h"

#include <bearssl.h>

#include "banned.h"

void hmac_sign(const void *key, size_t key_length, const struct hmac_piece *pieces, size_t count,
        uint8_t ret_mac[HMAC_BYTES])
{
    br_hmac_key_context prepared;
    br_hmac_context hmac;

    br_hmac_key_init(&prepared, &br_sha256_vtable, key, key_length);
    br_hmac_init(&hmac, &prepared, HMAC_BYTES);
    for (size_t i = 0; i < count; i++)
        br_hmac_update(&hmac, pieces[i].data, pieces[i].length);
    (void)br_hmac_out(&hmac, ret_mac);
}

bool hmac_equal(const uint8_t a[HMAC_BYTES], const uint8_t b[HMAC_BYTES])
{
    volatile uint8_t different = 0; /* so that no compiler leaves the loop early */

    for (size_t i = 0; i < HMAC_BYTES; i++)
        different = different | (uint8_t)(a[i] ^ b[i]);
    return different == 0;
}
