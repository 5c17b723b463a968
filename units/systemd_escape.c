#include "systemd_escape.h"

#include <string.h>

#include "str.h"

#include "banned.h"

/* Needs no quotes anywhere. */
static bool is_plain(char c)
{
    return str_is_letter(c) || str_is_digit(c) || (c != '\0' && strchr("/._:,+@=-", c) != NULL);
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* One character in quotes; returns how many bytes it was.  Specifiers are expanded, and variables
 * replaced, after the quotes have gone: systemd.unit(5) "SPECIFIERS". */
static size_t escape_one(const char *text, struct buffer *out)
{
    size_t length = str_utf8_length(text, strlen(text));

    if (text[0] == '%' || text[0] == '$') {
        buffer_printf(out, "%c%c", text[0], text[0]);
    } else if (text[0] == '"' || text[0] == '\\') {
        buffer_printf(out, "\\%c", text[0]);
    } else if (text[0] == '\n') {
        buffer_puts(out, "\\n");
    } else if (length == 0 || is_control(text[0])) {
        buffer_printf(out, "\\x%02x", (unsigned)(unsigned char)text[0]);
    } else {
        buffer_append(out, text, length);
        return length;
    }
    return 1;
}

void systemd_escape_word(const char *text, struct buffer *out)
{
    size_t plain = 0;

    while (is_plain(text[plain]))
        plain++;
    if (plain > 0 && text[plain] == '\0') {
        buffer_puts(out, text);
        return;
    }
    buffer_puts(out, "\"");
    while (*text != '\0')
        text += escape_one(text, out);
    buffer_puts(out, "\"");
}

/* config_parse_exec() refuses quotes, backslashes and control characters there (string_is_safe());
 * and argv[0] is searched for variables while the path is not. */
bool systemd_escape_is_program(const char *path)
{
    if (path[0] != '/' || !str_is_utf8(path, strlen(path)))
        return false;
    for (; *path != '\0'; path++)
        if (is_control(*path) || strchr("\"'\\$", *path) != NULL)
            return false;
    return true;
}

static bool can_be_listed(const char *component, size_t length)
{
    if (!str_is_utf8(component, length))
        return false;
    for (size_t i = 0; i < length; i++)
        if (component[i] == '\n' || component[i] == '\r')
            return false;
    return true;
}

/* How much of a path can be said. */
static size_t length_of_listed(const char *path)
{
    size_t length = 0;

    for (const char *at = path; *at != '\0';) {
        size_t component = strcspn(at + 1, "/");

        /* It leads out of what is written before it, and where to only the file system knows. */
        if (component == 2 && at[1] == '.' && at[2] == '.')
            return 0;
        if (length == (size_t)(at - path) && can_be_listed(at + 1, component))
            length += component + 1;
        at += component + 1;
    }
    return length;
}

/* These lists know quotes, and a backslash before any character, but no "\n" and the like. */
void systemd_escape_path(const char *prefix, const char *path, struct buffer *out)
{
    size_t length = length_of_listed(path);

    buffer_printf(out, "\"%s%s", prefix, length == 0 ? "/" : "");
    for (size_t i = 0; i < length; i++) {
        if (path[i] == '"' || path[i] == '\\')
            buffer_puts(out, "\\");
        if (path[i] == '%')
            buffer_puts(out, "%");
        buffer_append(out, &path[i], 1);
    }
    buffer_puts(out, "\"");
}

void systemd_escape_text(const char *text, struct buffer *out)
{
    size_t length = strlen(text);

    /* It would join the next line to this one, and there is no way to write it otherwise. */
    while (length > 0 &&
            (text[length - 1] == '\\' || text[length - 1] == ' ' || is_control(text[length - 1])))
        length--;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '%')
            buffer_puts(out, "%");
        buffer_append(out, is_control(text[i]) ? " " : &text[i], 1);
    }
}

bool systemd_escape_is_value(const char *text)
{
    size_t length = strlen(text);

    if (length == 0 || text[0] == ' ' || text[length - 1] == ' ' || text[length - 1] == '\\' ||
            !str_is_utf8(text, length))
        return false;
    for (; *text != '\0'; text++)
        if (is_control(*text))
            return false;
    return true;
}

void systemd_escape_value(const char *text, struct buffer *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '%')
            buffer_puts(out, "%");
        buffer_append(out, text, 1);
    }
}
