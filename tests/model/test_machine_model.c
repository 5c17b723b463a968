/* Every reachable state of the machine times every event, against the world of world.h; and from
 * every state the ways in which things may go on by themselves, to the end.
 *
 * Times are abstracted: two states are the same if the same things exist in the same phases, the
 * deadlines come in the same order and the same runs count as good.  One concrete state stands for
 * each.  What the abstraction may hide is looked for by long random walks with any times. */
#include "unit.h"

#include "world.h"

#include "banned.h"

#define STATES_MAX  60000
#define TABLE_SIZE  (1u << 17)
#define KILLS_CLOSE (MACHINE_KILL_TRIES - 2) /* from here on each try is a state of its own */

/* ---- Configurations -------------------------------------------------------------------------- */

#define CONFIG_TIMES                                                                               \
    .start_timeout_ms = 3000, .stop_timeout_ms = 2000,                                             \
    .backoff = { .delay_ms = 4,                                                                    \
        .max_delay_ms = 4,                                                                         \
        .factor_thousandths = 1000,                                                                \
        .burst = 2,                                                                                \
        .within_ms = INT64_C(1) << 40 }

static const struct {
    const char *name;
    struct machine_config config;
    bool taken_up; /* begins with what a supervisor finds, not with a fresh machine */
} rows[] = {
    { "a unit's service, sequential",
            { CONFIG_TIMES, .restart = MACHINE_RESTART_ON_FAILURE, .restart_on_unhealthy = true },
            false },
    { "a unit's service, overlap",
            { CONFIG_TIMES, .restart = MACHINE_RESTART_ON_FAILURE, .restart_on_unhealthy = true,
                    .overlap = true },
            false },
    { "by hand, sequential",
            { CONFIG_TIMES, .restart = MACHINE_RESTART_ON_FAILURE, .restart_on_unhealthy = true,
                    .by_hand = true },
            false },
    { "by hand, overlap, sick ones are left alone",
            { CONFIG_TIMES, .restart = MACHINE_RESTART_ON_FAILURE, .by_hand = true,
                    .overlap = true },
            false },
    { "always, ends when failed",
            { CONFIG_TIMES, .restart = MACHINE_RESTART_ALWAYS, .exit_when_failed = true,
                    .restart_on_unhealthy = true },
            false },
    { "never, by hand, with the instance's code",
            { CONFIG_TIMES, .restart = MACHINE_RESTART_NEVER, .by_hand = true,
                    .exit_with_instance = true, .restart_on_unhealthy = true },
            false },
    { "never, with the instance's code",
            { CONFIG_TIMES, .restart = MACHINE_RESTART_NEVER, .exit_with_instance = true }, false },
    { "taken up, sequential",
            { CONFIG_TIMES, .restart = MACHINE_RESTART_ON_FAILURE, .restart_on_unhealthy = true },
            true },
    { "taken up, overlap", { CONFIG_TIMES, .restart = MACHINE_RESTART_ON_FAILURE, .overlap = true },
            true },
};

/* ---- Events ---------------------------------------------------------------------------------- */

#define BOTH(...)                                                                                  \
    { __VA_ARGS__, .slot = MACHINE_CURRENT },                                                      \
    {                                                                                              \
        __VA_ARGS__, .slot = MACHINE_NEXT                                                          \
    }

