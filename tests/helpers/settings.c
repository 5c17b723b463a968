#include "script.h"

#include <stdlib.h>

#define MS_MAX 3600000 /* an hour */

struct settings settings = { .output_fd = 1, .status = 200 };

void word_max_seconds(char **arguments)
{
    limit_start(script_number(arguments[0], MS_MAX / 1000) * 1000);
}

void word_status(char **arguments)
{
    settings.status = (int)script_number(arguments[0], 999);
}

void word_slow(char **arguments)
{
    settings.slow_ms = (int)script_number(arguments[0], MS_MAX);
}

void word_answers(char **arguments)
{
    settings.answers = arguments[0];
}

void word_exit_after(char **arguments)
{
    settings.exit_after = (int)script_number(arguments[0], 1000000000);
}

void word_code(char **arguments)
{
    settings.exit_code = (int)script_number(arguments[0], 255);
}

void word_for(char **arguments)
{
    limit_exit_after(script_number(arguments[0], MS_MAX), 0);
    settings.stay = true;
}

void word_exit_after_ms(char **arguments)
{
    limit_exit_after(script_number(arguments[0], MS_MAX), (int)script_number(arguments[1], 255));
    settings.stay = true;
}

void word_pids(char **arguments)
{
    settings.pids = arguments[0];
}

void word_exit(char **arguments)
{
    exit((int)script_number(arguments[0], 255));
}

void word_sleep(char **arguments)
{
    limit_sleep_us(script_number(arguments[0], MS_MAX) * 1000);
}

void word_sleep_forever(char **arguments)
{
    (void)arguments;
    limit_sleep_forever();
}
