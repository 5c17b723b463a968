#include "exec_params.h"

#include <string.h>

#include "protocol.h"

#include "banned.h"

#define SIZE_MAX_CELLS 65535

static int invalid(struct err *err, const char *text)
{
    err_set(err, ERR_FAILED, 0, "%s", text);
    return PROTOCOL_INVALID_PARAMS;
}

static int refused(struct err *err, const char *text)
{
    err_set(err, ERR_FAILED, 0, "%s", text);
    return PROTOCOL_INVALID_REQUEST;
}

/* A member that is there and not null. */
static const cJSON *given(const cJSON *params, const char *name)
{
    const cJSON *item = json_member(params, name);

    return item == NULL || cJSON_IsNull(item) ? NULL : item;
}

static int read_flag(const cJSON *params, const char *name, bool *ret_flag, struct err *err)
{
    const cJSON *item = given(params, name);

    if (item != NULL && !cJSON_IsBool(item)) {
        err_set(err, ERR_FAILED, 0, "%s must be true or false", name);
        return PROTOCOL_INVALID_PARAMS;
    }
    *ret_flag = cJSON_IsTrue(item);
    return 0;
}

static int read_command(const cJSON *params, struct exec_params *ret_params, struct err *err)
{
    const cJSON *command = json_member(params, "command");
    const cJSON *word;
    int count = 0;

    if (!cJSON_IsArray(command))
        return invalid(err, "command must be a list of strings");
    cJSON_ArrayForEach(word, command)
    {
        if (!cJSON_IsString(word))
            return invalid(err, "command must be a list of strings");
        count++;
    }
    if (count == 0 || command->child->valuestring[0] == '\0')
        return refused(err, "command must not be empty");
    if (count > EXEC_WORDS_MAX)
        return invalid(err, "command has too many words");
    ret_params->command = command;
    return 0;
}

static int read_cells(const cJSON *size, const char *name, uint16_t *ret_cells, struct err *err)
{
    double cells;

    if (!json_whole_number(json_member(size, name), 0, SIZE_MAX_CELLS, &cells))
        return invalid(err, "size must have rows and cols, whole numbers up to 65535");
    if (cells == 0)
        return invalid(err, "command/exec size rows and cols must be greater than 0");
    *ret_cells = (uint16_t)cells;
    return 0;
}

int exec_read_size(const cJSON *params, struct exec_size *ret_size, struct err *err)
{
    const cJSON *size = given(params, "size");
    int code;

    if (!cJSON_IsObject(size))
        return invalid(err, "size must have rows and cols, whole numbers up to 65535");
    code = read_cells(size, "rows", &ret_size->rows, err);
    return code != 0 ? code : read_cells(size, "cols", &ret_size->cols, err);
}

static int read_cap(const cJSON *params, struct exec_params *ret_params, struct err *err)
{
    const cJSON *item = given(params, "outputBytesCap");
    bool disabled;
    double cap = (double)EXEC_CAP_DEFAULT;
    int code = read_flag(params, "disableOutputCap", &disabled, err);

    if (code != 0)
        return code;
    if (item != NULL && disabled)
        return invalid(err, "command/exec cannot set both outputBytesCap and disableOutputCap");
    if (item != NULL && !json_whole_number(item, 0, 9e15, &cap))
        return invalid(err, "outputBytesCap must be a whole number of bytes");
    ret_params->cap = disabled ? SIZE_MAX : (size_t)cap;
    if (!ret_params->stream_output && ret_params->cap > EXEC_KEPT_MAX)
        ret_params->cap = EXEC_KEPT_MAX;
    return 0;
}

static int read_timeout(const cJSON *params, struct exec_params *ret_params, struct err *err)
{
    const cJSON *item = given(params, "timeoutMs");
    bool disabled;
    double timeout_ms = EXEC_TIMEOUT_DEFAULT_MS;
    int code = read_flag(params, "disableTimeout", &disabled, err);

    if (code != 0)
        return code;
    if (item != NULL && disabled)
        return invalid(err, "command/exec cannot set both timeoutMs and disableTimeout");
    if (item != NULL && !json_whole_number(item, -9e15, 9e15, &timeout_ms))
        return invalid(err, "timeoutMs must be a whole number of milliseconds");
    if (timeout_ms < 0) {
        err_set(err, ERR_FAILED, 0, "command/exec timeoutMs must be non-negative, got %.0f",
                timeout_ms);
        return PROTOCOL_INVALID_PARAMS;
    }
    if (timeout_ms > EXEC_TIMEOUT_MAX_MS)
        timeout_ms = EXEC_TIMEOUT_MAX_MS;
    ret_params->timeout_ms = disabled ? EXEC_NO_TIMEOUT : (int64_t)timeout_ms;
    return 0;
}