static const struct machine_event events[] = {
    { .kind = MACHINE_EVENT_CLEARED },
    { .kind = MACHINE_EVENT_REFUSED, .code = 10 },
    { .kind = MACHINE_EVENT_STAND_BY },
    { .kind = MACHINE_EVENT_GUARD_AGAIN },
    { .kind = MACHINE_EVENT_TIMER },
    { .kind = MACHINE_EVENT_ASK_START },
    { .kind = MACHINE_EVENT_ASK_STOP },
    { .kind = MACHINE_EVENT_ASK_KILL },
    { .kind = MACHINE_EVENT_ASK_RESTART },
    BOTH(.kind = MACHINE_EVENT_DISPLACED, .code = 10),
    BOTH(.kind = MACHINE_EVENT_SPAWN_FAILED, .code = -1),
    BOTH(.kind = MACHINE_EVENT_MAIN_ENDED, .clean = true),
    BOTH(.kind = MACHINE_EVENT_MAIN_ENDED, .code = 3),
    BOTH(.kind = MACHINE_EVENT_MAIN_ENDED, .code = 75, .prevented = true),
    BOTH(.kind = MACHINE_EVENT_TREE_GONE),
    BOTH(.kind = MACHINE_EVENT_IS_READY),
    BOTH(.kind = MACHINE_EVENT_IS_READY, .ms = MACHINE_STABLE_MS),
    BOTH(.kind = MACHINE_EVENT_IS_SICK),
    BOTH(.kind = MACHINE_EVENT_IS_WELL),
    BOTH(.kind = MACHINE_EVENT_REMOVE),
    BOTH(.kind = MACHINE_EVENT_EXTEND, .ms = 100000),
};

static const char *const event_names[] = {
    [MACHINE_EVENT_CLEARED] = "cleared",
    [MACHINE_EVENT_REFUSED] = "refused",
    [MACHINE_EVENT_DISPLACED] = "displaced",
    [MACHINE_EVENT_STAND_BY] = "stand by",
    [MACHINE_EVENT_GUARD_AGAIN] = "guard again",
    [MACHINE_EVENT_SPAWN_FAILED] = "spawn failed",
    [MACHINE_EVENT_MAIN_ENDED] = "main ended",
    [MACHINE_EVENT_TREE_GONE] = "tree gone",
    [MACHINE_EVENT_IS_READY] = "is ready",
    [MACHINE_EVENT_IS_SICK] = "is sick",
    [MACHINE_EVENT_IS_WELL] = "is well",
    [MACHINE_EVENT_REMOVE] = "remove",
    [MACHINE_EVENT_EXTEND] = "extend",
    [MACHINE_EVENT_TIMER] = "timer",
    [MACHINE_EVENT_ASK_START] = "ask start",
    [MACHINE_EVENT_ASK_STOP] = "ask stop",
    [MACHINE_EVENT_ASK_KILL] = "ask kill",
    [MACHINE_EVENT_ASK_RESTART] = "ask restart",
};
_Static_assert(
        sizeof event_names / sizeof event_names[0] == MACHINE_EVENT_COUNT, "an event has no name");

static const char *const manner_names[] = {
    [WORLD_WORKS] = "all works",
    [WORLD_CRASHES] = "all crashes",
    [WORLD_HANGS] = "all hangs",
    [WORLD_IMMORTAL] = "nothing can be killed",
    [WORLD_REFUSES] = "the guard refuses",
};
_Static_assert(
        sizeof manner_names / sizeof manner_names[0] == WORLD_MANNER_COUNT, "a manner has no name");

/* ---- What makes two states the same ---------------------------------------------------------- */

struct key_slot {
    uint8_t phase, life, flags, kills, deadline, end_flags, is_good, code, end_code;
};

struct key {
    uint8_t activity, flags, asked, short_runs;
    struct key_slot slots[MACHINE_SLOT_COUNT];
};

static uint8_t bits(const bool *list, size_t count)
{
    uint8_t value = 0;

    for (size_t i = 0; i < count; i++)
        value = (uint8_t)(value << 1 | (list[i] ? 1 : 0));
    return value;
}

static uint8_t shown_kills(uint32_t kills)
{
    if (kills > MACHINE_KILL_TRIES)
        return MACHINE_KILL_TRIES + 1;
    return kills >= KILLS_CLOSE ? (uint8_t)kills : 0;
}

