/* The table of every key: its type, its range, its default, and what it is for. */
#include <stddef.h>

#include "config_listen.h"
#include "config_read.h"

#include "banned.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define KIB    INT64_C(1024)
#define MIB    (1024 * KIB)
#define TIB    (MIB * 1024 * 1024)
#define PIB    (TIB * 1024)

#define IN_CONFIG(member)   .offset = offsetof(struct config, member)
#define IN_LISTENER(member) .offset = offsetof(struct config_raw_listener, member)
#define IN_RIVAL(launcher)  .offset = ((launcher) * sizeof(const char *))
#define LIMIT(limit)        .offset = (offsetof(struct config, limits) + (limit) * sizeof(int64_t))
#define RANGE(from, to)     .min = (from), .max = (to)
#define DURATION(member)    .type = &config_type_duration, IN_CONFIG(member)
#define COUNT(member)       .type = &config_type_count, IN_CONFIG(member)
#define WORD(member, list)  .type = &config_type_word, IN_CONFIG(member), .words = (list)

const char *const config_socket_words[CONFIG_SOCKET_COUNT + 1] = {
    [CONFIG_SOCKET_INHERIT] = "inherit",
    [CONFIG_SOCKET_SELF] = "self",
};
const char *const config_ready_words[CONFIG_READY_COUNT + 1] = {
    [CONFIG_READY_HEALTH] = "health",
    [CONFIG_READY_NOTIFY] = "notify",
    [CONFIG_READY_SPAWN] = "spawn",
};
static const char *const when_words[CONFIG_WHEN_COUNT + 1] = {
    [CONFIG_WHEN_ALWAYS] = "always",
    [CONFIG_WHEN_ON_FAILURE] = "on-failure",
    [CONFIG_WHEN_NEVER] = "never",
};
const char *const config_replace_words[CONFIG_REPLACE_COUNT + 1] = {
    [CONFIG_REPLACE_OVERLAP] = "overlap",
    [CONFIG_REPLACE_SEQUENTIAL] = "sequential",
};
const char *const config_duplicate_words[CONFIG_DUPLICATE_COUNT + 1] = {
    [CONFIG_DUPLICATE_REFUSE] = "refuse",
    [CONFIG_DUPLICATE_STANDBY] = "standby",
    [CONFIG_DUPLICATE_TAKEOVER] = "takeover",
};
static const char *const log_words[CONFIG_LOG_COUNT + 1] = {
    [CONFIG_LOG_FILE] = "file",
    [CONFIG_LOG_JOURNAL] = "journal",
    [CONFIG_LOG_EVENTLOG] = "eventlog",
    [CONFIG_LOG_INHERIT] = "inherit",
};
static const char *const stream_words[] = { "merged", "separate", NULL };

