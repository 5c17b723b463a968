#include "report.h"

#include <stdio.h>

#include "buffer.h"
#include "cli.h"
#include "json_write.h"
#include "str.h"

#include "banned.h"

static bool wants_json;
static struct buffer values; /* separated by commas */
static size_t first_length;  /* of the first value */

void report_begin_json(void)
{
    wants_json = true;
}

void report_document(const char *text)
{
    if (!wants_json)
        return;
    if (values.length > 0)
        buffer_puts(&values, ",");
    buffer_puts(&values, text);
    while (values.length > 0 && values.data[values.length - 1] == '\n')
        values.data[--values.length] = '\0';
    if (first_length == 0)
        first_length = values.length;
}

void report_end_json(bool as_list, int code)
{
    if (!wants_json)
        return;
    if (as_list)
        (void)printf("[%s]\n", values.length > 0 ? buffer_text(&values) : "");
    else if (values.length > 0)
        (void)printf("%.*s\n", (int)first_length, buffer_text(&values));
    else
        (void)printf("{\"exit\":%d}\n", code);
    buffer_free(&values);
}

static void write_failure(const char *name, const struct err *err)
{
    struct buffer text = { 0 };
    struct json_writer writer = { .out = &text };

    json_write_object(&writer, NULL);
    if (name != NULL)
        json_write_string(&writer, "name", name);
    json_write_object(&writer, "error");
    json_write_int(&writer, "exit", err->kind);
    json_write_string(&writer, "message", err->text);
    json_write_object_end(&writer);
    json_write_object_end(&writer);
    report_document(buffer_text(&text));
    buffer_free(&text);
}

/* What is told may hold words of the command line or of others: it stays on its line. */
static void print_line(struct buffer *line)
{
    if (line->length > 0)
        str_make_printable(line->data);
    (void)fprintf(stderr, "%s\n", buffer_text(line));
    buffer_free(line);
}

int report_failure(const char *name, const char *what, const struct err *err)
{
    struct buffer line = { 0 };

    buffer_printf(&line, "svcmgr: %s%s%s%s%s", name != NULL ? name : "", name != NULL ? ": " : "",
            what != NULL ? what : "", what != NULL ? ": " : "", err->text);
    print_line(&line);
    write_failure(name, err);
    return (int)err->kind;
}

void report_faults(const char *path, struct json_faults *faults)
{
    json_faults_sort(faults);
    for (size_t i = 0; i < faults->count; i++)
        (void)fprintf(stderr, "%s:%zu:%zu: %s\n", path, faults->list[i].line,
                faults->list[i].column, faults->list[i].text);
    if (faults->dropped > 0)
        (void)fprintf(stderr, "%s: and %zu more faults\n", path, faults->dropped);
}

void cli_say(const char *name, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (name != NULL)
        (void)printf("%s: ", name);
    (void)vprintf(format, arguments);
    (void)printf("\n");
    va_end(arguments);
}

void cli_warn(const char *name, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)fprintf(stderr, "svcmgr: %s: ", name);
    (void)vfprintf(stderr, format, arguments);
    (void)fprintf(stderr, "\n");
    va_end(arguments);
}
