/* Strict JSON over cJSON, with places.
 *
 * cJSON alone lets much through: duplicate keys, trailing text, "01", invalid UTF-8, names compared
 * without case.  json_parse() checks the grammar of RFC 8259 byte by byte first, remembers where
 * every value stands, and lets cJSON build the tree from text that is known to be good. */
#ifndef SVCMGR_JSON_H
#define SVCMGR_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "err.h"

#define JSON_FAULT_TEXT_BYTES 320
#define JSON_FAULTS_MAX       100
#define JSON_DEPTH_MAX        32
#define JSON_SHOWN_BYTES      64 /* of somebody's text in a message: str_shorten() */

/* One thing wrong in a text, and where.  Line and column count from 1, columns in characters; text
 * is one line. */
struct json_fault {
    size_t line;
    size_t column;
    char text[JSON_FAULT_TEXT_BYTES];
};

/* All that is wrong, in the order of the text once json_faults_sort() ran.  After JSON_FAULTS_MAX
 * further ones are only counted.  A zeroed struct is an empty list. */
struct json_faults {
    struct json_fault *list; /* owned */
    size_t count;
    size_t dropped;
};

/* Appends a fault at the offset 'at' of text, which has length bytes. */
void json_fault_at(const char *text, size_t length, size_t at, struct json_faults *faults,
        const char *format, ...) ERR_PRINTF(5, 6);

void json_faults_sort(struct json_faults *faults);
void json_faults_free(struct json_faults *faults);

enum json_dialect {
    JSON_STRICT,       /* RFC 8259 */
    JSON_WITH_COMMENTS /* and comments, a trailing comma, a byte order mark */
};

struct json_place {
    size_t key_at;   /* offset of the key's opening quote; the value's own if it has no key */
    size_t value_at; /* offset of the value's first byte */
};

struct json_document {
    cJSON *root;
    struct json_place *places; /* one a value, in the order of the text */
    size_t place_count;
    const char *text; /* borrowed: for lines and columns */
    size_t length;
};

/* Parses text (no NUL needed).  Returns 0 and fills *ret_document (free it with
 * json_document_free), or -1 and appends what is wrong to *faults.  text must live as long as the
 * document. */
int json_parse(const char *text, size_t length, enum json_dialect dialect,
        struct json_document *ret_document, struct json_faults *faults);
void json_document_free(struct json_document *document);

/* The two halves of json_parse(), for a reader that names duplicate keys together with its own
 * faults.  json_parse_unchecked() leaves duplicate keys in the document; json_check_keys() returns
 * -1 and appends them to *faults. */
int json_parse_unchecked(const char *text, size_t length, enum json_dialect dialect,
        struct json_document *ret_document, struct json_faults *faults);
int json_check_keys(const struct json_document *document, struct json_faults *faults);

/* The member of an object by its exact name; NULL if there is none or object is not an object. */
const cJSON *json_member(const cJSON *object, const char *name);

/* Appends a fault at the value of item, or at its key. */
void json_fault_at_value(const struct json_document *document, const cJSON *item,
        struct json_faults *faults, const char *format, ...) ERR_PRINTF(4, 5);
void json_fault_at_key(const struct json_document *document, const cJSON *item,
        struct json_faults *faults, const char *format, ...) ERR_PRINTF(4, 5);

/* A whole number between min and max (at most 2^53 in size); false for anything else. */
bool json_whole_number(const cJSON *item, double min, double max, double *ret_value);

/* "a string", "a number", "null" ...: for messages. */
const char *json_type_name(const cJSON *item);

#endif