/* Rows of one object stand together, behind the object's own row. */
const struct config_field config_fields[] = {
    { "command", .type = &config_type_command, IN_CONFIG(command), .fallback = "required",
            .computed = true,
            .help = "the program and its arguments, with tokens; no shell reads it" },
    { "description", .type = &config_type_line, IN_CONFIG(description),
            .help = "one line for people" },
    { "directory", .type = &config_type_path, IN_CONFIG(directory),
            .fallback = "the user's home; / in system scope", .computed = true,
            .help = "the working directory" },
    { "umask", .type = &config_type_octal, IN_CONFIG(umask), RANGE(0, 0777), .fallback = "022",
            .help = "permissions that new files do not get" },
    { "nice", COUNT(nice), RANGE(-20, 19), .fallback = "not changed", .computed = true,
            .help = "scheduling priority; below 0 needs privileges" },
    { "environment", .type = &config_type_environment,
            .help = "variables on top of everything else, with tokens; null unsets one" },
    { "environment_file", .type = &config_type_environment_file,
            .help = "files of NAME=VALUE lines, read and never evaluated; a leading '-' makes one "
                    "optional" },
    { "user", .type = &config_type_string, IN_CONFIG(user), .min = 1,
            .help = "the account that the program runs as; system scope only" },
    { "group", .type = &config_type_string, IN_CONFIG(group), .min = 1,
            .fallback = "the user's own group", .computed = true,
            .help = "the group that the program runs as; system scope only" },

    { "limits", .type = &config_type_object, .help = "resource limits, as in getrlimit(2)" },
    { "limits.nofile", .type = &config_type_limit_count, LIMIT(CONFIG_LIMIT_NOFILE),
            RANGE(3, 1 << 30), .help = "open files" },
    { "limits.nproc", .type = &config_type_limit_count, LIMIT(CONFIG_LIMIT_NPROC),
            RANGE(1, 1 << 22), .help = "processes of the user" },
    { "limits.core", .type = &config_type_limit_size, LIMIT(CONFIG_LIMIT_CORE), RANGE(0, PIB),
            .help = "size of a core file" },
    { "limits.memory", .type = &config_type_limit_size, LIMIT(CONFIG_LIMIT_MEMORY), RANGE(MIB, PIB),
            .help = "memory of the whole tree where there is a cgroup, else address space of a "
                    "process" },
    { "limits.cpu", .type = &config_type_limit_time, LIMIT(CONFIG_LIMIT_CPU),
            RANGE(1, 365 * DAY / SECOND), .help = "processor time, in whole seconds" },
    { "limits.fsize", .type = &config_type_limit_size, LIMIT(CONFIG_LIMIT_FSIZE), RANGE(0, PIB),
            .help = "size of a file that is written" },
    { "limits.stack", .type = &config_type_limit_size, LIMIT(CONFIG_LIMIT_STACK),
            RANGE(64 * KIB, PIB), .help = "stack of the main thread" },
    { "limits.data", .type = &config_type_limit_size, LIMIT(CONFIG_LIMIT_DATA),
            RANGE(64 * KIB, PIB), .help = "data segment" },
    { "limits.memlock", .type = &config_type_limit_size, LIMIT(CONFIG_LIMIT_MEMLOCK), RANGE(0, PIB),
            .help = "memory locked into RAM" },

    { "listen", .type = &config_type_listen, .help = "where the service listens" },
    { "listen.name", .type = &config_type_string, IN_LISTENER(name), .min = 1,
            .fallback = "\"http\" for the first, then \"listener2\" and so on by position",
            .computed = true,
            .help = "what tokens and LISTEN_FDNAMES call it: a letter, then up to 31 letters, "
                    "digits, '-' and '_'" },
    { "listen.address", .type = &config_type_string, IN_LISTENER(address), .min = 1,
            .fallback = "127.0.0.1", .computed = true,
            .help = "an IP address, localhost or unix:/path; with a port behind it unless the key "
                    "port says it" },
    { "listen.port", .type = &config_type_count, IN_LISTENER(port), RANGE(0, 65535),
            .help = "0: the kernel chooses" },
    { "listen.socket", .type = &config_type_word, IN_LISTENER(socket), .words = config_socket_words,
            .fallback = "inherit if ready is notify, {fd} is used or a launcher hands the socket; "
                        "else self",
            .computed = true,
            .help = "who binds: the supervisor, which keeps the socket and passes it, or the "
                    "program itself" },
    { "listen.backlog", .type = &config_type_count, IN_LISTENER(backlog), RANGE(1, 65535),
            .fallback = "4096", .help = "connections that may wait" },
    { "listen.mode", .type = &config_type_octal, IN_LISTENER(mode), RANGE(0, 0777),
            .fallback = "0600", .help = "permissions of a Unix socket" },
    { "listen.both", .type = &config_type_flag, IN_LISTENER(both), .fallback = "false",
            .help = "localhost only: pass a socket for 127.0.0.1 and one for ::1" },
    { "listen_pid", .type = &config_type_flag, IN_CONFIG(listen_pid), .fallback = "true",
            .help = "set LISTEN_PID; false for programs behind a wrapper" },

    { "health", .type = &config_type_object,
            .help = "how to ask whether the service works: http, tcp or command" },
    { "health.http", .type = &config_type_http_path, IN_CONFIG(health_path), RANGE(1, 1024),
            .help = "path of a GET request; 2xx and 3xx are healthy" },
    { "health.tcp", .type = &config_type_true,
            .help = "a connection that a process of the service accepts is healthy" },
    { "health.command", .type = &config_type_command, IN_CONFIG(health_command),
            .help = "a program that ends with 0 when the service is healthy, with tokens" },
    { "health.interval", DURATION(health_interval_ms), RANGE(10, DAY), .fallback = "10s",
            .help = "from one check to the next once the service is ready" },
    { "health.timeout", DURATION(health_timeout_ms), RANGE(10, HOUR), .fallback = "2s",
            .help = "when a check without an answer has failed" },
    { "health.failures", COUNT(health_failures), RANGE(1, 1000), .fallback = "3",
            .help = "failed checks in a row that make the service unhealthy" },
    { "health.start_period", DURATION(health_start_period_ms), RANGE(0, DAY), .fallback = "0s",
            .help = "time after the start in which failed checks do not count" },

    { "ready", WORD(ready, config_ready_words), .fallback = "health if there is one, else spawn",
            .computed = true,
            .help = "what makes the service ready: a healthy answer, READY=1 on NOTIFY_SOCKET, or "
                    "being alive after settle" },
    { "settle", DURATION(settle_ms), RANGE(0, HOUR), .fallback = "200ms",
            .help = "how long the program must live to be ready, with \"ready\": \"spawn\"" },
    { "start_timeout", DURATION(start_timeout_ms), RANGE(10, DAY), .fallback = "30s",
            .help = "how long the service may take to be ready" },

    { "restart", .type = &config_type_object,
            .help = "what happens when the service ends by itself" },
    { "restart.when", WORD(restart_when, when_words), .fallback = "on-failure",
            .help = "which ends are followed by a restart" },
    { "restart.delay", DURATION(restart_delay_ms), RANGE(0, HOUR), .fallback = "100ms",
            .help = "wait before the first restart after a short run" },
    { "restart.max_delay", DURATION(restart_max_delay_ms), RANGE(0, DAY), .fallback = "30s",
            .help = "longest wait; at least delay" },
    { "restart.factor", .type = &config_type_factor, IN_CONFIG(restart_factor_thousandths),
            RANGE(1000, 10000), .fallback = "2", .help = "how the wait grows" },
    { "restart.burst", COUNT(restart_burst), RANGE(0, CONFIG_BURST_MAX), .fallback = "5",
            .help = "restarts after short runs before giving up; 0: never gives up" },
    { "restart.within", DURATION(restart_within_ms), RANGE(100, 30 * DAY), .fallback = "60s",
            .help = "the time in which burst counts" },
    { "restart.prevent_on", .type = &config_type_codes, RANGE(0, 255),
            .help = "exit codes that are not followed by a restart" },
    { "restart.on_unhealthy", .type = &config_type_flag, IN_CONFIG(restart_on_unhealthy),
            .fallback = "true", .help = "whether an unhealthy service is restarted" },

    { "replace", WORD(replace, config_replace_words),
            .fallback = "overlap if the socket is inherit and ready is notify, else sequential",
            .computed = true,
            .help = "how restart replaces the program: the new one is ready before the old one "
                    "stops, or one after the other" },

    { "stop", .type = &config_type_object, .help = "how the service is stopped" },
    { "stop.signal", .type = &config_type_signal, IN_CONFIG(stop_signal), .fallback = "TERM",
            .help = "the polite request" },
    { "stop.timeout", DURATION(stop_timeout_ms), RANGE(0, DAY), .fallback = "10s",
            .help = "from the polite request to SIGKILL for the whole tree" },
    { "stop.command", .type = &config_type_command, IN_CONFIG(stop_command),
            .help = "a program that is run to stop the service, with tokens" },

    { "duplicate", WORD(duplicate, config_duplicate_words), .fallback = "refuse",
            .help = "what run does when another one serves: end, wait for its turn, or ask this "
                    "state directory's own other supervisor to stop" },
    { "probe_timeout", DURATION(probe_timeout_ms), RANGE(10, 5 * MINUTE), .fallback = "2s",
            .help = "how long whoever holds the address may take to answer" },
    { "bind_timeout", DURATION(bind_timeout_ms), RANGE(0, HOUR), .fallback = "10s",
            .help = "how long to wait for an address that is held and silent" },

    { "rivals", .type = &config_type_rivals,
            .help = "other jobs that may run the same program though svcmgr did not install them" },
    { "rivals.systemd", .type = &config_type_string, IN_RIVAL(CONFIG_RIVAL_SYSTEMD), .min = 1,
            .help = "a systemd unit" },
    { "rivals.launchd", .type = &config_type_string, IN_RIVAL(CONFIG_RIVAL_LAUNCHD), .min = 1,
            .help = "a launchd label" },
    { "rivals.winsvc", .type = &config_type_string, IN_RIVAL(CONFIG_RIVAL_WINSVC), .min = 1,
            .help = "a Windows service" },

    { "watchdog", .type = &config_type_watchdog, IN_CONFIG(watchdog_ms), RANGE(100, DAY),
            .fallback = "off", .help = "the program must send WATCHDOG=1 in this period" },
    { "depends_on", .type = &config_type_names,
            .help = "services that are started, and ready, first" },

    { "logs", .type = &config_type_object, .help = "where the program's output goes" },
    { "logs.destination", WORD(log_destination, log_words), .fallback = "file",
            .help = "journal, eventlog: the system's log gets each line as well as the file; "
                    "inherit: it goes where svcmgr's own does, the default as PID 1" },
    { "logs.streams", .type = &config_type_choice, IN_CONFIG(log_separate), .words = stream_words,
            .fallback = "merged",
            .help = "merged keeps the order of both streams, separate tags each line" },
    { "logs.max_size", .type = &config_type_size, IN_CONFIG(log_max_bytes), RANGE(KIB, TIB),
            .fallback = "10MiB", .help = "size at which the log is rotated" },
    { "logs.keep", COUNT(log_keep), RANGE(0, 1000), .fallback = "5",
            .help = "rotated files that are kept" },
    { "logs.timestamps", .type = &config_type_flag, IN_CONFIG(log_timestamps), .fallback = "true",
            .help = "begin each line with the time" },
};

const size_t config_field_count = sizeof config_fields / sizeof config_fields[0];
_Static_assert(sizeof config_fields / sizeof config_fields[0] <= CONFIG_FIELDS_MAX,
        "config_reader has no room for the rows");
