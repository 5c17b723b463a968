/* The parameters of command/exec and of the methods that go with it, read and judged. */
#ifndef SVCMGR_EXEC_PARAMS_H
#define SVCMGR_EXEC_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "json.h"

#define EXEC_TIMEOUT_DEFAULT_MS 10000
#define EXEC_TIMEOUT_MAX_MS     ((int64_t)366 * 24 * 3600 * 1000)
#define EXEC_CAP_DEFAULT        ((size_t)1024 * 1024)
/* Output that is not streamed is kept until the end: this much of each stream at most. */
#define EXEC_KEPT_MAX   ((size_t)64 * 1024 * 1024)
#define EXEC_ROWS       24
#define EXEC_COLS       80
#define EXEC_ID_BYTES   256
#define EXEC_WORDS_MAX  4096
#define EXEC_NO_TIMEOUT (-1)

/* How a command ends that did not end by itself, as env(1) and timeout(1) have it. */
#define EXEC_EXIT_TIMED_OUT    124
#define EXEC_EXIT_FAILED       125 /* svcmgr itself */
#define EXEC_EXIT_NOT_EXECUTED 126
#define EXEC_EXIT_NOT_FOUND    127
#define EXEC_EXIT_OF_SIGNAL    128 /* and the signal's number */

struct exec_size {
    uint16_t rows;
    uint16_t cols;
};

/* Everything that is a pointer is borrowed from the request. */
struct exec_params {
    const cJSON *command;   /* a list of strings, not empty */
    const char *process_id; /* NULL: none */
    bool tty;               /* then both streams are streamed */
    bool stream_input;
    bool stream_output;
    struct exec_size size;
    size_t cap;             /* of each stream; SIZE_MAX: none */
    int64_t timeout_ms;     /* EXEC_NO_TIMEOUT: none */
    const char *directory;  /* NULL: the service's */
    const cJSON *variables; /* an object of strings and nulls; NULL: none */
};

/* Returns 0, or the JSON-RPC code to answer with and *err the sentence. */
int exec_params_read(const cJSON *params, struct exec_params *ret_params, struct err *err);

/* The member processId, for write, resize and terminate. */
int exec_read_id(const cJSON *params, const char **ret_id, struct err *err);

/* The member size of command/exec/resize. */
int exec_read_size(const cJSON *params, struct exec_size *ret_size, struct err *err);

/* What command/exec/write brings: text is NULL without deltaBase64. */
int exec_read_write(const cJSON *params, const char **ret_text, bool *ret_close, struct err *err);

/* How much of a piece is still passed on, of which 'taken' bytes have been before; *ret_reached
 * says that this piece is the last one (also if the cap is met exactly). */
size_t exec_cap(size_t cap, size_t taken, size_t length, bool *ret_reached);

#endif
