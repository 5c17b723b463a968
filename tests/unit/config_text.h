/* For the tests of the configuration: texts that must be accepted. */
#ifndef SVCMGR_CONFIG_TEXT_H
#define SVCMGR_CONFIG_TEXT_H

#include "unit.h"

#include "config.h"

static inline struct config parsed(const char *text)
{
    struct config config;
    struct json_faults faults = { 0 };

    if (config_parse("web", text, strlen(text), &config, &faults) == -1)
        fail_msg("%s: %zu:%zu: %s", text, faults.list[0].line, faults.list[0].column,
                faults.list[0].text);
    assert_int_equal(faults.count, 0);
    return config;
}

/* A configuration with this text behind its command. */
static inline struct config parsed_with(const char *members)
{
    char text[2048];

    assert_true(
            snprintf(text, sizeof text, "{\"command\":[\"x\"],%s}", members) < (int)sizeof text);
    return parsed(text);
}

#endif
