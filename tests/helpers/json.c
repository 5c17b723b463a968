#include <string.h>

#include "misbehave.h"

/* The length of the UTF-8 sequence that begins here; 0: none does.  Surrogates and what is longer
 * than it need be are none. */
static size_t sequence_length(const unsigned char *at)
{
    static const struct {
        unsigned char first_low, first_high, second_low, second_high;
        size_t length;
    } forms[] = {
        { 0xc2, 0xdf, 0x80, 0xbf, 2 },
        { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
        { 0xe1, 0xec, 0x80, 0xbf, 3 },
        { 0xed, 0xed, 0x80, 0x9f, 3 },
        { 0xee, 0xef, 0x80, 0xbf, 3 },
        { 0xf0, 0xf0, 0x90, 0xbf, 4 },
        { 0xf1, 0xf3, 0x80, 0xbf, 4 },
        { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };

    if (at[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        size_t good = 2;

        if (at[0] < forms[i].first_low || at[0] > forms[i].first_high)
            continue;
        if (at[1] < forms[i].second_low || at[1] > forms[i].second_high)
            return 0;
        while (good < forms[i].length && (at[good] & 0xc0) == 0x80)
            good++;
        return good == forms[i].length ? good : 0;
    }
    return 0;
}

void json_put_string(FILE *file, const char *text)
{
    if (text == NULL) {
        fputs("null", file);
        return;
    }
    fputc('"', file);
    while (*text != '\0') {
        unsigned char c = (unsigned char)*text;
        size_t length = sequence_length((const unsigned char *)text);

        if (length == 0) {
            fprintf(file, "\\u%04x", 0xdc00u + c);
            length = 1;
        } else if (c < ' ' || c == '"' || c == '\\') {
            fprintf(file, "\\u%04x", c);
        } else {
            fwrite(text, 1, length, file);
        }
        text += length;
    }
    fputc('"', file);
}
