#include "xml_text.h"

#include <string.h>

#include "str.h"

#include "banned.h"

#define DELETE 0x7f

/* A parser makes a line's end of a bare CR. */
static const struct {
    char plain;
    const char *written;
} references[] = {
    { '&', "&amp;" },
    { '<', "&lt;" },
    { '>', "&gt;" }, /* "]]>" has to be written so */
    { '\r', "&#13;" },
};
#define REFERENCES (sizeof references / sizeof references[0])

static const char *reference_of(char c)
{
    for (size_t i = 0; i < REFERENCES; i++)
        if (references[i].plain == c)
            return references[i].written;
    return NULL;
}

/* XML 1.0, 2.2: not U+FFFE and U+FFFF either. */
static bool is_character(const char *text, size_t length)
{
    unsigned char first = (unsigned char)*text;

    if (length == 0)
        return false;
    if (length == 1)
        return first >= ' ' || first == '\t' || first == '\n' || first == '\r';
    return memcmp(text, "\xef\xbf\xbe", 3) != 0 && memcmp(text, "\xef\xbf\xbf", 3) != 0;
}

static int refuse(
        const char *document, const char *what, const char *text, size_t at, struct err *err)
{
    unsigned char byte = (unsigned char)text[at];
    char shown[80];

    str_shorten(shown, sizeof shown, text);
    str_make_printable(shown);
    if (byte < ' ')
        return err_set(err, ERR_CONFIG, 0,
                "%s cannot say %s \"%s\": XML 1.0 has no form for the control character "
                "0x%02x at byte %zu",
                document, what, shown, byte, at + 1);
    return err_set(err, ERR_CONFIG, 0,
            "%s cannot say %s \"%s\": what begins at byte %zu is no UTF-8 that XML 1.0 has a "
            "form for",
            document, what, shown, at + 1);
}

int xml_text(const char *document, const char *what, const char *text, struct buffer *out,
        struct err *err)
{
    size_t left = strlen(text);

    for (const char *at = text; left > 0;) {
        size_t length = str_utf8_length(at, left);
        const char *reference = reference_of(*at);

        if (!is_character(at, length))
            return refuse(document, what, text, (size_t)(at - text), err);
        if (reference != NULL)
            buffer_puts(out, reference);
        else
            buffer_append(out, at, length);
        at += length;
        left -= length;
    }
    return 0;
}

bool xml_text_read(const char *xml, char *ret_text, size_t size)
{
    size_t length = 0;

    while (*xml != '<' && *xml != '\0') {
        char c = *xml++;

        if (c == '&') {
            size_t i = 0;

            while (i < REFERENCES &&
                    strncmp(xml, references[i].written + 1, strlen(references[i].written) - 1) != 0)
                i++;
            if (i == REFERENCES)
                return false;
            c = references[i].plain;
            xml += strlen(references[i].written) - 1;
        }
        if (length + 1 >= size)
            return false;
        ret_text[length++] = c;
    }
    ret_text[length] = '\0';
    return true;
}

void xml_text_comment(const char *text, struct buffer *out)
{
    char before = '\0';

    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte < ' ' || byte == DELETE || byte == '%' || (byte == '-' && before == '-'))
            buffer_printf(out, "%%%02X", byte);
        else
            buffer_append(out, text, 1);
        before = *text;
    }
}
