/* Reading a unit file as systemd 252 does: config_parse(), extract_first_word(), specifiers and
 * variables; written from systemd.syntax(7), systemd.service(5) and systemd.unit(5). */
#ifndef SVCMGR_TEST_SYSTEMD_READ_H
#define SVCMGR_TEST_SYSTEMD_READ_H

#include "unit.h"

#define READ_WORDS_MAX 32

struct read_words {
    char list[READ_WORDS_MAX][2048];
    size_t count;
};

/* A line that ends with a backslash goes on in the next one. */
static inline size_t read_joined(const char *text, char *ret_line)
{
    size_t at = 0;
    size_t length = 0;

    for (;;) {
        size_t line = strcspn(text + at, "\n");
        size_t slashes = 0;

        while (slashes < line && text[at + line - 1 - slashes] == '\\')
            slashes++;
        memcpy(ret_line + length, text + at, line);
        length += line;
        at += line + (text[at + line] == '\n' ? 1 : 0);
        if (slashes % 2 == 0 || text[at] == '\0')
            break;
        ret_line[length - 1] = ' ';
    }
    ret_line[length] = '\0';
    return at;
}

/* The n-th value of a key in a section; NULL: none.  Static. */
static inline const char *read_value(
        const char *text, const char *section, const char *key, size_t nth)
{
    static char line[16384];
    char heading[64];
    bool inside = false;

    (void)snprintf(heading, sizeof heading, "[%s]", section);
    while (*text != '\0') {
        size_t length;
        char *value = line;

        text += read_joined(text, line);
        if (line[0] == '[')
            inside = strcmp(line, heading) == 0;
        length = strlen(key);
        if (!inside || strncmp(line, key, length) != 0 || line[length] != '=')
            continue;
        if (nth-- > 0)
            continue;
        value += length + 1;
        value += strspn(value, " \t");
        for (length = strlen(value); length > 0 && strchr(" \t", value[length - 1]) != NULL;)
            value[--length] = '\0';
        return value;
    }
    return NULL;
}

static inline unsigned read_hex(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* What a backslash stands in front of. */
static inline const char *read_escape(const char *at, bool c_style, char *ret_c)
{
    *ret_c = *at;
    if (!c_style)
        return at + 1;
    switch (*at) {
    case 'n':
        *ret_c = '\n';
        return at + 1;
    case 'x':
        *ret_c = (char)(read_hex(at[1]) * 16 + read_hex(at[2]));
        assert_int_not_equal(*ret_c, '\0');
        return at + 3;
    case '"':
    case '\\':
        return at + 1;
    default:
        fail_msg("systemd does not know \\%c", *at);
    }
    return at;
}

/* Splits at blanks, with quotes; c_style: "\n" and the like mean what they do in C. */
static inline void read_split(const char *at, bool c_style, struct read_words *ret_words)
{
    ret_words->count = 0;
    while (*(at += strspn(at, " \t")) != '\0') {
        char *word = ret_words->list[ret_words->count++];
        char quote = '\0';

        for (; *at != '\0' && (quote != '\0' || strchr(" \t", *at) == NULL);) {
            if (quote == '\0' && (*at == '"' || *at == '\''))
                quote = *at++;
            else if (quote != '\0' && *at == quote)
                quote = '\0', at++;
            else if (*at == '\\')
                at = read_escape(at + 1, c_style, word++);
            else
                *word++ = *at++;
        }
        assert_int_equal(quote, '\0');
        *word = '\0';
    }
}

/* "%%" becomes "%" (and "$$" "$"); anything else behind them would be expanded. */
static inline void read_doubled(char *text, char sign)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; from++) {
        if (*from == sign) {
            from++;
            if (*from != sign)
                fail_msg("%c%c would be expanded", sign, *from);
        }
        *to++ = *from;
    }
    *to = '\0';
}

/* The words of a command line as the program gets them, its path first. */
static inline void read_command(const char *value, struct read_words *ret_words)
{
    read_split(value, true, ret_words);
    for (size_t i = 0; i < ret_words->count; i++) {
        read_doubled(ret_words->list[i], '%');
        if (i > 0)
            read_doubled(ret_words->list[i], '$');
    }
}

static inline void read_paths(const char *value, struct read_words *ret_words)
{
    read_split(value, false, ret_words);
    for (size_t i = 0; i < ret_words->count; i++)
        read_doubled(ret_words->list[i], '%');
}

#endif
