#include "tokens.h"

#include <string.h>

#include "str.h"

#include "banned.h"

enum token_kind { TOKEN_PORT, TOKEN_ADDRESS, TOKEN_URL, TOKEN_FD, TOKEN_NAME, TOKEN_COUNT };

static const char *const token_names[] = {
    [TOKEN_PORT] = "port",
    [TOKEN_ADDRESS] = "address",
    [TOKEN_URL] = "url",
    [TOKEN_FD] = "fd",
    [TOKEN_NAME] = "name",
};
_Static_assert(sizeof token_names / sizeof token_names[0] == TOKEN_COUNT, "a token has no name");

#define WORD_BYTES     16  /* a longer word is no token */
#define LISTENER_BYTES 64  /* nor does a listener have a longer name */
#define SHOWN_BYTES    128 /* of the token as written, in messages */

struct token {
    enum token_kind kind;
    size_t listener; /* its index; not for TOKEN_NAME */
    size_t length;   /* of the text that it replaces, braces included */
};

/* How many letters follow the brace at text if '}' or ':' comes behind them, so that it must be a
 * token; else 0. */
static size_t word_length(const char *text)
{
    size_t length = 0;

    while (str_is_letter(text[1 + length]))
        length++;
    return text[1 + length] == '}' || text[1 + length] == ':' ? length : 0;
}

/* Copies a part of text; a part that is too long to be right becomes "". */
static void copy_part(char *target, size_t size, const char *text, size_t length)
{
    if (length >= size)
        length = 0;
    memcpy(target, text, length);
    target[length] = '\0';
}

/* The token as it is written, for a message. */
static void show(char *target, const char *text)
{
    const char *end = strchr(text, '}');
    char part[SHOWN_BYTES];

    copy_part(part, sizeof part, text, end == NULL ? strlen(text) : (size_t)(end - text) + 1);
    str_shorten(target, SHOWN_BYTES, part[0] == '\0' ? text : part);
}

static int fail_unknown(const char *text, const char *word, struct err *err)
{
    char shown[SHOWN_BYTES];
    const char *nearest = str_nearest(word, token_names, TOKEN_COUNT);

    show(shown, text);
    err_set(err, ERR_CONFIG, 0, "unknown token %s", shown);
    if (nearest != NULL)
        err_append(err, "; did you mean {%s}?", nearest);
    else
        err_append(err, "; there are {port}, {address}, {url}, {fd} and {name}");
    return err_append(err, " (for the text itself write {%s)", shown);
}

static int fail_listener(
        const char *text, const char *name, const struct tokens_context *context, struct err *err)
{
    char shown[SHOWN_BYTES];
    char shown_name[LISTENER_BYTES];
    const char *nearest = NULL;

    show(shown, text);
    if (context->listener_count == 0)
        return err_set(err, ERR_CONFIG, 0, "%s: the service has no \"listen\"", shown);
    for (size_t i = 0; i < context->listener_count && nearest == NULL; i++)
        nearest = str_nearest(name, &context->listeners[i].name, 1);
    str_shorten(shown_name, sizeof shown_name, name);
    err_set(err, ERR_CONFIG, 0, "%s: there is no listener \"%s\"", shown, shown_name);
    if (nearest != NULL)
        return err_append(err, "; did you mean \"%s\"?", nearest);
    return err_append(err, "; the first one is \"%s\"", context->listeners[0].name);
}

/* Finds the listener of a token; name is NULL for the first one. */
static int find_listener(const char *text, const char *name, const struct tokens_context *context,
        struct token *token, struct err *err)
{
    size_t i = 0;
    char shown[SHOWN_BYTES];

    while (name != NULL && i < context->listener_count &&
            strcmp(context->listeners[i].name, name) != 0)
        i++;
    if (i >= context->listener_count)
        return fail_listener(text, name != NULL ? name : "", context, err);
    token->listener = i;
    if (token->kind == TOKEN_PORT && context->listeners[i].address.family == ADDRESS_UNIX) {
        show(shown, text);
        return err_set(err, ERR_CONFIG, 0,
                "%s: a Unix socket has no port; use {address}, which is its path", shown);
    }
    return 0;
}

