/* A restart with another configuration: what it adds to the addresses is guarded while the instance
 * goes on, and refuses the restart.
 *
 * What overlaps an address that the service has now (another kind of socket, a wildcard in place of
 * an address) cannot be had before the instance has ended: only that no stranger is there too can
 * be seen before. */
#include "listening.h"
#include "str.h"
#include "supervisor.h"

#include "banned.h"

bool change_is_looked_at(const struct supervisor *sup)
{
    return sup->next_service != NULL && sup->guard.config == &sup->next_service->config;
}

static void give_up(struct supervisor *sup)
{
    struct service *service = sup->next_service;

    sup->next_service = NULL;
    listener_free(&sup->added);
    service_free(service);
    answer_waiting(sup, CLIENT_WAIT_RESTART, false);
}

void change_give_up(struct supervisor *sup)
{
    if (sup->next_service == NULL)
        return;
    if (change_is_looked_at(sup))
        guard_cancel(&sup->guard);
    give_up(sup);
}

/* Two generations can only run beside each other on sockets that are there already. */
static bool has_all_sockets(const struct listener_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->list[i].handle == PLATFORM_NO_HANDLE)
            return false;
    return true;
}

static void restart_with(struct supervisor *sup, struct service *service)
{
    sup->next_service = NULL;
    listener_take_over(&service->listeners, &sup->added);
    listener_free(&sup->added);
    claim_use_service(sup, service);
    service->machine.overlap = service->config.replace == CONFIG_REPLACE_OVERLAP &&
            has_all_sockets(&service->listeners);
    adoption_save_config(sup);
    claim_hold_listeners(sup);
    supervisor_feed(sup, (struct machine_event) { .kind = MACHINE_EVENT_ASK_RESTART });
}

void change_is_guarded(struct supervisor *sup)
{
    if (sup->guard.decision.kind == DECISION_START) {
        restart_with(sup, sup->next_service);
    } else {
        sup->failure = sup->guard.err;
        give_up(sup);
    }
}

static bool is_asked_already(const struct listener_set *set, const struct listener *wanted)
{
    for (size_t i = 0; i < set->count; i++)
        if (config_same_listener(&set->list[i].config, &wanted->config))
            return true;
    return false;
}

static bool overlap(const struct listener *a, const struct listener *b)
{
    struct address ones[LISTENER_ADDRESSES_MAX];
    struct address others[LISTENER_ADDRESSES_MAX];
    size_t one_count = listener_addresses(a, ones);
    size_t other_count = listener_addresses(b, others);

    for (size_t i = 0; i < one_count; i++)
        for (size_t j = 0; j < other_count; j++)
            if (address_overlap(&ones[i], &others[j]))
                return true;
    return false;
}

static bool overlaps_ours(const struct listener_set *ours, const struct listener *wanted)
{
    for (size_t i = 0; i < ours->count; i++)
        if (overlap(&ours->list[i], wanted))
            return true;
    return false;
}

static bool is_ours(const struct listener_set *ours, const struct address *found)
{
    struct address addresses[LISTENER_ADDRESSES_MAX];

    for (size_t i = 0; i < ours->count; i++)
        for (size_t j = listener_addresses(&ours->list[i], addresses); j > 0; j--)
            if (address_overlap(&addresses[j - 1], found))
                return true;
    return false;
}

/* Somebody else on an address that we have a part of now: it would stop the service for good. */
static int check_beside(
        const struct listener_set *ours, const struct listener *wanted, struct err *err)
{
    struct address addresses[LISTENER_ADDRESSES_MAX];

    for (size_t i = listener_addresses(wanted, addresses); i > 0; i--) {
        struct platform_listener found[PLATFORM_LISTENERS_MAX];
        int count = listening_near(&addresses[i - 1], found, PLATFORM_LISTENERS_MAX);

        for (int j = 0; j < count; j++) {
            char text[ADDRESS_TEXT_BYTES];
            char who[HOLDER_TEXT_BYTES];
            struct holder holder;

            if (!found[j].listening || is_ours(ours, &found[j].address) ||
                    !listening_conflicts(&found[j], &addresses[i - 1]))
                continue;
            holder_find(&found[j].address, &holder);
            holder_sentence(&holder, who, sizeof who);
            address_format(&found[j].address, text, sizeof text);
            return err_set(err, ERR_OCCUPIED, 0,
                    "%s is held by %s; stop it, or choose another address", text, who);
        }
    }
    return 0;
}

/* Finds out what sup->next_service adds; -1: it cannot be had. */
static int find_added(struct supervisor *sup, struct err *err)
{
    const struct listener_set *ours = &sup->service->listeners;
    const struct listener_set *wanted = &sup->next_service->listeners;

    if (listener_init(&sup->added, &sup->next_service->config, err) == -1)
        return -1;
    sup->added.count = 0;
    if (sup->machine.activity != MACHINE_RUNS)
        return 0;
    for (size_t i = 0; i < wanted->count; i++) {
        if (is_asked_already(ours, &wanted->list[i]))
            continue;
        if (!overlaps_ours(ours, &wanted->list[i]))
            sup->added.list[sup->added.count++] = wanted->list[i];
        else if (check_beside(ours, &wanted->list[i], err) == -1)
            return -1;
    }
    return 0;
}

static void begin(struct supervisor *sup)
{
    struct err err;

    if (find_added(sup, &err) == -1) {
        sup->failure = err;
        give_up(sup);
    } else if (sup->added.count > 0) {
        given_fill(sup, &sup->added);
        guard_begin(&sup->guard, &sup->next_service->config, &sup->added, NULL,
                false); /* claim_look_at_guard() goes on */
    } else {
        restart_with(sup, sup->next_service);
    }
}

void change_begin(struct supervisor *sup, struct service *service)
{
    sup->next_service = service;
    begin(sup);
}

void change_begin_again(struct supervisor *sup)
{
    listener_free(&sup->added);
    begin(sup);
}
