/* How the two ends of a control channel over TCP prove to each other that they know the service's
 * token, without sending it.  Pure: nonces come from the caller, lines go through it.
 *
 *     client                                         server
 *     {"hello":{"nonce":C}}              ---------->
 *                                        <----------  {"nonce":S,"proof":HMAC("svcmgr server",C,S)}
 *     {"proof":HMAC("svcmgr client",C,S)} --------->
 *
 * The key is the token; nonces and proofs are 32 bytes in hexadecimal digits.  The server proves
 * itself first, so that a program that has got a dead supervisor's port learns nothing that it
 * could use elsewhere.  The labels differ, so that a proof cannot be sent back, and both nonces are
 * in it, so that one that was heard cannot be used again. */
#ifndef SVCMGR_PROOF_H
#define SVCMGR_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "hmac.h"

#define PROOF_BYTES      32 /* a token, a nonce, a proof */
#define PROOF_HEX_BYTES  (2 * PROOF_BYTES + 1)
#define PROOF_LINE_BYTES ((size_t)512) /* with its newline; a longer one is no part of a proof */
#define PROOF_LIMIT_MS   5000          /* for all of it, at both ends */

_Static_assert(PROOF_BYTES == HMAC_BYTES, "a proof is one HMAC");

enum proof_step {
    PROOF_AWAITS_HELLO, /* server */
    PROOF_AWAITS_NONCE, /* client */
    PROOF_AWAITS_PROOF, /* server */
    PROOF_IS_DONE,
    PROOF_IS_REFUSED
};

/* One end of one connection. */
struct proof {
    enum proof_step step;
    uint8_t token[PROOF_BYTES];
    uint8_t client_nonce[PROOF_BYTES];
    uint8_t server_nonce[PROOF_BYTES];
};

enum proof_result {
    PROOF_MORE,   /* another line is awaited */
    PROOF_DONE,   /* both know the token: what follows is said between them */
    PROOF_REFUSED /* it does not; nothing more may be said to it */
};

/* The nonce has to be a fresh one.  A client's first line is appended to *out. */
void proof_begin_client(struct proof *proof, const uint8_t token[PROOF_BYTES],
        const uint8_t nonce[PROOF_BYTES], struct buffer *out);
void proof_begin_server(
        struct proof *proof, const uint8_t token[PROOF_BYTES], const uint8_t nonce[PROOF_BYTES]);

/* Takes a line of the other end, without its newline, and appends what is to be sent to *out. */
enum proof_result proof_take(
        struct proof *proof, const char *line, size_t length, struct buffer *out);

/* 64 hexadecimal digits of either case, and nothing else. */
bool proof_from_hex(const char *text, uint8_t ret_bytes[PROOF_BYTES]);
void proof_to_hex(const uint8_t bytes[PROOF_BYTES], char ret_text[PROOF_HEX_BYTES]);

#endif
