#include "winsvc_task.h"

#include <string.h>

#include "str.h"
#include "winsvc_render.h"
#include "xml_text.h"

#include "banned.h"

#define DOCUMENT      "a task"
#define LOCAL_SERVICE "S-1-5-19"

/* The XML on its way. */
struct task {
    struct buffer *out;
    struct err *err;
    bool failed; /* *err says why */
};

static void put_element(struct task *task, const char *element, const char *what, const char *text)
{
    buffer_printf(task->out, "      <%s>", element);
    if (!task->failed && xml_text(DOCUMENT, what, text, task->out, task->err) == -1)
        task->failed = true;
    buffer_printf(task->out, "</%s>\n", element);
}

static void put_head(const struct definition_input *input, struct task *task)
{
    char text[DEFINITION_PATH_BYTES + 64];

    buffer_puts(task->out, "  <RegistrationInfo>\n");
    (void)str_format(text, sizeof text, "\\svcmgr\\%s", input->config->name);
    put_element(task, "URI", "its name", text);
    put_element(task, "Author", "", "svcmgr");
    (void)str_format(text, sizeof text, "Written by svcmgr for the service %s; its state is in %s",
            input->config->name, input->state_path);
    put_element(task, "Description", "the path of the state", text);
    buffer_puts(task->out, "  </RegistrationInfo>\n");
}

/* Of the machine: as LocalService, when it boots.  Of a user: when that one logs on, as themselves
 * and with no more rights. */
static void put_life(const struct definition_input *input, struct task *task)
{
    const char *trigger = input->system_scope ? "BootTrigger" : "LogonTrigger";

    buffer_printf(task->out, "  <Triggers>\n    <%s>\n", trigger);
    put_element(task, "Enabled", "", "true");
    if (!input->system_scope)
        put_element(task, "UserId", "the name of the user", input->user);
    buffer_printf(task->out, "    </%s>\n  </Triggers>\n", trigger);
    buffer_puts(task->out, "  <Principals>\n    <Principal id=\"Author\">\n");
    put_element(task, "UserId", "the name of the user",
            input->system_scope ? LOCAL_SERVICE : input->user);
    if (!input->system_scope)
        put_element(task, "LogonType", "", "InteractiveToken");
    put_element(task, "RunLevel", "", "LeastPrivilege");
    buffer_puts(task->out, "    </Principal>\n  </Principals>\n");
}

/* Each of these is another one by default: a task ends after three days, waits for mains power, and
 * runs below normal priority. */
static void put_settings(struct buffer *out)
{
    buffer_puts(out,
            "  <Settings>\n"
            "    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>\n"
            "    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>\n"
            "    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>\n"
            "    <StartWhenAvailable>true</StartWhenAvailable>\n"
            "    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>\n"
            "    <Priority>5</Priority>\n"
            "    <IdleSettings>\n"
            "      <StopOnIdleEnd>false</StopOnIdleEnd>\n"
            "      <RestartOnIdle>false</RestartOnIdle>\n"
            "    </IdleSettings>\n"
            "  </Settings>\n");
}

/* A console program that stays would have a window on the user's screen for as long: theirs starts
 * a supervisor in the background and is done. */
static int put_action(const struct definition_input *input, struct task *task)
{
    struct buffer line = { 0 };
    int result = winsvc_render_command(input, input->system_scope, &line, task->err);

    if (result == 0) {
        buffer_puts(task->out, "  <Actions Context=\"Author\">\n    <Exec>\n");
        put_element(task, "Command", "the path of svcmgr", input->executable);
        /* Behind the quoted program and a blank. */
        put_element(task, "Arguments", "a word of the command line",
                buffer_text(&line) + strlen(input->executable) + 3);
        buffer_puts(task->out, "    </Exec>\n  </Actions>\n");
    }
    buffer_free(&line);
    return result;
}

static uint32_t code_point(const char *text, size_t length)
{
    static const unsigned char first_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    uint32_t code = (unsigned char)text[0] & first_bits[length];

    for (size_t i = 1; i < length; i++)
        code = code << 6 | ((unsigned char)text[i] & 0x3f);
    return code;
}

/* schtasks reads a file, the Task Scheduler a text of 16 bits: a document that names no encoding
 * and has ASCII alone is the same in both. */
static void put_as_ascii(const char *text, struct buffer *out)
{
    size_t left = strlen(text);

    while (left > 0) {
        size_t length = str_utf8_length(text, left);

        if (length > 1)
            buffer_printf(out, "&#x%X;", (unsigned)code_point(text, length));
        else
            buffer_append(out, text, 1);
        length = length > 0 ? length : 1;
        text += length;
        left -= length;
    }
}

static int put_all(const struct definition_input *input, struct buffer *out, struct err *err)
{
    struct task task = { .out = out, .err = err };

    buffer_puts(out,
            "<?xml version=\"1.0\"?>\n"
            "<Task version=\"1.2\" "
            "xmlns=\"http://schemas.microsoft.com/windows/2004/02/mit/task\">\n");
    put_head(input, &task);
    put_life(input, &task);
    put_settings(out);
    if (put_action(input, &task) == -1 || task.failed)
        return -1;
    buffer_puts(out, "</Task>\n");
    return 0;
}

int winsvc_task_render(
        const struct definition_input *input, struct definition *ret_definition, struct err *err)
{
    char name[DEFINITION_NAME_BYTES];
    struct definition made = { .count = 0 };
    struct buffer text = { 0 };
    struct buffer *ascii;
    int result;

    if (input->config == NULL || input->with_socket)
        return err_set(err, ERR_USAGE, 0,
                input->config == NULL
                        ? "the Task Scheduler has no task for all services; install them by name"
                        : "the Task Scheduler holds no sockets; install it without --socket");
    (void)str_format(name, sizeof name, "svcmgr-%s.xml", input->config->name);
    ascii = definition_add(&made, name);
    result = put_all(input, &text, err);
    put_as_ascii(buffer_text(&text), ascii);
    if (result == 0 && (text.failed || ascii->failed))
        result = err_memory(err);
    buffer_free(&text);
    if (result == -1)
        definition_free(&made);
    else
        *ret_definition = made;
    return result;
}