static int read_place(const cJSON *params, struct exec_params *ret_params, struct err *err)
{
    const cJSON *directory = given(params, "cwd");
    const cJSON *variables = given(params, "env");
    const cJSON *variable;

    if (directory != NULL && !cJSON_IsString(directory))
        return invalid(err, "cwd must be a path");
    if (variables != NULL && !cJSON_IsObject(variables))
        return invalid(err, "env must be an object of strings");
    cJSON_ArrayForEach(variable, variables)
    {
        if (!cJSON_IsString(variable) && !cJSON_IsNull(variable))
            return invalid(err, "env must be an object of strings; null unsets a variable");
        if (variable->string[0] == '\0' || strchr(variable->string, '=') != NULL)
            return invalid(err, "the name of a variable in env is empty or has a \"=\" in it");
    }
    ret_params->directory = directory != NULL ? directory->valuestring : NULL;
    ret_params->variables = variables;
    return 0;
}

static int read_id(const cJSON *item, const char **ret_id, struct err *err)
{
    if (!cJSON_IsString(item))
        return invalid(err, "processId must be a string");
    if (strlen(item->valuestring) >= EXEC_ID_BYTES)
        return invalid(err, "processId is too long");
    *ret_id = item->valuestring;
    return 0;
}

static int read_streams(const cJSON *params, struct exec_params *ret_params, struct err *err)
{
    const cJSON *id = given(params, "processId");
    int code = read_flag(params, "tty", &ret_params->tty, err);

    if (code == 0)
        code = read_flag(params, "streamStdin", &ret_params->stream_input, err);
    if (code == 0)
        code = read_flag(params, "streamStdoutStderr", &ret_params->stream_output, err);
    if (code == 0 && id != NULL)
        code = read_id(id, &ret_params->process_id, err);
    if (code != 0)
        return code;
    ret_params->stream_input = ret_params->stream_input || ret_params->tty;
    ret_params->stream_output = ret_params->stream_output || ret_params->tty;
    ret_params->size = (struct exec_size) { .rows = EXEC_ROWS, .cols = EXEC_COLS };
    if (given(params, "size") == NULL)
        return 0;
    if (!ret_params->tty)
        return invalid(err, "command/exec size requires tty: true");
    return exec_read_size(params, &ret_params->size, err);
}

int exec_params_read(const cJSON *params, struct exec_params *ret_params, struct err *err)
{
    int code;

    *ret_params = (struct exec_params) { 0 };
    code = read_command(params, ret_params, err);
    if (code == 0)
        code = read_streams(params, ret_params, err);
    if (code == 0)
        code = read_cap(params, ret_params, err);
    if (code == 0)
        code = read_timeout(params, ret_params, err);
    if (code == 0)
        code = read_place(params, ret_params, err);
    if (code != 0)
        return code;
    if (given(params, "sandboxPolicy") != NULL || given(params, "permissionProfile") != NULL)
        return refused(err, "sandboxPolicy is not supported");
    if (ret_params->process_id == NULL && (ret_params->stream_input || ret_params->stream_output))
        return refused(err, "command/exec tty or streaming requires a client-supplied processId");
    return 0;
}

int exec_read_id(const cJSON *params, const char **ret_id, struct err *err)
{
    return read_id(json_member(params, "processId"), ret_id, err);
}

int exec_read_write(const cJSON *params, const char **ret_text, bool *ret_close, struct err *err)
{
    const cJSON *delta = given(params, "deltaBase64");
    int code = read_flag(params, "closeStdin", ret_close, err);

    if (code != 0)
        return code;
    if (delta != NULL && !cJSON_IsString(delta))
        return invalid(err, "deltaBase64 must be a string");
    if (delta == NULL && !*ret_close)
        return invalid(err, "command/exec/write requires deltaBase64 or closeStdin");
    *ret_text = delta != NULL ? delta->valuestring : NULL;
    return 0;
}

size_t exec_cap(size_t cap, size_t taken, size_t length, bool *ret_reached)
{
    size_t room = cap > taken ? cap - taken : 0;

    *ret_reached = cap != SIZE_MAX && length >= room;
    return length < room ? length : room;
}
