/* Reads <state-dir>/NAME/record, for whoever wants to know of the last run. */
#ifndef SVCMGR_RECORD_FILE_H
#define SVCMGR_RECORD_FILE_H

#include "record.h"

/* Returns 0 and the record that was written last (and its number, if ret_number is not NULL), or -1
 * when there is none that can be read: that counts as none. */
int record_file_read(const char *state_directory, struct record *ret_record, uint64_t *ret_number,
        struct err *err);

#endif