/* Reads the next part of text: returns 1 for a token; 0 for a character that stands for itself
 * (the first of a "{{" does); -1 for a mistake. */
static int read_part(const char *text, const struct tokens_context *context,
        struct token *ret_token, struct err *err)
{
    size_t length = text[0] == '{' ? word_length(text) : 0;
    char word[WORD_BYTES];
    char name[LISTENER_BYTES];
    const char *end;
    int kind = 0;

    *ret_token = (struct token) { .length = text[0] == '{' && text[1] == '{' ? 2 : 1 };
    if (length == 0)
        return 0;
    copy_part(word, sizeof word, text + 1, length);
    while (kind < TOKEN_COUNT && strcmp(token_names[kind], word) != 0)
        kind++;
    if (kind == TOKEN_COUNT)
        return fail_unknown(text, word, err);
    *ret_token = (struct token) { .kind = (enum token_kind)kind, .length = length + 2 };
    end = text + 1 + length;
    if (*end == '}' && kind == TOKEN_NAME)
        return 1;
    if (*end == '}')
        return find_listener(text, NULL, context, ret_token, err) == -1 ? -1 : 1;
    if (kind == TOKEN_NAME)
        return err_set(err, ERR_CONFIG, 0,
                "{name:: the service's name has no listener; write {name} (for the text itself "
                "write {{name:)");
    end = strchr(end, '}');
    if (end == NULL)
        return err_set(err, ERR_CONFIG, 0,
                "{%s: is never closed; write {%s} or {%s:LISTENER} (for the text itself write "
                "{{%s:)",
                word, word, word, word);
    copy_part(name, sizeof name, text + length + 2, (size_t)(end - text) - length - 2);
    ret_token->length = (size_t)(end - text) + 1;
    return find_listener(text, name, context, ret_token, err) == -1 ? -1 : 1;
}

int tokens_check(const char *text, const struct tokens_context *context, bool *ret_uses_fd,
        size_t *ret_at, struct err *err)
{
    struct token token;

    for (size_t at = 0; text[at] != '\0'; at += token.length) {
        int found = read_part(text + at, context, &token, err);

        if (found == -1) {
            *ret_at = at;
            return -1;
        }
        if (found == 1 && token.kind == TOKEN_FD)
            ret_uses_fd[token.listener] = true;
    }
    return 0;
}

static int expand_one(const struct token *token, const struct tokens_context *context,
        struct buffer *out, struct err *err)
{
    const struct tokens_listener *listener =
            token->kind == TOKEN_NAME ? NULL : &context->listeners[token->listener];
    char text[ADDRESS_TEXT_BYTES];

    switch (token->kind) {
    case TOKEN_PORT:
        buffer_printf(out, "%u", listener->address.port);
        break;
    case TOKEN_ADDRESS:
        address_format_host(&listener->address, text, sizeof text);
        buffer_puts(out, text);
        break;
    case TOKEN_URL:
        address_format_url(&listener->address, text, sizeof text);
        buffer_puts(out, text);
        break;
    case TOKEN_FD:
        if (listener->fd == -1)
            return err_set(err, ERR_CONFIG, 0,
                    "{fd}: the socket of listener \"%s\" is not passed to the program; set "
                    "\"socket\": \"inherit\"",
                    listener->name);
        buffer_printf(out, "%lld", (long long)listener->fd);
        break;
    case TOKEN_NAME:
        buffer_puts(out, context->name);
        break;
    case TOKEN_COUNT:
        break;
    }
    return 0;
}

int tokens_expand(
        const char *text, const struct tokens_context *context, struct buffer *out, struct err *err)
{
    size_t length_before = out->length;
    struct token token;

    for (; *text != '\0'; text += token.length) {
        int found = read_part(text, context, &token, err);

        if (found == 0)
            buffer_append(out, text, 1);
        if (found == -1 || (found == 1 && expand_one(&token, context, out, err) == -1)) {
            out->length = length_before;
            return -1;
        }
    }
    return 0;
}

void tokens_escape(const char *text, struct buffer *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '{' && (text[1] == '{' || word_length(text) > 0))
            buffer_puts(out, "{");
        buffer_append(out, text, 1);
    }
}
