/* Durations and sizes as people write them: "250ms", "2s", "5m", "1h"; "64KiB", "10MiB". */
#ifndef SVCMGR_DURATION_H
#define SVCMGR_DURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for every text that the format functions make. */
#define DURATION_TEXT_BYTES 24

/* "1.5s", "250ms", "2m", "1h", "1d"; one number and one unit.  Returns false when the text is
 * anything else or does not fit in ret_ms. */
bool duration_parse(const char *text, int64_t *ret_ms);

/* A number of seconds (configuration files allow a bare number), rounded to a millisecond; false if
 * negative, not finite or too large. */
bool duration_from_seconds(double seconds, int64_t *ret_ms);

/* The shortest exact form: 1500 -> "1.5s", 60000 -> "1m", 250 -> "250ms". */
void duration_format(int64_t ms, char *ret_text, size_t size);

/* A rough form for people: "3s", "2m 5s", "4h 10m", "3d 2h". */
void duration_format_rough(int64_t ms, char *ret_text, size_t size);

/* "512", "64KiB", "10MiB", "1GiB", "1TiB"; also "KB", "MB", "GB", "TB" as powers of 1000 and "K",
 * "M", "G", "T" as powers of 1024. */
bool duration_parse_size(const char *text, uint64_t *ret_bytes);

#endif
