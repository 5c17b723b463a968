/* The grammar check behind json_parse(); nothing else uses it. */
#ifndef SVCMGR_JSON_SCAN_H
#define SVCMGR_JSON_SCAN_H

#include "json.h"

struct json_scan {
    const char *text; /* borrowed */
    size_t length;
    enum json_dialect dialect;
    struct json_faults *faults;
    size_t at;
    int depth;
    char *clean; /* owned: the text with comments and trailing commas blanked, NUL at its end */
    struct json_place *places; /* owned */
    size_t place_count;
    size_t place_capacity;
};

/* Returns 0 with clean and places filled, or -1 after a fault; the caller frees both either way. */
int json_scan_run(struct json_scan *scan);

void json_scan_fault(struct json_scan *scan, size_t at, const char *format, ...) ERR_PRINTF(3, 4);

#endif
