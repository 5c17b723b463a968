#include "explain.h"

#include "str.h"

#include "banned.h"

static void explain_alive(struct guard *guard)
{
    char said[128] = "no answer";
    char url[ADDRESS_TEXT_BYTES] = "";
    char who[HOLDER_TEXT_BYTES];
    const char *path = "";

    for (size_t i = 0; i < guard->probe_count; i++) {
        const struct probe *probe = &guard->probes[i];

        if (probe->verdict != PROBE_ALIVE)
            continue;
        probe_describe(probe, said, sizeof said);
        address_format_url(&probe->address, url, sizeof url);
        holder_find(&probe->address, &guard->other);
        path = probe->path;
    }
    holder_sentence(&guard->other, who, sizeof who);
    (void)str_format(guard->other.answers, sizeof guard->other.answers, "%s%s%s", said,
            path[0] != '\0' ? " from " : "", path);
    err_set(&guard->err, ERR_DUPLICATE, 0,
            "[!!] FATAL: Another server is already responding on %s (%s): %s; stop it, or choose "
            "another address",
            url, guard->other.answers, who);
}

static void explain_taken(struct guard *guard)
{
    const struct listener *listener = &guard->listeners->list[guard->taken_listener];
    char text[ADDRESS_TEXT_BYTES];
    char who[HOLDER_TEXT_BYTES];
    const char *how = "which accepts connections and does not answer";

    address_format(&listener->tried, text, sizeof text);
    if (guard->facts.bind != DECISION_BIND_TAKEN &&
            guard->facts.bind != DECISION_BIND_BY_SUPERVISOR) {
        err_set(&guard->err, ERR_OCCUPIED, guard->bind_err.os_code, "%s", guard->bind_err.text);
        return;
    }
    holder_find(&listener->tried, &guard->other);
    holder_sentence(&guard->other, who, sizeof who);
    if (guard->facts.bind == DECISION_BIND_BY_SUPERVISOR) {
        err_set(&guard->err, ERR_DUPLICATE, 0,
                "[!!] FATAL: %s belongs to another svcmgr service: %s; stop that one, or choose "
                "another address",
                text, who);
        return;
    }
    if (!guard->other.found)
        (void)str_copy(who, sizeof who, "a process that cannot be seen from here");
    if (!guard->other.listening)
        how = guard->other.found ? "which has bound it without listening" : "which cannot be named";
    err_set(&guard->err, ERR_OCCUPIED, 0,
            "%s is held by %s, %s; waited %lld ms for it to go away; stop it, or choose another "
            "address",
            text, who, how, (long long)guard->facts.bind_waited_ms);
}

static void explain_launcher(struct guard *guard)
{
    err_set(&guard->err, ERR_DUPLICATE, 0, "%s; type %s", guard->launcher.sentence,
            guard->launcher.remedy);
    if (guard->launcher.pid > 0)
        holder_of_process(guard->launcher.pid, &guard->other);
}

static void explain_record(struct guard *guard)
{
    const struct identity *process = &guard->record->generations[MACHINE_CURRENT].process;

    err_set(&guard->err, ERR_DUPLICATE, 0,
            "an instance (pid %lld) is recorded in another pid namespace (a container?), where it "
            "can neither be seen nor stopped from here; stop it there",
            (long long)process->pid);
}

void explain_refusal(struct guard *guard)
{
    if (guard->facts.launcher > DECISION_LAUNCHER_NONE)
        explain_launcher(guard);
    else if (guard->facts.record == DECISION_RECORD_ELSEWHERE)
        explain_record(guard);
    else if (guard->facts.probe == DECISION_PROBE_ALIVE)
        explain_alive(guard);
    else
        explain_taken(guard);
    guard->err.kind = guard->decision.code;
}