/* How a run that somebody wanted to end ends does not matter any more. */
static void fill_end(const struct world *world, int number, struct key_slot *slot)
{
    const struct machine_generation *life = &world->machine.generations[number];
    const struct world_slot *thing = &world->slots[number];
    const bool flags[] = { life->failed, life->stable, life->clean, life->prevented,
        life->ready_ms != 0, thing->failed, thing->stable, thing->was_ready };

    if (life->asked && thing->unwanted)
        return;
    slot->end_flags = bits(flags, COUNT_OF(flags));
    slot->is_good = !life->main_ended && thing->ready &&
            world->now_ms - thing->ready_ms >= MACHINE_STABLE_MS;
    slot->end_code = (uint8_t)life->end_code;
    if (world->config->exit_with_instance)
        slot->code = (uint8_t)life->exit_code;
}

static void fill_slot(const struct world *world, int number, struct key_slot *slot)
{
    const struct machine_generation *life = &world->machine.generations[number];
    const struct machine_generation *other = &world->machine.generations[1 - number];
    const struct world_slot *thing = &world->slots[number];
    const bool flags[] = { life->asked, life->main_ended, thing->ready, thing->sick,
        thing->stopped && thing->kills == 0, thing->unwanted, thing->kills > 0 };

    if (thing->life == WORLD_NOTHING)
        return;
    slot->phase = (uint8_t)life->phase;
    slot->life = (uint8_t)thing->life;
    slot->flags = bits(flags, COUNT_OF(flags));
    slot->kills = shown_kills(life->kills);
    slot->deadline = life->deadline_ms == MACHINE_NEVER ? 0
            : other->deadline_ms == MACHINE_NEVER       ? 1
            : life->deadline_ms < other->deadline_ms    ? 2
                                                        : 3;
    fill_end(world, number, slot);
}

static struct key key_of(const struct world *world)
{
    const struct machine *machine = &world->machine;
    const bool flags[] = { machine->want_down, machine->restart_asked, machine->first,
        world->guard_runs, world->stands_by, world->gave_up, world->done, world->ever_ready };
    const bool asked[] = { world->stop_wanted, world->restart_waits, machine->last_number > 0 };
    struct key key;

    memset(&key, 0, sizeof key);
    key.activity = (uint8_t)machine->activity;
    key.flags = bits(flags, COUNT_OF(flags));
    key.asked = bits(asked, COUNT_OF(asked));
    if (world->slots[MACHINE_NEXT].life == WORLD_NOTHING)
        key.short_runs = (uint8_t)machine->backoff.count;
    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++)
        fill_slot(world, slot, &key.slots[slot]);
    return key;
}

/* ---- All states ------------------------------------------------------------------------------ */

/* How a state was reached, to tell when something is wrong. */
struct state {
    struct world world;
    int from; /* -1: a beginning */
    struct machine_event by;
    int64_t waited_ms;
};

static struct state *states;
static size_t state_count;
static struct {
    bool used;
    uint8_t waiting;
    struct key key;
} * table;

/* Who waits decides nothing in the machine, and only adds to what is checked: a state with fewer
 * that wait is not looked at again. */
static bool is_new(const struct world *world)
{
    struct key key = key_of(world);
    const bool waits[] = { world->start_waits, world->stop_waits };
    uint8_t waiting = bits(waits, COUNT_OF(waits));
    const unsigned char *bytes = (const unsigned char *)&key;
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < sizeof key; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    for (hash %= TABLE_SIZE; table[hash].used; hash = (hash + 1) % TABLE_SIZE) {
        if (memcmp(&table[hash].key, &key, sizeof key) != 0)
            continue;
        if ((table[hash].waiting | waiting) == table[hash].waiting)
            return false;
        table[hash].waiting |= waiting;
        return true;
    }
    table[hash].used = true;
    table[hash].key = key;
    table[hash].waiting = waiting;
    return true;
}

static void add(
        const struct world *world, int from, const struct machine_event *by, int64_t waited_ms)
{
    if (!is_new(world))
        return;
    assert_true(state_count < STATES_MAX);
    states[state_count++] =
            (struct state) { .world = *world, .from = from, .by = *by, .waited_ms = waited_ms };
}

static void print_way(int to)
{
    if (to == -1)
        return;
    print_way(states[to].from);
    if (states[to].from != -1)
        print_error("  +%lld ms: %s %s (code %d)\n", (long long)states[to].waited_ms,
                event_names[states[to].by.kind],
                states[to].by.slot == MACHINE_NEXT ? "next" : "current", states[to].by.code);
}

static void tell(const char *row, int from, const struct machine_event *by, const char *how,
        const struct world *world)
{
    print_error("%s:\n", row);
    print_way(from);
    if (by != NULL)
        print_error("  then: %s %s (code %d)\n", event_names[by->kind],
                by->slot == MACHINE_NEXT ? "next" : "current", by->code);
    fail_msg("broken%s%s: %s", how[0] != '\0' ? " when " : "", how, world->broken);
}

/* More time only moves a deadline, and a removal comes right after taking up. */
static bool leads_on(const struct machine_event *event, int from)
{
    if (event->kind == MACHINE_EVENT_REMOVE)
        return states[from].from == -1;
    return event->kind != MACHINE_EVENT_EXTEND;
}

static void try_event(const char *row, int from, struct machine_event event, int64_t wait_ms)
{
    static struct world world;

    memcpy(&world, &states[from].world, sizeof world);
    world.now_ms += wait_ms;
    if (!world_step(&world, event))
        tell(row, from, &event, "", &world);
    if (leads_on(&event, from))
        add(&world, from, &event, wait_ms);
}

static void try_all_events(const char *row, int from)
{
    int64_t deadline_ms = machine_deadline(&states[from].world.machine);
    int64_t left_ms = deadline_ms - states[from].world.now_ms;

    for (size_t i = 0; i < COUNT_OF(events); i++) {
        try_event(row, from, events[i], 0);
        /* The same after a run became a good one, unless a timer would have come before. */
        if (deadline_ms == MACHINE_NEVER || left_ms > MACHINE_STABLE_MS)
            try_event(row, from, events[i], MACHINE_STABLE_MS);
    }
    if (deadline_ms != MACHINE_NEVER && left_ms >= 0)
        try_event(row, from, (struct machine_event) { .kind = MACHINE_EVENT_TIMER }, left_ms);
}

static void try_all_manners(const char *row, int from)
{
    static struct world world;

    for (int manner = 0; manner < WORLD_MANNER_COUNT; manner++) {
        memcpy(&world, &states[from].world, sizeof world);
        if (!world_settle(&world, (enum world_manner)manner))
            tell(row, from, NULL, manner_names[manner], &world);
    }
}

static void add_beginning(const struct world *world)
{
    add(world, -1, &(struct machine_event) { .kind = MACHINE_EVENT_COUNT }, 0);
}

/* What a supervisor takes up by a record, and a process that many tries did not kill. */
static void add_taken_up(const struct machine_config *config)
{
    static const enum machine_phase phases[][MACHINE_SLOT_COUNT] = {
        { MACHINE_PHASE_STARTING, MACHINE_PHASE_NONE },
        { MACHINE_PHASE_READY, MACHINE_PHASE_NONE },
        { MACHINE_PHASE_UNHEALTHY, MACHINE_PHASE_NONE },
        { MACHINE_PHASE_STOPPING, MACHINE_PHASE_NONE },
        { MACHINE_PHASE_READY, MACHINE_PHASE_STARTING },
        { MACHINE_PHASE_READY, MACHINE_PHASE_STOPPING },
        { MACHINE_PHASE_STOPPING, MACHINE_PHASE_READY },
        { MACHINE_PHASE_KILLING, MACHINE_PHASE_NONE },
    };
    static struct world world;

    for (size_t i = 0; i < COUNT_OF(phases); i++) {
        world_adopt(&world, config, phases[i][MACHINE_CURRENT], phases[i][MACHINE_NEXT]);
        add_beginning(&world);
    }
    while (world.machine.generations[MACHINE_CURRENT].kills < KILLS_CLOSE) {
        world.now_ms = machine_deadline(&world.machine);
        assert_true(world_step(&world, (struct machine_event) { .kind = MACHINE_EVENT_TIMER }));
    }
    add_beginning(&world);
}

static void every_state_takes_every_event(void **state)
{
    static struct world fresh;
    size_t all = 0;

    states = malloc(STATES_MAX * sizeof *states);
    table = malloc(TABLE_SIZE * sizeof *table);
    assert_true(states != NULL && table != NULL);
    for (size_t i = 0; i < COUNT_OF(rows); i += unit_step()) {
        state_count = 0;
        memset(table, 0, TABLE_SIZE * sizeof *table);
        world_init(&fresh, &rows[i].config);
        if (rows[i].taken_up)
            add_taken_up(&rows[i].config);
        else
            add_beginning(&fresh);
        for (size_t at = 0; at < state_count; at++) {
            try_all_events(rows[i].name, (int)at);
            try_all_manners(rows[i].name, (int)at);
        }
        print_message("%s: %lu states\n", rows[i].name, (unsigned long)state_count);
        all += state_count;
    }
    assert_true(all > 5000 / unit_step()); /* else the search was cut short by a mistake in it */
    free(states);
    free(table);
}

/* ---- Random walks ---------------------------------------------------------------------------- */

#define WALKS      2000
#define WALK_STEPS 120

static uint64_t random_state = 20261122;

static uint32_t next_random(uint32_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
    return (uint32_t)(random_state >> 33) % below;
}

/* One statement a member: in an initializer the order of the calls is the compiler's. */
static struct machine_config random_config(void)
{
    struct machine_config config = { .start_timeout_ms = 1 + next_random(5000) };

    config.stop_timeout_ms = 1 + next_random(5000);
    config.restart = (enum machine_restart)next_random(3);
    config.backoff.delay_ms = 1 + next_random(500);
    config.backoff.max_delay_ms = 500 + next_random(5000);
    config.backoff.factor_thousandths = 1000 + next_random(3000);
    config.backoff.burst = next_random(5);
    config.backoff.within_ms = INT64_C(1) << 40;
    config.restart_on_unhealthy = next_random(2) != 0;
    config.overlap = next_random(2) != 0;
    config.by_hand = next_random(2) != 0;
    config.exit_when_failed = next_random(2) != 0;
    config.exit_with_instance = next_random(2) != 0;
    return config;
}

/* Half of the time what makes sense, so that walks get somewhere. */
static struct machine_event random_event(const struct world *world)
{
    struct machine_event event = events[next_random(COUNT_OF(events))];

    for (int tries = 0; tries < 20 && next_random(8) != 0; tries++) {
        if (world_makes_sense(world, &event) && next_random(3) != 0 &&
                (event.kind != MACHINE_EVENT_ASK_STOP || next_random(4) == 0) &&
                (event.kind != MACHINE_EVENT_ASK_KILL || next_random(4) == 0))
            break;
        event = events[next_random(COUNT_OF(events))];
    }
    event.ms = next_random(2) * next_random(20000);
    return event;
}

static void let_time_pass(struct world *world)
{
    int64_t deadline_ms = machine_deadline(&world->machine);

    switch (next_random(4)) {
    case 0:
        world->now_ms += next_random(2000);
        break;
    case 1:
        if (deadline_ms != MACHINE_NEVER && deadline_ms > world->now_ms)
            world->now_ms = deadline_ms; /* late timers are told late too */
        break;
    default:
        break;
    }
}

static void random_walks_keep_the_rules(void **state)
{
    static struct world world;

    for (int walk = 0; walk < WALKS; walk += (int)unit_step()) {
        uint64_t seed = random_state;
        struct machine_config config = random_config();

        world_init(&world, &config);
        for (int step = 0; step < WALK_STEPS && !world.done; step++) {
            let_time_pass(&world);
            if (!world_step(&world, random_event(&world)))
                fail_msg("walk %d (seed %llu), step %d: %s", walk, (unsigned long long)seed, step,
                        world.broken);
        }
        if (!world_settle(&world, (enum world_manner)next_random(WORLD_MANNER_COUNT)))
            fail_msg("walk %d (seed %llu) at its end: %s", walk, (unsigned long long)seed,
                    world.broken);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_takes_every_event),
        cmocka_unit_test(random_walks_keep_the_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
